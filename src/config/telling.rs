//! Where an agent's findings are told beside this program's own files: also those of an agent whose
//! configuration is invalid elsewhere, since that is just what has to be heard of.

use super::Configuration;
use super::problem::Refusal;
use super::tree::{Node, Table, Value};
use super::values::{command, path};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What of it can be read.
#[derive(Clone, Debug, Default)]
pub(super) struct Telling {
    on_event: Option<Vec<String>>,
    metrics_file: Option<PathBuf>,
}

impl Telling {
    /// Reads it from the merged table of an agent.
    pub(super) fn of(agent: &Table) -> Self {
        let file = match agent.get("metrics").map(|node| &node.value) {
            Some(Value::Table(metrics)) => metrics.get("file"),
            _ => None,
        };
        Self {
            on_event: agent.get("on_event").and_then(|node| command(node).ok()),
            metrics_file: file.and_then(|node| textfile(node).ok()),
        }
    }
}

/// A file that the textfile collector of `node_exporter` reads.
pub(super) fn textfile(node: &Node) -> Result<PathBuf, Refusal> {
    let file = path(node)?;
    if file
        .extension()
        .is_some_and(|extension| extension == "prom")
    {
        Ok(file)
    } else {
        let text = format!("{} does not end in .prom", node.value);
        Err(Refusal::new(text).hint("the textfile collector of node_exporter reads no other file"))
    }
}

impl Configuration {
    /// The agents that have an `on_event`, with it.
    pub fn hooks(&self) -> impl Iterator<Item = (&str, &[String])> {
        let agents = self.agents.iter().zip(&self.telling);
        agents
            .filter_map(|((name, _), telling)| Some((name.as_str(), telling.on_event.as_deref()?)))
    }

    /// The Prometheus textfiles, each with its agents. An agent that is refused and names none that
    /// can be read is told in that of the first agent that does.
    pub fn metrics_files(&self) -> BTreeMap<PathBuf, Vec<&str>> {
        let first = self
            .telling
            .iter()
            .find_map(|one| one.metrics_file.as_ref());
        let mut files = BTreeMap::<PathBuf, Vec<&str>>::new();
        for ((name, policy), telling) in self.agents.iter().zip(&self.telling) {
            let others = first.filter(|_| policy.is_err());
            if let Some(file) = telling.metrics_file.as_ref().or(others) {
                files.entry(file.clone()).or_default().push(name);
            }
        }
        files
    }
}

#[cfg(test)]
mod tests {
    use crate::config::load_file;
    use std::path::Path;

    const SERVER: &str = "version_server.url = \"https://example.invalid/channel\"";

    /// The files with their agents, and the agents with a hook.
    fn of(text: &str) -> (Vec<(String, String)>, Vec<String>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let configuration = load_file(Path::new("/"), file.path());
        let files = configuration.metrics_files();
        let files = files
            .iter()
            .map(|(path, agents)| (path.display().to_string(), agents.join(" ")));
        let hooks = configuration.hooks().map(|(name, _)| name.to_owned());
        (files.collect(), hooks.collect())
    }

    #[test]
    fn each_agent_has_its_file_and_an_invalid_one_that_of_another() {
        let pair = |file: &str, agents: &str| (file.to_owned(), agents.to_owned());
        let text = format!(
            "[agents.a]\npackage = \"aa\"\n{SERVER}\n[agents.b]\npakage = \"b\"\n\
             [agents.c]\npackage = \"cc\"\n{SERVER}\nmetrics.file = \"/m/c.prom\"\non_event = [\"/bin/x\"]\n\
             [agents.d]\npackage = 1\nmetrics.file = \"/m/d.prom\"\non_event = [\"/bin/y\"]\n"
        );
        let (files, hooks) = of(&text);
        assert_eq!(files, [pair("/m/c.prom", "b c"), pair("/m/d.prom", "d")]);
        assert_eq!(hooks, ["c", "d"]);

        let defaults = "[defaults]\nmetrics.file = \"/m/all.prom\"\nspread = 1\n";
        let (files, _) = of(&format!(
            "{defaults}[agents.a]\npackage = \"a\"\n[agents.b]\n"
        ));
        assert_eq!(files, [pair("/m/all.prom", "a b")]);
        assert_eq!(of("[agents.a]\nmetrics.file = \"/m/a.txt\"\n").0, []);
    }
}
