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
    page.text(&format!("{name}: "), 4, &message(agent, now))?;
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

/// The message, which may be of an earlier run, with how far away the moment is now that it waits for.
fn message(agent: &AgentReport, now: DateTime<Utc>) -> String {
    let mut gates = agent.gates.iter();
    let closed = gates.find(|gate| gate.open == Some(false));
    let (State::Waiting, Some(until)) = (agent.state, closed.and_then(|gate| gate.until)) else {
        return agent.message.clone();
    };
    let named = words::both_zones(until);
    let mut far = words::distance(until - now);
    if until <= now {
        far.push_str(": the next run decides");
    }
    agent
        .message
        .replacen(&named, &format!("{named} ({far})"), 1)
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
