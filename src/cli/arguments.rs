//! The arguments of the commands.

use adapters::TargetVersion;
use adapters::version::InvalidTarget;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Arguments of `run`.
#[derive(Args, Clone, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of its own on the command line"
)]
pub struct RunArguments {
    /// Only these agents (default: every configured one)
    #[arg(value_name = "AGENT")]
    pub agents: Vec<String>,
    /// Decide on the same facts and explain it; change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not wait for the maintenance window; every other gate stays
    #[arg(long)]
    pub now: bool,
    /// Take this version instead of the version server's, without waiting, and stay there
    #[arg(long, value_name = "VERSION", value_parser = version, conflicts_with = "now")]
    pub to: Option<TargetVersion>,
    /// Stay there only until the version server names another version than now
    #[arg(long, requires = "to")]
    pub until_target_changes: bool,
    /// As the timer and cron call it: a fault from outside that may pass is no failure
    #[arg(long, conflicts_with_all = ["now", "dry_run", "to"])]
    pub scheduled: bool,
    /// Make changes in this process, also where an installer of its own would be started
    #[arg(long, hide = true)]
    pub in_process: bool,
    /// Print one JSON document on standard output
    #[arg(long)]
    pub json: bool,
    /// Exit 10 when an update is available, 11 when it is deferred
    #[arg(long)]
    pub exit_code: bool,
}

/// Agents by name, or all of them.
#[derive(Args, Clone, Debug)]
pub struct WhichAgents {
    /// The agents
    #[arg(
        value_name = "AGENT",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    pub agents: Vec<String>,
    /// Every configured agent
    #[arg(long)]
    pub all: bool,
}

/// Arguments of `hold`.
#[derive(Args, Clone, Debug)]
pub struct HoldArguments {
    /// For whom
    #[command(flatten)]
    pub which: WhichAgents,
    /// When it ends by itself: `3d`, `2026-12-01 06:00` (this host's time) or RFC 3339
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Why, for whoever looks at it later
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Print one JSON document on standard output
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `unhold`.
#[derive(Args, Clone, Debug)]
pub struct UnholdArguments {
    /// For whom
    #[command(flatten)]
    pub which: WhichAgents,
    /// Print one JSON document on standard output
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `rollback`.
#[derive(Args, Clone, Debug)]
pub struct RollbackArguments {
    /// The agent
    #[arg(value_name = "AGENT")]
    pub agent: String,
    /// To this version instead of the last good one
    #[arg(long, value_name = "VERSION", value_parser = version)]
    pub to: Option<TargetVersion>,
    /// Explain what would be done; change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print one JSON document on standard output
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `allow`.
#[derive(Args, Clone, Debug)]
pub struct AllowArguments {
    /// The agent
    #[arg(value_name = "AGENT")]
    pub agent: String,
    /// The version
    #[arg(value_name = "VERSION", value_parser = version)]
    pub version: TargetVersion,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Print one JSON document on standard output
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `status`.
#[derive(Args, Clone, Debug)]
pub struct StatusArguments {
    /// Only these agents (default: every configured one)
    #[arg(value_name = "AGENT")]
    pub agents: Vec<String>,
    /// Print one JSON document on standard output
    #[arg(long)]
    pub json: bool,
    /// Ask anew instead of showing the last tick's findings
    #[arg(long)]
    pub refresh: bool,
}

/// Arguments of `schedule`.
#[derive(Args, Clone, Debug)]
pub struct ScheduleArguments {
    /// Only these agents (default: every configured one)
    #[arg(value_name = "AGENT")]
    pub agents: Vec<String>,
    /// How many windows
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub count: u16,
    /// Print JSON on standard output
    #[arg(long)]
    pub json: bool,
    /// Read this file instead, `-` for standard input, to check a schedule before it is published
    #[arg(long, value_name = "FILE", conflicts_with = "agents")]
    pub check: Option<PathBuf>,
}

/// Arguments of `history`.
#[derive(Args, Clone, Debug)]
pub struct HistoryArguments {
    /// Only events of these agents, and those of all (default: every event)
    #[arg(value_name = "AGENT")]
    pub agents: Vec<String>,
    /// How many events at most, 0 for all (default: the last 20; with --since all)
    #[arg(short = 'n', long, value_name = "N")]
    pub number: Option<usize>,
    /// Only events since then: `7d`, `2026-12-01 06:00` (this host's time) or RFC 3339
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only events with this reason, such as `rolled_back`; may be given more than once
    #[arg(long = "reason", value_name = "REASON")]
    pub reasons: Vec<String>,
    /// Everything of each event: steps, signing key, transcript, configuration; the same as -v
    #[arg(short, long)]
    pub long: bool,
    /// Print one JSON document on standard output, with the events as they were recorded
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `doctor`.
#[derive(Args, Clone, Debug)]
pub struct DoctorArguments {
    /// Only these agents, beside the host (default: every configured one)
    #[arg(value_name = "AGENT")]
    pub agents: Vec<String>,
    /// Print one JSON document on standard output
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `check`. Durations are numbers with their unit: `90min`, `7d`.
#[derive(Args, Clone, Debug)]
pub struct CheckArguments {
    /// Only these agents (default: every one that the last run knew)
    #[arg(value_name = "AGENT")]
    pub agents: Vec<String>,
    /// How the answer is written
    #[arg(long, value_name = "FORMAT", default_value = "nagios")]
    pub format: CheckFormat,
    /// Unknown when the last run is older than this
    #[arg(long, value_name = "DURATION", default_value = "2h", value_parser = humantime::parse_duration)]
    pub stale: Duration,
    /// A warning when the last run is older than this; at most what --stale says
    #[arg(long, value_name = "DURATION", default_value = "90min", value_parser = humantime::parse_duration)]
    pub stale_warning: Duration,
    /// A warning when a change has been due for this long, whatever it waits for
    #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = humantime::parse_duration)]
    pub pending_warning: Duration,
    /// Critical when a change has been due for this long
    #[arg(long, value_name = "DURATION", default_value = "30d", value_parser = humantime::parse_duration)]
    pub pending_critical: Duration,
    /// A warning when a fault from outside that may pass has lasted this long
    #[arg(long, value_name = "DURATION", default_value = "12h", value_parser = humantime::parse_duration)]
    pub failing_warning: Duration,
    /// Critical when it has lasted this long
    #[arg(long, value_name = "DURATION", default_value = "3d", value_parser = humantime::parse_duration)]
    pub failing_critical: Duration,
    /// A warning when a hold without an end has lasted this long
    #[arg(long, value_name = "DURATION", default_value = "30d", value_parser = humantime::parse_duration)]
    pub held_warning: Duration,
    /// A warning when the repository's key ends sooner than this
    #[arg(long, value_name = "DURATION", default_value = "30d", value_parser = humantime::parse_duration)]
    pub key_warning: Duration,
    /// Critical when it ends sooner than this
    #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = humantime::parse_duration)]
    pub key_critical: Duration,
}

/// How the answer of `check` is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum CheckFormat {
    /// One line with performance data, as Nagios, Icinga, Naemon, Sensu, checkmk and Zabbix read it
    Nagios,
}

/// Arguments of `trust`.
#[derive(Args, Clone, Debug)]
pub struct TrustArguments {
    /// The agent
    #[arg(value_name = "AGENT")]
    pub agent: String,
    /// Accept, once, an index older than the newest one seen: its mirror was rolled back on purpose
    #[arg(long, required = true)]
    pub older_index: bool,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Print one JSON document on standard output
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `apply`.
#[derive(Args, Clone, Debug)]
pub struct ApplyArguments {
    /// The plan
    #[arg(long, value_name = "FILE")]
    pub plan: PathBuf,
}

/// Arguments of `unpin`.
#[derive(Args, Clone, Debug)]
pub struct UnpinArguments {
    /// Those on every package; the next tick places them again unless `pin = false`
    #[arg(long, required = true)]
    pub all: bool,
}

/// Arguments of `adopt`.
#[derive(Args, Clone, Debug)]
pub struct AdoptArguments {
    /// The name that the agent gets here
    #[arg(long, value_name = "AGENT", default_value = "teleport", value_parser = agent_name)]
    pub name: String,
    /// Leave holds, excludes and locks on the package: they are an administrator's
    #[arg(long)]
    pub keep_holds: bool,
    /// Show what would be done; change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Arguments of `reset`.
#[derive(Args, Clone, Debug)]
pub struct ResetArguments {
    /// State, history, cache and last findings; configuration and pins stay
    #[arg(long, required = true)]
    pub image: bool,
}

/// The commands on the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Says every mistake with its file and line; exit 20 if there is one
    Check {
        /// Check this file alone, before it is put in place; `-` for standard input
        file: Option<PathBuf>,
    },
    /// Prints the merged configuration, each value with the file it came from
    Show {
        /// Print one JSON document on standard output
        #[arg(long)]
        json: bool,
    },
}

/// The commands on a version server's files.
#[derive(Debug, Subcommand)]
pub enum ChannelCommand {
    /// Makes a folder a channel that asks for nothing
    Init {
        /// The folder
        folder: PathBuf,
    },
    /// Changes what a channel says; what is not named stays
    Set {
        /// The folder
        folder: PathBuf,
        /// The version that agents are to have, or `none`
        #[arg(long)]
        version: Option<String>,
        /// Whether that version is critical
        #[arg(long, value_name = "yes|no", value_parser = yes_or_no)]
        critical: Option<bool>,
        /// A file with the schedule, checked before it is published
        #[arg(long, value_name = "FILE")]
        schedule: Option<PathBuf>,
    },
    /// Prints what a channel says
    Show {
        /// A URL or a folder
        channel: String,
    },
    /// Checks that an agent could work with a channel
    Verify {
        /// A URL or a folder
        channel: String,
    },
    /// Serves a folder of channels over HTTP, for trials, tests and small fleets
    Serve {
        /// The folder
        folder: PathBuf,
        /// Address and port
        #[arg(long, default_value = "127.0.0.1:8080")]
        listen: std::net::SocketAddr,
        /// The certificate with its chain (PEM); with it the server speaks https
        #[arg(long, value_name = "FILE", requires = "tls_key")]
        tls_certificate: Option<PathBuf>,
        /// The private key (PEM)
        #[arg(long, value_name = "FILE", requires = "tls_certificate")]
        tls_key: Option<PathBuf>,
    },
}

fn version(text: &str) -> Result<TargetVersion, InvalidTarget> {
    TargetVersion::parse(text)
}

fn agent_name(text: &str) -> Result<String, String> {
    let known = |letter: char| {
        letter.is_ascii_lowercase() || letter.is_ascii_digit() || "._-".contains(letter)
    };
    let is_plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    if text.chars().all(known) && text.starts_with(is_plain) {
        Ok(text.to_owned())
    } else {
        Err("expected a-z, 0-9, dot, dash and underscore".to_owned())
    }
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" | "true" => Ok(true),
        "no" | "false" => Ok(false),
        _ => Err("expected yes or no".to_owned()),
    }
}
