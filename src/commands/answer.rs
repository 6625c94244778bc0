//! What the documents of the smaller commands have in common, and how anything is printed.

use crate::host;
use crate::report::document::SCHEMA;
use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;
use std::io::{self, ErrorKind, Write};

/// What `--json` prints: what every document has, then the command's own fields.
#[derive(Debug, Serialize)]
struct Answer<T> {
    schema: &'static str,
    generated_at: DateTime<Utc>,
    host: String,
    changed: bool,
    failed: bool,
    updater_version: &'static str,
    #[serde(flatten)]
    own: T,
}

/// Writes the one document of a command: when it was made, whether the command changed something
/// and whether it failed, and its own fields.
pub(super) fn write_document(
    out: &mut impl Write,
    generated_at: DateTime<Utc>,
    (changed, failed): (bool, bool),
    own: impl Serialize,
) -> io::Result<()> {
    let answer = Answer {
        schema: SCHEMA,
        generated_at,
        host: host::name(),
        changed,
        failed,
        updater_version: env!("CARGO_PKG_VERSION"),
        own,
    };
    let text = serde_json::to_string_pretty(&answer)?;
    writeln!(out, "{text}")
}

/// Prints the document of a command that could not begin its work, for programs; a person reads why on
/// standard error. Returns the exit code.
pub(super) fn not_begun(now: DateTime<Utc>, exit_code: u8, message: &str) -> Result<u8> {
    let own = json!({ "exit_code": exit_code, "message": message, "agents": [] });
    printed(write_document(
        &mut io::stdout().lock(),
        now,
        (false, true),
        own,
    ))?;
    Ok(exit_code)
}

/// What came of printing; a reader that has seen enough (`| head`) is no fault of this program.
pub(super) fn printed(result: io::Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.context("write to standard output"),
    }
}
