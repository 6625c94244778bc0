//! What came of the points.

use crate::options::Kind;
use crate::points::{Job, Point, Victim};
use crate::scene::{Recovery, Scene};
use crate::{fault, own, tree};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Instant;

/// What came of a cut.
pub(crate) struct Outcome {
    /// What was hit; `None` when the update was over before.
    pub(crate) hit: Option<String>,
    /// What was wrong with the report of a fault.
    pub(crate) complaint: Option<String>,
    pub(crate) recovery: Recovery,
}

#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) tried: usize,
    pub(crate) missed: usize,
    pub(crate) recovered: usize,
    pub(crate) worst: u32,
    pub(crate) seconds: f64,
    pub(crate) new: usize,
    pub(crate) remarks: BTreeMap<String, usize>,
    pub(crate) phases: BTreeMap<String, usize>,
}

pub(crate) type Results = BTreeMap<(&'static str, Kind), Tally>;

pub(crate) fn attempt(job: &Job, tools: (&Path, &Path), results: &Mutex<(Results, Vec<String>)>) {
    let started = Instant::now();
    let name = format!("{} {:?} {}/{}", job.manager, job.kind, job.number, job.of);
    let run = || {
        let scene = Scene::up(job.manager, job.side, tools, job.point.needs_disk());
        match &job.point {
            Point::Own { call, nth, .. } => own::kill(&scene, call, *nth),
            Point::Fault {
                call,
                nth,
                error,
                from_there_on,
                ..
            } => fault::fail(&scene, call, *nth, error, from_there_on),
            Point::Full { call, nth, .. } => fault::fill(&scene, call, *nth),
            Point::Tree {
                index,
                victim: Victim::Disk,
                ..
            } => fault::fill_tree(&scene, *index),
            Point::Tree { index, victim, .. } => tree::cut(&scene, *index, *victim),
        }
    };
    let outcome = catch_unwind(AssertUnwindSafe(run));
    let seconds = started.elapsed().as_secs_f64();
    let mut results = results.lock().unwrap();
    let (tallies, failures) = &mut *results;
    let tally = tallies.entry((job.manager, job.kind)).or_default();
    tally.tried += 1;
    tally.seconds += seconds;
    let Ok(outcome) = outcome else {
        failures.push(format!("{name} {}: the laboratory failed", job.what()));
        return;
    };
    let recovery = &outcome.recovery;
    tally.missed += usize::from(outcome.hit.is_none());
    tally.new += usize::from(recovery.version == "1.1.0");
    for remark in &recovery.remarks {
        let kind = remark.split(':').next().unwrap_or(remark);
        *tally.remarks.entry(kind.to_owned()).or_default() += 1;
    }
    if let Some(phase) = outcome
        .hit
        .as_deref()
        .and_then(|hit| hit.strip_prefix('[')?.split(']').next())
    {
        *tally.phases.entry(phase.to_owned()).or_default() += 1;
    }
    let hit = outcome.hit.as_deref().unwrap_or("over before");
    let what = job.what();
    match (recovery.ticks, &outcome.complaint) {
        (Some(ticks), None) => {
            tally.recovered += 1;
            tally.worst = tally.worst.max(ticks);
            println!(
                "{name} {what}: {ticks} ticks, {} {seconds:.1} s {:?} | {hit}",
                recovery.version, recovery.remarks
            );
            if ticks > 1
                || recovery
                    .remarks
                    .iter()
                    .any(|remark| remark == "quarantined")
            {
                println!("{}", indented(&recovery.told));
            }
        }
        (_, complaint) => {
            println!(
                "{name} {what}: NOT RECOVERED, {seconds:.1} s | {hit}\n{}",
                indented(&recovery.told)
            );
            let complaint = complaint.clone().unwrap_or_else(|| {
                recovery
                    .told
                    .lines()
                    .filter(|line| line.starts_with("problem"))
                    .collect::<Vec<_>>()
                    .join("; ")
            });
            println!("{}", indented(&complaint));
            failures.push(format!("{name} {what} | {hit}\n{}", indented(&complaint)));
        }
    }
}

pub(crate) fn indented(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("    {line}")).collect();
    lines.join("\n")
}

pub(crate) fn summary(tallies: &Results, failures: &[String], started: Instant) -> ExitCode {
    for failure in failures {
        println!("FAILED {failure}");
    }
    println!(
        "\nmanager  kind     points  over before  recovered  at 1.1.0  worst ticks  s/point  remarks, phases that were hit"
    );
    let (mut good, mut bad) = (0, 0);
    for ((manager, kind), tally) in tallies {
        println!(
            "{manager:8} {:8} {:6}  {:11}  {:9}  {:8}  {:11}  {:7.1}  {:?} {:?}",
            format!("{kind:?}").to_lowercase(),
            tally.tried,
            tally.missed,
            tally.recovered,
            tally.new,
            tally.worst,
            tally.seconds / f64::from(u32::try_from(tally.tried).unwrap_or(u32::MAX)),
            tally.remarks,
            tally.phases,
        );
        good += tally.recovered;
        bad += tally.tried - tally.recovered;
    }
    let seconds = started.elapsed().as_secs_f64();
    let tried: usize = tallies.values().map(|tally| tally.tried).sum();
    let tried = f64::from(u32::try_from(tried).unwrap_or(u32::MAX));
    println!("{seconds:.0} s, {:.1} points/min", tried * 60.0 / seconds);
    let verdict = if bad == 0 && good > 0 { "ok" } else { "FAILED" };
    // In the words of a Rust test, which scripts/test counts.
    println!(
        "test result: {verdict}. {good} passed; {bad} failed; 0 ignored; 0 measured; 0 filtered out"
    );
    ExitCode::from(u8::from(verdict != "ok"))
}
