//! The form of a schedule that the agent exports: lines of `<start> <stop>` in Unix seconds.

use chrono::{DateTime, Utc};

use super::excerpt::excerpt;
use super::instant;
use super::parse_error::{ParseError, Position};
use super::window::Window;

/// Reads the lines; those without a pair must be comments or blank.
pub(super) fn read(text: &str) -> Result<Vec<Window>, ParseError> {
    let mut windows = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let content = line.split('#').next().unwrap_or_default();
        let words = words(content);
        let invalid = |column, problem| {
            let line = number;
            Err(ParseError::Invalid {
                at: Position::Text { line, column },
                problem,
            })
        };
        let (start, stop) = match words.as_slice() {
            [] => continue,
            [start, stop] => (*start, *stop),
            [(column, word), ..] => return invalid(*column, not_a_pair(word, words.len())),
        };
        let (start_at, stop_at) = match (unix(start.1), unix(stop.1)) {
            (Ok(start_at), Ok(stop_at)) => (start_at, stop_at),
            (Err(problem), _) => return invalid(start.0, problem),
            (_, Err(problem)) => return invalid(stop.0, problem),
        };
        match Window::once(start_at, stop_at) {
            Ok(window) => windows.push(window),
            Err(problem) => return invalid(stop.0, problem),
        }
    }
    Ok(windows)
}

fn unix(word: &str) -> Result<DateTime<Utc>, String> {
    match word.parse() {
        Ok(seconds) => instant::from_unix(seconds),
        Err(_) => Err(not_a_pair(word, 2)),
    }
}

fn not_a_pair(word: &str, count: usize) -> String {
    let found = if count == 2 {
        format!("`{}` is not a number of Unix seconds", excerpt(word, 40))
    } else if word == "nop" {
        "`nop` must be all there is".to_owned()
    } else {
        format!(
            "the line from `{}` on is not a pair of numbers",
            excerpt(word, 40)
        )
    };
    format!(
        "{found}; a schedule is a JSON object, or lines of `<start> <stop>` in Unix seconds, or `nop`"
    )
}

/// The words of a line with the columns, counted from 1, at which they stand.
fn words(line: &str) -> Vec<(usize, &str)> {
    let mut words = Vec::new();
    let mut column = 1;
    for word in line.split([' ', '\t', '\r']) {
        if !word.is_empty() {
            words.push((column, word));
        }
        column += word.len() + 1;
    }
    words
}
