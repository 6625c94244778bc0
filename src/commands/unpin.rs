use super::operator::lock;
use super::{layout, load_configuration};
use crate::cli::Cli;
use crate::host;
use crate::pin::{Scene, release_all};
use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use std::io::{self, Write};

/// `unpin --all`: gives back every pin that this program placed, and no other.
pub(super) fn run(cli: &Cli, now: DateTime<Utc>) -> Result<u8> {
    let layout = layout(cli);
    let _lock = match lock(&layout, "unpin")? {
        Ok(lock) => lock,
        Err(declined) => return declined.answered(false, now),
    };
    // The events name it.
    load_configuration(cli);
    let host = host::name();
    let scene = Scene {
        layout: &layout,
        host: &host,
        called: "unpin",
        now,
    };
    let mut out = io::stdout().lock();
    for path in release_all(&scene)? {
        writeln!(out, "released: {}", path.display()).context("write to standard output")?;
    }
    Ok(0)
}
