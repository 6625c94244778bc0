//! One tick over one agent: gather, decide, and do what the decision says.

use crate::by_hand::{self, ByHand};
use crate::change;
use crate::config::{self, Policy, RepositorySource};
use crate::decision::{Decision, GateName, Reason, Verdict, authorize, decide};
use crate::gather::{self, Gathered, Sources};
use crate::host::{self, NoManager};
use crate::installer::{Installer, Role};
use crate::outcome::{self, State};
use crate::pin::{self, Scene};
use crate::plan::{Plan, Work};
use crate::proof::Trusting;
use crate::repair;
use crate::report::document::TargetReport;
use crate::report::{AgentReport, build};
use crate::repository::{Prepared, Request, Source, prepare, simulate};
use crate::roll_back;
use crate::state::Layout;
use crate::state::agent::AgentState;
use crate::state::damaged::Damaged;
use crate::state::journal::{Journal, Phase};
use crate::stop::StopRequest;
use crate::transaction::observe::runs_installed_file;
use crate::update;
use crate::version_server::Client;
use adapters::{Installed, PackageManager, RepositoryEntry, Runner};
use anyhow::{Context as _, Result};
use chrono::{DateTime, TimeDelta, Utc};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tokio::time::Instant;

/// What a tick is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// Act on the decision.
    Act,
    /// Look at every gate, the repository's too, and change nothing.
    DryRun,
    /// Look at every gate on cheap facts; change nothing and ask no repository.
    Look,
}

/// What all agents of a tick share.
#[derive(Debug)]
pub struct Context<'a, R> {
    /// The host's folders.
    pub layout: &'a Layout,
    /// Runs commands.
    pub runner: &'a R,
    /// The one reading of the clock. UTC.
    pub now: DateTime<Utc>,
    /// When that reading was taken, to tell how long something took.
    pub started: Instant,
    /// What the tick is for.
    pub mode: Mode,
    /// `run --now`.
    pub forced: bool,
    /// What an operator asks for instead of the version server.
    pub by_hand: Option<ByHand>,
    /// Whether this is the superuser.
    pub is_root: bool,
    /// Name of the host.
    pub host: String,
    /// Whether somebody wants us to stop.
    pub stop: StopRequest,
    /// Who makes the changes.
    pub role: Role<'a>,
}

impl<R> Context<'_, R> {
    /// Whether an operator does not want to wait.
    pub(crate) fn forced(&self) -> bool {
        self.forced || self.by_hand.is_some()
    }

    /// The present moment as the one reading of the clock has it, moved on by the time since.
    pub(crate) fn later(&self) -> DateTime<Utc> {
        self.now + TimeDelta::from_std(self.started.elapsed()).unwrap_or_default()
    }

    /// The same at the present moment: the agent before may have taken half an hour, and a window
    /// may have closed meanwhile.
    #[must_use]
    pub fn for_next_agent(&self) -> Self {
        Self {
            now: self.later(),
            started: Instant::now(),
            host: self.host.clone(),
            stop: self.stop.clone(),
            by_hand: self.by_hand.clone(),
            ..*self
        }
    }
}

/// Serves one agent. A fault of this program becomes its report, so that the next agent has its turn.
pub async fn serve<R: Runner>(
    context: &Context<'_, R>,
    name: &str,
    policy: &Policy,
) -> AgentReport {
    let server = &policy.version_server.url;
    // On the heap: everything below is one future, and too large for the stack of every caller.
    let report = match Box::pin(tick(context, name, policy)).await {
        Ok(report) => report,
        Err(error) => {
            let reason = outcome::fault(&error);
            let hint = match error.downcast_ref::<Damaged>() {
                Some(damaged) => Some(damaged.hint()),
                None => build::hint(reason, name),
            };
            build::without_facts(name, server, reason, format!("{error:#}"), hint)
        }
    };
    if context.mode == Mode::Act {
        forget_views(context.layout, report.reason);
    }
    report
}

/// Throws the private views away after a fault that a damaged file in them would explain, however it
/// came to be one: all that is in them can be fetched again, and the next tick does.
fn forget_views(layout: &Layout, reason: Reason) {
    let suspicious = matches!(
        reason,
        Reason::PackageManagerBroken | Reason::RepositoryUntrusted | Reason::InternalError
    );
    if suspicious && let Err(error) = std::fs::remove_dir_all(views(layout)) {
        tracing::debug!(%error, "the private views stay");
    }
}

async fn tick<R: Runner>(
    context: &Context<'_, R>,
    name: &str,
    policy: &Policy,
) -> Result<AgentReport> {
    let (layout, now) = (context.layout, context.now);
    let (manager, platform) = match host::package_manager(layout, policy.package_manager) {
        Ok(found) => found,
        Err(why) => {
            return Ok(without_manager(
                name,
                policy.version_server.url.as_str(),
                why,
            ));
        }
    };
    let (mut stored, unreadable) = load_state(context, name)?;
    let mut journal = Journal::default();
    if context.mode == Mode::Act {
        journal = Journal::load(layout, name)?;
        let left = (&mut stored, &mut journal);
        if let Some(report) = left_open(context, name, (manager.as_ref(), policy), left).await? {
            return Ok(report);
        }
    }
    let plan = context.role.plan();
    let client = client(plan, policy);
    let sources = Sources {
        agent: name,
        policy,
        layout,
        manager: manager.as_ref(),
        runner: context.runner,
        client: client.as_ref().map_err(Clone::clone),
        now,
        by_hand: context.by_hand.as_ref(),
        plan,
    };
    let mut gathered = gather::first(&sources, platform, stored.clone(), context.forced()).await;
    gathered.warnings.extend(unreadable);
    let handed_over = matches!(context.role, Role::Decider(_)) && context.mode == Mode::Act;
    let mut broken = None;
    if context.mode == Mode::Act && !handed_over {
        let journal = &mut journal;
        let repaired =
            repair::broken_package(context, name, &sources, &mut gathered, journal).await?;
        if let Some(report) = repaired {
            return Ok(report);
        }
        broken = repair::go_on_from(&mut gathered);
    }
    let mends = broken.is_some();
    let mut decision = decide(&gathered.facts, now);
    if matches!(decision.verdict, Verdict::Undecided(_)) || context.mode != Mode::Act {
        gather::second(&sources, &mut gathered).await;
        decision = decide(&gathered.facts, now);
    } else {
        gather::refresh_schedule(&sources, &mut gathered).await;
    }
    if let Some(reading) = broken.filter(|_| !matches!(decision.verdict, Verdict::Proceed(_))) {
        gathered.facts.installed = reading;
        decision = decide(&gathered.facts, now);
    }
    let mut report = decided(name, &sources, &mut gathered, &decision);
    if handed_over && let Some(work) = work(context, &sources, &gathered, &decision) {
        return hand_over(context, name, work, &stored, &gathered, report).await;
    }
    if plan.is_some_and(|plan| plan.work == Work::Pin) {
        place_pin(context, name, &sources, &mut gathered, &mut report).await;
        gathered.state.store(layout, name)?;
        return Ok(report);
    }
    if context.mode != Mode::Act {
        running(&sources, &gathered, &mut report).await;
    }
    match context.mode {
        Mode::Look => {}
        Mode::DryRun => dry_run(context, &sources, &mut gathered, &decision, &mut report).await?,
        Mode::Act => {
            let gathered = &mut gathered;
            if !handed_over && (mends || plan.is_none_or(|plan| plan.work != Work::Recover)) {
                change::act(context, name, &sources, gathered, &decision, &mut report).await?;
            }
            if journal.phase == Phase::Stuck {
                let looked =
                    repair::stuck_agent(context, name, &sources, gathered, &mut report).await;
                not_hidden(looked, &mut report)?;
            }
        }
    }
    let concluded = conclude(context, name, &sources, &stored, gathered, &mut report).await;
    not_hidden(concluded, &mut report)?;
    Ok(report)
}

/// The version server's client, but in the installer, which asks none.
fn client(plan: Option<&Plan>, policy: &Policy) -> Result<Client, String> {
    match plan {
        None => Client::new(&policy.version_server).map_err(|error| error.to_string()),
        Some(_) => Err("the installer asks no version server".to_owned()),
    }
}

/// The report of a decision, with the way out where only the facts know it.
fn decided<R: Runner>(
    name: &str,
    sources: &Sources<'_, R>,
    gathered: &mut Gathered,
    decision: &Decision,
) -> AgentReport {
    let policy = sources.policy;
    let server = policy.version_server.url.as_str();
    let (facts, state) = (&gathered.facts, &gathered.state);
    let mut report = build::of_decision(name, server, facts, decision, state, sources.now);
    report.warnings.append(&mut gathered.warnings);
    if matches!(
        report.reason,
        Reason::VersionServerUnreachable | Reason::VersionServerInvalid
    ) {
        report.hint = gathered.server_hint.take();
    }
    if report.reason == Reason::PackageBroken {
        report.hint = Some(repair::way_out(sources.manager, &policy.package));
    }
    report
}

/// Sees to a change that was cut off; `None` where there is none.
async fn left_open<R: Runner>(
    context: &Context<'_, R>,
    name: &str,
    host: (&dyn PackageManager, &Policy),
    (stored, journal): (&mut AgentState, &mut Journal),
) -> Result<Option<AgentReport>> {
    if let Role::Decider(installer) = context.role {
        if !journal.phase.is_open() {
            return Ok(None);
        }
        let plan = Plan::new(name, Work::Recover, context.later());
        return installer.carry_out(context.layout, &plan).await.map(Some);
    }
    let before = stored.clone();
    let Some(mut report) = update::take_up(context, name, host, stored, journal).await? else {
        return Ok(None);
    };
    let recorded = by_hand::record(context, name, &before, stored)
        .and_then(|()| by_hand::remembered(context, stored, &mut report));
    not_hidden(recorded, &mut report)?;
    Ok(Some(report))
}

/// What the decider has to hand over.
fn work<R>(
    context: &Context<'_, R>,
    sources: &Sources<'_, R>,
    gathered: &Gathered,
    decision: &Decision,
) -> Option<Work> {
    if repair::is_broken(gathered) {
        return Some(Work::Recover);
    }
    change::due(context, sources, gathered, decision)
}

/// Has the installer do what is due. What was learnt on the way is on disk before, for the
/// installer has no other source.
async fn hand_over<R: Runner>(
    context: &Context<'_, R>,
    name: &str,
    work: Work,
    stored: &AgentState,
    gathered: &Gathered,
    report: AgentReport,
) -> Result<AgentReport> {
    let Role::Decider(installer) = context.role else {
        return Ok(report);
    };
    by_hand::record(context, name, stored, &gathered.state)?;
    let learnt = AgentState {
        // The installer looks for itself whether the agent restarts again and again.
        restarts: stored.restarts,
        ..gathered.state.clone()
    };
    if learnt.differs(stored) {
        learnt.store(context.layout, name)?;
    }
    let plan = Plan::new(name, work, context.later());
    let told = installer.carry_out(context.layout, &plan).await?;
    Ok(joined(report, &told, &plan.work))
}

/// One report out of the decider's, which asked the version server, and the installer's.
fn joined(own: AgentReport, told: &AgentReport, work: &Work) -> AgentReport {
    let mut warnings = own.warnings.clone();
    for warning in &told.warnings {
        if !warnings.contains(warning) {
            warnings.push(warning.clone());
        }
    }
    let target = TargetReport {
        package_version: told.target.package_version.clone(),
        ..own.target.clone()
    };
    let mut report = match work {
        Work::Change { .. } | Work::Recover => {
            let timing = own.gates.iter().find(|gate| gate.name == GateName::Timing);
            let mut gates = told.gates.clone();
            let theirs = gates
                .iter_mut()
                .find(|gate| gate.name == GateName::Timing && gate.open == Some(true));
            if let (Some(theirs), Some(timing)) = (theirs, timing) {
                theirs.clone_from(timing);
            }
            AgentReport {
                schedule: own.schedule,
                gates,
                ..told.clone()
            }
        }
        // Nothing was changed, so what was decided stands.
        Work::Prefetch { .. } | Work::Pin | Work::GiveBack => AgentReport {
            signature: told.signature.clone(),
            pin: told.pin.clone(),
            hold: told.hold.clone(),
            rollback: told.rollback.clone(),
            phase: told.phase,
            failing_since: told.failing_since,
            ..own
        },
    };
    report.warnings = warnings;
    report.target = target;
    report
}

/// Where a change was begun, what came of it is the report, also when it goes on later, and where one
/// was refused, why: a disk that takes no more words is a warning in it.
fn not_hidden(recorded: Result<()>, report: &mut AgentReport) -> Result<()> {
    let begun = matches!(
        report.state,
        State::Updated | State::RestartPending | State::RolledBack | State::Failed
    ) || report.reason == Reason::Interrupted;
    let refused = report.exit_code != 0;
    match recorded {
        // What is damaged is the worse of two faults, and has its own way out.
        Err(error) if begun || (refused && error.downcast_ref::<Damaged>().is_none()) => {
            report.warnings.push(format!("not recorded: {error:#}"));
            Ok(())
        }
        recorded => recorded,
    }
}

/// What is seen to at the end of every tick: our pin, what is remembered and recorded.
async fn conclude<R: Runner>(
    context: &Context<'_, R>,
    name: &str,
    sources: &Sources<'_, R>,
    stored: &AgentState,
    mut gathered: Gathered,
    report: &mut AgentReport,
) -> Result<()> {
    pin(context, name, sources, &mut gathered, report).await;
    if gathered.state.freshness.accept_older {
        let text =
            "an older index of the repository is accepted once: `agent-updater trust` said so";
        report.warnings.push(text.to_owned());
    }
    note_failing(&mut gathered.state, report, context.now);
    if let Some(by_hand) = &context.by_hand {
        by_hand::conclude(context, by_hand, &mut gathered.state, report);
    }
    by_hand::remembered(context, &gathered.state, report)?;
    if context.mode == Mode::Act {
        by_hand::record(context, name, stored, &gathered.state)?;
    }
    if context.mode == Mode::Act && gathered.state.differs(stored) {
        gathered.state.store(context.layout, name)?;
    }
    Ok(())
}

/// The report of a host whose package manager cannot be driven.
fn without_manager(name: &str, server: &str, why: NoManager) -> AgentReport {
    let (reason, why, hint) = match why {
        NoManager::Unsupported(why) => (Reason::UnsupportedPlatform, why, None),
        NoManager::Ambiguous(why) => {
            let hint = format!("set `package_manager` of agent {name} in the configuration");
            (Reason::ConfigurationInvalid, why, Some(hint))
        }
    };
    build::without_facts(name, server, reason, why, hint)
}

/// Sees to our own pin once the tick has found that all is well, or has updated; a tick that went
/// wrong, or for which another updater is in charge, leaves it as it is.
async fn pin<R: Runner>(
    context: &Context<'_, R>,
    name: &str,
    sources: &Sources<'_, R>,
    gathered: &mut Gathered,
    report: &mut AgentReport,
) {
    let (policy, manager) = (sources.policy, sources.manager);
    let settled = matches!(
        report.state,
        State::UpToDate | State::Updated | State::Waiting | State::RestartPending
    ) && !matches!(report.reason, Reason::HandsOff | Reason::NoTarget);
    let unwanted = !policy.pin && gathered.state.pin.is_some();
    if context.mode != Mode::Act || !(settled || unwanted) {
        report.pin = pin::of_host(policy.pin, context.layout, manager, &policy.package);
        return;
    }
    match context.role {
        Role::Decider(installer) => {
            if let Err(error) = have_pinned(context, name, installer, sources, gathered).await {
                let text = format!("the package may not be pinned: {error:#}");
                report.warnings.push(text);
            }
            tell_pin(policy, gathered, report);
        }
        Role::Alone | Role::Installer(_) => {
            place_pin(context, name, sources, gathered, report).await;
        }
    }
}

/// Has the installer see to the pin, where there is something to do.
async fn have_pinned<R: Runner>(
    context: &Context<'_, R>,
    name: &str,
    installer: &Installer,
    sources: &Sources<'_, R>,
    gathered: &mut Gathered,
) -> Result<()> {
    let scene = pin_scene(context);
    let present = gathered.facts.installed.value();
    if pin::is_kept(&scene, sources, &gathered.state, present)? {
        return Ok(());
    }
    let plan = Plan::new(name, Work::Pin, context.later());
    let told = installer.carry_out(context.layout, &plan).await?;
    gathered.warnings.extend(told.warnings);
    gathered.state.pin = AgentState::load(context.layout, name)?.pin;
    Ok(())
}

fn pin_scene<'a, R>(context: &'a Context<'_, R>) -> Scene<'a> {
    Scene {
        layout: context.layout,
        host: &context.host,
        called: "tick",
        now: context.later(),
    }
}

/// Sees to the pin, in this process.
async fn place_pin<R: Runner>(
    context: &Context<'_, R>,
    name: &str,
    sources: &Sources<'_, R>,
    gathered: &mut Gathered,
    report: &mut AgentReport,
) {
    let scene = pin_scene(context);
    let installed = gathered.facts.installed.value();
    let offering = gathered.offering.as_deref();
    let kept = pin::keep(
        &scene,
        name,
        sources,
        &mut gathered.state,
        installed,
        offering,
    );
    if let Err(error) = kept.await {
        report
            .warnings
            .push(format!("the package may not be pinned: {error:#}"));
    }
    tell_pin(sources.policy, gathered, report);
}

fn tell_pin(policy: &Policy, gathered: &Gathered, report: &mut AgentReport) {
    let pin = pin::of_state(policy.pin, &gathered.state);
    report.warnings.extend(
        pin.refused
            .iter()
            .map(|why| format!("the package is not pinned in {why}")),
    );
    report.pin = Some(pin);
}

/// Remembers since when a fault from outside lasts. A tick that only waits did not ask the
/// repository, and is no sign that it is well again.
fn note_failing(state: &mut AgentState, report: &mut AgentReport, now: DateTime<Utc>) {
    state.failing_since = if outcome::may_pass(report.exit_code) {
        // A clock that was set back starts the count anew.
        Some(
            state
                .failing_since
                .filter(|since| *since <= now)
                .unwrap_or(now),
        )
    } else {
        state
            .failing_since
            .filter(|_| report.state == State::Waiting)
    };
    report.failing_since = state.failing_since;
}

/// The kept state. Only root can read it; an ordinary user's dry run goes without, and says so.
fn load_state<R>(context: &Context<'_, R>, name: &str) -> Result<(AgentState, Option<String>)> {
    match AgentState::load(context.layout, name) {
        Err(error) if context.mode != Mode::Act && !context.is_root => {
            let text = format!("only root can read what earlier ticks remembered ({error:#})");
            Ok((AgentState::default(), Some(text)))
        }
        loaded => Ok((loaded?, None)),
    }
}

/// Which version the main process runs, where that can be told from the package's own files.
async fn running<R: Runner>(
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
    }
}

/// What the repository says, asked in a folder that is thrown away afterwards.
async fn dry_run<R: Runner>(
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
        report.gates.extend(gates);
    }
    report.changed = report.state == State::WouldUpdate;
    Ok(())
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

/// Where the private views are kept.
pub(crate) fn views(layout: &Layout) -> std::path::PathBuf {
    layout.cache().join("views")
}

pub(crate) async fn prepared<R: Runner>(
    context: &Context<'_, R>,
    sources: &Sources<'_, R>,
    gathered: &Gathered,
    folder: &Path,
) -> Result<Option<Prepared>> {
    use crate::decision::Target;
    let (Some(Installed::Present(installed)), Some(Target::Version(target))) = (
        gathered.facts.installed.value(),
        gathered.facts.target.value(),
    ) else {
        return Ok(None);
    };
    if installed.version.target().as_ref() == Some(target) {
        return Ok(None);
    }
    let source = source(&sources.policy.repository.source);
    let request = Request {
        manager: sources.manager,
        package: &sources.policy.package,
        installed,
        target,
        source: &source,
        downgrade: gathered.facts.downgrade,
        trusting: Trusting {
            agent: sources.agent,
            policy: &sources.policy.repository,
            freshness: &gathered.state.freshness,
        },
        located: gathered.state.located.as_ref(),
        folder,
        layout: context.layout,
        is_root: context.is_root,
    };
    prepare(&request, context.runner, context.now)
        .await
        .map(Some)
}

/// The configuration's word for a repository, as the adapters speak of it.
fn source(configured: &RepositorySource) -> Source {
    match configured {
        RepositorySource::Host => Source::Host,
        RepositorySource::Entry(id) => Source::Entry(id.clone()),
        RepositorySource::Own(own) => Source::Own(Box::new(RepositoryEntry {
            id: "configured".to_owned(),
            name: "configured".to_owned(),
            urls: vec![own.url.to_string()],
            suite: own.suite.clone().unwrap_or_default(),
            components: own.components.clone(),
            key_files: vec![own.key_file.clone()],
            signed_metadata: true,
            defined_at: (Path::new(config::FOLDER).join("config.toml"), 1),
            ..RepositoryEntry::default()
        })),
    }
}
