//! The commands: from arguments to what is printed and the exit code.

mod adopt;
mod aftermath;
mod allow;
mod answer;
mod apply;
mod channel;
mod check;
mod configuration;
mod doctor;
mod findings;
mod generate;
mod history;
mod hold;
mod leave;
mod logging;
mod operator;
mod reset;
mod rollback;
mod run;
mod schedule;
mod status;
mod trust;
mod turn;
mod unpin;
mod until;
mod watch;

use crate::cli::{Cli, Color, Command, RunArguments};
use answer::printed;
pub use logging::start_logging;
use operator::Declined;

use crate::config::{self, Configuration};
use crate::decision::Reason;
use crate::events;
use crate::guard;
use crate::host;
use crate::outcome;
use crate::report::page::Form;
use crate::report::text::Detail;
use crate::report::{AgentReport, Document, build, text};
use crate::state::Layout;
use crate::state::damaged::Damaged;
use crate::state::history::works_by;
use crate::state::lock::{Acquired, acquire};
use adapters::ProcessRunner;
use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use clap::CommandFactory as _;
use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;
pub(crate) use watch::clear as clear_progress;

/// Prints an error with its causes, and the way out where it has one.
pub fn complain(error: &anyhow::Error) {
    let mut err = io::stderr().lock();
    let _ = writeln!(err, "error: {error:#}");
    let hint = match error.downcast_ref::<Damaged>() {
        Some(damaged) => Some(damaged.hint()),
        None => build::hint(outcome::fault(error), ""),
    };
    if let Some(hint) = hint {
        let _ = writeln!(err, "hint: {hint}");
    }
}

/// Says what is wrong with the command line, or prints the help that was asked for. The exit code:
/// 2, but 3 for `check`, since 2 means "critical" to whoever calls that.
pub fn misused(error: &clap::Error) -> u8 {
    let _ = error.print();
    let partly = Cli::command().ignore_errors(true).try_get_matches();
    let is_check = partly.is_ok_and(|matches| matches.subcommand_name() == Some("check"));
    match error.exit_code() {
        0 => 0,
        _ if is_check => check::misused(error),
        code => u8::try_from(code).unwrap_or(2),
    }
}

/// Runs the command; the value is the exit code.
///
/// What it writes must be readable for the package manager's download user, whatever the umask of
/// the shell it was called from.
pub async fn run(cli: &Cli, now: DateTime<Utc>) -> Result<u8> {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    match &cli.command {
        Command::Run(arguments) => run::run(cli, arguments, now).await,
        Command::DryRun(arguments) => {
            run::run(
                cli,
                &RunArguments {
                    dry_run: true,
                    ..arguments.clone()
                },
                now,
            )
            .await
        }
        Command::Force(arguments) => {
            run::run(
                cli,
                &RunArguments {
                    now: true,
                    ..arguments.clone()
                },
                now,
            )
            .await
        }
        Command::Status(arguments) => status::run(cli, arguments, now).await,
        Command::Schedule(arguments) => schedule::run(cli, arguments, now).await,
        Command::Doctor(arguments) => doctor::run(cli, arguments, now).await,
        Command::Check(arguments) => Ok(check::run(cli, arguments, now)),
        Command::Guard {
            package,
            from,
            to,
            sha256,
        } => {
            let mut plan = String::new();
            io::stdin()
                .read_to_string(&mut plan)
                .context("read apt's plan")?;
            let allowed = guard::Allowed {
                package: package.clone(),
                from: from.clone(),
                to: to.clone(),
                sha256: sha256.clone(),
            };
            match guard::check(&plan, &allowed) {
                Ok(()) => Ok(0),
                Err(why) => {
                    writeln!(io::stderr(), "{}{why}", guard::REFUSAL)?;
                    Ok(1)
                }
            }
        }
        Command::History(arguments) => history::run(cli, arguments, now),
        Command::Config(command) => configuration::run(cli, command, now),
        Command::Channel(command) => channel::run(command, now).await,
        Command::Trust(arguments) => told(cli, "trust", trust::run(cli, arguments, now), now).await,
        Command::Hold(arguments) => told(cli, "hold", hold::hold(cli, arguments, now), now).await,
        Command::Unhold(arguments) => {
            told(cli, "unhold", hold::unhold(cli, arguments, now), now).await
        }
        Command::Rollback(arguments) => rollback::run(cli, arguments, now).await,
        Command::Allow(arguments) => told(cli, "allow", allow::run(cli, arguments, now), now).await,
        Command::Adopt(arguments) => adopt::run(cli, arguments, now).await,
        Command::Reset(_) => reset::image(cli),
        Command::Leave { in_transaction } => leave::run(cli, *in_transaction, now).await,
        Command::Apply(arguments) => apply::run(cli, arguments, now).await,
        Command::Unpin(_) => unpin::run(cli, now),
        Command::Completions { shell } => generate::completions(*shell),
        Command::Man { page } => generate::man(*page),
    }
}

/// Delivers the events of a command that an operator gave; another run that is at work does it itself.
async fn told(cli: &Cli, called: &str, done: Result<u8>, now: DateTime<Utc>) -> Result<u8> {
    let layout = layout(cli);
    let may = layout.root == Path::new("/") && rustix::process::geteuid().is_root();
    let configuration = load_configuration(cli);
    if may
        && is_the_hosts(cli)
        && events::is_wanted(&configuration)
        && let Ok(Acquired::Ours(_lock)) = acquire(&layout.lock())
    {
        let scene = events::Scene {
            layout: &layout,
            runner: &ProcessRunner::new(),
            configuration: &configuration,
            host: &host::name(),
            called,
            began: now,
            now,
        };
        // What was known before is no news of this command.
        events::deliver(&scene, None, findings::last_document(&layout).as_ref()).await;
    }
    done
}

/// Whether it is by the host's own configuration, not by another one that somebody tries out: what such
/// a run finds is not what the host is in.
fn is_the_hosts(cli: &Cli) -> bool {
    let folder = cli.config.as_deref();
    folder.is_none_or(|folder| folder == Path::new(config::FOLDER))
}

fn layout(cli: &Cli) -> Layout {
    Layout::new(&cli.root)
}

fn load_configuration(cli: &Cli) -> Configuration {
    let folder = cli.config.as_deref().unwrap_or(Path::new(config::FOLDER));
    let configuration = config::load(&cli.root, folder);
    works_by(&configuration.sha256);
    configuration
}

/// An agent's name, and its policy or what is wrong with it.
type ConfiguredAgent = (String, Result<config::Policy, config::ConfigError>);

/// The configured agents that a command is for; an unknown name is a usage error.
fn selected<'a>(
    configuration: &'a Configuration,
    names: &[String],
) -> Result<Vec<&'a ConfiguredAgent>, Declined> {
    let known: Vec<_> = configuration
        .agents
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    for name in names {
        if !known.contains(&name.as_str()) {
            let list = if known.is_empty() {
                "none".to_owned()
            } else {
                known.join(", ")
            };
            for problem in &configuration.problems {
                let _ = writeln!(io::stderr(), "error: {problem}");
            }
            // It may stand in what cannot be read: then it is no mistake of whoever called.
            let code = if configuration.problems.is_empty() {
                2
            } else {
                outcome::exit_code(Reason::ConfigurationInvalid)
            };
            let why = format!("there is no agent `{name}` in the configuration");
            return Err(Declined::told(code, why, &format!("configured: {list}")));
        }
    }
    let wanted = |name: &String| names.is_empty() || names.contains(name);
    Ok(configuration
        .agents
        .iter()
        .filter(|(name, _)| wanted(name))
        .collect())
}

/// The report of an agent whose configuration is invalid.
fn misconfigured(name: &str, error: &config::ConfigError) -> AgentReport {
    let first = error.problems.first();
    let message = first.map_or_else(String::new, |problem| {
        let hintless = config::Problem {
            hint: None,
            ..problem.clone()
        };
        format!("the configuration is invalid: {hintless}")
    });
    let hint = first.and_then(|problem| problem.hint.clone());
    let mut report = build::without_facts(name, "", Reason::ConfigurationInvalid, message, hint);
    let others = error.problems.iter().skip(1);
    report.warnings = others
        .map(|problem| problem.to_string().replace('\n', "; "))
        .collect();
    report
}

/// What is told when nothing is configured: no error of a new installation.
fn nothing_configured(configuration: &Configuration) -> Result<(), u8> {
    match configuration.standing() {
        config::Standing::NotConfigured => Err(20),
        config::Standing::Valid | config::Standing::Invalid => Ok(()),
    }
}

/// Prints a document in the form that was asked for.
fn print(
    cli: &Cli,
    document: &Document,
    json: bool,
    detail: Detail,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut out = io::stdout().lock();
    let result = if json {
        let text = serde_json::to_string_pretty(document).context("render the document")?;
        writeln!(out, "{text}")
    } else {
        let form = Form::of_output(colored(cli, io::stdout().is_terminal()));
        text::render(&mut out, document, detail, form, now)
    };
    printed(result)
}

fn colored(cli: &Cli, terminal: bool) -> bool {
    match cli.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        }
    }
}
