//! A process that outlived the update of its program: told until somebody restarts it.

use crate::decision::Reason;
use crate::gather::{Gathered, Sources, find_unit};
use crate::health::unit::{UnitSample, query};
use crate::outcome::State;
use crate::report::AgentReport;
use adapters::{Installed, Runner};

/// Looks whether the process of the last update still is the old one. Nothing is asked where none was.
pub(super) async fn pending<R: Runner>(
    sources: &Sources<'_, R>,
    gathered: &mut Gathered,
    report: &mut AgentReport,
) {
    let Some(pending) = gathered.state.restart_pending.clone() else {
        return;
    };
    let installed = match gathered.facts.installed.value() {
        Some(Installed::Present(package)) => &package.version,
        // What cannot be read now may still be there.
        _ => return,
    };
    if *installed != pending.installed {
        gathered.state.restart_pending = None;
        return;
    }
    find_unit(sources, gathered).await;
    let Some(Ok(unit)) = &gathered.unit else {
        return;
    };
    let Ok(output) = sources.runner.run(&query(unit)).await else {
        return;
    };
    if UnitSample::read(unit, &output).main_pid != Some(pending.main_pid) {
        gathered.state.restart_pending = None;
        return;
    }
    let running = pending.running.target();
    report.running.version = Some(running.map_or_else(
        || pending.running.as_str().to_owned(),
        |version| version.to_string(),
    ));
    report.running.read_at = Some(sources.now);
    if report.state == State::UpToDate {
        report.state = State::RestartPending;
        report.reason = Reason::RestartPending;
        report.message = format!(
            "{} is installed, and {unit} still runs {}",
            pending.installed.as_str(),
            pending.running.as_str()
        );
        report.hint = Some(format!(
            "`systemctl restart {unit}` when its sessions may end"
        ));
    }
}
