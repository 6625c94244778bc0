use super::back_off::FailedAttempts;
use super::gate::Timing;
use crate::config::Downgrade;
use crate::schedule::{Freeze, Schedule};
use adapters::Installed;
use adapters::version::TargetVersion;
use chrono::{DateTime, TimeDelta, Utc};

/// A fact, with the moment at which it was learnt.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Reading<T> {
    /// Nobody has asked yet.
    #[default]
    NotTaken,
    /// The answer.
    Taken {
        /// What it is.
        value: T,
        /// When it was learnt. UTC.
        read_at: DateTime<Utc>,
    },
    /// The question could not be answered.
    Failed {
        /// Why, in one line.
        error: String,
        /// Whether an answer came that could not be used, instead of none.
        invalid: bool,
    },
}

impl<T> Reading<T> {
    /// An answer learnt at `read_at`.
    pub fn taken(value: T, read_at: DateTime<Utc>) -> Self {
        Self::Taken { value, read_at }
    }

    /// The answer, if there is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Taken { value, .. } => Some(value),
            Self::NotTaken | Self::Failed { .. } => None,
        }
    }

    /// When the answer was learnt.
    pub fn read_at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Taken { read_at, .. } => Some(*read_at),
            Self::NotTaken | Self::Failed { .. } => None,
        }
    }
}

/// What the version server wants.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Target {
    /// `none`: nothing is to be installed.
    None,
    /// This version.
    Version(TargetVersion),
}

/// Whether the host can be served.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Platform {
    /// Yes; the text names the package manager and its program.
    Supported(String),
    /// No, and why.
    Unsupported(String),
}

/// Whether the update is critical.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Critical {
    /// The server says so.
    Yes,
    /// The server says no.
    No,
    /// The server's answer was no answer, which never counts as yes.
    NoAnswer(String),
}

/// The schedule as it counts now.
#[derive(Clone, Debug, PartialEq)]
pub enum ScheduleFact {
    /// A schedule with a window whose stop is in the future.
    InForce {
        /// The schedule.
        schedule: Schedule,
        /// Where it came from, and whether it is a kept one: "server", "server, kept since …".
        source: String,
    },
    /// `nop`: another updater is in charge.
    HandsOff {
        /// Where it came from.
        source: String,
    },
    /// There is none, so that changes are taken at once.
    None {
        /// What was found instead, in words.
        why: String,
        /// Freezes of the document, which stand beside its windows.
        freezes: Vec<Freeze>,
    },
    /// There was one and it is gone, or none can be read; a later tick must confirm it.
    Unconfirmed {
        /// What was found, in words.
        why: String,
        /// Freezes of the last document, which are on until it counts as gone.
        freezes: Vec<Freeze>,
        /// From when on it counts, if it still is so. UTC.
        counts_at: DateTime<Utc>,
    },
}

/// Whether the agent works, by what could be seen on this host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Health {
    /// Every probe that was asked for says so.
    Healthy(String),
    /// A probe says no, confirmed.
    Unhealthy(String),
    /// The unit is inactive without failure, disabled or masked: somebody meant it so.
    Stopped(String),
    /// It could not be found out.
    Unknown(String),
}

/// A hold on the package.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HoldFact {
    /// Whether an operator placed it with this program, or an administrator in the package manager.
    pub by_operator: bool,
    /// Who, where and why, in words, with the way to release it.
    pub description: String,
    /// When it ends by itself. UTC.
    pub until: Option<DateTime<Utc>>,
}

/// What the policy says of timing.
#[derive(Clone, Debug, PartialEq)]
pub struct TimingPolicy {
    /// Nothing starts with less of the window left; capped at half the window.
    pub window_margin: TimeDelta,
    /// Starts are spread over this time.
    pub spread: TimeDelta,
    /// This host's place in the spread, 0 ≤ share < 1.
    pub share: f64,
    /// So many missed windows open the gate.
    pub catch_up_after: Option<usize>,
    /// Whether a critical update goes ahead of the window.
    pub critical_opens: bool,
    /// Freezes of the configuration; those of the schedule come with it.
    pub freezes: Vec<Freeze>,
}

/// Timing that was decided already, by the process that wrote the plan.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Planned {
    /// What opened the gate.
    pub timing: Timing,
    /// Until when it is open, where it closes by itself. UTC.
    pub until: Option<DateTime<Utc>>,
}

/// Everything that [`super::decide`] looks at. All instants are UTC.
#[derive(Clone, Debug)]
pub struct Facts {
    /// What is wrong with the configuration, where only the host shows it.
    pub misconfigured: Option<String>,
    /// When this program was built.
    pub built_at: DateTime<Utc>,
    /// The latest moment of an earlier tick whose clock was confirmed.
    pub confirmed_clock: Option<DateTime<Utc>>,
    /// Whether the host can be served.
    pub platform: Reading<Platform>,
    /// What the package database says.
    pub installed: Reading<Installed>,
    /// What the version server wants.
    pub target: Reading<Target>,
    /// Which way down the policy allows.
    pub downgrade: Downgrade,
    /// The floor.
    pub minimum_version: Option<TargetVersion>,
    /// The cluster's version; `None` inside when the policy names no cluster.
    pub cluster: Reading<Option<TargetVersion>>,
    /// Versions found bad on this host, with the cause.
    pub quarantine: Vec<(TargetVersion, String)>,
    /// Holds, the operator's and the administrator's.
    pub holds: Reading<Vec<HoldFact>>,
    /// The critical flag.
    pub critical: Reading<Critical>,
    /// The schedule.
    pub schedule: Reading<ScheduleFact>,
    /// The agent's health.
    pub health: Reading<Health>,
    /// When the target was first seen to differ from what is installed.
    pub pending_since: Option<DateTime<Utc>>,
    /// Failed attempts at this target that were not the version's fault.
    pub failed: Option<FailedAttempts>,
    /// So many of them may follow each other tick by tick.
    pub max_attempts: u32,
    /// Whether an operator does not want to wait.
    pub forced: bool,
    /// What the operator said for it: `--now`, `--to`, `rollback`.
    pub forced_by: &'static str,
    /// Timing as it was decided before, in the installer.
    pub planned: Option<Planned>,
    /// What the policy says of timing.
    pub timing: TimingPolicy,
}
