//! What earlier runs learnt and this one did not ask, so that every question an operator has is
//! answered with the age of the answer. Pure.

use super::build::{NOT_ASKED, SCHEDULE_NOT_ASKED};
use super::document::{AgentReport, Document, HealthReport, RunningReport, ScheduleReport};
use crate::decision::{Gate, GateName};
use chrono::{DateTime, Utc};

/// Completes the report of a run with the last readings of `earlier`, the document of the run before,
/// and counts the run.
pub fn complete(report: &mut AgentReport, earlier: Option<&Document>, now: DateTime<Utc>) {
    let before = earlier.and_then(|earlier| {
        let mut agents = earlier.agents.iter();
        let before = agents.find(|agent| agent.name == report.name)?;
        Some((before, earlier.generated_at))
    });
    if let Some((before, read_at)) = before {
        last_readings(report, before, read_at, now);
    }
    name_all_gates(report);
    let before = before.map(|(before, _)| before);
    if report.exit_code == 0 {
        report.last_success_at = Some(now);
        report.consecutive_failures = 0;
    } else {
        report.last_success_at = before.and_then(|before| before.last_success_at);
        report.consecutive_failures = before.map_or(0, |before| before.consecutive_failures) + 1;
    }
}

/// A decision's report names every gate, also those that it did not come to.
fn name_all_gates(report: &mut AgentReport) {
    const LATER: [GateName; 3] = [
        GateName::Repository,
        GateName::Transaction,
        GateName::Resources,
    ];
    let has = |report: &AgentReport, name| report.gates.iter().any(|gate| gate.name == name);
    if !has(report, GateName::Timing) {
        return;
    }
    for name in LATER {
        if !has(report, name) {
            let gate =
                Gate::not_looked_at(name, "not looked at: it is asked when a change may be made");
            report.gates.push(gate);
        }
    }
    report.gates.sort_by_key(|gate| gate.name);
}

/// Takes over what was read earlier and is not known better now. A reading counts for the versions
/// that it was made with.
fn last_readings(
    report: &mut AgentReport,
    before: &AgentReport,
    generated_at: DateTime<Utc>,
    now: DateTime<Utc>,
) {
    // A run that did not read what is remembered: what counts up is never told as less, and what
    // stood still stands.
    if report.attempts.is_none() {
        report.attempts.clone_from(&before.attempts);
        if report.hold.is_none() {
            report.hold.clone_from(&before.hold);
        }
        if report.quarantine.is_empty() {
            report.quarantine.clone_from(&before.quarantine);
        }
    }
    if report.schedule.source == SCHEDULE_NOT_ASKED {
        let windows = before.schedule.next.iter();
        report.schedule = ScheduleReport {
            next: windows
                .filter(|window| window.stop > now)
                .cloned()
                .collect(),
            ..before.schedule.clone()
        };
    }
    if report.installed != before.installed {
        return;
    }
    if report.health.verdict == NOT_ASKED && before.health.verdict != NOT_ASKED {
        report.health = HealthReport {
            read_at: before.health.read_at.or(Some(generated_at)),
            ..before.health.clone()
        };
    }
    if report.running.version.is_none() && report.running.read_at.is_none() {
        report.running = RunningReport {
            read_at: before.running.read_at.or(Some(generated_at)),
            ..before.running.clone()
        };
    }
    // One that nobody answers for now still waits as it did.
    let is_same_change = match &report.target.version {
        Some(version) => before.target.version.as_ref() == Some(version),
        None => report.pending_since.is_some() && report.pending_since == before.pending_since,
    };
    if !is_same_change {
        return;
    }
    if report.target.critical.is_none() {
        report.target.critical = before.target.critical;
        report.target.critical_read_at = before.target.critical_read_at;
    }
    if report.target.package_version.is_none() {
        let known = before.target.package_version.as_ref();
        report.target.package_version = known.cloned();
    }
    for before in &before.gates {
        let known = last_reading(before, generated_at);
        match (
            report
                .gates
                .iter_mut()
                .find(|gate| gate.name == before.name),
            known,
        ) {
            (Some(gate), Some(known)) if gate.open.is_none() && gate.reason.is_none() => {
                *gate = known;
            }
            (None, Some(known)) => report.gates.push(known),
            _ => {}
        }
    }
}

/// A gate of an earlier run as one that this run did not look at.
fn last_reading(before: &Gate, generated_at: DateTime<Utc>) -> Option<Gate> {
    let was_open = before.open.or(before.was_open)?;
    Some(Gate {
        open: None,
        was_open: Some(was_open),
        until: None,
        read_at: before.read_at.or(Some(generated_at)),
        ..before.clone()
    })
}
