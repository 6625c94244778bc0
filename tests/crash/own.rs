//! Our own process, decider or installer, cut off at a call.

use crate::laboratory::Output;
use crate::points::Point;
use crate::scene::{Scene, Side};
use crate::tally::Outcome;
use crate::trace::{CALLS, Call};
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

/// Every so many kills of the decider a tick follows at once, while the installer goes on.
const BESIDE: usize = 4;

/// What a decider says whose installer was killed.
pub(crate) const NO_WORD: &str = "ended before it could say what came of it";

pub(crate) fn kill(scene: &Scene, call: &str, nth: usize) -> Outcome {
    let (output, text) = scene.run_traced(&format!(
        "-e trace={call} -e inject={call}:signal=KILL:when={nth}"
    ));
    // What a child left of the output says nothing about how ours ended; strace does.
    let calls: Vec<&str> = text.lines().filter(|line| line.starts_with(call)).collect();
    let hit = (calls.len() >= nth).then(|| calls[nth - 1].to_owned());
    let complaint = match scene.side {
        Side::Installer if hit.is_some() => complaint_of_decider(&output),
        Side::Decider if nth % BESIDE == 0 => {
            let told = scene.tick_beside();
            // Another instance is no failure of a tick, and one cut off before it changed anything
            // says so.
            let is_fine = ["exit: 0\n", "exit: 30\n"]
                .iter()
                .any(|code| told.ends_with(code));
            (!is_fine).then(|| format!("the tick at once: {told}{}", scene.journal()))
        }
        _ => None,
    };
    Outcome {
        hit,
        complaint,
        recovery: scene.recover(),
    }
}

/// What is wrong with the end of a decider whose installer was killed. It may have left word before.
pub(crate) fn complaint_of_decider(output: &Output) -> Option<String> {
    let all = output.all();
    let is_fine = match output.code {
        0 => !all.contains("panicked"),
        1 => all.contains(NO_WORD),
        _ => false,
    };
    (!is_fine).then(|| format!("the decider of a killed installer: {all}"))
}
