//! One change to the package, from the journal's first line to a settled host.
//!
//! [`install`] begins a change, [`recover`] takes up one that something cut off; both end in
//! [`drive`], which looks at the host, takes the next [`step`], and looks again, until one version is
//! installed, whole and observed, or nothing can be done any more.

/// What is looked at, and the agent's service.
pub(crate) mod observe;
/// Who else is at work on the package database.
pub(crate) mod quiet;
/// What is recorded when it is over.
mod settle;
/// What follows from the evidence. Pure.
mod step;

use crate::announce;
use crate::config::Policy;
use crate::decision::Reason;
use crate::health::probe::{Examination, Probes};
use crate::host;
use crate::packages;
use crate::report::build;
use crate::state::agent::AgentState;
use crate::state::files;
use crate::state::journal::{Event, Journal, Phase, Transaction, Undo, UndoKind};
use crate::stop::{Inhibitor, StopRequest};
use crate::tick::Context;
use adapters::{CommandSpec, Failure, Installed, PackageManager, Runner};
use anyhow::{Context as _, Result};
use observe::{Observed, look, observe};
use quiet::{MARK, lock_holder, wait_until_quiet};
use settle::{End, settled};
use step::{Blame, Files, Finding, Means, Step, next_step};

/// What began a transaction that only repairs.
pub(crate) const REPAIR: &str = "repair";

/// The agent, and what a change to its package needs.
#[derive(Debug)]
pub(crate) struct Scene<'a, R> {
    /// The tick.
    pub context: &'a Context<'a, R>,
    /// The agent's name.
    pub agent: &'a str,
    /// Its policy.
    pub policy: &'a Policy,
    /// The host's package manager.
    pub manager: &'a dyn PackageManager,
    /// How to tell that it works.
    pub probes: Probes,
    /// Whether somebody wants us to stop.
    pub stop: StopRequest,
    /// Whether somebody else's transaction surrounds this one, so that its locks are no reason to
    /// wait, and nothing can be installed.
    pub only_look: bool,
}

/// What came of a change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Applied {
    /// `updated`, `rolled_back`, `restart_pending`, or what went wrong.
    pub reason: Reason,
    /// The same for a person, one line.
    pub message: String,
    /// The way out, where there is one.
    pub hint: Option<String>,
    /// What deserves attention and stopped nothing.
    pub warnings: Vec<String>,
    /// What the package database says afterwards.
    pub installed: Option<Installed>,
    /// The agent afterwards.
    pub examination: Option<Examination>,
}

impl<R: Runner> Scene<'_, R> {
    fn runner(&self) -> &R {
        self.context.runner
    }

    fn unit(&self) -> Option<&str> {
        self.probes
            .unit
            .as_ref()
            .and_then(|unit| unit.as_deref().ok())
    }

    /// The unit, for the journal.
    pub(crate) fn unit_name(&self) -> Option<String> {
        self.unit().map(str::to_owned)
    }

    /// Goes on to the next phase. Where the disk does not take it the work goes on: the phase
    /// before leads a later start to the same step, by what it finds on the host.
    fn note(&self, journal: &mut Journal, event: Event, warnings: &mut Vec<String>) {
        let now = self.context.later();
        if let Err(error) = journal.record(self.context.layout, self.agent, event, now) {
            warnings.push(format!("the journal is behind: {error:#}"));
            journal.phase = journal.phase.after(event).unwrap_or(journal.phase);
        }
    }

    fn inhibitor(&self) -> Inhibitor {
        Inhibitor::take(&format!("updating {}", self.policy.package))
    }

    /// A command of the transaction: marked, so that it is found again, with its output in files.
    fn marked(&self, command: CommandSpec, change: &Transaction) -> CommandSpec {
        command
            .with_environment(MARK, change.id.clone())
            .within(self.policy.transaction_deadline)
            .recorded_at(self.context.layout.transcripts().join(&change.id))
    }
}

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
                    Observed::Sick(_, why) if is_new && self::means(scene, &change).old => {
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

/// Repairs without room were none: they are tried again once there is some.
fn forget_repairs<R: Runner>(
    scene: &Scene<'_, R>,
    journal: &mut Journal,
    warnings: &mut Vec<String>,
) {
    if let Some(change) = &mut journal.transaction {
        change.repairs = 0;
    }
    if let Err(error) = journal.write(scene.context.layout, scene.agent) {
        warnings.push(format!("the journal is behind: {error:#}"));
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
    if let Some(holder) = lock_holder(scene.context.layout, scene.manager.locks()) {
        *detail = holder;
    }
    installed.ok()
}

/// What is told where a repair is due and none can be made: within somebody else's transaction, and
/// on a disk that is full.
fn cannot_repair<R: Runner>(
    scene: &Scene<'_, R>,
    step: &Step,
    finding: &Finding,
    run: &mut Run,
) -> Option<Applied> {
    let is_repair = !matches!(step, Step::Leave | Step::Accept | Step::Observe);
    if scene.only_look && is_repair {
        let (why, run) = (finding.describe(), std::mem::take(run));
        return Some(Applied::later(Reason::PackageManagerBusy, &why, run));
    }
    let text = no_room(scene)?;
    if is_repair {
        // A repair would fail like what it repairs, and must not be counted.
        let run = std::mem::take(run);
        return Some(Applied::without_room(scene.agent, &text, finding, run));
    }
    if let Some(Failure::Unexpected(_)) = &run.told {
        // What the package manager said of it did not come to the disk either.
        run.told = Some(Failure::DiskFull(text));
    }
    None
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

/// Where there is no room left at all, in words. Less than a transaction may begin with is enough to
/// end one.
fn no_room<R: Runner>(scene: &Scene<'_, R>) -> Option<String> {
    const BYTES: u64 = 1024 * 1024;
    const FILES: u64 = 16;
    let free = host::free_space(scene.context.layout);
    let full = free
        .iter()
        .find(|free| free.bytes < BYTES || free.files.is_some_and(|files| files < FILES))?;
    Some(format!("no room is left in {}", full.folder))
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

/// Remembers an administrator's hold before a repair, and gives it back afterwards. The journal has
/// it on disk before any file is put in place.
async fn keep_hold<R: Runner>(
    scene: &Scene<'_, R>,
    journal: &mut Journal,
    installed: &Result<Installed, Failure>,
    warnings: &mut Vec<String>,
) {
    let (Ok(installed), Some(change)) = (installed, &mut journal.transaction) else {
        return;
    };
    if installed.is_held() {
        change.held = true;
    } else if change.held
        && matches!(installed, Installed::Present(_))
        && let Some(command) = scene.manager.hold_again(&change.package)
    {
        match scene.runner().run(&command).await {
            Ok(output) if output.returned_zero() => {}
            Ok(output) => warnings.push(format!("`{command}` failed: {}", output.exit)),
            Err(failure) => warnings.push(format!("`{command}` failed: {failure}")),
        }
    }
}

/// Leaves no journal of the database's own behind, over which a later transaction would stumble.
async fn absorb<R: Runner>(scene: &Scene<'_, R>, warnings: &mut Vec<String>) {
    let Some(command) = scene.manager.absorb() else {
        return;
    };
    match scene.runner().run(&command).await {
        Ok(output) if output.returned_zero() => {}
        Ok(output) => warnings.push(format!("`{command}` failed ({})", output.exit)),
        Err(failure) => warnings.push(format!("`{command}` failed: {failure}")),
    }
}

fn means<R: Runner>(scene: &Scene<'_, R>, change: &Transaction) -> Means {
    let now = scene.context.later();
    let usable = |package: &crate::state::journal::KeptPackage| {
        packages::check(package).is_ok()
            && !packages::is_revoked(
                scene.context.layout,
                scene.manager,
                &package.signing_key,
                now,
            )
    };
    Means {
        new: change.new.as_ref().is_some_and(usable),
        old: change.old.as_ref().is_some_and(usable),
        finish: scene.manager.finish(&change.package).is_some(),
    }
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

/// Runs one repair; that it was tried is on disk before.
async fn repair<R: Runner>(
    scene: &Scene<'_, R>,
    journal: &mut Journal,
    command: CommandSpec,
    run: &mut Run,
) -> Result<()> {
    if let Some(change) = &mut journal.transaction {
        change.repairs += 1;
    }
    let layout = scene.context.layout;
    let written = journal.write(layout, scene.agent);
    // The phase leads a later start here, and this one counts by itself: a disk that is full must
    // not leave the package half installed.
    let written = written.and_then(|()| files::create_folder(&layout.transcripts(), 0o700));
    if let Err(error) = written {
        let text = format!("the journal is behind: {error:#}");
        run.warnings.push(text);
    }
    let command = scene.marked(command, &transaction(journal)?);
    run.told = match scene.runner().run(&command).await {
        Ok(output) => match scene.manager.read_install_file(&output) {
            Ok(lines) => {
                run.warnings.extend(lines);
                None
            }
            Err(failure) => Some(output.blame(failure)),
        },
        Err(failure) => Some(failure),
    };
    Ok(())
}

impl Applied {
    /// Nothing was begun, and nothing is remembered of it.
    fn not_begun(reason: Reason, message: String) -> Self {
        Self {
            reason,
            message,
            hint: None,
            warnings: Vec::new(),
            installed: None,
            examination: None,
        }
    }

    /// Half-way, and no room to go on or back: somebody has to make some, and a later tick goes on by
    /// the journal.
    fn without_room(agent: &str, text: &str, finding: &Finding, run: Run) -> Self {
        let why = format!("{text}; {}", finding.describe());
        Self {
            hint: build::hint(Reason::DiskFull, agent),
            ..Self::later(Reason::RollbackFailed, &why, run)
        }
    }

    /// Not over: a later tick goes on by the journal.
    fn later(reason: Reason, why: &str, run: Run) -> Self {
        Self {
            reason,
            message: format!("a change is under way and goes on with the next run: {why}"),
            hint: None,
            warnings: run.warnings,
            installed: None,
            examination: None,
        }
    }
}
