//! A process that outlived the update of its program: told until somebody restarts it.

use crate::decision::Reason;
use crate::gather::{Gathered, Sources, find_unit};
use crate::health::unit::{UnitSample, UnitState, query};
use crate::outcome::State;
use crate::report::AgentReport;
use crate::state::agent::RestartPending;
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
    if is_another(&UnitSample::read(unit, &output), &pending) {
        gathered.state.restart_pending = None;
        // Which version it is was not asked; that it is not the old one is known.
        report.running.read_at = Some(sources.now);
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

/// Whether another process than the remembered one runs; one that cannot be asked about may be the same.
fn is_another(sample: &UnitSample, pending: &RestartPending) -> bool {
    !matches!(sample.state, UnitState::Unknown(_))
        && (sample.main_pid != Some(pending.main_pid) || sample.invocation != pending.invocation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use adapters::NativeVersion;

    #[test]
    fn a_number_of_a_process_comes_again_and_no_answer_is_none() {
        let pending = RestartPending {
            main_pid: 33,
            invocation: Some("a".to_owned()),
            running: NativeVersion::debian("1.0.0").unwrap(),
            installed: NativeVersion::debian("1.1.0").unwrap(),
        };
        let sample = |main_pid, invocation: &str| UnitSample {
            state: UnitState::Active,
            restarts: 0,
            main_pid: Some(main_pid),
            invocation: Some(invocation.to_owned()),
            can_reload: false,
        };
        assert!(!is_another(&sample(33, "a"), &pending));
        assert!(is_another(&sample(34, "a"), &pending), "reloaded");
        assert!(is_another(&sample(33, "b"), &pending), "after a reboot");
        assert!(!is_another(&UnitSample::unknown("no D-Bus"), &pending));
    }
}
