//! Processes below a command and of its group, as /proc shows them.

use rustix::process::{Pid, Signal, kill_process, test_kill_process_group};
use std::collections::HashMap;
use std::fs;

/// One moment of the process table: children of each process.
fn children() -> HashMap<i32, Vec<i32>> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for pid in numbers() {
        if let Some(status) = status(pid) {
            children.entry(status.parent).or_default().push(pid);
        }
    }
    children
}

/// Whether a process of the group still runs. A dead one that its parent has not reaped yet has no
/// file and no lock any more.
pub(crate) fn lives(group: Pid) -> bool {
    test_kill_process_group(group).is_ok()
        && numbers().filter_map(status).any(|status| {
            status.group == group.as_raw_nonzero().get() && !["Z", "X"].contains(&&*status.state)
        })
}

fn numbers() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

struct Status {
    state: String,
    parent: i32,
    group: i32,
}

/// The name in the line may hold blanks and parentheses, so that the fields are counted from the
/// last one on.
fn status(pid: i32) -> Option<Status> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = line.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    Some(Status {
        state: fields.next()?.to_owned(),
        parent: fields.next()?.parse().ok()?,
        group: fields.next()?.parse().ok()?,
    })
}

fn arguments(pid: i32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

fn with_descendants(pid: i32, children: &HashMap<i32, Vec<i32>>) -> Vec<i32> {
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(parent) = found.get(next) {
        found.extend(children.get(parent).into_iter().flatten());
        next += 1;
    }
    found
}

/// Sends the signal to every process below `root` that has one of `marks` in its arguments, and to
/// all that it started; never to `root`, nor to what is between. Returns what they were called.
pub(crate) fn signal_scripts(root: u32, marks: &[&str], signal: Signal) -> Vec<String> {
    let Ok(root) = i32::try_from(root) else {
        return Vec::new();
    };
    let children = children();
    let mut ended = Vec::new();
    for pid in with_descendants(root, &children) {
        let called = arguments(pid);
        if pid == root || !marks.iter().any(|mark| called.contains(mark)) {
            continue;
        }
        ended.push(called.trim().to_owned());
        for pid in with_descendants(pid, &children) {
            if let Some(pid) = Pid::from_raw(pid) {
                // It may be gone already; then there is nothing to do.
                let _ = kill_process(pid, signal);
            }
        }
    }
    ended
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::kill_process_group;
    use std::os::unix::process::CommandExt;
    use std::process::Command;
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    #[test]
    fn a_dead_process_that_nobody_reaped_does_not_count() {
        let mut child = Command::new("sleep")
            .arg("60")
            .process_group(0)
            .spawn()
            .unwrap();
        let number = i32::try_from(child.id()).unwrap();
        let group = Pid::from_raw(number).unwrap();
        assert!(lives(group));
        kill_process_group(group, Signal::KILL).unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        while lives(group) {
            assert!(Instant::now() < deadline, "it lives after SIGKILL");
            sleep(Duration::from_millis(10));
        }
        assert_eq!(status(number).unwrap().state, "Z");
        child.wait().unwrap();
        assert!(!lives(group));
    }
}
