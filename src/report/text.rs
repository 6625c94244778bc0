use super::document::{AgentReport, Document};
use super::explanation;
use super::page::{Form, Page};
use super::words;
use crate::outcome::State;
use anstyle::{AnsiColor, Style};
use chrono::{DateTime, Utc};
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
    form: Form,
    now: DateTime<Utc>,
) -> io::Result<()> {
    let mut page = Page::new(out, form);
    for (index, agent) in document.agents.iter().enumerate() {
        if index > 0 && detail == Detail::Explanation {
            page.gap()?;
        }
        conclusion(&mut page, agent, now)?;
        if detail == Detail::Explanation {
            page.gap()?;
            explanation::write(&mut page, agent, document.generated_at, now)?;
        }
    }
    Ok(())
}

/// The conclusion in one sentence, what deserves attention, and the way out.
fn conclusion(
    page: &mut Page<impl Write>,
    agent: &AgentReport,
    now: DateTime<Utc>,
) -> io::Result<()> {
    let name = page.paint(style(agent.state).bold(), &agent.name);
    let far = how_far(agent, now).unwrap_or_default();
    page.text(&format!("{name}: "), 4, &format!("{}{far}", agent.message))?;
    let labelled = |page: &mut Page<_>, color: AnsiColor, label: &str, text: &str| {
        let label = page.paint(color.on_default(), label);
        page.text(&format!("  {label} "), 4, text)
    };
    for warning in &agent.warnings {
        labelled(page, AnsiColor::Yellow, "warning:", warning)?;
    }
    if let Some(hint) = &agent.hint {
        labelled(page, AnsiColor::Cyan, "hint:", hint)?;
    }
    Ok(())
}

/// How far away the moment is that a waiting agent's message names: the message is of an earlier run.
fn how_far(agent: &AgentReport, now: DateTime<Utc>) -> Option<String> {
    let mut gates = agent.gates.iter();
    let until = gates.find(|gate| gate.open == Some(false))?.until?;
    let is_named = agent.message.contains(&words::both_zones(until));
    let far = words::distance(until - now);
    match (agent.state, until <= now) {
        (State::Waiting, false) if is_named => Some(format!(" ({far})")),
        (State::Waiting, true) if is_named => Some(format!(" ({far}: the next run decides)")),
        _ => None,
    }
}

/// The colour of a state.
pub(super) fn style(state: State) -> Style {
    let color = match state {
        State::UpToDate | State::Updated => AnsiColor::Green,
        State::Waiting
        | State::WouldUpdate
        | State::RestartPending
        | State::Busy
        | State::NotConfigured => AnsiColor::Yellow,
        State::Quarantined | State::Refused | State::Failed | State::RolledBack => AnsiColor::Red,
    };
    color.on_default()
}
