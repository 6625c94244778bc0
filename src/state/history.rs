use super::{Layout, files};
use crate::host;
use crate::report::document::SCHEMA;
use crate::trust::freshness::Seen;
use adapters::TargetVersion;
use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::IgnoredAny;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;

/// What every line of the record has.
#[derive(Clone, Debug, Serialize)]
pub struct Header<'a> {
    /// Always `agent-updater/v1`.
    pub schema: &'a str,
    /// Unique on this host.
    pub id: String,
    /// When it ended. UTC.
    pub time: DateTime<Utc>,
    /// Name of the host.
    pub host: &'a str,
    /// The agent; empty for all.
    pub agent: &'a str,
    /// Why: what opened the timing gate, the command, `configuration` or `tick`.
    pub trigger: &'a str,
    /// What came of it: a reason string.
    pub reason: &'a str,
    /// Who.
    pub actor: Actor<'a>,
    /// Version of this program.
    pub updater_version: &'a str,
}

impl<'a> Header<'a> {
    /// What this process, called as `trigger`, did at `time`. `mark` tells the event from others of
    /// the same moment and agent.
    pub fn new(
        (host, agent): (&'a str, &'a str),
        time: DateTime<Utc>,
        trigger: &'a str,
        reason: &'a str,
        mark: &str,
    ) -> Self {
        Self {
            schema: SCHEMA,
            id: format!("{}-{agent}-{mark}", time.format("%Y%m%dT%H%M%S%.3fZ")),
            time,
            host,
            agent,
            trigger,
            reason,
            actor: Actor::of_this_process(trigger),
            updater_version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// A change of the installed version; its id is that of the attempt.
#[derive(Clone, Debug, Serialize)]
pub struct Event<'a> {
    /// What every line has.
    #[serde(flatten)]
    pub header: Header<'a>,
    /// Native version before.
    pub from: &'a str,
    /// Native version that was to be installed.
    pub to: &'a str,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// The actor's, where the first lines of version 1 had it.
    pub uid: u32,
    /// Fingerprint of the key that proved the package, in upper-case hexadecimal.
    pub signing_key: Option<&'a str>,
    /// What the package manager printed: files that start so, with the endings `.out` and `.err`.
    pub transcript: Option<&'a str>,
}

/// A pin of ours that came or went: `pin_placed` or `pin_released`.
#[derive(Clone, Debug, Serialize)]
pub struct PinEvent<'a> {
    /// What every line has.
    #[serde(flatten)]
    pub header: Header<'a>,
    /// The package; empty for all.
    pub package: &'a str,
    /// The places.
    pub places: &'a [String],
    /// The actor's, where the first lines of version 1 had it.
    pub uid: u32,
}

/// The operator's word for an index that went back in time: `older_index_allowed` when it was given,
/// `older_index_accepted` when a tick used it up.
#[derive(Clone, Debug, Serialize)]
pub struct TrustEvent<'a> {
    /// What every line has.
    #[serde(flatten)]
    pub header: Header<'a>,
    /// Why, in the operator's words.
    pub why: Option<&'a str>,
    /// The repositories that it is about, with the newest index seen of each.
    pub repositories: &'a [Seen],
}

/// What an operator said, or what ended by itself of it: `hold_placed`, `hold_released`,
/// `hold_ended`, `version_allowed` or `quarantine_ended`.
#[derive(Clone, Debug, Serialize)]
pub struct OperatorEvent<'a> {
    /// What every line has.
    #[serde(flatten)]
    pub header: Header<'a>,
    /// The version that it is about, if any.
    pub version: Option<TargetVersion>,
    /// When a hold ends by itself. UTC.
    pub until: Option<DateTime<Utc>>,
    /// Why, in the operator's words.
    pub why: Option<&'a str>,
}

/// What `adopt` took over from the ancestor.
#[derive(Clone, Debug, Serialize)]
pub struct AdoptionEvent<'a> {
    /// What every line has.
    #[serde(flatten)]
    pub header: Header<'a>,
    /// What was done, in this order.
    pub steps: &'a [String],
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

    /// What readers of version 1 rely on: nothing of it may go.
    #[test]
    fn every_line_has_the_same_header_and_its_own_fields() {
        let time = "2026-06-01T02:00:00Z".parse().unwrap();
        let header = || Header::new(("web1", "demo"), time, "tick", "updated", "it");
        let uid = header().actor.uid;
        let events: [(Value, &[&str]); 4] = [
            (
                json!(Event {
                    header: header(),
                    from: "1.0.0",
                    to: "1.1.0",
                    seconds: 1.5,
                    uid,
                    signing_key: None,
                    transcript: None,
                }),
                &["from", "to", "seconds", "uid", "signing_key", "transcript"],
            ),
            (
                json!(PinEvent {
                    header: header(),
                    package: "demo-agent",
                    places: &[],
                    uid,
                }),
                &["package", "places", "uid"],
            ),
            (
                json!(TrustEvent {
                    header: header(),
                    why: None,
                    repositories: &[],
                }),
                &["why", "repositories"],
            ),
            (
                json!(OperatorEvent {
                    header: header(),
                    version: None,
                    until: None,
                    why: None,
                }),
                &["version", "until", "why"],
            ),
        ];
        for (event, own) in events {
            assert_eq!(event["schema"], "agent-updater/v1");
            assert_eq!(event["id"], "20260601T020000.000Z-demo-it");
            assert_eq!(event["time"], "2026-06-01T02:00:00Z");
            assert_eq!(
                (&event["host"], &event["agent"]),
                (&json!("web1"), &json!("demo"))
            );
            assert_eq!(
                (&event["trigger"], &event["reason"]),
                (&json!("tick"), &json!("updated"))
            );
            let actor = event["actor"].as_object().unwrap();
            assert_eq!(
                (&actor["uid"], &actor["trigger"]),
                (&json!(uid), &json!("tick"))
            );
            assert!(actor.contains_key("login_uid"));
            assert_eq!(event["updater_version"], env!("CARGO_PKG_VERSION"));
            assert_eq!(event.as_object().unwrap().len(), 9 + own.len(), "{event}");
            for field in own {
                assert!(event.get(field).is_some(), "{field}: {event}");
            }
        }
    }
}
