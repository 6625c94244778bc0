//! Which configuration the last run saw, so that a change of it is an event of the history.

use super::history::{self, ChangedFile, ConfigurationEvent, Header};
use super::{Layout, files};
use crate::config::{Configuration, Fate, Standing};
use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// What a run saw.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
struct Seen {
    /// Number of this format.
    schema: u32,
    /// The sum of the merged configuration, in hexadecimal.
    sha256: String,
    /// The files that it was made of, each with its own sum.
    files: BTreeMap<PathBuf, String>,
}

/// Number of the format that this version writes.
const SCHEMA: u32 = 1;

impl Seen {
    fn of(configuration: &Configuration) -> Self {
        let read = configuration.files.iter().filter_map(|file| {
            let Fate::Read(text) = &file.fate else {
                return None;
            };
            let mut sum = String::new();
            for byte in Sha256::digest(text) {
                let _ = write!(sum, "{byte:02x}");
            }
            Some((file.path.clone(), sum))
        });
        Self {
            schema: SCHEMA,
            sha256: configuration.sha256.clone(),
            files: read.collect(),
        }
    }
}

/// Whether any run has seen a configuration on this host.
pub fn was_seen(layout: &Layout) -> bool {
    layout.configuration_seen().exists()
}

/// Records that the configuration is another one than the last run saw, and remembers it; the first
/// run of a host only remembers. Where it is the same nothing is written. Only for who holds the lock.
///
/// # Errors
/// It cannot be recorded or remembered; the next run tries again.
pub fn notice(
    layout: &Layout,
    configuration: &Configuration,
    (host, trigger): (&str, &str),
    now: DateTime<Utc>,
) -> Result<()> {
    let path = layout.configuration_seen();
    let text = files::read_if_there(&path)?;
    // What cannot be read is as good as forgotten: the history knows, too.
    let before: Option<Seen> = text.and_then(|text| serde_json::from_str(&text).ok());
    if before
        .as_ref()
        .is_some_and(|before| before.sha256 == configuration.sha256)
    {
        return Ok(());
    }
    let seen = Seen::of(configuration);
    let record = history::tail(layout)?;
    let sum = match &before {
        Some(before) => Some(before.sha256.clone()),
        None => last(&record, |_| true),
    };
    // A run that was cut off may have recorded it, and not remembered.
    let changed = |event: &Value| event["reason"] == CHANGED;
    let is_recorded = last(&record, changed).is_some_and(|last| last == seen.sha256);
    if let Some(sum) = sum.filter(|sum| *sum != seen.sha256 && !is_recorded) {
        let files = before.map_or_else(Vec::new, |before| {
            changed_files(&layout.root, &before.files, &seen.files)
        });
        let header = Header {
            config_sha256: Some(&seen.sha256),
            ..Header::new((host, ""), now, trigger, CHANGED, "configuration")
        };
        let event = ConfigurationEvent {
            header,
            config_sha256_before: &sum,
            valid: configuration.standing() == Standing::Valid,
            files: &files,
        };
        history::append(layout, &event)?;
    }
    files::create_folder(&layout.state(), 0o755)?;
    let text = serde_json::to_string_pretty(&seen).context("render what was seen")?;
    files::replace(&path, text.as_bytes(), 0o600)
}

/// The reason string of the event.
const CHANGED: &str = "configuration_changed";

/// By which configuration the last of the wanted events happened.
fn last(record: &str, wanted: impl Fn(&Value) -> bool) -> Option<String> {
    record.lines().rev().find_map(|line| {
        let event: Value = serde_json::from_str(line).ok()?;
        let sum = event.get("config_sha256")?.as_str()?;
        wanted(&event).then(|| sum.to_owned())
    })
}

fn changed_files(
    root: &Path,
    before: &BTreeMap<PathBuf, String>,
    after: &BTreeMap<PathBuf, String>,
) -> Vec<ChangedFile> {
    let mut paths: Vec<_> = before.keys().chain(after.keys()).collect();
    paths.sort();
    paths.dedup();
    let changed = paths.into_iter().filter_map(|path| {
        let change = match (before.get(path), after.get(path)) {
            (Some(before), Some(after)) if before == after => return None,
            (Some(_), Some(_)) => "changed",
            (None, _) => "added",
            (_, None) => "removed",
        };
        let real = root.join(path.strip_prefix("/").unwrap_or(path));
        let modified = fs::metadata(real).and_then(|metadata| metadata.modified());
        Some(ChangedFile {
            path: path.clone(),
            change,
            modified_at: modified.ok().map(DateTime::from),
        })
    });
    changed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    const AGENT: &str =
        "[agents.demo]\npackage = \"demo-agent\"\nversion_server.url = \"https://example.com/c\"\n";

    struct Host {
        root: tempfile::TempDir,
        layout: Layout,
    }

    impl Host {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            let layout = Layout::new(root.path());
            fs::create_dir_all(layout.state()).unwrap();
            Self { root, layout }
        }

        /// Writes the configuration's files, those with an empty text away, and has a run see it.
        fn sees(&self, texts: &[(&str, &str)]) {
            for (name, text) in texts {
                let path = self.layout.host("/etc/agent-updater").join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                if text.is_empty() {
                    fs::remove_file(path).unwrap();
                } else {
                    fs::write(path, text).unwrap();
                }
            }
            let configuration = config::load(self.root.path(), Path::new(config::FOLDER));
            let now = DateTime::UNIX_EPOCH;
            notice(&self.layout, &configuration, ("web1", "tick"), now).unwrap();
        }

        fn events(&self) -> Vec<Value> {
            let record = history::tail(&self.layout).unwrap();
            let lines = record.lines();
            lines
                .map(|line| serde_json::from_str(line).unwrap())
                .collect()
        }
    }

    #[test]
    fn what_changed_is_recorded_once_with_its_files() {
        let host = Host::new();
        host.sees(&[("config.toml", AGENT)]);
        host.sees(&[]);
        assert_eq!(host.events().len(), 0, "the first one is no change");
        assert!(was_seen(&host.layout));
        let freeze = "[defaults]\nfreeze = [{start = 2026-12-20T00:00:00Z, stop = 2027-01-04T00:00:00Z, reason = \"x\"}]\n";
        host.sees(&[("config.d/freeze.toml", freeze)]);
        host.sees(&[]);
        let events = host.events();
        assert_eq!(events.len(), 1, "{events:?}");
        let event = &events[0];
        assert_eq!(event["reason"], "configuration_changed");
        assert_eq!(event["valid"], true);
        assert_ne!(event["config_sha256"], event["config_sha256_before"]);
        let file = &event["files"][0];
        assert_eq!(file["path"], "/etc/agent-updater/config.d/freeze.toml");
        assert_eq!(file["change"], "added");
        assert!(file["modified_at"].is_string());
        assert_eq!(event["files"].as_array().unwrap().len(), 1);
        // A remark changes no value.
        host.sees(&[("config.toml", &format!("# a remark\n{AGENT}"))]);
        assert_eq!(host.events().len(), 1);
        host.sees(&[
            ("config.d/freeze.toml", ""),
            ("config.toml", "[agents.demo]"),
        ]);
        let last = &host.events()[1];
        assert_eq!(last["valid"], false);
        assert_eq!(last["config_sha256_before"], event["config_sha256"]);
        assert_eq!(last["files"][0]["change"], "removed");
        assert_eq!(last["files"][0]["modified_at"], Value::Null);
        assert_eq!(last["files"][1]["change"], "changed");
    }

    #[test]
    fn what_was_recorded_and_not_remembered_is_not_recorded_again() {
        let host = Host::new();
        host.sees(&[("config.toml", AGENT)]);
        let before = fs::read(host.layout.configuration_seen()).unwrap();
        let other = format!("{AGENT}pin = false\n");
        host.sees(&[("config.toml", &other)]);
        fs::write(host.layout.configuration_seen(), before).unwrap();
        host.sees(&[]);
        assert_eq!(host.events().len(), 1);
        // And back is a change again.
        host.sees(&[("config.toml", AGENT)]);
        assert_eq!(host.events().len(), 2);
    }

    #[test]
    fn what_the_history_says_counts_where_the_memory_is_lost() {
        for damage in [None, Some("{"), Some("[]")] {
            let host = Host::new();
            host.sees(&[("config.toml", AGENT)]);
            host.sees(&[("config.toml", &format!("{AGENT}pin = false\n"))]);
            let path = host.layout.configuration_seen();
            match damage {
                Some(text) => fs::write(path, text).unwrap(),
                None => fs::remove_file(path).unwrap(),
            }
            host.sees(&[]);
            assert_eq!(host.events().len(), 1, "it is the same: {damage:?}");
            fs::remove_file(host.layout.configuration_seen()).unwrap();
            host.sees(&[("config.toml", &format!("{AGENT}prefetch = false\n"))]);
            let events = host.events();
            assert_eq!(events.len(), 2, "{damage:?}");
            assert_eq!(
                events[1]["config_sha256_before"],
                events[0]["config_sha256"]
            );
        }
    }
}
