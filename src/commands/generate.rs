use crate::cli::{Page, Shell};
use crate::{completions, manual};
use anyhow::{Context as _, Result};
use std::io::{self, Write};

/// `completions SHELL`.
pub(super) fn completions(shell: Shell) -> Result<u8> {
    print(&completions::script(shell)?)
}

/// `man [PAGE]`.
pub(super) fn man(page: Page) -> Result<u8> {
    print(&match page {
        Page::Command => manual::command()?,
        Page::Configuration => manual::configuration(),
    })
}

fn print(text: &str) -> Result<u8> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        // `agent-updater man | head` is no fault of this program.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
        written => written.map(|()| 0).context("write to standard output"),
    }
}
