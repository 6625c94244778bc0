//! Values, each with its place.

use super::problem::Place;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

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
                let _ = write!(quoted, "\\u{:04X}", u32::from(letter));
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

/// Keys with dots between them.
pub(super) fn dotted(path: &[String]) -> String {
    let keys: Vec<String> = path.iter().map(|key| bare(key)).collect();
    keys.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse::parse;
    use std::path::Path;

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
