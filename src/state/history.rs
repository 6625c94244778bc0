//! The record: what was done on this host, when, why and by whom, one event in each line.

/// Writes it.
mod append;
/// Reads it, also what a newer version wrote.
mod read;
/// The schema of its lines.
#[cfg(test)]
mod schema;
/// Takes out what is older than it is kept.
mod trim;

pub(crate) use append::tail;
pub use append::{append, append_once};
pub use read::{Past, Recorded, read};

use crate::host;
use crate::report::document::SCHEMA;
use crate::trust::freshness::Seen;
use adapters::TargetVersion;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

/// The sum of the merged configuration that this process works by.
static CONFIGURATION: OnceLock<String> = OnceLock::new();

/// From now on what this process records was done by the configuration with that sum.
pub fn works_by(config_sha256: &str) {
    // The first one counts: whatever is loaded later is looked at, and nothing is done by it.
    let _ = CONFIGURATION.set(config_sha256.to_owned());
}

/// What every line of the record has.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    pub actor: Actor,
    /// Version of this program.
    pub updater_version: &'a str,
    /// By which configuration, where one was loaded: the sum of the merged one, in hexadecimal.
    pub config_sha256: Option<&'a str>,
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
            config_sha256: CONFIGURATION.get().map(String::as_str),
        }
    }
}

/// A change of the installed version; its id is that of the attempt.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Event<'a> {
    /// What every line has.
    #[serde(flatten)]
    pub header: Header<'a>,
    /// Native version before.
    pub from: &'a str,
    /// Native version that was to be installed.
    pub to: &'a str,
    /// What came of it, for a person, one line.
    pub message: &'a str,
    /// How long it took from the first step that changed something, in seconds.
    pub seconds: f64,
    /// How long each step took, in seconds: `download` (before those seconds), `install`, `observe`
    /// and `roll_back`, which ends when the version before was observed. What was cut off counts
    /// until it was taken up again.
    pub durations: BTreeMap<&'static str, f64>,
    /// The actor's, where the first lines of version 1 had it.
    pub uid: u32,
    /// Fingerprint of the key that proved the package, in upper-case hexadecimal.
    pub signing_key: Option<&'a str>,
    /// What the package manager printed: files that start so, with the endings `.out` and `.err`.
    pub transcript: Option<&'a str>,
}

/// A pin of ours that came or went: `pin_placed` or `pin_released`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OperatorEvent<'a> {
    /// What every line has.
    #[serde(flatten)]
    pub header: Header<'a>,
    /// The version that it is about, if any.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub version: Option<TargetVersion>,
    /// When a hold ends by itself. UTC.
    pub until: Option<DateTime<Utc>>,
    /// Why, in the operator's words.
    pub why: Option<&'a str>,
}

/// What `adopt` took over from the ancestor.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AdoptionEvent<'a> {
    /// What every line has.
    #[serde(flatten)]
    pub header: Header<'a>,
    /// What was done, in this order.
    pub steps: &'a [String],
}

/// The configuration became another one: `configuration_changed`, recorded by the first run that
/// saw it, whose user need not be who changed it. `config_sha256` is the new sum.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ConfigurationEvent<'a> {
    /// What every line has.
    #[serde(flatten)]
    pub header: Header<'a>,
    /// The sum before.
    pub config_sha256_before: &'a str,
    /// Whether every agent can be served by it.
    pub valid: bool,
    /// The files that are others than before, where that is known.
    pub files: &'a [ChangedFile],
}

/// A file of the configuration that is another than before.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ChangedFile {
    /// The file.
    pub path: PathBuf,
    /// `added`, `changed` or `removed`.
    pub change: &'static str,
    /// When it was written last, where it is still there. UTC.
    pub modified_at: Option<DateTime<Utc>>,
}

/// Who did something.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Actor {
    /// The effective user.
    pub uid: u32,
    /// The user who logged in, where that is known: not changed by su or sudo.
    pub login_uid: Option<u32>,
    /// What was called: the command, or `tick`.
    pub trigger: String,
    /// Whether it was called as the timer and cron do.
    pub scheduled: bool,
}

impl Actor {
    /// Whoever runs this process.
    pub fn of_this_process(trigger: &str) -> Self {
        Self {
            uid: rustix::process::geteuid().as_raw(),
            login_uid: host::login_uid(),
            trigger: trigger.to_owned(),
            scheduled: host::is_scheduled(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// What readers of version 1 rely on: nothing of it may go.
    #[test]
    fn every_line_has_the_same_header_and_its_own_fields() {
        let time = "2026-06-01T02:00:00Z".parse().unwrap();
        let header = || Header::new(("web1", "demo"), time, "tick", "updated", "it");
        let uid = header().actor.uid;
        let events: [(Value, &[&str]); 5] = [
            (
                json!(Event {
                    header: header(),
                    from: "1.0.0",
                    to: "1.1.0",
                    message: "updated 1.0.0 → 1.1.0",
                    seconds: 1.5,
                    durations: BTreeMap::new(),
                    uid,
                    signing_key: None,
                    transcript: None,
                }),
                &[
                    "from",
                    "to",
                    "message",
                    "seconds",
                    "durations",
                    "uid",
                    "signing_key",
                    "transcript",
                ],
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
            (
                json!(ConfigurationEvent {
                    header: header(),
                    config_sha256_before: "0a",
                    valid: true,
                    files: &[],
                }),
                &["config_sha256_before", "valid", "files"],
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
            assert!(actor.contains_key("login_uid") && actor.contains_key("scheduled"));
            assert_eq!(event["updater_version"], env!("CARGO_PKG_VERSION"));
            assert!(event.get("config_sha256").is_some());
            assert_eq!(event.as_object().unwrap().len(), 10 + own.len(), "{event}");
            for field in own {
                assert!(event.get(field).is_some(), "{field}: {event}");
            }
        }
    }
}
