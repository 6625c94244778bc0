//! The gates of a tick as findings: what stops a run is a problem here, with the same exit code.

use super::finding::{Finding, PREREQUISITE};
use crate::decision::{Gate, GateName, Reason};
use crate::outcome::exit_code;
use crate::report::{build, words};
use chrono::{DateTime, Utc};

/// The gates over cheap facts that have no findings of their own.
const SHOWN: [GateName; 6] = [
    GateName::Clock,
    GateName::Installed,
    GateName::Direction,
    GateName::Compatibility,
    GateName::Quarantine,
    GateName::Freeze,
];

/// The findings of the decision's gates. A gate behind a closed one may not have been looked at,
/// which is no finding.
pub(super) fn of_decision(
    agent: &str,
    gates: &[Gate],
    way_out: Option<&str>,
    now: DateTime<Utc>,
) -> Vec<Finding> {
    gates
        .iter()
        .filter(|gate| SHOWN.contains(&gate.name))
        // What is as it nearly always is needs no line.
        .filter(|gate| gate.open != Some(true) || gate.name == GateName::Installed)
        .filter_map(|gate| of_gate(agent, gate, way_out, now))
        .collect()
}

/// One gate; nothing where it was not looked at for want of another.
pub(super) fn of_gate(
    agent: &str,
    gate: &Gate,
    way_out: Option<&str>,
    now: DateTime<Utc>,
) -> Option<Finding> {
    let name = name(gate.name);
    let found = match gate.until {
        Some(until) if gate.open == Some(false) => {
            format!("{} (until {})", gate.value, words::moment(until, now))
        }
        _ => gate.value.clone(),
    };
    let finding = match (gate.open, gate.reason) {
        (Some(true), _) if gate.name == GateName::Installed => {
            Finding::ok(name, format!("{found} is installed"))
        }
        (Some(true), _) => Finding::ok(name, found),
        (None, Some(Reason::NeedsRoot)) => {
            Finding::for_root(name, format!("only root can {found}"))
        }
        (None, _) => return None,
        (Some(false), reason) => closed(
            agent,
            name,
            reason.unwrap_or(Reason::InternalError),
            found,
            way_out,
        ),
    };
    Some(finding.of(agent))
}

fn closed(
    agent: &str,
    name: &'static str,
    reason: Reason,
    found: String,
    way_out: Option<&str>,
) -> Finding {
    let hint = way_out
        .map(str::to_owned)
        .or_else(|| build::hint(reason, agent))
        .unwrap_or_else(|| general(reason).to_owned());
    match exit_code(reason) {
        0 => Finding::warning(name, found, hint),
        code => Finding::problem(name, code, found, hint),
    }
}

/// The way out of what has no other.
fn general(reason: Reason) -> &'static str {
    match reason {
        Reason::DowngradeForbidden | Reason::BelowMinimumVersion => {
            "where that is meant, change `downgrade` or `minimum_version` in the configuration"
        }
        Reason::AboveCluster | Reason::TooFarBelowCluster => {
            "update the cluster, or name a version on the version server that it supports"
        }
        Reason::RepositoryUnreachable => {
            "see whether the repository answers: the address is in its entry, a proxy in the package manager's configuration"
        }
        Reason::PackageManagerBusy => "wait until it is done; every run tries again by itself",
        Reason::WouldChangeOthers => {
            "see with `agent-updater run --dry-run` what it would be, and make that change yourself first"
        }
        Reason::PackageManagerBroken => "see what the package manager itself says of its state",
        Reason::PackageDatabaseUnreadable => "see whether the package manager's own query works",
        _ => "`agent-updater run --dry-run` shows all that is known of it",
    }
}

/// What a gate is called among the findings.
pub(super) fn name(gate: GateName) -> &'static str {
    match gate {
        GateName::Configured => "configuration",
        GateName::Clock => "clock",
        GateName::Platform => "package manager",
        GateName::Installed => "package",
        GateName::Target => "version server",
        GateName::Change => "change",
        GateName::Direction => "direction",
        GateName::Compatibility => "cluster",
        GateName::Quarantine => "quarantine",
        GateName::Hold => "hold",
        GateName::Freeze => "freeze",
        GateName::Timing => "timing",
        GateName::Repository => "repository",
        GateName::Transaction => "transaction",
        GateName::Resources => "disk",
    }
}

/// A host whose package manager cannot be driven.
pub(super) fn unsupported(agent: &str, why: &crate::host::NoManager) -> Finding {
    use crate::host::NoManager;
    let (code, found) = match why {
        NoManager::Unsupported(found) => (PREREQUISITE, found),
        NoManager::Ambiguous(found) => (exit_code(Reason::ConfigurationInvalid), found),
    };
    Finding::problem("package manager", code, found, why.hint(agent)).of(agent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    #[test]
    fn a_gate_that_stops_a_run_is_a_problem_with_its_code() {
        let now = DateTime::UNIX_EPOCH;
        let closed = |name, reason| Gate::closed(name, reason, "why");
        let table = [
            (
                Gate::open(GateName::Repository, "offers"),
                Some((Verdict::Ok, 0)),
            ),
            (
                closed(GateName::Repository, Reason::NotOffered),
                Some((Verdict::Problem, 22)),
            ),
            (
                closed(GateName::Repository, Reason::RepositoryUntrusted),
                Some((Verdict::Problem, 23)),
            ),
            (
                closed(GateName::Transaction, Reason::PackageManagerBroken),
                Some((Verdict::Problem, 25)),
            ),
            (
                closed(GateName::Quarantine, Reason::Quarantined),
                Some((Verdict::Problem, 33)),
            ),
            (
                closed(GateName::Clock, Reason::ClockWentBack),
                Some((Verdict::Problem, 26)),
            ),
            (
                closed(GateName::Freeze, Reason::Frozen),
                Some((Verdict::Warning, 0)),
            ),
            (
                closed(GateName::Direction, Reason::DowngradeForbidden),
                Some((Verdict::Warning, 0)),
            ),
            (Gate::not_looked_at(GateName::Transaction, "x"), None),
            (
                Gate::not_looked_at(GateName::Transaction, "x").because(Reason::NeedsRoot),
                Some((Verdict::Unknown, 0)),
            ),
        ];
        for (gate, expected) in table {
            let found = of_gate("web", &gate, None, now);
            let told = found.as_ref().map(|found| (found.verdict, found.exit_code));
            assert_eq!(told, expected, "{gate:?}");
            if let Some(found) = found {
                let hinted = found.verdict != Verdict::Ok;
                assert_eq!(found.hint.is_some(), hinted, "{found:?}");
            }
        }
    }

    #[test]
    fn what_is_open_and_usual_has_no_line() {
        let gates = [
            Gate::open(GateName::Clock, "plausible"),
            Gate::open(GateName::Installed, "1.0.0"),
            Gate::open(GateName::Freeze, "no freeze"),
            Gate::closed(GateName::Timing, Reason::OutsideWindow, "later"),
        ];
        let found = of_decision("web", &gates, None, DateTime::UNIX_EPOCH);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].name, "package");
    }
}
