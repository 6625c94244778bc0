//! Decides what to do; does nothing.
//!
//! Two pure functions, the same for `run`, `--dry-run` and `status`: [`decide`] on cheap facts and
//! [`authorize`] on what the repository says, before anything is changed. Both return every gate
//! as a value, so that the same list is executed, printed and tested.

/// What is known of the repository and the transaction, and the gates over it.
pub mod authorize;
/// When an attempt that failed is repeated.
mod back_off;
/// Whether a version fits the cluster that the agent serves.
mod compatibility;
/// What was found out, and how long ago.
pub mod facts;
/// The gates as values.
pub mod gate;
/// The gates over cheap facts, in the order of the contract.
mod gates;
/// Which schedule counts: the present one, a kept one, or none.
pub mod schedule_in_force;
/// When a change may start.
mod timing;

pub use authorize::{RepositoryFacts, authorize};
pub use back_off::FailedAttempts;
pub use facts::{
    Critical, Facts, Health, HoldFact, Planned, Platform, Reading, ScheduleFact, Target,
    TimingPolicy,
};
pub use gate::{Decision, Gate, GateName, Reason, Timing, Verdict};
pub use gates::decide;
pub use schedule_in_force::{ScheduleAnswer, resolve};

#[cfg(test)]
mod tests;
