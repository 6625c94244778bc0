//! Being stopped while a change is being made: it is finished, not cut off.
//!
//! Before the first transaction a signal ends the program as usual.

use adapters::runner::find_program;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::{SignalKind, signal};

/// Whether somebody wants us to stop. Clones are about the same request.
#[derive(Clone, Debug, Default)]
pub struct StopRequest {
    asked: Arc<AtomicBool>,
    listens: Arc<AtomicBool>,
}

impl StopRequest {
    /// From now on a signal is only noted, until the program ends by itself.
    ///
    /// # Errors
    /// The kernel refuses the handler.
    pub fn hold_back(&self) -> std::io::Result<()> {
        if self.listens.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let asked = Arc::clone(&self.asked);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                if !asked.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        "asked to stop: the transaction is finished first, then this program ends"
                    );
                }
            }
        });
        Ok(())
    }

    /// Whether a signal came.
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}

/// Keeps the host from shutting down and from suspending while it lives, where logind runs.
#[derive(Debug)]
pub struct Inhibitor {
    _child: Option<tokio::process::Child>,
}

impl Inhibitor {
    /// Takes the lock in the background; without logind there is none, and no shutdown asks for it.
    pub fn take(why: &str) -> Self {
        let child = find_program("systemd-inhibit").and_then(|program| {
            tokio::process::Command::new(program)
                .args([
                    "--what=shutdown:sleep",
                    "--mode=block",
                    "--who=agent-updater",
                ])
                .arg(format!("--why={why}"))
                // It ends with its standard input, so with us, however we end.
                .arg("cat")
                .env_clear()
                .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .kill_on_drop(true)
                .spawn()
                .ok()
        });
        Self { _child: child }
    }
}
