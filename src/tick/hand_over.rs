//! What the decider leaves to the installer, and one report out of both.

use super::{Context, not_hidden, noted};
use crate::by_hand;
use crate::change;
use crate::config::Policy;
use crate::decision::{Decision, Gate, GateName};
use crate::gather::{Gathered, Sources};
use crate::installer::Role;
use crate::plan::{Plan, Work};
use crate::repair;
use crate::report::AgentReport;
use crate::report::document::TargetReport;
use crate::state::agent::AgentState;
use crate::state::journal::Journal;
use crate::update;
use crate::version_server::Client;
use adapters::{PackageManager, Runner};
use anyhow::Result;

/// The version server's client, but in the installer, which asks none.
pub(super) fn client(plan: Option<&Plan>, policy: &Policy) -> Result<Client, String> {
    match plan {
        None => Client::new(&policy.version_server).map_err(|error| error.to_string()),
        Some(_) => Err("the installer asks no version server".to_owned()),
    }
}

/// Sees to a change that was cut off; `None` where there is none.
pub(super) async fn left_open<R: Runner>(
    context: &Context<'_, R>,
    name: &str,
    host: (&dyn PackageManager, &Policy),
    (stored, journal): (&mut AgentState, &mut Journal),
) -> Result<Option<AgentReport>> {
    if let Role::Decider(installer) = context.role {
        if !journal.phase.is_open() {
            return Ok(None);
        }
        let plan = Plan::new(name, Work::Recover, context.later());
        return installer.carry_out(context.layout, &plan).await.map(Some);
    }
    let before = stored.clone();
    let Some(mut report) = update::take_up(context, name, host, stored, journal).await? else {
        return Ok(None);
    };
    let recorded = by_hand::record(context, name, &before, stored)
        .and_then(|()| by_hand::remembered(context, stored, &mut report));
    not_hidden(recorded, &mut report)?;
    let taken_up = stored.clone();
    noted::note_and_store(context, name, &taken_up, stored, &mut report)?;
    Ok(Some(report))
}

/// What the decider has to hand over.
pub(super) fn work<R>(
    context: &Context<'_, R>,
    sources: &Sources<'_, R>,
    gathered: &Gathered,
    decision: &Decision,
) -> Option<Work> {
    if repair::is_broken(gathered) {
        return Some(Work::Recover);
    }
    change::due(context, sources, gathered, decision)
}

/// Has the installer do what is due. What was learnt on the way is on disk before, for the
/// installer has no other source.
pub(super) async fn hand_over<R: Runner>(
    context: &Context<'_, R>,
    name: &str,
    work: Work,
    stored: &AgentState,
    gathered: &Gathered,
    report: AgentReport,
) -> Result<AgentReport> {
    let Role::Decider(installer) = context.role else {
        return Ok(report);
    };
    by_hand::record(context, name, stored, &gathered.state)?;
    let learnt = AgentState {
        // The installer looks for itself whether the agent restarts again and again.
        restarts: stored.restarts,
        ..gathered.state.clone()
    };
    if learnt.differs(stored) {
        learnt.store(context.layout, name)?;
    }
    let plan = Plan::new(name, work, context.later());
    let told = installer.carry_out(context.layout, &plan).await?;
    Ok(joined(report, &told, &plan.work))
}

/// One report out of the decider's, which asked the version server, and the installer's.
fn joined(own: AgentReport, told: &AgentReport, work: &Work) -> AgentReport {
    let mut warnings = own.warnings.clone();
    for warning in &told.warnings {
        if !warnings.contains(warning) {
            warnings.push(warning.clone());
        }
    }
    let target = TargetReport {
        package_version: told.target.package_version.clone(),
        ..own.target.clone()
    };
    let mut report = match work {
        // Also where a file was to be fetched only, and more came of it.
        work if told.changed || told.exit_code != 0 || is_change(work) => {
            let timing = own.gates.iter().find(|gate| gate.name == GateName::Timing);
            let mut gates = told.gates.clone();
            let theirs = gates
                .iter_mut()
                .find(|gate| gate.name == GateName::Timing && gate.open == Some(true));
            if let (Some(theirs), Some(timing)) = (theirs, timing) {
                theirs.clone_from(timing);
            }
            AgentReport {
                schedule: own.schedule,
                gates,
                ..told.clone()
            }
        }
        // Nothing was changed, so what was decided stands; what the repository said is new.
        _ => AgentReport {
            gates: with_theirs(&own.gates, &told.gates),
            signature: told.signature.clone(),
            pin: told.pin.clone(),
            hold: told.hold.clone(),
            rollback: told.rollback.clone(),
            phase: told.phase,
            failing_since: told.failing_since,
            ..own
        },
    };
    report.warnings = warnings;
    report.target = target;
    report
}

/// The decider's gates, and those that only the installer looks at.
fn with_theirs(own: &[Gate], theirs: &[Gate]) -> Vec<Gate> {
    let is_new = |gate: &&Gate| own.iter().all(|known| known.name != gate.name);
    own.iter()
        .chain(theirs.iter().filter(is_new))
        .cloned()
        .collect()
}

fn is_change(work: &Work) -> bool {
    matches!(work, Work::Change { .. } | Work::Recover)
}
