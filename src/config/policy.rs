//! What an operator can want of one agent, validated: a value that is here can be acted on.

use crate::health::http::HttpTarget;
use crate::schedule::{Freeze, ScheduleDocument};
use crate::version_server::ServerOptions;
use adapters::ManagerKind;
use adapters::version::{PackageName, TargetVersion};
use reqwest::Url;
use std::path::PathBuf;
use std::time::Duration;

/// Everything that is configured for one agent. `example.toml` beside this file says what each
/// key does.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// The package that is updated.
    pub package: PackageName,
    /// The service to watch and restart, ending in `.service`; none for the only one that the
    /// package ships.
    pub unit: Option<String>,
    /// The package manager; none for the one that the host has.
    pub package_manager: Option<ManagerKind>,
    /// Where the wanted version, its urgency and the schedule come from.
    pub version_server: ServerOptions,
    /// Where the windows come from.
    pub schedule: ScheduleSource,
    /// Times in which nothing starts, beside those of the schedule.
    pub freeze: Vec<Freeze>,
    /// Nothing starts with less of the window left; up to 12 h, and at most half the window.
    pub window_margin: Duration,
    /// Over how long hosts spread their starts; up to 24 h.
    pub spread: Duration,
    /// How many missed windows open timing, 1 to 100; none for never.
    pub catch_up_after: Option<u32>,
    /// What a critical update waits for.
    pub on_critical: OnCritical,
    /// Where the package comes from, and whom to trust.
    pub repository: RepositoryPolicy,
    /// How to tell that the agent works.
    pub health: HealthPolicy,
    /// How the new version gets to run.
    pub restart: Restart,
    /// Which way down is open.
    pub downgrade: Downgrade,
    /// Nothing below it is installed.
    pub minimum_version: Option<TargetVersion>,
    /// The cluster or document that says which version the agents must not exceed.
    pub compatibility: Option<Url>,
    /// Whether to hold the package against general upgrades.
    pub pin: bool,
    /// Whether to fetch a due version before its window.
    pub prefetch: bool,
    /// How often one version is tried, 1 to 100.
    pub max_attempts: u32,
    /// How long a transaction may take, 10 s to 24 h.
    pub transaction_deadline: Duration,
    /// How long a passing fault from outside stays a warning, up to 30 days.
    pub grace: Duration,
    /// A program with its arguments that gets every event's JSON on stdin.
    pub on_event: Option<Vec<String>>,
    /// The Prometheus textfile to write.
    pub metrics_file: Option<PathBuf>,
}

/// Where the windows come from.
#[derive(Clone, Debug, PartialEq)]
pub enum ScheduleSource {
    /// The server; where it serves none, the ancestor's exported file if there is one.
    Auto,
    /// The server alone.
    Server,
    /// A file of this host, in any form of a schedule.
    File(PathBuf),
    /// The configuration itself.
    Inline(ScheduleDocument),
}

/// What a critical update waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OnCritical {
    /// Nothing.
    Update,
    /// The next window, like any other.
    Window,
}

/// Where the package comes from, and whom to trust.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RepositoryPolicy {
    /// Which repository.
    pub source: RepositorySource,
    /// Fingerprints of the primary keys that may sign: 40 hexadecimal digits in upper case.
    /// Empty for every key of the repository's entry.
    pub signing_keys: Vec<String>,
    /// What must be signed.
    pub metadata: Metadata,
    /// What to do about an index older than the last one.
    pub older_index: OlderIndex,
}

/// Which repository.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RepositorySource {
    /// The entry on this host that offers the package.
    Host,
    /// The entry on this host with this id: the section of a `.repo` file, for apt the file's stem.
    Entry(String),
    /// One that only this program uses.
    Own(OwnRepository),
}

/// A repository that is defined in the configuration.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OwnRepository {
    /// Its base: https, http or file.
    pub url: Url,
    /// The suite (apt only); a flat repository's ends in a slash.
    pub suite: Option<String>,
    /// The components (apt only).
    pub components: Vec<String>,
    /// The keys that sign it.
    pub key_file: PathBuf,
}

/// What of a repository must be signed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Metadata {
    /// Its metadata where it signs them, else its packages.
    Auto,
    /// Its metadata.
    Signed,
    /// Its packages.
    Package,
}

/// What to do about a repository that went back in time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OlderIndex {
    /// Change nothing until `trust --older-index`.
    Refuse,
    /// Say so and go on.
    Warn,
}

/// How to tell that the agent works. At least one of the three probes is there.
#[derive(Clone, Debug, PartialEq)]
pub struct HealthPolicy {
    /// Whether the state of the unit counts.
    pub unit: bool,
    /// An address of this host that must answer with success.
    pub http: Option<HttpTarget>,
    /// A program with its arguments that must exit with 0.
    pub command: Option<Vec<String>>,
    /// How long a fault must last to count, 1 s to 10 min.
    pub confirm: Duration,
    /// How long a new version is watched, 1 s to 30 min.
    pub settle: Duration,
    /// How long one probe may take, 1 s to 1 min.
    pub timeout: Duration,
}

/// How the new version gets to run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Restart {
    /// What the package does by itself; where the old one still runs then, a restart.
    Auto,
    /// A reload.
    Reload,
    /// A restart.
    Restart,
    /// Not by us: `restart_pending`.
    Never,
}

/// Which way down is open.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Downgrade {
    /// Any.
    Allow,
    /// Within one major version.
    WithinMajor,
    /// None.
    Forbid,
}
