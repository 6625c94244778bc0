//! What a run leaves in the memory of how the agent and the world outside fare: every report of a run
//! that acts goes through here, also of one that only finished what an earlier one began.

use super::{Context, not_hidden};
use crate::decision::Reason;
use crate::outcome::{self, State};
use crate::report::AgentReport;
use crate::state::agent::AgentState;
use chrono::{DateTime, Utc};

/// Notes both, without storing them.
pub(super) fn note(state: &mut AgentState, report: &mut AgentReport, now: DateTime<Utc>) {
    note_failing(state, report, now);
    note_health(state, report, now);
}

/// Notes both and stores them, where the run ends with this report. `stored` is what is on disk.
pub(super) fn note_and_store<R>(
    context: &Context<'_, R>,
    name: &str,
    stored: &AgentState,
    state: &mut AgentState,
    report: &mut AgentReport,
) -> anyhow::Result<()> {
    note(state, report, context.now);
    let noted = if state.differs(stored) {
        state.store(context.layout, name)
    } else {
        Ok(())
    };
    not_hidden(noted, report)
}

/// Remembers since when the agent is sick, so that the next tick looks again.
fn note_health(state: &mut AgentState, report: &AgentReport, now: DateTime<Utc>) {
    match report.health.verdict.as_str() {
        "unhealthy" => drop(state.unhealthy_since.get_or_insert(now)),
        "healthy" | "stopped" => state.unhealthy_since = None,
        _ => {}
    }
}

/// Remembers since when a fault from outside lasts. A tick that only waits did not ask the
/// repository, and is no sign that it is well again; of the version server it is one.
fn note_failing(state: &mut AgentState, report: &mut AgentReport, now: DateTime<Utc>) {
    let fails = outcome::may_pass(report.exit_code);
    state.failing_since = if fails {
        // A clock that was set back starts the count anew.
        Some(
            state
                .failing_since
                .filter(|since| *since <= now)
                .unwrap_or(now),
        )
    } else {
        state
            .failing_since
            .filter(|_| report.state == State::Waiting && !state.failing_at_server)
    };
    state.failing_at_server = state.failing_since.is_some()
        && matches!(
            report.reason,
            Reason::VersionServerUnreachable | Reason::VersionServerInvalid
        );
    // Of what this run did not meet nobody is told.
    report.failing_since = state.failing_since.filter(|_| fails);
}
