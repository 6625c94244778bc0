//! What a real run would do.

use super::Context;
use super::offer::{prepared, views};
use crate::change;
use crate::decision::authorize::describe;
use crate::decision::{Decision, Gate, Reason, RepositoryFacts, Verdict, authorize};
use crate::gather::{Gathered, Sources};
use crate::outcome::State;
use crate::repair;
use crate::report::{AgentReport, build};
use crate::repository::{Prepared, simulate};
use crate::roll_back;
use crate::transaction::observe::runs_installed_file;
use adapters::{PackageChange, Runner};
use anyhow::{Context as _, Result};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

/// Which version the main process runs, where that can be told from the package's own files.
pub(super) async fn running<R: Runner>(
    sources: &Sources<'_, R>,
    gathered: &Gathered,
    report: &mut AgentReport,
) {
    let Some(pid) = gathered
        .examination
        .as_ref()
        .and_then(|examination| examination.main_pid)
    else {
        return;
    };
    let package = &sources.policy.package;
    let Ok(output) = sources
        .runner
        .run(&sources.manager.list_files(package))
        .await
    else {
        return;
    };
    let Ok(files) = sources.manager.read_files(package, &output) else {
        return;
    };
    if runs_installed_file(Some(pid), &files) {
        report.running.version.clone_from(&report.installed.version);
        report.running.read_at = gathered.facts.health.read_at();
    }
}

/// What a run would do before it decides: repair what is broken.
pub(super) fn repair<R: Runner>(
    context: &Context<'_, R>,
    sources: &Sources<'_, R>,
    gathered: &Gathered,
    report: &mut AgentReport,
) {
    if !repair::is_broken(gathered) {
        return;
    }
    report.plan = repair::would_try(context, sources, gathered);
    if !report.plan.is_empty() {
        report.changed = true;
        report.hint = Some(format!(
            "`agent-updater run {}` repairs it, with the first of the commands that helps",
            report.name
        ));
    }
}

/// What the repository says, asked in a folder that is thrown away afterwards.
pub(super) async fn dry_run<R: Runner>(
    context: &Context<'_, R>,
    sources: &Sources<'_, R>,
    gathered: &mut Gathered,
    decision: &Decision,
    report: &mut AgentReport,
) -> Result<()> {
    if matches!(decision.verdict, Verdict::Proceed(_))
        && let Some(kept) = roll_back::kept(context, sources, gathered)
    {
        let name = sources.agent;
        return roll_back::put_back(context, name, sources, gathered, kept, report).await;
    }
    let scratch = tempfile::Builder::new()
        .prefix("agent-updater-")
        // The package manager drops to a user of its own for the download.
        .permissions(Permissions::from_mode(0o755))
        .tempdir()
        .context("create a folder for the dry run")?;
    let Some(mut prepared) = prepared(context, sources, gathered, scratch.path()).await? else {
        return Ok(());
    };
    let (manager, is_root) = (sources.manager, context.is_root);
    let (runner, now) = (context.runner, context.now);
    simulate(manager, &mut prepared, is_root, runner, now).await;
    let proceeds = matches!(decision.verdict, Verdict::Proceed(_));
    report.warnings.extend(prepared.warnings.iter().cloned());
    report.target.package_version = prepared
        .facts
        .change
        .as_ref()
        .map(|change| change.to.as_str().to_owned());
    report.plan = plan(context, sources, &prepared);
    report.changes = changes(&prepared.facts);
    if let (Some(offer), Some(change)) = (&prepared.offer, &prepared.facts.change) {
        let now = context.later();
        let signature = offer.proven.signature(None, &offer.entry, change, now);
        report.signature = signature.or(report.signature.take());
    }
    let gates = authorize(&prepared.facts);
    if proceeds {
        build::authorized(report, gates, &report.name.clone());
        build::advised(report, prepared.hint);
    } else {
        foretell(report, &gates, prepared.hint);
        report.gates.extend(gates);
    }
    report.changed = report.state == State::WouldUpdate;
    Ok(())
}

/// Says of a change that has to wait what would become of it then, as things are.
fn foretell(report: &mut AgentReport, gates: &[Gate], hint: Option<String>) {
    let mut closed = gates.iter().filter(|gate| gate.open == Some(false));
    if let (State::Waiting, Some(gate)) = (report.state, closed.next()) {
        let text = format!("; as things are it would be refused then: {}", gate.value);
        report.message.push_str(&text);
        let reason = gate.reason.unwrap_or(Reason::InternalError);
        report.hint = hint.or_else(|| build::hint(reason, &report.name));
    }
}

/// What the package manager says it would change, one line for each package. dnf does not say from
/// which version; of our package it is known.
fn changes(facts: &RepositoryFacts) -> Vec<String> {
    let from = |line: &PackageChange| {
        let ours = facts.change.as_ref()?;
        (line.name == ours.package.as_str()).then(|| ours.from.as_str().to_owned())
    };
    let simulation = facts.simulation.value();
    let lines = simulation.into_iter().flatten().map(|line| PackageChange {
        from: line.from.clone().or_else(|| from(line)),
        ..line.clone()
    });
    lines.map(|line| describe(&line)).collect()
}

/// The commands as they would run for real, with the folders of a real run.
fn plan<R: Runner>(
    context: &Context<'_, R>,
    sources: &Sources<'_, R>,
    prepared: &Prepared,
) -> Vec<String> {
    let (Some(offer), Some(change)) = (&prepared.offer, &prepared.facts.change) else {
        return Vec::new();
    };
    let folder = offer
        .view
        .folder
        .file_name()
        .map(|name| views(context.layout).join(name))
        .unwrap_or_default();
    let view = sources
        .manager
        .private_view(&offer.entry, &sources.policy.package, &folder);
    let manager = sources.manager;
    let guard = change::guard(&offer.listed);
    let simulates = (!manager.download_simulates()).then(|| manager.simulate(&view, change));
    let commands = [
        Some(manager.refresh(&view)),
        simulates,
        Some(manager.download(&view, change)),
        Some(manager.install(&view, change, guard.as_ref())),
    ];
    let commands = commands.iter().flatten();
    commands.map(ToString::to_string).collect()
}
