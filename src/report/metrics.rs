//! The metrics of a run, as a Prometheus textfile. Pure.
//!
//! A metric whose value is not known is left out. There are no timestamps: the textfile collector
//! of node_exporter refuses a file with any.

use super::document::AgentReport;
use crate::decision::{Gate, GateName, Reason};
use crate::outcome::State;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// How every file of ours begins; what begins otherwise is never removed.
pub const MARK: &str = "# Written by agent-updater";

/// One agent.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured<'a> {
    /// Its report.
    pub report: &'a AgentReport,
    /// When the run was that it is of. UTC.
    pub run_at: DateTime<Utc>,
    /// The package, where the configuration is valid.
    pub package: Option<&'a str>,
}

/// One metric: its name behind `agent_updater_`, its type and what it means.
struct Family {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    samples: fn(&Measured<'_>) -> Vec<Sample>,
}

/// Labels beside `agent`, and the value.
type Sample = (Vec<(&'static str, String)>, i64);

const FAMILIES: &[Family] = &[
    gauge(
        "last_run_timestamp_seconds",
        "Start of the last run that looked at the agent, Unix time.",
        |of| one(Some(of.run_at.timestamp())),
    ),
    gauge(
        "last_success_timestamp_seconds",
        "End of the last run with exit code 0 since boot, Unix time.",
        |of| one(of.report.last_success_at.map(|at| at.timestamp())),
    ),
    gauge(
        "consecutive_failures",
        "Runs in a row since boot that ended with another exit code than 0.",
        |of| one(Some(i64::from(of.report.consecutive_failures))),
    ),
    gauge(
        "exit_code",
        "Exit code of the last run for this agent alone, before --scheduled makes it a warning.",
        |of| one(Some(i64::from(of.report.exit_code))),
    ),
    gauge(
        "failing_since_timestamp_seconds",
        "Since when a fault from outside lasts that may pass, Unix time.",
        |of| one(of.report.failing_since.map(|at| at.timestamp())),
    ),
    gauge(
        "config_valid",
        "Whether the configuration of the agent is valid.",
        |of| {
            one(Some(i64::from(
                of.report.reason != Reason::ConfigurationInvalid,
            )))
        },
    ),
    gauge(
        "state",
        "1 for the state that the agent is in, 0 for every other.",
        |of| {
            let is = |state| i64::from(of.report.state == state);
            let sample = |state: State| (vec![("state", state.as_str().to_owned())], is(state));
            State::ALL.into_iter().map(sample).collect()
        },
    ),
    gauge(
        "reason_info",
        "Why the agent is in that state: a reason string.",
        |of| vec![(vec![("reason", of.report.reason.as_str())], 1)],
    ),
    gauge(
        "info",
        "Versions: of this program, installed and wanted; and the package.",
        info,
    ),
    gauge(
        "agent_healthy",
        "Whether the agent worked when it was last looked at: when a change is due, after one, and at every run after it was sick.",
        |of| match of.report.health.verdict.as_str() {
            "healthy" => one(Some(1)),
            "unhealthy" => one(Some(0)),
            _ => one(None),
        },
    ),
    gauge(
        "pending_since_timestamp_seconds",
        "Since when the wanted version differs from the installed one, Unix time.",
        |of| one(of.report.pending_since.map(|at| at.timestamp())),
    ),
    gauge(
        "critical",
        "Whether the version server calls the wanted version critical.",
        |of| one(of.report.target.critical.map(i64::from)),
    ),
    gauge(
        "held",
        "Whether an operator, or an administrator in the package manager, holds the agent.",
        |of| one(held(of.report).map(i64::from)),
    ),
    gauge(
        "window_start_timestamp_seconds",
        "Start of the maintenance window that is open or comes next, Unix time.",
        |of| {
            one(of
                .report
                .schedule
                .next
                .first()
                .map(|window| window.start.timestamp()))
        },
    ),
    gauge(
        "window_end_timestamp_seconds",
        "End of that window, Unix time.",
        |of| {
            one(of
                .report
                .schedule
                .next
                .first()
                .map(|window| window.stop.timestamp()))
        },
    ),
    gauge(
        "target_offered",
        "Whether the repository offered the wanted version when it was last asked.",
        |of| one(offered(of.report).map(i64::from)),
    ),
    gauge(
        "repository_key_expiry_timestamp_seconds",
        "When the key ends that proved the last package, Unix time.",
        |of| {
            let signature = of.report.signature.as_ref();
            one(signature.and_then(|signature| Some(signature.key_expires?.timestamp())))
        },
    ),
    gauge(
        "quarantined_versions",
        "Versions that were found bad on this host.",
        |of| {
            // What is remembered was read if anything of it was told.
            let count = of.report.quarantine.len();
            one(of
                .report
                .attempts
                .as_ref()
                .and_then(|_| i64::try_from(count).ok()))
        },
    ),
    counter(
        "attempts_total",
        "Attempts at a change, by what came of them.",
        |of| {
            let Some(attempts) = &of.report.attempts else {
                return Vec::new();
            };
            let mut results: BTreeMap<&str, u64> = RESULTS.map(|result| (result, 0)).into();
            results.extend(
                attempts
                    .results
                    .iter()
                    .map(|(of, count)| (of.as_str(), *count)),
            );
            results
                .into_iter()
                .map(|(result, count)| (vec![("result", result.to_owned())], whole(count)))
                .collect()
        },
    ),
    counter(
        "rollbacks_total",
        "How often the version before was put back, by itself or by `rollback`.",
        |of| {
            one(of
                .report
                .attempts
                .as_ref()
                .map(|attempts| whole(attempts.rollbacks)))
        },
    ),
];

/// What can come of an attempt. Each is told from the beginning, since of a series that begins with 1
/// Prometheus sees no increase.
const RESULTS: [&str; 6] = [
    "updated",
    "restart_pending",
    "install_failed",
    "rolled_back",
    "rollback_failed",
    "unhealthy_after_update",
];

const fn gauge(
    name: &'static str,
    help: &'static str,
    samples: fn(&Measured<'_>) -> Vec<Sample>,
) -> Family {
    Family {
        name,
        kind: "gauge",
        help,
        samples,
    }
}

const fn counter(
    name: &'static str,
    help: &'static str,
    samples: fn(&Measured<'_>) -> Vec<Sample>,
) -> Family {
    Family {
        kind: "counter",
        ..gauge(name, help, samples)
    }
}

/// The text of the file over these agents.
pub fn render(agents: &[Measured<'_>]) -> String {
    let mut text = format!("{MARK} {}\n", env!("CARGO_PKG_VERSION"));
    for family in FAMILIES {
        let mut lines = String::new();
        for agent in agents {
            for (labels, value) in (family.samples)(agent) {
                let _ = write!(
                    lines,
                    "agent_updater_{}{{agent=\"{}\"",
                    family.name,
                    escaped(&agent.report.name)
                );
                for (label, of) in labels {
                    let _ = write!(lines, ",{label}=\"{}\"", escaped(&of));
                }
                let _ = writeln!(lines, "}} {value}");
            }
        }
        if !lines.is_empty() {
            let Family {
                name, kind, help, ..
            } = family;
            let _ = write!(
                text,
                "# HELP agent_updater_{name} {help}\n# TYPE agent_updater_{name} {kind}\n{lines}"
            );
        }
    }
    text
}

/// The names of all metrics, for whoever checks what uses them.
pub fn names() -> impl Iterator<Item = String> {
    FAMILIES
        .iter()
        .map(|family| format!("agent_updater_{}", family.name))
}

fn one(value: Option<i64>) -> Vec<Sample> {
    value.map(|value| (Vec::new(), value)).into_iter().collect()
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn info(of: &Measured<'_>) -> Vec<Sample> {
    let report = of.report;
    let said = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let installed = report.installed.package_version.as_deref();
    let labels = vec![
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("installed", said(installed)),
        ("target", said(report.target.version.as_deref())),
        ("package", said(of.package)),
    ];
    vec![(labels, 1)]
}

/// The last reading of a gate: what it said, and why.
fn reading(report: &AgentReport, name: GateName) -> Option<(bool, &Gate)> {
    let gate = report.gates.iter().find(|gate| gate.name == name)?;
    Some((gate.open.or(gate.was_open)?, gate))
}

fn held(report: &AgentReport) -> Option<bool> {
    if report.hold.is_some() {
        return Some(true);
    }
    let gate = reading(report, GateName::Hold).map(|(open, _)| !open);
    // Where no change is due nobody asks the package manager, and there is nothing to hold back.
    gate.or(report.attempts.as_ref().map(|_| false))
}

fn offered(report: &AgentReport) -> Option<bool> {
    match reading(report, GateName::Repository) {
        // Looked up ahead of its window.
        None => report.target.package_version.as_ref().map(|_| true),
        Some((true, _)) => Some(true),
        Some((false, gate)) => matches!(
            gate.reason,
            Some(Reason::NotOffered | Reason::RepositoryNotFound)
        )
        .then_some(false),
    }
}

/// The value of a label.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests;
