//! Where in a document's text something stands, for whoever writes it.

use super::excerpt::excerpt;
use super::parse_error::Position;
use jsonc_parser::ast::{Object, ObjectPropName, Value};
use jsonc_parser::common::Ranged as _;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde::Serialize;
use toml::de::{DeTable, DeValue};

/// How much of a line is shown, in characters.
const SHOWN: usize = 70;

/// A place in a text.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The character within the line, from 1.
    pub column: usize,
    /// The line, or the part of it around the place; control characters are made visible.
    pub excerpt: String,
    /// The character within `excerpt` that is meant, from 1.
    pub caret: usize,
}

/// Which notation a text is in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Notation {
    /// JSON, or lines.
    Served,
    /// The configuration's.
    Toml,
}

/// The place of a position; nothing where it cannot be found any more.
pub fn place(text: &str, notation: Notation, at: &Position) -> Option<Place> {
    match at {
        Position::Text { line, column } => {
            let start = line_start(text, *line)?;
            Some(of_offset(text, start + column.saturating_sub(1)))
        }
        Position::Path(path) => {
            let offset = match notation {
                Notation::Served => in_json(text, path),
                Notation::Toml => in_toml(text, path),
            };
            offset.map(|offset| of_offset(text, offset))
        }
    }
}

fn line_start(text: &str, line: usize) -> Option<usize> {
    let before = line.checked_sub(1)?;
    let lengths = text.split_inclusive('\n').take(before).map(str::len);
    Some(lengths.sum())
}

/// The place of a byte; one within a character or past the end is moved to the nearest before it.
pub(super) fn of_offset(text: &str, offset: usize) -> Place {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &text[..offset];
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let whole = text[start..].lines().next().unwrap_or_default();
    let column = text[start..offset].chars().count();
    // A document may be one line of 64 KiB.
    let first = if whole.chars().count() <= SHOWN {
        0
    } else {
        column.saturating_sub(SHOWN / 2)
    };
    let leading: String = whole.chars().skip(first).take(column - first).collect();
    let rest: String = whole.chars().skip(column).collect();
    let leading = excerpt(&leading, SHOWN);
    let caret = leading.chars().count() + 1;
    Place {
        line: before.split('\n').count(),
        column: column + 1,
        excerpt: format!(
            "{leading}{}",
            excerpt(&rest, SHOWN.saturating_sub(column - first))
        ),
        caret,
    }
}

/// `windows[1].cron` as its steps.
fn steps(path: &str) -> impl Iterator<Item = &str> {
    path.split(['.', '[', ']']).filter(|step| !step.is_empty())
}

fn in_json(text: &str, path: &str) -> Option<usize> {
    // A mark at the start of the text is no part of JSON.
    let json = text.strip_prefix('\u{feff}').unwrap_or(text);
    let parsed = parse_to_ast(json, &CollectOptions::default(), &ParseOptions::default()).ok()?;
    let root = parsed.value?;
    let mut value = &root;
    for step in steps(path) {
        let inner = match value {
            Value::Object(object) => member(object, step),
            Value::Array(array) => array.elements.get(step.parse::<usize>().ok()?),
            _ => None,
        };
        // What is missing is told at what it is missing from.
        let Some(inner) = inner else { break };
        value = inner;
    }
    Some(value.range().start + text.len() - json.len())
}

fn member<'a>(object: &'a Object<'a>, name: &str) -> Option<&'a Value<'a>> {
    // Of a key that stands twice the last one counts.
    let mut properties = object.properties.iter().rev();
    let property = properties.find(|property| match &property.name {
        ObjectPropName::String(key) => key.value == name,
        ObjectPropName::Word(key) => key.value == name,
    })?;
    Some(&property.value)
}

fn in_toml(text: &str, path: &str) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let mut offset = 0;
    let mut steps = steps(path);
    let mut value = document.get_ref().get(steps.next()?)?;
    loop {
        offset = value.span().start.max(offset);
        let Some(step) = steps.next() else { break };
        let inner = match value.get_ref() {
            DeValue::Table(table) => table.get(step),
            DeValue::Array(elements) => elements.get(step.parse::<usize>().ok()?),
            _ => None,
        };
        let Some(inner) = inner else { break };
        value = inner;
    }
    Some(offset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{ParseError, ScheduleDocument};

    fn at(text: &str, notation: Notation) -> (usize, usize, String) {
        let document = match notation {
            Notation::Served => ScheduleDocument::parse(text),
            Notation::Toml => ScheduleDocument::parse_toml(text),
        };
        let Err(ParseError::Invalid { at, .. }) = document else {
            panic!("{document:?}")
        };
        let place = place(text, notation, &at).unwrap();
        let pointed = place.excerpt.chars().skip(place.caret - 1).take(12);
        (place.line, place.column, pointed.collect())
    }

    #[test]
    fn a_mistake_is_found_in_each_notation() {
        let served = [
            (
                "{\"windows\": [\n  {\"cron\": \"0 2 * * *\", \"duration\": \"2h\"},\n  {\"cron\": \"0 2 1 * Sat\", \"duration\": \"2h\"}\n]}",
                (3, 12, "\"0 2 1 * Sat"),
            ),
            (
                "{\"time_zone\": \"Mars/../x\", \"windows\": []}",
                (1, 15, "\"Mars/../x\","),
            ),
            (
                "{\"windows\": [{\"cron\": \"* * * * *\"}]}",
                (1, 14, "{\"cron\": \"* "),
            ),
            ("{\"windows\": [}", (1, 14, "}")),
            ("{\"windows\":\n [], \"freez\": []}", (2, 12, "\": []}")),
            ("# a\n1 2\n5 x\n", (3, 3, "x")),
            ("10 5\n", (1, 4, "5")),
            ("{\"é\": 1,\n\"windows\": [{}]}", (1, 4, "\": 1,")),
        ];
        for (text, (line, column, pointed)) in served {
            let found = at(text, Notation::Served);
            assert_eq!(
                (found.0, found.2.as_str()),
                (line, pointed),
                "{text}: {found:?}"
            );
            assert!(found.1.abs_diff(column) <= 1, "{text}: {found:?}");
        }
        let toml = [
            (
                "windows = [\n  { cron = \"0 2 1 * Sat\", duration = \"2h\" },\n]",
                (2, "\"0 2 1 * Sat"),
            ),
            (
                "[[windows]]\ncron = \"0 2 * * *\"\nduration = \"9d\"\n",
                (3, "\"9d\""),
            ),
            ("windows = [\n", (1, "")),
            ("windows = []\nwindow = 1\n", (2, "window = 1")),
        ];
        for (text, (line, pointed)) in toml {
            let found = at(text, Notation::Toml);
            assert_eq!(
                (found.0, found.2.as_str()),
                (line, pointed),
                "{text}: {found:?}"
            );
        }
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let text = format!("{}X{}", "é".repeat(5000), "b".repeat(5000));
        let place = of_offset(&text, 10_000);
        assert_eq!((place.line, place.column), (1, 5001));
        assert_eq!(place.excerpt.chars().nth(place.caret - 1), Some('X'));
        assert!(place.excerpt.chars().count() <= SHOWN + 2);
        // Bytes within a character, and past the end.
        assert_eq!(of_offset("é", 1).column, 1);
        assert_eq!(of_offset("ab\n", 99), of_offset("ab\n", 3));
        let hostile = of_offset("\u{1b}[2Jx", 4);
        assert!(!hostile.excerpt.contains('\u{1b}'));
        assert_eq!(hostile.excerpt.chars().nth(hostile.caret - 1), Some('x'));
    }
}
