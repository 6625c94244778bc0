//! One tick over one agent: gather, decide, and do what the decision says.

/// What a real run would do.
mod dry_run;
/// Everything that a tick would look at.
mod examined;
/// What the decider leaves to the installer.
mod hand_over;

mod key;

mod noted;
/// What the repository offers of the target.
mod offer;
/// Our own pin at the end of a tick.
mod pinned;
/// A process that outlived the update of its program.
mod restart;

pub(crate) use examined::{Asked, Examined, examine};
pub(crate) use offer::{prepared, views};

use crate::by_hand::{self, ByHand};
use crate::change;
use crate::config::Policy;
use crate::decision::{Decision, Reason, Verdict, decide};
use crate::gather::{self, Gathered, Sources};
use crate::host::{self, NoManager};
use crate::installer::Role;
use crate::outcome::{self, State};
use crate::plan::Work;
use crate::progress::{Doing, Progress};
use crate::repair;
use crate::report::{AgentReport, build};
use crate::state::Layout;
use crate::state::agent::AgentState;
use crate::state::damaged::Damaged;
use crate::state::journal::{Journal, Phase};
use crate::stop::StopRequest;
use adapters::Runner;
use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
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

    /// Tells whoever watches what begins now.
    pub(crate) fn doing(&self, agent: &str, doing: Doing) {
        if self.mode == Mode::Act {
            Progress::tell(self.layout, agent, doing, self.later());
        }
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
    // The decider asks no repository, and an installer that it lost may have left a package manager
    // at work in them.
    if context.mode == Mode::Act && !matches!(context.role, Role::Decider(_)) {
        offer::forget_views(context.layout, report.reason);
    }
    report
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
        if let Some(report) =
            hand_over::left_open(context, name, (manager.as_ref(), policy), left).await?
        {
            return Ok(report);
        }
    }
    let plan = context.role.plan();
    let client = hand_over::client(plan, policy);
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
    gathered.unreadable = unreadable;
    let handed_over = matches!(context.role, Role::Decider(_)) && context.mode == Mode::Act;
    let mut broken = None;
    if context.mode == Mode::Act && !handed_over {
        let journal = &mut journal;
        let repaired = repaired(context, &sources, &stored, &mut gathered, journal).await?;
        if let Some(report) = repaired {
            return Ok(report);
        }
        broken = repair::go_on_from(&mut gathered);
    }
    let mends = broken.is_some();
    let mut decision = decide(&gathered.facts, now);
    // An agent that was sick is looked at until it is well again, also when no change is due: what is
    // told of it must not be an old reading.
    let was_sick = gathered.state.unhealthy_since.is_some();
    let is_undecided = matches!(decision.verdict, Verdict::Undecided(_));
    if is_undecided || was_sick || context.mode != Mode::Act {
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
    restart::pending(&sources, &mut gathered, &mut report).await;
    if handed_over && let Some(work) = hand_over::work(context, &sources, &gathered, &decision) {
        return hand_over::hand_over(context, name, work, &stored, &gathered, report).await;
    }
    if plan.is_some_and(|plan| plan.work == Work::Pin) {
        pinned::place_pin(context, name, &sources, &mut gathered, &mut report).await;
        gathered.state.store(layout, name)?;
        return Ok(report);
    }
    if context.mode != Mode::Act {
        dry_run::running(&sources, &gathered, &mut report).await;
    }
    match context.mode {
        Mode::Look => {}
        Mode::DryRun => {
            dry_run::dry_run(context, &sources, &mut gathered, &decision, &mut report).await?;
            dry_run::repair(context, &sources, &gathered, &mut report);
        }
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
            change::for_want_of_room(context, name, &mut report);
        }
    }
    let concluded = conclude(context, name, &sources, &stored, gathered, &mut report).await;
    not_hidden(concluded, &mut report)?;
    Ok(report)
}

/// Repairs our package where it is broken; `None` where there is nothing to repair.
async fn repaired<R: Runner>(
    context: &Context<'_, R>,
    sources: &Sources<'_, R>,
    stored: &AgentState,
    gathered: &mut Gathered,
    journal: &mut Journal,
) -> Result<Option<AgentReport>> {
    let name = sources.agent;
    let repaired = repair::broken_package(context, name, sources, gathered, journal).await?;
    let Some(mut report) = repaired else {
        return Ok(None);
    };
    let state = &mut gathered.state;
    let recorded = by_hand::record(context, name, stored, state)
        .and_then(|()| by_hand::remembered(context, state, &mut report));
    not_hidden(recorded, &mut report)?;
    noted::note_and_store(context, name, stored, state, &mut report)?;
    Ok(Some(report))
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
    pinned::pin(context, name, sources, &mut gathered, report).await;
    if gathered.state.freshness.accept_older {
        let text =
            "an older index of the repository is accepted once: `agent-updater trust` said so";
        report.warnings.push(text.to_owned());
    }
    noted::note(&mut gathered.state, report, context.now);
    if let Some(by_hand) = &context.by_hand {
        by_hand::conclude(context, by_hand, &mut gathered.state, report);
    }
    by_hand::remembered(context, &gathered.state, report)?;
    if let Some(why) = gathered.unreadable.take() {
        build::not_remembered(report, why);
    }
    if context.mode != Mode::Act && report.phase.is_some_and(Phase::is_open) {
        let text = "a change is under way, or was cut off: then the next run finishes or undoes it before it decides anything";
        report.warnings.push(text.to_owned());
    }
    if context.mode == Mode::Act {
        let state = &mut gathered.state;
        if let Err(error) = key::look_again(sources, state, report, context.now) {
            let text =
                format!("whether the repository's key was prolonged is not known: {error:#}");
            report.warnings.push(text);
        }
        by_hand::record(context, name, stored, &gathered.state)?;
    }
    if context.mode == Mode::Act && gathered.state.differs(stored) {
        gathered.state.store(context.layout, name)?;
    }
    Ok(())
}

/// The report of a host whose package manager cannot be driven.
fn without_manager(name: &str, server: &str, why: NoManager) -> AgentReport {
    let hint = why.hint(name);
    let (reason, why) = match why {
        NoManager::Unsupported(why) => (Reason::UnsupportedPlatform, why),
        NoManager::Ambiguous(why) => (Reason::ConfigurationInvalid, why),
    };
    build::without_facts(name, server, reason, why, Some(hint))
}

/// The kept state. Only root can read it; an ordinary user's dry run goes without, and says so.
fn load_state<R>(context: &Context<'_, R>, name: &str) -> Result<(AgentState, Option<String>)> {
    match AgentState::load(context.layout, name) {
        Err(error) if context.mode != Mode::Act && !context.is_root => {
            let text = format!(
                "only root can read what earlier runs and operators left, so hold, quarantine and the \
                 way back are not known ({error:#})"
            );
            Ok((AgentState::default(), Some(text)))
        }
        loaded => Ok((loaded?, None)),
    }
}
