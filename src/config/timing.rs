//! The keys that hold instants: `schedule` and `freeze`. What they mean is the schedule module's
//! affair, which reads them as JSON; here every element gets its file and line.

use super::policy::ScheduleSource;
use super::problem::Refusal;
use super::section::{Section, Unset};
use super::tree::{Node, Value};
use super::values::{Read, kind, list, path, text};
use crate::schedule::{Freeze, ParseError, Position, ScheduleDocument, Zone};
use chrono::{DateTime, NaiveDate, NaiveDateTime};
use serde_json::json;

const ZONE_HINT: &str =
    "add Z for UTC or an offset, such as 2026-12-20T00:00:00Z or 2026-12-20T01:00:00+01:00";

/// Reads `schedule`: a word, a file, or windows.
pub(super) fn schedule(agent: &mut Section<'_>) -> Option<ScheduleSource> {
    if !agent.is_table("schedule") {
        return agent.value(
            "schedule",
            Unset::Default("auto".into()),
            |node| match text(node)? {
                "auto" => Ok(ScheduleSource::Auto),
                "server" => Ok(ScheduleSource::Server),
                written if written.starts_with('/') => Ok(ScheduleSource::File(path(node)?)),
                written => Err(Refusal::new(format!(
                    "\"{written}\" is not auto, server or the absolute path of a file"
                ))
                .hint("write its windows with a dot: `schedule.windows = […]`")),
            },
        );
    }
    let mut table = agent.section("schedule", &[]);
    let host = table.host().to_owned();
    let zone = table.value("time_zone", Unset::Default("UTC".into()), |node| {
        let zone = text(node)?;
        let read = document(&json!({ "time_zone": zone, "windows": [] }))?;
        Zone::load(read.time_zone(), &host).map_err(|error| Refusal::new(error.to_string()))?;
        Ok(zone.to_owned())
    });
    let windows = table.value(
        "windows",
        Unset::Mistake("without windows every change would start at once; list at least one"),
        |node| {
            let windows = list(|window| {
                let window = entry(window, &["cron", "duration", "start", "stop"])?;
                document(&json!({ "windows": [window] }))?;
                Ok(window)
            })(node)?;
            if windows.is_empty() {
                return Err(
                    Refusal::new("is an empty list: every change would start at once")
                        .hint("list a window, or write `schedule = \"auto\"`"),
                );
            }
            Ok(windows)
        },
    );
    let freezes = table.value(
        "freeze",
        Unset::Default(Value::Array(Vec::new())),
        list(|node| {
            freeze(node)?;
            entry(node, FREEZE_KEYS)
        }),
    );
    table.finish();
    let written = json!({ "time_zone": zone?, "windows": windows?, "freeze": freezes? });
    // Only what concerns the document as a whole can still be wrong, such as too many windows.
    match document(&written) {
        Ok(document) => Some(ScheduleSource::Inline(document)),
        Err(refusal) => {
            agent.missing(
                "schedule",
                &refusal.reason,
                "see `agent-updater schedule --check FILE`",
            );
            None
        }
    }
}

const FREEZE_KEYS: &[&str] = &["start", "stop", "reason", "allow"];

/// Reads one freeze.
pub(super) fn freeze(node: &Node) -> Read<Freeze> {
    let written = entry(node, FREEZE_KEYS)?;
    serde_json::from_value(written).map_err(|error| Refusal::new(error.to_string()))
}

fn document(written: &serde_json::Value) -> Read<ScheduleDocument> {
    ScheduleDocument::parse(written.to_string()).map_err(|error| match error {
        // The path is that in the document made for this one value; the key says it already.
        ParseError::Invalid {
            at: Position::Path(_),
            problem,
        } => Refusal::new(problem),
        error => Refusal::new(error.to_string()),
    })
}

/// A table of known keys as JSON, with instants in RFC 3339.
fn entry(node: &Node, known: &[&str]) -> Read<serde_json::Value> {
    let Value::Table(table) = &node.value else {
        return Err(Refusal::new(format!(
            "is {}, not a table",
            kind(&node.value)
        )));
    };
    let mut object = serde_json::Map::new();
    for (key, value) in table {
        let within = |refusal: Refusal| refusal.within(&format!(".{key}"), &value.place);
        if !known.contains(&key.as_str()) {
            let hint = match super::problem::nearest(key, known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("it has the keys {}", known.join(", ")),
            };
            return Err(within(Refusal::new("unknown key").hint(hint)));
        }
        let json = match key.as_str() {
            "start" | "stop" => instant(value).map_err(within)?,
            _ => json_of(&value.value),
        };
        object.insert(key.clone(), json);
    }
    Ok(object.into())
}

/// An instant in RFC 3339. A local time is refused: the host's zone may differ from its
/// neighbours', may change, and says some times twice.
fn instant(node: &Node) -> Read<serde_json::Value> {
    let written = match &node.value {
        Value::Instant(instant) => instant.clone(),
        _ => text(node)?.to_owned(),
    };
    if DateTime::parse_from_rfc3339(&written).is_ok() {
        return Ok(written.into());
    }
    let with_t = written.replacen(' ', "T", 1);
    let is_local = with_t.parse::<NaiveDateTime>().is_ok() || written.parse::<NaiveDate>().is_ok();
    Err(if is_local {
        Refusal::new(format!(
            "{written} names no time zone, so it is a different instant on every host"
        ))
        .hint(ZONE_HINT)
    } else {
        Refusal::new(format!("\"{written}\" is not an instant")).hint("write 2026-12-20T00:00:00Z")
    })
}

fn json_of(value: &Value) -> serde_json::Value {
    match value {
        Value::Text(text) | Value::Float(text) | Value::Instant(text) => json!(text),
        Value::Integer(number) => json!(number),
        Value::Boolean(flag) => json!(flag),

        Value::Array(elements) => elements.iter().map(|node| json_of(&node.value)).collect(),
        Value::Table(table) => table
            .iter()
            .map(|(key, node)| (key.clone(), json_of(&node.value)))
            .collect(),
    }
}
