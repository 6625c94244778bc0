use super::answer::{printed, write_document};
use super::operator::lock;
use super::{layout, load_configuration, selected};
use crate::cli::{Cli, TrustArguments};
use crate::host;
use crate::report::words;
use crate::state::agent::AgentState;
use crate::state::history::{self, Header, TrustEvent};
use crate::trust::freshness::Seen;
use anyhow::Result;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;
use std::io::{self, Write};

/// Whether an older index is accepted once.
#[derive(Debug, Serialize)]
struct Permission<'a> {
    name: &'a str,
    older_index_allowed: bool,
    repositories: &'a [Seen],
}

/// `trust AGENT --older-index`: the next index that is older than the newest one seen counts, once.
pub(super) fn run(cli: &Cli, arguments: &TrustArguments, now: DateTime<Utc>) -> Result<u8> {
    let layout = layout(cli);
    let name = arguments.agent.as_str();
    if let Err(declined) = selected(&load_configuration(cli), &[name.to_owned()]) {
        return declined.answered(arguments.json, now);
    }
    let _lock = match lock(&layout, "trust")? {
        Ok(lock) => lock,
        Err(declined) => return declined.answered(arguments.json, now),
    };
    let mut state = AgentState::load(&layout, name)?;
    let host = host::name();
    let changed = !state.freshness.accept_older && !state.freshness.seen.is_empty();
    if changed {
        let event = TrustEvent {
            header: Header::new((&host, name), now, "trust", "older_index_allowed", "trust"),
            why: arguments.reason.as_deref(),
            repositories: &state.freshness.seen,
        };
        // First the record, then the permission: there is none that nobody gave.
        history::append(&layout, &event)?;
        state.freshness.accept_older = true;
        state.store(&layout, name)?;
    }
    let mut out = io::stdout().lock();
    let told = if arguments.json {
        let permission = Permission {
            name,
            older_index_allowed: state.freshness.accept_older,
            repositories: &state.freshness.seen,
        };
        let own = json!({ "agents": [permission] });
        write_document(&mut out, now, (changed, false), own)
    } else if cli.quiet {
        Ok(())
    } else {
        explain(&mut out, name, &state.freshness.seen, changed, now)
    };
    printed(told)?;
    Ok(0)
}

/// What will happen, and to which repositories.
fn explain(
    out: &mut impl Write,
    name: &str,
    seen: &[Seen],
    changed: bool,
    now: DateTime<Utc>,
) -> io::Result<()> {
    if seen.is_empty() {
        return writeln!(
            out,
            "{name}: nothing to allow: no signed index was seen so far, and the first one is accepted"
        );
    }
    let already = if changed { "" } else { " (as said before)" };
    writeln!(
        out,
        "{name}: the next older index is accepted once{already}. The newest seen so far:"
    )?;
    for seen in seen {
        writeln!(
            out,
            "  {}\n    dated {}, signed by {}, last asked for {}",
            seen.repository,
            words::both_zones(seen.newest),
            seen.fingerprint,
            words::distance(seen.asked_at - now)
        )?;
    }
    writeln!(
        out,
        "The first tick that meets an older one takes it as the new mark and warns; one older still \
         is refused again.\nSignature, key, dates and every other gate count as before."
    )
}
