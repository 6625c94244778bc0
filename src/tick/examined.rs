//! Everything that a tick would look at, kept apart for `doctor`: the same questions, the same
//! decision, and the repository's gates also where no change is due.

use super::offer::asked;
use super::{Context, decided, dry_run};
use crate::config::Policy;
use crate::decision::{Decision, Facts, Gate, Target, authorize, decide};
use crate::gather::{self, Gathered, Sources};
use crate::host::{self, NoManager};
use crate::pin;
use crate::report::AgentReport;
use crate::repository::{Prepared, simulate};
use crate::state::agent::AgentState;
use crate::version_server::Client;
use adapters::{Installed, ManagerKind, Runner, TargetVersion};
use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

/// What was found of one agent.
#[derive(Debug)]
pub(crate) struct Examined {
    /// The package manager.
    pub(crate) manager: ManagerKind,
    /// When the first question was asked. UTC.
    pub(crate) asked_at: DateTime<Utc>,
    /// Facts and state.
    pub(crate) gathered: Gathered,
    /// What follows from them.
    pub(crate) decision: Decision,
    /// The same as `run --dry-run` tells it, without the repository.
    pub(crate) report: AgentReport,
    /// Why what earlier ticks remembered cannot be read.
    pub(crate) state_fault: Option<anyhow::Error>,
    /// What the repository says.
    pub(crate) repository: Option<Result<Asked>>,
    /// Until when the version server's certificate lasts, or why that is not known; nothing without TLS.
    pub(crate) certificate: Option<Result<DateTime<Utc>, String>>,
}

/// What a repository was asked for, and what it says.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The version server's target; where it names none, what is installed.
    pub(crate) version: TargetVersion,
    /// Whether that is to be installed.
    pub(crate) is_due: bool,
    /// The answer.
    pub(crate) prepared: Prepared,
    /// The gates over it.
    pub(crate) gates: Vec<Gate>,
}

/// Looks at everything; changes nothing, and removes its scratch folder.
///
/// # Errors
/// No package manager can be driven.
pub(crate) async fn examine<R: Runner>(
    context: &Context<'_, R>,
    name: &str,
    policy: &Policy,
) -> Result<Examined, NoManager> {
    let (manager, platform) = host::package_manager(context.layout, policy.package_manager)?;
    let (stored, state_fault) = match AgentState::load(context.layout, name) {
        Ok(state) => (state, None),
        Err(error) => (AgentState::default(), Some(error)),
    };
    let client = Client::new(&policy.version_server).map_err(|error| error.to_string());
    let sources = Sources {
        agent: name,
        policy,
        layout: context.layout,
        manager: manager.as_ref(),
        runner: context.runner,
        client: client.as_ref().map_err(Clone::clone),
        now: context.now,
        by_hand: None,
        plan: None,
    };
    let mut gathered = gather::first(&sources, platform, stored, false).await;
    gather::second(&sources, &mut gathered).await;
    let decision = decide(&gathered.facts, context.now);
    let hint = gathered.server_hint.clone();
    let mut report = decided(name, &sources, &mut gathered, &decision);
    gathered.server_hint = hint;
    dry_run::running(&sources, &gathered, &mut report).await;
    dry_run::repair(context, &sources, &gathered, &mut report);
    report.pin = pin::of_host(
        policy.pin,
        context.layout,
        manager.as_ref(),
        &policy.package,
    );
    let repository = repository(context, &sources, &gathered).await;
    let certificate = match (&client, gathered.server_answers) {
        (Ok(client), true) => client.certificate_end().await,
        _ => None,
    };
    Ok(Examined {
        manager: manager.kind(),
        asked_at: context.now,
        gathered,
        decision,
        report,
        state_fault,
        repository,
        certificate,
    })
}

/// Which version the repository is asked for, and whether it is to be installed.
fn wanted(facts: &Facts) -> Option<(TargetVersion, bool)> {
    let Some(Installed::Present(installed)) = facts.installed.value() else {
        return None;
    };
    let present = installed.version.target();
    match facts.target.value() {
        Some(Target::Version(target)) => Some((*target, present != Some(*target))),
        _ => present.map(|present| (present, false)),
    }
}

async fn repository<R: Runner>(
    context: &Context<'_, R>,
    sources: &Sources<'_, R>,
    gathered: &Gathered,
) -> Option<Result<Asked>> {
    let (version, is_due) = wanted(&gathered.facts)?;
    let scratch = tempfile::Builder::new()
        .prefix("agent-updater-")
        // The package manager drops to a user of its own for the download.
        .permissions(Permissions::from_mode(0o755))
        .tempdir()
        .context("create a folder for the repository's index");
    let scratch = match scratch {
        Ok(scratch) => scratch,
        Err(error) => return Some(Err(error)),
    };
    match asked(context, sources, gathered, &version, scratch.path()).await {
        Ok(None) => None,
        Err(error) => Some(Err(error)),
        Ok(Some(mut prepared)) => {
            if is_due {
                let (manager, runner) = (sources.manager, context.runner);
                simulate(manager, &mut prepared, context.is_root, runner, context.now).await;
            }
            Some(Ok(Asked {
                version,
                is_due,
                gates: authorize(&prepared.facts),
                prepared,
            }))
        }
    }
}
