//! Progress on a terminal: one line on standard error that is rewritten, and gone at the end.

use super::layout;
use crate::cli::Cli;
use crate::progress::Progress;
use crate::report::page::visible;
use chrono::{DateTime, TimeDelta, Utc};
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::{Instant, interval};

/// How often the line is rewritten.
const INTERVAL: Duration = Duration::from_millis(250);
const MIB: u64 = 1024 * 1024;

/// Whether a line stands on the terminal that anything else has to go over.
static IS_SHOWN: AtomicBool = AtomicBool::new(false);

/// Waits for the work, and shows meanwhile what is being done, where somebody watches.
pub(super) async fn watched<T>(cli: &Cli, now: DateTime<Utc>, work: impl Future<Output = T>) -> T {
    if cli.quiet || !io::stderr().is_terminal() {
        return work.await;
    }
    let layout = layout(cli);
    let started = Instant::now();
    let mut work = std::pin::pin!(work);
    let mut ticks = interval(INTERVAL);
    loop {
        tokio::select! {
            done = &mut work => {
                clear();
                return done;
            }
            _ = ticks.tick() => {
                let now = now + TimeDelta::from_std(started.elapsed()).unwrap_or_default();
                if let Some(progress) = Progress::read(&layout) {
                    show(&line(&progress, now));
                }
            }
        }
    }
}

/// What is being done, and for how long.
fn line(progress: &Progress, now: DateTime<Utc>) -> String {
    let fetched = progress.fetch.as_ref().map(|fetch| {
        let (done, all) = (fetch.done(progress.since), fetch.bytes);
        format!(", {} of {} MiB", done / MIB, all.div_ceil(MIB))
    });
    let seconds = (now - progress.since).num_seconds().max(0);
    format!(
        "{}: {}{}{} ({seconds} s)",
        progress.agent,
        progress.doing,
        fetched.unwrap_or_default(),
        progress.waiting(),
    )
}

fn show(line: &str) {
    let width = terminal_size::terminal_size_of(io::stderr());
    let width = width.map_or(80, |(width, _)| usize::from(width.0));
    // The name of a process is anybody's words.
    let line: String = visible(line)
        .chars()
        .take(width.saturating_sub(1))
        .collect();
    let _ = write!(io::stderr(), "\r\x1b[2K{line}");
    let _ = io::stderr().flush();
    IS_SHOWN.store(true, Ordering::Relaxed);
}

/// Makes room for anything else that is said on standard error.
pub(crate) fn clear() {
    if IS_SHOWN.swap(false, Ordering::Relaxed) {
        let _ = write!(io::stderr(), "\r\x1b[2K");
        let _ = io::stderr().flush();
    }
}

/// Standard error for events, which do not run into the line.
#[derive(Debug)]
pub(super) struct BelowTheLine;

impl Write for BelowTheLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        clear();
        io::stderr().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Fetch;

    #[test]
    fn a_line_says_what_and_for_how_long() {
        let folder = tempfile::tempdir().unwrap();
        let since = DateTime::UNIX_EPOCH;
        let mut progress = Progress {
            agent: "demo".to_owned(),
            doing: "installing 1.1.0".to_owned(),
            since,
            process: 1,
            process_started: 0,
            fetch: None,
            locks: Vec::new(),
            waits_for: None,
        };
        let now = since + TimeDelta::seconds(12);
        assert_eq!(line(&progress, now), "demo: installing 1.1.0 (12 s)");
        std::fs::write(folder.path().join("a"), vec![0; 2 * 1024 * 1024]).unwrap();
        progress.waits_for = Some("process 4711 (apt-get)".to_owned());
        assert_eq!(
            line(&progress, now),
            "demo: installing 1.1.0, waiting for process 4711 (apt-get) (12 s)"
        );
        progress.waits_for = None;
        progress.fetch = Some(Fetch {
            folder: folder.path().to_owned(),
            bytes: 5 * 1024 * 1024 - 1,
        });
        assert_eq!(
            line(&progress, now),
            "demo: installing 1.1.0, 2 of 5 MiB (12 s)"
        );
    }
}
