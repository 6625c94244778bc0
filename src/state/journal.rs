//! What is about to be done to an agent's package, on disk before it is done.
//!
//! Whatever kills the program, the next start reads here where it was, looks at the host, and
//! finishes or undoes it (see [`crate::transaction`]).

use super::damaged::{self, Damaged, FileOf};
use super::durations::Durations;
use super::history::Actor;
use super::operator::Hold;
use super::{Layout, files};
use adapters::{Change, NativeVersion, PackageName};
use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Where an agent's change is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Nothing is under way.
    #[default]
    Idle,
    /// The target's package is in our cache, proven; nothing has changed on the host.
    Prefetched,
    /// The package manager's transaction is about to start, or runs.
    Installing,
    /// It has returned; the new version is being observed.
    Verifying,
    /// The version before is about to be put back, or is being put back.
    RollingBack,
    /// Neither version could be brought to work: somebody has to act. A new target is still taken.
    Stuck,
    /// A phase of a newer version of this program. Read as a change that may be under way.
    #[serde(other)]
    Unknown,
}

/// What happens to a change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// The target's package was fetched and proven ahead of its time.
    Fetched,
    /// A transaction is about to start.
    Begun,
    /// The package manager has returned.
    Returned,
    /// The version before is to be put back.
    Condemned,
    /// One version is installed and observed, or nothing was changed.
    Settled,
    /// Every repair failed.
    GaveUp,
}

impl Phase {
    /// The phase after an event; `None` for one that cannot happen there.
    #[must_use]
    pub fn after(self, event: Event) -> Option<Self> {
        match (self, event) {
            (Self::Idle | Self::Prefetched | Self::Stuck, Event::Fetched) => Some(Self::Prefetched),
            (Self::Idle | Self::Prefetched | Self::Stuck, Event::Begun) => Some(Self::Installing),
            (Self::Installing | Self::Unknown, Event::Returned) => Some(Self::Verifying),
            (Self::Installing | Self::Verifying | Self::Unknown, Event::Condemned) => {
                Some(Self::RollingBack)
            }
            (
                Self::Installing
                | Self::Verifying
                | Self::RollingBack
                | Self::Stuck
                | Self::Unknown,
                Event::Settled,
            ) => Some(Self::Idle),
            (
                Self::Installing | Self::Verifying | Self::RollingBack | Self::Unknown,
                Event::GaveUp,
            ) => Some(Self::Stuck),
            _ => None,
        }
    }

    /// Whether the host may be in the middle of a change.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(
            self,
            Self::Installing | Self::Verifying | Self::RollingBack | Self::Unknown
        )
    }
}

/// A package file in our own cache, which was proven when it came there.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct KeptPackage {
    /// The file, below the cache folder.
    pub file: PathBuf,
    /// Native version.
    pub version: NativeVersion,
    /// Architecture in the manager's words.
    pub architecture: String,
    /// SHA-256 of the file, in hexadecimal: what was proven, and is checked before each use.
    pub sha256: String,
    /// Fingerprint of the key that proved it, in upper-case hexadecimal.
    pub signing_key: String,
    /// When it was proven. UTC.
    pub proven_at: DateTime<Utc>,
}

/// Whether the agent worked before the change, for comparison.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthBefore {
    /// It worked.
    Healthy,
    /// It was sick, and so the change may leave it sick.
    Unhealthy,
    /// Somebody had stopped it: it is left stopped.
    Stopped,
    /// Nobody could tell.
    #[default]
    #[serde(other)]
    Unknown,
}

/// Why the version before is put back.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Undo {
    /// What kind of cause.
    pub kind: UndoKind,
    /// What was seen, for a person.
    pub cause: String,
}

/// Kinds of causes; all but an accident are the new version's fault, which is then quarantined.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UndoKind {
    /// The agent worked before and does not with the new version.
    Sick,
    /// A script of the new package failed, or its files are not what the package says.
    BadPackage,
    /// The transaction was cut off.
    #[serde(other)]
    Accident,
}

/// One change under way. Unknown fields are tolerated: an older version of this program must be
/// able to finish what a newer one began.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Transaction {
    /// The attempt's id, as in the history and in the transcripts' names.
    pub id: String,
    /// The package.
    pub package: PackageName,
    /// Native version before.
    pub from: NativeVersion,
    /// Native version that is to be installed.
    pub to: NativeVersion,
    /// Architecture of both, in the manager's words.
    pub architecture: String,
    /// What opened the timing gate: a reason string.
    pub trigger: String,
    /// When it began. UTC.
    pub started_at: DateTime<Utc>,
    /// Health before.
    #[serde(default)]
    pub health_before: HealthBefore,
    /// The agent's unit, where it is known.
    #[serde(default)]
    pub unit: Option<String>,
    /// Whether the unit's main process ran before, so that it has to run afterwards.
    #[serde(default)]
    pub ran_before: bool,
    /// The new version's package in our cache.
    pub new: Option<KeptPackage>,
    /// The present version's package in our cache: the way back.
    pub old: Option<KeptPackage>,
    /// Why there is no way back, if so.
    #[serde(default)]
    pub no_way_back: Option<String>,
    /// Why the version before is put back, if it is.
    #[serde(default)]
    pub undo: Option<Undo>,
    /// Whether the package database has an administrator's hold, which a repair may make it forget.
    #[serde(default)]
    pub held: bool,
    /// How often a repair was tried.
    #[serde(default)]
    pub repairs: u32,
    /// The hold that goes with it once it went well: of a change that an operator asked for.
    #[serde(default)]
    pub hold: Option<Hold>,
    /// Who began it, for the history: another run may end it.
    #[serde(default)]
    pub actor: Option<Actor>,
    /// How long each step took that is over.
    #[serde(default)]
    pub durations: Durations,
}

impl Transaction {
    /// The change that was asked for.
    pub fn forward(&self) -> Change {
        Change {
            package: self.package.clone(),
            from: self.from.clone(),
            to: self.to.clone(),
            architecture: self.architecture.clone(),
        }
    }

    /// The change that undoes it.
    pub fn backward(&self) -> Change {
        Change {
            from: self.to.clone(),
            to: self.from.clone(),
            ..self.forward()
        }
    }
}

/// The journal of one agent.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Journal {
    /// Number of this format.
    pub schema: u32,
    /// Where the change is.
    pub phase: Phase,
    /// When that phase began. UTC.
    #[serde(default)]
    pub since: Option<DateTime<Utc>>,
    /// The change; `None` when idle.
    #[serde(default)]
    pub transaction: Option<Transaction>,
}

/// Number of the format that this version writes.
const SCHEMA: u32 = 2;

impl Journal {
    /// Reads the journal; a missing file is an idle one.
    ///
    /// # Errors
    /// A file that cannot be read, or is not a journal. What was under way is then unknown, and
    /// nothing may be changed on a guess.
    pub fn load(layout: &Layout, agent: &str) -> Result<Self> {
        let path = layout.journal(agent);
        let Some(journal) = damaged::read::<Self>(&path, FileOf::Journal)? else {
            return Ok(Self::default());
        };
        if journal.transaction.is_none() && journal.phase.is_open() {
            let cause = "it names no change".to_owned();
            return Err(Damaged::new(&path, FileOf::Journal, cause).into());
        }
        Ok(journal)
    }

    /// Goes on to the phase after `event`, on disk before this returns.
    ///
    /// # Errors
    /// The journal cannot be written; then nothing may be done that it does not say. An event that
    /// cannot happen in this phase is a fault of this program.
    pub fn record(
        &mut self,
        layout: &Layout,
        agent: &str,
        event: Event,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let phase = self
            .phase
            .after(event)
            .with_context(|| format!("{event:?} cannot happen in phase {:?}", self.phase))?;
        let mut next = self.clone();
        next.schema = SCHEMA;
        next.advance(phase, now);
        if phase == Phase::Idle {
            next.transaction = None;
        }
        next.write(layout, agent)?;
        *self = next;
        Ok(())
    }

    /// Goes on to a phase in memory alone.
    pub fn advance(&mut self, phase: Phase, now: DateTime<Utc>) {
        let durations = self.durations_until(now);
        if let Some(change) = &mut self.transaction {
            change.durations = durations;
        }
        self.phase = phase;
        self.since = Some(now);
    }

    /// How long each step of the change took, the present one until now.
    pub fn durations_until(&self, now: DateTime<Utc>) -> Durations {
        let change = self.transaction.as_ref();
        let mut durations = change.map_or_else(Durations::default, |change| change.durations);
        if let Some(since) = self.since {
            durations.add(self.phase, now - since);
        }
        durations
    }

    /// Writes it again in the same phase, for what was learnt meanwhile.
    pub fn write(&self, layout: &Layout, agent: &str) -> Result<()> {
        files::create_folder(&layout.state(), 0o755)?;
        files::create_folder(&layout.journals(), 0o700)?;
        let text = serde_json::to_string_pretty(self).context("render the journal")?;
        files::replace(&layout.journal(agent), text.as_bytes(), 0o600)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHASES: [Phase; 7] = [
        Phase::Idle,
        Phase::Prefetched,
        Phase::Installing,
        Phase::Verifying,
        Phase::RollingBack,
        Phase::Stuck,
        Phase::Unknown,
    ];
    const EVENTS: [Event; 6] = [
        Event::Fetched,
        Event::Begun,
        Event::Returned,
        Event::Condemned,
        Event::Settled,
        Event::GaveUp,
    ];

    #[test]
    fn every_pair_of_phase_and_event() {
        // Rows are phases, columns events, both in the order above; `-` cannot happen.
        let table = "
            P I - - - -
            P I - - - -
            - - V R . S
            - - - R . S
            - - - - . S
            P I - - . -
            - - V R . S";
        for (row, phase) in table.trim().lines().zip(PHASES) {
            for (cell, event) in row.split_whitespace().zip(EVENTS) {
                let expected = match cell {
                    "P" => Some(Phase::Prefetched),
                    "I" => Some(Phase::Installing),
                    "V" => Some(Phase::Verifying),
                    "R" => Some(Phase::RollingBack),
                    "S" => Some(Phase::Stuck),
                    "." => Some(Phase::Idle),
                    _ => None,
                };
                assert_eq!(phase.after(event), expected, "{phase:?} {event:?}");
            }
        }
    }

    fn transaction() -> Transaction {
        Transaction {
            id: "20261122T020000.000Z-demo".into(),
            package: "demo-agent".parse().unwrap(),
            from: NativeVersion::debian("1.0.0").unwrap(),
            to: NativeVersion::debian("1.1.0").unwrap(),
            architecture: "amd64".into(),
            trigger: "window_open".into(),
            started_at: DateTime::UNIX_EPOCH,
            health_before: HealthBefore::Healthy,
            unit: Some("demo-agent.service".into()),
            ran_before: true,
            new: None,
            old: None,
            no_way_back: None,
            undo: None,
            held: false,
            repairs: 0,
            hold: None,
            actor: None,
            durations: Durations::default(),
        }
    }

    #[test]
    fn what_is_recorded_is_on_disk_and_read_back() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        let mut journal = Journal::load(&layout, "demo").unwrap();
        assert_eq!(journal.phase, Phase::Idle);
        journal.transaction = Some(transaction());
        let now = DateTime::UNIX_EPOCH;
        journal.record(&layout, "demo", Event::Begun, now).unwrap();
        assert_eq!(Journal::load(&layout, "demo").unwrap(), journal);
        assert!(journal.record(&layout, "demo", Event::Begun, now).is_err());
        assert_eq!(
            Journal::load(&layout, "demo").unwrap().phase,
            Phase::Installing
        );
        journal
            .record(&layout, "demo", Event::Settled, now)
            .unwrap();
        assert_eq!(Journal::load(&layout, "demo").unwrap().transaction, None);
    }

    #[test]
    fn how_long_each_step_takes_is_on_disk() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        let mut journal = Journal {
            phase: Phase::Prefetched,
            since: Some(at(-9000)),
            transaction: Some(transaction()),
            ..Journal::default()
        };
        for (event, second) in [
            (Event::Begun, 0),
            (Event::Returned, 3),
            (Event::Condemned, 7),
        ] {
            journal.record(&layout, "demo", event, at(second)).unwrap();
        }
        // Another run reads it, and ends it.
        let journal = Journal::load(&layout, "demo").unwrap();
        let durations = journal.durations_until(at(12)).in_seconds();
        let expected = [("install", 3.0), ("observe", 4.0), ("roll_back", 5.0)];
        assert_eq!(durations, expected.into());
    }

    #[test]
    fn a_newer_versions_journal_is_read_as_an_open_change() {
        let mut value = serde_json::to_value(Journal {
            schema: 7,
            phase: Phase::Installing,
            since: None,
            transaction: Some(transaction()),
        })
        .unwrap();
        value["phase"] = "reticulating".into();
        value["transaction"]["splines"] = 7.into();
        value["transaction"]["health_before"] = "radiant".into();
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        std::fs::create_dir_all(layout.journals()).unwrap();
        std::fs::write(layout.journal("demo"), value.to_string()).unwrap();
        let journal = Journal::load(&layout, "demo").unwrap();
        assert!(journal.phase.is_open());
        let transaction = journal.transaction.unwrap();
        assert_eq!(transaction.health_before, HealthBefore::Unknown);
    }

    #[test]
    fn a_damaged_journal_is_an_error_that_names_the_file() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        std::fs::create_dir_all(layout.journals()).unwrap();
        for text in ["", "{", "\0\0\0", "[]", r#"{"phase": "installing"}"#] {
            std::fs::write(layout.journal("demo"), text).unwrap();
            let error = format!("{:#}", Journal::load(&layout, "demo").unwrap_err());
            assert!(
                error.contains("journal/demo.json is damaged"),
                "{text}: {error}"
            );
        }
    }
}
