//! Our own process, told that the disk is broken, and hosts whose disk runs full.
//!
//! What the report says is looked at, and what was done: nothing is begun that the journal does not
//! say, no version is blamed for a disk, and the agent works.

use crate::laboratory::Output;
use crate::own::{NO_WORD, calls};
use crate::points::{Point, Victim};
use crate::scene::{Scene, Side};
use crate::tally::Outcome;
use crate::trace::Call;
use crate::tree;

/// The calls that change a file, and so are told what the disk cannot do.
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

/// The calls by which it is seen what was begun, beside the one that fails.
const SEEN: &str = "openat,rename,renameat,renameat2,fsync";

/// What both errors are called in a report.
const NO_SPACE: &str = "No space left on device";
const BROKEN: &str = "Input/output error";

/// How a change ends that can go neither on nor back, and is taken up when there is room.
const HALF_WAY: &str = "goes on with the next run: ";

/// What the look at the host says of an rpm that printed nothing.
const UNASKED: [&str; 2] = ["problem: rpm -q:", "problem: rpm -V:"];

/// Folders of the memory, which no disk fills.
const MEMORY: [&str; 3] = ["/run/", "/tmp/", "/dev/shm/"];

/// The points: each of those calls fails once by itself (EIO), and from there on there is no room
/// (ENOSPC). The calls that also print are not told so for good: there the disk is filled for real,
/// or where it is memory they fail once.
pub(crate) fn points(scene: &Scene) -> Vec<Point> {
    calls(scene)
        .into_iter()
        .filter(|(call, _)| FAIL.contains(&call.name.as_str()) && call.is_on_a_file())
        .filter(|(call, _)| call.name != "openat" || call.text.contains("O_CREAT"))
        .flat_map(|(call, nth)| {
            let fault = |error, from_there_on| Point::Fault {
                call: call.name.clone(),
                nth,
                error,
                from_there_on,
                text: call.text.clone(),
            };
            let also_prints = ["write", "writev", "openat"].contains(&call.name.as_str());
            let no_space = if !also_prints {
                fault("ENOSPC", "+")
            } else if MEMORY.iter().any(|folder| call.text.contains(folder)) {
                fault("ENOSPC", "")
            } else {
                Point::Full {
                    call: call.name.clone(),
                    nth,
                    text: call.text.clone(),
                }
            };
            [fault("EIO", ""), no_space]
        })
        .collect()
}

/// One of our calls fails.
pub(crate) fn fail(scene: &Scene, call: &str, nth: usize, error: &str, on: &str) -> Outcome {
    let (output, text) = scene.run_failing(&format!(
        "-e trace={call},{SEEN} -e inject={call}:error={error}:when={nth}{on}"
    ));
    let hit = text.lines().find(|line| line.contains("(INJECTED)"));
    // Counts differ a little from run to run; what is no file cannot fail like one.
    let is_on_a_file = hit
        .and_then(|line| Call::read(&format!("0 {line}")))
        .is_some_and(|call| call.is_on_a_file());
    let words = match (call, error) {
        // What cannot be linked is copied, and nothing is missing then.
        ("link" | "linkat", _) if output.code == 0 => "",
        // The installer's word for the decider is read at once, and the decider publishes the status, too.
        _ if output.code == 0
            && scene.side == Side::Installer
            && hit.is_some_and(|line| line.contains("/run/agent-updater")) =>
        {
            ""
        }
        (_, "EIO") => BROKEN,
        _ => NO_SPACE,
    };
    let complaint = is_on_a_file
        .then(|| {
            complaint_of_report(Some(output.code), &report(scene, &output), words)
                .or_else(|| complaint_of_order(&text))
        })
        .flatten();
    ended(
        scene,
        hit.map(|line| format!("{line} -> exit {}", output.code)),
        complaint,
    )
}

/// The disk is full once that call of ours has returned.
pub(crate) fn fill(scene: &Scene, call: &str, nth: usize) -> Outcome {
    let (output, text) = scene.run_filled(call, nth, &format!("-e trace={call},{SEEN}"));
    let stopped = text
        .lines()
        .position(|line| line.starts_with("--- stopped"));
    let hit = stopped.and_then(|index| {
        text.lines()
            .take(index)
            .filter(|line| !line.starts_with("---"))
            .last()
    });
    let all = report(scene, &output);
    let complaint = if all.contains("the disk is not full") {
        Some(format!("the laboratory did not fill the disk: {all}"))
    } else {
        complaint_of_report(Some(output.code), &all, "")
            .or_else(|| complaint_of_order(&text))
            .or_else(|| complaint_while_full(scene, &all))
    };
    scene.host.empty_disk();
    ended(
        scene,
        hit.map(|line| format!("{line} -> exit {}", output.code)),
        complaint,
    )
}

/// The disk runs full while the package manager works.
pub(crate) fn fill_tree(scene: &Scene, index: usize) -> Outcome {
    let (hit, output, code) = tree::at(scene, index, Victim::Disk);
    let complaint = hit.as_ref().and_then(|_| {
        let said = report(scene, &output);
        complaint_of_report(code, &said, "").or_else(|| complaint_while_full(scene, &said))
    });
    scene.host.empty_disk();
    let hit = hit.map(|hit| format!("{hit} -> exit {}", code.unwrap_or(-1)));
    ended(scene, hit, complaint)
}

/// What is said to whoever looks: where the installer could not leave word, the decider points to the
/// journal.
fn report(scene: &Scene, output: &Output) -> String {
    let mut all = output.all();
    if all.contains(NO_WORD) {
        all += &scene.journal();
    }
    all
}

/// What is wrong with the report. A full disk need not be met any more, and then nothing is to be
/// said of it: `words` is empty.
fn complaint_of_report(code: Option<i32>, all: &str, words: &str) -> Option<String> {
    // 0: without what could not be written, which has to be said; 1: an error of the disk before
    // anything began, or nothing to read for `status`; 26: no room before anything began, or in the
    // installation, which is undone; 32: no room to undo it.
    let without_status = all.contains("error: write /run/agent-updater/status.json");
    let allowed: &[i32] = match words {
        // The package manager could not be started, in a change that the journal has already.
        BROKEN if all.contains("cannot run `") => &[30],
        BROKEN => &[0, 1],
        _ if without_status || all.contains(NO_WORD) => &[1],
        _ if all.contains(HALF_WAY) => &[32],
        // Taken up on the full disk: nothing was changed.
        _ if all.contains("cut off before it changed anything") => &[30],
        // The package manager made room again when it cleared up, and its words had come to no disk.
        _ if all.contains("was not installed: unexpected answer: exit code") => &[26, 30],
        _ => &[0, 26],
    };
    if all.contains("panicked") || code.is_none() {
        Some(format!("no report: {all}"))
    } else if !allowed.contains(&code.unwrap_or_default()) {
        Some(format!("not one of the exit codes {allowed:?}: {all}"))
    } else if !all.contains(words) {
        Some(format!("the report does not say why: {all}"))
    } else if code == Some(26)
        && !["No space left", "are needed", "space", "no room is left"]
            .iter()
            .any(|word| all.contains(word))
    {
        Some(format!(
            "the report does not say that there is no room: {all}"
        ))
    } else {
        None
    }
}

/// A transaction has begun that the journal did not say, durably, before.
fn complaint_of_order(text: &str) -> Option<String> {
    let (mut renamed, mut durable) = (false, false);
    for line in text.lines() {
        let went_well = !line.contains(" = -1 ");
        let journal = line.contains("/var/lib/agent-updater/journal");
        if line.starts_with("rename") && journal {
            (renamed, durable) = (went_well, false);
        } else if line.starts_with("fsync") && line.contains("/agent-updater/journal>)") {
            durable = renamed && went_well;
        } else if line.starts_with("openat") && line.contains("/transcripts/") && went_well {
            return (!durable).then(|| format!("begun without the journal: {line}\n{text}"));
        }
    }
    None
}

/// What is not in order while the disk still is full, before a further tick and after it. Where the
/// report calls for somebody to make room, only that no tick says anything else.
fn complaint_while_full(scene: &Scene, said: &str) -> Option<String> {
    let mut calls_for_room = said.contains(HALF_WAY);
    for when in ["after the run", "after a run on the full disk"] {
        if when != "after the run" {
            let (output, _) = scene.run_failing("-e trace=openat");
            // Later there may not even be room for a plan.
            calls_for_room |= output.all().contains(HALF_WAY);
            let all = report(scene, &output);
            if let Some(complaint) = complaint_of_report(Some(output.code), &all, "") {
                return Some(format!("{when}: {complaint}"));
            }
        }
        let verdict = scene.verdict();
        // rpm itself dies of SIGBUS there, now and then, and then there is nothing to compare with.
        let unasked = verdict.lines().any(|line| UNASKED.contains(&line.trim()));
        let problems: Vec<&str> = verdict
            .lines()
            .filter(|_| !unasked)
            // The journal may be open, and goes on with the next run; apt writes to check.
            .filter(|line| line.starts_with("problem:"))
            .filter(|line| {
                !["journal:", "apt-get check:"]
                    .iter()
                    .any(|no| line[9..].starts_with(no))
            })
            .collect();
        if !problems.is_empty() && !calls_for_room {
            return Some(format!("{when}: {}\n{said}", problems.join("\n")));
        }
    }
    None
}

/// Ticks bring the host in order; no version is blamed, and nothing is left behind.
fn ended(scene: &Scene, hit: Option<String>, complaint: Option<String>) -> Outcome {
    let recovery = scene.recover();
    let bad = recovery
        .remarks
        .iter()
        .find(|remark| remark.starts_with("quarantined") || remark.starts_with("left behind"));
    let complaint = complaint.or_else(|| bad.cloned());
    Outcome {
        hit,
        complaint,
        recovery,
    }
}
