//! What a command ended with, as a state, a reason and an exit code (contract, section 7).

use crate::decision::{GateName, Reason, Verdict};
use crate::state::damaged::Damaged;
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;

/// The state of one agent after a command.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Installed equals target, or nothing is wanted.
    UpToDate,
    /// The change was made and observed.
    Updated,
    /// A gate says later.
    Waiting,
    /// Dry run: the change would be made now.
    WouldUpdate,
    /// Installed, and the old process still runs.
    RestartPending,
    /// The new version was unhealthy, and the version before is back.
    RolledBack,
    /// Quarantined target.
    Quarantined,
    /// Nothing was changed, because something is wrong.
    Refused,
    /// The change was tried and failed.
    Failed,
    /// There is no agent to look after.
    NotConfigured,
    /// Another instance is running.
    Busy,
}

impl State {
    /// Every state, in the order of the declaration.
    pub const ALL: [Self; 11] = [
        Self::UpToDate,
        Self::Updated,
        Self::Waiting,
        Self::WouldUpdate,
        Self::RestartPending,
        Self::RolledBack,
        Self::Quarantined,
        Self::Refused,
        Self::Failed,
        Self::NotConfigured,
        Self::Busy,
    ];

    /// The string of the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UpToDate => "up_to_date",
            Self::Updated => "updated",
            Self::Waiting => "waiting",
            Self::WouldUpdate => "would_update",
            Self::RestartPending => "restart_pending",
            Self::RolledBack => "rolled_back",
            Self::Quarantined => "quarantined",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::NotConfigured => "not_configured",
            Self::Busy => "busy",
        }
    }
}

/// How urgent each exit code is, most urgent first: with several agents the most urgent wins.
const URGENCY: [u8; 18] = [
    32, 1, 31, 30, 25, 23, 20, 26, 77, 22, 27, 21, 24, 33, 75, 11, 10, 0,
];

/// The exit code of a reason.
pub fn exit_code(reason: Reason) -> u8 {
    match reason {
        Reason::UpToDate
        | Reason::NoTarget
        | Reason::Updated
        | Reason::RestartPending
        | Reason::DowngradeForbidden
        | Reason::BelowMinimumVersion
        | Reason::AboveCluster
        | Reason::TooFarBelowCluster
        | Reason::HeldByOperator
        | Reason::HeldByAdministrator
        | Reason::Frozen
        | Reason::OutsideWindow
        | Reason::WindowClosing
        | Reason::Spread
        | Reason::HandsOff
        | Reason::ScheduleUnconfirmed
        | Reason::Forced
        | Reason::Critical
        | Reason::Unhealthy
        | Reason::OutsideCompatibleRange
        | Reason::NoSchedule
        | Reason::WindowOpen
        | Reason::Overdue
        | Reason::Interrupted
        | Reason::BackingOff => 0,
        Reason::InternalError | Reason::StateDamaged => 1,
        Reason::ConfigurationInvalid | Reason::NotConfigured => 20,
        Reason::VersionServerUnreachable | Reason::VersionServerInvalid => 21,
        Reason::NotOffered => 22,
        Reason::RepositoryUntrusted => 23,
        Reason::PackageManagerBusy => 24,
        Reason::PackageManagerBroken
        | Reason::PackageBroken
        | Reason::PackageDatabaseUnreadable => 25,
        Reason::ClockBeforeBuild
        | Reason::ClockWentBack
        | Reason::UnsupportedPlatform
        | Reason::NotInstalled
        | Reason::NothingToRollBackTo
        | Reason::RepositoryNotFound
        | Reason::RepositoryAmbiguous
        | Reason::WouldChangeOthers
        | Reason::DiskFull => 26,
        Reason::RepositoryUnreachable => 27,
        Reason::InstallFailed => 30,
        Reason::RolledBack => 31,
        Reason::UnhealthyAfterUpdate | Reason::RollbackFailed => 32,
        Reason::Quarantined => 33,
        Reason::AnotherInstance => 75,
        Reason::NeedsRoot => 77,
    }
}

/// The reason that an error stands for which nothing else was made of.
pub fn fault(error: &anyhow::Error) -> Reason {
    let is_full = |error: &std::io::Error| {
        matches!(
            error.kind(),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded
        )
    };
    if error.downcast_ref::<Damaged>().is_some() {
        Reason::StateDamaged
    } else if error
        .chain()
        .any(|cause| cause.downcast_ref().is_some_and(is_full))
    {
        Reason::DiskFull
    } else {
        Reason::InternalError
    }
}

/// The state that a closed gate stands for.
pub fn stopped(reason: Reason) -> State {
    match reason {
        Reason::UpToDate | Reason::NoTarget => State::UpToDate,
        Reason::Quarantined => State::Quarantined,
        Reason::NotConfigured => State::NotConfigured,
        Reason::AnotherInstance => State::Busy,
        other if exit_code(other) == 0 => State::Waiting,
        _ => State::Refused,
    }
}

/// The state and reason that a decision stands for, before anything is done.
pub fn of_decision(verdict: Verdict) -> (State, Reason) {
    match verdict {
        Verdict::Stop(_, reason) => (stopped(reason), reason),
        Verdict::Proceed(timing) => (State::WouldUpdate, timing.reason()),
        Verdict::Undecided(GateName::Timing | GateName::Freeze) => {
            (State::Waiting, Reason::ScheduleUnconfirmed)
        }
        Verdict::Undecided(_) => (State::Refused, Reason::InternalError),
    }
}

/// The most urgent of several exit codes; 0 for none.
pub fn most_urgent(codes: impl IntoIterator<Item = u8>) -> u8 {
    let rank = |code: &u8| URGENCY.iter().position(|known| known == code).unwrap_or(1);
    codes.into_iter().min_by_key(rank).unwrap_or(0)
}

/// Faults that come from outside and may pass: a timer's run reports them, and fails only when
/// they have lasted `grace`.
pub fn may_pass(code: u8) -> bool {
    matches!(code, 21 | 22 | 24 | 27)
}

/// What a timer's run never fails for: somebody else is at work, or has to act elsewhere.
pub fn is_quiet(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::Quarantined
            | Reason::AnotherInstance
            | Reason::NotInstalled
            | Reason::NotConfigured
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_called_the_same_everywhere() {
        for (index, state) in State::ALL.into_iter().enumerate() {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
            assert_eq!(state as usize, index);
        }
    }

    #[test]
    fn the_most_urgent_code_wins() {
        assert_eq!(most_urgent([0, 21, 26]), 26);
        assert_eq!(most_urgent([11, 0, 10]), 11);
        assert_eq!(most_urgent([31, 32, 1]), 32);
        assert_eq!(most_urgent([]), 0);
    }

    #[test]
    fn a_full_disk_is_told_from_a_fault_of_this_program() {
        let table = [
            (ErrorKind::StorageFull, Reason::DiskFull),
            (ErrorKind::QuotaExceeded, Reason::DiskFull),
            (ErrorKind::PermissionDenied, Reason::InternalError),
        ];
        for (kind, reason) in table {
            let error = anyhow::Error::new(std::io::Error::from(kind))
                .context("write the journal")
                .context("begin");
            assert_eq!(fault(&error), reason, "{kind:?}");
        }
        assert_eq!(fault(&anyhow::anyhow!("a mistake")), Reason::InternalError);
    }

    #[test]
    fn a_waiting_agent_is_no_failure() {
        for reason in [
            Reason::OutsideWindow,
            Reason::HeldByOperator,
            Reason::Frozen,
            Reason::HandsOff,
        ] {
            assert_eq!((stopped(reason), exit_code(reason)), (State::Waiting, 0));
        }
        assert_eq!(stopped(Reason::NotOffered), State::Refused);
    }
}
