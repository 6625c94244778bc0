//! What is asked of the host itself: its name, its package managers, its disks.

use crate::decision::Platform;
use crate::decision::authorize::{FreeSpace, MINIMUM_FREE_BYTES, MINIMUM_FREE_STATE};
use crate::installer::is_shut_in;
use crate::state::operator::Person;
use crate::state::{Layout, files};
use adapters::{Apt, ConfigurationFile, ManagerKind, PackageManager, Yum, Zypper};
use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::OnceLock;

/// Folders in which system programs are looked for, whatever the caller's `PATH` says.
const PROGRAM_FOLDERS: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// The host's name, or `localhost` where the kernel has none.
pub fn name() -> String {
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    if name.is_empty() {
        "localhost".to_owned()
    } else {
        name
    }
}

/// This host's place in a spread, 0 ≤ share < 1: the same for the same host and target, and even
/// over a fleet. The host name is part of it since cloned hosts share a machine-id.
pub fn share(layout: &Layout, target: &str) -> f64 {
    let machine_id = fs::read_to_string(layout.host("/etc/machine-id")).unwrap_or_default();
    let digest = Sha256::digest(format!("{}\n{}\n{target}", machine_id.trim(), name()));
    let number = digest
        .iter()
        .take(4)
        .fold(0_u32, |number, byte| (number << 8) | u32::from(*byte));
    f64::from(number) / (f64::from(u32::MAX) + 1.0)
}

/// Reads configuration files of the host; of a folder every file in it. What is not there is
/// left out.
pub fn configuration(layout: &Layout, places: &[PathBuf]) -> Result<Vec<ConfigurationFile>> {
    let mut texts = Vec::new();
    for place in places {
        let path = layout.host(place);
        let mut paths = if path.is_dir() {
            let entries = fs::read_dir(&path)
                .with_context(|| format!("read the folder {}", path.display()))?;
            entries
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|path| path.is_file())
                .collect()
        } else {
            vec![path]
        };
        paths.sort();
        for path in paths {
            if let Some(text) = files::read_if_there(&path)? {
                texts.push(ConfigurationFile { path, text });
            }
        }
    }
    Ok(texts)
}

/// Why no package manager can be driven.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum NoManager {
    /// The host cannot be served.
    Unsupported(String),
    /// The configuration has to name one.
    Ambiguous(String),
}

impl NoManager {
    /// The way out, for an agent of that name.
    pub fn hint(&self, agent: &str) -> String {
        match self {
            Self::Unsupported(_) => format!(
                "this host cannot be served: mend `package_manager` of agent {agent} where that names the \
                 wrong one, else remove the agent from its configuration"
            ),
            Self::Ambiguous(_) => {
                format!("set `package_manager` of agent {agent} in the configuration")
            }
        }
    }
}

/// Finds the package manager that the policy names, or the only one of the host. A configured
/// manager that is missing is an error, never a reason to take another one.
pub fn package_manager(
    layout: &Layout,
    configured: Option<ManagerKind>,
) -> Result<(Box<dyn PackageManager>, Platform), NoManager> {
    if let Some(why) = unsupported(layout) {
        return Err(NoManager::Unsupported(why));
    }
    let find = |name: &str| program(layout, name);
    let complete = |kind: ManagerKind| match kind {
        ManagerKind::Apt => find("apt-get").filter(|_| find("dpkg-query").is_some()),
        ManagerKind::Yum => find("dnf")
            .or_else(|| find("yum"))
            .filter(|_| find("rpm").is_some()),
        ManagerKind::Zypper => find("zypper").filter(|_| find("rpm").is_some()),
    };
    let kinds = configured.map_or_else(
        || vec![ManagerKind::Apt, ManagerKind::Yum, ManagerKind::Zypper],
        |kind| vec![kind],
    );
    let mut found: Vec<_> = kinds
        .iter()
        .filter_map(|kind| complete(*kind).map(|path| (*kind, path)))
        .collect();
    if found.len() > 1 {
        let names: Vec<_> = found.iter().map(|(kind, _)| kind.to_string()).collect();
        let text = format!(
            "this host has several package managers ({})",
            names.join(", ")
        );
        return Err(NoManager::Ambiguous(text));
    }
    let Some((kind, path)) = found.pop() else {
        let text = configured.map_or_else(
            || "this host has none of apt, yum (dnf) and zypper".to_owned(),
            |kind| format!("{kind} is configured and this host does not have it"),
        );
        return Err(NoManager::Unsupported(text));
    };
    if kind == ManagerKind::Yum
        && let Some(why) = not_dnf_4(&path)
    {
        return Err(NoManager::Unsupported(why));
    }
    let platform = Platform::Supported(format!("{kind} ({})", path.display()));
    let manager: Box<dyn PackageManager> = match kind {
        ManagerKind::Apt => Box::new(Apt),
        ManagerKind::Zypper => Box::new(Zypper),
        ManagerKind::Yum => Box::new(Yum::new(if find("dnf").is_some() { "dnf" } else { "yum" })),
    };
    Ok((manager, platform))
}

fn program(layout: &Layout, name: &str) -> Option<PathBuf> {
    let folders = PROGRAM_FOLDERS
        .split(':')
        .map(|folder| layout.host(folder).to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(":");
    which::which_in(name, Some(folders), "/").ok()
}

/// Hosts whose packages are not changed in place.
fn unsupported(layout: &Layout) -> Option<String> {
    if layout.host("/run/ostree-booted").exists() {
        return Some("this is an ostree host; its packages change with its image".to_owned());
    }
    let usr = rustix::fs::statvfs(layout.host("/usr")).ok()?;
    // The decider's unit has everything read-only; there the installer finds out.
    (usr.f_flag
        .contains(rustix::fs::StatVfsMountFlags::RDONLY)
        && !is_shut_in())
        .then(|| "/usr is read-only; packages of this host change with its image or by transactional-update".to_owned())
}

/// dnf 4 is a Python program that `dnf` and, on RHEL 8 and later, `yum` link to.
fn not_dnf_4(program: &Path) -> Option<String> {
    let target = fs::canonicalize(program).ok()?;
    match target.file_name()?.to_string_lossy().as_ref() {
        name if name.starts_with("dnf5") => Some("dnf 5 is not supported yet".to_owned()),
        "yum" => {
            Some("yum 3 is not supported; RHEL 8 and later have dnf 4 under that name".to_owned())
        }
        _ => None,
    }
}

/// Who is acted for, where this process is not the one that was called.
static ASKED_BY: OnceLock<u32> = OnceLock::new();

/// From now on this process acts for that user.
pub fn act_for(login_uid: u32) {
    // The first word counts; there is only one plan.
    let _ = ASKED_BY.set(login_uid);
}

/// Whether this process does what the timer or cron began.
static SCHEDULED: OnceLock<()> = OnceLock::new();

/// From now on this process does what the timer or cron began.
pub fn act_as_scheduled() {
    // Said twice it means the same.
    let _ = SCHEDULED.set(());
}

/// Whether what this process does was begun by the timer or cron.
pub fn is_scheduled() -> bool {
    SCHEDULED.get().is_some()
}

/// The user who logged in to run this, where the kernel's audit or sudo knows.
pub fn login_uid() -> Option<u32> {
    // What the kernel says of a process that nobody logged in for.
    const UNSET: u32 = u32::MAX;
    if let Some(uid) = ASKED_BY.get() {
        return Some(*uid);
    }
    let by_kernel = fs::read_to_string("/proc/self/loginuid").ok();
    let number = |text: String| text.trim().parse::<u32>().ok();
    by_kernel
        .and_then(number)
        .filter(|uid| *uid != UNSET)
        .or_else(|| std::env::var("SUDO_UID").ok().and_then(number))
}

/// Whoever runs this process, with the name that the host's own list of users has.
pub fn person() -> Person {
    let (uid, login_uid) = (rustix::process::geteuid().as_raw(), login_uid());
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    Person {
        uid,
        login_uid,
        name: user_name(&users, login_uid.unwrap_or(uid)).map(str::to_owned),
    }
}

/// A user's name in a list in the form of `/etc/passwd`.
pub fn user_name(users: &str, uid: u32) -> Option<&str> {
    let wanted = uid.to_string();
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == wanted).then_some(name)
    })
}

/// What is left on the file systems that a package manager and this program write to.
pub fn free_space(layout: &Layout) -> Vec<FreeSpace> {
    const FOLDERS: [(&str, u64); 5] = [
        ("/usr", MINIMUM_FREE_BYTES),
        ("/var/lib", MINIMUM_FREE_BYTES),
        ("/var/cache", MINIMUM_FREE_BYTES),
        // Either may be a file system of its own.
        ("/var/cache/agent-updater", MINIMUM_FREE_BYTES),
        ("/var/lib/agent-updater", MINIMUM_FREE_STATE),
    ];
    FOLDERS
        .iter()
        .filter_map(|(folder, needed)| {
            let status = rustix::fs::statvfs(layout.host(folder)).ok()?;
            Some(FreeSpace {
                folder: (*folder).to_owned(),
                bytes: status.f_bavail.saturating_mul(status.f_frsize),
                needed: *needed,
                files: (status.f_files > 0).then_some(status.f_favail),
            })
        })
        .collect()
}

/// Whether systemd is the service manager that runs.
pub fn has_systemd(layout: &Layout) -> bool {
    layout.host("/run/systemd/system").is_dir()
}

/// When a process was started, in clock ticks since the kernel was; field 22 of `proc_pid_stat(5)`.
pub fn process_started(process: u32) -> Option<u64> {
    process_field(process, 22)
}

/// Whether a process is another one or was started by it, or by one that it started and so on.
pub fn descends_from(process: u32, ancestor: u32) -> bool {
    let parent = |process: &u32| process_field(*process, 4);
    std::iter::successors(Some(process), parent).any(|one| one == ancestor)
}

/// A number of `proc_pid_stat(5)`, whose fields count from 1; one of those after the name.
fn process_field<T: FromStr>(process: u32, field: usize) -> Option<T> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name before may have blanks and parentheses.
    let (_, after) = stat.rsplit_once(") ")?;
    after.split(' ').nth(field - 3)?.parse().ok()
}

/// The program that a process executes, and whether that file was replaced since.
pub fn executable(pid: u32) -> Option<(PathBuf, bool)> {
    let link = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    let text = link.to_string_lossy();
    Some(match text.strip_suffix(" (deleted)") {
        Some(path) => (PathBuf::from(path), true),
        None => (link, false),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn host(programs: &[&str]) -> (tempfile::TempDir, Layout) {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("usr/bin")).unwrap();
        for program in programs {
            let path = root.path().join("usr/bin").join(program);
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let layout = Layout::new(root.path());
        (root, layout)
    }

    fn found(programs: &[&str], configured: Option<ManagerKind>) -> Result<ManagerKind, NoManager> {
        let (_root, layout) = host(programs);
        package_manager(&layout, configured).map(|(manager, _)| manager.kind())
    }

    #[test]
    fn the_only_manager_is_taken_and_two_or_none_are_named() {
        assert_eq!(
            found(&["apt-get", "dpkg-query", "rpm"], None),
            Ok(ManagerKind::Apt)
        );
        assert_eq!(
            found(&["yum", "rpm"], None).map_err(|_| ()),
            Err(()),
            "a program of its own called yum is yum 3"
        );
        assert_eq!(found(&["dnf", "rpm"], None), Ok(ManagerKind::Yum));
        assert_eq!(found(&["zypper", "rpm"], None), Ok(ManagerKind::Zypper));
        let both = found(&["apt-get", "dpkg-query", "zypper", "rpm"], None);
        assert!(matches!(both, Err(NoManager::Ambiguous(text)) if text.contains("apt, zypper")));
        assert!(matches!(
            found(&["sh"], None),
            Err(NoManager::Unsupported(_))
        ));
    }

    #[test]
    fn a_configured_manager_is_never_replaced_by_another() {
        let all = ["apt-get", "dpkg-query", "zypper", "rpm"];
        assert_eq!(
            found(&all, Some(ManagerKind::Zypper)),
            Ok(ManagerKind::Zypper)
        );
        assert!(
            matches!(found(&all, Some(ManagerKind::Yum)), Err(NoManager::Unsupported(text)) if text.contains("yum is configured"))
        );
    }

    #[test]
    fn dnf_5_and_ostree_are_refused() {
        let (root, layout) = host(&["dnf5", "rpm"]);
        symlink("dnf5", root.path().join("usr/bin/dnf")).unwrap();
        assert!(
            matches!(package_manager(&layout, None), Err(NoManager::Unsupported(text)) if text.contains("dnf 5"))
        );
        let (root, layout) = host(&["apt-get", "dpkg-query"]);
        fs::create_dir_all(root.path().join("run")).unwrap();
        fs::write(root.path().join("run/ostree-booted"), "").unwrap();
        assert!(
            matches!(package_manager(&layout, None), Err(NoManager::Unsupported(text)) if text.contains("ostree"))
        );
    }

    #[test]
    fn shares_are_stable_and_even() {
        let (_root, layout) = host(&[]);
        let shares: Vec<_> = (0..1000)
            .map(|n| share(&layout, &format!("1.0.{n}")))
            .collect();
        assert!(shares.iter().all(|share| (0.0..1.0).contains(share)));
        let mean = shares.iter().sum::<f64>() / 1000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
        assert!((share(&layout, "1.0.1") - shares[1]).abs() < f64::EPSILON);
    }
}
