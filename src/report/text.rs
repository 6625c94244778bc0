use super::document::{AgentReport, Document};
use super::words;
use crate::decision::{Gate, Reason};
use crate::outcome::State;
use crate::state::agent::Signature;
use anstyle::{AnsiColor, Style};
use chrono::{DateTime, TimeDelta, Utc};
use std::io::{self, Write};

/// How much is shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Detail {
    /// The conclusion of each agent, with warnings and the way out.
    Conclusion,
    /// Everything: versions, schedule, every gate, the plan.
    Explanation,
}

/// Renders a document for a person.
pub fn render(
    out: &mut impl Write,
    document: &Document,
    detail: Detail,
    color: bool,
    now: DateTime<Utc>,
) -> io::Result<()> {
    let paint = Paint { color };
    for (index, agent) in document.agents.iter().enumerate() {
        if index > 0 && detail == Detail::Explanation {
            writeln!(out)?;
        }
        conclusion(out, agent, paint)?;
        if detail == Detail::Explanation {
            if now - document.generated_at >= TimeDelta::seconds(1) {
                let when = words::moment(document.generated_at, now);
                writeln!(out, "  {:<14} {when}", "as of")?;
            }
            explanation(out, agent, paint, now)?;
        }
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct Paint {
    color: bool,
}

impl Paint {
    fn apply(self, style: Style, text: &str) -> String {
        if self.color {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }
}

fn conclusion(out: &mut impl Write, agent: &AgentReport, paint: Paint) -> io::Result<()> {
    let style = match agent.state {
        State::UpToDate | State::Updated => AnsiColor::Green.on_default(),
        State::Waiting
        | State::WouldUpdate
        | State::RestartPending
        | State::Busy
        | State::NotConfigured => AnsiColor::Yellow.on_default(),
        State::Quarantined | State::Refused | State::Failed | State::RolledBack => {
            AnsiColor::Red.on_default()
        }
    };
    let name = paint.apply(style.bold(), &agent.name);
    writeln!(out, "{name}: {}", agent.message)?;
    for warning in &agent.warnings {
        writeln!(
            out,
            "  {} {warning}",
            paint.apply(AnsiColor::Yellow.on_default(), "warning:")
        )?;
    }
    if let Some(hint) = &agent.hint {
        writeln!(
            out,
            "  {} {hint}",
            paint.apply(AnsiColor::Cyan.on_default(), "hint:")
        )?;
    }
    Ok(())
}

fn explanation(
    out: &mut impl Write,
    agent: &AgentReport,
    paint: Paint,
    now: DateTime<Utc>,
) -> io::Result<()> {
    let dash = || "-".to_owned();
    // A fact that was learnt just now needs no age.
    let age = |at: Option<DateTime<Utc>>| {
        at.filter(|at| now - *at >= TimeDelta::seconds(1))
            .map(|at| format!(" ({})", words::distance(at - now)))
            .unwrap_or_default()
    };
    let critical = match agent.target.critical {
        Some(true) => ", critical",
        Some(false) | None => "",
    };
    let evidence = if agent.health.evidence.is_empty() {
        String::new()
    } else {
        format!(": {}", agent.health.evidence)
    };
    let zone = agent
        .schedule
        .time_zone
        .as_ref()
        .map(|zone| format!(", {zone}"))
        .unwrap_or_default();
    let installed_at = agent
        .gates
        .iter()
        .find(|gate| gate.name == crate::decision::GateName::Installed);
    let rows = [
        (
            "installed",
            format!(
                "{}{}",
                agent.installed.package_version.clone().unwrap_or_else(dash),
                age(installed_at.and_then(|gate| gate.read_at))
            ),
        ),
        (
            "running",
            agent.running.version.clone().unwrap_or_else(dash),
        ),
        (
            "wanted",
            format!(
                "{}{critical}{}",
                agent.target.version.clone().unwrap_or_else(dash),
                age(agent.target.fetched_at)
            ),
        ),
        ("server", agent.target.server.clone()),
        (
            "health",
            format!("{}{evidence}", agent.health.verdict.replace('_', " ")),
        ),
        ("schedule", format!("{}{zone}", agent.schedule.source)),
    ];
    for (label, value) in rows {
        writeln!(out, "  {label:<14} {value}")?;
    }
    proofs(out, agent, now)?;
    if let Some(pin) = &agent.pin {
        let places = if pin.places.is_empty() {
            String::new()
        } else {
            format!(" in {}", pin.places.join(" and "))
        };
        writeln!(out, "  {:<14} {}{places}", "pin", pin.state)?;
    }
    remembered(out, agent, now)?;
    for window in &agent.schedule.next {
        let text = format!(
            "{} to {}",
            words::both_zones(window.start),
            window.stop.format("%H:%M UTC")
        );
        writeln!(out, "  {:<14} {text}", "")?;
    }
    if let Some(attempt) = &agent.last_attempt {
        let text = format!(
            "{} → {}, {} ({})",
            attempt.from,
            attempt.to,
            attempt.result,
            words::distance(attempt.ended_at - now)
        );
        writeln!(out, "  {:<14} {text}", "last attempt")?;
    }
    writeln!(out, "  gates")?;
    for gate in &agent.gates {
        writeln!(out, "    {}", gate_line(gate, paint, now))?;
    }
    if !agent.plan.is_empty() {
        writeln!(out, "  commands")?;
        for command in &agent.plan {
            writeln!(out, "    {command}")?;
        }
    }
    Ok(())
}

/// What an operator said, and what earlier changes left.
fn remembered(out: &mut impl Write, agent: &AgentReport, now: DateTime<Utc>) -> io::Result<()> {
    if let Some(phase) = agent.phase {
        let word = format!("{phase:?}").to_lowercase();
        writeln!(out, "  {:<14} {word}: a change is under way", "phase")?;
    }
    if let Some(hold) = &agent.hold {
        let until = hold
            .until
            .map(|until| format!(", until {}", words::moment(until, now)));
        let text = hold.describe(&agent.name);
        writeln!(out, "  {:<14} {text}{}", "hold", until.unwrap_or_default())?;
    }
    for bad in &agent.quarantine {
        let since = words::distance(bad.since - now);
        writeln!(
            out,
            "  {:<14} {} ({since}): {}",
            "quarantine", bad.version, bad.cause
        )?;
    }
    if let Some(rollback) = &agent.rollback {
        let version = rollback
            .version
            .as_deref()
            .map(|version| format!(" to {version}"));
        let why = rollback.why.as_deref().map(|why| format!(": {why}"));
        let (version, why) = (version.unwrap_or_default(), why.unwrap_or_default());
        writeln!(out, "  {:<14} {}{version}{why}", "rollback", rollback.state)?;
    }
    Ok(())
}

fn proofs(out: &mut impl Write, agent: &AgentReport, now: DateTime<Utc>) -> io::Result<()> {
    let proofs = [
        ("installed key", &agent.installed_signature),
        ("last proof", &agent.signature),
    ];
    for (label, signature) in proofs {
        if let Some(signature) = signature {
            writeln!(out, "  {label:<14} {}", proof(signature, now))?;
        }
    }
    Ok(())
}

/// Whose signature proved what, until when its key lasts, and when that was.
fn proof(signature: &Signature, now: DateTime<Utc>) -> String {
    let user = signature
        .user_id
        .as_ref()
        .map(|user| format!(" ({user})"))
        .unwrap_or_default();
    let covers = if signature.covers == "metadata" {
        "index signed"
    } else {
        "only the package signed"
    };
    let end = signature.key_expires.map_or_else(
        || "key without end".to_owned(),
        |end| format!("key until {}", words::moment(end, now)),
    );
    let when = signature
        .proven_at
        .map(|at| format!(", {}", words::distance(at - now)))
        .unwrap_or_default();
    format!(
        "{}{user} for {}; {covers}; {end}{when}",
        signature.fingerprint, signature.package_version
    )
}

fn gate_line(gate: &Gate, paint: Paint, now: DateTime<Utc>) -> String {
    let (word, style) = match gate.open {
        Some(true) => ("open", AnsiColor::Green.on_default()),
        Some(false) => ("closed", AnsiColor::Red.on_default()),
        None => ("-", Style::new().dimmed()),
    };
    // An open window's end is the last moment to start, not the moment it closes.
    let end = if gate.reason == Some(Reason::WindowOpen) {
        "last start"
    } else {
        "until"
    };
    let until = gate
        .until
        .map(|until| format!(" [{end} {}]", words::moment(until, now)))
        .unwrap_or_default();
    let word = paint.apply(style, &format!("{word:<6}"));
    format!("{:<13} {word} {}{until}", gate.name, gate.value)
}
