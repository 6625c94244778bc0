//! What an earlier tick, or somebody else, left broken: our package half-installed or registered
//! twice without a journal that says why, and agents that no version could be brought to work of.
//!
//! Only our own package is ever repaired. The rest of the package manager's state is its
//! administrator's; a gate says so, with the command.

use crate::decision::{Health, Reading, Reason, Target};
use crate::gather::{Gathered, Sources, find_unit};
use crate::health::probe::examine;
use crate::outcome::{self, State};
use crate::packages;
use crate::progress::Doing;
use crate::report::document::HealthReport;
use crate::report::{AgentReport, build};
use crate::state::agent::AgentState;
use crate::state::durations::Durations;
use crate::state::history::Actor;
use crate::state::journal::{Event, HealthBefore, Journal, KeptPackage, Phase, Transaction};
use crate::tick::Context;
use crate::transaction::quiet::wait_until_quiet;
use crate::transaction::{REPAIR, recover};
use crate::update::{scene_of, take_over};
use adapters::{Change, Installed, NativeVersion, PackageManager, PackageName, Runner};
use anyhow::Result;
use chrono::TimeDelta;

/// After every repair failed it is tried again so much later.
const RETRY: TimeDelta = TimeDelta::hours(6);

/// Repairs our package where the database calls it broken. `None` where there is nothing to repair
/// (any more), or nothing to repair it with.
pub(crate) async fn broken_package<R: Runner>(
    context: &Context<'_, R>,
    name: &str,
    sources: &Sources<'_, R>,
    gathered: &mut Gathered,
    journal: &mut Journal,
) -> Result<Option<AgentReport>> {
    if !is_broken(gathered) {
        return Ok(None);
    }
    let (layout, manager) = (context.layout, sources.manager);
    // To whoever asks during a transaction of somebody else it looks the same.
    let doing = Doing {
        what: "looking whether the package manager is at rest".to_owned(),
        locks: manager.locks().map(str::to_owned).into(),
        ..Doing::default()
    };
    context.doing(name, doing);
    if let Err(holder) = wait_until_quiet(layout, manager.locks(), "none", &[]).await {
        let server = &sources.policy.version_server.url;
        let reason = Reason::PackageManagerBusy;
        return Ok(Some(build::without_facts(
            name,
            server,
            reason,
            format!("the package manager is busy: {holder}"),
            None,
        )));
    }
    ask_again(context, sources, gathered).await;
    let now = context.later();
    let rests = journal.phase == Phase::Stuck
        && journal
            .since
            .is_some_and(|since| since <= now && now - since < RETRY);
    if !is_broken(gathered) || rests {
        return Ok(None);
    }
    find_unit(sources, gathered).await;
    let Some(change) = repairable(context, name, sources, gathered) else {
        return Ok(None);
    };
    let scene = scene_of(context, sources, gathered);
    journal.transaction = Some(change);
    journal.record(layout, name, Event::Begun, now)?;
    let applied = recover(&scene, (journal, &mut gathered.state)).await?;
    let server = &sources.policy.version_server.url;
    let mut report = build::without_facts(name, server, applied.reason, String::new(), None);
    report.gates.clear();
    take_over(&mut report, &applied, &gathered.state, false);
    report.changed = true;
    Ok(Some(report))
}

pub(crate) fn is_broken(gathered: &Gathered) -> bool {
    let installed = gathered.facts.installed.value();
    matches!(installed, Some(Installed::Broken { .. }))
}

/// What an operator can do about a package that we could not repair.
pub(crate) fn way_out(manager: &dyn PackageManager, package: &PackageName) -> String {
    let by_hand = match manager.finish(package) {
        Some(command) => format!("see why `{command}` fails as root"),
        None => format!("remove one of the versions of {package} (`rpm -q {package}` lists them)"),
    };
    format!("{by_hand}; a half-installed version is left by itself for another target")
}

/// What a run would try on a package that is broken, in this order; nothing where it has no means.
pub(crate) fn would_try<R: Runner>(
    context: &Context<'_, R>,
    sources: &Sources<'_, R>,
    gathered: &Gathered,
) -> Vec<String> {
    let Some(change) = repairable(context, sources.agent, sources, gathered) else {
        return Vec::new();
    };
    let manager = sources.manager;
    let put = |package: &Option<KeptPackage>, way: &Change| {
        let package = package.as_ref()?;
        Some(manager.install_file(way, &package.file))
    };
    let commands = [
        manager.finish(&change.package),
        put(&change.new, &change.forward()),
        put(&change.old, &change.backward()),
    ];
    let commands = commands.iter().flatten();
    commands.map(ToString::to_string).collect()
}

/// Where nothing repairs a half-installed version, going on to another one may: its version is then
/// taken as installed, and as sick. Returns what the database says, for the case that nothing comes
/// of it. Several versions at once are no place to go on from.
pub(crate) fn go_on_from(gathered: &mut Gathered) -> Option<Reading<Installed>> {
    let (Some(Installed::Broken { detail, versions }), Some(Target::Version(target))) = (
        gathered.facts.installed.value(),
        gathered.facts.target.value(),
    ) else {
        return None;
    };
    let [package] = versions.as_slice() else {
        return None;
    };
    if package.version.target().as_ref() == Some(target) {
        return None;
    }
    gathered.half_installed = Some(detail.clone());
    let as_installed = Installed::Present(package.clone());
    let read_at = gathered.facts.installed.read_at()?;
    let reading = Reading::taken(as_installed, read_at);
    Some(std::mem::replace(&mut gathered.facts.installed, reading))
}

async fn ask_again<R: Runner>(
    context: &Context<'_, R>,
    sources: &Sources<'_, R>,
    gathered: &mut Gathered,
) {
    let package = &sources.policy.package;
    let query = sources.manager.query_installed(package);
    let installed = match context.runner.run(&query).await {
        Ok(output) => sources.manager.read_installed(package, &output),
        Err(failure) => Err(failure),
    };
    if let Ok(installed) = installed {
        gathered.facts.installed = Reading::taken(installed, context.later());
    }
}

/// The repair as a change from a kept version to the newest that the database names; `None` without
/// any means.
fn repairable<R: Runner>(
    context: &Context<'_, R>,
    name: &str,
    sources: &Sources<'_, R>,
    gathered: &Gathered,
) -> Option<Transaction> {
    let Some(Installed::Broken { versions, .. }) = gathered.facts.installed.value() else {
        return None;
    };
    let mut versions: Vec<_> = versions.iter().map(|package| &package.version).collect();
    versions.sort_by(|a, b| a.compare(b));
    let to = (*versions.last()?).clone();
    let state = &gathered.state;
    let new = packages::find(state, &to).cloned();
    let old = another(state, &versions, &to);
    if new.is_none() && old.is_none() && sources.manager.finish(&sources.policy.package).is_none() {
        return None;
    }
    let from = old.as_ref().map_or(&to, |package| &package.version).clone();
    let started_at = context.later();
    let unit = gathered
        .unit
        .as_ref()
        .and_then(|unit| unit.as_ref().ok().cloned());
    Some(Transaction {
        id: format!("{}-{name}", started_at.format("%Y%m%dT%H%M%S%.3fZ")),
        package: sources.policy.package.clone(),
        architecture: old
            .as_ref()
            .or(new.as_ref())
            .map(|package| package.architecture.clone())
            .unwrap_or_default(),
        from,
        to,
        trigger: REPAIR.to_owned(),
        started_at,
        // Whatever it is afterwards, the repair is not to blame for it.
        health_before: HealthBefore::Unhealthy,
        // The transaction that broke off may have stopped it.
        ran_before: true,
        unit,
        new,
        old,
        no_way_back: None,
        undo: None,
        hold: None,
        held: false,
        repairs: 0,
        actor: Some(Actor::of_this_process("tick")),
        durations: Durations::default(),
    })
}

/// A kept package of another version, one that the database names rather than any.
fn another(
    state: &AgentState,
    versions: &[&NativeVersion],
    to: &NativeVersion,
) -> Option<KeptPackage> {
    let mut others: Vec<_> = state
        .packages
        .iter()
        .filter(|package| package.version != *to)
        .collect();
    others.sort_by_key(|package| !versions.contains(&&package.version));
    let whole = others
        .into_iter()
        .find(|package| packages::check(package).is_ok());
    whole.cloned()
}

/// Looks again at an agent that could not be brought to work: it may have recovered, or it still is
/// what somebody has to act on, although nothing else is due.
pub(crate) async fn stuck_agent<R: Runner>(
    context: &Context<'_, R>,
    name: &str,
    sources: &Sources<'_, R>,
    gathered: &mut Gathered,
    report: &mut AgentReport,
) -> Result<()> {
    // This very tick may have made a change, which then counts.
    let mut journal = Journal::load(context.layout, name)?;
    let whole = matches!(
        gathered.facts.installed.value(),
        Some(Installed::Present(_))
    );
    let is_changed = matches!(
        report.state,
        State::Updated | State::RestartPending | State::RolledBack | State::Failed
    );
    if journal.phase != Phase::Stuck || !whole || is_changed {
        return Ok(());
    }
    if gathered.examination.is_none() {
        find_unit(sources, gathered).await;
        let scene = scene_of(context, sources, gathered);
        let examination = examine(&scene.probes, None, context.runner).await;
        gathered.examination = Some(examination);
    }
    let health = gathered
        .examination
        .as_ref()
        .map(|examination| &examination.health);
    // Told also where it is well again: what was told before would stand.
    report.health = HealthReport {
        read_at: Some(context.later()),
        ..build::health(health)
    };
    let Some(Health::Unhealthy(evidence)) = health else {
        return journal.record(context.layout, name, Event::Settled, context.later());
    };
    if matches!(report.state, State::UpToDate | State::Waiting) {
        let last = gathered.state.last_attempt.as_ref();
        let no_way_back =
            last.is_some_and(|attempt| attempt.result == Reason::UnhealthyAfterUpdate.as_str());
        report.reason = if no_way_back {
            Reason::UnhealthyAfterUpdate
        } else {
            Reason::RollbackFailed
        };
        report.state = State::Failed;
        report.exit_code = outcome::exit_code(report.reason);
        report.message = format!("the last change left the agent unhealthy: {evidence}");
        report.hint = Some(
            "look at the agent's journal; a new target is taken at once, `rollback` goes back by hand"
                .to_owned(),
        );
    }
    Ok(())
}
