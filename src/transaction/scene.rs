//! The agent, and what a change to its package needs.

use super::quiet::MARK;
use crate::config::Policy;
use crate::health::probe::Probes;
use crate::progress::Doing;
use crate::state::journal::{Event, Journal, Transaction};
use crate::stop::{Inhibitor, StopRequest};
use crate::tick::Context;
use adapters::{CommandSpec, PackageManager, Runner};

/// The agent, and what a change to its package needs.
#[derive(Debug)]
pub(crate) struct Scene<'a, R> {
    /// The tick.
    pub context: &'a Context<'a, R>,
    /// The agent's name.
    pub agent: &'a str,
    /// Its policy.
    pub policy: &'a Policy,
    /// The host's package manager.
    pub manager: &'a dyn PackageManager,
    /// How to tell that it works.
    pub probes: Probes,
    /// Whether somebody wants us to stop.
    pub stop: StopRequest,
    /// Whether somebody else's transaction surrounds this one, so that its locks are no reason to
    /// wait, and nothing can be installed.
    pub only_look: bool,
}

impl<R: Runner> Scene<'_, R> {
    pub(super) fn runner(&self) -> &R {
        self.context.runner
    }

    pub(super) fn unit(&self) -> Option<&str> {
        self.probes
            .unit
            .as_ref()
            .and_then(|unit| unit.as_deref().ok())
    }

    /// The unit, for the journal.
    pub(crate) fn unit_name(&self) -> Option<String> {
        self.unit().map(str::to_owned)
    }

    /// Goes on to the next phase. Where the disk does not take it the work goes on: the phase
    /// before leads a later start to the same step, by what it finds on the host.
    pub(super) fn note(&self, journal: &mut Journal, event: Event, warnings: &mut Vec<String>) {
        let now = self.context.later();
        if let Err(error) = journal.record(self.context.layout, self.agent, event, now) {
            warnings.push(format!("the journal is behind: {error:#}"));
            journal.advance(journal.phase.after(event).unwrap_or(journal.phase), now);
        }
    }

    /// Tells whoever watches what begins now.
    pub(super) fn doing(&self, what: String) {
        let doing = Doing {
            what,
            ..Doing::default()
        };
        self.context.doing(self.agent, doing);
    }

    /// The same of what needs the package database.
    pub(super) fn changing(&self, what: String) {
        let doing = Doing {
            what,
            locks: self.manager.locks().map(str::to_owned).into(),
            ..Doing::default()
        };
        self.context.doing(self.agent, doing);
    }

    pub(super) fn inhibitor(&self) -> Inhibitor {
        Inhibitor::take(&format!("updating {}", self.policy.package))
    }

    /// A command of the transaction: marked, so that it is found again, with its output in files.
    pub(super) fn marked(&self, command: CommandSpec, change: &Transaction) -> CommandSpec {
        command
            .with_environment(MARK, change.id.clone())
            .within(self.policy.transaction_deadline)
            .recorded_at(self.context.layout.transcripts().join(&change.id))
    }
}
