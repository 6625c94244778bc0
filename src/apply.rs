//! Makes the change and looks at what came of it. The only place that changes the host.

use crate::config::Restart;
use crate::decision::{Health, Reason, authorize};
use crate::health::probe::{Examination, Probes, examine};
use crate::health::unit::{self, UnitSample, UnitState};
use crate::host;
use adapters::{Change, CommandSpec, Failure, Installed, NativeVersion, PackageManager, Runner};
use std::path::{Path, PathBuf};

/// What came of a change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Applied {
    /// `updated`, `restart_pending`, `unhealthy_after_update`, or why it failed.
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

/// The agent around the change.
#[derive(Clone, Copy, Debug)]
pub struct Agent<'a> {
    /// How to tell that it works.
    pub probes: &'a Probes,
    /// How the new version gets to run.
    pub restart: Restart,
    /// Whether it worked before.
    pub health_before: Option<&'a Health>,
}

impl Agent<'_> {
    fn unit(&self) -> Option<&str> {
        self.probes
            .unit
            .as_ref()
            .and_then(|unit| unit.as_deref().ok())
    }
}

/// Makes the change, then believes only what is seen: the database, the process, the probes.
pub async fn apply(
    manager: &dyn PackageManager,
    install: &CommandSpec,
    change: &Change,
    agent: &Agent<'_>,
    runner: &impl Runner,
) -> Applied {
    let told = match runner.run(install).await {
        Ok(output) => manager.read_install(change, &output),
        Err(failure) => Err(failure),
    };
    let installed = match runner.run(&manager.query_installed(&change.package)).await {
        Ok(output) => manager.read_installed(&change.package, &output),
        Err(failure) => Err(failure),
    };
    let arrived =
        matches!(&installed, Ok(Installed::Present(package)) if package.version == change.to);
    let mut applied = Applied {
        reason: Reason::Updated,
        message: format!("updated {} → {}", said(&change.from), said(&change.to)),
        hint: None,
        warnings: Vec::new(),
        installed: installed.as_ref().ok().cloned(),
        examination: None,
    };
    match &told {
        Ok(warnings) => applied.warnings.extend(warnings.iter().cloned()),
        // The database is the judge: it has the new version, so this is a remark.
        Err(failure) if arrived => applied.warnings.push(failure.to_string()),
        Err(_) => {}
    }
    if !arrived {
        return failed(applied, change, told.err(), &installed);
    }
    observe(applied, agent, change, runner).await
}

fn failed(
    applied: Applied,
    change: &Change,
    told: Option<Failure>,
    installed: &Result<Installed, Failure>,
) -> Applied {
    let said = told.as_ref().map_or_else(
        || "the package manager reported success".to_owned(),
        ToString::to_string,
    );
    let intact =
        matches!(installed, Ok(Installed::Present(package)) if package.version == change.from);
    let (reason, found) = match installed {
        Ok(Installed::Present(package)) => {
            let reason = match &told {
                Some(failure) if intact && !matches!(failure, Failure::Unexpected(_)) => {
                    authorize::failure_reason(failure)
                }
                _ => Reason::InstallFailed,
            };
            (reason, format!("{} is installed", package.version.as_str()))
        }
        Ok(Installed::Broken { detail, .. }) => (Reason::PackageBroken, detail.clone()),
        Ok(Installed::Absent) => (Reason::PackageBroken, "the package is gone".to_owned()),
        Err(failure) => (Reason::PackageDatabaseUnreadable, failure.to_string()),
    };
    let hint = match told {
        Some(Failure::Broken { repair, .. }) => Some(repair),
        _ => None,
    };
    let message = format!(
        "{} was not installed: {said}; now {found}",
        change.to.as_str()
    );
    Applied {
        reason,
        message,
        hint,
        ..applied
    }
}

/// Looks at the process and the probes, and compares with the agent's health before.
async fn observe(
    mut applied: Applied,
    agent: &Agent<'_>,
    change: &Change,
    runner: &impl Runner,
) -> Applied {
    revive(&mut applied, agent, runner).await;
    let examination = examine(agent.probes, None, runner).await;
    if let Health::Unhealthy(evidence) = &examination.health {
        if matches!(agent.health_before, Some(Health::Healthy(_))) {
            applied.reason = Reason::UnhealthyAfterUpdate;
            applied.message = format!(
                "{}, and the agent is unhealthy since: {evidence}",
                applied.message
            );
            applied.hint = Some(format!(
                "look at the agent's journal; `{}` is the version before",
                change.from.as_str()
            ));
        } else {
            applied.warnings.push(format!(
                "the agent is unhealthy, as it was before: {evidence}"
            ));
        }
    } else if let Some(path) = examination.main_pid.and_then(replaced) {
        applied.reason = Reason::RestartPending;
        applied.message = format!(
            "{}; the running process still is the old {}",
            applied.message,
            path.display()
        );
        applied.hint = agent.unit().map(|unit| format!("systemctl restart {unit}"));
    }
    applied.examination = Some(examination);
    applied
}

/// Does what the package left undone: a process that still is the old program, or a unit that had
/// failed and that the package's own `try-restart` passes over. A unit that somebody stopped stays
/// stopped.
async fn revive(applied: &mut Applied, agent: &Agent<'_>, runner: &impl Runner) {
    let verb = match agent.restart {
        Restart::Never => return,
        Restart::Reload => "reload",
        Restart::Auto | Restart::Restart => "restart",
    };
    let Some(unit) = agent.unit() else { return };
    let Ok(output) = runner.run(&unit::query(unit)).await else {
        return;
    };
    let sample = UnitSample::read(unit, &output);
    let failed = matches!(sample.state, UnitState::Failed(_));
    if !failed && sample.main_pid.and_then(replaced).is_none() {
        return;
    }
    // A failed unit has nothing that could be reloaded.
    let command = unit::revive(if failed { "restart" } else { verb }, unit);
    match runner.run(&command).await {
        Ok(output) if output.returned_zero() => {}
        Ok(output) => {
            let cause = output.stderr.lines().next().unwrap_or_default().to_owned();
            applied
                .warnings
                .push(format!("`{command}` failed ({}): {cause}", output.exit));
        }
        Err(failure) => applied
            .warnings
            .push(format!("`{command}` failed: {failure}")),
    }
}

/// A version in the words of the version server, where it has such a form.
fn said(version: &NativeVersion) -> String {
    version
        .target()
        .map_or_else(|| version.as_str().to_owned(), |target| target.to_string())
}

/// The program of a process whose file was replaced since it started.
fn replaced(pid: u32) -> Option<PathBuf> {
    host::executable(pid).and_then(|(path, replaced)| replaced.then_some(path))
}

/// Whether the running main process executes the file that the package installed.
pub fn runs_installed_file(pid: Option<u32>, files: &[String]) -> bool {
    let Some((path, replaced)) = pid.and_then(host::executable) else {
        return false;
    };
    !replaced && files.iter().any(|file| Path::new(file) == path)
}
