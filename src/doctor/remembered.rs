//! What this program itself left: changes under way, quarantine, damaged files.

use super::finding::Finding;
use crate::decision::Reason;
use crate::outcome::exit_code;
use crate::report::words;
use crate::state::agent::AgentState;
use crate::state::damaged::Damaged;
use crate::state::journal::{Journal, Phase};
use anyhow::{Error, Result};
use chrono::{DateTime, Utc};

/// The agent's state file.
pub(super) fn state(fault: Option<&Error>, is_root: bool) -> Option<Finding> {
    fault.map(|error| unreadable("state", error, is_root))
}

/// The journal of changes.
pub(super) fn journal(journal: &Result<Journal>, is_root: bool, is_at_work: bool) -> Finding {
    const NAME: &str = "journal";
    let journal = match journal {
        Ok(journal) => journal,
        Err(error) => return unreadable(NAME, error, is_root),
    };
    match journal.phase {
        Phase::Idle => Finding::ok(NAME, "no change is under way"),
        Phase::Prefetched => Finding::ok(NAME, "the target is fetched ahead of its window"),
        Phase::Stuck => Finding::problem(
            NAME,
            exit_code(Reason::RollbackFailed),
            "neither the new version nor the one before could be brought to work",
            "mend the package by hand, or name another version on the version server: the next run takes it",
        ),
        Phase::Installing | Phase::Verifying | Phase::RollingBack | Phase::Unknown
            if is_at_work =>
        {
            Finding::ok(NAME, "a change is being made just now")
        }
        Phase::Installing | Phase::Verifying | Phase::RollingBack | Phase::Unknown => {
            Finding::warning(
                NAME,
                "a change was cut off in the middle",
                "the next run finishes or undoes it; `agent-updater run` does so now",
            )
        }
    }
}

fn unreadable(name: &'static str, error: &Error, is_root: bool) -> Finding {
    match error.downcast_ref::<Damaged>() {
        Some(damaged) => Finding::problem(
            name,
            exit_code(Reason::StateDamaged),
            damaged.to_string(),
            damaged.hint(),
        ),
        None if !is_root => Finding::for_root(name, "only root can read what earlier runs left"),
        None => Finding::problem(
            name,
            exit_code(Reason::InternalError),
            format!("it cannot be read: {error:#}"),
            "see to the disk and the rights of that file",
        ),
    }
}

/// Versions that were found bad here. Whether the target is one of them a gate says.
pub(super) fn quarantine(agent: &str, state: &AgentState, now: DateTime<Utc>) -> Vec<Finding> {
    const NAME: &str = "quarantine";
    let bad = state.quarantine.iter().map(|bad| {
        Finding::warning(
            NAME,
            format!(
                "{} is not tried again here ({}): {}",
                bad.version,
                words::distance(bad.since - now),
                bad.cause
            ),
            format!(
                "a new target ends it; agent-updater allow {agent} {} does so now",
                bad.version
            ),
        )
    });
    bad.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;
    use crate::state::damaged::FileOf;
    use std::path::Path;

    #[test]
    fn each_phase_is_told_with_what_comes_next() {
        let at = |phase, is_at_work| {
            let journal = Journal {
                phase,
                ..Journal::default()
            };
            let found = super::journal(&Ok(journal), true, is_at_work);
            (found.verdict, found.exit_code)
        };
        assert_eq!(at(Phase::Idle, false), (Verdict::Ok, 0));
        assert_eq!(at(Phase::Prefetched, false), (Verdict::Ok, 0));
        assert_eq!(at(Phase::Installing, true), (Verdict::Ok, 0));
        assert_eq!(at(Phase::Installing, false), (Verdict::Warning, 0));
        assert_eq!(at(Phase::Stuck, false), (Verdict::Problem, 32));
    }

    #[test]
    fn what_cannot_be_read_is_damage_for_root_alone() {
        let damaged = || {
            Error::new(Damaged::new(
                Path::new("/x"),
                FileOf::State,
                "no JSON".to_owned(),
            ))
        };
        let closed = || anyhow::anyhow!("permission denied");
        let verdict = |error: &Error, is_root| {
            let found = state(Some(error), is_root).unwrap();
            (found.verdict, found.exit_code)
        };
        assert_eq!(verdict(&damaged(), true), (Verdict::Problem, 1));
        assert_eq!(verdict(&closed(), false), (Verdict::Unknown, 0));
        assert_eq!(verdict(&closed(), true), (Verdict::Problem, 1));
        assert_eq!(state(None, true), None);
    }
}
