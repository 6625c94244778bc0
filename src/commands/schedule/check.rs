//! A schedule before it is published: mistakes with their place, and what is seldom meant.

use super::super::answer::{printed, write_document};
use super::super::operator::refuse;
use super::{Question, Told, told};
use crate::cli::Cli;
use crate::decision::ScheduleFact;
use crate::report::page::{Form, Page};
use crate::schedule::lint::{Hosts, lint};
use crate::schedule::place::{Notation, Place, place};
use crate::schedule::{MAX_BYTES, ParseError, Schedule, ScheduleDocument};
use anyhow::Result;
use chrono::TimeDelta;
use serde::Serialize;
use serde_json::json;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

/// The margin of a host that says nothing else.
const USUAL_MARGIN: TimeDelta = TimeDelta::minutes(10);

/// One thing that was found.
#[derive(Debug, Serialize)]
struct Finding {
    severity: &'static str,
    message: String,
    hint: String,
    /// Where, for a mistake that has a place.
    place: Option<Place>,
}

/// `schedule --check`: reads the file, `-` for standard input. Exit code 20 on a mistake.
pub(super) fn run(cli: &Cli, path: &Path, question: &Question<'_>, json: bool) -> Result<u8> {
    let is_stdin = path == Path::new("-");
    let name = if is_stdin {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    };
    let bytes = match read(path, is_stdin) {
        Ok(bytes) => bytes,
        Err(error) => {
            let hint = "name a file that you may read, or `-` for standard input";
            refuse(&format!("read {name}: {error}"), hint);
            return Ok(2);
        }
    };
    let notation = match path.extension() {
        Some(ending) if ending == "toml" => Notation::Toml,
        _ => Notation::Served,
    };
    let (findings, schedule) = match parse(&bytes, notation, question) {
        Ok(schedule) => (remarks(&schedule, question), Some(schedule)),
        Err(finding) => (vec![*finding], None),
    };
    let failed = schedule.is_none();
    let shown: Vec<Told> = schedule
        .map(|schedule| shown(question, &name, schedule))
        .into_iter()
        .collect();
    if json {
        let own = json!({ "file": name, "findings": findings, "agents": shown });
        let now = question.now;
        printed(write_document(&mut io::stdout(), now, (false, failed), own))?;
    } else {
        super::show(cli, &shown, false, failed, question.now)?;
        let mut err = io::stderr().lock();
        for finding in &findings {
            tell(&mut err, &name, finding)?;
        }
    }
    Ok(if failed { 20 } else { 0 })
}

fn read(path: &Path, is_stdin: bool) -> io::Result<Vec<u8>> {
    // One byte more, so that what is too long is told as that.
    let most = u64::try_from(MAX_BYTES)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    let mut bytes = Vec::new();
    if is_stdin {
        io::stdin().lock().take(most).read_to_end(&mut bytes)?;
    } else {
        File::open(path)?.take(most).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

fn parse(
    bytes: &[u8],
    notation: Notation,
    question: &Question<'_>,
) -> Result<Schedule, Box<Finding>> {
    let text = String::from_utf8_lossy(bytes);
    let document = match notation {
        Notation::Served => ScheduleDocument::parse(bytes),
        Notation::Toml => ScheduleDocument::parse_toml(&text),
    };
    let document = document.map_err(|error| Box::new(mistake(&error, &text, notation)))?;
    let path = document.time_zone().clone();
    Schedule::resolve(document, &question.layout.root).map_err(|error| {
        let at = crate::schedule::Position::Path("time_zone".to_owned());
        Box::new(Finding {
            severity: "error",
            message: error.to_string(),
            hint: format!("name a zone that the hosts know in the place of {path}"),
            place: place(&text, notation, &at),
        })
    })
}

fn mistake(error: &ParseError, text: &str, notation: Notation) -> Finding {
    let (message, place) = match error {
        // What is counted in bytes is told in characters, as an editor counts.
        ParseError::Invalid { at, problem } => {
            let place = place(text, notation, at);
            let message = match (at, &place) {
                (crate::schedule::Position::Path(path), _) => format!("{path}: {problem}"),
                (_, Some(_)) => problem.clone(),
                (_, None) => error.to_string(),
            };
            (message, place)
        }
        _ => (error.to_string(), None),
    };
    Finding {
        severity: "error",
        message,
        hint:
            "mend it before it is published: hosts that read it keep the schedule before it, and \
               one without any waits 20 minutes and then takes changes at once"
                .to_owned(),
        place,
    }
}

fn remarks(schedule: &Schedule, question: &Question<'_>) -> Vec<Finding> {
    let hosts = Hosts {
        margin: USUAL_MARGIN,
        update: TimeDelta::zero(),
        freezes: &[],
    };
    let remarks = lint(schedule, &hosts, question.now).into_iter();
    remarks
        .map(|remark| Finding {
            severity: "warning",
            message: remark.text,
            hint: remark.hint,
            place: None,
        })
        .collect()
}

fn shown(question: &Question<'_>, name: &str, schedule: Schedule) -> Told {
    let source = "as it would count".to_owned();
    let fact = if schedule.is_hands_off() {
        ScheduleFact::HandsOff {
            source: name.to_owned(),
        }
    } else if schedule.has_future(question.now) {
        ScheduleFact::InForce { schedule, source }
    } else {
        ScheduleFact::None {
            why: "no window of it has its end in the future".to_owned(),
            freezes: Vec::new(),
        }
    };
    told(question, name, &fact, USUAL_MARGIN, &[])
}

/// A finding as a compiler says it: file, line and column, then the line with a mark below the place.
fn tell(err: &mut impl Write, name: &str, finding: &Finding) -> io::Result<()> {
    let Finding {
        severity,
        message,
        hint,
        place,
    } = finding;
    let at = place
        .as_ref()
        .map(|place| format!("{}:{}: ", place.line, place.column))
        .unwrap_or_default();
    let separator = if at.is_empty() { ": " } else { ":" };
    let text = format!("{severity}: {name}{separator}{at}{message}");
    let form = Form::of_output(false);
    Page::new(&mut *err, form).text("", 0, &text)?;
    if let Some(place) = place {
        let number = place.line.to_string();
        let margin = " ".repeat(number.len());
        writeln!(err, " {margin} |\n {number} | {}", place.excerpt)?;
        writeln!(
            err,
            " {margin} | {}^",
            " ".repeat(place.caret.saturating_sub(1))
        )?;
    }
    Page::new(err, form).text("hint: ", 6, hint)
}
