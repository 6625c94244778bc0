//! The answer of `check`, by the conventions of monitoring plug-ins: one line with performance data,
//! and an exit code. Pure.

use super::attention::{Urgency, is_unhealthy, one_line, urgency};
use super::document::{AgentReport, Document, SCHEMA};
use super::words;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use std::fmt::Write as _;

/// How bad it is; the numbers are the exit codes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Severity {
    /// All is well.
    Ok = 0,
    /// Somebody should look.
    Warning = 1,
    /// Somebody has to act.
    Critical = 2,
    /// It is not known.
    Unknown = 3,
}

impl Severity {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// What is known to be bad is worse than what is not known.
    fn rank(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Unknown => 2,
            Self::Critical => 3,
        }
    }

    fn or_worse(self, other: Self) -> Self {
        if other.rank() > self.rank() {
            other
        } else {
            self
        }
    }
}

/// Two limits of one value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// A warning from here on.
    pub warning: TimeDelta,
    /// Critical (for the age of the findings: unknown) from here on.
    pub critical: TimeDelta,
}

/// From when on something is bad.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Thresholds {
    /// The age of the last run.
    pub age: Limits,
    /// For how long a change has been due.
    pub pending: Limits,
    /// For how long a fault from outside has lasted.
    pub failing: Limits,
    /// How long a hold without an end has lasted; a warning.
    pub held: TimeDelta,
    /// How much is left to the repository's key: less is worse.
    pub key: Limits,
}

/// What is printed, and the exit code.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// The exit code.
    pub severity: Severity,
    /// One line, without its end.
    pub line: String,
}

/// A text in an answer has at most so many characters; agents of old cut lines at 1024 bytes.
const MOST: usize = 160;
/// Findings from the future by more than this are none: the clock was set back.
const AHEAD: TimeDelta = TimeDelta::minutes(5);

/// An answer without findings.
pub fn unknown(why: &str) -> Answer {
    Answer {
        severity: Severity::Unknown,
        line: format!("AGENT-UPDATER UNKNOWN - {}", plain(why, 2 * MOST)),
    }
}

/// The answer to the text of `status.json`, `None` where there is none, over the agents with these
/// names, or over all.
pub fn answer(
    status: Option<&str>,
    names: &[String],
    thresholds: &Thresholds,
    now: DateTime<Utc>,
) -> Answer {
    let document = match read(status) {
        Ok(document) => document,
        Err(why) => return unknown(&why),
    };
    let age = now - document.generated_at;
    let mut severity = of_age(age, thresholds.age);
    let mut texts = Vec::new();
    if severity != Severity::Ok {
        let when = words::distance(document.generated_at - now);
        texts.push(format!(
            "the last run was {when}; `systemctl status agent-updater.timer` tells why"
        ));
    }
    let mut data = String::new();
    let agents = document.agents.iter();
    let wanted = agents.filter(|agent| names.is_empty() || names.contains(&agent.name));
    for agent in wanted {
        let (found, text) = judge(agent, thresholds, now);
        severity = severity.or_worse(found);
        texts.push(text);
        performance(&mut data, agent, age, thresholds, now);
    }
    let is_known = |name: &&String| document.agents.iter().any(|agent| agent.name == **name);
    for name in names.iter().filter(|name| !is_known(name)) {
        severity = severity.or_worse(Severity::Unknown);
        let name = plain(name, MOST);
        texts.push(format!("{name}: UNKNOWN: no run has looked at it"));
    }
    if document.agents.is_empty() {
        severity = severity.or_worse(Severity::Unknown);
        texts.push("no agent is configured".to_owned());
    }
    let mut line = format!("AGENT-UPDATER {} - {}", severity.as_str(), texts.join("; "));
    if !data.is_empty() {
        line.push_str(" |");
        line.push_str(&data);
    }
    Answer { severity, line }
}

/// The findings, or why there are none.
fn read(status: Option<&str>) -> Result<Document, String> {
    let Some(text) = status else {
        return Err(
            "no run has left its findings: none since boot (the first comes within 32 minutes), or no \
             agent is configured"
                .to_owned(),
        );
    };
    let damaged = |error| format!("the last run's findings cannot be read: {error}");
    let value: Value = serde_json::from_str(text).map_err(damaged)?;
    match value.get("schema").and_then(Value::as_str) {
        Some(SCHEMA) => serde_json::from_value(value).map_err(damaged),
        other => Err(format!(
            "the last run's findings are of the schema {}, not {SCHEMA}",
            other.unwrap_or("of nobody")
        )),
    }
}

fn of_age(age: TimeDelta, limits: Limits) -> Severity {
    match () {
        () if age >= limits.critical || age < -AHEAD => Severity::Unknown,
        () if age >= limits.warning => Severity::Warning,
        () => Severity::Ok,
    }
}

fn over(value: TimeDelta, limits: Limits) -> Severity {
    match () {
        () if value >= limits.critical => Severity::Critical,
        () if value >= limits.warning => Severity::Warning,
        () => Severity::Ok,
    }
}

/// What is said of one agent.
fn judge(agent: &AgentReport, thresholds: &Thresholds, now: DateTime<Utc>) -> (Severity, String) {
    let since = |at: Option<DateTime<Utc>>| at.map_or(TimeDelta::zero(), |at| now - at);
    let failing = since(agent.failing_since);
    let mut severity = match urgency(agent) {
        Urgency::None => Severity::Ok,
        Urgency::MayPass => over(failing, thresholds.failing),
        Urgency::Soon => Severity::Warning,
        Urgency::Now => Severity::Critical,
    };
    let mut notes = Vec::new();
    let mut note = |found: Severity, text: String| {
        severity = severity.or_worse(found);
        if found != Severity::Ok {
            notes.push(text);
        }
    };
    if is_unhealthy(agent) {
        let evidence = plain(&agent.health.evidence, MOST);
        note(Severity::Critical, format!("unhealthy: {evidence}"));
    }
    let pending = since(agent.pending_since);
    note(
        over(pending, thresholds.pending),
        format!("due for {}", length(pending)),
    );
    if agent.failing_since.is_some() {
        note(
            over(failing, thresholds.failing),
            format!("failing for {}", length(failing)),
        );
    }
    if let Some(hold) = agent.hold.as_ref().filter(|hold| hold.until.is_none()) {
        let held = now - hold.since;
        if held >= thresholds.held {
            let text = format!("held for {} without an end", length(held));
            note(Severity::Warning, text);
        }
    }
    if let Some(left) = key_left(agent, now) {
        let found = match () {
            () if left < thresholds.key.critical => Severity::Critical,
            () if left < thresholds.key.warning => Severity::Warning,
            () => Severity::Ok,
        };
        let text = if left < TimeDelta::zero() {
            format!("the repository's key ended {} ago", length(-left))
        } else {
            format!("the repository's key ends in {}", length(left))
        };
        note(found, text);
    }
    let mark = match severity {
        Severity::Ok => String::new(),
        other => format!("{}: ", other.as_str()),
    };
    let mut text = format!(
        "{}: {mark}{}",
        plain(&agent.name, MOST),
        plain(&agent.message, MOST)
    );
    for note in notes {
        let _ = write!(text, ", {note}");
    }
    (severity, text)
}

/// How much is left to the key that proved the last package.
fn key_left(agent: &AgentReport, now: DateTime<Utc>) -> Option<TimeDelta> {
    Some(agent.signature.as_ref()?.key_expires? - now)
}

/// `'label'=value[unit];[warning];[critical];[minimum]`, each with a space before it.
fn performance(
    data: &mut String,
    agent: &AgentReport,
    age: TimeDelta,
    thresholds: &Thresholds,
    now: DateTime<Utc>,
) {
    let since = |at: Option<DateTime<Utc>>| at.map_or(TimeDelta::zero(), |at| now - at);
    let seconds = [
        ("age", age, thresholds.age),
        ("pending", since(agent.pending_since), thresholds.pending),
        ("failing", since(agent.failing_since), thresholds.failing),
    ];
    for (what, value, limits) in seconds {
        let label = label(&agent.name, what);
        let _ = write!(
            data,
            " {label}={}s;{};{};0",
            value.num_seconds().max(0),
            limits.warning.num_seconds(),
            limits.critical.num_seconds()
        );
    }
    let counts = [
        ("failures", u64::from(agent.consecutive_failures)),
        ("quarantined", agent.quarantine.len() as u64),
    ];
    for (what, value) in counts {
        let _ = write!(data, " {}={value};;;0", label(&agent.name, what));
    }
    if let Some(left) = key_left(agent, now) {
        // Below the limit is bad: a range that is open at its end.
        let limits = thresholds.key;
        let _ = write!(
            data,
            " {}={};{}:;{}:",
            label(&agent.name, "key_days"),
            left.num_days(),
            limits.warning.num_days(),
            limits.critical.num_days()
        );
    }
}

/// A label may hold anything but an equals sign; a quote in it is doubled.
fn label(agent: &str, what: &str) -> String {
    let name = plain(agent, MOST).replace('=', "_").replace('\'', "''");
    format!("'{name}_{what}'")
}

/// A text of anybody's within the line: the bar begins the performance data.
fn plain(text: &str, most: usize) -> String {
    one_line(text, most).replace('|', "/")
}

fn length(delta: TimeDelta) -> String {
    words::distance(delta)
        .trim_start_matches("in ")
        .trim_end_matches(" ago")
        .to_owned()
}

#[cfg(test)]
mod tests;
