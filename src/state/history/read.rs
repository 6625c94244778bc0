//! Reads the record, also lines that a newer version wrote, or that were cut off.

use crate::state::Layout;
use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};

/// One event as it was recorded, with fields that this version may not know.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// When it ended. UTC.
    pub time: DateTime<Utc>,
    /// The line.
    pub value: Value,
}

impl Recorded {
    /// Reads one line; `None` for what is no event of this program's.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(line).ok()?;
        let schema = value.get("schema")?.as_str()?;
        if !schema.starts_with("agent-updater/") {
            return None;
        }
        value.get("reason")?.as_str()?;
        let time = value.get("time")?.as_str()?.parse().ok()?;
        Some(Self { time, value })
    }

    /// A text; `None` also where it is empty, or something else.
    pub fn text(&self, key: &str) -> Option<&str> {
        let text = self.value.get(key)?.as_str()?;
        (!text.is_empty()).then_some(text)
    }

    /// The reason string.
    pub fn reason(&self) -> &str {
        self.text("reason").unwrap_or_default()
    }

    /// The agent; `None` for all.
    pub fn agent(&self) -> Option<&str> {
        self.text("agent")
    }

    /// An instant. UTC.
    pub fn instant(&self, key: &str) -> Option<DateTime<Utc>> {
        self.text(key)?.parse().ok()
    }

    /// A list; empty also where it is something else.
    pub fn list(&self, key: &str) -> &[Value] {
        let list = self.value.get(key).and_then(Value::as_array);
        list.map_or(&[], Vec::as_slice)
    }
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Past {
    /// The events, newest last.
    pub events: Vec<Recorded>,
    /// Lines that are no event of this program's: cut off by a power cut, or somebody else's.
    pub unreadable: usize,
    /// Whether there is a record at all.
    pub is_there: bool,
}

/// Reads the last events that are wanted, at most so many. A missing file is an empty record.
///
/// # Errors
/// The file is there and cannot be read.
pub fn read(
    layout: &Layout,
    most: Option<usize>,
    wanted: impl Fn(&Recorded) -> bool,
) -> Result<Past> {
    let path = layout.history();
    let file = match File::open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Past::default()),
        file => file.with_context(|| format!("read {}", path.display()))?,
    };
    let mut events = VecDeque::new();
    let mut unreadable = 0;
    // A line may hold any bytes.
    for line in BufReader::new(file).split(b'\n') {
        let line = line.with_context(|| format!("read {}", path.display()))?;
        if line.trim_ascii().is_empty() {
            continue;
        }
        match Recorded::parse(&line) {
            Some(event) if wanted(&event) => events.push_back(event),
            Some(_) => {}
            None => unreadable += 1,
        }
        if most.is_some_and(|most| events.len() > most) {
            events.pop_front();
        }
    }
    Ok(Past {
        events: events.into(),
        unreadable,
        is_there: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_last_ones_are_read_and_what_is_no_event_is_counted() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        assert_eq!(read(&layout, None, |_| true).unwrap(), Past::default());
        fs::create_dir_all(layout.state()).unwrap();
        let event = |reason: &str, schema: &str| {
            format!(
                r#"{{"schema":"{schema}","time":"2026-06-01T02:00:00Z","reason":"{reason}","new":[1]}}"#
            )
        };
        let lines = [
            event("one", "agent-updater/v1").into_bytes(),
            event("two", "agent-updater/v2").into_bytes(),
            event("foreign", "other/v1").into_bytes(),
            Vec::new(),
            b"\xff\xfe\0".to_vec(),
            br#"{"schema":"agent-updater/v1","reason":"no time"}"#.to_vec(),
            br#"{"schema":"agent-updater/v1","time":"yesterday","reason":"x"}"#.to_vec(),
            event("three", "agent-updater/v1").into_bytes(),
            br#"{"schema":"agent-updater/v1","time":"2026-06"#.to_vec(),
        ];
        fs::write(layout.history(), lines.join(&b'\n')).unwrap();
        let reasons = |most, wanted: &dyn Fn(&Recorded) -> bool| {
            let past = read(&layout, most, wanted).unwrap();
            assert_eq!((past.unreadable, past.is_there), (5, true));
            let reasons: Vec<_> = past.events.iter().map(Recorded::reason).collect();
            reasons.join(" ")
        };
        assert_eq!(reasons(None, &|_| true), "one two three");
        assert_eq!(reasons(Some(2), &|_| true), "two three");
        assert_eq!(reasons(Some(1), &|event| event.reason() != "three"), "two");
    }
}
