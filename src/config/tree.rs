//! One file as a tree of values, each with its place.

use super::problem::{Place, Problem};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use toml::de::{DeTable, DeValue};

/// Keys in the order of their names.
pub(super) type Table = BTreeMap<String, Node>;

/// A value and where its key stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// What TOML can say.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    /// As written, since no key takes one.
    Float(String),
    Boolean(bool),
    /// A date, a time, or both, as TOML writes it.
    Instant(String),
    Array(Vec<Node>),
    Table(Table),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Boolean(flag)
    }
}

/// As TOML on one line.
impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => formatter.write_str(&quoted(text)),
            Self::Integer(number) => write!(formatter, "{number}"),
            Self::Boolean(flag) => write!(formatter, "{flag}"),
            Self::Float(written) | Self::Instant(written) => formatter.write_str(written),
            Self::Array(elements) => {
                let elements: Vec<String> =
                    elements.iter().map(|node| node.value.to_string()).collect();
                write!(formatter, "[{}]", elements.join(", "))
            }
            Self::Table(table) if table.is_empty() => formatter.write_str("{}"),
            Self::Table(table) => {
                let pairs: Vec<String> = table
                    .iter()
                    .map(|(key, node)| format!("{} = {}", bare(key), node.value))
                    .collect();
                write!(formatter, "{{ {} }}", pairs.join(", "))
            }
        }
    }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            letter if letter.is_control() => {
                quoted.push_str(&format!("\\u{:04X}", u32::from(letter)))
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

/// A key, quoted only where TOML asks for it.
pub(super) fn bare(key: &str) -> String {
    let is_bare = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    if !key.is_empty() && key.chars().all(is_bare) {
        key.to_owned()
    } else {
        quoted(key)
    }
}

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

/// Parses the text of one file.
pub(super) fn parse(path: &Path, text: &str) -> Parsed {
    let file: Arc<Path> = Arc::from(path);
    let at = |offset: usize| Place {
        file: Arc::clone(&file),
        line: Some(line_of(text, offset)),
    };
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut parsed = Parsed {
        table: table(document.get_ref(), &at),
        broken: Vec::new(),
        twice: Vec::new(),
    };
    for error in errors {
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
        } else {
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

/// Keys with dots between them.
pub(super) fn dotted(path: &[String]) -> String {
    let keys: Vec<String> = path.iter().map(|key| bare(key)).collect();
    keys.join(".")
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text
        .bytes()
        .take(offset)
        .filter(|byte| *byte == b'\n')
        .count()
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
                for element in elements.iter() {
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

    #[test]
    fn values_are_written_as_toml_reads_them() {
        let text = r#"a = ["x\ty\"\\\u007F", 1, true, {b-c = 2026-01-01T00:00:00Z, "d e" = {}}, 1.5, 0x10]"#;
        let first = Value::Table(parse(Path::new("/f"), text).table);
        let Value::Table(table) = &first else {
            unreachable!("just built")
        };
        let written = format!("a = {}", table["a"].value);
        let again = Value::Table(parse(Path::new("/f"), &written).table);
        assert_eq!(first.to_string(), again.to_string());
    }
}
