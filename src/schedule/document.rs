//! The three ways to write a schedule, read into one document.

use serde::Deserialize;

use super::excerpt::excerpt;
use super::freeze::Freeze;
use super::json::{self, Raw};
use super::pairs;
use super::parse_error::{ParseError, Position};
use super::time_zone::ZoneName;
use super::window::Window;

/// The longest document that is read, in bytes: what the client accepts from a version server.
pub const MAX_BYTES: usize = 64 * 1024;

/// The most windows, and the most freezes, in one document.
pub const MAX_WINDOWS: usize = 200;

/// A schedule as it is written: windows, freezes and the name of the time zone in which cron lines are read.
///
/// Its serde form is the JSON one, so the configuration can hold it inline.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Raw")]
pub struct ScheduleDocument {
    hands_off: bool,
    time_zone: ZoneName,
    windows: Vec<Window>,
    freezes: Vec<Freeze>,
}

impl ScheduleDocument {
    /// Reads the body of `<base>/schedule`, a schedule file, or what the agent exported: a JSON object, lines of
    /// `<start> <stop>` in Unix seconds with `#` comments, or `nop`.
    ///
    /// White space around it and a byte order mark do not matter. Comments alone are a document without windows.
    pub fn parse(body: impl AsRef<[u8]>) -> Result<Self, ParseError> {
        let body = body.as_ref();
        if body.len() > MAX_BYTES {
            return Err(ParseError::TooLong(body.len()));
        }
        let text = std::str::from_utf8(body).map_err(|error| not_utf8(body, error))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match text.trim().chars().next() {
            None => Err(ParseError::Empty),
            Some('<') => Err(ParseError::Html),
            Some('{') => json::read(text),
            Some(_) if text.trim() == "nop" => Ok(Self {
                hands_off: true,
                ..Self::default()
            }),
            Some(_) => Self::new(ZoneName::default(), pairs::read(text)?, Vec::new()),
        }
    }

    /// Reads the keys of the configuration's `schedule` table, as a file of their own.
    pub fn parse_toml(text: &str) -> Result<Self, ParseError> {
        if text.len() > MAX_BYTES {
            return Err(ParseError::TooLong(text.len()));
        }
        if text.trim().is_empty() {
            return Err(ParseError::Empty);
        }
        let raw: Raw = toml::from_str(text).map_err(|error| {
            let span = error.span().unwrap_or_default();
            ParseError::Invalid {
                at: Position::of_offset(text, span.start),
                problem: excerpt(error.message(), 300),
            }
        })?;
        Self::try_from(raw)
    }

    /// Whether the document is `nop`, which the ancestor's successor writes when it takes over.
    pub fn is_hands_off(&self) -> bool {
        self.hands_off
    }

    /// The zone in which cron lines are read; UTC where the document names none.
    pub fn time_zone(&self) -> &ZoneName {
        &self.time_zone
    }

    /// The windows in the document's order, without repetitions.
    pub fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// The times in which nothing starts, in the document's order.
    pub fn freezes(&self) -> &[Freeze] {
        &self.freezes
    }

    /// Puts the parts together if they are within the limits, each window once.
    pub(super) fn new(
        time_zone: ZoneName,
        windows: Vec<Window>,
        freezes: Vec<Freeze>,
    ) -> Result<Self, ParseError> {
        for (what, count) in [("windows", windows.len()), ("freezes", freezes.len())] {
            if count > MAX_WINDOWS {
                return Err(ParseError::TooMany { what, count });
            }
        }
        let mut distinct: Vec<Window> = Vec::new();
        for window in windows {
            if !distinct.contains(&window) {
                distinct.push(window);
            }
        }
        Ok(Self {
            hands_off: false,
            time_zone,
            windows: distinct,
            freezes,
        })
    }
}

fn not_utf8(body: &[u8], error: std::str::Utf8Error) -> ParseError {
    let before = &body[..error.valid_up_to()];
    let line_start = before.iter().rposition(|&byte| byte == b'\n');
    ParseError::Invalid {
        at: Position::Text {
            line: before.split(|&byte| byte == b'\n').count(),
            column: before.len() - line_start.map_or(0, |at| at + 1) + 1,
        },
        problem: "the schedule is not text in UTF-8; is it compressed, or in another encoding?"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests;
