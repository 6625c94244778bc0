//! Begins the transaction that a decision asks for, or takes up one that was cut off, and puts what
//! came of it into the report.

use crate::announce;
use crate::change::guard;
use crate::config::Policy;
use crate::decision::{Reason, Timing};
use crate::gather::{Gathered, Sources};
use crate::health::probe::{Examination, Probes, examine};
use crate::host;
use crate::outcome::{self, State};
use crate::packages;
use crate::report::{AgentReport, build, words};
use crate::repository::Offer;
use crate::state::agent::AgentState;
use crate::state::durations::Durations;
use crate::state::history::Actor;
use crate::state::journal::{Journal, KeptPackage, Transaction};
use crate::tick::Context;
use crate::transaction::observe::health_before;
use crate::transaction::{Applied, Scene, install, recover};
use crate::trust::Proof;
use crate::way_back;
use adapters::{Change, CommandSpec, PackageManager, Runner};
use anyhow::Result;
use chrono::TimeDelta;
use std::path::PathBuf;

/// A package file that was fetched and proven.
#[derive(Debug)]
pub(crate) struct Fetched {
    /// The file.
    pub file: PathBuf,
    /// Whose word it is.
    pub proof: Proof,
    /// How long it took to fetch and prove it, where that counts.
    pub took: Option<TimeDelta>,
}

/// A change with all that it needs.
#[derive(Debug)]
pub(crate) struct Start {
    /// The change.
    pub change: Change,
    /// The command that makes it.
    pub command: CommandSpec,
    /// Whether that command is the one for a bare package file.
    pub from_file: bool,
    /// The new version's package in our cache.
    pub new: Option<KeptPackage>,
    /// That of the present version, or why it is not there.
    pub old: Result<KeptPackage, String>,
    /// How long it took to fetch and prove the new version's package, where it was fetched.
    pub download: Option<TimeDelta>,
}

/// Makes the change, observes it, and records what came of it.
pub(crate) async fn begin<R: Runner>(
    context: &Context<'_, R>,
    name: &str,
    sources: &Sources<'_, R>,
    gathered: &mut Gathered,
    (offer, change, fetched): (&Offer, &Change, Fetched),
    timing: Timing,
    report: &mut AgentReport,
) -> Result<()> {
    let guard = guard(&offer.listed);
    let command = sources.manager.install(&offer.view, change, guard.as_ref());
    report.plan = vec![command.to_string()];
    let scene = scene_of(context, sources, gathered);
    let new = keep_new(&scene, change, &fetched, &mut gathered.state, report);
    let old = match &gathered.half_installed {
        None => way_back::secure(&scene, offer, change, &mut gathered.state).await,
        Some(detail) => Err(format!("it is half-installed: {detail}")),
    };
    let start = Start {
        change: change.clone(),
        command,
        from_file: false,
        new,
        old,
        download: fetched.took,
    };
    carry_out(context, name, sources, gathered, start, timing, report).await?;
    if report.installed.package_version.as_deref() == Some(change.to.as_str()) {
        gathered
            .state
            .installed_signature
            .clone_from(&report.signature);
    }
    report.installed_signature = gathered
        .state
        .installed_signature
        .clone()
        .filter(|signature| {
            report.installed.package_version.as_ref() == Some(&signature.package_version)
        });
    Ok(())
}

/// Makes a change for which everything is there.
pub(crate) async fn carry_out<R: Runner>(
    context: &Context<'_, R>,
    name: &str,
    sources: &Sources<'_, R>,
    gathered: &mut Gathered,
    start: Start,
    timing: Timing,
    report: &mut AgentReport,
) -> Result<()> {
    let Start {
        change,
        command,
        from_file,
        new,
        old,
        download,
    } = start;
    let scene = scene_of(context, sources, gathered);
    let examination = examined(&scene, gathered).await;
    let by_hand = sources.by_hand;
    let trigger = by_hand.map_or_else(
        || timing.reason().as_str(),
        |asked| asked.command.to_owned(),
    );
    let no_way_back = old.as_ref().err().cloned();
    if let Some(why) = &no_way_back {
        report
            .warnings
            .push(format!("there is no way back to {}: {why}", change.from));
    }
    let started_at = context.later();
    let transaction = Transaction {
        id: format!("{}-{name}", started_at.format("%Y%m%dT%H%M%S%.3fZ")),
        package: change.package.clone(),
        from: change.from.clone(),
        to: change.to.clone(),
        architecture: change.architecture.clone(),
        trigger,
        started_at,
        health_before: health_before(Some(&examination.health)),
        unit: scene.unit_name(),
        // A transaction that broke off may have stopped it.
        ran_before: examination.main_pid.is_some() || gathered.half_installed.is_some(),
        new,
        old: old.ok(),
        no_way_back,
        undo: None,
        held: false,
        repairs: 0,
        hold: by_hand.map(|by_hand| by_hand.hold(&gathered.state, started_at)),
        actor: Some(Actor::of_this_process(
            by_hand.map_or("tick", |asked| asked.command),
        )),
        durations: Durations::of_download(download),
    };
    announce::begun(name, &transaction);
    let mut journal = Journal::load(context.layout, name)?;
    let applied = install(
        &scene,
        transaction,
        (command, from_file),
        (&mut journal, &mut gathered.state),
    )
    .await?;
    take_over(report, &applied, &gathered.state, true);
    Ok(())
}

/// Finishes or undoes a change that something cut off, before anything new is decided. `None` where
/// nothing was under way.
pub(crate) async fn take_up<R: Runner>(
    context: &Context<'_, R>,
    name: &str,
    host: (&dyn PackageManager, &Policy),
    state: &mut AgentState,
    journal: &mut Journal,
) -> Result<Option<AgentReport>> {
    leave_settled(context, name, host, (state, journal), false).await
}

/// The same; with `only_look` within somebody else's transaction, where nothing can be installed.
pub(crate) async fn leave_settled<R: Runner>(
    context: &Context<'_, R>,
    name: &str,
    (manager, policy): (&dyn PackageManager, &Policy),
    (state, journal): (&mut AgentState, &mut Journal),
    only_look: bool,
) -> Result<Option<AgentReport>> {
    let Some(change) = journal
        .transaction
        .clone()
        .filter(|_| journal.phase.is_open())
    else {
        return Ok(None);
    };
    let unit = policy.health.unit.then(|| match change.unit {
        Some(unit) if host::has_systemd(context.layout) => Ok(unit),
        _ => Err("systemd does not run on this host".to_owned()),
    });
    let mut scene = scene(context, name, manager, policy, unit);
    scene.only_look = only_look;
    let applied = recover(&scene, (journal, state)).await?;
    let server = &policy.version_server.url;
    let mut report = build::without_facts(name, server, applied.reason, String::new(), None);
    report.gates.clear();
    report.target.package_version = Some(change.to.as_str().to_owned());
    report.target.version = change.to.target().map(|version| version.to_string());
    report.quarantine.clone_from(&state.quarantine);
    take_over(&mut report, &applied, state, false);
    report.changed = true;
    Ok(Some(report))
}

/// The scene of an agent whose facts were gathered.
pub(crate) fn scene_of<'a, R>(
    context: &'a Context<'a, R>,
    sources: &'a Sources<'a, R>,
    gathered: &Gathered,
) -> Scene<'a, R> {
    let unit = gathered.unit.clone();
    scene(
        context,
        sources.agent,
        sources.manager,
        sources.policy,
        unit,
    )
}

fn scene<'a, R>(
    context: &'a Context<'a, R>,
    agent: &'a str,
    manager: &'a dyn PackageManager,
    policy: &'a Policy,
    unit: Option<Result<String, String>>,
) -> Scene<'a, R> {
    Scene {
        context,
        agent,
        policy,
        manager,
        probes: Probes {
            unit,
            http: policy.health.http.clone(),
            command: policy.health.command.clone(),
            timeout: policy.health.timeout,
            confirm: policy.health.confirm,
        },
        stop: context.stop.clone(),
        only_look: false,
    }
}

/// The agent before the change; looked at now where the decision did not need it.
async fn examined<R: Runner>(scene: &Scene<'_, R>, gathered: &mut Gathered) -> Examination {
    if let Some(examination) = &gathered.examination {
        return examination.clone();
    }
    let restarts = gathered.state.restarts;
    let examination = examine(&scene.probes, restarts, scene.context.runner).await;
    gathered.examination = Some(examination.clone());
    examination
}

/// Keeps the new version's package for a repair. Without it the update is still made.
pub(crate) fn keep_new<R: Runner>(
    scene: &Scene<'_, R>,
    change: &Change,
    fetched: &Fetched,
    state: &mut AgentState,
    report: &mut AgentReport,
) -> Option<KeptPackage> {
    let place = (scene.context.layout, scene.agent);
    let version = (&change.to, change.architecture.as_str());
    let now = scene.context.later();
    match packages::keep(place, &fetched.file, version, &fetched.proof, now) {
        Ok(package) => {
            packages::remember(state, package.clone());
            Some(package)
        }
        Err(error) => {
            report.warnings.push(format!("{error:#}"));
            None
        }
    }
}

/// The report after a change.
pub(crate) fn take_over(
    report: &mut AgentReport,
    applied: &Applied,
    state: &AgentState,
    is_begun_now: bool,
) {
    report.reason = applied.reason;
    report.state = match applied.reason {
        Reason::Updated => State::Updated,
        Reason::RestartPending => State::RestartPending,
        Reason::RolledBack => State::RolledBack,
        Reason::Interrupted => State::Waiting,
        _ => State::Failed,
    };
    report.exit_code = outcome::exit_code(applied.reason);
    let began = state.last_attempt.as_ref();
    report.message = match began.filter(|_| applied.reason == Reason::Updated && is_begun_now) {
        Some(attempt) => format!("{} ({})", applied.message, words::trigger(&attempt.trigger)),
        None => applied.message.clone(),
    };
    report.hint.clone_from(&applied.hint);
    report.warnings.extend(applied.warnings.iter().cloned());
    report.last_attempt.clone_from(&state.last_attempt);
    report.quarantine.clone_from(&state.quarantine);
    report.pending_since = state.pending.as_ref().map(|pending| pending.since);
    if applied.installed.is_some() {
        let before = report.installed.clone();
        report.installed = build::installed(applied.installed.as_ref());
        report.changed = report.installed != before;
    }
    if let Some(examination) = &applied.examination {
        report.health = build::health(Some(&examination.health));
        if applied.reason == Reason::Updated && examination.main_pid.is_some() {
            report.running.version.clone_from(&report.installed.version);
            report.running.read_at = state.last_attempt.as_ref().map(|attempt| attempt.ended_at);
        }
    }
}
