//! What strace says: one call per line, whose it is, and which part of an update it belongs to.

use std::collections::HashMap;

/// The calls at which something is cut off: they write, sync, rename, link, start a process or wait
/// for one. `openat` counts where it creates.
pub(crate) const CALLS: &str = "write,pwrite64,writev,fsync,fdatasync,sync,syncfs,rename,renameat,\
    renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,rmdir,ftruncate,truncate,fallocate,\
    sendfile,copy_file_range,chmod,fchmod,fchmodat,fchown,fchownat,utimensat,mkdir,mkdirat,clone,\
    clone3,fork,vfork,execve,wait4,waitid,pidfd_open,flock";

/// A line of `strace -f -y` for which a cut may be ordered.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Process number inside the host.
    pub(crate) process: u32,
    /// Name of the system call.
    pub(crate) name: String,
    /// The line, shortened.
    pub(crate) text: String,
}

impl Call {
    /// Reads a line; `None` for the second half of a call, signals, ends and what else strace says.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let (process, rest) = line.trim_start().split_once(' ')?;
        let rest = rest.trim_start();
        let (name, _) = rest.split_once('(')?;
        let is_name = |name: &str| {
            name.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        };
        (!name.is_empty() && is_name(name)).then(|| Self {
            process: process.parse().unwrap_or_default(),
            name: name.to_owned(),
            text: rest.trim_end().chars().take(160).collect(),
        })
    }

    /// Whether it changes a file: pipes, sockets and wake-ups of its own are no disk.
    pub(crate) fn is_on_a_file(&self) -> bool {
        const NO_DISK: [&str; 5] = ["</dev/", "</proc/", "\"/proc/", "<pipe:", "<anon_inode:"];
        let has = |part: &str| self.text.contains(part);
        (has("</") || has("(\"/") || has(", \"/")) && !NO_DISK.iter().any(|part| has(part))
    }
}

/// The part of an update.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Phase {
    /// Before our journal speaks of the change.
    Before,
    /// The package manager works out what to do.
    Start,
    /// Files of the package are put in place.
    Unpack,
    /// Scripts of the package.
    Scripts,
    /// The package database is written.
    Database,
    /// The package manager cleans up.
    End,
    /// We look at the result.
    After,
}

/// Paths of the package database.
const DATABASE: [&str; 5] = [
    "/var/lib/dpkg/",
    "/var/lib/rpm",
    "/usr/lib/sysimage/rpm",
    "/var/lib/dnf/",
    "/var/lib/zypp/",
];

/// Paths of the package's own files, under their last names and those before.
const PACKAGE: [&str; 6] = [
    ".dpkg-new",
    ".dpkg-tmp",
    "/usr/bin/demo-agent",
    "/etc/demo-agent",
    "/systemd/system/demo-agent",
    "/usr/share/doc/demo-agent",
];

/// Follows a trace line by line.
#[derive(Debug, Default)]
pub(crate) struct Follower {
    /// Our own process: the first that is seen.
    pub(crate) main: Option<u32>,
    /// The package manager's front end: the first process after our journal was written.
    pub(crate) front_end: Option<u32>,
    begun: bool,
    over: bool,
    unpacked: bool,
    /// Processes all of whose calls belong to one phase.
    homes: HashMap<u32, Phase>,
}

impl Follower {
    /// Takes the next line in; tells the phase that it belongs to.
    pub(crate) fn see(&mut self, line: &str) -> Option<(Call, Phase)> {
        self.parentage(line);
        // apt's solver writes tens of thousands of lines to nowhere.
        let call = Call::read(line).filter(|call| !call.text.contains("</dev/null>"))?;
        let main = *self.main.get_or_insert(call.process);
        if call.process == main {
            if call.name.starts_with("rename") && call.text.contains("agent-updater/journal/") {
                self.over = self.begun;
                self.begun = true;
            }
            let phase = match (self.begun, self.over) {
                (false, _) => Phase::Before,
                (true, false) => Phase::Start,
                (true, true) => Phase::After,
            };
            return Some((call, phase));
        }
        let phase = match (self.begun, self.over) {
            (false, _) => Phase::Before,
            (true, true) => Phase::After,
            (true, false) => {
                self.front_end.get_or_insert(call.process);
                self.of_manager(&call)
            }
        };
        Some((call, phase))
    }

    /// Whether the process is the program under test.
    pub(crate) fn is_main(&self, process: u32) -> bool {
        self.main == Some(process)
    }

    fn of_manager(&mut self, call: &Call) -> Phase {
        let has = |words: &[&str]| words.iter().any(|word| call.text.contains(word));
        if call.name == "execve" {
            if has(&[
                "/var/lib/dpkg/info/",
                "/var/lib/dpkg/tmp.ci/",
                "/var/tmp/rpm-tmp",
            ]) {
                self.homes.insert(call.process, Phase::Scripts);
            } else if has(&["/dpkg-deb\"", "/dpkg-split\""]) {
                self.homes.entry(call.process).or_insert(Phase::Unpack);
            }
        }
        if let Some(phase) = self.homes.get(&call.process) {
            self.unpacked = true;
            return *phase;
        }
        if has(&DATABASE) {
            return Phase::Database;
        }
        if has(&PACKAGE) {
            self.unpacked = true;
            return Phase::Unpack;
        }
        if self.unpacked {
            Phase::End
        } else {
            Phase::Start
        }
    }

    /// Children of a script belong to it.
    fn parentage(&mut self, line: &str) {
        if !["clone", "fork"].iter().any(|word| line.contains(word)) {
            return;
        }
        let parent = line.split_whitespace().next();
        let child = line.rsplit(" = ").next();
        let number = |word: Option<&str>| word.and_then(|word| word.trim().parse::<u32>().ok());
        if let (Some(parent), Some(child)) = (number(parent), number(child)) {
            if let Some(phase) = self.homes.get(&parent) {
                self.homes.insert(child, *phase);
            }
        }
    }
}
