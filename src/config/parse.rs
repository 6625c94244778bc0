//! The text of one file as a tree of values, and what the parser could not take.

use super::problem::{Place, Problem};
use super::tree::{Node, Table, Value, dotted};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use toml::de::{DeTable, DeValue};

/// A file that was parsed as far as it goes.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) table: Table,
    /// Text that is not TOML: what else the file says is unknown.
    pub(super) broken: Vec<Problem>,
    /// Keys that stand twice, each with the name of the agent they belong to; none where that is
    /// `[defaults]`, or not clear.
    pub(super) twice: Vec<(Option<String>, Problem)>,
}

/// Most stumbles of the TOML parser over one file that are told. Each is repeated for every agent.
const MOST_STUMBLES: usize = 100;

/// Parses the text of one file.
pub(super) fn parse(path: &Path, text: &str) -> Parsed {
    let file: Arc<Path> = Arc::from(path);
    let newlines: Vec<usize> = text.match_indices('\n').map(|(offset, _)| offset).collect();
    let at = |offset: usize| Place {
        file: Arc::clone(&file),
        line: Some(1 + newlines.partition_point(|newline| *newline < offset)),
    };
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut parsed = Parsed {
        table: table(document.get_ref(), &at),
        broken: Vec::new(),
        twice: Vec::new(),
    };
    let stumbles = errors.len();
    for error in errors.into_iter().take(MOST_STUMBLES) {
        let span = error.span().unwrap_or(0..0);
        let place = at(span.start);
        // The parser has no kinds of errors; these are its words for a key that stands twice.
        let is_twice = error.message() == "duplicate key"
            || error.message().starts_with("cannot extend value");
        if is_twice {
            let mut owner = owner_of(document.get_ref(), text, &span);
            owner.truncate(2);
            let agent = match owner.as_slice() {
                [agents, name] if agents == "agents" => Some(name.clone()),
                _ => None,
            };
            let problem = twice(place, &owner, text.get(span).unwrap_or_default());
            parsed.twice.push((agent, problem));
        } else if parsed.broken.last().is_none_or(|told| told.place != place) {
            // One slip makes the parser stumble several times on its line.
            parsed.broken.push(Problem {
                place,
                key: String::new(),
                reason: format!("is not TOML: {}", error.message().replace('\n', ", ")),
                hint: Some(
                    "no agent is changed until the file can be read, since it could hold a freeze"
                        .to_owned(),
                ),
            });
        }
    }
    if stumbles > MOST_STUMBLES {
        // Which agents the rest concerns was not looked at.
        parsed.broken.push(Problem {
            place: Place::file(path),
            key: String::new(),
            reason: format!("has more than {MOST_STUMBLES} mistakes; the rest are not told"),
            hint: Some("no agent is changed until they are mended".to_owned()),
        });
    }
    parsed
}

fn twice(place: Place, owner: &[String], key: &str) -> Problem {
    let key = key.trim_matches(['"', '\'']);
    Problem {
        place,
        key: dotted(owner),
        reason: format!("`{key}` stands twice in this file"),
        hint: Some("keep one of the two; a drop-in in config.d may override a value".to_owned()),
    }
}

fn table(source: &DeTable<'_>, at: &impl Fn(usize) -> Place) -> Table {
    source
        .iter()
        .map(|(key, value)| {
            let node = Node {
                place: at(key.span().start),
                value: converted(value.get_ref(), at),
            };
            (key.get_ref().to_string(), node)
        })
        .collect()
}

fn converted(source: &DeValue<'_>, at: &impl Fn(usize) -> Place) -> Value {
    match source {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Integer(number),
            Err(_) => Value::Float(number.as_str().to_owned()),
        },
        DeValue::Float(number) => Value::Float(number.as_str().to_owned()),
        DeValue::Boolean(flag) => Value::Boolean(*flag),
        DeValue::Datetime(instant) => Value::Instant(instant.to_string()),
        DeValue::Array(elements) => Value::Array(
            elements
                .iter()
                .map(|element| Node {
                    place: at(element.span().start),
                    value: converted(element.get_ref(), at),
                })
                .collect(),
        ),
        DeValue::Table(inner) => Value::Table(table(inner, at)),
    }
}

/// The table in which `span`, a key that the parser did not take, stands.
///
/// A header says it itself. Elsewhere it is the table of the key before it, since a key can only
/// stand twice where it stood once.
fn owner_of(document: &DeTable<'_>, text: &str, span: &Range<usize>) -> Vec<String> {
    let start = text[..span.start]
        .rfind('\n')
        .map_or(0, |newline| newline + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    if line.trim_start().starts_with('[') {
        return DeTable::parse(line)
            .map(|header| header_path(header.get_ref()))
            .unwrap_or_default();
    }
    let mut nearest = (0, Vec::new());
    nearest_before(document, span.start, &mut Vec::new(), &mut nearest);
    nearest.1
}

/// The path of a document that is one header only.
fn header_path(header: &DeTable<'_>) -> Vec<String> {
    let Some((key, value)) = header.iter().next() else {
        return Vec::new();
    };
    let mut path = vec![key.get_ref().to_string()];
    match value.get_ref() {
        DeValue::Table(inner) => path.extend(header_path(inner)),
        DeValue::Array(elements) => {
            if let Some(DeValue::Table(inner)) = elements.first().map(toml::Spanned::get_ref) {
                path.extend(header_path(inner));
            }
        }
        _ => {}
    }
    path
}

/// Finds the last key that starts before `limit`, and the path of the table it stands in: its
/// own where the key is a header's.
fn nearest_before(
    source: &DeTable<'_>,
    limit: usize,
    path: &mut Vec<String>,
    nearest: &mut (usize, Vec<String>),
) {
    for (key, value) in source {
        let start = key.span().start;
        let before = path.clone();
        path.push(key.get_ref().to_string());
        if start < limit && start >= nearest.0 {
            let is_header = value.span().start < start;
            *nearest = (start, if is_header { path.clone() } else { before });
        }
        match value.get_ref() {
            DeValue::Table(inner) => nearest_before(inner, limit, path, nearest),
            DeValue::Array(elements) => {
                for element in elements {
                    if let DeValue::Table(inner) = element.get_ref() {
                        nearest_before(inner, limit, path, nearest);
                    }
                }
            }
            _ => {}
        }
        path.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What grows with the square of the size takes minutes here.
    #[test]
    fn garbage_is_refused_at_once() {
        let started = std::time::Instant::now();
        let parsed = parse(Path::new("/f"), &"\n<a>".repeat(100_000));
        assert!(!parsed.broken.is_empty());
        let parsed = parse(Path::new("/f"), &"[agents]\n".repeat(100_000));
        assert_eq!(
            (parsed.broken.len(), parsed.twice.len()),
            (1, MOST_STUMBLES)
        );
        assert!(started.elapsed().as_secs() < 20);
    }

    fn twice_in(text: &str) -> Vec<(Option<String>, Option<usize>)> {
        let parsed = parse(Path::new("/f"), text);
        assert!(parsed.broken.is_empty(), "{:?}", parsed.broken);
        parsed
            .twice
            .into_iter()
            .map(|(agent, problem)| (agent, problem.place.line))
            .collect()
    }

    #[test]
    fn a_key_that_stands_twice_belongs_to_its_agent() {
        let cases = [
            (
                "[agents.a]\npin = true\npin = false\n[agents.b]\n",
                Some("a"),
                3,
            ),
            (
                "[agents.a]\n[agents.b]\npin = true\nhealth.unit = true\npin = false\n",
                Some("b"),
                5,
            ),
            (
                "[agents.a]\npin = true\n[agents.b]\npin = true\n[agents.a]\nunit = 'x'\n",
                Some("a"),
                5,
            ),
            (
                "[agents.a.health]\n[agents.b]\npin = true\n[agents.a.health]\n",
                Some("a"),
                4,
            ),
            (
                "[agents.a]\nfreeze = []\n[agents.b]\npin = true\n[[agents.a.freeze]]\n",
                Some("a"),
                5,
            ),
            (
                "[[agents.a.freeze]]\nstart = 1\n[agents.b]\n[[agents.a.freeze]]\nstart = 1\nstart = 2\n",
                Some("a"),
                6,
            ),
            (
                "agents.a = { pin = true, pin = false }\nagents.b = { pin = true }\n",
                Some("a"),
                1,
            ),
            (
                "[agents.a]\nhealth = 'unit'\nhealth.http = 'x'\n",
                Some("a"),
                3,
            ),
            ("[agents.a]\n[defaults]\npin = true\npin = false\n", None, 4),
            (
                "[agents.'a.b']\npin = true\n'pin' = false\n",
                Some("a.b"),
                3,
            ),
        ];
        for (text, agent, line) in cases {
            assert_eq!(
                twice_in(text),
                [(agent.map(str::to_owned), Some(line))],
                "{text}"
            );
        }
    }
}
