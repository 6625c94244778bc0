//! An operator's way back by our own cache: no repository and no version server is needed.

use crate::by_hand::ByHand;
use crate::decision::{Gate, GateName, Timing, authorize};
use crate::gather::{Gathered, Sources};
use crate::host;
use crate::packages;
use crate::report::{AgentReport, build};
use crate::state::journal::KeptPackage;
use crate::tick::{Context, Mode};
use crate::update::{self, Start};
use adapters::{Change, Installed, Runner};
use anyhow::Result;

/// The kept package of what is asked for, if it is a roll-back and the file may be used.
pub(crate) fn kept<R>(
    context: &Context<'_, R>,
    sources: &Sources<'_, R>,
    gathered: &Gathered,
) -> Option<KeptPackage> {
    let by_hand: &ByHand = sources.by_hand.filter(|by_hand| by_hand.is_rollback())?;
    let mut packages = gathered.state.packages.iter();
    let package =
        packages.find(|package| package.version.target().as_ref() == Some(&by_hand.target))?;
    let usable = packages::check(package).is_ok()
        && !packages::is_revoked(
            context.layout,
            sources.manager,
            &package.signing_key,
            context.now,
        );
    usable.then(|| package.clone())
}

/// Puts the kept package in place, as a change like any other; in a dry run it says what it would do.
pub(crate) async fn put_back<R: Runner>(
    context: &Context<'_, R>,
    name: &str,
    sources: &Sources<'_, R>,
    gathered: &mut Gathered,
    kept: KeptPackage,
    report: &mut AgentReport,
) -> Result<()> {
    let Some(Installed::Present(installed)) = gathered.facts.installed.value() else {
        return Ok(());
    };
    let change = Change {
        package: sources.policy.package.clone(),
        from: installed.version.clone(),
        to: kept.version.clone(),
        architecture: kept.architecture.clone(),
    };
    let command = sources.manager.install_file(&change, &kept.file);
    report.target.package_version = Some(kept.version.as_str().to_owned());
    report.plan = vec![command.to_string()];
    build::authorized(report, gates(context, &kept), name);
    report.changed = context.mode == Mode::DryRun;
    if context.mode != Mode::Act || report.exit_code != 0 {
        return Ok(());
    }
    let old = packages::find(&gathered.state, &change.from)
        .cloned()
        .ok_or_else(|| "our cache does not keep its package".to_owned());
    let start = Start {
        change,
        command,
        from_file: true,
        new: Some(kept),
        old,
        download: None,
    };
    let timing = Timing::Forced;
    update::carry_out(context, name, sources, gathered, start, timing, report).await
}

/// The gates that a repository would have been asked for.
fn gates<R>(context: &Context<'_, R>, kept: &KeptPackage) -> Vec<Gate> {
    let proven = format!(
        "not needed: our own cache keeps {}, proven on {} by {}",
        kept.version,
        kept.proven_at.format("%Y-%m-%d"),
        kept.signing_key
    );
    vec![
        Gate::open(GateName::Repository, proven).read_at(Some(context.now)),
        Gate::open(
            GateName::Transaction,
            "one package file, which brings no other",
        ),
        authorize::resources(&host::free_space(context.layout)),
    ]
}
