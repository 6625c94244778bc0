//! Who else is at work on the package database.

use crate::host;
use crate::state::Layout;
use rustix::process::{Flock, FlockType, fcntl_getlk};
use std::fmt;
use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The variable by which the processes of one of our transactions are recognised, also when this
/// program was killed and they were not.
pub(super) const MARK: &str = "AGENT_UPDATER_TRANSACTION";

/// How long somebody else is waited for. The tools themselves wait as long.
const PATIENCE: Duration = Duration::from_secs(60);

const INTERVAL: Duration = Duration::from_millis(500);

/// Waits until nobody holds a lock of the package database, and nothing of the transaction `id` is
/// left running. Nobody is ever killed, and no lock is removed.
///
/// # Errors
/// Somebody still is at work; the text says who.
pub(crate) async fn wait_until_quiet(
    layout: &Layout,
    locks: [&str; 2],
    id: &str,
    own_files: &[String],
) -> Result<(), String> {
    let end = Instant::now() + PATIENCE;
    loop {
        let holder = lock_holder(layout, &locks)
            .map(|holder| holder.to_string())
            .or_else(|| survivor(id, own_files));
        match holder {
            None => return Ok(()),
            Some(holder) if Instant::now() >= end => return Err(holder),
            Some(_) => sleep(INTERVAL).await,
        }
    }
}

/// Who holds a record lock.
pub(crate) struct Holder {
    lock: String,
    /// None where it is outside this host's process table.
    pub(crate) process: Option<u32>,
}

impl Holder {
    pub(crate) fn who(&self) -> String {
        match self.process {
            Some(process) => format!("process {process} ({})", name(process)),
            None => "a process outside this host's process table".to_owned(),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is held by {}", self.lock, self.who())
    }
}

/// Who holds one of the locks just now.
pub(crate) fn lock_holder(layout: &Layout, locks: &[impl AsRef<str>]) -> Option<Holder> {
    locks.iter().find_map(|lock| holder(layout, lock.as_ref()))
}

/// The process that holds a record lock on the file.
fn holder(layout: &Layout, lock: &str) -> Option<Holder> {
    let file = File::open(layout.host(lock)).ok()?;
    let held = fcntl_getlk(&file, &Flock::from(FlockType::WriteLock)).ok()??;
    Some(Holder {
        lock: lock.to_owned(),
        process: held
            .pid
            .and_then(|pid| u32::try_from(pid.as_raw_nonzero().get()).ok()),
    })
}

/// A process of our own transaction that outlived us: a script, or the package manager itself. The
/// agent, where a script started it without a service manager, is none of them.
pub(super) fn survivor(id: &str, own_files: &[String]) -> Option<String> {
    let mark = format!("{MARK}={id}");
    let entries = fs::read_dir("/proc").ok()?;
    for entry in entries.flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        let is_ours = environment
            .split(|byte| *byte == 0)
            .any(|variable| variable == mark.as_bytes());
        let is_bystander =
            || host::executable(pid).is_some_and(|(path, _)| is_bystander(&path, own_files));
        if is_ours && !is_bystander() {
            return Some(format!(
                "process {pid} ({}) of an earlier transaction still runs",
                name(pid)
            ));
        }
    }
    None
}

/// Daemons of `GnuPG`, which a package manager starts to look at signatures. They change no package,
/// and one whose zypper was killed lives on for ever: its folder is never removed.
const HELPERS: [&str; 4] = ["gpg-agent", "dirmngr", "keyboxd", "scdaemon"];

/// Whether a process with our mark has nothing to do with the package database.
fn is_bystander(program: &Path, own_files: &[String]) -> bool {
    let name = program.file_name().unwrap_or_default();
    HELPERS.iter().any(|helper| name == *helper)
        || own_files
            .iter()
            .any(|file| program.as_os_str() == file.as_str())
}

fn name(process: u32) -> String {
    fs::read_to_string(format!("/proc/{process}/comm"))
        .map_or_else(|_| "gone".to_owned(), |name| name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_waited_for() {
        let files = ["/usr/bin/demo-agent".to_owned()];
        for (program, expected) in [
            ("/usr/bin/demo-agent", true),
            ("/usr/bin/gpg-agent", true),
            ("/usr/lib/gnupg/scdaemon", true),
            ("/usr/bin/dpkg", false),
            ("/usr/bin/rpm", false),
            ("/bin/dash", false),
        ] {
            assert_eq!(
                is_bystander(Path::new(program), &files),
                expected,
                "{program}"
            );
        }
    }
}
