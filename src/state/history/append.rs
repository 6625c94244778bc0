//! Writes the record: one whole line for each event.

use super::trim::trim;
use crate::state::{Layout, files};
use anyhow::{Context, Result};
use serde::Serialize;
use serde::de::IgnoredAny;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;

/// Appends one event unless its id is among the last ones: what was cut off right after it was
/// recorded comes to the same end again.
pub fn append_once(layout: &Layout, id: &str, event: &impl Serialize) -> Result<()> {
    let mark = format!(
        "\"id\":{}",
        serde_json::to_string(id).context("render an id")?
    );
    let lines = tail(layout)?;
    // What a cut or a full disk left of a line says nothing.
    let whole = |line: &str| serde_json::from_str::<IgnoredAny>(line).is_ok();
    if lines
        .lines()
        .any(|line| line.contains(&mark) && whole(line))
    {
        return Ok(());
    }
    append(layout, event)
}

/// The last lines of the record.
pub(crate) fn tail(layout: &Layout) -> Result<String> {
    const MOST_BYTES: u64 = 64 * 1024;
    let path = layout.history();
    let read = (|| -> std::io::Result<Vec<u8>> {
        let mut file = File::open(&path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(MOST_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(MOST_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    })();
    match read {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        read => {
            let bytes = read.with_context(|| format!("read {}", path.display()))?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        }
    }
}

/// Appends one event; the line is durable when this returns. After one that could not be written
/// whole it begins anew.
pub fn append(layout: &Layout, event: &impl Serialize) -> Result<()> {
    files::create_folder(&layout.state(), 0o755)?;
    let path = layout.history();
    let mut line = serde_json::to_string(event).context("render an event")?;
    if let Err(error) = trim(layout, &line) {
        // What is kept for too long does no harm; the next event tries again.
        tracing::warn!("events that are too old stay: {error:#}");
    }
    line.push('\n');
    let written = (|| -> std::io::Result<()> {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o644)
            .open(&path)?;
        let length = file.metadata()?.len();
        if length > 0 && !ends_a_line(&mut file)? {
            line.insert(0, '\n');
        }
        // One write of one whole line, so that a cut leaves at most a torn last line.
        let written = file
            .write_all(line.as_bytes())
            .and_then(|()| file.sync_all());
        if written.is_err() {
            // Half an event is none. Where even this fails, the next one begins a line of its own.
            let _ = file.set_len(length);
        }
        written
    })();
    written.with_context(|| format!("write {}", path.display()))
}

fn ends_a_line(file: &mut File) -> std::io::Result<bool> {
    let mut last = [0_u8];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::fs;

    #[test]
    fn what_a_cut_left_of_a_line_spoils_no_other_and_is_recorded_again() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        let event = |id: &str| json!({"id": id, "why": "x"});
        append_once(&layout, "a", &event("a")).unwrap();
        let whole = fs::read_to_string(layout.history()).unwrap();
        fs::write(layout.history(), format!("{whole}{{\"id\":\"b\",\"wh")).unwrap();
        for _ in 0..2 {
            append_once(&layout, "a", &event("a")).unwrap();
            append_once(&layout, "b", &event("b")).unwrap();
        }
        append(&layout, &event("c")).unwrap();
        let text = fs::read_to_string(layout.history()).unwrap();
        let read: Vec<_> = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).map(|event| event["id"].clone()))
            .collect();
        assert_eq!(read.len(), 4, "{text}");
        assert!(read[1].is_err(), "the torn line stays: {text}");
        for (index, id) in [(0, "a"), (2, "b"), (3, "c")] {
            assert_eq!(read[index].as_ref().unwrap(), id, "{text}");
        }
    }
}
