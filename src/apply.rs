//! Makes the change and looks at what came of it. The only place that changes the host.

use crate::decision::{Health, Reason, authorize};
use crate::health::probe::{Examination, Probes, examine};
use crate::host;
use adapters::{Change, Failure, Installed, PackageManager, PrivateView, Runner};
use std::path::Path;

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

/// Makes the change, then believes only what is seen: the database, the process, the probes.
pub async fn apply(
    manager: &dyn PackageManager,
    view: &PrivateView,
    change: &Change,
    probes: &Probes,
    health_before: Option<&Health>,
    runner: &impl Runner,
) -> Applied {
    let told = match runner.run(&manager.install(view, change)).await {
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
        message: format!("updated {} → {}", change.from.as_str(), change.to.as_str()),
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
        return failed(applied, change, told.err(), installed);
    }
    observe(applied, probes, health_before, manager, change, runner).await
}

fn failed(
    applied: Applied,
    change: &Change,
    told: Option<Failure>,
    installed: Result<Installed, Failure>,
) -> Applied {
    let said = told.as_ref().map_or_else(
        || "the package manager reported success".to_owned(),
        ToString::to_string,
    );
    let intact =
        matches!(&installed, Ok(Installed::Present(package)) if package.version == change.from);
    let (reason, found) = match &installed {
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
    probes: &Probes,
    health_before: Option<&Health>,
    manager: &dyn PackageManager,
    change: &Change,
    runner: &impl Runner,
) -> Applied {
    let examination = examine(probes, None, runner).await;
    if let Health::Unhealthy(evidence) = &examination.health {
        if matches!(health_before, Some(Health::Healthy(_))) {
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
    } else if let Some(pid) = examination.main_pid
        && let Some((path, true)) = host::executable(pid)
    {
        applied.reason = Reason::RestartPending;
        applied.message = format!(
            "{}; the running process still is the old {}",
            applied.message,
            path.display()
        );
        let unit = probes.unit.as_ref().and_then(|unit| unit.as_ref().ok());
        applied.hint = unit.map(|unit| format!("systemctl restart {unit}"));
    }
    tracing::debug!(manager = %manager.kind(), health = ?examination.health, "observed");
    applied.examination = Some(examination);
    applied
}

/// Whether the running main process executes the file that the package installed.
pub fn runs_installed_file(pid: Option<u32>, files: &[String]) -> bool {
    let Some((path, replaced)) = pid.and_then(host::executable) else {
        return false;
    };
    !replaced && files.iter().any(|file| Path::new(file) == path)
}
