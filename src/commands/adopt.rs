use super::operator::refuse;
use super::turn::{Turn, exclusive};
use super::{layout, load_configuration};
use crate::ancestor::{self, Taken};
use crate::cli::{AdoptArguments, Cli};
use crate::config::{self, Configuration, Standing};
use crate::host;
use crate::outcome::exit_code;
use crate::state::history::{self, AdoptionEvent, Header};
use crate::state::{Layout, files};
use crate::tick::Mode;
use adapters::{CommandSpec, Installed, PackageName, ProcessRunner, Runner as _};
use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is done, in this order: each step leaves the host with one updater at most.
enum Step {
    /// The ancestor's timer goes.
    Disable(CommandSpec),
    /// Our configuration is written.
    Write(PathBuf, String),
    /// The ancestor's stop on the package goes.
    Take(Taken),
}

impl Step {
    fn describe(&self) -> String {
        match self {
            Self::Disable(command) | Self::Take(Taken::Command(command)) => command.to_string(),
            Self::Write(path, text) => {
                let lines: Vec<String> = text.lines().map(|line| format!("    {line}")).collect();
                format!("write {}:\n{}", path.display(), lines.join("\n"))
            }
            Self::Take(Taken::File(path, _)) => {
                format!("take the package out of the excludes of {}", path.display())
            }
        }
    }
}

/// `adopt`: takes over from the ancestor.
pub(super) async fn run(cli: &Cli, arguments: &AdoptArguments, now: DateTime<Utc>) -> Result<u8> {
    let layout = layout(cli);
    let mode = if arguments.dry_run {
        Mode::DryRun
    } else {
        Mode::Act
    };
    if layout.root != Path::new("/") {
        refuse(
            "nothing is changed under another root than /",
            "leave `--root` out",
        );
        return Ok(2);
    }
    let Some(settings) = ancestor::settings(&layout)? else {
        refuse(
            &format!("there is no {}", ancestor::FOLDER),
            "only hosts that Teleport's earlier updater served have it; write /etc/agent-updater/config.toml by hand",
        );
        return Ok(20);
    };
    let _lock = match exclusive(&layout, mode, rustix::process::geteuid().is_root())? {
        Turn::Ours(lock) => lock,
        Turn::Not(reason, why) => {
            refuse(&why, "say it again as root, or when that run is over");
            return Ok(exit_code(reason));
        }
    };
    let runner = ProcessRunner::new();
    if let Some((message, hint, code)) = obstacle(&layout, &runner).await {
        refuse(&message, hint);
        return Ok(code);
    }
    let configuration = load_configuration(cli);
    let (steps, remarks) =
        match plan(cli, arguments, &layout, &settings, &configuration, &runner).await? {
            Ok(planned) => planned,
            Err((message, hint)) => {
                refuse(&message, &hint);
                return Ok(20);
            }
        };
    let mut out = io::stdout().lock();
    let mut done = Vec::new();
    for step in &steps {
        if !arguments.dry_run {
            carry_out(&layout, step, &runner).await?;
        }
        let word = if arguments.dry_run {
            "would: "
        } else {
            "done: "
        };
        done.push(step.describe());
        writeln!(out, "{word}{}", step.describe())?;
    }
    for remark in &remarks {
        writeln!(out, "note: {remark}")?;
    }
    if steps.is_empty() {
        writeln!(out, "nothing is left to take over")?;
    } else if arguments.dry_run {
        return Ok(0);
    } else {
        let host = host::name();
        history::append(
            &layout,
            &AdoptionEvent {
                header: Header::new((&host, &arguments.name), now, "adopt", "adopted", "adopt"),
                steps: &done,
            },
        )?;
        writeln!(
            out,
            "The next tick pins the package anew; `agent-updater run --dry-run` shows what it will do."
        )?;
    }
    Ok(0)
}

/// Why it cannot be now, with the way out and the exit code.
async fn obstacle(layout: &Layout, runner: &ProcessRunner) -> Option<(String, &'static str, u8)> {
    if let Some(file) = ancestor::cron_files(layout).first() {
        return Some((
            format!("{} calls teleport-upgrade", file.display()),
            "remove that line, so that both never run at once, and say it again",
            26,
        ));
    }
    if !host::has_systemd(layout) {
        return None;
    }
    let state = systemctl(&[
        "show",
        "--property=ActiveState",
        "--value",
        ancestor::SERVICE,
    ]);
    let output = runner.run(&state).await.ok()?;
    let is_at_work = matches!(
        output.stdout.trim(),
        "active" | "activating" | "deactivating"
    );
    is_at_work.then(|| {
        let message = format!("{} is at work just now", ancestor::SERVICE);
        (message, "say it again when it is done", 24)
    })
}

type Planned = Result<(Vec<Step>, Vec<String>), (String, String)>;

async fn plan(
    cli: &Cli,
    arguments: &AdoptArguments,
    layout: &Layout,
    settings: &ancestor::Settings,
    configuration: &Configuration,
    runner: &ProcessRunner,
) -> Result<Planned> {
    let mut steps = Vec::new();
    if ancestor::enabled_timer(layout).is_some() || is_active(layout, runner).await {
        steps.push(Step::Disable(systemctl(&[
            "disable",
            "--now",
            ancestor::TIMER,
        ])));
    }
    let mut remarks = Vec::new();
    let mut complete = configuration.clone();
    let has_package = configuration.agents.iter().any(|(_, policy)| {
        policy
            .as_ref()
            .is_ok_and(|policy| policy.package.as_str() == settings.package)
    });
    if has_package {
        remarks.push(format!(
            "{} is configured already, and stays as it is",
            settings.package
        ));
    } else {
        let folder = cli.config.as_deref().unwrap_or(Path::new(config::FOLDER));
        let path = folder
            .join("config.d")
            .join(format!("{}.toml", arguments.name));
        let (text, more) = match ancestor::translate(settings, &arguments.name) {
            Ok(translated) => translated,
            Err(why) => {
                let hint = "write the channel's address there, or configure the agent by hand";
                return Ok(Err((why, hint.to_owned())));
            }
        };
        remarks.extend(more);
        let taken = configuration
            .agents
            .iter()
            .any(|(name, _)| *name == arguments.name);
        if taken || files::read_if_there(&layout.host(&path))?.is_some() {
            let message = format!(
                "there is an agent `{}` of another package already",
                arguments.name
            );
            return Ok(Err((
                message,
                "choose another name with `--name`".to_owned(),
            )));
        }
        complete = ancestor::with(configuration, &path, &text, &layout.root);
        if complete.standing() != Standing::Valid {
            let problems = complete.all_problems();
            let first = problems
                .first()
                .map_or_else(String::new, ToString::to_string);
            let message =
                format!("what the ancestor was told makes no valid configuration: {first}");
            return Ok(Err((
                message,
                "mend it there, or configure the agent by hand".to_owned(),
            )));
        }
        steps.push(Step::Write(path, text));
    }
    let policy = complete.agents.iter().find_map(|(_, policy)| {
        policy
            .as_ref()
            .ok()
            .filter(|policy| policy.package.as_str() == settings.package)
    });
    if let Some(policy) = policy
        && !arguments.keep_holds
    {
        match host::package_manager(layout, policy.package_manager) {
            Ok((manager, _)) => {
                let held = is_held(manager.as_ref(), &policy.package, runner).await;
                let mut places: Vec<PathBuf> = ancestor::YUM_FILES.map(PathBuf::from).to_vec();
                places.push(ancestor::ZYPPER_LOCKS.into());
                let texts = one_of_each(host::configuration(layout, &places)?);
                let taken = ancestor::take_over(manager.kind(), &policy.package, held, &texts);
                steps.extend(taken.into_iter().map(Step::Take));
            }
            Err(why) => remarks.push(format!("holds are left as they are: {why:?}")),
        }
    }
    Ok(Ok((steps, remarks)))
}

/// Without links to a file that is among them: /etc/yum.conf is one on hosts of dnf.
fn one_of_each(files: Vec<adapters::ConfigurationFile>) -> Vec<adapters::ConfigurationFile> {
    let mut seen = Vec::new();
    let mut kept = Vec::new();
    for file in files {
        let real = std::fs::canonicalize(&file.path).unwrap_or_else(|_| file.path.clone());
        if !seen.contains(&real) {
            seen.push(real);
            kept.push(file);
        }
    }
    kept
}

async fn is_held(
    manager: &dyn adapters::PackageManager,
    package: &PackageName,
    runner: &ProcessRunner,
) -> bool {
    let Ok(output) = runner.run(&manager.query_installed(package)).await else {
        return false;
    };
    matches!(manager.read_installed(package, &output), Ok(Installed::Present(installed)) if installed.held)
}

async fn is_active(layout: &Layout, runner: &ProcessRunner) -> bool {
    let state = systemctl(&["is-active", "--quiet", ancestor::TIMER]);
    host::has_systemd(layout)
        && runner
            .run(&state)
            .await
            .is_ok_and(|output| output.returned_zero())
}

fn systemctl(arguments: &[&str]) -> CommandSpec {
    let arguments = arguments.iter().copied();
    CommandSpec::query(
        "systemctl",
        arguments,
        "see to the ancestor's units",
        Duration::from_secs(60),
    )
}

async fn carry_out(layout: &Layout, step: &Step, runner: &ProcessRunner) -> Result<()> {
    match step {
        Step::Disable(command) | Step::Take(Taken::Command(command)) => {
            let output = runner
                .run(command)
                .await
                .map_err(|failure| anyhow::anyhow!("{failure}"))?;
            anyhow::ensure!(
                output.returned_zero(),
                "`{command}` failed: {}",
                output.stderr.lines().next().unwrap_or_default()
            );
        }
        Step::Write(path, text) => {
            let path = layout.host(path);
            files::create_folder(path.parent().context("a drop-in has a folder")?, 0o755)?;
            files::replace(&path, text.as_bytes(), 0o644)?;
        }
        Step::Take(Taken::File(path, text)) => files::rewrite(&layout.host(path), text.as_bytes())?,
    }
    Ok(())
}
