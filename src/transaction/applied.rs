//! What came of a change.

use super::Run;
use super::step::Finding;
use crate::decision::Reason;
use crate::health::probe::Examination;
use crate::report::build;
use adapters::Installed;

/// What came of a change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Applied {
    /// `updated`, `rolled_back`, `restart_pending`, or what went wrong.
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

impl Applied {
    /// Nothing was begun, and nothing is remembered of it.
    pub(super) fn not_begun(reason: Reason, message: String) -> Self {
        Self {
            reason,
            message,
            hint: None,
            warnings: Vec::new(),
            installed: None,
            examination: None,
        }
    }

    /// Half-way, and no room to go on or back: somebody has to make some, and a later tick goes on by
    /// the journal.
    pub(super) fn without_room(agent: &str, text: &str, finding: &Finding, run: Run) -> Self {
        let why = format!("{text}; {}", finding.describe());
        Self {
            hint: build::hint(Reason::DiskFull, agent),
            ..Self::later(Reason::RollbackFailed, &why, run)
        }
    }

    /// Not over: a later tick goes on by the journal.
    pub(super) fn later(reason: Reason, why: &str, run: Run) -> Self {
        Self {
            reason,
            message: format!("a change is under way and goes on with the next run: {why}"),
            hint: None,
            warnings: run.warnings,
            installed: None,
            examination: None,
        }
    }
}
