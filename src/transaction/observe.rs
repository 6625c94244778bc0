//! Looks at what a transaction left: the database, the files, the process, the probes.

use super::Scene;
use super::step::{Files, Finding};
use crate::config::Restart;
use crate::decision::Health;
use crate::health::probe::Examination;
use crate::health::settle::{Settled, settle};
use crate::health::unit::{self, UnitSample, UnitState};
use crate::host;
use crate::state::journal::{HealthBefore, Transaction};
use adapters::{Failure, Installed, Runner};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::sleep;

/// How long a reloaded unit has to become the new program before it is restarted.
const RELOAD: Duration = Duration::from_secs(5);

/// The agent after a change.
#[derive(Debug)]
pub(super) enum Observed {
    /// It works, or is as it was before.
    Well {
        examination: Option<Examination>,
        /// The program whose replaced file still runs.
        still_runs: Option<PathBuf>,
    },
    /// It worked before and does not now.
    Sick(Examination, String),
    /// We were told to stop before it was known.
    Interrupted,
}

/// What is installed, and what that means for the change.
pub(super) async fn look<R: Runner>(
    scene: &Scene<'_, R>,
    change: &Transaction,
) -> (Result<Installed, Failure>, Finding) {
    let installed = installed(scene).await;
    let files = if matches!(installed, Ok(Installed::Present(_))) {
        match files(scene).await {
            Ok(files) => files,
            Err(failure) => {
                return (
                    Err(failure.clone()),
                    Finding::Unreadable(failure.to_string()),
                );
            }
        }
    } else {
        Files::Whole
    };
    let finding = Finding::new(&installed, change, files);
    (installed, finding)
}

async fn installed<R: Runner>(scene: &Scene<'_, R>) -> Result<Installed, Failure> {
    let package = &scene.policy.package;
    let output = scene
        .runner()
        .run(&scene.manager.query_installed(package))
        .await?;
    scene.manager.read_installed(package, &output)
}

async fn files<R: Runner>(scene: &Scene<'_, R>) -> Result<Files, Failure> {
    let command = scene.manager.verify(&scene.policy.package);
    let output = scene.runner().run(&command).await?;
    let damaged = scene.manager.read_verification(&output)?;
    Ok(damaged
        .into_iter()
        .next()
        .map_or(Files::Whole, Files::Damaged))
}

/// Brings the installed version to life and watches whether it works.
pub(super) async fn observe<R: Runner>(
    scene: &Scene<'_, R>,
    change: &Transaction,
    warnings: &mut Vec<String>,
) -> Observed {
    if scene.stop.is_asked() {
        return Observed::Interrupted;
    }
    revive(scene, change.ran_before, warnings).await;
    if change.health_before == HealthBefore::Stopped {
        return Observed::Well {
            examination: None,
            still_runs: None,
        };
    }
    let settled = settle(
        &scene.probes,
        scene.policy.health.settle,
        &scene.stop,
        scene.runner(),
    );
    match settled.await {
        Settled::Interrupted => Observed::Interrupted,
        Settled::Accepted(examination) => Observed::Well {
            still_runs: examination.main_pid.and_then(replaced),
            examination: Some(examination),
        },
        Settled::Sick(examination, why) if change.health_before == HealthBefore::Unhealthy => {
            warnings.push(format!("the agent is unhealthy, as it was before: {why}"));
            Observed::Well {
                examination: Some(examination),
                still_runs: None,
            }
        }
        Settled::Sick(examination, why) => Observed::Sick(examination, why),
    }
}

/// Does what the package left undone: a process that still is the old program, a unit that had
/// failed and that the package's own `try-restart` passes over, and one that ran before and was
/// stopped by a transaction that was cut off. A unit that somebody had stopped stays stopped.
async fn revive<R: Runner>(scene: &Scene<'_, R>, ran_before: bool, warnings: &mut Vec<String>) {
    let Some(unit) = scene.unit() else { return };
    let Some(sample) = sample(scene, unit).await else {
        return;
    };
    let down = matches!(sample.state, UnitState::Failed(_))
        || (ran_before && matches!(sample.state, UnitState::Inactive(_)));
    let old_program = || sample.main_pid.and_then(replaced).is_some();
    if down {
        // Also with `restart = "never"`: nothing that runs is disturbed.
        systemctl(scene, "restart", unit, warnings).await;
    } else if old_program() {
        match scene.policy.restart {
            Restart::Never => {}
            Restart::Restart => systemctl(scene, "restart", unit, warnings).await,
            Restart::Reload => systemctl(scene, "reload", unit, warnings).await,
            Restart::Auto => {
                if sample.can_reload {
                    systemctl(scene, "reload", unit, warnings).await;
                    sleep(RELOAD).await;
                }
                let sample = self::sample(scene, unit).await;
                if sample
                    .and_then(|sample| sample.main_pid)
                    .and_then(replaced)
                    .is_some()
                {
                    systemctl(scene, "restart", unit, warnings).await;
                }
            }
        }
    }
}

async fn sample<R: Runner>(scene: &Scene<'_, R>, unit: &str) -> Option<UnitSample> {
    let output = scene.runner().run(&unit::query(unit)).await.ok()?;
    Some(UnitSample::read(unit, &output))
}

async fn systemctl<R: Runner>(
    scene: &Scene<'_, R>,
    verb: &str,
    unit: &str,
    warnings: &mut Vec<String>,
) {
    let command = unit::revive(verb, unit);
    match scene.runner().run(&command).await {
        Ok(output) if output.returned_zero() => {}
        Ok(output) => {
            let cause = output.stderr.lines().next().unwrap_or_default();
            warnings.push(format!("`{command}` failed ({}): {cause}", output.exit));
        }
        Err(failure) => warnings.push(format!("`{command}` failed: {failure}")),
    }
}

/// The program of a process whose file was replaced since it started.
fn replaced(pid: u32) -> Option<PathBuf> {
    host::executable(pid).and_then(|(path, replaced)| replaced.then_some(path))
}

/// Whether the running main process executes the file that the package installed.
pub(crate) fn runs_installed_file(pid: Option<u32>, files: &[String]) -> bool {
    let Some((path, replaced)) = pid.and_then(host::executable) else {
        return false;
    };
    !replaced && files.iter().any(|file| Path::new(file) == path)
}

/// Health before a change, as the journal keeps it.
pub(crate) fn health_before(health: Option<&Health>) -> HealthBefore {
    match health {
        Some(Health::Healthy(_)) => HealthBefore::Healthy,
        Some(Health::Unhealthy(_)) => HealthBefore::Unhealthy,
        Some(Health::Stopped(_)) => HealthBefore::Stopped,
        Some(Health::Unknown(_)) | None => HealthBefore::Unknown,
    }
}
