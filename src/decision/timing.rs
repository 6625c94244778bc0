use super::compatibility::outside_range;
use super::facts::{Critical, Facts, Health, Planned, Reading, ScheduleFact};
use super::gate::{Gate, GateName, Reason, Timing};
use crate::schedule::{Exemption, Freeze, Opening, Schedule};
use adapters::version::TargetVersion;
use chrono::{DateTime, TimeDelta, Utc};

const NAME: GateName = GateName::Timing;

/// Whether the update is critical and the policy lets that count.
fn critical(facts: &Facts) -> bool {
    matches!(facts.critical.value(), Some(Critical::Yes))
}

fn unhealthy(facts: &Facts, installed: Option<&TargetVersion>) -> Option<Timing> {
    let planned = facts.planned.map(|planned| planned.timing);
    if let Some(timing @ (Timing::Unhealthy | Timing::OutsideCompatibleRange)) = planned {
        Some(timing)
    } else if matches!(facts.health.value(), Some(Health::Unhealthy(_))) {
        Some(Timing::Unhealthy)
    } else if outside_range(facts, installed) == Some(true) {
        Some(Timing::OutsideCompatibleRange)
    } else {
        None
    }
}

/// The freeze gate: nothing starts during a freeze but `--now` and what the freeze allows.
pub(super) fn freeze_gate(
    facts: &Facts,
    installed: Option<&TargetVersion>,
    now: DateTime<Utc>,
) -> Gate {
    const NAME: GateName = GateName::Freeze;
    let of_schedule = match &facts.schedule {
        Reading::NotTaken => return Gate::not_looked_at(NAME, "the schedule was not asked"),
        Reading::Taken {
            value: ScheduleFact::InForce { schedule, .. },
            ..
        } => schedule.frozen(now),
        // Windows that are over do not end a freeze.
        Reading::Taken {
            value: ScheduleFact::None { freezes, .. } | ScheduleFact::Unconfirmed { freezes, .. },
            ..
        } => Freeze::strictest(freezes, now),
        Reading::Taken { .. } | Reading::Failed { .. } => None,
    };
    let on = |freeze: &&Freeze| freeze.covers(now);
    let Some(freeze) = facts
        .timing
        .freezes
        .iter()
        .filter(on)
        .max_by_key(|freeze| freeze.stop)
        .or(of_schedule)
    else {
        return Gate::open(NAME, "no freeze");
    };
    let text = format!("frozen: {}", freeze.reason);
    if facts.forced {
        return Gate::open(NAME, format!("{text}; passed by {}", facts.forced_by))
            .because(Reason::Forced);
    }
    // Both sources of a freeze may be on at once; each has to let the change pass.
    let passes = |freeze: &Freeze| {
        (freeze.allows(Exemption::Critical) && critical(facts))
            || (freeze.allows(Exemption::Unhealthy) && unhealthy(facts, installed).is_some())
    };
    let all_pass = facts
        .timing
        .freezes
        .iter()
        .filter(on)
        .chain(of_schedule)
        .all(passes);
    if all_pass {
        return Gate::open(NAME, format!("{text}; it allows this change"));
    }
    Gate::closed(NAME, Reason::Frozen, text).until(Some(freeze.stop))
}

/// The timing gate, and what opened it.
pub(super) fn gate(
    facts: &Facts,
    installed: Option<&TargetVersion>,
    now: DateTime<Utc>,
) -> (Gate, Option<Timing>) {
    if facts.forced {
        let text = format!("asked for by {}", facts.forced_by);
        return opened(Timing::Forced, text, None);
    }
    if let Reading::Taken {
        value: ScheduleFact::HandsOff { source },
        ..
    } = &facts.schedule
    {
        return hands_off(source);
    }
    if let Some(Planned { timing, until }) = facts.planned {
        let text = format!("decided before: {}", timing.reason().as_str());
        return match until {
            Some(until) if now >= until => {
                let gate = Gate::closed(NAME, Reason::WindowClosing, text);
                (gate, None)
            }
            _ => opened(timing, text, until),
        };
    }
    if critical(facts) && facts.timing.critical_opens {
        let text = "the version server marks this update as critical";
        return shared_out(facts, Timing::Critical, text, facts.pending_since, now);
    }
    match unhealthy(facts, installed) {
        Some(Timing::Unhealthy) => {
            let evidence = match facts.health.value() {
                Some(Health::Unhealthy(evidence)) => evidence.as_str(),
                _ => "",
            };
            return opened(
                Timing::Unhealthy,
                format!("the agent is unhealthy: {evidence}"),
                None,
            );
        }
        Some(timing) => {
            return opened(
                timing,
                "the installed version is outside what the cluster supports",
                None,
            );
        }
        None => {}
    }
    match &facts.schedule {
        Reading::NotTaken => (
            Gate::not_looked_at(NAME, "the schedule was not asked"),
            None,
        ),
        Reading::Failed { error, .. } => (
            Gate::closed(
                NAME,
                Reason::ScheduleUnconfirmed,
                format!("no schedule can be read: {error}"),
            ),
            None,
        ),
        Reading::Taken {
            value: ScheduleFact::None { why, .. },
            ..
        } => {
            let text = format!("no schedule ({why}): changes are taken at once");
            shared_out(facts, Timing::NoSchedule, &text, facts.pending_since, now)
        }
        Reading::Taken {
            value: ScheduleFact::Unconfirmed { why, counts_at, .. },
            ..
        } => {
            let text = format!("{why}; if a later run finds the same, changes are taken at once");
            (
                Gate::closed(NAME, Reason::ScheduleUnconfirmed, text).until(Some(*counts_at)),
                None,
            )
        }
        Reading::Taken {
            value: ScheduleFact::InForce { schedule, source },
            ..
        } => in_force(facts, schedule, source, now),
        Reading::Taken {
            value: ScheduleFact::HandsOff { source },
            ..
        } => hands_off(source),
    }
}

/// Not even a critical update or a sick agent: the other updater sees to those.
fn hands_off(source: &str) -> (Gate, Option<Timing>) {
    let text = format!("the schedule ({source}) says nop: another updater is in charge");
    (Gate::closed(NAME, Reason::HandsOff, text), None)
}

fn in_force(
    facts: &Facts,
    schedule: &Schedule,
    source: &str,
    now: DateTime<Utc>,
) -> (Gate, Option<Timing>) {
    let next = schedule.next(now).map(|opening| opening.start);
    let mut closing = None;
    if let Some(opening) = schedule.open_at(now) {
        let length = opening.stop - opening.start;
        let margin = facts.timing.window_margin.min(length / 2);
        if opening.stop - now >= margin {
            return in_window(facts, &opening, margin, source, now);
        }
        closing = Some(opening);
    }
    let overdue = facts
        .timing
        .catch_up_after
        .zip(facts.pending_since)
        .and_then(|(limit, since)| {
            let missed = schedule.passed_between(since, now);
            (missed >= limit).then_some(missed)
        });
    if let Some(missed) = overdue {
        return opened(
            Timing::Overdue,
            format!("{missed} windows were missed"),
            None,
        );
    }
    let gate = match closing {
        Some(opening) => Gate::closed(
            NAME,
            Reason::WindowClosing,
            format!(
                "the window ({source}) closes at {}, too soon to start",
                utc(opening.stop)
            ),
        ),
        None => Gate::closed(
            NAME,
            Reason::OutsideWindow,
            format!("outside the maintenance window ({source})"),
        ),
    };
    (gate.until(next), None)
}

fn in_window(
    facts: &Facts,
    opening: &Opening,
    margin: TimeDelta,
    source: &str,
    now: DateTime<Utc>,
) -> (Gate, Option<Timing>) {
    let text = format!("the maintenance window ({source}) is open");
    // A share later than the last moment to start would never come.
    let room = (opening.stop - opening.start - margin).max(TimeDelta::zero());
    let start = opening.start + share(facts, facts.timing.spread.min(room));
    if now < start {
        let text = format!("{text}; this host's share of it starts later");
        return (
            Gate::closed(NAME, Reason::Spread, text).until(Some(start)),
            None,
        );
    }
    opened(Timing::WindowOpen, text, Some(opening.stop - margin))
}

/// Opens at this host's share of the spread after `since`.
fn shared_out(
    facts: &Facts,
    timing: Timing,
    text: &str,
    since: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> (Gate, Option<Timing>) {
    let start = since.unwrap_or(now) + share(facts, facts.timing.spread);
    if now < start {
        let text = format!("{text}; this host's share of the spread starts later");
        return (
            Gate::closed(NAME, Reason::Spread, text).until(Some(start)),
            None,
        );
    }
    opened(timing, text, None)
}

fn share(facts: &Facts, spread: TimeDelta) -> TimeDelta {
    let seconds = spread.num_seconds().max(0);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "a spread is hours"
    )]
    TimeDelta::seconds((seconds as f64 * facts.timing.share.clamp(0.0, 1.0)) as i64)
}

fn opened(
    timing: Timing,
    text: impl Into<String>,
    until: Option<DateTime<Utc>>,
) -> (Gate, Option<Timing>) {
    (
        Gate::open(NAME, text).because(timing.reason()).until(until),
        Some(timing),
    )
}

fn utc(instant: DateTime<Utc>) -> String {
    instant.format("%Y-%m-%d %H:%M UTC").to_string()
}
