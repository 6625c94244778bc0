//! What a run is doing at this moment, for whoever watches it on a terminal or asks `status`.
//!
//! It is a file in the run-time folder, since the one who works may be another process than the one
//! who is watched. Nothing depends on it: what cannot be written is not shown.

use crate::host::{descends_from, process_started};
use crate::state::{Layout, files};
use crate::transaction::quiet::lock_holder;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// One step of a change.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Progress {
    /// Whose change it is.
    pub agent: String,
    /// What is being done, in words: "installing 1.1.0".
    pub doing: String,
    /// Since when. UTC.
    pub since: DateTime<Utc>,
    /// The process that does it.
    pub process: u32,
    /// When that process was started, as the kernel counts: its number comes again.
    #[serde(default)]
    pub process_started: u64,
    /// What is being fetched, where that can be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetch: Option<Fetch>,
    /// Lock files that are needed for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<String>,
    /// Another process that holds one of them, where one does: it is waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
}

/// What begins.
#[derive(Debug, Default)]
pub(crate) struct Doing {
    pub(crate) what: String,
    pub(crate) fetch: Option<Fetch>,
    pub(crate) locks: Vec<String>,
}

/// A file on its way here.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Fetch {
    /// It grows below this folder.
    pub folder: PathBuf,
    /// How large it will be, in bytes.
    pub bytes: u64,
}

impl Progress {
    /// Tells what begins now.
    pub(crate) fn tell(layout: &Layout, agent: &str, doing: Doing, now: DateTime<Utc>) {
        let Doing { what, fetch, locks } = doing;
        let progress = Self {
            agent: agent.to_owned(),
            doing: what,
            since: now,
            process: std::process::id(),
            process_started: process_started(std::process::id()).unwrap_or_default(),
            fetch,
            locks,
            waits_for: None,
        };
        if let Ok(text) = serde_json::to_string(&progress) {
            let _ = fs::write(layout.progress(), text);
        }
    }

    /// For whom it waits, to be put behind what is done.
    pub fn waiting(&self) -> String {
        let holder = self.waits_for.as_ref();
        holder.map_or_else(String::new, |holder| format!(", waiting for {holder}"))
    }

    /// Nothing is being done any more.
    pub(crate) fn end(layout: &Layout) {
        let _ = files::remove(&layout.progress());
    }

    /// What is being done by a process that lives.
    pub fn read(layout: &Layout) -> Option<Self> {
        let text = fs::read_to_string(layout.progress()).ok()?;
        // One that is being written is read the next time.
        let mut progress: Self = serde_json::from_str(&text).ok()?;
        if process_started(progress.process) != Some(progress.process_started) {
            return None;
        }
        let is_ours = |process| descends_from(process, progress.process);
        let holder = lock_holder(layout, &progress.locks);
        let other = holder.filter(|holder| !holder.process.is_some_and(is_ours));
        progress.waits_for = other.map(|holder| holder.who());
        Some(progress)
    }
}

impl Fetch {
    /// How much of it is here, in bytes: what was written below the folder since then.
    pub fn done(&self, since: DateTime<Utc>) -> u64 {
        written_since(&self.folder, since, 4).min(self.bytes)
    }
}

/// The bytes of files below a folder that were changed since then; so many levels deep.
fn written_since(folder: &Path, since: DateTime<Utc>, levels: u8) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes = entries.map(|entry| {
        let Ok(metadata) = entry.metadata() else {
            return 0;
        };
        if metadata.is_dir() && levels > 0 {
            return written_since(&entry.path(), since, levels - 1);
        }
        match metadata.modified() {
            Ok(modified) if DateTime::<Utc>::from(modified) >= since => metadata.len(),
            _ => 0,
        }
    });
    bytes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn what_is_told_is_read_until_it_ends_or_its_process_does() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        fs::create_dir_all(layout.run_time()).unwrap();
        let now = DateTime::UNIX_EPOCH;
        assert_eq!(Progress::read(&layout), None);
        let doing = Doing {
            what: "installing 1.1.0".to_owned(),
            ..Doing::default()
        };
        Progress::tell(&layout, "demo", doing, now);
        let told = Progress::read(&layout).unwrap();
        assert_eq!(
            (told.agent.as_str(), told.doing.as_str()),
            ("demo", "installing 1.1.0")
        );
        let dead = Progress {
            process: u32::MAX,
            ..told.clone()
        };
        let another = Progress {
            process_started: told.process_started + 1,
            ..told
        };
        let text = |progress| serde_json::to_string(&progress).unwrap();
        let (dead, another) = (text(dead), text(another));
        for text in [dead.as_str(), another.as_str(), "{\"agent\":", ""] {
            fs::write(layout.progress(), text).unwrap();
            assert_eq!(Progress::read(&layout), None, "{text}");
        }
        Progress::end(&layout);
        assert!(!layout.progress().exists());
    }

    #[test]
    fn only_what_was_written_since_counts_and_never_more_than_there_will_be() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("partial")).unwrap();
        fs::write(folder.path().join("partial/a.deb"), [0; 700]).unwrap();
        let modified = fs::metadata(folder.path().join("partial/a.deb"))
            .and_then(|file| file.modified())
            .unwrap();
        let modified = DateTime::<Utc>::from(modified);
        let fetch = |bytes| Fetch {
            folder: folder.path().to_owned(),
            bytes,
        };
        assert_eq!(fetch(1000).done(modified), 700);
        assert_eq!(fetch(500).done(modified), 500);
        assert_eq!(fetch(1000).done(modified + TimeDelta::seconds(1)), 0);
    }
}
