//! How far the record was delivered to one agent's program. The record may be trimmed meanwhile, or
//! cut off in the middle of a line.

use super::change::Told;
use crate::state::files;
use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Number of this format.
const SCHEMA: u32 = 1;

/// What is remembered of the deliveries to one agent's program.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub(super) struct Cursor {
    /// Number of this format.
    pub(super) schema: u32,
    /// The file that the two offsets are of.
    pub(super) inode: u64,
    /// Where the last line begins that was seen to, in bytes.
    pub(super) line: u64,
    /// Where it ends.
    pub(super) offset: u64,
    /// Its id.
    pub(super) id: Option<String>,
    /// Its time, or since when events are delivered. UTC.
    pub(super) time: DateTime<Utc>,
    /// How many runs in a row could not deliver the next line.
    pub(super) failures: u32,
    /// The state that was told last.
    pub(super) told: Option<Told>,
    /// A change of it that was not delivered so far, older than every line that was not.
    pub(super) waiting: Option<Waiting>,
}

/// A change of state on its way: told again as it is, so that whoever hears it twice can tell.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Waiting {
    /// The event.
    pub(super) text: String,
    /// The state that it tells of.
    pub(super) after: Told,
    /// How many runs in a row could not deliver it.
    pub(super) failures: u32,
}

/// One whole line of the record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Line {
    start: u64,
    end: u64,
    inode: u64,
    /// As it stands, without its end.
    pub(super) text: String,
    id: String,
    /// The agent; empty for all.
    pub(super) agent: String,
    /// When it happened. UTC.
    pub(super) time: DateTime<Utc>,
}

/// What is read of a line.
#[derive(Deserialize)]
struct Event {
    id: String,
    #[serde(default)]
    agent: String,
    time: DateTime<Utc>,
}

impl Cursor {
    /// The cursor in this file; `None` where nothing was delivered so far, or where it cannot be read
    /// any more.
    pub(super) fn load(path: &Path) -> Result<Option<Self>> {
        let Some(text) = files::read_if_there(path)? else {
            return Ok(None);
        };
        Ok(serde_json::from_str(&text)
            .inspect_err(|error| {
                tracing::warn!(
                    "{}: damaged ({error}); events before this run are not delivered any more",
                    path.display()
                );
            })
            .ok())
    }

    /// One that begins with what the record has since this moment, at which the command began that
    /// asks.
    pub(super) fn since(history: &Path, began: DateTime<Utc>) -> Result<Self> {
        let mut cursor = Self {
            time: began,
            ..Self::default()
        };
        if let Some((mut file, inode, _)) = open(history)? {
            cursor.inode = inode;
            let found = lines(&mut file, inode, 0)?;
            if let Some(last) = found.iter().rfind(|line| line.time < began) {
                cursor.pass(last);
            }
        }
        Ok(cursor)
    }

    /// Writes it, whole or not at all.
    pub(super) fn store(&self, path: &Path) -> Result<()> {
        let folder = path.parent().context("a cursor has a folder")?;
        files::create_folder(folder, 0o700)?;
        let text = serde_json::to_string(&Self {
            schema: SCHEMA,
            ..self.clone()
        })
        .context("render a cursor")?;
        files::replace(path, text.as_bytes(), 0o600)
    }

    /// The lines of the record that were not seen to.
    ///
    /// They are those behind the last one, wherever that is by now. Where it is gone, those that are
    /// younger than it: nothing that happened since may be lost with what was trimmed.
    pub(super) fn next(&self, history: &Path) -> Result<Vec<Line>> {
        let Some((mut file, inode, length)) = open(history)? else {
            return Ok(Vec::new());
        };
        if inode == self.inode && length >= self.offset {
            // One line, where nothing is new. Its id is looked at, since the number of a file that was
            // replaced is given to another one.
            let mut found = lines(&mut file, inode, self.line)?;
            match &self.id {
                None => return Ok(found),
                Some(id) if found.first().is_some_and(|first| first.id == *id) => {
                    found.remove(0);
                    return Ok(found);
                }
                Some(_) => {}
            }
        }
        let mut found = lines(&mut file, inode, 0)?;
        let last = found
            .iter()
            .rposition(|line| self.id.as_ref() == Some(&line.id));
        match last {
            Some(last) => drop(found.drain(..=last)),
            None if self.id.is_none() => found.retain(|line| line.time >= self.time),
            None => found.retain(|line| line.time > self.time),
        }
        Ok(found)
    }

    /// Passes a line, delivered or not.
    pub(super) fn pass(&mut self, line: &Line) {
        self.inode = line.inode;
        (self.line, self.offset) = (line.start, line.end);
        self.id = Some(line.id.clone());
        self.time = line.time;
        self.failures = 0;
    }
}

/// The record, with its inode and length; `None` where there is none.
fn open(history: &Path) -> Result<Option<(File, u64, u64)>> {
    let opened = File::open(history).and_then(|file| Ok((file.metadata()?, file)));
    match opened {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        opened => {
            let (metadata, file) = opened.with_context(|| format!("read {}", history.display()))?;
            Ok(Some((file, metadata.ino(), metadata.len())))
        }
    }
}

/// The whole lines from an offset on. What a cut left of one says nothing; the last one is whole when
/// it has its end.
fn lines(file: &mut File, inode: u64, from: u64) -> Result<Vec<Line>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(from))
        .and_then(|_| file.read_to_end(&mut bytes))
        .context("read the record")?;
    let mut found = Vec::new();
    let mut start = from;
    for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
        let end = start + piece.len() as u64;
        let event = serde_json::from_slice::<Event>(piece).ok();
        if let Some(event) = event.filter(|_| piece.ends_with(b"\n")) {
            found.push(Line {
                start,
                end,
                inode,
                text: String::from_utf8_lossy(piece).trim_end().to_owned(),
                id: event.id,
                agent: event.agent,
                time: event.time,
            });
        }
        start = end;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// The moment of the line with this number.
    fn at(number: u32) -> DateTime<Utc> {
        format!("2026-06-01T00:{number:02}:00Z").parse().unwrap()
    }

    fn line(number: u32) -> String {
        format!(
            "{{\"id\":\"e{number}\",\"agent\":\"demo\",\"time\":\"2026-06-01T00:{number:02}:00Z\"}}\n"
        )
    }

    fn texts(lines: &[Line]) -> Vec<&str> {
        lines.iter().map(|line| line.id.as_str()).collect()
    }

    fn record(numbers: impl IntoIterator<Item = u32>) -> String {
        numbers.into_iter().map(line).collect()
    }

    #[test]
    fn it_begins_where_the_command_did_and_follows() {
        let folder = tempfile::tempdir().unwrap();
        let history = folder.path().join("history.jsonl");
        let mut none = Cursor::since(&history, at(0)).unwrap();
        assert_eq!(none.next(&history).unwrap(), []);
        fs::write(&history, record(1..=1)).unwrap();
        assert_eq!(texts(&none.next(&history).unwrap()), ["e1"]);
        none.pass(&none.next(&history).unwrap()[0]);
        assert_eq!(none.next(&history).unwrap(), []);

        let mut cursor = Cursor::since(&history, at(2)).unwrap();
        assert_eq!(cursor.next(&history).unwrap(), []);
        // The last line is not whole yet, and one before was cut off.
        let torn = format!("{}{{\"id\":\"x\n{}{{\"id\":\"e4\",", record(1..=2), line(3));
        fs::write(&history, torn).unwrap();
        let found = cursor.next(&history).unwrap();
        assert_eq!(texts(&found), ["e2", "e3"]);
        cursor.pass(&found[0]);
        assert_eq!(texts(&cursor.next(&history).unwrap()), ["e3"]);
        // What the command itself has recorded by then.
        let cursor = Cursor::since(&history, at(3)).unwrap();
        assert_eq!(texts(&cursor.next(&history).unwrap()), ["e3"]);
    }

    #[test]
    fn it_survives_a_record_that_was_trimmed() {
        let folder = tempfile::tempdir().unwrap();
        let history = folder.path().join("history.jsonl");
        fs::write(&history, record(1..=5)).unwrap();
        let cursor = Cursor::since(&history, at(6)).unwrap();
        let cases = [
            // The last line is still there, further up.
            (record(4..=7), vec!["e6", "e7"]),
            (record(5..=5), vec![]),
            // It is gone: what is younger counts.
            (record(6..=7), vec!["e6", "e7"]),
            (record(1..=2), vec![]),
            (String::new(), vec![]),
            // The same length as before, and another content.
            (
                record(6..=10).replace("e10", "e9"),
                vec!["e6", "e7", "e8", "e9", "e9"],
            ),
        ];
        for (text, expected) in cases {
            // By rename, as it is trimmed, and in place.
            let new = folder.path().join("new");
            fs::write(&new, &text).unwrap();
            fs::rename(&new, &history).unwrap();
            assert_eq!(texts(&cursor.next(&history).unwrap()), expected, "{text}");
            fs::write(&history, record(1..=5)).unwrap();
            let cursor = Cursor::since(&history, at(6)).unwrap();
            fs::write(&history, &text).unwrap();
            if text.len() as u64 != cursor.offset {
                assert_eq!(texts(&cursor.next(&history).unwrap()), expected, "{text}");
            }
        }
        fs::remove_file(&history).unwrap();
        assert_eq!(cursor.next(&history).unwrap(), []);
    }

    #[test]
    fn it_is_kept_and_a_damaged_one_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events/demo.json");
        assert_eq!(Cursor::load(&path).unwrap(), None);
        let cursor = Cursor {
            schema: SCHEMA,
            id: Some("e1".to_owned()),
            failures: 2,
            ..Cursor::default()
        };
        cursor.store(&path).unwrap();
        assert_eq!(Cursor::load(&path).unwrap(), Some(cursor));
        fs::write(&path, "{").unwrap();
        assert_eq!(Cursor::load(&path).unwrap(), None);
    }
}
