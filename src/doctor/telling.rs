//! Whoever is told of what happens: the operator's program, and the textfile of the metrics.

use super::finding::Finding;
use crate::report::words;
use chrono::{DateTime, TimeDelta, Utc};
use std::path::Path;

/// How a program of the operator's is found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Program {
    /// It can be started.
    Executable,
    /// There is a file that nobody may execute.
    NotExecutable,
    /// There is no such file.
    Absent,
    /// Only root can look.
    NotSeen,
}

/// How a textfile is found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Textfile {
    /// It is there, written at that moment. UTC.
    Written(DateTime<Utc>),
    /// Its folder is there, and it is not.
    Absent,
    /// There is no such folder.
    NoFolder,
    /// Only root can look.
    NotSeen,
}

/// A run may take that long between its findings and the file.
const MARGIN: TimeDelta = TimeDelta::minutes(1);

/// `on_event`: that it can be started. It is not called, since nothing has happened.
pub(super) fn on_event(program: &str, found: Program) -> Finding {
    const NAME: &str = "on_event";
    match found {
        Program::Executable => Finding::ok(NAME, format!("{program} can be started")),
        Program::NotExecutable => Finding::warning(
            NAME,
            format!("{program} is not executable: nobody hears of any event"),
            format!("chmod 0755 {program}"),
        ),
        Program::NotSeen => Finding::for_root(NAME, format!("only root can look for {program}")),
        Program::Absent => Finding::warning(
            NAME,
            format!("{program} is not there: nobody hears of any event"),
            "install it there, or mend `on_event` in the configuration",
        ),
    }
}

/// `metrics.file`: that the last run, whose findings are of `last`, wrote it.
pub(super) fn metrics(
    file: &Path,
    found: Textfile,
    last: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Finding {
    const NAME: &str = "metrics";
    const HINT: &str = "`agent-updater run` as root says why; \
        /usr/share/agent-updater/monitoring/metrics-folder.conf lets the service write elsewhere \
        than below /run/agent-updater";
    let shown = file.display();
    match (found, last) {
        (Textfile::NotSeen, _) => {
            Finding::for_root(NAME, format!("only root can look for {shown}"))
        }
        (Textfile::NoFolder, _) => {
            let folder = file.parent().unwrap_or(file).display();
            Finding::warning(
                NAME,
                format!("{shown} cannot be written: {folder} is not there"),
                format!("mkdir -p {folder}, or mend `metrics.file` in the configuration"),
            )
        }
        (Textfile::Written(at), Some(last)) if at + MARGIN < last => Finding::warning(
            NAME,
            format!(
                "{shown} is of {}: the last run did not write it",
                words::moment(at, now)
            ),
            HINT,
        ),
        (Textfile::Absent, Some(_)) => Finding::warning(
            NAME,
            format!("{shown} is not there: the last run did not write it"),
            HINT,
        ),
        (Textfile::Written(at), _) => Finding::ok(
            NAME,
            format!("{shown}, written {}", words::distance(at - now)),
        ),
        (Textfile::Absent, None) => {
            Finding::ok(NAME, format!("{shown} is written by the first run"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    #[test]
    fn a_program_that_cannot_be_started_is_told_with_the_way_out() {
        let of = |found| on_event("/opt/tell", found);
        assert_eq!(of(Program::Executable).verdict, Verdict::Ok);
        let absent = of(Program::Absent);
        assert_eq!((absent.verdict, absent.exit_code), (Verdict::Warning, 0));
        let closed = of(Program::NotExecutable);
        assert_eq!(closed.hint.as_deref(), Some("chmod 0755 /opt/tell"));
    }

    #[test]
    fn a_textfile_is_as_new_as_the_last_run() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let ago = |minutes| now - TimeDelta::minutes(minutes);
        let of = |found, last| metrics(Path::new("/m/a.prom"), found, last, now);
        let table = [
            (Textfile::Written(ago(5)), Some(ago(5)), Verdict::Ok),
            (Textfile::Written(ago(5)), None, Verdict::Ok),
            (Textfile::Written(ago(90)), Some(ago(5)), Verdict::Warning),
            (Textfile::Absent, Some(ago(5)), Verdict::Warning),
            (Textfile::Absent, None, Verdict::Ok),
            (Textfile::NoFolder, None, Verdict::Warning),
        ];
        for (found, last, expected) in table {
            let finding = of(found, last);
            assert_eq!(finding.verdict, expected, "{finding:?}");
            assert_eq!(finding.hint.is_some(), expected == Verdict::Warning);
        }
        let folder = of(Textfile::NoFolder, None);
        assert!(folder.hint.unwrap().starts_with("mkdir -p /m,"));
    }
}
