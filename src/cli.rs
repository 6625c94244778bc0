//! The command line. Help texts are what an operator reads first, so they carry examples.

use adapters::TargetVersion;
use adapters::version::InvalidTarget;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  agent-updater run --dry-run     what would happen now, and why
  agent-updater run               one tick: decide, and update if the decision says so
  agent-updater run --now         the same without waiting for the maintenance window
  agent-updater status            what is installed, wanted and running, and each gate
  agent-updater schedule          the next maintenance windows
  agent-updater hold teleport     pause one agent; `unhold` goes on
  agent-updater rollback teleport back to the last good version

Exit codes: 0 done or waiting, 1 fault of this program, 2 usage, 10 and 11 only with --exit-code,
20 configuration, 21 version server, 22 target not offered, 23 repository not trusted, 24 package
manager busy, 25 package manager broken, 26 refused before anything was changed, 27 repository
unreachable, 30 install failed, 31 rolled back, 32 new version unhealthy, 33 target quarantined, 75 another instance
is running, 77 needs root.";

const RUN_EXAMPLES: &str = "\
Examples:
  agent-updater run --dry-run                      what would happen now, and why
  agent-updater run --now teleport                 without waiting for the maintenance window
  agent-updater run --to 15.4.2 teleport           this version now, and no other until `unhold`
  agent-updater run --to 15.4.2 --until-target-changes teleport
                                                   the same until the version server names another one

Every gate but timing stays with --to; the version server may be away.";

const HOLD_EXAMPLES: &str = "\
Examples:
  agent-updater hold teleport --reason \"audit, ticket 4711\"
  agent-updater hold teleport --until 3d
  agent-updater hold --all --until \"2026-12-01 06:00\"

`agent-updater status` shows it; not even an unhealthy agent or a critical update passes it.";

const UNHOLD_EXAMPLES: &str = "\
Examples:
  agent-updater unhold teleport
  agent-updater unhold --all

A hold of the package manager (apt-mark, versionlock, zypper addlock) is the administrator's:
`agent-updater run --dry-run` names the command that releases it.";

const ROLLBACK_EXAMPLES: &str = "\
Examples:
  agent-updater rollback teleport                  back to the version before the last good update
  agent-updater rollback teleport --to 15.4.1      back, or on, to this one
  agent-updater rollback teleport --dry-run        what would be done

A version that our own cache keeps needs neither repository nor version server. The agent is held
there until `agent-updater unhold`.";

const ALLOW_EXAMPLES: &str = "\
Example:
  agent-updater allow teleport 15.4.2              the next run may try it again

Quarantine also ends when the version server names another version, or `none` on two ticks in a row.";

const ADOPT_EXAMPLES: &str = "\
Examples:
  agent-updater adopt --dry-run                    what would be written, disabled and released
  agent-updater adopt
  agent-updater adopt --name teleport --keep-holds

It reads /etc/teleport-upgrade.d, writes a drop-in below /etc/agent-updater/config.d, disables
teleport-upgrade.timer and takes over the hold, exclude or lock on the package. Until then every tick
leaves that package to the earlier updater.";

const RESET_EXAMPLES: &str = "\
Example:
  agent-updater reset --image

Every host that is made of the image starts with its own history.";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  agent-updater completions bash > /usr/share/bash-completion/completions/agent-updater
  agent-updater completions zsh > /usr/share/zsh/site-functions/_agent-updater
  agent-updater completions fish > /usr/share/fish/vendor_completions.d/agent-updater.fish

They complete the names of the configured agents, too.";

const MAN_EXAMPLES: &str = "\
Examples:
  agent-updater man | man -l -
  agent-updater man agent-updater.toml.5 | man -l -";

/// Keeps an agent at the version its cluster supports, through the host's own package manager.
#[derive(Debug, Parser)]
#[command(name = "agent-updater", version, after_help = EXAMPLES, arg_required_else_help = true)]
pub struct Cli {
    /// Folder with config.toml and config.d (default /etc/agent-updater)
    #[arg(long, global = true, value_name = "DIR", env = "AGENT_UPDATER_CONFIG")]
    pub config: Option<PathBuf>,
    /// Say more on standard error; twice for every command that is run
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say only errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    /// A prefix of every path, for tests and images
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = "/",
        hide = true
    )]
    pub root: PathBuf,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// What the installer is called with so that it reads the same configuration and says as much.
    pub fn for_installer(&self) -> Vec<String> {
        let mut arguments = Vec::new();
        if let Some(folder) = &self.config {
            // It starts in another folder than this process.
            let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.clone());
            arguments.push(format!("--config={}", folder.display()));
        }
        arguments.extend((0..self.verbose).map(|_| "--verbose".to_owned()));
        arguments.extend(self.quiet.then(|| "--quiet".to_owned()));
        arguments
    }
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// One tick: decide, and update if the decision says so
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunArguments),
    /// The same as `run --dry-run`
    #[command(name = "dry-run", hide = true)]
    DryRun(RunArguments),
    /// The same as `run --now`
    #[command(hide = true)]
    Force(RunArguments),
    /// What is installed, wanted and running, with every gate of the decision
    Status(StatusArguments),
    /// The next maintenance windows, in UTC and in the schedule's zone
    Schedule(ScheduleArguments),
    /// Called by apt just before dpkg, with its plan on standard input
    #[command(hide = true)]
    Guard {
        /// The package
        package: String,
        /// Native version before
        from: String,
        /// Native version after
        to: String,
        /// Hash of the proven package file
        sha256: String,
    },
    /// Pauses an agent: nothing of it is changed
    #[command(after_help = HOLD_EXAMPLES)]
    Hold(HoldArguments),
    /// Ends a pause, also the one that `run --to` and `rollback` leave
    #[command(after_help = UNHOLD_EXAMPLES)]
    Unhold(UnholdArguments),
    /// Goes back to the last good version, by our own cache where it can, and stays there
    #[command(after_help = ROLLBACK_EXAMPLES)]
    Rollback(RollbackArguments),
    /// Takes a version out of quarantine and forgets failed attempts
    #[command(after_help = ALLOW_EXAMPLES)]
    Allow(AllowArguments),
    /// The operator's word for a repository that is refused
    Trust(TrustArguments),
    /// Checks or shows the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Carries out a plan of a run's, as a process of its own
    #[command(hide = true)]
    Apply(ApplyArguments),
    /// Gives back the pins that this program placed
    #[command(hide = true)]
    Unpin(UnpinArguments),
    /// Takes over from Teleport's earlier updater, teleport-upgrade
    #[command(after_help = ADOPT_EXAMPLES)]
    Adopt(AdoptArguments),
    /// Clears what is remembered of this host, before an image is made of it
    #[command(after_help = RESET_EXAMPLES)]
    Reset(ResetArguments),
    /// Before a removal: ends what is under way and gives back what this program placed
    #[command(hide = true)]
    Leave {
        /// The package manager is at work on this very package: nothing can be installed
        #[arg(long)]
        in_transaction: bool,
    },
    /// The publisher's side: the files of a version server
    #[command(subcommand)]
    Channel(ChannelCommand),
    /// Prints completions for a shell; the packages install them
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Prints a manual page; the packages install them
    #[command(after_help = MAN_EXAMPLES)]
    Man {
        /// The page
        #[arg(default_value = "agent-updater.8")]
        page: Page,
    },
}

/// The shells that there are completions for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Shell {
    /// bash
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
}

/// The manual pages.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Page {
    /// The command
    #[value(name = "agent-updater.8")]
    Command,
    /// The configuration
    #[value(name = "agent-updater.toml.5")]
    Configuration,
}

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
    /// Read this file instead, to check a schedule before it is published
    #[arg(long, value_name = "FILE", conflicts_with = "agents")]
    pub check: Option<PathBuf>,
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
    Check,
    /// Prints the merged configuration, each value with the file it came from
    Show,
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
