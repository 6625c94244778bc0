//! What is told of a change and of a tick, for people and for programs that read the journal.
//!
//! Each kind of event has a `MESSAGE_ID` of its own, and the fields `AGENT_UPDATER_AGENT`,
//! `AGENT_UPDATER_REASON`, `AGENT_UPDATER_FROM` and `AGENT_UPDATER_TO` where they apply. The numbers
//! are part of what operators rely on: never change one.

use crate::decision::Reason;
use crate::outcome;
use crate::report::AgentReport;
use crate::state::journal::Transaction;

/// Target of the events that say of a tick what its report says.
pub const CONCLUSION: &str = "agent_updater::conclusion";

/// A tick over one agent has come to an end.
pub const TICK: &str = "ccc6e8d60c1f4e2f8a1a3a9c5a1fd1f4";
/// A change begins.
pub const BEGUN: &str = "7f3f0f3a1d5c4c0e9a58b6c0a6c1e0b2";
/// A change went well.
pub const DONE: &str = "0c2a1f7be2a94a2fa3a0d6f2c7e7bb61";
/// A change came to another end.
pub const FAILED: &str = "e1b5b7f6b8a7480f9d3c7d6f1d8b0a53";
/// A change that was cut off is taken up.
pub const TAKEN_UP: &str = "5d9c8f5b0f0e4b0cb6a4de7c1b7ae2d8";
/// The version before is put back.
pub const GOING_BACK: &str = "b07c3a9df3ce4f6d8a7b1d1f1c9e4427";
/// A version was fetched ahead of its window.
pub const FETCHED: &str = "3e6a44d7a5f84d0b8c0f9b7be6d2a915";

/// Tells what came of a tick. `passes` is whether its fault is none yet.
pub fn tick(report: &AgentReport, passes: bool) {
    let agent = report.name.as_str();
    let reason = report.reason.as_str();
    let from = report.installed.package_version.as_deref().unwrap_or("");
    let wanted = &report.target;
    let to = wanted
        .package_version
        .as_deref()
        .or(wanted.version.as_deref())
        .unwrap_or("");
    let hint = report.hint.as_ref();
    let hint = hint.map_or_else(String::new, |hint| format!(" (hint: {hint})"));
    let message = &report.message;
    macro_rules! tell {
        ($level:expr, $text:expr) => {
            tracing::event!(
                target: CONCLUSION, $level,
                MESSAGE_ID = TICK, AGENT_UPDATER_AGENT = agent, AGENT_UPDATER_REASON = reason,
                AGENT_UPDATER_FROM = from, AGENT_UPDATER_TO = to,
                "{agent}: {}", $text
            )
        };
    }
    for warning in &report.warnings {
        tell!(tracing::Level::WARN, warning);
    }
    let text = format!("{message}{hint}");
    match report.exit_code {
        0 => tell!(tracing::Level::INFO, text),
        _ if passes => tell!(tracing::Level::WARN, text),
        _ => tell!(tracing::Level::ERROR, text),
    }
}

/// Tells that a change begins.
pub(crate) fn begun(agent: &str, change: &Transaction) {
    tracing::info!(
        MESSAGE_ID = BEGUN,
        AGENT_UPDATER_AGENT = agent,
        AGENT_UPDATER_REASON = change.trigger.as_str(),
        AGENT_UPDATER_FROM = change.from.as_str(),
        AGENT_UPDATER_TO = change.to.as_str(),
        "updating"
    );
}

/// Tells how a change ended.
pub(crate) fn ended(agent: &str, change: &Transaction, reason: Reason, message: &str) {
    let (from, to) = (change.from.as_str(), change.to.as_str());
    if outcome::exit_code(reason) == 0 {
        tracing::info!(
            MESSAGE_ID = DONE,
            AGENT_UPDATER_AGENT = agent,
            AGENT_UPDATER_REASON = reason.as_str(),
            AGENT_UPDATER_FROM = from,
            AGENT_UPDATER_TO = to,
            "{message}"
        );
    } else {
        tracing::warn!(
            MESSAGE_ID = FAILED,
            AGENT_UPDATER_AGENT = agent,
            AGENT_UPDATER_REASON = reason.as_str(),
            AGENT_UPDATER_FROM = from,
            AGENT_UPDATER_TO = to,
            "{message}"
        );
    }
}
