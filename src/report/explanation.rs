//! Everything that is known of one agent: what was found, each gate, what would be done.

use super::document::{AgentReport, TargetReport};
use super::page::Page;
use super::{text, words};
use crate::decision::{Gate, GateName, Reason};
use crate::outcome::State;
use crate::state::agent::Signature;
use crate::state::journal::Phase;
use anstyle::{AnsiColor, Style};
use chrono::{DateTime, TimeDelta, Utc};
use std::io::{self, Write};

/// A fact that is so much older than the run is told with its age.
const SAME_MOMENT: TimeDelta = TimeDelta::minutes(1);

/// Writes the explanation of one agent, as a run found it at `as_of`.
pub(super) fn write(
    page: &mut Page<impl Write>,
    agent: &AgentReport,
    as_of: DateTime<Utc>,
    now: DateTime<Utc>,
) -> io::Result<()> {
    let ages = Ages { as_of, now };
    if let Some(progress) = &agent.progress {
        let since = words::ago(now - progress.since);
        let waiting = progress.waiting();
        page.fact(
            "now",
            &format!("{}, begun {since}{waiting}", progress.doing),
        )?;
    }
    page.fact("as of", &words::moment(as_of, now))?;
    found(page, agent, ages)?;
    schedule(page, agent, ages)?;
    remembered(page, agent, now)?;
    proofs(page, agent, now)?;
    // A change that was made is told as it was decided on.
    let is_made = !agent.plan.is_empty()
        && matches!(
            agent.state,
            State::Updated | State::RestartPending | State::RolledBack | State::Failed
        );
    page.gap()?;
    page.heading(if is_made {
        "gates, before the change"
    } else {
        "gates"
    })?;
    for gate in &agent.gates {
        gate_line(page, gate, agent.state, ages)?;
    }
    if !agent.changes.is_empty() {
        page.gap()?;
        page.heading("what the package manager itself would change")?;
        for change in &agent.changes {
            page.text("    ", 6, change)?;
        }
    }
    if !agent.plan.is_empty() {
        page.gap()?;
        page.heading(if is_made {
            "commands that were run"
        } else {
            "commands"
        })?;
        for command in &agent.plan {
            page.command(command)?;
        }
    }
    Ok(())
}

/// Tells how old a fact is.
#[derive(Clone, Copy)]
struct Ages {
    as_of: DateTime<Utc>,
    now: DateTime<Utc>,
}

impl Ages {
    /// " (3 h ago)" for what the run itself did not read.
    fn of(self, read_at: Option<DateTime<Utc>>) -> String {
        read_at
            .filter(|read_at| self.as_of - *read_at >= SAME_MOMENT)
            .map(|read_at| format!(" ({})", words::distance(read_at - self.now)))
            .unwrap_or_default()
    }
}

/// Versions and health.
fn found(page: &mut Page<impl Write>, agent: &AgentReport, ages: Ages) -> io::Result<()> {
    let mut gates = agent.gates.iter();
    let gate = gates.find(|gate| gate.name == GateName::Installed);
    let read_at = gate.and_then(|gate| gate.read_at);
    let installed = match (&agent.installed.package_version, gate) {
        (Some(version), _) => version.as_str(),
        (None, Some(gate)) if gate.reason == Some(Reason::NotInstalled) => "no",
        (None, _) => "not known",
    };
    page.fact("installed", &format!("{installed}{}", ages.of(read_at)))?;
    if let Some(version) = &agent.running.version {
        let age = ages.of(agent.running.read_at);
        page.fact("running", &format!("{version}{age}"))?;
    }
    let TargetReport {
        version,
        critical,
        server,
        fetched_at,
        ..
    } = &agent.target;
    let critical = match critical {
        Some(true) => format!(", critical{}", ages.of(agent.target.critical_read_at)),
        Some(false) | None => String::new(),
    };
    let version = version.as_deref().unwrap_or("not known");
    let age = ages.of(*fetched_at);
    let by = match (&agent.target.asked_by, server.as_str()) {
        (Some(command), _) => format!(", by `{command}`"),
        (None, "") => String::new(),
        (None, server) => format!("{critical}{age}, by {server}"),
    };
    page.fact("wanted", &format!("{version}{by}"))?;
    if let Some(since) = agent.pending_since {
        page.fact("due since", &words::moment(since, ages.now))?;
    }
    let evidence = match agent.health.evidence.as_str() {
        "" => String::new(),
        evidence => format!(": {evidence}"),
    };
    let verdict = agent.health.verdict.replace('_', " ");
    let age = ages.of(agent.health.read_at);
    // Nobody looks while there is nothing to do.
    let was = if age.is_empty() {
        ""
    } else {
        "not looked at; was "
    };
    page.fact("health", &format!("{was}{verdict}{age}{evidence}"))
}

/// Where the windows come from, and the next ones.
fn schedule(page: &mut Page<impl Write>, agent: &AgentReport, ages: Ages) -> io::Result<()> {
    let schedule = &agent.schedule;
    if schedule.source.is_empty() {
        return Ok(());
    }
    let zone = schedule.time_zone.as_deref();
    let zone = zone.map(|zone| format!(", {zone}")).unwrap_or_default();
    let age = ages.of(schedule.read_at);
    page.fact("schedule", &format!("{}{zone}{age}", schedule.source))?;
    let windows = schedule.next.iter();
    for (index, window) in windows.filter(|window| window.stop > ages.now).enumerate() {
        let is_open = window.start <= ages.now && ages.now < window.stop;
        let text = words::span(window.start, window.stop);
        let known = match (is_open, &window.frozen) {
            (true, Some(frozen)) => format!(" (open, but {frozen})"),
            (true, None) => " (open)".to_owned(),
            (false, Some(frozen)) => format!(" ({frozen})"),
            (false, None) => String::new(),
        };
        let label = if index == 0 { "windows" } else { "" };
        page.fact(label, &format!("{text}{known}"))?;
    }
    Ok(())
}

/// What an operator said, what earlier runs left, and the way back.
fn remembered(
    page: &mut Page<impl Write>,
    agent: &AgentReport,
    now: DateTime<Utc>,
) -> io::Result<()> {
    if let Some(phase) = agent.phase {
        page.fact("phase", in_words(phase))?;
    }
    if let Some(hold) = &agent.hold {
        let until = hold.until;
        let until = until.map(|until| format!(", until {}", words::moment(until, now)));
        let text = hold.describe(&agent.name);
        page.fact("hold", &format!("{text}{}", until.unwrap_or_default()))?;
    }
    for bad in &agent.quarantine {
        let since = words::distance(bad.since - now);
        page.fact(
            "quarantine",
            &format!("{} ({since}): {}", bad.version, bad.cause),
        )?;
    }
    if let Some(since) = agent.failing_since {
        page.fact("failing", &format!("since {}", words::moment(since, now)))?;
    }
    if let Some(attempt) = &agent.last_attempt {
        let text = format!(
            "{} → {}: {} ({})",
            attempt.from,
            attempt.to,
            attempt.result.replace('_', " "),
            words::distance(attempt.ended_at - now)
        );
        page.fact("last attempt", &text)?;
    }
    if let Some(rollback) = &agent.rollback {
        let version = rollback.version.as_deref();
        let text = match (version, rollback.why.as_deref()) {
            (Some(version), None) => format!("{version}, kept in our cache"),
            (Some(version), Some(why)) => format!("{version}: {why}"),
            (None, why) => format!("none: {}", why.unwrap_or("not known")),
        };
        page.fact("way back", &text)?;
    }
    if let Some(pin) = &agent.pin {
        let places = if pin.places.is_empty() {
            String::new()
        } else {
            format!(" in {}", pin.places.join(" and "))
        };
        page.fact("pin", &format!("{}{places}", pin.state))?;
    }
    Ok(())
}

/// Where a change is, for a person.
fn in_words(phase: Phase) -> &'static str {
    match phase {
        Phase::Idle => "nothing is under way",
        Phase::Prefetched => "fetched and proven, nothing is changed yet",
        Phase::Installing => "a change is under way: the package manager is at work",
        Phase::Verifying => "a change is under way: the new version is observed",
        Phase::RollingBack => "a change is under way: the version before is put back",
        Phase::Stuck => "stuck: no version could be brought to work",
        Phase::Unknown => "a change is under way, begun by a newer version of this program",
    }
}

/// Whose signature proved what is installed and what was looked at last; once where it is the same.
fn proofs(page: &mut Page<impl Write>, agent: &AgentReport, now: DateTime<Utc>) -> io::Result<()> {
    let same = |one: &Signature, other: &Signature| {
        (&one.fingerprint, &one.package_version) == (&other.fingerprint, &other.package_version)
    };
    let installed = agent.installed_signature.as_ref();
    let last = agent.signature.as_ref();
    let last = last.filter(|last| !installed.is_some_and(|installed| same(installed, last)));
    for signature in [installed, last].into_iter().flatten() {
        page.fact("signed by", &proof(signature, now))?;
    }
    Ok(())
}

/// Whose signature proved what, until when its key lasts, and when that was.
fn proof(signature: &Signature, now: DateTime<Utc>) -> String {
    let user = signature.user_id.as_ref();
    let user = user.map(|user| format!(" ({user})")).unwrap_or_default();
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
        .filter(|at| now - *at >= SAME_MOMENT)
        .map(|at| format!(", {}", words::distance(at - now)))
        .unwrap_or_default();
    format!(
        "{}{user}: {}, {covers}; {end}{when}",
        signature.fingerprint, signature.package_version
    )
}

fn gate_line(page: &mut Page<impl Write>, gate: &Gate, state: State, ages: Ages) -> io::Result<()> {
    let (word, style) = match gate.open {
        Some(true) => ("open", AnsiColor::Green.on_default()),
        // A gate that is closed is no fault where there is nothing to do.
        Some(false) => ("closed", text::style(state).bold()),
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
        .map(|until| format!("; {end} {}", words::moment(until, ages.now)))
        .unwrap_or_default();
    let found = match (gate.was_open, gate.read_at) {
        (Some(was_open), Some(read_at)) => {
            let was = if was_open { "open" } else { "closed" };
            let when = words::ago(ages.now - read_at);
            format!("not looked at; was {was} {when}: {}", gate.value)
        }
        _ => format!("{}{}", gate.value, ages.of(gate.read_at)),
    };
    let word = page.paint(style, &format!("{word:<6}"));
    page.text(
        &format!("    {:<13} {word} ", gate.name),
        25,
        &format!("{found}{until}"),
    )
}
