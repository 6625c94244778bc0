use super::operator::lock;
use super::{layout, load_configuration, selected};
use crate::cli::{Cli, TrustArguments};
use crate::host;
use crate::report::document::SCHEMA;
use crate::report::words;
use crate::state::agent::AgentState;
use crate::state::history::{self, Header, TrustEvent};
use crate::trust::freshness::Seen;
use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::io::{self, Write};

/// What `trust --json` prints.
#[derive(Debug, Serialize)]
struct Document<'a> {
    schema: &'a str,
    generated_at: DateTime<Utc>,
    host: &'a str,
    /// Whether this call gave the permission.
    changed: bool,
    failed: bool,
    updater_version: &'a str,
    agents: [Permission<'a>; 1],
}

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
    if let Err(code) = selected(&load_configuration(cli), &[name.to_owned()]) {
        return Ok(code);
    }
    let _lock = match lock(&layout, "trust")? {
        Ok(lock) => lock,
        Err(code) => return Ok(code),
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
    let printed = if arguments.json {
        let document = Document {
            schema: SCHEMA,
            generated_at: now,
            host: &host,
            changed,
            failed: false,
            updater_version: env!("CARGO_PKG_VERSION"),
            agents: [Permission {
                name,
                older_index_allowed: state.freshness.accept_older,
                repositories: &state.freshness.seen,
            }],
        };
        let text = serde_json::to_string_pretty(&document).context("render the document")?;
        writeln!(out, "{text}")
    } else {
        explain(&mut out, name, &state.freshness.seen, changed, now)
    };
    printed.context("write to standard output")?;
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
