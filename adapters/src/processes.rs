//! Processes below a command, as /proc shows them.

use rustix::process::{Pid, Signal, kill_process};
use std::collections::HashMap;
use std::fs;

/// One moment of the process table: children of each process.
fn children() -> HashMap<i32, Vec<i32>> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    let Ok(entries) = fs::read_dir("/proc") else {
        return children;
    };
    for entry in entries.flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        if let Some(parent) = parent(pid) {
            children.entry(parent).or_default().push(pid);
        }
    }
    children
}

/// The parent of a process. The name in the line may hold blanks and parentheses, so that the
/// fields are counted from the last one on.
fn parent(pid: i32) -> Option<i32> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = line.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
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
