//! Whether somebody has to do something about an agent. Pure.

use super::document::AgentReport;
use crate::decision::Reason;
use crate::outcome::{State, may_pass};
use crate::state::journal::Phase;

/// How much an outcome needs a person.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Urgency {
    /// Nobody: all is well, or a gate says later.
    None,
    /// Nobody, unless it lasts: a fault from outside that may pass.
    MayPass,
    /// Somebody, in working hours: this update is not made, and the agent works as before.
    Soon,
    /// Somebody, now: the agent does not work, or no update can be made or believed any more.
    Now,
}

/// How much the last outcome of an agent needs a person.
pub fn urgency(report: &AgentReport) -> Urgency {
    let outcome = match report.exit_code {
        _ if report.phase == Some(Phase::Stuck) => Urgency::Now,
        // Whether an agent is on a host at all is not this program's to say.
        _ if report.reason == Reason::NotInstalled => Urgency::None,
        // The old version goes on running until somebody restarts it.
        _ if report.state == State::RestartPending => Urgency::Soon,
        0 | 75 | 77 => Urgency::None,
        code if may_pass(code) => Urgency::MayPass,
        1 | 20 | 23 | 25 | 32 => Urgency::Now,
        _ => Urgency::Soon,
    };
    if is_unhealthy(report) {
        Urgency::Now
    } else {
        outcome
    }
}

/// Whether the agent did not work when it was last looked at.
pub fn is_unhealthy(report: &AgentReport) -> bool {
    report.health.verdict == "unhealthy"
}

/// A text of anybody's as a part of one line: no line ends, no control characters, and no longer
/// than so many characters.
pub fn one_line(text: &str, most: usize) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let line = words.join(" ");
    if line.chars().count() <= most {
        return line;
    }
    let kept: String = line.chars().take(most.saturating_sub(1)).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::build::without_facts;

    #[test]
    fn what_needs_whom() {
        let table = [
            (Reason::UpToDate, Urgency::None),
            (Reason::OutsideWindow, Urgency::None),
            (Reason::HeldByOperator, Urgency::None),
            (Reason::NotInstalled, Urgency::None),
            (Reason::VersionServerUnreachable, Urgency::MayPass),
            (Reason::NotOffered, Urgency::MayPass),
            (Reason::PackageManagerBusy, Urgency::MayPass),
            (Reason::RepositoryUnreachable, Urgency::MayPass),
            (Reason::DiskFull, Urgency::Soon),
            (Reason::WouldChangeOthers, Urgency::Soon),
            (Reason::InstallFailed, Urgency::Soon),
            (Reason::RolledBack, Urgency::Soon),
            (Reason::Quarantined, Urgency::Soon),
            (Reason::ConfigurationInvalid, Urgency::Now),
            (Reason::RepositoryUntrusted, Urgency::Now),
            (Reason::PackageManagerBroken, Urgency::Now),
            (Reason::RollbackFailed, Urgency::Now),
            (Reason::StateDamaged, Urgency::Now),
        ];
        for (reason, expected) in table {
            let mut report = without_facts("demo", "", reason, String::new(), None);
            assert_eq!(urgency(&report), expected, "{reason:?}");
            report.health.verdict = "unhealthy".to_owned();
            assert_eq!(urgency(&report), Urgency::Now, "{reason:?}");
        }
        let mut stuck = without_facts("demo", "", Reason::UpToDate, String::new(), None);
        stuck.phase = Some(Phase::Stuck);
        assert_eq!(urgency(&stuck), Urgency::Now);
        let mut pending = without_facts("demo", "", Reason::RestartPending, String::new(), None);
        pending.state = State::RestartPending;
        assert_eq!(urgency(&pending), Urgency::Soon);
    }

    #[test]
    fn a_text_becomes_one_harmless_line() {
        assert_eq!(one_line("a\n\tb\u{1b}[31mc \u{0}", 80), "a b [31mc");
        assert_eq!(one_line("abcdef", 4), "abc…");
        assert_eq!(one_line("ä\u{2028}ö", 4), "ä ö");
    }
}
