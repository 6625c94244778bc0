//! One change, from a decision that says so to what came of it.

use crate::apply::{Agent, Applied, apply};
use crate::config::RepositorySource;
use crate::decision::authorize::failure_reason;
use crate::decision::{
    Decision, Gate, GateName, Reading, Reason, Timing, Verdict, authorize, decide,
};
use crate::gather::{self, Gathered, Sources};
use crate::health::probe::Probes;
use crate::outcome::{self, State};
use crate::proof;
use crate::report::document::SignatureReport;
use crate::report::{AgentReport, build};
use crate::repository::{Offer, Prepared, simulate};
use crate::state::agent::Attempt;
use crate::state::history;
use crate::tick::{Context, prepared, views};
use crate::trust::Proof;
use crate::trust::view::Listed;
use adapters::{Change, Failure, Guard, Runner};
use anyhow::Result;

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
    let Some(mut prepared) = prepared(context, sources, gathered, &folder).await? else {
        return Ok(());
    };
    remember(sources, gathered, &prepared, report);
    let Some(proof) = authorized(context, name, sources, &mut prepared, report).await else {
        return Ok(());
    };
    let (Some(change), Some(offer)) = (&prepared.facts.change, &prepared.offer) else {
        return Ok(());
    };
    report.signature = Some(SignatureReport::new(&proof, offer.proven.proof().is_some()));
    if let Some(timing) = still_proceeds(context, name, sources, gathered, report).await {
        let what = (offer, change);
        install(context, name, sources, gathered, what, timing, report).await;
    }
    Ok(())
}

/// Keeps what was learnt of the repositories, although nothing may be installed from them: a newer
/// index that was seen counts.
fn remember<R>(
    sources: &Sources<'_, R>,
    gathered: &mut Gathered,
    prepared: &Prepared,
    report: &mut AgentReport,
) {
    report.warnings.extend(prepared.warnings.iter().cloned());
    gathered.state.freshness.clone_from(&prepared.freshness);
    if sources.policy.repository.source == RepositorySource::Host {
        gathered.offering = Some(prepared.offering.clone());
    }
    if prepared.located.is_some() {
        gathered.state.located.clone_from(&prepared.located);
    }
}

/// Has the package manager work out the change and fetch the package, and proves the file. The
/// proof, if nothing stands in the way; else the report says what does. Nothing is installed here.
async fn authorized<R: Runner>(
    context: &Context<'_, R>,
    name: &str,
    sources: &Sources<'_, R>,
    prepared: &mut Prepared,
    report: &mut AgentReport,
) -> Option<Proof> {
    let (manager, runner) = (sources.manager, context.runner);
    if !manager.download_simulates() {
        simulate(manager, prepared, context.is_root, runner, context.later()).await;
    }
    let may_fetch = authorize::may_fetch(&prepared.facts);
    let fetched = if may_fetch {
        fetch(context, sources, prepared).await
    } else {
        Ok(())
    };
    let mut gates = authorize(&prepared.facts);
    if let Err(failure) = &fetched {
        close(&mut gates, failure);
    }
    build::authorized(report, gates, name);
    let change = prepared.facts.change.as_ref()?;
    report.target.package_version = Some(change.to.as_str().to_owned());
    if report.exit_code != 0 || report.state != State::WouldUpdate {
        return None;
    }
    match prove(context, sources, prepared.offer.as_ref()?, change) {
        Ok(proof) => Some(proof),
        Err(failure) => {
            let mut gates = authorize(&prepared.facts);
            close(&mut gates, &failure);
            report
                .gates
                .retain(|gate| gates.iter().all(|other| other.name != gate.name));
            build::authorized(report, gates, name);
            None
        }
    }
}

/// Closes the gate that a failure to fetch or to prove is about.
fn close(gates: &mut [Gate], failure: &Failure) {
    let about = match failure {
        Failure::Untrusted(_) | Failure::Offline(_) | Failure::TimedOut(_) => GateName::Repository,
        Failure::DiskFull(_) => GateName::Resources,
        _ => GateName::Transaction,
    };
    for gate in gates.iter_mut().filter(|gate| gate.name == about) {
        *gate = Gate::closed(about, failure_reason(failure), failure.to_string());
    }
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

/// Fetches the package file, and learns from it what the transaction would do where the manager
/// tells that on the way.
async fn fetch<R: Runner>(
    context: &Context<'_, R>,
    sources: &Sources<'_, R>,
    prepared: &mut Prepared,
) -> Result<(), Failure> {
    let (Some(change), Some(offer)) = (&prepared.facts.change, &prepared.offer) else {
        return Ok(());
    };
    let command = sources.manager.download(&offer.view, change);
    let output = context.runner.run(&command).await?;
    if let Some(changes) = sources.manager.read_download(change, &output)? {
        prepared.facts.simulation = Reading::taken(changes, context.later());
    }
    Ok(())
}

/// Proves the fetched file: what goes to the installer is what was signed.
fn prove<R>(
    context: &Context<'_, R>,
    sources: &Sources<'_, R>,
    offer: &Offer,
    change: &Change,
) -> Result<Proof, Failure> {
    let (kind, now) = (sources.manager.kind(), context.later());
    let Offer {
        view,
        proven,
        listed,
        ..
    } = offer;
    let (path, proof) = proven.prove_file(view, kind, listed, change, now)?;
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
