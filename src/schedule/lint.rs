//! What is allowed in a schedule and yet seldom meant.

use super::{Freeze, Opening, Schedule, Window};
use chrono::{DateTime, TimeDelta, Utc};

/// The longest time between two looks of a host: the timer's 15 minutes, and its delay of up to 30.
pub const LONGEST_PAUSE: TimeDelta = TimeDelta::minutes(45);

/// Whoever has no window for longer than this waits longer than most release cycles.
const SOON: TimeDelta = TimeDelta::days(31);

/// How many openings are looked at: a year of daily ones.
const LOOKED_AT: usize = 400;

/// What the hosts that follow the schedule are like.
#[derive(Clone, Copy, Debug)]
pub struct Hosts<'a> {
    /// Nothing starts with less of the window left; at most half the window.
    pub margin: TimeDelta,
    /// How long an update takes there.
    pub update: TimeDelta,
    /// Freezes that stand beside the schedule's own.
    pub freezes: &'a [Freeze],
}

/// Something that is probably a mistake.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Remark {
    /// What.
    pub text: String,
    /// The way out.
    pub hint: String,
}

impl Remark {
    fn new(text: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            hint: hint.into(),
        }
    }
}

/// Looks at what the schedule comes to from `now` on. Times are said in UTC.
pub fn lint(schedule: &Schedule, hosts: &Hosts<'_>, now: DateTime<Utc>) -> Vec<Remark> {
    if schedule.is_hands_off() {
        return vec![Remark::new(
            "`nop`: another updater is in charge, and nothing but `run --now` changes the package",
            "publish windows where this program is to update",
        )];
    }
    let openings: Vec<Opening> = schedule
        .open_at(now)
        .into_iter()
        .chain(schedule.upcoming(now, LOOKED_AT))
        .collect();
    let Some(first) = openings.first() else {
        let mut windows = schedule.document().windows().iter();
        let text = "no window has its end in the future, which counts as no schedule: changes are taken at once";
        return vec![
            match windows.find(|window| matches!(window, Window::Recurring { .. })) {
                Some(window) => Remark::new(
                    format!("{text}; the line `{window}` never comes"),
                    "name a day that the month has",
                ),
                None => Remark::new(text, "add a window, or a `cron` line, which has no end"),
            },
        ];
    };
    let mut remarks = Vec::new();
    if first.start > now + SOON {
        remarks.push(Remark::new(
            format!(
                "the next window is more than {} days away, on {}",
                SOON.num_days(),
                day(first.start)
            ),
            "only critical updates and repairs come before it; add a window if that is not meant",
        ));
    }
    remarks.extend(too_short(&openings, hosts));
    remarks.extend(overlap(&openings));
    let all: Vec<Freeze> = schedule
        .document()
        .freezes()
        .iter()
        .chain(hosts.freezes)
        .cloned()
        .collect();
    remarks.extend(frozen(&openings, &all, now));
    remarks
}

/// A window that a host can sleep through, or that an update does not fit in.
fn too_short(openings: &[Opening], hosts: &Hosts<'_>) -> Option<Remark> {
    let shortest = openings.iter().min_by_key(|opening| opening.duration())?;
    let duration = shortest.duration();
    let margin = hosts.margin.min(duration / 2);
    let needed = LONGEST_PAUSE + margin.max(hosts.update);
    (duration < needed).then(|| {
        Remark::new(
            format!(
                "the window on {} is {} long: a host looks every 15 to {} min and starts nothing with \
                 less than {} left, so that some will miss it",
                day(shortest.start),
                minutes(duration),
                LONGEST_PAUSE.num_minutes(),
                minutes(margin.max(hosts.update)),
            ),
            format!("make it at least {} long", minutes(LONGEST_PAUSE + hosts.margin.max(hosts.update))),
        )
    })
}

/// Two windows that are open at once, of which only the one that stops last counts down.
fn overlap(openings: &[Opening]) -> Option<Remark> {
    openings.windows(2).find_map(|pair| {
        let (first, second) = (pair.first()?, pair.get(1)?);
        (second.start < first.stop).then(|| {
            Remark::new(
                format!(
                    "the windows on {} and {} overlap",
                    day(first.start),
                    day(second.start)
                ),
                "they count as one from the first start to the last end; write it so if that is meant",
            )
        })
    })
}

/// Every window of the next weeks lies in a freeze.
fn frozen(openings: &[Opening], freezes: &[Freeze], now: DateTime<Utc>) -> Option<Remark> {
    let near = openings
        .iter()
        .take_while(|opening| opening.start <= now + SOON)
        .count();
    let looked_at = &openings[..if near == 0 { openings.len() } else { near }];
    let freeze = looked_at
        .iter()
        .map(|opening| freezes.iter().find(|freeze| freeze.takes_all(opening)));
    let covering: Option<Vec<&Freeze>> = freeze.collect();
    let last = covering?.into_iter().max_by_key(|freeze| freeze.stop)?;
    let reason = if last.reason.is_empty() {
        String::new()
    } else {
        format!(" ({})", last.reason)
    };
    let (text, hint) = if near == 0 {
        ("every window to come", "move the windows or the freeze")
    } else {
        (
            "every window of the next 31 days",
            "nothing to do where that is meant; `run --now` passes a freeze",
        )
    };
    Some(Remark::new(
        format!(
            "{text} lies in a freeze{reason}, which ends on {}",
            day(last.stop)
        ),
        hint,
    ))
}

fn day(instant: DateTime<Utc>) -> String {
    instant.format("%a %Y-%m-%d %H:%M UTC").to_string()
}

/// A length in whole minutes or better words: `90 min`, `2 h`.
fn minutes(length: TimeDelta) -> String {
    let minutes = length.num_minutes();
    if minutes >= 120 && minutes % 60 == 0 {
        format!("{} h", minutes / 60)
    } else if length < TimeDelta::minutes(1) {
        format!("{} s", length.num_seconds())
    } else {
        format!("{minutes} min")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::ScheduleDocument;
    use std::path::Path;

    const NOW: &str = "2026-12-01T12:00:00Z";

    fn texts(document: &str, update: i64) -> Vec<String> {
        let document = ScheduleDocument::parse(document).unwrap();
        let schedule = Schedule::resolve(document, Path::new("/")).unwrap();
        let hosts = Hosts {
            margin: TimeDelta::minutes(10),
            update: TimeDelta::minutes(update),
            freezes: &[],
        };
        let remarks = lint(&schedule, &hosts, NOW.parse().unwrap());
        assert!(
            remarks.iter().all(|remark| !remark.hint.is_empty()),
            "{remarks:?}"
        );
        remarks.into_iter().map(|remark| remark.text).collect()
    }

    #[test]
    fn each_mistake_is_named_and_nothing_else() {
        let weekly = |duration: &str| {
            format!(r#"{{"windows": [{{"cron": "0 2 * * Sat", "duration": "{duration}"}}]}}"#)
        };
        let once = |start: &str, stop: &str| {
            format!(r#"{{"windows": [{{"start": "{start}", "stop": "{stop}"}}]}}"#)
        };
        let frozen = |stop: &str| {
            format!(
                r#"{{"windows": [{{"cron": "0 2 * * Sat", "duration": "2h"}}],
                    "freeze": [{{"start": "2026-12-01T00:00:00Z", "stop": "{stop}", "reason": "year end"}}]}}"#
            )
        };
        let table: [(&str, String, i64, &[&str]); 15] = [
            ("all is well", weekly("2h"), 1, &[]),
            ("just long enough", weekly("55m"), 1, &[]),
            ("too short", weekly("54m"), 1, &["is 54 min long"]),
            ("half of it is the margin", weekly("10m"), 1, &["less than 5 min left"]),
            ("the update is slow", weekly("60m"), 20, &["less than 20 min left"]),
            ("hands off", "nop".to_owned(), 1, &["another updater is in charge"]),
            ("all over", once("2026-11-01T00:00:00Z", "2026-11-01T02:00:00Z"), 1, &["no window has its end"]),
            ("only comments", "# nothing\n".to_owned(), 1, &["no window has its end"]),
            (
                "a day that never comes",
                r#"{"windows": [{"cron": "0 0 31 2 *", "duration": "2h"}]}"#.to_owned(),
                1,
                &["the line `0 0 31 2 * for 2h` never comes"],
            ),
            ("open now", once("2026-12-01T11:00:00Z", "2026-12-01T13:00:00Z"), 1, &[]),
            ("far away", once("2027-02-01T00:00:00Z", "2027-02-01T02:00:00Z"), 1, &["more than 31 days away"]),
            (
                "overlapping",
                r#"{"windows": [{"cron": "0 2 * * *", "duration": "2h"}, {"cron": "0 3 * * Sun", "duration": "2h"}]}"#.to_owned(),
                1,
                &["Sun 2026-12-06 02:00 UTC and Sun 2026-12-06 03:00 UTC overlap"],
            ),
            (
                "one after the other",
                r#"{"windows": [{"cron": "0 2 * * *", "duration": "1h"}, {"cron": "0 3 * * Sun", "duration": "1h"}]}"#.to_owned(),
                1,
                &[],
            ),
            ("all frozen", frozen("2027-01-04T00:00:00Z"), 1, &["lies in a freeze (year end)"]),
            ("one is left", frozen("2026-12-25T00:00:00Z"), 1, &[]),
        ];
        for (what, document, update, expected) in table {
            let found = texts(&document, update);
            assert_eq!(found.len(), expected.len(), "{what}: {found:?}");
            for (text, expected) in found.iter().zip(expected) {
                assert!(text.contains(expected), "{what}: {text}");
            }
        }
    }

    #[test]
    fn a_freeze_of_a_host_counts_like_the_schedules() {
        let document = ScheduleDocument::parse(
            r#"{"windows": [{"start": "2027-03-01T00:00:00Z", "stop": "2027-03-01T02:00:00Z"}]}"#,
        );
        let schedule = Schedule::resolve(document.unwrap(), Path::new("/")).unwrap();
        let freezes: Vec<Freeze> = serde_json::from_str(
            r#"[{"start": "2027-02-01T00:00:00Z", "stop": "2027-04-01T00:00:00Z"}]"#,
        )
        .unwrap();
        let hosts = Hosts {
            margin: TimeDelta::minutes(10),
            update: TimeDelta::zero(),
            freezes: &freezes,
        };
        let remarks = lint(&schedule, &hosts, NOW.parse().unwrap());
        assert!(
            remarks.iter().any(|remark| remark
                .text
                .starts_with("every window to come lies in a freeze")),
            "{remarks:?}"
        );
    }
}
