use crate::decision::{Gate, Reason};
use crate::outcome::State;
use crate::progress::Progress;
use crate::state::agent::{Attempt, Attempts, Quarantined, Signature};
use crate::state::journal::Phase;
use crate::state::operator::Hold;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Name of the schema; additive changes only.
pub const SCHEMA: &str = "agent-updater/v1";

/// What `--json` prints and `status.json` holds.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Document {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// When the document was made. UTC.
    pub generated_at: DateTime<Utc>,
    /// Name of the host.
    pub host: String,
    /// Whether something was changed; in a dry run, whether something would be.
    pub changed: bool,
    /// Whether the exit code is other than 0, 10 or 11.
    pub failed: bool,
    /// Version of this program.
    pub updater_version: String,
    /// The agents, in the order of their names.
    pub agents: Vec<AgentReport>,
}

/// What is known of one agent.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AgentReport {
    /// Its name in the configuration.
    pub name: String,
    /// What it is in.
    pub state: State,
    /// Why: one of the documented strings.
    pub reason: Reason,
    /// The same for a person, one line.
    pub message: String,
    /// The way out, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What deserves attention and stopped nothing.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// The exit code of this agent alone.
    pub exit_code: u8,
    /// What was proven last, and by whose signature: by this tick or by an earlier one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// The same for what is installed, where this program installed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installed_signature: Option<Signature>,
    /// Since when every tick meets a fault from outside that may pass. UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<DateTime<Utc>>,
    /// Whether it was changed (dry run: would be).
    pub changed: bool,
    /// What the package database says.
    pub installed: VersionReport,
    /// What the main process runs.
    pub running: RunningReport,
    /// What is wanted.
    pub target: TargetReport,
    /// Whether it works.
    pub health: HealthReport,
    /// When changes may start.
    pub schedule: ScheduleReport,
    /// Every gate, in order.
    pub gates: Vec<Gate>,
    /// The commands that were run, or in a dry run would be.
    #[serde(default)]
    pub plan: Vec<String>,
    /// What the package manager itself says it would change; empty when it was not asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<String>,
    /// Since when the target differs from what is installed. UTC.
    #[serde(default)]
    pub pending_since: Option<DateTime<Utc>>,
    /// When a run last ended with the exit code 0 for this agent, as far as is known since boot. UTC.
    #[serde(default)]
    pub last_success_at: Option<DateTime<Utc>>,
    /// How many runs in a row ended with another exit code than 0, as far as is known since boot.
    #[serde(default)]
    pub consecutive_failures: u32,
    /// The last attempt at a change.
    pub last_attempt: Option<Attempt>,
    /// What came of every attempt so far; `null` when nobody looked.
    #[serde(default)]
    pub attempts: Option<Attempts>,
    /// Versions that were found bad.
    #[serde(default)]
    pub quarantine: Vec<Quarantined>,
    /// Our own pin on the package; `null` when nobody looked.
    #[serde(default)]
    pub pin: Option<PinReport>,
    /// The operator's pause; `null` for none.
    #[serde(default)]
    pub hold: Option<Hold>,
    /// Whether `rollback` works without a repository; `null` when nobody looked.
    #[serde(default)]
    pub rollback: Option<RollbackReport>,
    /// What a run is doing at this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// Where a change is, when one is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
}

/// The way back to the last good version by our own cache.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RollbackReport {
    /// `available` or `unavailable`.
    pub state: String,
    /// To which version, in the package manager's words.
    pub version: Option<String>,
    /// Why it is unavailable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Our own pin, which keeps general upgrades from moving the package.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PinReport {
    /// `placed`; `none` (not yet, or no repository of the host offers the package); `off` by the
    /// configuration.
    pub state: String,
    /// Where it is.
    #[serde(rename = "where")]
    pub places: Vec<String>,
    /// Where it could not be placed, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
}

/// What is installed.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct VersionReport {
    /// In the version server's grammar, where it can be said in it.
    pub version: Option<String>,
    /// In the package manager's words.
    pub package_version: Option<String>,
}

/// What runs.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RunningReport {
    /// The version of the main process; `null` when it is not known or not running.
    pub version: Option<String>,
    /// When that was seen. UTC.
    #[serde(default)]
    pub read_at: Option<DateTime<Utc>>,
}

/// What is wanted.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TargetReport {
    /// What the version server says; `null` for `none` or no answer.
    pub version: Option<String>,
    /// The version chosen out of what the repository offers.
    pub package_version: Option<String>,
    /// Whether it is critical; `null` when nobody asked.
    pub critical: Option<bool>,
    /// When that was read. UTC.
    #[serde(default)]
    pub critical_read_at: Option<DateTime<Utc>>,
    /// The operator's command that names it instead of the version server, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<String>,
    /// The version server.
    pub server: String,
    /// When it answered. UTC.
    pub fetched_at: Option<DateTime<Utc>>,
}

/// Whether it works.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HealthReport {
    /// `healthy`, `unhealthy`, `stopped`, `unknown`; `not_asked` when the tick did not need it.
    pub verdict: String,
    /// What was seen.
    pub evidence: String,
    /// When. UTC.
    #[serde(default)]
    pub read_at: Option<DateTime<Utc>>,
}

/// When changes may start.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ScheduleReport {
    /// Where the schedule comes from, or why there is none.
    pub source: String,
    /// Its time zone.
    pub time_zone: Option<String>,
    /// When it was read. UTC.
    #[serde(default)]
    pub read_at: Option<DateTime<Utc>>,
    /// The next windows.
    pub next: Vec<WindowReport>,
}

/// One maintenance window.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WindowReport {
    /// It opens. UTC.
    pub start: DateTime<Utc>,
    /// It closes. UTC.
    pub stop: DateTime<Utc>,
    /// The change freeze that takes some or all of it, in words; nothing where none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen: Option<String>,
}

impl Document {
    /// A document over agents.
    pub fn new(generated_at: DateTime<Utc>, host: String, agents: Vec<AgentReport>) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            generated_at,
            host,
            changed: agents.iter().any(|agent| agent.changed),
            failed: agents
                .iter()
                .any(|agent| !matches!(agent.exit_code, 0 | 10 | 11)),
            updater_version: env!("CARGO_PKG_VERSION").to_owned(),
            agents,
        }
    }
}
