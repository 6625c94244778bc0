//! SIGTERM and SIGINT while a change is being made: it is finished, not cut off.
//!
//! Before the first transaction a signal ends the program as usual.

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
