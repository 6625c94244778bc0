//! What can be wrong with a schedule, and where.

use std::fmt;

use super::document::{MAX_BYTES, MAX_WINDOWS};

/// Why a schedule could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Nothing but white space: the server or the file has no schedule, which is no fault.
    #[error("the schedule is empty")]
    Empty,
    /// More than [`MAX_BYTES`].
    #[error(
        "the schedule is {0} bytes long, more than {MAX_BYTES}; list fewer windows, or write them as cron lines"
    )]
    TooLong(usize),
    /// More than [`MAX_WINDOWS`].
    #[error(
        "the schedule has {count} {what}, more than {MAX_WINDOWS}; write those that recur as cron lines"
    )]
    TooMany {
        /// Windows or freezes.
        what: &'static str,
        /// How many.
        count: usize,
    },
    /// A web page, as a proxy's login or error page that comes with status 200.
    #[error(
        "the schedule is an HTML page; does the URL lead to the version server, and not to a proxy's or a login page?"
    )]
    Html,
    /// Something in it is wrong.
    #[error("{at}: {problem}")]
    Invalid {
        /// Where.
        at: Position,
        /// What, and what to write instead.
        problem: String,
    },
}

/// Where in a document something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Position {
    /// Line and column, both counted from 1.
    Text {
        /// The line.
        line: usize,
        /// The byte within the line.
        column: usize,
    },
    /// A value of the JSON document, such as `windows[1].cron`.
    Path(String),
}

impl Position {
    /// The line and the byte within it of a byte of the text.
    pub(super) fn of_offset(text: &str, offset: usize) -> Self {
        let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
        let start = before.iter().rposition(|byte| *byte == b'\n');
        Self::Text {
            line: before.split(|byte| *byte == b'\n').count(),
            column: before.len() - start.map_or(0, |at| at + 1) + 1,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { line, column } => write!(f, "line {line}, column {column}"),
            Self::Path(path) => f.write_str(path),
        }
    }
}
