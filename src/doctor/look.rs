//! What is asked of the host for `doctor` alone. Reads, and runs only what reads.

use super::database::Manager;
use super::disk::Disks;
use super::neighbours::{Neighbour, is_unattended, of_timer};
use super::telling::{Program, Textfile};
use super::timer::{PROPERTIES, UNITS};
use crate::health::unit::{UnitSample, query};
use crate::host;
use crate::report::Document;
use crate::state::{Layout, files};
use crate::transaction::quiet::lock_holder;
use adapters::{CommandSpec, ManagerKind, PackageManager, Runner};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

/// One question to a tool; nothing where it cannot be asked or says no.
async fn ask(
    runner: &impl Runner,
    program: &str,
    arguments: &[&str],
    purpose: &str,
) -> Option<String> {
    let command = CommandSpec::query(
        program,
        arguments.iter().copied(),
        purpose,
        Duration::from_secs(20),
    );
    let output = runner.run(&command).await.ok()?;
    output.returned_zero().then_some(output.stdout)
}

/// The timer and the service that it calls, as systemd has them.
pub(super) async fn units(runner: &impl Runner) -> String {
    let mut arguments = vec!["show", "--no-pager", "--property", PROPERTIES, "--"];
    arguments.extend(UNITS);
    let text = ask(runner, "systemctl", &arguments, "ask systemd for the timer").await;
    text.unwrap_or_default()
}

/// Clock ticks in a second, as the kernel counts for programs (`USER_HZ`): 100 on every architecture of
/// the supported systems.
const TICKS: u64 = 100;

/// Time since this system was booted: since its PID 1 was started, which in a container is later than
/// the kernel.
pub(super) fn since_boot() -> Option<Duration> {
    let boot = Duration::from_secs(host::process_started(1)? / TICKS);
    uptime()?.checked_sub(boot)
}

/// Time since the kernel was booted.
pub(super) fn uptime() -> Option<Duration> {
    let text = fs::read_to_string("/proc/uptime").ok()?;
    let seconds: f64 = text.split_whitespace().next()?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// The name of the cron that runs, if one does.
pub(super) fn cron() -> Option<&'static str> {
    let processes = fs::read_dir("/proc").ok()?.flatten();
    processes
        .filter_map(|entry| {
            let name = fs::read_to_string(entry.path().join("comm")).ok()?;
            let called = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            cron_in(&name, &called)
        })
        .min()
}

/// The cron that a process is, by its name and its command line, whose words end with a zero byte.
fn cron_in(name: &str, called: &[u8]) -> Option<&'static str> {
    let mut words = called.split(|byte| *byte == 0);
    match name.trim() {
        "cron" => Some("cron"),
        "crond" => Some("crond"),
        // One program with many names: a shell of that name calls nothing.
        "busybox" if words.any(|word| word == b"crond") => Some("busybox crond"),
        _ => None,
    }
}

/// Whether the clock is synchronised, in timedatectl's words.
pub(super) async fn ntp(runner: &impl Runner) -> String {
    let arguments = ["show", "--property=NTPSynchronized"];
    let text = ask(
        runner,
        "timedatectl",
        &arguments,
        "ask whether the clock is synchronised",
    )
    .await;
    text.unwrap_or_default()
}

/// The agent's unit: one look, and whether it starts at boot.
pub(super) async fn unit(runner: &impl Runner, unit: &str) -> (Option<UnitSample>, Option<String>) {
    let Ok(output) = runner.run(&query(unit)).await else {
        return (None, None);
    };
    let enabled = output
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("UnitFileState="))
        .map(str::to_owned);
    (Some(UnitSample::read(unit, &output)), enabled)
}

/// The package manager's version, lock and leftovers.
pub(super) async fn manager(
    layout: &Layout,
    manager: &dyn PackageManager,
    program: &str,
    runner: &impl Runner,
) -> Manager {
    let kind = manager.kind();
    let locks = manager.locks();
    let readable = |lock: &&str| {
        let path = layout.host(lock);
        !path.exists() || fs::File::open(path).is_ok()
    };
    Manager {
        program: program.to_owned(),
        version: version(layout, kind, runner).await,
        lock: lock_holder(layout, &locks).map(|holder| holder.to_string()),
        sees_lock: locks.iter().all(readable),
        interrupted: kind == ManagerKind::Apt && is_interrupted(layout),
        audit: if kind == ManagerKind::Apt {
            audit(runner).await
        } else {
            None
        },
    }
}

/// Which version the tool says it is.
async fn version(layout: &Layout, kind: ManagerKind, runner: &impl Runner) -> Option<String> {
    const PURPOSE: &str = "ask for the package manager's version";
    match kind {
        ManagerKind::Apt => ask(runner, "apt-get", &["--version"], PURPOSE).await,
        ManagerKind::Zypper => ask(runner, "zypper", &["--version"], PURPOSE).await,
        // dnf writes to its log before it so much as says its version.
        ManagerKind::Yum => match dnf_version(layout) {
            Some(version) => Some(version),
            None => ask(runner, "rpm", &["-q", "--qf", "%{VERSION}", "dnf"], PURPOSE).await,
        },
    }
}

/// The version in dnf's own constants: `VERSION='4.14.0'`.
fn dnf_version(layout: &Layout) -> Option<String> {
    let folders = fs::read_dir(layout.host("/usr/lib")).ok()?.flatten();
    let pythons =
        folders.filter(|entry| entry.file_name().to_string_lossy().starts_with("python3"));
    let files = pythons.flat_map(|python| {
        ["site-packages", "dist-packages"]
            .map(|packages| python.path().join(packages).join("dnf/const.py"))
    });
    let text = files
        .into_iter()
        .find_map(|file| fs::read_to_string(file).ok())?;
    let line = text.lines().find_map(|line| line.strip_prefix("VERSION"))?;
    let (_, value) = line.split_once('=')?;
    Some(value.trim().trim_matches(['\'', '"']).to_owned())
}

/// dpkg names the steps that it has not taken in yet by numbers.
fn is_interrupted(layout: &Layout) -> bool {
    let is_step = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    fs::read_dir(layout.host("/var/lib/dpkg/updates"))
        .into_iter()
        .flatten()
        .flatten()
        .any(|entry| entry.file_name().to_str().is_some_and(is_step))
}

/// It returns 1 where it finds something.
async fn audit(runner: &impl Runner) -> Option<String> {
    let command = CommandSpec::query(
        "dpkg",
        ["--audit"],
        "ask for packages that are half done",
        Duration::from_secs(60),
    );
    let output = runner.run(&command).await.ok()?;
    (output.returned_zero() || !output.stdout.trim().is_empty()).then_some(output.stdout)
}

/// Room, read-only file systems, `SELinux`.
pub(super) fn disks(layout: &Layout) -> Disks {
    let read_only = ["/", "/usr", "/var", "/etc"].iter().filter(|folder| {
        rustix::fs::statvfs(layout.host(folder)).is_ok_and(|status| {
            status
                .f_flag
                .contains(rustix::fs::StatVfsMountFlags::RDONLY)
        })
    });
    let selinux = fs::read_to_string(layout.host("/sys/fs/selinux/enforce")).ok();
    Disks {
        free: host::free_space(layout),
        read_only: read_only.map(ToString::to_string).collect(),
        selinux: selinux.map(|text| text.trim() == "1"),
    }
}

/// Who else updates packages here.
pub(super) async fn neighbours(layout: &Layout, runner: &impl Runner) -> Vec<Neighbour> {
    let mut found = Vec::new();
    if layout.host("/usr/bin/unattended-upgrade").exists() {
        let arguments = ["dump", "APT::Periodic::Unattended-Upgrade"];
        let dump = ask(
            runner,
            "apt-config",
            &arguments,
            "ask for apt's periodic work",
        )
        .await;
        if dump.is_some_and(|dump| is_unattended(&dump)) {
            found.push(Neighbour::UnattendedUpgrades);
        }
    }
    let wants = fs::read_dir(layout.host("/etc/systemd/system/timers.target.wants"));
    let timers = wants.into_iter().flatten().flatten();
    found.extend(timers.filter_map(|entry| of_timer(entry.file_name().to_str()?)));
    // The link is what the next boot looks for.
    if fs::symlink_metadata(layout.host("/system-update")).is_ok() {
        found.push(Neighbour::OfflineUpdate);
    }
    let mut once: Vec<Neighbour> = Vec::new();
    for neighbour in found {
        if !once.contains(&neighbour) {
            once.push(neighbour);
        }
    }
    once
}

/// What the last run left for `status`.
pub(super) fn last_document(layout: &Layout) -> Option<Document> {
    let text = files::read_if_there(&layout.status()).ok()??;
    serde_json::from_str(&text).ok()
}

/// Whether a run, or an installer, is at work: somebody holds its lock. The kernel's list is read, since
/// whoever takes a lock to look at it turns a run away that begins just then.
pub(super) fn is_at_work(layout: &Layout) -> bool {
    let held = fs::read_to_string("/proc/locks").unwrap_or_default();
    [layout.lock(), layout.transaction_lock()]
        .iter()
        .filter_map(|path| fs::metadata(path).ok())
        .any(|file| is_locked(&held, file.ino()))
}

/// Whether the kernel's list has a lock of `flock` on that inode. Lines are
/// `1: FLOCK  ADVISORY  WRITE 712 00:1a:4711 0 EOF`.
fn is_locked(list: &str, inode: u64) -> bool {
    let suffix = format!(":{inode}");
    list.lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.get(1) == Some(&"FLOCK") && words.get(5).is_some_and(|file| file.ends_with(&suffix))
    })
}

/// How a program of the operator's is found.
pub(super) fn program(layout: &Layout, program: &str) -> Program {
    match fs::metadata(layout.host(program)) {
        Ok(file) if file.is_file() && file.mode() & 0o111 != 0 => Program::Executable,
        Ok(_) => Program::NotExecutable,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Program::NotSeen,
        Err(_) => Program::Absent,
    }
}

/// How a textfile is found.
pub(super) fn textfile(layout: &Layout, file: &Path) -> Textfile {
    let path = layout.host(file);
    match fs::metadata(&path).and_then(|file| file.modified()) {
        Ok(modified) => Textfile::Written(modified.into()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Textfile::NotSeen,
        Err(_) if path.parent().is_some_and(Path::is_dir) => Textfile::Absent,
        Err(_) => Textfile::NoFolder,
    }
}

/// Proxies of this shell, by the variables that reqwest looks at.
pub(super) fn proxies() -> Vec<(String, String)> {
    ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_dnf_is_read_without_starting_it() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        assert_eq!(dnf_version(&layout), None);
        let folder = root.path().join("usr/lib/python3.9/site-packages/dnf");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("const.py"), "CONF=1\nVERSION='4.14.0'\n").unwrap();
        assert_eq!(dnf_version(&layout).as_deref(), Some("4.14.0"));
        assert_eq!(dnf_version(&Layout::new(Path::new("/nonexistent"))), None);
    }

    #[test]
    fn only_cron_is_taken_for_cron() {
        let table: [(&str, &[u8], Option<&str>); 6] = [
            ("cron\n", b"/usr/sbin/cron\0-f\0", Some("cron")),
            ("crond\n", b"/usr/sbin/crond\0-n\0", Some("crond")),
            ("busybox\n", b"busybox\0crond\0-f\0", Some("busybox crond")),
            ("busybox\n", b"busybox\0sh\0-c\0exec crond\0", None),
            ("busybox\n", b"", None),
            // It has tables of its own and does not read /etc/cron.d.
            ("fcron\n", b"fcron\0", None),
        ];
        for (name, called, expected) in table {
            assert_eq!(cron_in(name, called), expected, "{name}");
        }
    }

    #[test]
    fn locks_of_the_kernels_list() {
        let list = "1: POSIX  ADVISORY  WRITE 7 00:1a:11 0 EOF\n\
                    2: FLOCK  ADVISORY  WRITE 712 00:1a:4711 0 EOF\n";
        assert!(is_locked(list, 4711));
        assert!(!is_locked(list, 11), "a record lock is none of ours");
        assert!(!is_locked(list, 711));
        assert!(!is_locked("", 4711));
    }
}
