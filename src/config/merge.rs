//! Second stage: many files become one tree, leaf by leaf; nothing is validated but the names of
//! the top-level tables and of the agents.

use super::fragments::{Fate, Fragment};
use super::parse::parse;
use super::problem::{Place, Problem, nearest};
use super::tree::{Node, Table, Value, bare};
use std::collections::BTreeMap;

/// What is wrong with an agent that is a plain value.
pub(super) const NOT_A_TABLE: &str = "is not a table";

/// Every file together.
#[derive(Debug, Default)]
pub(super) struct Merged {
    /// `[defaults]`.
    pub(super) defaults: Table,
    /// `[agents.NAME]`, without the defaults.
    pub(super) agents: BTreeMap<String, Agent>,
    /// What stops every agent.
    pub(super) problems: Vec<Problem>,
    /// Whether a file is missing from the tree: then a key that is not there proves nothing.
    pub(super) incomplete: bool,
}

/// What the files say of one agent.
#[derive(Debug)]
pub(super) struct Agent {
    /// Where it is first named.
    pub(super) place: Place,
    pub(super) table: Table,
    /// What stops this agent only.
    pub(super) problems: Vec<Problem>,
}

/// Merges the files in their order: a later key wins, tables are joined, a list is replaced whole.
pub(super) fn merge(fragments: &[Fragment]) -> Merged {
    let mut merged = Merged::default();
    for fragment in fragments {
        match &fragment.fate {
            Fate::Read(text) => merged.add(fragment, text),
            Fate::Unreadable => merged.incomplete = true,
            Fate::Masked(_) | Fate::Empty | Fate::Ignored => {}
        }
    }
    merged
}

impl Merged {
    fn add(&mut self, fragment: &Fragment, text: &str) {
        let mut parsed = parse(&fragment.path, text);
        if !parsed.broken.is_empty() {
            self.problems.append(&mut parsed.broken);
            self.incomplete = true;
            // Values beside broken text may be wrong; only whose they are is worth knowing.
            if let Some(Node {
                value: Value::Table(agents),
                ..
            }) = parsed.table.get_mut("agents")
            {
                agents.retain(|name, _| is_agent_name(name));
                for node in agents.values_mut() {
                    node.value = Value::Table(Table::new());
                }
            }
            parsed.table.retain(|key, _| key == "agents");
        }
        for (key, node) in parsed.table {
            match (key.as_str(), node.value) {
                ("defaults", Value::Table(table)) => join(&mut self.defaults, table),
                ("agents", Value::Table(table)) => self.add_agents(table),
                ("defaults" | "agents", _) => {
                    self.problems
                        .push(top_level(&key, node.place, NOT_A_TABLE, None));
                }
                _ => self.problems.push(unknown_top_level(&key, node.place)),
            }
        }
        for (agent, problem) in parsed.twice {
            match agent.and_then(|name| self.agents.get_mut(&name)) {
                Some(agent) => agent.problems.push(problem),
                None => self.problems.push(problem),
            }
        }
    }

    fn add_agents(&mut self, agents: Table) {
        for (name, node) in agents {
            let agent = self.agents.entry(name.clone()).or_insert_with(|| Agent {
                place: node.place.clone(),
                table: Table::new(),
                problems: Vec::new(),
            });
            let key = format!("agents.{}", bare(&name));
            match node.value {
                Value::Table(table) => join(&mut agent.table, table),
                _ => agent.problems.push(Problem {
                    place: node.place.clone(),
                    key: key.clone(),
                    reason: NOT_A_TABLE.to_owned(),
                    hint: Some(format!("write [{key}] with the agent's keys below it")),
                }),
            }
            if !is_agent_name(&name) && agent.problems.iter().all(|problem| problem.key != key) {
                agent.problems.push(Problem {
                    place: node.place,
                    key,
                    reason: "is not a name for an agent".to_owned(),
                    hint: Some(
                        "1 to 64 of a-z, 0-9, dot, dash and underscore, with a letter or digit at both ends"
                            .to_owned(),
                    ),
                });
            }
        }
    }
}

/// Joins a later table into an earlier one.
pub(super) fn join(earlier: &mut Table, later: Table) {
    for (key, node) in later {
        match (earlier.get_mut(&key), node) {
            (
                Some(Node {
                    value: Value::Table(before),
                    ..
                }),
                Node {
                    value: Value::Table(after),
                    ..
                },
            ) => {
                join(before, after);
            }
            (_, node) => {
                earlier.insert(key, node);
            }
        }
    }
}

/// `[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?`
fn is_agent_name(name: &str) -> bool {
    let is_end = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    bytes.len() <= 64
        && bytes.first().is_some_and(is_end)
        && bytes.last().is_some_and(is_end)
        && bytes
            .iter()
            .all(|byte| is_end(byte) || b"._-".contains(byte))
}

fn unknown_top_level(key: &str, place: Place) -> Problem {
    let hint = match nearest(key, ["agents", "defaults"]) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "there are [defaults] and [agents.NAME]; every other key stands below one of them"
            .to_owned(),
    };
    top_level(key, place, "unknown key", Some(hint))
}

fn top_level(key: &str, place: Place, reason: &str, hint: Option<String>) -> Problem {
    Problem {
        place,
        key: bare(key),
        reason: reason.to_owned(),
        hint,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn names_of_agents() {
        let longest = "a".repeat(64);
        for name in ["a", "0", "teleport", "node-2.eu_west", &longest] {
            assert!(is_agent_name(name), "{name}");
        }
        let too_long = "a".repeat(65);
        for name in ["", "-a", "a-", ".a", "A", "a b", "a/b", "ü", &too_long] {
            assert!(!is_agent_name(name), "{name}");
        }
    }

    #[test]
    fn tables_are_joined_and_lists_replaced() {
        let table = |text| parse(Path::new("/f"), text).table;
        let mut earlier = table("a = {b = 1, c = [1, 2]}\nd = {e = 1}\nf = 1");
        join(&mut earlier, table("a = {c = [3]}\nd = 2\nf = {g = 1}"));
        let written = Value::Table(earlier).to_string();
        assert_eq!(written, "{ a = { b = 1, c = [3] }, d = 2, f = { g = 1 } }");
    }
}
