//! What a change came to: told, remembered, recorded, and the journal closed.

use super::observe::Observed;
use super::{Applied, REPAIR, Run, Scene};
use crate::announce;
use crate::by_hand::ROLLBACK;
use crate::decision::{Reason, authorize};
use crate::health::probe::Examination;
use crate::outcome;
use crate::packages;
use crate::report::build;
use crate::state::agent::{AgentState, Attempt, Failures, Quarantined, RestartPending};
use crate::state::history;
use crate::state::journal::{Event, HealthBefore, Journal, Phase, Transaction, UndoKind};
use crate::state::transcripts;
use adapters::{Failure, Installed, NativeVersion, Runner};
use anyhow::Result;
use std::path::PathBuf;

/// How a change ended.
#[derive(Debug)]
pub(super) enum End {
    /// The new version is installed and observed.
    New(Option<Examination>, Option<PathBuf>),
    /// The version before is installed and observed.
    Old(Option<Examination>),
    /// What is installed does not work, and there is no other version to go to.
    Sick {
        new: bool,
        examination: Examination,
        why: String,
    },
    /// Every repair failed.
    Stuck(String),
    /// Somebody else changed the package meanwhile.
    SomebodyElse(String),
}

impl End {
    pub(super) fn of(new: bool, observed: Observed) -> Self {
        match observed {
            Observed::Well {
                examination,
                still_runs,
            } if new => Self::New(examination, still_runs),
            Observed::Well { examination, .. } => Self::Old(examination),
            Observed::Sick(examination, why) => Self::Sick {
                new,
                examination,
                why,
            },
            Observed::Interrupted => Self::Stuck("interrupted".to_owned()),
        }
    }
}

/// Tells, remembers and records the end of a change. The order makes a cut at any point harmless: a
/// later start finds the journal open and the same end, and says it again under the same id.
pub(super) fn settled<R: Runner>(
    scene: &Scene<'_, R>,
    (journal, state): (&mut Journal, &mut AgentState),
    installed: Option<Installed>,
    end: End,
    run: Run,
) -> Applied {
    let Some(mut change) = journal.transaction.clone() else {
        return Applied::later(Reason::InternalError, "the journal names no change", run);
    };
    change.durations = journal.durations_until(scene.context.later());
    let told = run.told.clone();
    let mut applied = applied(scene, &change, installed, end, run);
    announce::ended(scene.agent, &change, applied.reason, &applied.message);
    remember(scene, state, &change, &applied, told.as_ref());
    let recorded = state
        .store(scene.context.layout, scene.agent)
        .and_then(|()| record(scene, state, &change, &applied.message));
    transcripts::rotate(scene.context.layout, scene.agent, transcripts::KEPT);
    // The change is made: a full disk must not hide what came of it.
    if let Err(error) = recorded {
        applied.warnings.push(format!("not recorded: {error:#}"));
    }
    if journal.phase != Phase::Stuck {
        scene.note(journal, Event::Settled, &mut applied.warnings);
    }
    applied
}

fn applied<R: Runner>(
    scene: &Scene<'_, R>,
    change: &Transaction,
    installed: Option<Installed>,
    end: End,
    mut run: Run,
) -> Applied {
    let (from, to) = (said(&change.from), said(&change.to));
    let name = scene.agent;
    let mut hint = None;
    if matches!(end, End::New(..)) {
        // The database is the judge: it has the new version, so this is a remark.
        let told = run.told.take();
        run.warnings.extend(told.map(|failure| failure.to_string()));
    }
    let (reason, message, examination) = match end {
        End::New(examination, _) if change.trigger == REPAIR => {
            let text = format!("{} {to} was broken and is repaired", change.package);
            (Reason::Updated, text, examination)
        }
        End::New(examination, Some(program)) => {
            hint = scene.unit().map(|unit| format!("systemctl restart {unit}"));
            let text = format!(
                "updated {from} → {to}; the running process still is the old {}",
                program.display()
            );
            (Reason::RestartPending, text, examination)
        }
        End::New(examination, None) => (
            Reason::Updated,
            format!("updated {from} → {to}"),
            examination,
        ),
        End::Old(examination) => match &change.undo {
            Some(undo) if undo.kind == UndoKind::Sick => {
                hint = Some(format!(
                    "`agent-updater allow {name} {to}` lets it be tried again"
                ));
                let text = format!("{to} was unhealthy and {from} is back: {}", undo.cause);
                (Reason::RolledBack, text, examination)
            }
            Some(undo) => {
                let text = format!("{to} was not installed, {from} is back: {}", undo.cause);
                (Reason::InstallFailed, text, examination)
            }
            None => {
                let (reason, why, way_out) = not_installed(name, run.told.as_ref(), run.cut_off);
                hint = way_out;
                let text = format!("{to} was not installed: {why}; {from} is in place");
                (reason, text, examination)
            }
        },
        End::Sick {
            new: true,
            examination,
            why,
        } => {
            hint = Some(format!(
                "look at the agent's journal; there is no way back to {from}: {}",
                change
                    .no_way_back
                    .as_deref()
                    .unwrap_or("its package cannot be used")
            ));
            let text = format!("updated {from} → {to}, and the agent is unhealthy since: {why}");
            (Reason::UnhealthyAfterUpdate, text, Some(examination))
        }
        End::Sick {
            new: false,
            examination,
            why,
        } => {
            hint = Some("look at the agent's journal: neither version works".to_owned());
            let text = format!("{from} is back in place of {to}, and is unhealthy, too: {why}");
            (Reason::RollbackFailed, text, Some(examination))
        }
        End::Stuck(why) if change.trigger == REPAIR => {
            hint = Some(repair_hint(scene, change));
            let text = format!("{} is broken and cannot be repaired: {why}", change.package);
            (Reason::PackageBroken, text, None)
        }
        End::Stuck(why) => {
            hint = Some(repair_hint(scene, change));
            let text = format!("neither {to} nor {from} could be brought to work: {why}");
            (Reason::RollbackFailed, text, None)
        }
        End::SomebodyElse(found) => {
            let text =
                format!("{to} was not installed: somebody else changed the package, {found}");
            (Reason::InstallFailed, text, None)
        }
    };
    Applied {
        reason,
        message,
        hint,
        warnings: run.warnings,
        installed,
        examination,
    }
}

/// Why nothing changed: the reason, in words, the way out.
fn not_installed(
    agent: &str,
    told: Option<&Failure>,
    cut_off: bool,
) -> (Reason, String, Option<String>) {
    match told {
        Some(Failure::Broken { detail, repair }) => (
            Reason::PackageManagerBroken,
            detail.clone(),
            Some(repair.clone()),
        ),
        Some(failure @ Failure::Unexpected(_)) => {
            (Reason::InstallFailed, failure.to_string(), None)
        }
        Some(failure) => {
            let reason = authorize::failure_reason(failure);
            let way_out = match reason {
                Reason::DiskFull => build::hint(reason, agent),
                _ => None,
            };
            (reason, failure.to_string(), way_out)
        }
        None if cut_off => (
            Reason::InstallFailed,
            "it was cut off before it changed anything".to_owned(),
            None,
        ),
        None => (
            Reason::InstallFailed,
            "the package manager reported success, and the package database does not have it"
                .to_owned(),
            None,
        ),
    }
}

fn repair_hint<R: Runner>(scene: &Scene<'_, R>, change: &Transaction) -> String {
    let file = change.old.as_ref().or(change.new.as_ref());
    match file {
        Some(package) => {
            let command = scene
                .manager
                .install_file(&change.backward(), &package.file);
            format!("as root: {command}")
        }
        None => format!("install {} again by hand", change.package),
    }
}

fn remember<R: Runner>(
    scene: &Scene<'_, R>,
    state: &mut AgentState,
    change: &Transaction,
    applied: &Applied,
    told: Option<&Failure>,
) {
    let now = scene.context.later();
    let is_new = matches!(
        &applied.installed,
        Some(Installed::Present(package)) if package.version == change.to
    );
    let undo = change.undo.as_ref();
    let to_blame = undo.is_some_and(|undo| undo.kind != UndoKind::Accident)
        || (!is_new && matches!(told, Some(Failure::Script(_))));
    if let (true, Some(version)) = (to_blame, change.to.target()) {
        let cause = undo.map_or_else(|| applied.message.clone(), |undo| undo.cause.clone());
        state.quarantine.retain(|one| one.version != version);
        state.quarantine.push(Quarantined {
            version,
            since: now,
            cause,
        });
    }
    let good = outcome::exit_code(applied.reason) == 0;
    if good {
        state.pending = None;
        state.failures = None;
    } else if !to_blame {
        let to = change.to.clone();
        let before = state.failures.take().filter(|failures| failures.to == to);
        let repeated = before
            .as_ref()
            .is_some_and(|failures| failures.last_at >= change.started_at);
        let count = before.map_or(0, |failures| failures.count);
        state.failures = Some(Failures {
            to,
            count: count + u32::from(!repeated),
            last_at: now,
        });
    }
    state.restarts = applied
        .examination
        .as_ref()
        .and_then(|examination| examination.restarts);
    let examination = applied.examination.as_ref();
    let examination = examination.filter(|_| applied.reason == Reason::RestartPending);
    state.restart_pending = examination.and_then(|now| {
        Some(RestartPending {
            main_pid: now.main_pid?,
            invocation: now.invocation.clone(),
            running: change.from.clone(),
            installed: change.to.clone(),
        })
    });
    let by_hand = change.hold.as_ref().filter(|_| is_new && good);
    let went_back = by_hand.is_some_and(|hold| hold.placed_by == ROLLBACK);
    // Whoever goes back by hand found bad what no probe sees.
    if is_new && good && change.health_before != HealthBefore::Unhealthy && !went_back {
        state.last_good = Some(change.from.clone());
    }
    if by_hand.is_some() {
        state.hold.clone_from(&change.hold);
    }
    let put_back = is_rollback(change, applied.reason, is_new);
    state.count_attempt(&change.id, &applied.reason.as_str(), put_back);
    let last_good = state.last_good.clone();
    let mut wanted: Vec<&NativeVersion> = vec![&change.from];
    wanted.extend(last_good.as_ref());
    if !to_blame {
        wanted.push(&change.to);
    }
    packages::tidy(
        (scene.context.layout, scene.agent),
        &scene.policy.package,
        state,
        &wanted,
    );
    state.last_attempt = Some(Attempt {
        id: change.id.clone(),
        from: change.from.as_str().to_owned(),
        to: change.to.as_str().to_owned(),
        trigger: change.trigger.clone(),
        result: applied.reason.as_str(),
        started_at: change.started_at,
        ended_at: now,
    });
}

/// Whether the version before was put back, by itself or because an operator said so.
fn is_rollback(change: &Transaction, reason: Reason, is_new: bool) -> bool {
    let by_itself = matches!(reason, Reason::RolledBack | Reason::InstallFailed);
    match &change.hold {
        Some(hold) if is_new => hold.placed_by == ROLLBACK,
        _ => !is_new && by_itself && change.undo.is_some(),
    }
}

fn record<R: Runner>(
    scene: &Scene<'_, R>,
    state: &AgentState,
    change: &Transaction,
    message: &str,
) -> Result<()> {
    let Some(attempt) = &state.last_attempt else {
        return Ok(());
    };
    let transcript = scene.context.layout.transcripts().join(&change.id);
    let context = scene.context;
    // An earlier version's journal does not say who began it.
    let actor = change.actor.clone();
    let actor = actor.unwrap_or_else(|| history::Actor::of_this_process("tick"));
    let names = (context.host.as_str(), scene.agent);
    let event = history::Event {
        uid: actor.uid,
        header: history::Header {
            id: change.id.clone(),
            actor,
            ..history::Header::new(
                names,
                attempt.ended_at,
                &attempt.trigger,
                &attempt.result,
                "",
            )
        },
        from: &attempt.from,
        to: &attempt.to,
        message,
        durations: change.durations.in_seconds(),
        seconds: (attempt.ended_at - attempt.started_at).as_seconds_f64(),
        signing_key: change
            .new
            .as_ref()
            .map(|package| package.signing_key.as_str()),
        transcript: transcript.to_str(),
    };
    history::append_once(context.layout, &change.id, &event)
}

/// A version in the words of the version server, where it has such a form.
fn said(version: &NativeVersion) -> String {
    version
        .target()
        .map_or_else(|| version.as_str().to_owned(), |target| target.to_string())
}
