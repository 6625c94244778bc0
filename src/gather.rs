//! Learns the facts for the decision, no more of them than it needs.
//!
//! The first step asks the version server for the version, beside one question to the package
//! database; nearly every tick ends there. The second step asks what a due change needs: the
//! critical flag and the schedule on the same connection, beside the host's own health.

mod planned;
mod schedule;
mod unit_and_holds;

pub use self::schedule::{ScheduleQuestion, parse_schedule, schedule};
use self::schedule::{forget_other_places, known};
pub(crate) use self::unit_and_holds::find_unit;
pub use self::unit_and_holds::holds;

use crate::by_hand::ByHand;
use crate::config::{Downgrade, OnCritical, Policy, ScheduleSource};
use crate::decision::{
    Critical, Facts, FailedAttempts, Health, Platform, Reading, Target, TimingPolicy,
};
use crate::health::probe::{Examination, Probes, examine};
use crate::host;
use crate::plan::Plan;
use crate::state::Layout;
use crate::state::agent::{AgentState, Pending};
use crate::state::operator::hear;
use crate::version_server::{Answer, Client, ServerError, VersionAnswer};
use adapters::{Failure, Installed, PackageManager, RepositoryEntry, Runner, TargetVersion};
use chrono::{DateTime, TimeDelta, Utc};

/// A schedule older than this is asked for even when no change is due.
const SCHEDULE_AGE: TimeDelta = TimeDelta::hours(6);
/// A clock that agrees with the server's `Date` to this is confirmed.
const CLOCK_AGREEMENT: TimeDelta = TimeDelta::minutes(5);
/// The confirmed clock is stored at this grain, so that an idle tick writes nothing.
const CLOCK_GRAIN: TimeDelta = TimeDelta::hours(6);

/// What is gathered for one agent.
#[derive(Debug)]
pub struct Gathered {
    /// The facts.
    pub facts: Facts,
    /// The state as it is to be stored.
    pub state: AgentState,
    /// The way out of what the version server did wrong.
    pub server_hint: Option<String>,
    /// Why nothing is known of what earlier runs and operators left, where only root can read it.
    pub unreadable: Option<String>,
    /// What deserves attention and stops nothing.
    pub warnings: Vec<String>,
    /// The unit, where it is known or could be found out.
    pub unit: Option<Result<String, String>>,
    /// The examination of the agent, where it was needed.
    pub examination: Option<Examination>,
    /// The entries that offer the package, where the tick has asked them all.
    pub offering: Option<Vec<RepositoryEntry>>,
    /// Whether the version server said what it wants.
    pub server_answers: bool,
    /// Its clock, where it told it. UTC.
    pub server_date: Option<DateTime<Utc>>,
    /// What the database says of a half-installed package whose version is taken as installed,
    /// because another one is the only repair that is left.
    pub half_installed: Option<String>,
}

/// The agent, its policy, and the ways to ask.
#[derive(Debug)]
pub struct Sources<'a, R> {
    /// The agent's name.
    pub agent: &'a str,
    /// What the configuration says.
    pub policy: &'a Policy,
    /// The host's folders.
    pub layout: &'a Layout,
    /// The package manager.
    pub manager: &'a dyn PackageManager,
    /// Runs commands.
    pub runner: &'a R,
    /// The version server, or why it cannot be asked.
    pub client: Result<&'a Client, String>,
    /// The present moment. UTC.
    pub now: DateTime<Utc>,
    /// What an operator asks for instead of the version server.
    pub by_hand: Option<&'a ByHand>,
    /// What the decider asks for, in the installer: then no server is asked.
    pub plan: Option<&'a Plan>,
}

impl<R> Sources<'_, R> {
    fn schedule_question(&self, reachable: bool) -> ScheduleQuestion<'_> {
        ScheduleQuestion {
            policy: self.policy,
            layout: self.layout,
            client: self.client.clone(),
            reachable,
            now: self.now,
        }
    }
}

/// Asks for the version and for what is installed, at the same time.
pub async fn first<R: Runner>(
    sources: &Sources<'_, R>,
    platform: Platform,
    state: AgentState,
    forced: bool,
) -> Gathered {
    let Sources {
        policy,
        layout,
        now,
        ..
    } = *sources;
    let query = sources.manager.query_installed(&policy.package);
    let (answer, output) = tokio::join!(
        async {
            match &sources.client {
                Ok(client) => client
                    .version(state.version.as_ref(), now)
                    .await
                    .map_err(Problem::from),
                Err(error) => Err(Problem {
                    error: error.clone(),
                    hint: None,
                    invalid: true,
                }),
            }
        },
        sources.runner.run(&query)
    );
    let installed =
        output.and_then(|output| sources.manager.read_installed(&policy.package, &output));
    let mut gathered = Gathered {
        facts: Facts {
            misconfigured: None,
            built_at: built_at(),
            confirmed_clock: state.confirmed_clock,
            platform: Reading::taken(platform, now),
            installed: reading(installed, now),
            target: Reading::NotTaken,
            downgrade: policy.downgrade,
            minimum_version: policy.minimum_version,
            cluster: if policy.compatibility.is_some() {
                Reading::NotTaken
            } else {
                Reading::taken(None, now)
            },
            quarantine: Vec::new(),
            holds: Reading::NotTaken,
            critical: Reading::NotTaken,
            schedule: Reading::NotTaken,
            health: Reading::NotTaken,
            pending_since: None,
            failed: None,
            max_attempts: policy.max_attempts,
            forced,
            forced_by: "--now",
            planned: None,
            timing: TimingPolicy {
                window_margin: time_delta(policy.window_margin),
                spread: time_delta(policy.spread),
                share: 0.0,
                catch_up_after: policy.catch_up_after.map(|windows| windows as usize),
                critical_opens: policy.on_critical == OnCritical::Update,
                freezes: policy.freeze.clone(),
            },
        },
        state,
        server_hint: None,
        unreadable: None,
        warnings: Vec::new(),
        unit: policy
            .health
            .unit
            .then(|| policy.unit.clone().map(Ok))
            .flatten(),
        examination: None,
        offering: None,
        server_answers: answer.is_ok(),
        server_date: answer.as_ref().ok().and_then(|answer| answer.server_date),
        half_installed: None,
    };
    match sources.plan {
        None => take_in(&mut gathered, answer, now),
        Some(plan) => planned::take_in(&mut gathered, plan),
    }
    gathered.state.hold.take_if(|hold| hold.is_over(now));
    if forced {
        gathered.state.failures = None;
    }
    if let Some(by_hand) = sources.by_hand {
        asked_by_hand(&mut gathered, by_hand, now);
    } else {
        note_pending(&mut gathered, layout, now);
    }
    note_what_failed(&mut gathered);
    gathered
}

/// Takes in what the version server said, or that it did not.
fn take_in(
    gathered: &mut Gathered,
    answer: Result<Answer<VersionAnswer>, Problem>,
    now: DateTime<Utc>,
) {
    match answer {
        Ok(answer) => {
            hear(&mut gathered.state, answer.kept.value.target().copied());
            confirm_clock(&mut gathered.state, answer.server_date, now);
            let target = match &answer.kept.value {
                VersionAnswer::None => Target::None,
                VersionAnswer::Target(version) => Target::Version(*version),
            };
            gathered.facts.target = Reading::taken(target, now);
            gathered.state.version = Some(answer.kept);
        }
        Err(Problem {
            error,
            hint,
            invalid,
        }) => {
            gathered.server_hint = hint;
            gathered.facts.target = Reading::Failed { error, invalid };
        }
    }
}

/// Puts the operator's word in the place of the version server's, which may be away.
fn asked_by_hand(gathered: &mut Gathered, by_hand: &ByHand, now: DateTime<Utc>) {
    if let Reading::Failed { error, .. } = &gathered.facts.target {
        let text = format!("the version server, which is not needed for this: {error}");
        gathered.warnings.push(text);
        gathered.server_hint = None;
    }
    gathered.facts.target = Reading::taken(Target::Version(by_hand.target), now);
    gathered.facts.forced_by = by_hand.command;
    if by_hand.is_rollback() {
        gathered.facts.downgrade = Downgrade::Allow;
        gathered.facts.minimum_version = None;
    }
}

/// What this host found of the target in earlier attempts.
fn note_what_failed(gathered: &mut Gathered) {
    let state = &gathered.state;
    let bad = state.quarantine.iter();
    gathered.facts.quarantine = bad.map(|bad| (bad.version, bad.cause.clone())).collect();
    let failures = state.failures.as_ref().filter(|failures| {
        let to = failures.to.target();
        matches!(gathered.facts.target.value(), Some(Target::Version(target)) if to == Some(*target))
    });
    gathered.facts.failed = failures.map(|failures| FailedAttempts {
        count: failures.count,
        last_at: failures.last_at,
    });
}

/// Asks everything that a due change needs.
pub async fn second<R: Runner>(sources: &Sources<'_, R>, gathered: &mut Gathered) {
    let Sources { policy, now, .. } = *sources;
    find_unit(sources, gathered).await;
    let probes = Probes {
        unit: gathered.unit.clone(),
        http: policy.health.http.clone(),
        command: policy.health.command.clone(),
        timeout: policy.health.timeout,
        confirm: policy.health.confirm,
    };
    let restarts = gathered.state.restarts;
    let mut server_state = gathered.state.clone();
    // A server that does not even say the version is not asked again and again.
    let reachable = gathered.server_answers;
    let ((critical, schedule, cluster, warnings), examination) = tokio::join!(
        async {
            let mut warnings = Vec::new();
            if let Some(plan) = sources.plan {
                return planned::server_facts(sources, plan, &server_state).await;
            }
            let critical = critical(sources, reachable, &mut warnings).await;
            let question = sources.schedule_question(reachable);
            let schedule = schedule(&question, &mut server_state.schedule, &mut warnings).await;
            let cluster = cluster(sources, &mut server_state, &mut warnings).await;
            (critical, schedule, cluster, warnings)
        },
        examine(&probes, restarts, sources.runner)
    );
    let mut examination = examination;
    if let Some(detail) = &gathered.half_installed {
        examination.health = Health::Unhealthy(format!("the package is half-installed: {detail}"));
    }
    gathered.state = server_state;
    gathered.state.restarts = examination.restarts;
    gathered.warnings.extend(warnings);
    gathered.facts.critical = critical;
    gathered.facts.schedule = Reading::taken(schedule, now);
    gathered.facts.cluster = cluster;
    gathered.facts.health = Reading::taken(examination.health.clone(), now);
    gathered.examination = Some(examination);
    gathered.facts.holds = holds(sources, gathered).await;
}

/// Keeps the schedule fresh although no change is due, on the connection that is open already; in
/// between the last answers say what counts.
pub async fn refresh_schedule<R: Runner>(sources: &Sources<'_, R>, gathered: &mut Gathered) {
    let reachable = gathered.server_answers;
    let question = sources.schedule_question(reachable);
    let (memory, warnings) = (&mut gathered.state.schedule, &mut gathered.warnings);
    forget_other_places(&question, memory);
    // One that is missing or cannot be read may be there again any time.
    let is_there =
        memory.kept.is_some() && memory.missing_since.is_none() && memory.unreadable.is_none();
    let is_fresh = |asked| asked <= sources.now && sources.now - asked < SCHEDULE_AGE;
    let is_asked = reachable
        && !(is_there && memory.asked_at.is_some_and(is_fresh))
        && matches!(
            sources.policy.schedule,
            ScheduleSource::Auto | ScheduleSource::Server
        );
    gathered.facts.schedule = if is_asked {
        let fact = schedule(&question, memory, warnings).await;
        Reading::taken(fact, sources.now)
    } else {
        known(&question, memory, warnings).unwrap_or_default()
    };
}

async fn critical<R: Runner>(
    sources: &Sources<'_, R>,
    reachable: bool,
    warnings: &mut Vec<String>,
) -> Reading<Critical> {
    let client = match &sources.client {
        Ok(client) if reachable => client,
        _ => {
            return Reading::Failed {
                error: "the version server does not answer".to_owned(),
                invalid: false,
            };
        }
    };
    let value = match client.critical(None, sources.now).await {
        Ok(answer) if answer.kept.value => Critical::Yes,
        Ok(_) => Critical::No,
        Err(error) => {
            warnings.push(format!("not taken as critical: {error}"));
            Critical::NoAnswer(error.to_string())
        }
    };
    Reading::taken(value, sources.now)
}

async fn cluster<R: Runner>(
    sources: &Sources<'_, R>,
    state: &mut AgentState,
    warnings: &mut Vec<String>,
) -> Reading<Option<TargetVersion>> {
    let Some(url) = &sources.policy.compatibility else {
        return Reading::taken(None, sources.now);
    };
    let client = match &sources.client {
        Ok(client) => client,
        Err(error) => {
            return Reading::Failed {
                error: error.clone(),
                invalid: true,
            };
        }
    };
    match client
        .cluster_version(url.as_str(), state.cluster.as_ref(), sources.now)
        .await
    {
        Ok(answer) => {
            let version = answer.kept.value;
            state.cluster = Some(answer.kept);
            Reading::taken(Some(version), sources.now)
        }
        Err(error) => match state
            .cluster
            .as_ref()
            .filter(|kept| kept.url.starts_with(url.as_str()))
        {
            Some(kept) => {
                warnings.push(format!("the cluster's version is the kept one: {error}"));
                Reading::taken(Some(kept.value), kept.fetched_at)
            }
            None => Reading::Failed {
                error: error.to_string(),
                invalid: false,
            },
        },
    }
}

/// Why a question to the version server failed.
struct Problem {
    error: String,
    hint: Option<String>,
    invalid: bool,
}

impl From<ServerError> for Problem {
    fn from(error: ServerError) -> Self {
        Self {
            hint: error.hint(),
            invalid: error.came_from_an_answer(),
            error: error.to_string(),
        }
    }
}

fn reading<T>(result: Result<T, Failure>, now: DateTime<Utc>) -> Reading<T> {
    match result {
        Ok(value) => Reading::taken(value, now),
        Err(failure) => Reading::Failed {
            error: failure.to_string(),
            invalid: false,
        },
    }
}

/// Remembers since when the target differs, and this host's share of a spread for it.
fn note_pending(gathered: &mut Gathered, layout: &Layout, now: DateTime<Utc>) {
    let target = match gathered.facts.target.value().cloned() {
        Some(Target::Version(target)) => target,
        Some(Target::None) => {
            gathered.state.pending = None;
            return;
        }
        None => return,
    };
    let Some(Installed::Present(package)) = gathered.facts.installed.value() else {
        return;
    };
    if package.version.target().as_ref() == Some(&target) {
        gathered.state.pending = None;
        return;
    }
    let since = match &gathered.state.pending {
        Some(pending) if pending.target == target && pending.since <= now => pending.since,
        _ => now,
    };
    gathered.facts.timing.share = host::share(layout, &target.to_string());
    gathered.facts.pending_since = Some(since);
    gathered.state.pending = Some(Pending { target, since });
}

/// Moves the mark of the confirmed clock, at a grain that keeps idle ticks from writing.
fn confirm_clock(state: &mut AgentState, server: Option<DateTime<Utc>>, now: DateTime<Utc>) {
    let agrees = server.is_some_and(|server| (server - now).abs() <= CLOCK_AGREEMENT);
    let moves = state
        .confirmed_clock
        .is_none_or(|mark| now - mark >= CLOCK_GRAIN);
    if agrees && moves {
        state.confirmed_clock = Some(now);
    }
}

/// A span of the configuration, which is bounded there.
fn time_delta(span: std::time::Duration) -> TimeDelta {
    TimeDelta::from_std(span).unwrap_or(TimeDelta::MAX)
}

/// The moment of the build, from the build script.
fn built_at() -> DateTime<Utc> {
    env!("AGENT_UPDATER_BUILT_AT")
        .parse()
        .ok()
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
        .unwrap_or_default()
}
