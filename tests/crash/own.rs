//! Our own process, cut off at a call, or told that the disk is full or broken.

use crate::scene::Scene;
use crate::trace::{CALLS, Call};
use crate::{Outcome, Point};
use std::collections::HashMap;

/// Every call of our process, in the order of one undisturbed update.
pub(crate) fn calls(scene: &Scene) -> Vec<(Call, usize)> {
    let (output, text) = scene.run_traced(&format!("-e trace={CALLS},openat"));
    assert_eq!(output.code, 0, "the undisturbed update: {}", output.all());
    let mut seen: HashMap<String, usize> = HashMap::new();
    text.lines()
        // Without -f strace names no process.
        .filter_map(|line| Call::read(&format!("0 {line}")))
        .map(|call| {
            // strace counts each call's name by itself, whatever the expression holds.
            let count = seen.entry(call.name.clone()).or_default();
            *count += 1;
            (call, *count)
        })
        .collect()
}

/// The points at which our process is killed: before each of those calls, and one beyond the last of
/// each name, which an update that takes another turn may have.
pub(crate) fn kills(scene: &Scene) -> Vec<Point> {
    let calls = calls(scene);
    let mut last: HashMap<&str, usize> = HashMap::new();
    for (call, nth) in &calls {
        last.insert(&call.name, *nth);
    }
    let beyond = last
        .into_iter()
        .filter(|(name, _)| *name != "openat")
        .map(|(name, nth)| Point::Own {
            call: name.to_owned(),
            nth: nth + 1,
            text: "(one more than in the undisturbed update)".to_owned(),
        });
    calls
        .iter()
        .filter(|(call, _)| call.name != "openat" || call.text.contains("O_CREAT"))
        // Killed at the start of our own program is not killed by us.
        .filter(|(call, _)| call.name != "execve")
        .map(|(call, nth)| Point::Own {
            call: call.name.clone(),
            nth: *nth,
            text: call.text.clone(),
        })
        .chain(beyond)
        .collect()
}

/// The points at which the disk fails us: each call that changes a file, once by itself (EIO) and,
/// where the call has no other use than files, from there on (ENOSPC).
pub(crate) fn faults(scene: &Scene) -> Vec<Point> {
    const FAIL: [&str; 14] = [
        "write",
        "pwrite64",
        "writev",
        "fsync",
        "fdatasync",
        "rename",
        "renameat",
        "renameat2",
        "link",
        "linkat",
        "mkdir",
        "ftruncate",
        "fallocate",
        "openat",
    ];
    calls(scene)
        .into_iter()
        .filter(|(call, _)| FAIL.contains(&call.name.as_str()) && call.is_on_a_file())
        .filter(|(call, _)| call.name != "openat" || call.text.contains("O_CREAT"))
        .flat_map(|(call, nth)| {
            // Our own words are written, and files read, by the same calls.
            let on = match call.name.as_str() {
                "write" | "writev" | "openat" => "",
                _ => "+",
            };
            [("EIO", ""), ("ENOSPC", on)].map(|(error, from_there_on)| Point::Fault {
                call: call.name.clone(),
                nth,
                error,
                from_there_on,
                text: call.text.clone(),
            })
        })
        .collect()
}

pub(crate) fn kill(scene: &Scene, call: &str, nth: usize) -> Outcome {
    let (_, text) = scene.run_traced(&format!(
        "-e trace={call} -e inject={call}:signal=KILL:when={nth}"
    ));
    // What a child left of the output says nothing about how ours ended; strace does.
    let calls: Vec<&str> = text.lines().filter(|line| line.starts_with(call)).collect();
    Outcome {
        hit: (calls.len() >= nth).then(|| calls[nth - 1].to_owned()),
        complaint: None,
        recovery: scene.recover(),
    }
}

pub(crate) fn fail(scene: &Scene, call: &str, nth: usize, error: &str, on: &str) -> Outcome {
    let (output, text) = scene.run_traced(&format!(
        "-e trace={call} -e inject={call}:error={error}:when={nth}{on}"
    ));
    let hit = text.lines().find(|line| line.contains("(INJECTED)"));
    let words = match error {
        "EIO" => "Input/output error",
        _ => "No space left on device",
    };
    let all = output.all();
    // Counts differ a little from run to run; what is no file cannot fail like one.
    let is_on_a_file = hit
        .and_then(|line| Call::read(&format!("0 {line}")))
        .is_some_and(|call| call.is_on_a_file());
    let complaint = if !is_on_a_file {
        None
    } else if output.code == 101 || all.contains("panicked") {
        Some(format!("a panic: {all}"))
    } else if [0, 1].contains(&output.code) && !all.contains(words) {
        // Success after a failed write has to say what it did without.
        Some(format!("nothing is said of it: {all}"))
    } else if output.code != 0 && !all.contains(words) {
        Some(format!("the report does not say why: {all}"))
    } else {
        None
    };
    Outcome {
        hit: hit.map(|line| format!("{line} -> exit {}", output.code)),
        complaint,
        recovery: scene.recover(),
    }
}
