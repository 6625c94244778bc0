//! One change, from a decision that says so to what came of it.

use crate::config::RepositorySource;
use crate::decision::authorize::failure_reason;
use crate::decision::{Decision, Gate, GateName, Timing, Verdict, authorize, decide};
use crate::gather::{self, Gathered, Sources};
use crate::outcome::State;
use crate::proof;
use crate::report::document::SignatureReport;
use crate::report::{AgentReport, build};
use crate::repository::{Offer, Prepared};
use crate::tick::{Context, prepared, views};
use crate::trust::view::Listed;
use crate::update::{self, Fetched};
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
    let Some(prepared) = prepared(context, sources, gathered, &folder).await? else {
        return Ok(());
    };
    report.warnings.extend(prepared.warnings.iter().cloned());
    // A newer index is remembered although nothing may be installed from it: what was seen counts.
    gathered.state.freshness.clone_from(&prepared.freshness);
    if sources.policy.repository.source == RepositorySource::Host {
        gathered.offering = Some(prepared.offering.clone());
    }
    build::authorized(report, authorize(&prepared.facts), name);
    let Prepared { facts, offer, .. } = &prepared;
    let (Some(change), Some(offer), 0, State::WouldUpdate) =
        (&facts.change, offer, report.exit_code, report.state)
    else {
        return Ok(());
    };
    report.target.package_version = Some(change.to.as_str().to_owned());
    let fetched = match fetch(context, sources, offer, change).await {
        Ok(fetched) => fetched,
        Err(failure) => {
            let reason = failure_reason(&failure);
            let gate = Gate::closed(GateName::Repository, reason, failure.to_string());
            report
                .gates
                .retain(|other| other.name != GateName::Repository);
            build::authorized(report, vec![gate], name);
            return Ok(());
        }
    };
    report.signature = Some(SignatureReport::new(
        &fetched.proof,
        offer.proven.proof().is_some(),
    ));
    if let Some(timing) = still_proceeds(context, name, sources, gathered, report).await {
        let what = (offer, change, fetched);
        update::begin(context, name, sources, gathered, what, timing, report).await?;
    }
    Ok(())
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

/// Fetches the package file and proves it: what goes to the installer is what was signed.
async fn fetch<R: Runner>(
    context: &Context<'_, R>,
    sources: &Sources<'_, R>,
    offer: &Offer,
    change: &Change,
) -> Result<Fetched, Failure> {
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
    Ok(Fetched { file: path, proof })
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
