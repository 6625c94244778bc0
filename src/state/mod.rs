//! What is remembered from tick to tick, and where.

/// What is remembered of one agent.
pub mod agent;
/// Which configuration the last run saw.
pub mod configuration;
/// Files of ours that cannot be read any more.
pub mod damaged;
/// How long each step of a change takes.
pub mod durations;
/// Files that are either the old or the new content, whatever cuts the writing off.
pub mod files;
/// The append-only record.
pub mod history;
/// What is about to be done, before it is done.
pub mod journal;
/// One instance at a time.
pub mod lock;
/// The operator's pause, and what ends it.
pub mod operator;
/// What the package manager printed.
pub mod transcripts;

use std::path::{Path, PathBuf};

/// The program's folders, below a root that is `/` but in tests and images.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Layout {
    /// The root of the host.
    pub root: PathBuf,
}

impl Layout {
    /// The folders below `root`.
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// A path of the host, below the root.
    pub fn host(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// What outlives a reboot: `/var/lib/agent-updater`.
    pub fn state(&self) -> PathBuf {
        self.host("/var/lib/agent-updater")
    }

    /// What can be fetched again: `/var/cache/agent-updater`.
    pub fn cache(&self) -> PathBuf {
        self.host("/var/cache/agent-updater")
    }

    /// What a reboot clears: `/run/agent-updater`.
    pub fn run_time(&self) -> PathBuf {
        self.host("/run/agent-updater")
    }

    /// The folder of the agents' states.
    pub fn agents(&self) -> PathBuf {
        self.state().join("agents")
    }

    /// The state of one agent.
    pub fn agent_state(&self, agent: &str) -> PathBuf {
        self.agents().join(format!("{agent}.json"))
    }

    /// The folder of the agents' journals.
    pub fn journals(&self) -> PathBuf {
        self.state().join("journal")
    }

    /// The journal of one agent.
    pub fn journal(&self, agent: &str) -> PathBuf {
        self.journals().join(format!("{agent}.json"))
    }

    /// The folder of the plans for the installer.
    pub fn plans(&self) -> PathBuf {
        self.state().join("plans")
    }

    /// How far the record was delivered to each agent's `on_event`.
    pub fn events(&self) -> PathBuf {
        self.state().join("events")
    }

    /// Which Prometheus textfiles were written, with their agents.
    pub fn metrics(&self) -> PathBuf {
        self.state().join("metrics.json")
    }

    /// What everybody who logs in is told.
    pub fn motd(&self) -> PathBuf {
        self.run_time().join("motd")
    }

    /// The plan for one agent, or with an empty name for those that are not configured any more.
    pub fn plan(&self, agent: &str) -> PathBuf {
        self.plans().join(format!("{agent}.json"))
    }

    /// What came of that plan. In memory: a disk that ran full meanwhile must not hide it.
    pub fn outcome(&self, agent: &str) -> PathBuf {
        self.run_time().join(format!("{agent}.outcome"))
    }

    /// What the package manager printed in each transaction.
    pub fn transcripts(&self) -> PathBuf {
        self.state().join("transcripts")
    }

    /// Proven package files of one agent.
    pub fn packages(&self, agent: &str) -> PathBuf {
        self.cache().join("packages").join(agent)
    }

    /// The last tick's findings, for everybody to read.
    pub fn status(&self) -> PathBuf {
        self.run_time().join("status.json")
    }

    /// What a run is doing at this moment.
    pub fn progress(&self) -> PathBuf {
        self.run_time().join("progress.json")
    }

    /// The lock of a run.
    pub fn lock(&self) -> PathBuf {
        self.run_time().join("lock")
    }

    /// The lock of whoever may change packages: a run, or the installer that it has started.
    pub fn transaction_lock(&self) -> PathBuf {
        self.run_time().join("transaction.lock")
    }

    /// Which configuration the last run saw.
    pub fn configuration_seen(&self) -> PathBuf {
        self.state().join("configuration.json")
    }

    /// The append-only record.
    pub fn history(&self) -> PathBuf {
        self.state().join("history.jsonl")
    }
}
