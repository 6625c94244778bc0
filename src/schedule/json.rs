//! The JSON form of a schedule.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use super::cron_line::CronLine;
use super::document::ScheduleDocument;
use super::excerpt::excerpt;
use super::freeze::Freeze;
use super::instant;
use super::parse_error::{ParseError, Position};
use super::time_zone::ZoneName;
use super::window::{MAX_DURATION, Window};

/// Reads the text of a JSON object.
pub(super) fn read(text: &str) -> Result<ScheduleDocument, ParseError> {
    let raw: Raw = serde_json::from_str(text).map_err(|error| not_json(&error))?;
    ScheduleDocument::try_from(raw)
}

/// The JSON form, before its values are read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    time_zone: Option<String>,
    windows: Option<Vec<RawWindow>>,
    #[serde(default)]
    freeze: Vec<Freeze>,
}

/// Either `cron` and `duration` or `start` and `stop`; one struct, since an untagged enum would say only that nothing
/// matched.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWindow {
    cron: Option<String>,
    duration: Option<String>,
    #[serde(default, deserialize_with = "instant::deserialize_some")]
    start: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "instant::deserialize_some")]
    stop: Option<DateTime<Utc>>,
}

impl TryFrom<Raw> for ScheduleDocument {
    type Error = ParseError;

    fn try_from(raw: Raw) -> Result<Self, Self::Error> {
        let invalid = |path: String, problem: String| ParseError::Invalid {
            at: Position::Path(path),
            problem,
        };
        let time_zone = match raw.time_zone {
            Some(name) => ZoneName::parse(&name)
                .map_err(|error| invalid("time_zone".to_owned(), error.to_string()))?,
            None => ZoneName::default(),
        };
        if raw.windows.is_none() && raw.freeze.is_empty() {
            let problem = "neither here nor in `freeze` stands anything; write `\"windows\": []` if no window is meant";
            return Err(invalid("windows".to_owned(), problem.to_owned()));
        }
        let windows = raw.windows.unwrap_or_default().into_iter().enumerate();
        let windows = windows.map(|(index, window)| {
            Window::try_from(window)
                .map_err(|(key, problem)| invalid(format!("windows[{index}]{key}"), problem))
        });
        Self::new(time_zone, windows.collect::<Result<_, _>>()?, raw.freeze)
    }
}

impl TryFrom<RawWindow> for Window {
    /// The key with a dot before it, empty for the window as a whole, and the problem.
    type Error = (&'static str, String);

    fn try_from(raw: RawWindow) -> Result<Self, Self::Error> {
        match (raw.cron, raw.duration, raw.start, raw.stop) {
            (Some(cron), Some(duration), None, None) => Ok(Self::Recurring {
                line: CronLine::parse(&cron).map_err(|error| (".cron", error.to_string()))?,
                duration: self::duration(&duration).map_err(|problem| (".duration", problem))?,
            }),
            (None, None, Some(start), Some(stop)) => {
                Self::once(start, stop).map_err(|problem| (".stop", problem))
            }
            _ => Err((
                "",
                "a window is either `cron` and `duration` or `start` and `stop`".to_owned(),
            )),
        }
    }
}

/// The duration of a window: `2h`, `90m`, `1h30m`.
fn duration(text: &str) -> Result<TimeDelta, String> {
    let shown = excerpt(text, 40);
    let parsed = humantime::parse_duration(text)
        .map_err(|error| format!("`{shown}`: {error}; write `2h`, `90m` or `1h30m`"))?;
    match TimeDelta::from_std(parsed) {
        Ok(duration) if duration > MAX_DURATION => Err(format!(
            "`{shown}` is longer than 7 days; use several windows, or `start` and `stop`"
        )),
        Ok(duration) if duration < TimeDelta::seconds(1) || parsed.subsec_nanos() != 0 => Err(
            format!("`{shown}` is not a whole number of seconds above zero; write `2h`"),
        ),
        Ok(duration) => Ok(duration),
        Err(_) => Err(format!("`{shown}` is longer than 7 days")),
    }
}

fn not_json(error: &serde_json::Error) -> ParseError {
    let (line, column) = (error.line(), error.column());
    // The position stands in front already.
    let message = error.to_string();
    let suffix = format!(" at line {line} column {column}");
    ParseError::Invalid {
        at: Position::Text { line, column },
        problem: excerpt(message.strip_suffix(&suffix).unwrap_or(&message), 300),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, minutes) in [
            ("2h", 120),
            ("90m", 90),
            ("1h30m", 90),
            ("1h 30m", 90),
            ("1.5h", 90),
            ("1.5h", 90),
            ("7d", 10080),
        ] {
            assert_eq!(duration(text), Ok(TimeDelta::minutes(minutes)), "{text}");
        }
        for text in [
            "",
            "0s",
            "2",
            "h",
            "-2h",
            "500ms",
            "1s1ns",
            "8d",
            "1month",
            "99999999999y",
            "2 hours?",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
