use super::{Layout, files};
use crate::host;
use crate::trust::freshness::Seen;
use adapters::TargetVersion;
use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::IgnoredAny;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;

/// One line of the record.
#[derive(Clone, Debug, Serialize)]
pub struct Event<'a> {
    /// Always `agent-updater/v1`.
    pub schema: &'a str,
    /// Unique on this host: the start of the attempt and the agent.
    pub id: String,
    /// When it ended. UTC.
    pub time: DateTime<Utc>,
    /// Name of the host.
    pub host: &'a str,
    /// The agent.
    pub agent: &'a str,
    /// What opened the timing gate.
    pub trigger: String,
    /// What came of it: a reason string.
    pub reason: String,
    /// Native version before.
    pub from: &'a str,
    /// Native version that was to be installed.
    pub to: &'a str,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// The effective user who ran it.
    pub uid: u32,
    /// Fingerprint of the key that proved the package, in upper-case hexadecimal.
    pub signing_key: Option<&'a str>,
    /// What the package manager printed: files that start so, with the endings `.out` and `.err`.
    pub transcript: Option<&'a str>,
    /// Version of this program.
    pub updater_version: &'a str,
}

/// A pin of ours that came or went.
#[derive(Clone, Debug, Serialize)]
pub struct PinEvent<'a> {
    /// Always `agent-updater/v1`.
    pub schema: &'a str,
    /// Unique on this host.
    pub id: String,
    /// When. UTC.
    pub time: DateTime<Utc>,
    /// Name of the host.
    pub host: &'a str,
    /// The agent.
    pub agent: &'a str,
    /// Why: `tick`, `configuration` or `unpin`.
    pub trigger: &'a str,
    /// `pin_placed` or `pin_released`.
    pub reason: &'a str,
    /// The package; empty for all.
    pub package: &'a str,
    /// The places.
    pub places: &'a [String],
    /// The effective user who ran it.
    pub uid: u32,
    /// Version of this program.
    pub updater_version: &'a str,
}

/// The operator's word for an index that went back in time: given, or used up by a tick.
#[derive(Clone, Debug, Serialize)]
pub struct TrustEvent<'a> {
    /// Always `agent-updater/v1`.
    pub schema: &'a str,
    /// Unique on this host.
    pub id: String,
    /// When. UTC.
    pub time: DateTime<Utc>,
    /// Name of the host.
    pub host: &'a str,
    /// The agent.
    pub agent: &'a str,
    /// `trust` where it was given, `tick` where it was used up.
    pub trigger: &'a str,
    /// `older_index_allowed` or `older_index_accepted`.
    pub reason: &'a str,
    /// Why, in the operator's words.
    pub why: Option<&'a str>,
    /// The repositories that it is about, with the newest index seen of each.
    pub repositories: &'a [Seen],
    /// Who.
    pub actor: Actor<'a>,
    /// Version of this program.
    pub updater_version: &'a str,
}

/// What an operator said, or what ended by itself of it: holds and quarantine.
#[derive(Clone, Debug, Serialize)]
pub struct OperatorEvent<'a> {
    /// Always `agent-updater/v1`.
    pub schema: &'a str,
    /// Unique on this host.
    pub id: String,
    /// When. UTC.
    pub time: DateTime<Utc>,
    /// Name of the host.
    pub host: &'a str,
    /// The agent.
    pub agent: &'a str,
    /// The command, or `tick`.
    pub trigger: &'a str,
    /// `hold_placed`, `hold_released`, `hold_ended`, `version_allowed` or `quarantine_ended`.
    pub reason: &'a str,
    /// The version that it is about, if any.
    pub version: Option<TargetVersion>,
    /// When a hold ends by itself. UTC.
    pub until: Option<DateTime<Utc>>,
    /// Why, in the operator's words.
    pub why: Option<&'a str>,
    /// Who.
    pub actor: Actor<'a>,
    /// Version of this program.
    pub updater_version: &'a str,
}

/// Who did something.
#[derive(Clone, Debug, Serialize)]
pub struct Actor<'a> {
    /// The effective user.
    pub uid: u32,
    /// The user who logged in, where that is known: not changed by su or sudo.
    pub login_uid: Option<u32>,
    /// What was called: the command, or `tick`.
    pub trigger: &'a str,
}

impl<'a> Actor<'a> {
    /// Whoever runs this process.
    pub fn of_this_process(trigger: &'a str) -> Self {
        Self {
            uid: rustix::process::geteuid().as_raw(),
            login_uid: host::login_uid(),
            trigger,
        }
    }
}

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
fn tail(layout: &Layout) -> Result<String> {
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
