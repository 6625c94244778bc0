//! A change of an agent's state that somebody may want to hear of. Pure.

use crate::decision::Reason;
use crate::outcome::State;
use crate::report::AgentReport;
use crate::state::history::Header;
use serde::{Deserialize, Serialize};

/// What an agent is in, as it was told.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Told {
    /// The state.
    pub(super) state: State,
    /// Why.
    pub(super) reason: Reason,
    /// The exit code.
    pub(super) exit_code: u8,
}

impl Told {
    pub(super) fn of(report: &AgentReport) -> Self {
        Self {
            state: report.state,
            reason: report.reason,
            exit_code: report.exit_code,
        }
    }
}

/// The event of a changed state. It is delivered, and in no record.
#[derive(Debug, Serialize)]
pub(super) struct StateEvent<'a> {
    /// What every event has; the reason is `state_changed`.
    #[serde(flatten)]
    pub(super) header: Header<'a>,
    /// Before; `None` where nothing was known.
    pub(super) before: Option<&'a Told>,
    /// Now.
    pub(super) after: &'a Told,
    /// What happened, for a person.
    pub(super) message: &'a str,
    /// The way out, where there is one.
    pub(super) hint: Option<&'a str>,
}

/// Whether that is worth an event: a fault that came, changed or went. An agent that waits, updates
/// and is up to date again is not; the update itself is in the record. Of what nothing was known, all
/// was well.
pub(super) fn is_event(before: Option<&Told>, after: &Told) -> bool {
    let was_well = before.is_none_or(|before| before.exit_code == 0);
    before != Some(after) && !(was_well && after.exit_code == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::build::without_facts;

    #[test]
    fn a_fault_that_comes_changes_or_goes() {
        let of = |reason| Told::of(&without_facts("demo", "", reason, String::new(), None));
        let table = [
            (Reason::UpToDate, Reason::UpToDate, false),
            (Reason::OutsideWindow, Reason::Updated, false),
            (Reason::UpToDate, Reason::NotOffered, true),
            (Reason::RolledBack, Reason::Quarantined, true),
            (Reason::Quarantined, Reason::Quarantined, false),
            (Reason::Quarantined, Reason::Updated, true),
        ];
        for (before, after, expected) in table {
            assert_eq!(
                is_event(Some(&of(before)), &of(after)),
                expected,
                "{before:?} {after:?}"
            );
        }
        assert!(is_event(None, &of(Reason::NotOffered)));
        assert!(!is_event(None, &of(Reason::Updated)));
    }
}
