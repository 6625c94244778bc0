//! What a half-made change is repaired with, and when it cannot be.

use super::step::{Finding, Means, Step};
use super::{Applied, Run, Scene, transaction};
use crate::decision::Reason;
use crate::host;
use crate::packages;
use crate::state::files;
use crate::state::journal::{Journal, KeptPackage, Transaction};
use adapters::{CommandSpec, Failure, Installed, Runner};
use anyhow::Result;

/// Runs one repair; that it was tried is on disk before.
pub(super) async fn repair<R: Runner>(
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

pub(super) fn means<R: Runner>(scene: &Scene<'_, R>, change: &Transaction) -> Means {
    let now = scene.context.later();
    let usable = |package: &KeptPackage| {
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

/// Leaves no journal of the database's own behind, over which a later transaction would stumble.
pub(super) async fn absorb<R: Runner>(scene: &Scene<'_, R>, warnings: &mut Vec<String>) {
    let Some(command) = scene.manager.absorb() else {
        return;
    };
    match scene.runner().run(&command).await {
        Ok(output) if output.returned_zero() => {}
        Ok(output) => warnings.push(format!("`{command}` failed ({})", output.exit)),
        Err(failure) => warnings.push(format!("`{command}` failed: {failure}")),
    }
}

/// Remembers an administrator's hold before a repair, and gives it back afterwards. The journal has
/// it on disk before any file is put in place.
pub(super) async fn keep_hold<R: Runner>(
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

/// Repairs without room were none: they are tried again once there is some.
pub(super) fn forget_repairs<R: Runner>(
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

/// What is told where a repair is due and none can be made: within somebody else's transaction, and
/// on a disk that is full.
pub(super) fn cannot_repair<R: Runner>(
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
    // rpm cannot even be asked then: it dies of SIGBUS.
    if is_repair || matches!(step, Step::Leave) {
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
