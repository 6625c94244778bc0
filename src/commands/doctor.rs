use super::answer::printed;
use super::{colored, layout, load_configuration, selected};
use crate::cli::{Cli, DoctorArguments};
use crate::config;
use crate::doctor::{look, render};
use crate::host;
use crate::installer::Role;
use crate::report::page::Form;
use crate::stop::StopRequest;
use crate::tick::{Context, Mode};
use adapters::ProcessRunner;
use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use tokio::time::Instant;

/// `doctor`: what would keep this host from being updated.
pub(super) async fn run(cli: &Cli, arguments: &DoctorArguments, now: DateTime<Utc>) -> Result<u8> {
    let layout = layout(cli);
    let configuration = load_configuration(cli);
    let agents = match selected(&configuration, &arguments.agents) {
        Ok(agents) => agents,
        Err(declined) => return declined.answered(arguments.json, now),
    };
    let runner = ProcessRunner::new();
    let context = Context {
        layout: &layout,
        runner: &runner,
        now,
        started: Instant::now(),
        mode: Mode::DryRun,
        forced: false,
        by_hand: None,
        is_root: rustix::process::geteuid().is_root(),
        host: host::name(),
        stop: StopRequest::default(),
        role: Role::Alone,
    };
    let folder = cli.config.as_deref().unwrap_or(Path::new(config::FOLDER));
    let folder = folder.display().to_string();
    let examination = look(&context, &configuration, &folder, &agents).await;
    let mut out = io::stdout().lock();
    let told = if arguments.json {
        let text = serde_json::to_string_pretty(&examination).context("render the findings")?;
        writeln!(out, "{text}")
    } else {
        let color = colored(cli, io::stdout().is_terminal());
        render(&mut out, &examination, Form::of_output(color))
    };
    printed(told)?;
    Ok(examination.exit_code)
}
