use super::damaged::{self, FileOf};
use super::journal::KeptPackage;
use super::operator::{Heard, Hold};
use super::{Layout, files};
use crate::trust::Freshness;
use crate::version_server::{Kept, VersionAnswer};
use adapters::version::{NativeVersion, TargetVersion};
use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What is remembered of one agent. Unknown fields are tolerated, since an older version of this
/// program must be able to read the file after its own roll-back.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct AgentState {
    /// Number of this format.
    pub schema: u32,
    /// The version server's last good `version`.
    pub version: Option<Kept<VersionAnswer>>,
    /// The last good `schedule`.
    pub schedule: ScheduleMemory,
    /// The cluster's version, as last read.
    pub cluster: Option<Kept<TargetVersion>>,
    /// The target that differs from what is installed, and since when.
    pub pending: Option<Pending>,
    /// Versions that were found bad on this host.
    pub quarantine: Vec<Quarantined>,
    /// Restarts of the unit as last counted, to see a loop between two ticks.
    pub restarts: Option<u64>,
    /// The last attempt at a change.
    pub last_attempt: Option<Attempt>,
    /// What was proven last.
    pub signature: Option<Signature>,
    /// The same for what this program installed last.
    pub installed_signature: Option<Signature>,
    /// The newest index ever seen of each repository.
    pub freshness: Freshness,
    /// Proven package files in our own cache.
    pub packages: Vec<KeptPackage>,
    /// The target that was last looked for ahead of its window.
    pub prefetched: Option<Prefetched>,
    /// The version before the last update that went well: where `rollback` goes.
    pub last_good: Option<NativeVersion>,
    /// The process that still runs the version before, until somebody restarts it.
    pub restart_pending: Option<RestartPending>,
    /// Failed attempts at the present target, which are spaced out.
    pub failures: Option<Failures>,
    /// The operator's pause.
    pub hold: Option<Hold>,
    /// What the version server said last, and how often in a row it wanted nothing.
    pub heard: Heard,
    /// Which repositories offer the package, as found at the last change.
    pub located: Option<Located>,
    /// Our own pin on the package; remembered before it is placed.
    pub pin: Option<PinRecord>,
    /// Since when every tick meets a fault from outside that may pass. UTC.
    pub failing_since: Option<DateTime<Utc>>,
    /// Whether that is a fault of the version server, which its next good answer ends.
    pub failing_at_server: bool,
    /// Since when the agent was found unhealthy at every look. UTC.
    pub unhealthy_since: Option<DateTime<Utc>>,
    /// What came of every attempt so far.
    pub attempts: Attempts,
    /// The latest moment whose clock was confirmed by the version server's `Date`. UTC.
    pub confirmed_clock: Option<DateTime<Utc>>,
}

/// What is remembered of the schedule.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct ScheduleMemory {
    /// The last good document. Its presence means: this server had a schedule.
    pub kept: Option<Kept<String>>,
    /// When the server was last asked successfully, whatever it said. UTC.
    pub asked_at: Option<DateTime<Utc>>,
    /// Why the document that came last cannot be used.
    pub unreadable: Option<String>,
    /// Since when no schedule counts any more, or can be read. UTC.
    pub missing_since: Option<DateTime<Utc>>,
}

/// A change that is due.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Pending {
    /// The target.
    pub target: TargetVersion,
    /// When it was first seen to differ. UTC.
    pub since: DateTime<Utc>,
}

/// A look for a target ahead of its window.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Prefetched {
    /// The target.
    pub target: TargetVersion,
    /// When it was looked for. UTC.
    pub at: DateTime<Utc>,
}

/// Failed attempts at one target that were not the version's fault.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Failures {
    /// Native version that was to be installed.
    pub to: NativeVersion,
    /// How many in a row.
    pub count: u32,
    /// The last one. UTC.
    pub last_at: DateTime<Utc>,
}

/// A process that outlived the update of its program.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RestartPending {
    /// The unit's main process.
    pub main_pid: u32,
    /// Systemd's id of the start that it comes from: a number of a process comes again after a reboot.
    #[serde(default)]
    pub invocation: Option<String>,
    /// Native version that it runs.
    pub running: NativeVersion,
    /// Native version that is installed.
    pub installed: NativeVersion,
}

/// Where a package was found. It spares the package manager a question for as long as the host has
/// the same entries.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Located {
    /// The package.
    pub package: String,
    /// Every entry of the host at that time, by the name of its private view.
    pub among: Vec<String>,
    /// Those of them that offer the package.
    pub offering: Vec<String>,
}

/// Our own pin: what it is on, and where.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct PinRecord {
    /// The package.
    pub package: String,
    /// Where it was placed, or is about to be.
    pub places: Vec<PinnedAt>,
    /// Why it could not be placed everywhere.
    #[serde(default)]
    pub refused: Vec<String>,
    /// Since when it is in place and in the history; nothing while it is being placed. UTC.
    pub since: Option<DateTime<Utc>>,
}

/// A place of a pin.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct PinnedAt {
    /// The file.
    pub path: PathBuf,
    /// The section in it, where the pin belongs to a repository.
    pub section: Option<String>,
}

/// A version that was found bad.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Quarantined {
    /// The version.
    #[cfg_attr(test, schemars(with = "String"))]
    pub version: TargetVersion,
    /// Since when. UTC.
    pub since: DateTime<Utc>,
    /// What was seen.
    pub cause: String,
}

/// Whose signature proved a package.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Signature {
    /// Fingerprint of the primary key, in upper-case hexadecimal: that of the package's own
    /// signature, where it has one and was fetched, else that of the index.
    pub fingerprint: String,
    /// Whose key it says it is; anybody can write any name into a key.
    #[serde(default)]
    pub user_id: Option<String>,
    /// When it was signed. UTC.
    pub signed_at: DateTime<Utc>,
    /// When the key ends, where it does. UTC.
    pub key_expires: Option<DateTime<Utc>>,
    /// `metadata` where the repository's index is signed, `package` where only the package is.
    pub covers: String,
    /// Fingerprint of the key of the index, where that is signed.
    #[serde(default)]
    pub index_fingerprint: Option<String>,
    /// The native version that was proven.
    #[serde(default)]
    pub package_version: String,
    /// The repository that it came from: its URL without credentials, for apt with the suite.
    #[serde(default)]
    pub repository: String,
    /// When it was proven. UTC.
    #[serde(default)]
    pub proven_at: Option<DateTime<Utc>>,
}

/// One attempt at a change.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Attempt {
    /// Its id, as in the history and in the names of the transcripts.
    #[serde(default)]
    pub id: String,
    /// Native version before.
    pub from: String,
    /// Native version that was to be installed.
    pub to: String,
    /// What opened the timing gate, and what came of it: a reason string.
    pub trigger: String,
    /// `updated`, or the reason of the failure.
    pub result: String,
    /// Start. UTC.
    pub started_at: DateTime<Utc>,
    /// End. UTC.
    pub ended_at: DateTime<Utc>,
}

/// What came of every attempt at a change since this program looks after the agent. Each attempt
/// counts once, however often it was cut off and taken up again.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Attempts {
    /// How many there were with each result, a reason string such as `updated`.
    pub results: BTreeMap<String, u64>,
    /// In how many of them the version before was put back: by itself, or by `rollback`.
    pub rollbacks: u64,
}

/// Number of the format that this version writes.
const SCHEMA: u32 = 1;

impl AgentState {
    /// Reads the state; a missing file is the state of a fresh host. A file that cannot be read as
    /// state is an error: acting on a guess would forget holds and quarantine.
    pub fn load(layout: &Layout, agent: &str) -> Result<Self> {
        let state = damaged::read(&layout.agent_state(agent), FileOf::State)?;
        Ok(state.unwrap_or_else(|| Self {
            schema: SCHEMA,
            ..Self::default()
        }))
    }

    /// The agents that something is remembered of.
    pub fn names(layout: &Layout) -> Result<Vec<String>> {
        let folder = layout.agents();
        let entries = match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.with_context(|| format!("read {}", folder.display()))?,
        };
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter_map(|name| Some(name.strip_suffix(".json")?.to_owned()))
            .collect();
        names.sort();
        Ok(names)
    }

    /// Whether something changed since `earlier` that is worth a write. A server that repeats itself
    /// is not, so that idle ticks write nothing.
    pub fn differs(&self, earlier: &Self) -> bool {
        let mut compared = self.clone();
        if let (Some(new), Some(old)) = (&mut compared.version, &earlier.version) {
            new.fetched_at = old.fetched_at;
        }
        compared != *earlier
    }

    /// Counts an attempt by its end, before it becomes the last one: one that was cut off comes to its
    /// end again under the same id, and counts once. `put_back`: whether the version before was.
    pub fn count_attempt(&mut self, id: &str, result: &str, put_back: bool) {
        let last = self.last_attempt.as_ref();
        if last.is_some_and(|attempt| attempt.id == id) {
            return;
        }
        *self.attempts.results.entry(result.to_owned()).or_default() += 1;
        self.attempts.rollbacks += u64::from(put_back);
    }

    /// Writes the state, whole or not at all.
    pub fn store(&self, layout: &Layout, agent: &str) -> Result<()> {
        let path = layout.agent_state(agent);
        files::create_folder(&layout.state(), 0o755)?;
        files::create_folder(&layout.agents(), 0o700)?;
        let text = serde_json::to_string_pretty(&Self {
            schema: SCHEMA,
            ..self.clone()
        })
        .context("render the state")?;
        files::replace(&path, text.as_bytes(), 0o600)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_counts_once_however_often_it_ends() {
        let mut state = AgentState::default();
        let attempts = [
            ("a", "rolled_back", true),
            ("a", "rolled_back", true),
            ("b", "updated", false),
            ("c", "updated", false),
            ("c", "rollback_failed", false),
        ];
        for (id, result, put_back) in attempts {
            state.count_attempt(id, result, put_back);
            let time = DateTime::UNIX_EPOCH;
            state.last_attempt = Some(Attempt {
                id: id.to_owned(),
                from: String::new(),
                to: String::new(),
                trigger: String::new(),
                result: result.to_owned(),
                started_at: time,
                ended_at: time,
            });
        }
        let results = &state.attempts.results;
        assert_eq!((results["rolled_back"], results["updated"]), (1, 2));
        assert_eq!((results.len(), state.attempts.rollbacks), (2, 1));
    }
}
