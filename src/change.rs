//! One change, from a decision that says so to what came of it.

use crate::apply::{Agent, Applied, apply};
use crate::config::RepositorySource;
use crate::decision::authorize::failure_reason;
use crate::decision::{Decision, Gate, GateName, Reason, Timing, Verdict, authorize, decide};
use crate::gather::{self, Gathered, Sources};
use crate::health::probe::Probes;
use crate::outcome::{self, State};
use crate::proof::{self, Refused};
use crate::report::{AgentReport, build};
use crate::repository::{Offer, Prepared};
use crate::state::agent::Attempt;
use crate::state::history;
use crate::tick::{Context, prepared, views};
use crate::trust::Proof;
use crate::trust::view::Listed;
use adapters::{Change, Guard, Runner};
use anyhow::Result;
use chrono::{DateTime, Utc};

/// Does what the decision says: asks the repository, fetches and proves the package, and, if
/// everything still says so then, makes the change.
pub(crate) async fn act<R: Runner>(
    context: &Context<'_, R>,
    name: &str,
    sources: &Sources<'_, R>,
    gathered: &mut Gathered,
    decision: &Decision,
    report: &mut AgentReport,
) -> Result<()> {
    if !matches!(decision.verdict, Verdict::Proceed(_)) {
        return Ok(());
    }
    let folder = views(context.layout);
    let Some(prepared) = prepared(context, sources, gathered, &folder).await? else {
        return Ok(());
    };
    report.warnings.extend(prepared.warnings.iter().cloned());
    if gathered.state.freshness.accept_older && !prepared.freshness.accept_older {
        used_up(context, name, &prepared)?;
    }
    // A newer index is remembered although nothing may be installed from it: what was seen counts.
    gathered.state.freshness.clone_from(&prepared.freshness);
    if sources.policy.repository.source == RepositorySource::Host {
        gathered.offering = Some(prepared.offering.clone());
    }
    build::authorized(report, authorize(&prepared.facts), name);
    build::advised(report, prepared.hint.clone());
    note_signature(&prepared, None, context.later(), gathered, report);
    let Prepared { facts, offer, .. } = &prepared;
    let (Some(change), Some(offer), 0, State::WouldUpdate) =
        (&facts.change, offer, report.exit_code, report.state)
    else {
        return Ok(());
    };
    report.target.package_version = Some(change.to.as_str().to_owned());
    let proof = match fetch(context, sources, offer, change).await {
        Ok(proof) => proof,
        Err(Refused { failure, hint }) => {
            let reason = failure_reason(&failure);
            let gate = Gate::closed(GateName::Repository, reason, failure.to_string());
            report
                .gates
                .retain(|other| other.name != GateName::Repository);
            build::authorized(report, vec![gate], name);
            build::advised(report, hint);
            return Ok(());
        }
    };
    note_signature(&prepared, Some(&proof), context.later(), gathered, report);
    if let Some(timing) = still_proceeds(context, name, sources, gathered, report).await {
        install(
            context,
            name,
            sources,
            gathered,
            (offer, change),
            timing,
            report,
        )
        .await;
    }
    Ok(())
}

/// Remembers and tells whose signature proved what.
fn note_signature(
    prepared: &Prepared,
    package: Option<&Proof>,
    now: DateTime<Utc>,
    gathered: &mut Gathered,
    report: &mut AgentReport,
) {
    let (Some(offer), Some(change)) = (&prepared.offer, &prepared.facts.change) else {
        return;
    };
    let signature = offer.proven.signature(package, &offer.entry, change, now);
    if signature.is_some() {
        gathered.state.signature.clone_from(&signature);
        report.signature = signature;
    }
}

/// Records that the operator's word for an older index was used up, before it is forgotten.
fn used_up<R>(context: &Context<'_, R>, name: &str, prepared: &Prepared) -> Result<()> {
    let now = context.later();
    history::append(
        context.layout,
        &history::TrustEvent {
            schema: crate::report::document::SCHEMA,
            id: format!("{}-{name}-older-index", now.format("%Y%m%dT%H%M%S%.3fZ")),
            time: now,
            host: &context.host,
            agent: name,
            trigger: "tick",
            reason: "older_index_accepted",
            why: None,
            repositories: &prepared.freshness.seen,
            actor: history::Actor::of_this_process("tick"),
            updater_version: env!("CARGO_PKG_VERSION"),
        },
    )
}

/// Decides once more: to fetch may have taken its time, the window may have closed and somebody
/// may have placed a hold meanwhile.
async fn still_proceeds<R: Runner>(
    context: &Context<'_, R>,
    name: &str,
    sources: &Sources<'_, R>,
    gathered: &mut Gathered,
    report: &mut AgentReport,
) -> Option<Timing> {
    gathered.facts.holds = gather::holds(sources, &gathered.facts).await;
    let now = context.later();
    let decision = decide(&gathered.facts, now);
    if let Verdict::Proceed(timing) = decision.verdict {
        return Some(timing);
    }
    let server = &sources.policy.version_server.url;
    let warnings = std::mem::take(&mut report.warnings);
    *report = build::of_decision(
        name,
        server,
        &gathered.facts,
        &decision,
        &gathered.state,
        now,
    );
    report.warnings = warnings;
    None
}

/// Makes the change, observes it, and records what came of it.
async fn install<R: Runner>(
    context: &Context<'_, R>,
    name: &str,
    sources: &Sources<'_, R>,
    gathered: &mut Gathered,
    (offer, change): (&Offer, &Change),
    timing: Timing,
    report: &mut AgentReport,
) {
    let guard = guard(&offer.listed);
    let install = sources.manager.install(&offer.view, change, guard.as_ref());
    report.plan = vec![install.to_string()];
    let started_at = context.later();
    tracing::info!(
        agent = name, from = change.from.as_str(), to = change.to.as_str(), why = %timing.reason().as_str(),
        "updating"
    );
    let probes = Probes {
        unit: gathered.unit.clone(),
        http: sources.policy.health.http.clone(),
        command: sources.policy.health.command.clone(),
        timeout: sources.policy.health.timeout,
        confirm: sources.policy.health.confirm,
    };
    let agent = Agent {
        probes: &probes,
        restart: sources.policy.restart,
        health_before: gathered.facts.health.value(),
    };
    let applied = apply(sources.manager, &install, change, &agent, context.runner).await;
    let attempt = Attempt {
        from: change.from.as_str().to_owned(),
        to: change.to.as_str().to_owned(),
        trigger: timing.reason().as_str(),
        result: applied.reason.as_str(),
        started_at,
        ended_at: context.later(),
    };
    take_over(report, &applied, timing.reason());
    // The change is made: a full disk must not hide what came of it.
    if let Err(error) = record(context, name, &attempt, report) {
        report.warnings.push(format!("not recorded: {error:#}"));
    }
    if outcome::exit_code(applied.reason) == 0 {
        gathered.state.pending = None;
    }
    if report.installed.package_version.as_deref() == Some(change.to.as_str()) {
        report.installed_signature.clone_from(&report.signature);
        gathered
            .state
            .installed_signature
            .clone_from(&report.signature);
    } else {
        report.installed_signature = None;
    }
    gathered.state.restarts = applied
        .examination
        .and_then(|examination| examination.restarts);
    report.last_attempt = Some(attempt.clone());
    gathered.state.last_attempt = Some(attempt);
}

fn record<R>(
    context: &Context<'_, R>,
    name: &str,
    attempt: &Attempt,
    report: &AgentReport,
) -> Result<()> {
    let event = history::Event {
        schema: crate::report::document::SCHEMA,
        id: format!("{}-{name}", attempt.started_at.format("%Y%m%dT%H%M%S%.3fZ")),
        time: attempt.ended_at,
        host: &context.host,
        agent: name,
        trigger: attempt.trigger.clone(),
        reason: attempt.result.clone(),
        from: &attempt.from,
        to: &attempt.to,
        seconds: (attempt.ended_at - attempt.started_at).as_seconds_f64(),
        uid: rustix::process::getuid().as_raw(),
        signing_key: report
            .signature
            .as_ref()
            .map(|signature| signature.fingerprint.as_str()),
        updater_version: env!("CARGO_PKG_VERSION"),
    };
    history::append(context.layout, &event)
}

/// Fetches the package file and proves it: what goes to the installer is what was signed.
async fn fetch<R: Runner>(
    context: &Context<'_, R>,
    sources: &Sources<'_, R>,
    offer: &Offer,
    change: &Change,
) -> Result<Proof, Refused> {
    let manager = sources.manager;
    let output = context
        .runner
        .run(&manager.download(&offer.view, change))
        .await?;
    manager.read_download(change, &output)?;
    let now = context.later();
    let (path, proof) =
        offer
            .proven
            .prove_file(&offer.view, manager.kind(), &offer.listed, change, now)?;
    tracing::info!(file = %path.display(), key = %proof.fingerprint, "proven");
    Ok(proof)
}

/// Our own program as the last look, where the index names a hash that it can compare.
pub(crate) fn guard(listed: &Listed) -> Option<Guard> {
    let sha256 = proof::sha256(&listed.file)?;
    let program = std::env::current_exe().ok()?;
    let program = program.to_str()?.trim_end_matches(" (deleted)").to_owned();
    // apt hands the line to a shell and splits it at blanks.
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    program
        .chars()
        .all(plain)
        .then_some(Guard { program, sha256 })
}

/// The report after a change.
fn take_over(report: &mut AgentReport, applied: &Applied, trigger: Reason) {
    report.reason = applied.reason;
    report.state = match applied.reason {
        Reason::Updated => State::Updated,
        Reason::RestartPending => State::RestartPending,
        _ => State::Failed,
    };
    report.exit_code = outcome::exit_code(applied.reason);
    report.message = match applied.reason {
        Reason::Updated => format!(
            "{} ({})",
            applied.message,
            trigger.as_str().replace('_', " ")
        ),
        _ => applied.message.clone(),
    };
    report.hint.clone_from(&applied.hint);
    report.warnings.extend(applied.warnings.iter().cloned());
    let before = report.installed.clone();
    report.installed = build::installed(applied.installed.as_ref());
    report.changed = report.installed != before;
    if let Some(examination) = &applied.examination {
        report.health = build::health(Some(&examination.health));
        if applied.reason == Reason::Updated && examination.main_pid.is_some() {
            report.running.version.clone_from(&report.installed.version);
        }
    }
}
