use super::document::{
    AgentReport, HealthReport, RunningReport, ScheduleReport, TargetReport, VersionReport,
    WindowReport,
};
use crate::decision::{
    Critical, Decision, Facts, Gate, GateName, Health, Reason, ScheduleFact, Target, Timing,
    Verdict,
};
use crate::outcome::{self, exit_code};
use crate::report::words;
use crate::schedule::{Freeze, Opening, Schedule};
use crate::state::agent::AgentState;
use adapters::Installed;
use chrono::{DateTime, Local, Utc};

/// What is told of a health that the run did not need.
pub(super) const NOT_ASKED: &str = "not_asked";
/// What is told of a schedule that nothing is known of.
pub(super) const SCHEDULE_NOT_ASKED: &str = "not asked";

/// How many windows a report shows.
const SHOWN_WINDOWS: usize = 3;

/// The report of an agent that could not even be looked at.
pub fn without_facts(
    name: &str,
    server: &str,
    reason: Reason,
    message: String,
    hint: Option<String>,
) -> AgentReport {
    let gate = match reason {
        Reason::UnsupportedPlatform => GateName::Platform,
        Reason::AnotherInstance => GateName::Resources,
        _ => GateName::Configured,
    };
    AgentReport {
        name: name.to_owned(),
        state: outcome::stopped(reason),
        reason,
        gates: vec![Gate::closed(gate, reason, &message)],
        message,
        hint,
        warnings: Vec::new(),
        exit_code: exit_code(reason),
        signature: None,
        installed_signature: None,
        failing_since: None,
        changed: false,
        installed: VersionReport::default(),
        running: RunningReport::default(),
        target: TargetReport {
            server: server.to_owned(),
            ..TargetReport::default()
        },
        health: HealthReport {
            verdict: NOT_ASKED.to_owned(),
            ..HealthReport::default()
        },
        schedule: ScheduleReport::default(),
        plan: Vec::new(),
        changes: Vec::new(),
        pending_since: None,
        last_success_at: None,
        consecutive_failures: 0,
        last_attempt: None,
        attempts: None,
        quarantine: Vec::new(),
        pin: None,
        hold: None,
        rollback: None,
        progress: None,
        phase: None,
    }
}

/// The report that follows from facts and decision, before anything is done.
pub fn of_decision(
    name: &str,
    server: &str,
    facts: &Facts,
    decision: &Decision,
    state: &AgentState,
    now: DateTime<Utc>,
) -> AgentReport {
    let (report_state, reason) = outcome::of_decision(decision.verdict);
    let mut report = without_facts(name, server, reason, message(facts, decision), None);
    report.state = report_state;
    report.hint = hint(reason, name);
    report.gates.clone_from(&decision.gates);
    report.installed = installed(facts.installed.value());
    report.target = target(server, facts);
    report.health = HealthReport {
        read_at: facts.health.read_at(),
        ..health(facts.health.value())
    };
    report.schedule = ScheduleReport {
        read_at: facts.schedule.read_at(),
        ..schedule(facts, now)
    };
    // While the version server does not answer, the change that it asked for still waits.
    let installed_version = match facts.installed.value() {
        Some(Installed::Present(package)) => package.version.target(),
        _ => None,
    };
    let asked_before = state.pending.as_ref();
    let asked_before = asked_before
        .filter(|pending| installed_version != Some(pending.target))
        .map(|pending| pending.since);
    report.pending_since = match facts.target.value() {
        Some(_) => facts.pending_since,
        None => asked_before,
    };
    report.last_attempt.clone_from(&state.last_attempt);
    report.quarantine.clone_from(&state.quarantine);
    report.signature.clone_from(&state.signature);
    report.installed_signature = state.installed_signature.clone().filter(|signature| {
        // Somebody may have put another version in its place.
        report.installed.package_version.as_deref() == Some(&signature.package_version)
    });
    report
}

/// What is installed.
pub fn installed(installed: Option<&Installed>) -> VersionReport {
    match installed {
        Some(Installed::Present(package)) => VersionReport {
            version: package.version.target().map(|version| version.to_string()),
            package_version: Some(package.version.as_str().to_owned()),
        },
        _ => VersionReport::default(),
    }
}

fn target(server: &str, facts: &Facts) -> TargetReport {
    TargetReport {
        version: match facts.target.value() {
            Some(Target::Version(version)) => Some(version.to_string()),
            Some(Target::None) | None => None,
        },
        package_version: None,
        critical: facts
            .critical
            .value()
            .map(|critical| *critical == Critical::Yes),
        critical_read_at: facts.critical.read_at(),
        asked_by: None,
        server: server.to_owned(),
        fetched_at: facts.target.read_at(),
    }
}

/// Whether it works.
pub fn health(health: Option<&Health>) -> HealthReport {
    let (verdict, evidence) = match health {
        None => (NOT_ASKED, ""),
        Some(Health::Healthy(evidence)) => ("healthy", evidence.as_str()),
        Some(Health::Unhealthy(evidence)) => ("unhealthy", evidence.as_str()),
        Some(Health::Stopped(evidence)) => ("stopped", evidence.as_str()),
        Some(Health::Unknown(evidence)) => ("unknown", evidence.as_str()),
    };
    HealthReport {
        verdict: verdict.to_owned(),
        evidence: evidence.to_owned(),
        read_at: None,
    }
}

fn schedule(facts: &Facts, now: DateTime<Utc>) -> ScheduleReport {
    match facts.schedule.value() {
        None => ScheduleReport {
            source: SCHEDULE_NOT_ASKED.to_owned(),
            ..ScheduleReport::default()
        },
        Some(ScheduleFact::HandsOff { source }) => ScheduleReport {
            source: format!("{source}: nop"),
            ..ScheduleReport::default()
        },
        Some(ScheduleFact::None { why, .. } | ScheduleFact::Unconfirmed { why, .. }) => {
            ScheduleReport {
                source: format!("none: {why}"),
                ..ScheduleReport::default()
            }
        }
        Some(ScheduleFact::InForce { schedule, source }) => {
            let open = schedule.open_at(now);
            let next = open
                .into_iter()
                .chain(schedule.upcoming(now, SHOWN_WINDOWS))
                .take(SHOWN_WINDOWS);
            ScheduleReport {
                source: source.clone(),
                time_zone: Some(schedule.zone().name().to_owned()),
                read_at: None,
                next: next
                    .map(|opening| WindowReport {
                        start: opening.start,
                        stop: opening.stop,
                        frozen: frozen(&opening, schedule, &facts.timing.freezes),
                    })
                    .collect(),
            }
        }
    }
}

/// The freeze that takes most of a window: one that takes all of it, else one that takes some.
fn frozen(opening: &Opening, schedule: &Schedule, freezes: &[Freeze]) -> Option<String> {
    let all = || schedule.document().freezes().iter().chain(freezes);
    let (freeze, how) = match all().find(|freeze| freeze.takes_all(opening)) {
        Some(freeze) => (freeze, "frozen"),
        None => (all().find(|freeze| freeze.takes(opening))?, "partly frozen"),
    };
    Some(if freeze.reason.is_empty() {
        how.to_owned()
    } else {
        format!("{how}: {}", freeze.reason)
    })
}

/// From what to what, where both are known.
fn versions(facts: &Facts) -> String {
    let from = match facts.installed.value() {
        Some(Installed::Present(package)) => package.version.target().map_or_else(
            || package.version.as_str().to_owned(),
            |version| version.to_string(),
        ),
        _ => "?".to_owned(),
    };
    match facts.target.value() {
        Some(Target::Version(version)) => format!("{from} → {version}"),
        Some(Target::None) | None => from,
    }
}

/// The conclusion in plain words. Moments have no distance: it is read later, too.
fn message(facts: &Facts, decision: &Decision) -> String {
    let versions = versions(facts);
    let Some(gate) = decision.stopping_gate() else {
        return match decision.verdict {
            Verdict::Proceed(timing) => {
                format!("would update {versions} {}", opened_by(timing, facts))
            }
            Verdict::Stop(..) | Verdict::Undecided(_) => format!("{versions} is not decided"),
        };
    };
    let when = gate.until.map(words::both_zones);
    match decision.verdict {
        Verdict::Stop(_, Reason::UpToDate) => {
            format!("{}, as the version server wants", gate.value)
        }
        Verdict::Stop(_, Reason::NoTarget) => {
            "nothing to do: the version server wants no version".to_owned()
        }
        Verdict::Stop(GateName::Timing, Reason::OutsideWindow) => match when {
            Some(when) => format!(
                "{versions} is waiting for the window on {when}{}",
                in_its_own_zone(facts, gate).unwrap_or_default()
            ),
            None => format!("{versions} is waiting: {}", gate.value),
        },
        Verdict::Stop(GateName::Timing, Reason::ScheduleUnconfirmed) => match when {
            Some(when) => format!("{versions} is waiting: {}, from {when} on", gate.value),
            None => format!("{versions} is waiting: {}", gate.value),
        },
        Verdict::Stop(GateName::Timing | GateName::Freeze | GateName::Hold, _)
        | Verdict::Stop(GateName::Quarantine, Reason::BackingOff) => match when {
            Some(when) => format!("{versions} is waiting: {}, until {when}", gate.value),
            None => format!("{versions} is waiting: {}", gate.value),
        },
        Verdict::Stop(GateName::Target, _) => {
            format!("no target, nothing is changed: {}", gate.value)
        }
        _ => gate.value.clone(),
    }
}

/// The start of a window as its schedule writes it, where neither UTC nor this host's clock does.
fn in_its_own_zone(facts: &Facts, gate: &Gate) -> Option<String> {
    let Some(ScheduleFact::InForce { schedule, .. }) = facts.schedule.value() else {
        return None;
    };
    let (zone, until) = (schedule.zone(), gate.until?);
    let written = zone.to_local(until);
    let is_shown =
        [until.naive_utc(), until.with_timezone(&Local).naive_local()].contains(&written);
    (!is_shown).then(|| format!(", {} {}", written.format("%a %H:%M"), zone.name()))
}

/// Why a change starts now, for a person.
fn opened_by(timing: Timing, facts: &Facts) -> String {
    match timing {
        Timing::Forced => format!("now: asked for by {}", facts.forced_by),
        Timing::Critical => "now: the update is critical".to_owned(),
        Timing::Unhealthy => match facts.health.value() {
            Some(Health::Unhealthy(evidence)) => {
                format!("early: the agent is unhealthy ({evidence})")
            }
            _ => "early: the agent is unhealthy".to_owned(),
        },
        Timing::OutsideCompatibleRange => {
            "early: the cluster does not support the installed version".to_owned()
        }
        Timing::NoSchedule => "at once: no schedule can be found".to_owned(),
        Timing::WindowOpen => "now: the maintenance window is open".to_owned(),
        Timing::Overdue => "now: too many windows were missed".to_owned(),
    }
}

/// The way out of a reason, where there is one that holds everywhere.
pub fn hint(reason: Reason, agent: &str) -> Option<String> {
    let text = match reason {
        Reason::ScheduleUnconfirmed => {
            format!("publish the schedule again, or stop it by `agent-updater hold {agent}`; `run --now {agent}` does not wait")
        }
        Reason::OutsideWindow | Reason::WindowClosing | Reason::Spread => {
            format!("`agent-updater run --now {agent}` does not wait")
        }
        Reason::BackingOff => format!("`agent-updater run --now {agent}` does not wait"),
        Reason::Quarantined => {
            format!("a new target ends it; `agent-updater allow {agent} VERSION` lets it be tried again")
        }
        Reason::Frozen => format!("`agent-updater run --now {agent}` passes a freeze"),
        Reason::NotInstalled => "install the package first, or remove the agent from the configuration".to_owned(),
        Reason::NotOffered => {
            "the repository may lag behind the version server; the next tick looks again".to_owned()
        }
        Reason::RepositoryNotFound => {
            "add the package's repository to the host, or define it with `repository` in the configuration".to_owned()
        }
        Reason::RepositoryAmbiguous => {
            "name one of them with `repository = { entry = \"…\" }` in the configuration".to_owned()
        }
        Reason::RepositoryUnreachable => {
            "look at the repository, or the mirror or proxy before it, from this host; the next run tries again by itself".to_owned()
        }
        Reason::PackageManagerBusy => {
            "let it finish; the next run tries again by itself, and nobody is killed".to_owned()
        }
        Reason::WouldChangeOthers => {
            "this program changes no other package: have the publisher mend it, or make those changes by hand first".to_owned()
        }
        Reason::AnotherInstance => {
            "`agent-updater status` shows what it does; say it again when it is over".to_owned()
        }
        Reason::HandsOff => {
            format!("another updater is in charge; only `agent-updater run --now {agent}` passes that")
        }
        Reason::DowngradeForbidden => {
            format!("`downgrade` in the configuration allows it, and so does `agent-updater rollback {agent}`")
        }
        Reason::BelowMinimumVersion => {
            "the version server names a version below this host's `minimum_version`: one of them has to change".to_owned()
        }
        Reason::AboveCluster | Reason::TooFarBelowCluster => {
            "it is installed as soon as the cluster supports it; the version server may name another one".to_owned()
        }
        Reason::DiskFull => "make room there; the next run tries again by itself".to_owned(),
        Reason::NeedsRoot => "run it as root, for instance with sudo".to_owned(),
        Reason::ClockBeforeBuild | Reason::ClockWentBack => "set the host's clock (timedatectl)".to_owned(),
        _ => return None,
    };
    Some(text)
}

/// Takes over the way out of an untrusted or unreachable repository, or of a broken package manager,
/// where the report has none.
pub fn advised(report: &mut AgentReport, hint: Option<String>) {
    if matches!(
        report.reason,
        Reason::RepositoryUntrusted | Reason::RepositoryUnreachable | Reason::PackageManagerBroken
    ) && report.hint.is_none()
    {
        report.hint = hint;
    }
}

/// What earlier runs and operators left is not known: only root can read it.
pub fn not_remembered(report: &mut AgentReport, why: String) {
    const FOR_ROOT: &str = "only root can read it";
    for gate in &mut report.gates {
        let is_remembered = matches!(gate.name, GateName::Quarantine | GateName::Hold);
        if is_remembered && gate.open == Some(true) {
            *gate = Gate::not_looked_at(gate.name, FOR_ROOT).because(Reason::NeedsRoot);
        }
    }
    report.rollback = None;
    report.warnings.push(why);
}

/// Takes over what authorization found.
pub fn authorized(report: &mut AgentReport, gates: Vec<Gate>, agent: &str) {
    // What only root can ask is no refusal; a gate that is closed counts, wherever it stands.
    let unasked = |gate: &&Gate| gate.reason == Some(Reason::NeedsRoot);
    let closed = gates.iter().find(|gate| gate.open == Some(false));
    let stopping = closed.or_else(|| {
        let not_open = gates.iter().find(|gate| gate.open.is_none())?;
        (!gates.iter().any(|gate| unasked(&gate))).then_some(not_open)
    });
    if let Some(gate) = stopping {
        report.reason = gate.reason.unwrap_or(Reason::InternalError);
        report.state = outcome::stopped(report.reason);
        report.exit_code = exit_code(report.reason);
        report.hint = hint(report.reason, agent);
        report.message.clone_from(&gate.value);
    } else if let Some(gate) = gates.iter().find(unasked) {
        report.reason = Reason::NeedsRoot;
        report.hint = hint(Reason::NeedsRoot, agent);
        report
            .warnings
            .push(format!("{}: {}", gate.name, gate.value));
    }
    report.gates.extend(gates);
}
