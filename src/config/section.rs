//! Walks the merged tree of one agent key by key, and remembers what it saw: problems, the keys
//! that are known, and a line for `config show`.

use super::problem::{Place, Problem, Refusal, nearest};
use super::tree::{Node, Table, Value, bare};
use std::path::{Path, PathBuf};

/// What a key means that is not there.
pub(super) enum Unset {
    /// This value, read like a written one.
    Default(Value),
    /// Nothing; the words say what happens then.
    Nothing(&'static str),
    /// A mistake; the words say the way out.
    Mistake(&'static str),
}

/// One key as the agent has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Shown {
    /// The key below the agent, such as `health.confirm`.
    pub(super) key: String,
    /// Its value as TOML; none where it is not set.
    pub(super) value: Option<String>,
    /// The file and line, or `default`.
    pub(super) source: String,
}

/// What a walk gathers.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// The table that is walked, such as `agents.teleport`.
    scope: String,
    /// Whether keys may be missing: in `[defaults]`, and where a file could not be read.
    partial: bool,
    host: PathBuf,
    pub(super) problems: Vec<Problem>,
    pub(super) shown: Vec<Shown>,
    /// Every key that was asked for, from the agent on.
    known: Vec<String>,
    /// Keys nobody has asked for, until it is known whether another section has such a key.
    unknown: Vec<(String, String, Place, Option<String>)>,
}

/// A table within the agent's.
pub(super) struct Section<'w> {
    walk: &'w mut Walk,
    path: String,
    /// Where the table is named.
    place: Place,
    entries: Table,
    known: Vec<&'static str>,
    /// Whether the table is not one, which is told already: nothing in it is missing then.
    is_refused: bool,
}

impl Walk {
    /// `host` is the root of the host's files.
    pub(super) fn new(scope: String, partial: bool, host: &Path) -> Self {
        Self {
            scope,
            partial,
            host: host.to_owned(),
            ..Self::default()
        }
    }

    /// The agent's own table.
    pub(super) fn root(&mut self, place: Place, entries: Table) -> Section<'_> {
        Section {
            walk: self,
            path: String::new(),
            place,
            entries,
            known: Vec::new(),
            is_refused: false,
        }
    }

    /// Reports the unknown keys, now that all known ones are known.
    pub(super) fn finish(&mut self) {
        for (path, key, place, near) in std::mem::take(&mut self.unknown) {
            let elsewhere = || {
                let found = self.known.iter().find(|known| {
                    known.rsplit('.').next() == Some(&key) || **known == key.replace('-', "_")
                });
                found.cloned()
            };
            let hint = match near.or_else(elsewhere) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "remove it; the example configuration lists every key".to_owned(),
            };
            self.problems.push(Problem {
                place,
                key: format!("{}.{path}{}", self.scope, bare(&key)),
                reason: "unknown key".to_owned(),
                hint: Some(hint),
            });
        }
    }
}

impl Section<'_> {
    /// Reads one key. `None` where it is not set, or is refused and reported.
    pub(super) fn value<T>(
        &mut self,
        key: &'static str,
        unset: Unset,
        parse: impl FnOnce(&Node) -> Result<T, Refusal>,
    ) -> Option<T> {
        self.know(key);
        let full = format!("{}{key}", self.path);
        let written = self.entries.remove(key);
        let is_default = written.is_none();
        let node = match (written, unset) {
            (Some(node), _) => node,
            (None, Unset::Default(value)) => Node {
                place: self.place.clone(),
                value,
            },
            (None, Unset::Nothing(meaning)) => {
                self.show(full, None, format!("default: {meaning}"));
                return None;
            }
            (None, Unset::Mistake(hint)) => {
                self.missing(key, "is missing", hint);
                return None;
            }
        };
        match parse(&node) {
            Ok(value) => {
                let source = if is_default {
                    "default".to_owned()
                } else {
                    node.place.to_string()
                };
                self.show(full, Some(node.value.to_string()), source);
                Some(value)
            }
            Err(refusal) => {
                // The value is not shown: what is refused may be a secret in the wrong place.
                self.show(full.clone(), None, format!("{}: refused", node.place));
                self.walk.problems.push(Problem {
                    place: refusal.place.unwrap_or(node.place),
                    key: format!("{}.{full}{}", self.walk.scope, refusal.within),
                    reason: refusal.reason,
                    hint: refusal.hint,
                });
                None
            }
        }
    }

    /// Opens a table within this one; a table that is not there is an empty one.
    ///
    /// `shorthand` says which words stand for which single key, such as `health = "unit"` for
    /// `health.unit = true`; none for the empty table.
    pub(super) fn section(
        &mut self,
        key: &'static str,
        shorthand: &[(&str, Option<(&str, Value)>)],
    ) -> Section<'_> {
        self.know(key);
        let path = format!("{}{key}.", self.path);
        let mut is_refused = self.is_refused;
        let (place, entries) = match self.entries.remove(key) {
            None => (self.place.clone(), Table::new()),
            Some(Node {
                place,
                value: Value::Table(table),
            }) => (place, table),
            Some(Node { place, value }) => {
                let meant = match &value {
                    Value::Text(word) => shorthand.iter().find(|(known, _)| known == word),
                    _ => None,
                };
                let mut table = Table::new();
                match meant {
                    Some((_, Some((inner, value)))) => {
                        let node = Node {
                            place: place.clone(),
                            value: value.clone(),
                        };
                        table.insert((*inner).to_owned(), node);
                    }
                    // Nothing of it is in the table, so it is shown by itself.
                    Some((word, None)) => {
                        self.show(
                            format!("{}{key} = \"{word}\"", self.path),
                            None,
                            place.to_string(),
                        );
                    }
                    None => {
                        self.not_a_table(key, &place, shorthand);
                        is_refused = true;
                    }
                }
                (place, table)
            }
        };
        Section {
            walk: self.walk,
            path,
            place,
            entries,
            known: Vec::new(),
            is_refused,
        }
    }

    fn not_a_table(
        &mut self,
        key: &str,
        place: &Place,
        shorthand: &[(&str, Option<(&str, Value)>)],
    ) {
        let words: Vec<String> = shorthand
            .iter()
            .map(|(word, _)| format!("\"{word}\""))
            .collect();
        let (reason, hint) = if words.is_empty() {
            (
                "is not a table".to_owned(),
                format!("write its keys with a dot, such as `{key}.…`"),
            )
        } else {
            let words = words.join(", ");
            (
                format!("is neither {words} nor a table"),
                format!("write {words}, or keys such as `{key}.…`"),
            )
        };
        self.refuse(key, place.clone(), &reason, &hint);
    }

    /// The root of the host's files.
    pub(super) fn host(&self) -> &Path {
        &self.walk.host
    }

    /// Whether a key stands here, not yet read.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Where a key stands, not yet read.
    pub(super) fn place_of(&self, key: &str) -> Option<Place> {
        self.entries.get(key).map(|node| node.place.clone())
    }

    /// Whether a key is a table, not yet read.
    pub(super) fn is_table(&self, key: &str) -> bool {
        matches!(
            self.entries.get(key),
            Some(Node {
                value: Value::Table(_),
                ..
            })
        )
    }

    /// Reports something about a key that is there.
    pub(super) fn refuse(&mut self, key: &str, place: Place, reason: &str, hint: &str) {
        self.walk.problems.push(Problem {
            place,
            key: format!("{}.{}{key}", self.walk.scope, self.path),
            reason: reason.to_owned(),
            hint: Some(hint.to_owned()),
        });
    }

    /// Reports something that is not there, where everything ought to be there.
    pub(super) fn missing(&mut self, key: &str, reason: &str, hint: &str) {
        if !self.walk.partial && !self.is_refused {
            self.refuse(key, self.place.clone(), reason, hint);
        }
    }

    /// What is left is unknown.
    pub(super) fn finish(self) {
        for (key, node) in self.entries {
            let near = nearest(&key, self.known.iter().copied())
                .map(|near| format!("{}{near}", self.path));
            let full = format!("{}{}", self.path, bare(&key));
            let source = format!("{}: refused", node.place);
            self.walk.shown.push(Shown {
                key: full,
                value: None,
                source,
            });
            self.walk
                .unknown
                .push((self.path.clone(), key, node.place, near));
        }
    }

    fn know(&mut self, key: &'static str) {
        self.known.push(key);
        self.walk.known.push(format!("{}{key}", self.path));
    }

    fn show(&mut self, key: String, value: Option<String>, source: String) {
        self.walk.shown.push(Shown { key, value, source });
    }
}
