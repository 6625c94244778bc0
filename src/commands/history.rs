use super::answer::{printed, write_document};
use super::operator::refuse;
use super::{colored, layout, until};
use crate::cli::{Cli, HistoryArguments};
use crate::host;
use crate::report::history::render;
use crate::report::page::Form;
use crate::state::Layout;
use crate::state::history::{Past, Recorded, read};
use anyhow::Result;
use chrono::{DateTime, Local, Utc};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};

/// So many events are shown where nobody says how many.
const FEW: usize = 20;

/// What is this document's own.
#[derive(Debug, Serialize)]
struct Events<'a> {
    /// Lines of the record that could not be read.
    unreadable_lines: usize,
    /// As they were recorded, newest last.
    events: Vec<&'a Value>,
}

/// `history`: what was done on this host, when, why and by whom; needs neither root nor a
/// configuration.
pub(super) fn run(cli: &Cli, arguments: &HistoryArguments, now: DateTime<Utc>) -> Result<u8> {
    let layout = layout(cli);
    let since = arguments.since.as_ref();
    let since = match since
        .map(|text| until::since(text, now, &Local))
        .transpose()
    {
        Ok(since) => since,
        Err((message, hint)) => {
            refuse(&format!("--since {message}"), &hint);
            return Ok(2);
        }
    };
    let most = match arguments.number {
        Some(0) => None,
        Some(number) => Some(number),
        None if since.is_some() => None,
        None => Some(FEW),
    };
    let past = read(&layout, most, |event| wanted(arguments, since, event))?;
    tell_what_is_missing(&past, arguments.json)?;
    if past.events.is_empty() && past.is_there && !arguments.json {
        tell_what_is_known(&layout, arguments)?;
    }
    let mut out = io::stdout().lock();
    let told = if arguments.json {
        let own = Events {
            unreadable_lines: past.unreadable,
            events: past.events.iter().map(|event| &event.value).collect(),
        };
        write_document(&mut out, now, (false, false), own)
    } else {
        let form = Form::of_output(colored(cli, io::stdout().is_terminal()));
        let long = arguments.long || cli.verbose > 0;
        let users = std::fs::read_to_string(layout.host("/etc/passwd")).unwrap_or_default();
        let name = |uid| host::user_name(&users, uid).map(str::to_owned);
        render(&mut out, &past.events, (form, long), &name)
    };
    printed(told.and_then(|()| out.flush()))?;
    Ok(0)
}

/// Whether an event was asked for; one of all agents is each agent's.
fn wanted(arguments: &HistoryArguments, since: Option<DateTime<Utc>>, event: &Recorded) -> bool {
    let of_agent = |agent| arguments.agents.iter().any(|name| name == agent);
    (arguments.agents.is_empty() || event.agent().is_none_or(of_agent))
        && since.is_none_or(|since| event.time >= since)
        && (arguments.reasons.is_empty()
            || arguments
                .reasons
                .iter()
                .any(|reason| reason == event.reason()))
}

/// Says which agents and reasons the record has, to whoever asked for one that it does not know.
fn tell_what_is_known(layout: &Layout, arguments: &HistoryArguments) -> Result<()> {
    let all = read(layout, None, |_| true)?;
    let agents: BTreeSet<&str> = all.events.iter().filter_map(Recorded::agent).collect();
    let reasons: BTreeSet<&str> = all.events.iter().map(Recorded::reason).collect();
    let of = [
        (&arguments.agents, agents, "agents"),
        (&arguments.reasons, reasons, "reasons"),
    ];
    let mut err = io::stderr().lock();
    for (asked, known, what) in of {
        for word in asked.iter().filter(|word| !known.contains(word.as_str())) {
            let known: Vec<&str> = known.iter().copied().collect();
            let known = known.join(", ");
            writeln!(
                err,
                "hint: `{word}` is none of the recorded {what}: {known}"
            )?;
        }
    }
    Ok(())
}

/// Says what whoever reads the events has to know beside them.
fn tell_what_is_missing(past: &Past, json: bool) -> io::Result<()> {
    let mut err = io::stderr().lock();
    match past.unreadable {
        0 => {}
        1 => writeln!(
            err,
            "warning: one line of the record is no event, and is left out"
        )?,
        count => writeln!(
            err,
            "warning: {count} lines of the record are no events, and are left out"
        )?,
    }
    // In a document an empty list says so.
    if past.events.is_empty() && !json {
        let which = if past.is_there {
            "no such event is recorded"
        } else {
            "no event so far"
        };
        writeln!(err, "{which}")?;
    }
    Ok(())
}
