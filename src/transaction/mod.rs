//! One change to the package, from the journal's first line to a settled host.
//!
//! [`install`] begins a change, [`recover`] takes up one that something cut off; both end in
//! [`drive`], which looks at the host, takes the next [`step`], and looks again, until one version is
//! installed, whole and observed, or nothing can be done any more.

/// What came of a change.
mod applied;
/// What is looked at, and the agent's service.
pub(crate) mod observe;
/// Who else is at work on the package database.
pub(crate) mod quiet;
/// What a half-made change is repaired with.
mod repairs;
/// The agent, and what a change to its package needs.
mod scene;
/// What is recorded when it is over.
mod settle;
/// What follows from the evidence. Pure.
mod step;

pub(crate) use applied::Applied;
pub(crate) use scene::Scene;

use crate::announce;
use crate::decision::Reason;

use crate::state::agent::AgentState;
use crate::state::files;
use crate::state::journal::{Event, Journal, Phase, Transaction, Undo, UndoKind};
use adapters::{CommandSpec, Failure, Installed, Runner};
use anyhow::{Context as _, Result};
use observe::{Observed, look, observe};
use quiet::{lock_holder, wait_until_quiet};
use repairs::{absorb, cannot_repair, forget_repairs, keep_hold, means, repair};
use settle::{End, settled};
use step::{Blame, Files, Finding, Means, Step, next_step};

/// What began a transaction that only repairs.
pub(crate) const REPAIR: &str = "repair";

/// Makes the change that `journal` is about to hold, with the manager's own command or with that
/// for a bare package file.
///
/// # Errors
/// The journal cannot be written; nothing was changed.
pub(crate) async fn install<R: Runner>(
    scene: &Scene<'_, R>,
    change: Transaction,
    (command, from_file): (CommandSpec, bool),
    (journal, state): (&mut Journal, &mut AgentState),
) -> Result<Applied> {
    let layout = scene.context.layout;
    // The tools for a bare file do not wait for others themselves.
    if from_file && let Err(holder) = quiet(scene, &change).await {
        return Ok(Applied::not_begun(Reason::PackageManagerBusy, holder));
    }
    files::create_folder(&layout.transcripts(), 0o700)?;
    let command = scene.marked(command, &change);
    journal.transaction = Some(change);
    scene.stop.hold_back().context("hold signals back")?;
    journal.record(layout, scene.agent, Event::Begun, scene.context.later())?;
    let change = transaction(journal)?;
    scene.changing(format!("installing {}", change.to));
    let _inhibitor = scene.inhibitor();
    let mut run = Run::default();
    match scene.runner().run(&command).await {
        Ok(output) => {
            let read = if from_file {
                scene.manager.read_install_file(&output)
            } else {
                scene.manager.read_install(&change.forward(), &output)
            };
            match read {
                Ok(lines) => run.warnings.extend(lines),
                Err(failure) => run.told = Some(output.blame(failure)),
            }
        }
        Err(failure) => run.told = Some(failure),
    }
    scene.note(journal, Event::Returned, &mut run.warnings);
    drive(scene, (journal, state), run).await
}

/// Takes up a change that was cut off: waits until nothing of it is left running, then finishes or
/// undoes it.
///
/// # Errors
/// The journal cannot be read or written.
pub(crate) async fn recover<R: Runner>(
    scene: &Scene<'_, R>,
    (journal, state): (&mut Journal, &mut AgentState),
) -> Result<Applied> {
    let change = transaction(journal)?;
    tracing::warn!(
        MESSAGE_ID = announce::TAKEN_UP,
        AGENT_UPDATER_AGENT = scene.agent,
        AGENT_UPDATER_REASON = change.trigger.as_str(),
        AGENT_UPDATER_FROM = change.from.as_str(),
        AGENT_UPDATER_TO = change.to.as_str(),
        phase = ?journal.phase,
        "taking up a change that was cut off"
    );
    scene.changing(format!("taking up the change to {}", change.to));
    scene.stop.hold_back().context("hold signals back")?;
    let _inhibitor = scene.inhibitor();
    let run = Run {
        cut_off: true,
        ..Run::default()
    };
    drive(scene, (journal, state), run).await
}

fn transaction(journal: &Journal) -> Result<Transaction> {
    journal
        .transaction
        .clone()
        .context("the journal names no change")
}

/// What this run of the program has seen of the change.
#[derive(Debug, Default)]
struct Run {
    /// What the package manager complained of last.
    told: Option<Failure>,
    /// Whether an earlier run of the program began it.
    cut_off: bool,
    warnings: Vec<String>,
}

async fn drive<R: Runner>(
    scene: &Scene<'_, R>,
    (journal, state): (&mut Journal, &mut AgentState),
    mut run: Run,
) -> Result<Applied> {
    loop {
        let change = transaction(journal)?;
        if let Some(installed) = kept_out(scene, &change, &mut run).await {
            let (installed, end) = (Some(installed), End::Old(None));
            return Ok(settled(scene, (journal, state), installed, end, run));
        }
        if !scene.only_look
            && let Err(holder) = quiet(scene, &change).await
        {
            return Ok(Applied::later(Reason::PackageManagerBusy, &holder, run));
        }
        if !scene.only_look && (run.cut_off || run.told.is_some()) {
            absorb(scene, &mut run.warnings).await;
        }
        let (installed, finding) = look(scene, &change).await;
        keep_hold(scene, journal, &installed, &mut run.warnings).await;
        let step = next(scene, journal, &change, &finding, &run);
        if let Some(applied) = cannot_repair(scene, &step, &finding, &mut run) {
            return Ok(applied);
        }
        tell_step(scene, &step, &change, &finding);
        match step {
            Step::Leave => {
                let why = finding.describe();
                return Ok(Applied::later(Reason::PackageDatabaseUnreadable, &why, run));
            }
            Step::Finish => {
                if let Some(command) = scene.manager.finish(&change.package) {
                    repair(scene, journal, command, &mut run).await?;
                }
            }
            Step::PutNew => {
                if let Some(new) = &change.new {
                    let command = scene.manager.install_file(&change.forward(), &new.file);
                    repair(scene, journal, command, &mut run).await?;
                }
            }
            Step::PutOld(blame) => {
                if journal.phase != Phase::RollingBack {
                    let kind = match blame {
                        Blame::Accident => UndoKind::Accident,
                        Blame::Version => UndoKind::BadPackage,
                    };
                    condemn(
                        scene,
                        journal,
                        kind,
                        cause(&run, &finding),
                        &mut run.warnings,
                    );
                }
                if let Some(old) = &change.old {
                    let command = scene.manager.install_file(&change.backward(), &old.file);
                    repair(scene, journal, command, &mut run).await?;
                }
            }
            Step::GiveUp if matches!(run.told, Some(Failure::DiskFull(_))) => {
                forget_repairs(scene, journal, &mut run.warnings);
                let text = cause(&run, &finding);
                return Ok(Applied::without_room(scene.agent, &text, &finding, run));
            }
            Step::GiveUp => {
                scene.note(journal, Event::GaveUp, &mut run.warnings);
                let end = End::Stuck(cause(&run, &finding));
                return Ok(settled(scene, (journal, state), installed.ok(), end, run));
            }
            Step::Accept => {
                let end = End::SomebodyElse(finding.describe());
                return Ok(settled(scene, (journal, state), installed.ok(), end, run));
            }
            Step::Observe => {
                rustix::fs::sync();
                let is_new = matches!(finding, Finding::New(_));
                match observe(scene, &change, &mut run.warnings).await {
                    Observed::Interrupted => {
                        let why = "asked to stop before the new version was observed";
                        return Ok(Applied::later(Reason::Interrupted, why, run));
                    }
                    Observed::Sick(_, why) if scene.only_look => {
                        return Ok(Applied::later(Reason::UnhealthyAfterUpdate, &why, run));
                    }
                    Observed::Sick(_, why) if is_new && repairs::means(scene, &change).old => {
                        condemn(scene, journal, UndoKind::Sick, why, &mut run.warnings);
                    }
                    observed => {
                        let end = End::of(is_new, observed);
                        if matches!(end, End::Sick { .. }) {
                            // Told again by every tick until somebody has mended it.
                            scene.note(journal, Event::GaveUp, &mut run.warnings);
                        }
                        return Ok(settled(scene, (journal, state), installed.ok(), end, run));
                    }
                }
            }
        }
    }
}

/// Tells whoever watches what is done next.
fn tell_step<R: Runner>(
    scene: &Scene<'_, R>,
    step: &Step,
    change: &Transaction,
    finding: &Finding,
) {
    let (from, to) = (&change.from, &change.to);
    let installed = if matches!(finding, Finding::New(_)) {
        to
    } else {
        from
    };
    match step {
        Step::Finish => scene.doing(format!("finishing {to}")),
        Step::PutNew => scene.changing(format!("putting {to} in place")),
        Step::PutOld(_) => scene.changing(format!("putting {from} back")),
        Step::Observe => scene.doing(format!("watching whether {installed} works")),
        Step::GiveUp | Step::Leave | Step::Accept => {}
    }
}

/// What is installed, where the manager was kept out by a lock and changed nothing: then there is
/// nothing of ours to wait for.
async fn kept_out<R: Runner>(
    scene: &Scene<'_, R>,
    change: &Transaction,
    run: &mut Run,
) -> Option<Installed> {
    let Some(Failure::Locked { detail }) = &mut run.told else {
        return None;
    };
    let (installed, finding) = look(scene, change).await;
    if finding != Finding::Old(Files::Whole) {
        return None;
    }
    if let Some(holder) = lock_holder(scene.context.layout, &scene.manager.locks()) {
        *detail = holder.to_string();
    }
    installed.ok()
}

/// The next step, with what there is to repair with.
fn next<R: Runner>(
    scene: &Scene<'_, R>,
    journal: &Journal,
    change: &Transaction,
    finding: &Finding,
    run: &Run,
) -> Step {
    // To check the kept files is to read them: only where they may be needed.
    let met = journal.phase != Phase::RollingBack && matches!(finding, Finding::New(Files::Whole));
    let means = if met || finding.is_settled() {
        Means::default()
    } else {
        means(scene, change)
    };
    let script_failed = matches!(run.told, Some(Failure::Script(_)));
    let step = next_step(journal.phase, finding, means, script_failed, change.repairs);
    tracing::debug!(agent = scene.agent, phase = ?journal.phase, ?finding, ?step, "next step");
    step
}

/// Waits for others at the package manager, and for what an earlier run of ours left behind.
async fn quiet<R: Runner>(scene: &Scene<'_, R>, change: &Transaction) -> Result<(), String> {
    let mut files = Vec::new();
    if quiet::survivor(&change.id, &files).is_some() {
        // Where scripts start the agent themselves it may be the agent.
        let list = scene.manager.list_files(&scene.policy.package);
        if let Ok(output) = scene.runner().run(&list).await {
            let read = scene.manager.read_files(&scene.policy.package, &output);
            files = read.unwrap_or_default();
        }
    }
    let locks = scene.manager.locks();
    wait_until_quiet(scene.context.layout, locks, &change.id, &files).await
}

/// What is wrong, for a person: what the package manager said, else what was found.
fn cause(run: &Run, finding: &Finding) -> String {
    match &run.told {
        Some(failure) => failure.to_string(),
        None if run.cut_off => format!("the installation was cut off: {}", finding.describe()),
        None => finding.describe(),
    }
}

/// Decides on the way back, on disk.
fn condemn<R: Runner>(
    scene: &Scene<'_, R>,
    journal: &mut Journal,
    kind: UndoKind,
    cause: String,
    warnings: &mut Vec<String>,
) {
    if let Some(change) = &mut journal.transaction {
        tracing::warn!(
            MESSAGE_ID = announce::GOING_BACK,
            AGENT_UPDATER_AGENT = scene.agent,
            AGENT_UPDATER_REASON = change.trigger.as_str(),
            AGENT_UPDATER_FROM = change.to.as_str(),
            AGENT_UPDATER_TO = change.from.as_str(),
            %cause,
            "putting the version before back"
        );
        change.undo = Some(Undo { kind, cause });
    }
    scene.note(journal, Event::Condemned, warnings);
}
