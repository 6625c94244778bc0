use super::layout;
use super::run::{Turn, exclusive};
use crate::cli::Cli;
use crate::host;
use crate::outcome::exit_code;
use crate::pin::{Scene, release_all};
use crate::tick::Mode;
use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use std::io::{self, Write};
use std::path::Path;

/// `unpin --all`: gives back every pin that this program placed, and no other.
pub(super) fn run(cli: &Cli, now: DateTime<Utc>) -> Result<u8> {
    let layout = layout(cli);
    if layout.root != Path::new("/") {
        let _ = writeln!(
            io::stderr(),
            "error: nothing is changed under another root than /"
        );
        return Ok(2);
    }
    let _lock = match exclusive(&layout, Mode::Act, rustix::process::geteuid().is_root())? {
        Turn::Ours(lock) => lock,
        Turn::Not(reason, why) => {
            let _ = writeln!(io::stderr(), "error: {why}");
            return Ok(exit_code(reason));
        }
    };
    let host = host::name();
    let scene = Scene {
        layout: &layout,
        host: &host,
        now,
    };
    let mut out = io::stdout().lock();
    for path in release_all(&scene)? {
        writeln!(out, "released: {}", path.display()).context("write to standard output")?;
    }
    Ok(0)
}
