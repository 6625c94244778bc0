//! The schedule as it counts for one agent, and what in it is probably not meant.

use super::finding::Finding;
use crate::config::Policy;
use crate::decision::{Facts, ScheduleFact};
use crate::report::words;
use crate::schedule::Schedule;
use crate::schedule::lint::{Hosts, lint};
use crate::state::agent::Attempt;
use chrono::{DateTime, TimeDelta, Utc};

const NAME: &str = "schedule";

/// What the observation after a change takes beside its own time: the download and the tool.
const INSTALLING: TimeDelta = TimeDelta::seconds(60);

/// The schedule, with a remark for each likely mistake.
pub(super) fn check(
    policy: &Policy,
    facts: &Facts,
    last: Option<&Attempt>,
    warnings: &[String],
    now: DateTime<Utc>,
) -> Vec<Finding> {
    let Some(fact) = facts.schedule.value() else {
        return Vec::new();
    };
    match fact {
        ScheduleFact::InForce { schedule, source } => {
            let mut findings = vec![in_force(schedule, source, warnings, now)];
            let hosts = Hosts {
                margin: TimeDelta::from_std(policy.window_margin).unwrap_or(TimeDelta::MAX),
                update: usual_duration(policy, last),
                freezes: &policy.freeze,
            };
            let remarks = lint(schedule, &hosts, now);
            findings.extend(
                remarks
                    .into_iter()
                    .map(|remark| Finding::warning("windows", remark.text, remark.hint)),
            );
            findings
        }
        ScheduleFact::HandsOff { source } => vec![Finding::warning(
            NAME,
            format!(
                "{source} says `nop`: another updater is in charge, and nothing but `run --now` changes the package"
            ),
            "publish a schedule where this program is to update",
        )],
        ScheduleFact::None { why, .. } => vec![Finding::warning(
            NAME,
            format!("no schedule ({why}): changes are taken at once"),
            "publish one beside `version`, or set `schedule` in the configuration, unless that is meant",
        )],
        ScheduleFact::Unconfirmed { why, counts_at, .. } => vec![Finding::warning(
            NAME,
            format!(
                "{why}; if it still is so, it counts as no schedule from {} on",
                words::moment(*counts_at, now)
            ),
            "publish it again, or say `run --now` where nobody has to wait",
        )],
    }
}

fn in_force(schedule: &Schedule, source: &str, warnings: &[String], now: DateTime<Utc>) -> Finding {
    let zone = schedule.zone().name();
    let when = match schedule.open_at(now) {
        Some(open) => format!("a window is open until {}", words::moment(open.stop, now)),
        None => schedule.next(now).map_or_else(
            || "no window comes".to_owned(),
            |next| format!("the next window opens {}", words::moment(next.start, now)),
        ),
    };
    let text = format!("{source}, {zone}: {when}");
    // A kept one is in force because the present one cannot be had.
    match warnings
        .iter()
        .find(|warning| warning.contains("the kept one goes on"))
    {
        Some(warning) => Finding::warning(
            NAME,
            format!("{text}; {warning}"),
            "`agent-updater schedule --check FILE` tells what is wrong with a schedule; the kept one counts as long as it has windows",
        ),
        None => Finding::ok(NAME, text),
    }
}

/// How long an update takes on this host: the last one that went well, else what is configured for
/// the observation.
fn usual_duration(policy: &Policy, last: Option<&Attempt>) -> TimeDelta {
    let measured = last
        .filter(|attempt| attempt.result == "updated")
        .map(|attempt| attempt.ended_at - attempt.started_at);
    measured.unwrap_or_else(|| {
        let settle = TimeDelta::from_std(policy.health.settle).unwrap_or_default();
        settle.checked_add(&INSTALLING).unwrap_or(settle)
    })
}
