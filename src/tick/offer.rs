//! What the repository offers of the target, asked in a private view.

use super::Context;
use crate::config::{self, RepositorySource};
use crate::decision::{Reason, Target};
use crate::gather::{Gathered, Sources};
use crate::progress::Doing;
use crate::proof::Trusting;
use crate::repository::{Prepared, Request, Source, prepare};
use crate::state::Layout;
use adapters::{Installed, RepositoryEntry, Runner, TargetVersion};
use anyhow::Result;
use std::path::{Path, PathBuf};

/// Where the private views are kept.
pub(crate) fn views(layout: &Layout) -> PathBuf {
    layout.cache().join("views")
}

/// Throws the private views away after a fault that a damaged file in them would explain, however it
/// came to be one: all that is in them can be fetched again, and the next tick does.
pub(super) fn forget_views(layout: &Layout, reason: Reason) {
    let suspicious = matches!(
        reason,
        Reason::PackageManagerBroken | Reason::RepositoryUntrusted | Reason::InternalError
    );
    if suspicious && let Err(error) = std::fs::remove_dir_all(views(layout)) {
        tracing::debug!(%error, "the private views stay");
    }
}

/// The same as [`asked`] for the target, where it differs from what is installed.
pub(crate) async fn prepared<R: Runner>(
    context: &Context<'_, R>,
    sources: &Sources<'_, R>,
    gathered: &Gathered,
    folder: &Path,
) -> Result<Option<Prepared>> {
    let (Some(Installed::Present(installed)), Some(Target::Version(target))) = (
        gathered.facts.installed.value(),
        gathered.facts.target.value(),
    ) else {
        return Ok(None);
    };
    if installed.version.target().as_ref() == Some(target) {
        return Ok(None);
    }
    asked(context, sources, gathered, target, folder).await
}

/// Asks the repository for a version of the package that is installed.
pub(super) async fn asked<R: Runner>(
    context: &Context<'_, R>,
    sources: &Sources<'_, R>,
    gathered: &Gathered,
    target: &TargetVersion,
    folder: &Path,
) -> Result<Option<Prepared>> {
    let Some(Installed::Present(installed)) = gathered.facts.installed.value() else {
        return Ok(None);
    };
    let doing = Doing {
        what: format!("asking the repository for {target}"),
        ..Doing::default()
    };
    context.doing(sources.agent, doing);
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
