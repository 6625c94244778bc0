//! The command line. Help texts are what an operator reads first, so they carry examples.

/// The arguments of the commands.
mod arguments;
/// The examples below the help texts.
mod examples;

pub use arguments::{
    AdoptArguments, AllowArguments, ApplyArguments, ChannelCommand, CheckArguments, CheckFormat,
    ConfigCommand, DoctorArguments, HistoryArguments, HoldArguments, ResetArguments,
    RollbackArguments, RunArguments, ScheduleArguments, StatusArguments, TrustArguments,
    UnholdArguments, UnpinArguments, WhichAgents,
};

use clap::{Parser, Subcommand, ValueEnum};
use examples::{
    ADOPT_EXAMPLES, ALLOW_EXAMPLES, CHECK_EXAMPLES, COMPLETIONS_EXAMPLES, DOCTOR_EXAMPLES,
    EXAMPLES, HISTORY_EXAMPLES, HOLD_EXAMPLES, MAN_EXAMPLES, RESET_EXAMPLES, ROLLBACK_EXAMPLES,
    RUN_EXAMPLES, SCHEDULE_EXAMPLES, UNHOLD_EXAMPLES,
};
use std::path::PathBuf;

/// Keeps an agent at the version its cluster supports, through the host's own package manager.
#[derive(Debug, Parser)]
#[command(name = "agent-updater", version, after_help = EXAMPLES, arg_required_else_help = true)]
pub struct Cli {
    /// Folder with config.toml and config.d (default /etc/agent-updater); a run by hand with
    /// another one leaves nothing for `status`, `check`, metrics and `on_event`
    #[arg(long, global = true, value_name = "DIR", env = "AGENT_UPDATER_CONFIG")]
    pub config: Option<PathBuf>,
    /// Say more on standard error; twice for every command that is run
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say only errors, and nothing at all of a run that went well
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
    #[command(after_help = SCHEDULE_EXAMPLES)]
    Schedule(ScheduleArguments),
    /// Who changed what, when and why: the record of this host, newest last
    #[command(after_help = HISTORY_EXAMPLES)]
    History(HistoryArguments),
    /// Looks for whatever would keep this host from being updated, and says the way out
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(DoctorArguments),
    /// The last run's findings for a monitoring system: exit 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN
    #[command(after_help = CHECK_EXAMPLES)]
    Check(CheckArguments),
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
