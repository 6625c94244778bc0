use super::colored;
use super::watch::BelowTheLine;
use crate::announce;
use crate::cli::{Cli, Command};
use crate::installer::DECIDER;
use std::fmt;
use std::io::{self, IsTerminal};
use std::os::linux::fs::MetadataExt as _;
use tracing::field::Field;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// Sends events to the journal where standard error is the journal, else to standard error as
/// lines: warnings, and more with `-v`.
///
/// The installer's go to the journal always, and to whoever waits for it beside that.
pub fn start_logging(cli: &Cli) {
    let level = match (cli.quiet, cli.verbose) {
        (true, _) => LevelFilter::ERROR,
        (false, 0) => LevelFilter::WARN,
        (false, 1) => LevelFilter::INFO,
        (false, _) => LevelFilter::DEBUG,
    };
    let is_installer = matches!(cli.command, Command::Apply(_));
    let in_journal = is_journal();
    let journal = (in_journal || is_installer).then(tracing_journald::layer);
    let journal = journal.and_then(Result::ok).map(|layer| {
        // Fields have their whole names already.
        let layer = layer
            .with_field_prefix(None)
            .with_syslog_identifier("agent-updater".to_owned());
        let layer = if is_installer {
            // So that `journalctl -u agent-updater` has the installer's lines, too.
            layer.with_custom_fields([("OBJECT_SYSTEMD_UNIT", DECIDER)])
        } else {
            layer
        };
        layer.with_filter(level.max(LevelFilter::INFO))
    });
    let lines = (journal.is_none() || !in_journal).then(|| {
        tracing_subscriber::fmt::layer()
            .with_writer(|| BelowTheLine)
            .with_ansi(colored(cli, io::stderr().is_terminal()))
            .with_target(false)
            .without_time()
            // A session that is gone must not end a transaction.
            .log_internal_errors(false)
            .fmt_fields(debug_fn(field).delimited(" "))
            .with_filter(level)
            // The report says it already.
            .with_filter(FilterFn::new(|event| {
                event.target() != announce::CONCLUSION
            }))
    });
    tracing_subscriber::registry()
        .with(journal)
        .with(lines)
        .init();
}

/// A field as a person reads it: without the journal's prefix, and without what is for programs.
fn field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    match field.name() {
        "message" => write!(writer, "{value:?}"),
        "MESSAGE_ID" => Ok(()),
        name => {
            let name = name.strip_prefix("AGENT_UPDATER_").unwrap_or(name);
            write!(writer, "{}={value:?}", name.to_lowercase())
        }
    }
}

/// Whether standard error is the journal: systemd says which file that would be.
pub(super) fn is_journal() -> bool {
    let Some(stream) = std::env::var("JOURNAL_STREAM").ok() else {
        return false;
    };
    std::fs::metadata("/proc/self/fd/2")
        .is_ok_and(|file| stream == format!("{}:{}", file.st_dev(), file.st_ino()))
}
