//! Whose turn it is: the locks of a run and of whoever changes packages.

use crate::decision::Reason;
use crate::installer::Role;
use crate::state::lock::{Acquired, Lock, acquire};
use crate::state::{Layout, files};
use crate::tick::Mode;
use anyhow::Result;
use std::path::PathBuf;

/// What a run holds: that no other run begins, and that nobody else changes packages.
pub(super) struct Locks {
    _run: Lock,
    transaction: Option<Lock>,
}

impl Locks {
    /// Leaves the second to the installer that this process starts.
    pub(super) fn for_role(mut self, role: Role<'_>) -> Self {
        if matches!(role, Role::Decider(_)) {
            self.transaction = None;
        }
        self
    }
}

/// Whether it is our turn.
pub(super) enum Turn {
    Ours(Option<Locks>),
    Not(Reason, String),
}

/// Takes the lock of a run. A dry run changes nothing and needs none.
pub(super) fn exclusive(layout: &Layout, mode: Mode, is_root: bool) -> Result<Turn> {
    if mode != Mode::Act {
        return Ok(Turn::Ours(None));
    }
    if !is_root {
        let why = "only root can change packages; `run --dry-run` works for everybody";
        return Ok(Turn::Not(Reason::NeedsRoot, why.to_owned()));
    }
    files::create_folder(&layout.run_time(), 0o755)?;
    let run = match acquire(&layout.lock())? {
        Acquired::Ours(lock) => lock,
        Acquired::Busy(holder) => return Ok(Turn::Not(Reason::AnotherInstance, holder)),
    };
    // An installer may be at work although the run that started it is gone.
    Ok(match acquire(&layout.transaction_lock())? {
        Acquired::Ours(transaction) => {
            let folders = [
                layout.state(),
                layout.agents(),
                layout.journals(),
                layout.run_time(),
            ];
            files::sweep(&folders.each_ref().map(PathBuf::as_path), 0);
            // A plan there is of a run that is gone.
            files::empty(&layout.plans());
            Turn::Ours(Some(Locks {
                _run: run,
                transaction: Some(transaction),
            }))
        }
        Acquired::Busy(holder) => Turn::Not(Reason::AnotherInstance, holder),
    })
}
