use super::facts::ScheduleFact;
use crate::schedule::{Freeze, Schedule};
use crate::state::agent::ScheduleMemory;
use crate::version_server::Kept;
use chrono::{DateTime, TimeDelta, Utc};

/// How long a schedule that was there must be gone, as seen by two ticks, before that counts. A
/// server outage that blanks every schedule must not restart a whole fleet at once.
const CONFIRMATION: TimeDelta = TimeDelta::minutes(20);

/// What the source of the schedule says this time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ScheduleAnswer {
    /// This document.
    Document {
        /// Its text.
        text: String,
        /// Its `ETag`.
        etag: Option<String>,
        /// Where it is.
        url: String,
    },
    /// The kept document is still good.
    NotModified,
    /// There is none.
    Absent,
    /// It could not be asked.
    Failed(String),
}

/// What the answer itself amounts to, before the kept one is considered.
enum Found {
    Usable(ScheduleFact),
    Missing(String, Vec<Freeze>),
    Unreadable(String),
}

/// Works out which schedule counts, and what to remember of it.
///
/// `source` is said to a person; `parse` reads a document. A warning comes with a kept schedule
/// that goes on because the present one cannot be had.
pub fn resolve(
    answer: &ScheduleAnswer,
    memory: &ScheduleMemory,
    source: &str,
    parse: impl Fn(&str) -> Result<Schedule, String>,
    now: DateTime<Utc>,
) -> (ScheduleFact, ScheduleMemory, Option<String>) {
    let mut memory = memory.clone();
    let read = |text: &str, source: String| match parse(text) {
        Err(error) => Found::Unreadable(error),
        Ok(schedule) if schedule.is_hands_off() => Found::Usable(ScheduleFact::HandsOff { source }),
        Ok(schedule) if schedule.has_future(now) => {
            Found::Usable(ScheduleFact::InForce { schedule, source })
        }
        Ok(schedule) => Found::Missing(
            "no window of the schedule has its end in the future".to_owned(),
            schedule.document().freezes().to_vec(),
        ),
    };
    let found = match (answer, &memory.kept) {
        (ScheduleAnswer::Document { text, .. }, _) => read(text, source.to_owned()),
        (ScheduleAnswer::NotModified, Some(kept)) => read(&kept.value, source.to_owned()),
        (ScheduleAnswer::NotModified, None) => Found::Unreadable("nothing is kept".to_owned()),
        (ScheduleAnswer::Absent, _) => {
            Found::Missing(format!("{source} has no schedule"), Vec::new())
        }
        (ScheduleAnswer::Failed(error), _) => Found::Unreadable(error.clone()),
    };
    if !matches!(answer, ScheduleAnswer::Failed(_)) {
        memory.asked_at = Some(now);
    }
    memory.unreadable = match (&found, answer) {
        // Who was not asked has not said anything else.
        (_, ScheduleAnswer::Failed(_)) => memory.unreadable,
        (Found::Unreadable(why), _) => Some(why.clone()),
        (Found::Usable(_) | Found::Missing(..), _) => None,
    };
    match found {
        Found::Usable(fact) => {
            memory.missing_since = None;
            if let ScheduleAnswer::Document { text, etag, url } = answer {
                memory.kept = Some(Kept {
                    value: text.clone(),
                    url: url.clone(),
                    etag: etag.clone(),
                    fetched_at: now,
                });
            }
            (fact, memory, None)
        }
        // A server that never had a schedule counts at once: nothing can have been lost.
        Found::Missing(why, freezes) if memory.kept.is_none() => {
            memory.missing_since = None;
            (ScheduleFact::None { why, freezes }, memory, None)
        }
        Found::Missing(why, freezes) => {
            let mut meanwhile = freezes_of(&memory, &parse);
            meanwhile.extend_from_slice(&freezes);
            unconfirmed(why, meanwhile, freezes, memory, now)
        }
        Found::Unreadable(why) => {
            let kept = memory.kept.as_ref().map(|kept| {
                let since = kept.fetched_at.format("%Y-%m-%d %H:%M UTC");
                read(&kept.value, format!("{source}, kept from {since}"))
            });
            if let Some(Found::Usable(fact)) = kept {
                memory.missing_since = None;
                let warning = format!("the schedule cannot be read ({why}); the kept one goes on");
                return (fact, memory, Some(warning));
            }
            let kept_freezes = freezes_of(&memory, &parse);
            unconfirmed(
                format!("the schedule cannot be read ({why}) and none is kept that still counts"),
                kept_freezes.clone(),
                kept_freezes,
                memory,
                now,
            )
        }
    }
}

/// The freezes of the kept document.
fn freezes_of(
    memory: &ScheduleMemory,
    parse: impl Fn(&str) -> Result<Schedule, String>,
) -> Vec<Freeze> {
    let kept = memory.kept.as_ref();
    kept.and_then(|kept| parse(&kept.value).ok())
        .map(|schedule| schedule.document().freezes().to_vec())
        .unwrap_or_default()
}

/// `meanwhile` are the freezes until it is confirmed, `then` those afterwards.
fn unconfirmed(
    why: String,
    meanwhile: Vec<Freeze>,
    then: Vec<Freeze>,
    mut memory: ScheduleMemory,
    now: DateTime<Utc>,
) -> (ScheduleFact, ScheduleMemory, Option<String>) {
    // A clock that was set back must not make the wait longer than the rule says.
    let since = memory
        .missing_since
        .filter(|since| *since <= now)
        .unwrap_or(now);
    memory.missing_since = Some(since);
    let counts_at = since + CONFIRMATION;
    let fact = if now < counts_at {
        ScheduleFact::Unconfirmed {
            why,
            freezes: meanwhile,
            counts_at,
        }
    } else {
        ScheduleFact::None { why, freezes: then }
    };
    (fact, memory, None)
}
