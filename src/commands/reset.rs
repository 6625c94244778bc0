use super::layout;
use super::operator::refuse;
use super::turn::{Turn, exclusive};
use crate::cli::Cli;
use crate::outcome::exit_code;
use crate::state::Layout;
use crate::state::agent::AgentState;
use crate::state::journal::Journal;
use crate::tick::Mode;
use anyhow::{Context as _, Result};
use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// `reset --image`: nothing of this host's past goes into an image that is made of it.
///
/// Configuration and pins stay: the clones are to have both from their first minute on.
pub(super) fn image(cli: &Cli) -> Result<u8> {
    let layout = layout(cli);
    let is_root = rustix::process::geteuid().is_root();
    let _lock = if layout.root == Path::new("/") {
        match exclusive(&layout, Mode::Act, is_root)? {
            Turn::Ours(lock) => lock,
            Turn::Not(reason, why) => {
                refuse(&why, "say it again as root, or when that run is over");
                return Ok(exit_code(reason));
            }
        }
    } else {
        // An image's own root: nothing of it runs.
        None
    };
    for agent in agents(&layout)? {
        if Journal::load(&layout, &agent)?.phase.is_open() {
            refuse(
                &format!(
                    "a change of {agent} is not over; an image of this host could not be mended"
                ),
                "end it with `agent-updater run`, and say it again",
            );
            return Ok(26);
        }
    }
    let mut out = io::stdout().lock();
    for folder in [layout.state(), layout.cache(), layout.run_time()] {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let path = entry
                .with_context(|| format!("read {}", folder.display()))?
                .path();
            // The locks are ours just now, and say nothing.
            if path == layout.lock() || path == layout.transaction_lock() {
                continue;
            }
            let removed = if path.is_dir() && !path.is_symlink() {
                fs::remove_dir_all(&path)
            } else {
                fs::remove_file(&path)
            };
            removed.with_context(|| format!("remove {}", path.display()))?;
            writeln!(out, "removed: {}", path.display())?;
        }
    }
    Ok(0)
}

/// Every agent that anything is remembered of.
fn agents(layout: &Layout) -> Result<Vec<String>> {
    let mut names = AgentState::names(layout)?;
    for entry in fs::read_dir(layout.journals())
        .into_iter()
        .flatten()
        .flatten()
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(".json").map(str::to_owned));
    }
    names.sort();
    names.dedup();
    Ok(names)
}
