//! What an operator asks for instead of the version server: `run --to` and `rollback`.

use crate::decision::Reason;
use crate::packages;
use crate::report::AgentReport;
use crate::report::document::RollbackReport;
use crate::state::agent::AgentState;
use crate::state::history::{self, Header, OperatorEvent};
use crate::state::journal::{Journal, Phase};
use crate::state::operator::{Hold, Person};
use crate::tick::{Context, Mode};
use adapters::TargetVersion;
use anyhow::Result;
use chrono::{DateTime, Utc};

/// The command `run --to`, as it is told.
pub const TO: &str = "run --to";
/// The command `rollback`, as it is told.
pub const ROLLBACK: &str = "rollback";

/// What the command line says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Request {
    /// `run --to VERSION`.
    To {
        /// The version.
        version: TargetVersion,
        /// Whether the hold afterwards ends when the version server names another version.
        until_target_changes: bool,
    },
    /// `rollback`, to the last good version or to another one.
    Rollback(Option<TargetVersion>),
}

/// A target given by hand.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ByHand {
    /// [`TO`] or [`ROLLBACK`].
    pub command: &'static str,
    /// The version.
    pub target: TargetVersion,
    /// Whether the hold afterwards ends when the version server names another version.
    pub until_target_changes: bool,
    /// Who asks.
    pub who: Person,
}

/// Why there is nothing to go back to, and the way out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Nowhere {
    /// Why, in one line.
    pub message: String,
    /// The way out.
    pub hint: String,
}

impl Request {
    /// The command that it is, as it is told.
    pub fn command(self) -> &'static str {
        match self {
            Self::To { .. } => TO,
            Self::Rollback(_) => ROLLBACK,
        }
    }

    /// The target: what was said, or the last good version.
    pub fn resolve(self, agent: &str, state: &AgentState, who: Person) -> Result<ByHand, Nowhere> {
        let by_hand = |command, target, until_target_changes| ByHand {
            command,
            target,
            until_target_changes,
            who,
        };
        match self {
            Self::To {
                version,
                until_target_changes,
            } => Ok(by_hand(TO, version, until_target_changes)),
            Self::Rollback(Some(version)) => Ok(by_hand(ROLLBACK, version, false)),
            Self::Rollback(None) => match &state.last_good {
                Some(good) => match good.target() {
                    Some(version) => Ok(by_hand(ROLLBACK, version, false)),
                    None => Err(Nowhere {
                        message: format!(
                            "the last good version, {good}, is not one of the form X.Y.Z"
                        ),
                        hint: "install it with the package manager".to_owned(),
                    }),
                },
                None => Err(Nowhere {
                    message:
                        "there is no last good version: no update has led away from one that worked"
                            .to_owned(),
                    hint: other_versions(agent, state),
                }),
            },
        }
    }
}

fn other_versions(agent: &str, state: &AgentState) -> String {
    let kept = state
        .packages
        .iter()
        .filter_map(|package| package.version.target());
    let kept: Vec<_> = kept.map(|version| version.to_string()).collect();
    let which = if kept.is_empty() {
        "any version that the repository offers".to_owned()
    } else {
        format!("our cache keeps {}", kept.join(", "))
    };
    format!("name one with `agent-updater rollback {agent} --to VERSION`; {which}")
}

impl ByHand {
    /// Whether it goes back, passing direction and an operator's hold.
    pub fn is_rollback(&self) -> bool {
        self.command == ROLLBACK
    }

    /// Whether it takes the place of an earlier hold: a plain `hold` stops `run --to`.
    pub fn replaces(&self, hold: &Hold) -> bool {
        self.is_rollback() || hold.version.is_some()
    }

    /// The hold that comes with it once the version is there.
    pub fn hold(&self, state: &AgentState, now: DateTime<Utc>) -> Hold {
        Hold {
            placed_by: self.command.to_owned(),
            version: Some(self.target),
            since: now,
            until: None,
            until_target_changes: self.until_target_changes,
            server_said: state.heard.target,
            why: None,
            who: self.who.clone(),
        }
    }
}

/// Ends a tick that was asked for by hand: what is there already is held there, too.
pub(crate) fn conclude<R>(
    context: &Context<'_, R>,
    by_hand: &ByHand,
    state: &mut AgentState,
    report: &mut AgentReport,
) {
    let target = by_hand.target;
    if report.reason == Reason::UpToDate {
        report.message = format!("{target} is installed");
        let hold = by_hand.hold(state, context.later());
        let same = |held: &Hold| {
            Hold {
                since: held.since,
                ..hold.clone()
            } == *held
        };
        if context.mode == Mode::Act && !state.hold.as_ref().is_some_and(same) {
            state.hold = Some(hold);
        }
    }
    let done = matches!(
        report.reason,
        Reason::UpToDate | Reason::Updated | Reason::RestartPending
    );
    if done && context.mode == Mode::Act {
        let end = if by_hand.until_target_changes {
            " or until the version server names another version"
        } else {
            ""
        };
        let text = format!(
            "; held there until `agent-updater unhold {}`{end}",
            report.name
        );
        report.message.push_str(&text);
    }
}

/// Tells what is remembered: the hold, the way back, a change under way.
///
/// # Errors
/// The journal is damaged, or cannot be read by root.
pub(crate) fn remembered<R>(
    context: &Context<'_, R>,
    state: &AgentState,
    report: &mut AgentReport,
) -> Result<()> {
    report.hold.clone_from(&state.hold);
    report.quarantine.clone_from(&state.quarantine);
    report.attempts = Some(state.attempts.clone());
    report.rollback = Some(way_back(state, report.installed.package_version.as_deref()));
    report.target.asked_by = context
        .by_hand
        .as_ref()
        .map(|asked| asked.command.to_owned());
    let phase = match Journal::load(context.layout, &report.name) {
        Ok(journal) => journal.phase,
        // Only root can read it.
        Err(_) if !context.is_root => Phase::Idle,
        Err(error) => return Err(error),
    };
    report.phase = (phase != Phase::Idle).then_some(phase);
    Ok(())
}

/// Whether our cache has the last good version. Its content is looked at when it is used.
fn way_back(state: &AgentState, installed: Option<&str>) -> RollbackReport {
    let last_good = state.last_good.as_ref();
    let version = last_good.filter(|version| installed != Some(version.as_str()));
    let why = match version {
        None if last_good.is_some() => Some("the last good version is installed".to_owned()),
        None => Some("no update has led away from a version that worked".to_owned()),
        Some(version) if packages::is_there(state, version) => None,
        Some(_) => {
            Some("our cache does not keep its package; the repository has to offer it".to_owned())
        }
    };
    RollbackReport {
        state: if why.is_none() {
            "available"
        } else {
            "unavailable"
        }
        .to_owned(),
        version: version.map(|version| version.as_str().to_owned()),
        why,
    }
}

/// Records what a tick ended or began of what operators say and see.
pub(crate) fn record<R>(
    context: &Context<'_, R>,
    agent: &str,
    before: &AgentState,
    after: &AgentState,
) -> Result<()> {
    let command = after
        .hold
        .as_ref()
        .map_or("tick", |hold| hold.placed_by.as_str());
    let now = context.later();
    let event = |number: usize, trigger, reason| {
        let mark = format!("{reason}-{number}");
        OperatorEvent {
            header: Header::new((&context.host, agent), now, trigger, reason, &mark),
            version: None,
            until: None,
            why: None,
        }
    };
    match (&before.hold, &after.hold) {
        (before, Some(hold)) if before.as_ref() != Some(hold) && hold.version.is_some() => {
            let waits = before.as_ref().is_some_and(|before| {
                // What it waits for was heard for the first time.
                Hold {
                    server_said: hold.server_said,
                    ..before.clone()
                } == *hold
            });
            if !waits {
                let placed = event(0, command, "hold_placed");
                history::append(
                    context.layout,
                    &OperatorEvent {
                        version: hold.version,
                        ..placed
                    },
                )?;
            }
        }
        (Some(hold), None) => {
            let ended = event(0, "tick", "hold_ended");
            let ended = OperatorEvent {
                version: hold.version,
                until: hold.until,
                ..ended
            };
            history::append(context.layout, &ended)?;
        }
        _ => {}
    }
    let gone = before.quarantine.iter().filter(|bad| {
        after
            .quarantine
            .iter()
            .all(|other| other.version != bad.version)
    });
    for (number, bad) in gone.enumerate() {
        let ended = event(number, "tick", "quarantine_ended");
        let ended = OperatorEvent {
            version: Some(bad.version),
            ..ended
        };
        history::append(context.layout, &ended)?;
    }
    Ok(())
}
