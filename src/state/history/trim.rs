//! Takes events out of the record that are older than it is kept.

use crate::state::{Layout, files};
use anyhow::{Context, Result};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;

/// How long an event is kept.
const KEPT: TimeDelta = TimeDelta::days(400);
/// The oldest may be older by so much, so that the record is hardly ever written anew.
const MARGIN: TimeDelta = TimeDelta::days(30);
/// Between two events no more time counts than this. A clock that jumped ahead, perhaps for a moment,
/// looks like a long silence; an event's age is time that the record has seen pass, so that such a clock
/// erases nothing. Where events are rarer, they are kept for longer.
const SILENCE: TimeDelta = TimeDelta::days(45);
/// The oldest event is looked for in so many bytes.
const HEAD: u64 = 64 * 1024;

/// Takes out what is too old at the moment of the event that is about to be appended. What has no
/// time that can be read stays. Readers, and whoever comes after a cut, see the old record or the new.
pub(super) fn trim(layout: &Layout, appended: &str) -> Result<()> {
    let path = layout.history();
    let Some(now) = time_of(appended.as_bytes()) else {
        return Ok(());
    };
    let oldest = oldest(&path).with_context(|| format!("read {}", path.display()))?;
    if oldest.is_none_or(|oldest| now - oldest <= KEPT + MARGIN) {
        return Ok(());
    }
    let record = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
    let times = record.split(|byte| *byte == b'\n').filter_map(time_of);
    match first_kept(times.collect(), now) {
        Some(first) => files::replace(&path, &since(&record, first), 0o644),
        None => Ok(()),
    }
}

/// From when on events are kept; `None` where the oldest is not old enough for a new record. What is
/// later than `now` was written by a clock that was ahead and has no age.
fn first_kept(mut times: Vec<DateTime<Utc>>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    times.retain(|time| *time <= now);
    times.sort_unstable();
    let (mut first, mut later, mut age) = (now, now, TimeDelta::zero());
    for time in times.into_iter().rev() {
        age += (later - time).min(SILENCE);
        later = time;
        if age <= KEPT {
            first = time;
        }
    }
    (age > KEPT + MARGIN).then_some(first)
}

/// The time of the first line that has one.
fn oldest(path: &Path) -> std::io::Result<Option<DateTime<Utc>>> {
    let mut head = Vec::new();
    match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file?.take(HEAD).read_to_end(&mut head)?,
    };
    Ok(head.split(|byte| *byte == b'\n').find_map(time_of))
}

fn since(record: &[u8], first: DateTime<Utc>) -> Vec<u8> {
    record
        .split_inclusive(|byte| *byte == b'\n')
        .filter(|line| time_of(line).is_none_or(|time| time >= first))
        .flatten()
        .copied()
        .collect()
}

fn time_of(line: &[u8]) -> Option<DateTime<Utc>> {
    #[derive(Deserialize)]
    struct Timed {
        time: DateTime<Utc>,
    }
    let timed: Option<Timed> = serde_json::from_slice(line).ok();
    timed.map(|timed| timed.time)
}

#[cfg(test)]
mod tests {
    use super::super::append;
    use super::*;
    use serde_json::json;

    fn days(count: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(count)
    }

    /// Days of the events in a record, `?` for a line without a time and `A-B` for one in every ten days
    /// from A to B, after one more of a day.
    fn after(record: &str, day: i64) -> String {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        let line = |day: i64| format!("{}\n", json!({"time": days(day)}));
        let lines = record.split_whitespace().map(|word| match word {
            "?" => "torn{\n".to_owned(),
            word => {
                let (from, to) = word.split_once('-').unwrap_or((word, word));
                let all = from.parse().unwrap()..=to.parse().unwrap();
                all.step_by(10).map(line).collect()
            }
        });
        fs::create_dir_all(layout.state()).unwrap();
        fs::write(layout.history(), lines.collect::<String>()).unwrap();
        append(&layout, &json!({"time": days(day)})).unwrap();
        assert_eq!(fs::read_dir(layout.state()).unwrap().count(), 1);
        let text = fs::read_to_string(layout.history()).unwrap();
        let mut read: Vec<String> = Vec::new();
        for line in text.lines() {
            let day = time_of(line.as_bytes()).map(|time| (time - DateTime::UNIX_EPOCH).num_days());
            let word = day.map_or("?".to_owned(), |day| day.to_string());
            match (read.last_mut(), day) {
                (Some(last), Some(day)) if ends_at(last) == Some(day - 10) => {
                    let from = last.split('-').next().unwrap_or_default();
                    *last = format!("{from}-{day}");
                }
                _ => read.push(word),
            }
        }
        read.join(" ")
    }

    /// The last day of a word.
    fn ends_at(word: &str) -> Option<i64> {
        word.rsplit('-').next()?.parse().ok()
    }

    #[test]
    fn events_are_kept_400_days_and_written_anew_only_once_in_a_while() {
        let table = [
            ("", 9, "9"),
            ("0 29", 32, "0 29 32"),
            // Within the margin nothing is rewritten.
            ("0-420", 430, "0-430"),
            ("0-420", 431, "40-420 431"),
            ("0-400 1 2", 431, "40-400 431"),
            // What cannot be read stays, and hides nothing.
            ("? 0-490 ?", 500, "? 100-490 ? 500"),
            ("? ?", 1000, "? ? 1000"),
            // A clock that was set back.
            ("500 0-510", 520, "500 0-520"),
            // A clock that jumped ahead: of its first event, of others, and once it is right again.
            ("0-300", 9000, "0-300 9000"),
            ("0-300 9000", 9001, "0-300 9000 9001"),
            ("0-300 9000 9001", 9002, "0-300 9000 9001 9002"),
            ("0-300 9000", 305, "0-300 9000 305"),
            ("0-480 9000", 495, "100-480 9000 495"),
            ("0-300 9000-9300", 9311, "260-300 9000-9300 9311"),
            // Long silences count for 45 days each.
            ("0 100 200 300 400", 500, "0 100 200 300 400 500"),
        ];
        for (record, day, expected) in table {
            assert_eq!(after(record, day), expected, "{record}");
        }
    }

    #[test]
    fn a_torn_last_line_stays_torn_and_alone() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        fs::create_dir_all(layout.state()).unwrap();
        // Each silence counts for 45 days.
        let old = (0..10).map(|month| format!("{}\n", json!({"time": days(month * 45)})));
        let old: String = old.collect();
        fs::write(layout.history(), format!("{old}{{\"time\":\"19")).unwrap();
        append(&layout, &json!({"time": days(999)})).unwrap();
        let text = fs::read_to_string(layout.history()).unwrap();
        let (first, new) = (json!({"time": days(0)}), json!({"time": days(999)}));
        assert!(!text.contains(&first.to_string()), "{text}");
        assert!(
            text.ends_with(&format!("\n{{\"time\":\"19\n{new}\n")),
            "{text}"
        );
    }
}
