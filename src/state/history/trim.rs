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
    files::replace(&path, &since(&record, now - KEPT), 0o644)
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

    /// Days of the events in a record, `?` for a line without a time, after one more of a day.
    fn after(record: &str, day: i64) -> String {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        let lines = record.split_whitespace().map(|word| match word {
            "?" => "torn{\n".to_owned(),
            day => format!("{}\n", json!({"time": days(day.parse().unwrap())})),
        });
        fs::create_dir_all(layout.state()).unwrap();
        fs::write(layout.history(), lines.collect::<String>()).unwrap();
        append(&layout, &json!({"time": days(day)})).unwrap();
        assert_eq!(fs::read_dir(layout.state()).unwrap().count(), 1);
        let text = fs::read_to_string(layout.history()).unwrap();
        let read = text.lines().map(|line| {
            time_of(line.as_bytes()).map_or("?".to_owned(), |time| {
                (time - DateTime::UNIX_EPOCH).num_days().to_string()
            })
        });
        read.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn events_are_kept_400_days_and_written_anew_only_once_in_a_while() {
        let table = [
            ("", 9, "9"),
            ("0 29", 30, "0 29 30"),
            // Within the margin nothing is rewritten.
            ("0 29 30", 430, "0 29 30 430"),
            ("0 29 30 31 300", 431, "31 300 431"),
            ("0", 1000, "1000"),
            // What cannot be read stays, and hides nothing.
            ("? 0 ? 500", 600, "? ? 500 600"),
            ("? ?", 1000, "? ? 1000"),
            // A clock that was set back.
            ("500 0 510", 520, "500 0 510 520"),
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
        let old = json!({"time": days(0)});
        fs::write(layout.history(), format!("{old}\n{{\"time\":\"19")).unwrap();
        append(&layout, &json!({"time": days(999)})).unwrap();
        let text = fs::read_to_string(layout.history()).unwrap();
        let new = json!({"time": days(999)});
        assert_eq!(text, format!("{{\"time\":\"19\n{new}\n"));
    }
}
