//! One change, from a decision that says so to what came of it.

use crate::config::RepositorySource;
use crate::decision::authorize::failure_reason;
use crate::decision::{
    Critical, Decision, Gate, GateName, Reading, Reason, Target, Timing, Verdict, authorize, decide,
};
use crate::gather::{self, Gathered, Sources};
use crate::host;
use crate::outcome::State;
use crate::plan::{Asked, Work};
use crate::prefetch;
use crate::progress::{Doing, Fetch};
use crate::proof::{self, Refused};
use crate::report::{AgentReport, build};
use crate::repository::{Offer, Prepared, simulate};
use crate::roll_back;
use crate::state::history;
use crate::tick::{Context, prepared, views};
use crate::trust::Proof;
use crate::trust::view::Listed;
use crate::update::{self, Fetched};
use adapters::{Change, Failure, Guard, ManagerKind, Runner};
use anyhow::Result;
use chrono::{DateTime, Utc};

/// What a decision asks for; `None` for nothing.
pub(crate) fn due<R>(
    context: &Context<'_, R>,
    sources: &Sources<'_, R>,
    gathered: &Gathered,
    decision: &Decision,
) -> Option<Work> {
    let Some(Target::Version(version)) = gathered.facts.target.value().cloned() else {
        return None;
    };
    match decision.verdict {
        Verdict::Proceed(reason) => {
            let timing = |gate: &&Gate| gate.name == GateName::Timing;
            let timing = decision.gates.iter().find(timing);
            Some(Work::Change {
                version,
                reason,
                until: timing.and_then(|gate| gate.until),
                critical: matches!(gathered.facts.critical.value(), Some(Critical::Yes)),
                by_hand: sources.by_hand.map(Asked::of),
            })
        }
        // Where another updater is in charge nothing is fetched either.
        Verdict::Stop(GateName::Timing, reason)
            if sources.policy.prefetch && reason != Reason::HandsOff =>
        {
            prefetch::is_due(&gathered.state, &version, context.later())
                .then_some(Work::Prefetch { version })
        }
        Verdict::Stop(..) | Verdict::Undecided(_) => None,
    }
}

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
    let ahead_alone = sources
        .plan
        .is_some_and(|plan| matches!(plan.work, Work::Prefetch { .. }));
    match due(context, sources, gathered, decision) {
        None => return Ok(()),
        Some(Work::Change { .. }) if !ahead_alone => {}
        Some(_) => return prefetch::ahead(context, name, sources, gathered, report).await,
    }
    if let Some(kept) = roll_back::kept(context, sources, gathered) {
        return roll_back::put_back(context, name, sources, gathered, kept, report).await;
    }
    // The repository's index is written to the same disks.
    let room = authorize::resources(&host::free_space(context.layout));
    if room.open == Some(false) {
        build::authorized(report, vec![room], name);
        return Ok(());
    }
    let folder = views(context.layout);
    let Some(mut prepared) = prepared(context, sources, gathered, &folder).await? else {
        return Ok(());
    };
    remember(context, name, sources, gathered, &prepared, report)?;
    let fetched = authorized(context, name, sources, &mut prepared, report).await;
    build::advised(report, prepared.hint.clone());
    let proof = fetched.as_ref().map(|fetched| &fetched.proof);
    note_signature(&prepared, proof, context.later(), gathered, report);
    let Some(fetched) = fetched else {
        return Ok(());
    };
    let (Some(change), Some(offer)) = (&prepared.facts.change, &prepared.offer) else {
        return Ok(());
    };
    if let Some(timing) = still_proceeds(context, name, sources, gathered, report).await {
        let what = (offer, change, fetched);
        update::begin(context, name, sources, gathered, what, timing, report).await?;
    }
    Ok(())
}

/// A package manager does not always say that the disk is full: zypper and rpm may die of SIGBUS.
/// Where it is full that is what is told, and what was said before is a warning.
pub(crate) fn for_want_of_room<R>(context: &Context<'_, R>, name: &str, report: &mut AgentReport) {
    let room = authorize::resources(&host::free_space(context.layout));
    if report.reason != Reason::PackageManagerBroken || room.open != Some(false) {
        return;
    }
    report.warnings.push(report.message.clone());
    report.gates.retain(|gate| gate.name != GateName::Resources);
    build::authorized(report, vec![room], name);
}

/// Keeps what was learnt of the repositories, although nothing may be installed from them: a newer
/// index that was seen counts.
pub(crate) fn remember<R>(
    context: &Context<'_, R>,
    name: &str,
    sources: &Sources<'_, R>,
    gathered: &mut Gathered,
    prepared: &Prepared,
    report: &mut AgentReport,
) -> Result<()> {
    report.warnings.extend(prepared.warnings.iter().cloned());
    if gathered.state.freshness.accept_older && !prepared.freshness.accept_older {
        used_up(context, name, prepared)?;
    }
    gathered.state.freshness.clone_from(&prepared.freshness);
    if sources.policy.repository.source == RepositorySource::Host {
        gathered.offering = Some(prepared.offering.clone());
    }
    if prepared.located.is_some() {
        gathered.state.located.clone_from(&prepared.located);
    }
    Ok(())
}

/// Has the package manager work out the change and fetch the package, and proves the file: the
/// proven file, if nothing stands in the way; else the report says what does. Nothing is installed here.
pub(crate) async fn authorized<R: Runner>(
    context: &Context<'_, R>,
    name: &str,
    sources: &Sources<'_, R>,
    prepared: &mut Prepared,
    report: &mut AgentReport,
) -> Option<Fetched> {
    let (manager, runner) = (sources.manager, context.runner);
    if !manager.download_simulates() {
        simulate(manager, prepared, context.is_root, runner, context.later()).await;
    }
    let begun = context.later();
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
        Ok(fetched) => Some(Fetched {
            took: Some(context.later() - begun),
            ..fetched
        }),
        Err(Refused { failure, hint }) => {
            let mut gates = authorize(&prepared.facts);
            close(&mut gates, &failure);
            report
                .gates
                .retain(|gate| gates.iter().all(|other| other.name != gate.name));
            build::authorized(report, gates, name);
            prepared.hint = hint;
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
    history::append(
        context.layout,
        &history::TrustEvent {
            header: history::Header::new(
                (&context.host, name),
                context.later(),
                "tick",
                "older_index_accepted",
                "older-index",
            ),
            why: None,
            repositories: &prepared.freshness.seen,
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
    gathered.facts.holds = gather::holds(sources, gathered).await;
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
    let fetch = offer.listed.file.size.map(|bytes| Fetch {
        folder: offer.view.folder.clone(),
        bytes,
    });
    let doing = Doing {
        what: format!("fetching {}", change.to),
        fetch,
        // apt-get takes dpkg's lock also to fetch; the others do not.
        locks: match sources.manager.kind() {
            ManagerKind::Apt => sources.manager.locks().map(str::to_owned).into(),
            ManagerKind::Yum | ManagerKind::Zypper => Vec::new(),
        },
    };
    context.doing(sources.agent, doing);
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
) -> Result<Fetched, Refused> {
    let (kind, now) = (sources.manager.kind(), context.later());
    let Offer {
        view,
        proven,
        listed,
        ..
    } = offer;
    let (path, proof) = proven.prove_file(view, kind, listed, change, now)?;
    tracing::info!(file = %path.display(), key = %proof.fingerprint, "proven");
    Ok(Fetched {
        file: path,
        proof,
        took: None,
    })
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
