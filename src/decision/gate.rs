use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The gates, in the order in which they are looked at.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum GateName {
    /// The configuration of this agent is valid.
    Configured,
    /// The host's clock is plausible.
    Clock,
    /// The host is one whose package manager may be driven.
    Platform,
    /// The package is installed, completely.
    Installed,
    /// The version server names a target.
    Target,
    /// The target differs from what is installed.
    Change,
    /// The policy allows this direction.
    Direction,
    /// The target fits the cluster.
    Compatibility,
    /// The target was not found bad on this host before.
    Quarantine,
    /// Neither an operator nor an administrator holds the package.
    Hold,
    /// No change freeze.
    Freeze,
    /// Now is the time.
    Timing,
    /// The repository offers the target, signed by a trusted key.
    Repository,
    /// Only our package changes.
    Transaction,
    /// There is room, and nobody else is at the package manager.
    Resources,
}

impl fmt::Display for GateName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Configured => "configured",
            Self::Clock => "clock",
            Self::Platform => "platform",
            Self::Installed => "installed",
            Self::Target => "target",
            Self::Change => "change",
            Self::Direction => "direction",
            Self::Compatibility => "compatibility",
            Self::Quarantine => "quarantine",
            Self::Hold => "hold",
            Self::Freeze => "freeze",
            Self::Timing => "timing",
            Self::Repository => "repository",
            Self::Transaction => "transaction",
            Self::Resources => "resources",
        })
    }
}

/// Why: the strings are the contract of the JSON output (`reason`).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Installed equals target.
    UpToDate,
    /// The server says `none`.
    NoTarget,
    /// The change was made and observed.
    Updated,
    /// The new version is installed, the running process is still the old one.
    RestartPending,
    /// No agent is configured.
    NotConfigured,
    /// The configuration is invalid.
    ConfigurationInvalid,
    /// The clock is before the moment this program was built.
    ClockBeforeBuild,
    /// The clock is more than a day behind an earlier tick whose clock was confirmed.
    ClockWentBack,
    /// The host cannot be served.
    UnsupportedPlatform,
    /// The package is not installed.
    NotInstalled,
    /// There is no version to go back to.
    NothingToRollBackTo,
    /// The package database gave no usable answer.
    PackageDatabaseUnreadable,
    /// The package is half-installed, or there twice.
    PackageBroken,
    /// The version server did not answer.
    VersionServerUnreachable,
    /// The version server's answer is not in the grammar.
    VersionServerInvalid,
    /// The policy forbids going down.
    DowngradeForbidden,
    /// The target is below `minimum_version`.
    BelowMinimumVersion,
    /// The target is above the cluster's version.
    AboveCluster,
    /// The target is more than one major version below the cluster.
    TooFarBelowCluster,
    /// The target was found bad on this host.
    Quarantined,
    /// An operator paused this agent.
    HeldByOperator,
    /// The administrator holds the package in the package manager.
    HeldByAdministrator,
    /// A change freeze is on.
    Frozen,
    /// `run --now`.
    Forced,
    /// The version server marks the target as critical.
    Critical,
    /// The agent is unhealthy.
    Unhealthy,
    /// The installed version is outside what the cluster supports.
    OutsideCompatibleRange,
    /// No schedule can be found.
    NoSchedule,
    /// A maintenance window is open.
    WindowOpen,
    /// More windows were missed than the policy allows.
    Overdue,
    /// No window is open.
    OutsideWindow,
    /// The window that is open closes too soon.
    WindowClosing,
    /// This host's share of the spread has not come.
    Spread,
    /// The schedule says `nop`: another updater is in charge.
    HandsOff,
    /// The schedule is gone, and a second look must confirm it.
    ScheduleUnconfirmed,
    /// No repository of the host offers the package.
    RepositoryNotFound,
    /// More than one repository offers the target.
    RepositoryAmbiguous,
    /// The repository does not offer the target.
    NotOffered,
    /// A signature or key is wrong.
    RepositoryUntrusted,
    /// The repository does not answer.
    RepositoryUnreachable,
    /// Another process holds the package manager's lock.
    PackageManagerBusy,
    /// An earlier transaction of the package manager was cut off.
    PackageManagerBroken,
    /// Other packages would change.
    WouldChangeOthers,
    /// There is not enough room.
    DiskFull,
    /// This needs the superuser.
    NeedsRoot,
    /// The installation failed.
    InstallFailed,
    /// The new version was unhealthy, and the version before is back.
    RolledBack,
    /// The new version is unhealthy, and there is no way back.
    UnhealthyAfterUpdate,
    /// Neither version could be brought to work.
    RollbackFailed,
    /// A change is under way; we were asked to stop before it was over.
    Interrupted,
    /// Earlier attempts failed, and the next one is not due yet.
    BackingOff,
    /// A file of ours is damaged, so that nothing is known of the past.
    StateDamaged,
    /// Another instance is running.
    AnotherInstance,
    /// A fault of this program.
    InternalError,
}

impl Reason {
    /// The string of the contract.
    pub fn as_str(self) -> String {
        serde_json::to_value(self)
            .ok()
            .and_then(|value| value.as_str().map(str::to_owned))
            .unwrap_or_default()
    }
}

/// One gate as it was found.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Gate {
    /// Which one.
    pub name: GateName,
    /// `true` open, `false` closed, `null` not looked at.
    pub open: Option<bool>,
    /// What it looked at, in words.
    pub value: String,
    /// Why it stands as it does, where that is not plain from the verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// When the verdict can change by itself, where that is known. UTC.
    pub until: Option<DateTime<Utc>>,
    /// When the value was read. UTC.
    pub read_at: Option<DateTime<Utc>>,
    /// The verdict of the last reading, where this run did not look: then value and `read_at` are
    /// that reading's, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was_open: Option<bool>,
}

impl Gate {
    /// An open gate.
    pub fn open(name: GateName, value: impl Into<String>) -> Self {
        Self {
            name,
            open: Some(true),
            value: value.into(),
            reason: None,
            until: None,
            read_at: None,
            was_open: None,
        }
    }

    /// A closed gate.
    pub fn closed(name: GateName, reason: Reason, value: impl Into<String>) -> Self {
        Self {
            open: Some(false),
            reason: Some(reason),
            ..Self::open(name, value)
        }
    }

    /// A gate that was not looked at.
    pub fn not_looked_at(name: GateName, value: impl Into<String>) -> Self {
        Self {
            open: None,
            ..Self::open(name, value)
        }
    }

    /// With the reason of an open gate.
    #[must_use]
    pub fn because(self, reason: Reason) -> Self {
        Self {
            reason: Some(reason),
            ..self
        }
    }

    /// With the moment at which the verdict can change.
    #[must_use]
    pub fn until(self, until: Option<DateTime<Utc>>) -> Self {
        Self { until, ..self }
    }

    /// With the moment at which the value was read.
    #[must_use]
    pub fn read_at(self, read_at: Option<DateTime<Utc>>) -> Self {
        Self { read_at, ..self }
    }
}

/// What opened the timing gate.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Timing {
    /// `run --now`.
    Forced,
    /// The update is critical.
    Critical,
    /// The agent is unhealthy.
    Unhealthy,
    /// The agent is outside the range that its cluster supports.
    OutsideCompatibleRange,
    /// No schedule can be found.
    NoSchedule,
    /// A window is open.
    WindowOpen,
    /// Too many windows were missed.
    Overdue,
}

impl Timing {
    /// The reason string of it.
    pub fn reason(self) -> Reason {
        match self {
            Self::Forced => Reason::Forced,
            Self::Critical => Reason::Critical,
            Self::Unhealthy => Reason::Unhealthy,
            Self::OutsideCompatibleRange => Reason::OutsideCompatibleRange,
            Self::NoSchedule => Reason::NoSchedule,
            Self::WindowOpen => Reason::WindowOpen,
            Self::Overdue => Reason::Overdue,
        }
    }
}

/// What follows from the gates.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Every gate is open.
    Proceed(Timing),
    /// This gate is the first that is closed.
    Stop(GateName, Reason),
    /// All gates before this one are open, and its fact has not been gathered yet.
    Undecided(GateName),
}

/// The gates and what follows from them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Decision {
    /// In the order of the contract; gates whose facts are missing are `not looked at`.
    pub gates: Vec<Gate>,
    /// What follows.
    pub verdict: Verdict,
}

impl Decision {
    /// The gate that stops the change, if one does.
    pub fn stopping_gate(&self) -> Option<&Gate> {
        match self.verdict {
            Verdict::Stop(name, _) => self.gates.iter().find(|gate| gate.name == name),
            Verdict::Proceed(_) | Verdict::Undecided(_) => None,
        }
    }
}
