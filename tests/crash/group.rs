//! The control group of an update's processes, from the machine's side.

use crate::scene::Scene;
use rustix::io::Errno;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

pub(crate) fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// Kills what is left of the update.
pub(crate) fn kill_all(scene: &Scene) {
    write_if_there(&group(scene).join("cgroup.kill"), "1");
}

/// A group goes with its last process.
pub(crate) fn write_if_there(path: &Path, text: &str) {
    if let Err(error) = fs::write(path, text) {
        let is_gone = error.kind() == ErrorKind::NotFound
            || error.raw_os_error() == Some(Errno::NODEV.raw_os_error());
        assert!(is_gone, "{}: {error}", path.display());
    }
}

/// The host's part of the machine's tree of groups.
pub(crate) fn payload(scene: &Scene) -> PathBuf {
    let text = fs::read_to_string(format!("/proc/{}/cgroup", scene.leader())).unwrap_or_default();
    let path = text
        .lines()
        .find_map(|line| line.strip_prefix("0::"))
        .unwrap_or_default();
    let root = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"]
        .into_iter()
        .find(|root| Path::new(&format!("{root}{path}/cgroup.procs")).exists())
        .unwrap_or_default();
    let full = format!("{root}{path}");
    PathBuf::from(full.strip_suffix("/init.scope").unwrap_or(&full))
}

/// The group of the update's processes.
pub(crate) fn group(scene: &Scene) -> PathBuf {
    let text = fs::read_to_string(scene.shared("group")).unwrap_or_default();
    let path = text
        .lines()
        .find_map(|line| line.strip_prefix("0::/"))
        .unwrap_or_default();
    payload(scene).join(path)
}

/// Kills one process of the update by its number inside the host; nothing moves meanwhile.
pub(crate) fn kill(scene: &Scene, process: u32) {
    let group = group(scene);
    write_if_there(&group.join("cgroup.freeze"), "1");
    let all = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    let outside = all.split_whitespace().find(|number| {
        let status = fs::read_to_string(format!("/proc/{number}/status")).unwrap_or_default();
        status
            .lines()
            .find_map(|line| line.strip_prefix("NSpid:"))
            .and_then(|numbers| numbers.split_whitespace().last())
            .is_some_and(|last| last == process.to_string())
    });
    if let Some(number) = outside {
        let _ = std::process::Command::new("kill")
            .args(["-9", number])
            .status();
    }
    write_if_there(&group.join("cgroup.freeze"), "0");
}
