//! `on_event`: each event as JSON on the standard input of the operator's program.
//!
//! An event is delivered at least once, in the order of the record, by the command that was called;
//! what a killed one left is delivered by the next. A program that fails or hangs disturbs nothing.

mod change;
mod cursor;

use crate::config::Configuration;
use crate::outside::{self, Ended};
use crate::report::{AgentReport, Document};
use crate::state::Layout;
use crate::state::history::Header;
use adapters::Runner;
use anyhow::{Context as _, Result};
use change::{StateEvent, Told, is_event};
use chrono::{DateTime, TimeDelta, Utc};
use cursor::{Cursor, Waiting};
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::Instant;

/// How long the program may take for one event.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long one run delivers at most; the rest is for the next one.
const BUDGET: Duration = Duration::from_secs(60);
/// After so many runs that could not deliver it, an event is given up: the next ones wait behind it.
const TRIES: u32 = 3;
/// What is older is news to nobody.
const OLDEST: TimeDelta = TimeDelta::days(7);

/// What the deliveries of one command share.
#[derive(Debug)]
pub(crate) struct Scene<'a, R> {
    /// The host's folders.
    pub(crate) layout: &'a Layout,
    /// Runs commands.
    pub(crate) runner: &'a R,
    /// The configuration.
    pub(crate) configuration: &'a Configuration,
    /// Name of the host.
    pub(crate) host: &'a str,
    /// What was called: the command, or `tick`.
    pub(crate) called: &'a str,
    /// When that began; who never heard of anything hears what happened since. UTC.
    pub(crate) began: DateTime<Utc>,
    /// The present moment. UTC.
    pub(crate) now: DateTime<Utc>,
}

/// One agent's program.
struct Recipient<'a> {
    agent: &'a str,
    command: &'a [String],
    /// Whether it gets what concerns all agents: one of several agents with the same program.
    first: bool,
}

/// Delivers what the record has since the last delivery, and the changes of state that a run came
/// to: `document` are its findings, `earlier` those of the run before. Only for who holds the lock.
///
/// A fault is a warning in the log.
pub(crate) async fn deliver<R: Runner>(
    scene: &Scene<'_, R>,
    document: Option<&Document>,
    earlier: Option<&Document>,
) {
    let end = Instant::now() + BUDGET;
    for recipient in recipients(scene.configuration) {
        let of = |document: Option<&Document>| {
            let mut agents = document?.agents.iter();
            agents.find(|agent| agent.name == recipient.agent).cloned()
        };
        let (report, before) = (of(document), of(earlier));
        if let Err(error) = to_one(scene, &recipient, (report, before), end).await {
            tracing::warn!("events of {} are not delivered: {error:#}", recipient.agent);
        }
    }
}

/// Whether anybody wants to hear of events.
pub(crate) fn is_wanted(configuration: &Configuration) -> bool {
    !recipients(configuration).is_empty()
}

fn recipients(configuration: &Configuration) -> Vec<Recipient<'_>> {
    let mut found: Vec<Recipient<'_>> = Vec::new();
    for (agent, command) in configuration.hooks() {
        let first = found.iter().all(|other| other.command != command);
        found.push(Recipient {
            agent,
            command,
            first,
        });
    }
    found
}

async fn to_one<R: Runner>(
    scene: &Scene<'_, R>,
    recipient: &Recipient<'_>,
    (report, before): (Option<AgentReport>, Option<AgentReport>),
    end: Instant,
) -> Result<()> {
    let (history, path) = (scene.layout.history(), cursor_of(scene.layout, recipient));
    let kept = Cursor::load(&path)?;
    let is_new = kept.is_none();
    let before = before.as_ref().map(Told::of);
    let mut cursor = match kept {
        Some(cursor) => cursor,
        None => Cursor {
            told: before.clone(),
            ..Cursor::since(&history, scene.began)?
        },
    };
    let stored = cursor.clone();
    let is_through = waiting_told(scene, recipient, &mut cursor, end).await
        && lines_told(scene, recipient, &mut cursor, end).await?;
    if let (Some(report), true) = (report, is_through) {
        let after = Told::of(&report);
        // What was told last is only brought up to date by an event.
        let before = match (&cursor.told, before) {
            (Some(told), Some(earlier)) if told.exit_code == 0 && earlier.exit_code == 0 => {
                Some(earlier)
            }
            (told, _) => told.clone(),
        };
        if is_event(before.as_ref(), &after) {
            cursor.waiting = Some(Waiting {
                text: state_event(scene, &report, (before.as_ref(), &after))?,
                after,
                failures: 0,
            });
            // Before it is told: after a cut it is told again as the same one.
            cursor.store(&path)?;
            waiting_told(scene, recipient, &mut cursor, end).await;
        } else if cursor.told.is_none() {
            cursor.told = Some(after);
        }
    }
    if is_new || cursor != stored {
        cursor.store(&path)?;
    }
    Ok(())
}

/// Tells the change of state that waits; whether none does any more.
async fn waiting_told<R: Runner>(
    scene: &Scene<'_, R>,
    recipient: &Recipient<'_>,
    cursor: &mut Cursor,
    end: Instant,
) -> bool {
    let Some(waiting) = &mut cursor.waiting else {
        return true;
    };
    let (text, failures) = (&waiting.text, &mut waiting.failures);
    if Instant::now() >= end || !told(scene, recipient, failures, text).await {
        return false;
    }
    cursor.told = cursor.waiting.take().map(|waiting| waiting.after);
    true
}

/// Tells the lines of the record that were not seen to; whether all are by now.
async fn lines_told<R: Runner>(
    scene: &Scene<'_, R>,
    recipient: &Recipient<'_>,
    cursor: &mut Cursor,
    end: Instant,
) -> Result<bool> {
    let path = cursor_of(scene.layout, recipient);
    for line in cursor.next(&scene.layout.history())? {
        let concerns = line.agent == recipient.agent || (line.agent.is_empty() && recipient.first);
        if concerns && scene.now - line.time <= OLDEST {
            let failures = &mut cursor.failures;
            if Instant::now() >= end || !told(scene, recipient, failures, &line.text).await {
                return Ok(false);
            }
            cursor.pass(&line);
            // At once: a cut repeats one event at most.
            cursor.store(&path)?;
        } else {
            cursor.pass(&line);
        }
    }
    Ok(true)
}

fn cursor_of(layout: &Layout, recipient: &Recipient<'_>) -> PathBuf {
    layout.events().join(format!("{}.json", recipient.agent))
}

fn state_event<R>(
    scene: &Scene<'_, R>,
    report: &AgentReport,
    (before, after): (Option<&Told>, &Told),
) -> Result<String> {
    let names = (scene.host, report.name.as_str());
    let event = StateEvent {
        header: Header::new(names, scene.now, scene.called, "state_changed", "state"),
        before,
        after,
        message: &report.message,
        hint: report.hint.as_deref(),
    };
    serde_json::to_string(&event).context("render an event")
}

/// Tells one event, and counts the runs that could not; whether it is over with.
async fn told<R: Runner>(
    scene: &Scene<'_, R>,
    recipient: &Recipient<'_>,
    failures: &mut u32,
    text: &str,
) -> bool {
    let purpose = format!("tell an event of {}", recipient.agent);
    let Some(spec) = outside::command(recipient.command, &purpose, TIMEOUT) else {
        return true;
    };
    let program = spec.program.clone();
    let why = match outside::run(&spec.with_input(format!("{text}\n")), scene.runner).await {
        Ended::Code(0) => return true,
        Ended::Code(code) => format!("{program} returned {code}"),
        Ended::By(what) => format!("{program} was ended by {what}"),
        Ended::TimedOut => format!("{program} did not end within {} s", TIMEOUT.as_secs()),
        Ended::NotRun(why) => why,
    };
    *failures += 1;
    let gives_up = *failures >= TRIES;
    let then = if gives_up {
        "given up"
    } else {
        "the next run tries again"
    };
    tracing::warn!(
        AGENT_UPDATER_AGENT = recipient.agent,
        "on_event of {}: {why}; {then}",
        recipient.agent
    );
    gives_up
}

#[cfg(test)]
mod tests;
