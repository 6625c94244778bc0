//! What a run leaves for monitoring and for whoever logs in: the Prometheus textfiles and the message
//! of the day. A fault here is a warning; no tick fails of it.

use crate::config::Configuration;
use crate::installer::is_shut_in;
use crate::report::metrics::{MARK, Measured, render};
use crate::report::{Document, motd};
use crate::state::{Layout, files};
use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The files that were written, with their agents: what is not configured any more is removed, and a
/// configuration that cannot be read at all is told in them.
type Files = BTreeMap<PathBuf, Vec<String>>;

/// Where the textfile collector reads a file without anything being allowed for it.
const ALLOWED: &str = "/run/agent-updater";
/// The example of what allows another folder.
const EXAMPLE: &str = "/usr/share/agent-updater/monitoring/metrics-folder.conf";

/// Writes the textfiles over `whole`, the findings of all agents, of which `document` are those of
/// this run. Returns what went wrong, each with the agents that it concerns.
pub(crate) fn write_metrics(
    layout: &Layout,
    configuration: &Configuration,
    (document, whole): (&Document, &Document),
) -> Vec<(Vec<String>, String)> {
    let kept = kept_files(layout);
    let mut wanted = named(configuration);
    if !configuration.problems.is_empty() {
        stand_in(&mut wanted, &kept);
    }
    let mut warnings = Vec::new();
    for (path, agents) in &wanted {
        let text = text_over(agents, configuration, (document, whole));
        if let Err(error) = files::replace(&layout.host(path), text.as_bytes(), 0o644) {
            warnings.push((agents.clone(), explained(path, &error)));
        }
    }
    if wanted != kept {
        for (path, agents) in kept.iter().filter(|(path, _)| !wanted.contains_key(*path)) {
            if let Err(error) = remove_ours(&layout.host(path)) {
                warnings.push((agents.clone(), explained(path, &error)));
            }
        }
        if let Err(error) = remember(layout, &wanted) {
            warnings.push((Vec::new(), format!("{error:#}")));
        }
    }
    warnings
}

fn named(configuration: &Configuration) -> Files {
    let files = configuration.metrics_files().into_iter();
    files
        .map(|(path, agents)| (path, agents.into_iter().map(str::to_owned).collect()))
        .collect()
}

/// Where a file of the configuration cannot be read, an agent that names no textfile is told of in the
/// one that it had.
fn stand_in(wanted: &mut Files, kept: &Files) {
    for (path, agents) in kept {
        for agent in agents {
            if !wanted.values().any(|others| others.contains(agent)) {
                wanted.entry(path.clone()).or_default().push(agent.clone());
            }
        }
    }
}

fn text_over(
    agents: &[String],
    configuration: &Configuration,
    (document, whole): (&Document, &Document),
) -> String {
    let reports = whole.agents.iter();
    let reports = reports.filter(|report| agents.contains(&report.name));
    let measured: Vec<_> = reports
        .map(|report| {
            let mut of_this_run = document.agents.iter();
            let run = if of_this_run.any(|agent| agent.name == report.name) {
                document
            } else {
                whole
            };
            let mut policies = configuration.agents.iter();
            let policy = policies.find(|(name, _)| *name == report.name);
            Measured {
                report,
                run_at: run.generated_at,
                package: policy
                    .and_then(|(_, policy)| Some(policy.as_ref().ok()?.package.as_str())),
            }
        })
        .collect();
    render(&measured)
}

/// Why a file is not there, and where it may be.
fn explained(path: &Path, error: &anyhow::Error) -> String {
    let folder = path.parent().unwrap_or(Path::new("/")).display();
    let refused = error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|cause| {
            matches!(
                cause.kind(),
                ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied
            )
        })
    });
    let text = format!("no metrics: {error:#}");
    if refused && is_shut_in() {
        format!(
            "{text}; agent-updater.service may not write there: set `metrics.file` to a file below \
             {ALLOWED} and make a link to it in {folder}, or allow that folder as {EXAMPLE} says"
        )
    } else {
        text
    }
}

/// The agents that a textfile tells of, in the order of their names. It is known after a reboot, too.
pub(crate) fn measured_agents(layout: &Layout) -> BTreeSet<String> {
    kept_files(layout).into_values().flatten().collect()
}

fn kept_files(layout: &Layout) -> Files {
    let text = files::read_if_there(&layout.metrics()).unwrap_or_default();
    text.and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default()
}

fn remember(layout: &Layout, wanted: &Files) -> Result<()> {
    if wanted.is_empty() {
        return files::remove(&layout.metrics());
    }
    files::create_folder(&layout.state(), 0o755)?;
    let text = serde_json::to_string(wanted).context("render the names of the metrics files")?;
    files::replace(&layout.metrics(), text.as_bytes(), 0o600)
}

/// Removes a textfile that is not configured any more: what it says would be scraped for ever. Another's
/// file of the same name stays, and so does a link, which may lead to where it is written now.
fn remove_ours(path: &Path) -> Result<()> {
    if !path.symlink_metadata().is_ok_and(|found| found.is_file()) {
        return Ok(());
    }
    let mut begin = vec![0; MARK.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut begin));
    if read.is_ok() && begin == MARK.as_bytes() {
        files::remove(path)?;
    }
    Ok(())
}

/// Tells whoever logs in what needs a person, or that nothing does.
pub(crate) fn update_motd(
    layout: &Layout,
    configuration: &Configuration,
    whole: &Document,
    now: DateTime<Utc>,
) -> Result<()> {
    let grace = |name: &str| {
        let mut agents = configuration.agents.iter();
        let policy = agents.find(|(known, _)| known == name)?.1.as_ref().ok()?;
        Some(policy.grace)
    };
    let agents = whole
        .agents
        .iter()
        .map(|agent| (agent, grace(&agent.name).unwrap_or(Duration::ZERO)));
    match motd::render(agents, now) {
        None => files::remove(&layout.motd()),
        Some(text) => files::replace(&layout.motd(), text.as_bytes(), 0o644),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{FOLDER, load};
    use crate::decision::Reason;
    use crate::report::AgentReport;
    use crate::report::build::without_facts;
    use std::fs;

    struct Bench {
        _root: tempfile::TempDir,
        layout: Layout,
    }

    impl Bench {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            let layout = Layout::new(root.path());
            for folder in [layout.run_time(), layout.host("/m"), layout.host(FOLDER)] {
                fs::create_dir_all(folder).unwrap();
            }
            Self {
                _root: root,
                layout,
            }
        }

        /// A run over the agents with this configuration.
        fn run(&self, configuration: &str, agents: &[&str]) -> Vec<(Vec<String>, String)> {
            fs::write(self.layout.host(FOLDER).join("config.toml"), configuration).unwrap();
            let configuration = load(&self.layout.root, Path::new(FOLDER));
            let reports: Vec<AgentReport> = agents
                .iter()
                .map(|name| without_facts(name, "", Reason::UpToDate, String::new(), None))
                .collect();
            let now: DateTime<Utc> = "2026-06-01T02:00:00Z".parse().unwrap();
            let document = Document::new(now, "web1".to_owned(), reports);
            write_metrics(&self.layout, &configuration, (&document, &document))
        }

        fn read(&self, path: &str) -> String {
            fs::read_to_string(self.layout.host(path)).unwrap_or_default()
        }
    }

    fn agent(name: &str, more: &str) -> String {
        format!(
            "[agents.{name}]\npackage = \"the-{name}\"\nversion_server.url = \"https://example.invalid/\"\n{more}\n"
        )
    }

    #[test]
    fn agents_share_a_file_or_have_their_own_and_what_is_not_wanted_any_more_goes() {
        let bench = Bench::new();
        let both = format!(
            "[defaults]\nmetrics.file = \"/m/all.prom\"\n{}{}{}",
            agent("a", ""),
            agent("b", "metrics.file = \"/m/b.prom\""),
            agent("c", "")
        );
        assert_eq!(bench.run(&both, &["a", "b", "c"]), []);
        let (all, one) = (bench.read("/m/all.prom"), bench.read("/m/b.prom"));
        assert!(
            all.contains("agent=\"a\"") && all.contains("agent=\"c\""),
            "{all}"
        );
        assert!(all.contains("package=\"the-c\""), "{all}");
        assert!(!all.contains("agent=\"b\"") && one.contains("agent=\"b\""));

        fs::write(bench.layout.host("/m/b.prom"), "somebody's own\n").unwrap();
        assert_eq!(bench.run(&agent("a", ""), &["a"]), []);
        assert_eq!(bench.read("/m/all.prom"), "", "it was ours");
        assert_eq!(bench.read("/m/b.prom"), "somebody's own\n");
        assert!(!bench.layout.metrics().exists());
    }

    #[test]
    fn a_file_that_cannot_be_written_is_a_warning_for_its_agents() {
        let bench = Bench::new();
        let configuration = agent("a", "metrics.file = \"/missing/a.prom\"");
        let warnings = bench.run(&configuration, &["a"]);
        assert_eq!(warnings.len(), 1);
        assert_eq!(warnings[0].0, ["a"]);
        assert!(warnings[0].1.contains("/missing/a.prom"), "{warnings:?}");
    }

    #[test]
    fn a_configuration_that_cannot_be_read_is_told_where_the_last_one_was() {
        let bench = Bench::new();
        bench.run(&agent("a", "metrics.file = \"/m/a.prom\""), &["a"]);
        for unreadable in [
            "this is no TOML [",
            "[agents.a\nmetrics.file = \"/m/b.prom\"",
        ] {
            fs::write(bench.layout.host("/m/a.prom"), "").unwrap();
            assert_eq!(bench.run(unreadable, &["a"]), []);
            assert!(
                bench.read("/m/a.prom").contains("agent=\"a\""),
                "{unreadable}"
            );
        }
    }
}
