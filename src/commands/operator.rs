//! What the commands share that only change what is remembered: `hold`, `unhold`, `allow`.

use super::answer::{not_begun, printed, write_document};
use super::configuration::tell_problems_to;
use super::turn::{Locks, Turn, exclusive};
use super::{complain, layout, load_configuration, selected};
use crate::cli::Cli;
use crate::decision::{Gate, GateName, Reason};
use crate::host;
use crate::outcome::{State, exit_code};
use crate::report::{AgentReport, Document, build};
use crate::state::agent::{AgentState, Quarantined};
use crate::state::history::{self, Header, OperatorEvent};
use crate::state::operator::Hold;
use crate::state::{Layout, files};
use crate::tick::Mode;
use adapters::TargetVersion;
use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;
use std::io::{self, Write};
use std::path::Path;

/// What an operator's command did to what is remembered of one agent.
pub(super) struct Told {
    /// The reason string of the history; `None` where nothing changed.
    pub changed: Option<&'static str>,
    /// The version that it is about, if any.
    pub version: Option<TargetVersion>,
    /// When it ends by itself. UTC.
    pub until: Option<DateTime<Utc>>,
    /// For a person, one line.
    pub message: String,
}

/// What is remembered of one agent afterwards.
#[derive(Debug, Serialize)]
struct AgentAnswer {
    name: String,
    message: String,
    changed: bool,
    hold: Option<Hold>,
    quarantine: Vec<Quarantined>,
}

/// For which agents, and how it is told.
pub(super) struct Order<'a> {
    /// The command's name.
    pub command: &'static str,
    /// The agents; empty for all.
    pub agents: &'a [String],
    /// Why, in the operator's words.
    pub why: Option<&'a str>,
    /// Whether to print JSON.
    pub json: bool,
}

/// Prints an error with the way out.
pub(super) fn refuse(message: &str, hint: &str) {
    let _ = writeln!(io::stderr(), "error: {message}\nhint: {hint}");
}

/// Why a command did not begin.
pub(super) struct Declined {
    code: u8,
    why: String,
}

impl Declined {
    pub(super) fn told(code: u8, why: String, hint: &str) -> Self {
        refuse(&why, hint);
        Self { code, why }
    }

    /// The exit code, after the document that a program asked for.
    pub(super) fn answered(self, json: bool, now: DateTime<Utc>) -> Result<u8> {
        if json {
            not_begun(now, self.code, &self.why)
        } else {
            Ok(self.code)
        }
    }
}

/// Takes the lock of a run for a command that changes something on this host. Without it: why not,
/// which a person was told.
pub(super) fn lock(layout: &Layout, command: &str) -> Result<Result<Option<Locks>, Declined>> {
    if layout.root != Path::new("/") {
        let why = "nothing is changed under another root than /".to_owned();
        return Ok(Err(Declined::told(2, why, "leave `--root` out")));
    }
    let turn = exclusive(layout, Mode::Act, rustix::process::geteuid().is_root())?;
    Ok(match turn {
        Turn::Ours(lock) => Ok(lock),
        Turn::Not(Reason::NeedsRoot, _) => {
            let hint = build::hint(Reason::NeedsRoot, "").unwrap_or_default();
            let why = format!("`{command}` needs root");
            Err(Declined::told(exit_code(Reason::NeedsRoot), why, &hint))
        }
        Turn::Not(reason, why) => Err(Declined::told(
            exit_code(reason),
            why,
            "say it again when that run is over; `agent-updater status` shows what it does",
        )),
    })
}

/// Changes what is remembered of each agent, under the lock of a run; one whose state is damaged
/// keeps no other from its turn.
pub(super) fn change(
    cli: &Cli,
    order: &Order<'_>,
    now: DateTime<Utc>,
    tell: impl Fn(&mut AgentState) -> Told,
) -> Result<u8> {
    let layout = layout(cli);
    let configuration = load_configuration(cli);
    if let Err(code) = super::nothing_configured(&configuration) {
        let why = "no agent is configured".to_owned();
        let hint = "put `[agents.NAME]` into /etc/agent-updater/config.toml";
        return Declined::told(code, why, hint).answered(order.json, now);
    }
    let agents = match selected(&configuration, order.agents) {
        Ok(agents) => agents,
        Err(declined) => return declined.answered(order.json, now),
    };
    if agents.is_empty() {
        return tell_problems_to(&configuration, order.json, now);
    }
    let _lock = match lock(&layout, order.command)? {
        Ok(lock) => lock,
        Err(declined) => return declined.answered(order.json, now),
    };
    let host = host::name();
    let mut answers = Vec::new();
    let mut failed = false;
    for (name, _) in agents {
        match change_one((&layout, &host, now), order, name, &tell) {
            Ok(answer) => answers.push(answer),
            Err(error) => {
                complain(&error);
                failed = true;
            }
        }
    }
    let mut out = io::stdout().lock();
    let told = if order.json {
        let changed = answers.iter().any(|answer| answer.changed);
        write_document(
            &mut out,
            now,
            (changed, failed),
            json!({ "agents": answers }),
        )
    } else if cli.quiet {
        Ok(())
    } else {
        answers
            .iter()
            .try_for_each(|answer| writeln!(out, "{}: {}", answer.name, answer.message))
    };
    printed(told)?;
    Ok(u8::from(failed))
}

fn change_one(
    (layout, host, now): (&Layout, &str, DateTime<Utc>),
    order: &Order<'_>,
    name: &str,
    tell: &impl Fn(&mut AgentState) -> Told,
) -> Result<AgentAnswer> {
    let mut state = AgentState::load(layout, name)?;
    let told = tell(&mut state);
    if let Some(reason) = told.changed {
        let event = OperatorEvent {
            header: Header::new((host, name), now, order.command, reason, order.command),
            version: told.version,
            until: told.until,
            why: order.why,
        };
        // First the record, then the change: there is none that nobody made.
        history::append(layout, &event)?;
        state.store(layout, name)?;
    }
    show_in_status(layout, name, |report| {
        report.hold.clone_from(&state.hold);
        report.quarantine.clone_from(&state.quarantine);
        if told.changed.is_some() {
            said_since(report, order.command, &told.message);
        }
    });
    Ok(AgentAnswer {
        name: name.to_owned(),
        message: told.message,
        changed: told.changed.is_some(),
        hold: state.hold,
        quarantine: state.quarantine,
    })
}

/// What the last run concluded from may be another thing now: what it waits for, not a fault that it met.
fn said_since(report: &mut AgentReport, command: &str, message: &str) {
    let target = report.target.version.as_ref();
    let is_free = || {
        let mut quarantine = report.quarantine.iter();
        !quarantine.any(|bad| Some(&bad.version.to_string()) == target)
    };
    let is_other_now = match report.state {
        State::Waiting => report.reason != Reason::Interrupted,
        State::Quarantined => command == "allow" && is_free(),
        _ => false,
    };
    if is_other_now {
        report.message = format!("{message}; the next run decides anew");
        report.hint = None;
    }
    let about = if command == "allow" {
        GateName::Quarantine
    } else {
        GateName::Hold
    };
    for gate in report.gates.iter_mut().filter(|gate| gate.name == about) {
        *gate = Gate::not_looked_at(about, format!("`{command}` was said since"));
    }
}

/// Brings what `status` shows up to date; the next run writes it anew in any case.
fn show_in_status(layout: &Layout, name: &str, change: impl Fn(&mut AgentReport)) {
    let shown = (|| -> Result<()> {
        let Some(text) = files::read_if_there(&layout.status())? else {
            return Ok(());
        };
        let mut document: Document = serde_json::from_str(&text).context("read the status")?;
        document
            .agents
            .iter_mut()
            .filter(|agent| agent.name == name)
            .for_each(change);
        let text = serde_json::to_string(&document).context("render the status")?;
        files::replace(&layout.status(), text.as_bytes(), 0o644)
    })();
    if let Err(error) = shown {
        tracing::warn!("`status` shows it after the next run: {error:#}");
    }
}
