//! What the decider asks the installer to do: a file of root's, believed only after a second look.
//!
//! The decider runs shut in (see `systemd/agent-updater.service`), the installer cannot. A plan names
//! an agent, a version and a reason; everything else the installer finds out for itself, from the
//! configuration, the host and the kept answers. It never talks to the version server.

use crate::by_hand::{self, ByHand};
use crate::decision::Timing;
use crate::host;
use crate::state::operator::Person;
use crate::state::{Layout, files};
use adapters::TargetVersion;
use anyhow::{Context as _, Result, bail, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Number of this format. Both sides are the same program but for the moment of its own update;
/// then the tick after that makes a new plan.
const SCHEMA: u32 = 1;
/// An older plan is of a decider that is gone.
const OLDEST: TimeDelta = TimeDelta::minutes(5);
/// How far a clock may be set back between the two.
const AHEAD: TimeDelta = TimeDelta::minutes(1);
/// A plan has a few hundred bytes.
const MOST_BYTES: u64 = 64 * 1024;

/// A plan.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Number of this format.
    pub schema: u32,
    /// When it was written. UTC.
    pub written_at: DateTime<Utc>,
    /// The user who logged in to ask for it, where one did: the installer is nobody's process.
    pub login_uid: Option<u32>,
    /// Whether the timer or cron began it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub scheduled: bool,
    /// The agent; empty for [`Work::GiveBack`].
    pub agent: String,
    /// What is to be done.
    pub work: Work,
}

/// What is to be done.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Work {
    /// Finish or undo what was cut off, or repair our package.
    Recover,
    /// Make a change.
    Change {
        /// To this version.
        version: TargetVersion,
        /// What opened the timing gate.
        reason: Timing,
        /// Until when it is open, where it closes by itself. UTC.
        until: Option<DateTime<Utc>>,
        /// Whether the version server marks it as critical.
        critical: bool,
        /// The operator who asks for it, if one does.
        by_hand: Option<Asked>,
    },
    /// Fetch this version ahead of its window.
    Prefetch {
        /// The version.
        version: TargetVersion,
    },
    /// Bring our pin to what the policy wants.
    Pin,
    /// Give back the pins of agents that are not configured any more.
    GiveBack,
}

/// An operator's word.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Whether it is `rollback` instead of `run --to`.
    pub rollback: bool,
    /// Whether the hold afterwards ends when the version server names another version.
    pub until_target_changes: bool,
    /// Who asks.
    pub who: Person,
}

impl Asked {
    /// The part of a request that a plan does not have already.
    pub fn of(by_hand: &ByHand) -> Self {
        Self {
            rollback: by_hand.is_rollback(),
            until_target_changes: by_hand.until_target_changes,
            who: by_hand.who.clone(),
        }
    }
}

impl Plan {
    /// A plan for an agent.
    pub fn new(agent: &str, work: Work, now: DateTime<Utc>) -> Self {
        Self {
            schema: SCHEMA,
            written_at: now,
            login_uid: host::login_uid(),
            scheduled: host::is_scheduled(),
            agent: agent.to_owned(),
            work,
        }
    }

    /// What an operator asks for instead of the version server.
    pub fn by_hand(&self) -> Option<ByHand> {
        let Work::Change {
            version,
            by_hand: Some(asked),
            ..
        } = &self.work
        else {
            return None;
        };
        Some(ByHand {
            command: if asked.rollback {
                by_hand::ROLLBACK
            } else {
                by_hand::TO
            },
            target: *version,
            until_target_changes: asked.until_target_changes,
            who: asked.who.clone(),
        })
    }

    /// The version that it is about.
    pub fn version(&self) -> Option<TargetVersion> {
        match &self.work {
            Work::Change { version, .. } | Work::Prefetch { version } => Some(*version),
            Work::Recover | Work::Pin | Work::GiveBack => None,
        }
    }

    /// Whether an operator does not want to wait.
    pub fn forced(&self) -> bool {
        matches!(
            self.work,
            Work::Change {
                reason: Timing::Forced,
                ..
            }
        )
    }

    /// Writes it where the installer looks for it.
    pub fn write(&self, layout: &Layout) -> Result<()> {
        files::create_folder(&layout.state(), 0o755)?;
        files::create_folder(&layout.plans(), 0o700)?;
        let text = serde_json::to_string(self).context("render a plan")?;
        files::replace(&layout.plan(&self.agent), text.as_bytes(), 0o600)
    }

    /// Reads a plan, once: it is gone afterwards.
    ///
    /// # Errors
    /// It is not a plain file of this program's user for that user alone in the folder of the plans,
    /// not of this format, or too old. Nothing may be done then.
    pub fn take(layout: &Layout, path: &Path, now: DateTime<Utc>) -> Result<Self> {
        ensure!(
            path.parent() == Some(layout.plans().as_path()),
            "a plan has to be in {}, and {} is not",
            layout.plans().display(),
            path.display()
        );
        let context = || format!("read the plan {}", path.display());
        let text = read_own(path).with_context(context)?;
        files::remove(path)?;
        Self::parse(&text, now).with_context(context)
    }

    /// Reads the text of a plan. Pure.
    fn parse(text: &str, now: DateTime<Utc>) -> Result<Self> {
        let plan: Self = serde_json::from_str(text)?;
        if plan.schema != SCHEMA {
            bail!("it is of format {}, not {SCHEMA}", plan.schema);
        }
        let age = now - plan.written_at;
        ensure!(
            (-AHEAD..=OLDEST).contains(&age),
            "it was written at {}, and it is {} now",
            plan.written_at.format("%Y-%m-%d %H:%M:%S UTC"),
            now.format("%Y-%m-%d %H:%M:%S UTC")
        );
        Ok(plan)
    }
}

/// Reads a file that nobody but this program's user can have written.
fn read_own(path: &Path) -> Result<String> {
    let file = rustix::fs::open(
        path,
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let file = File::from(file);
    let status = file.metadata()?;
    ensure!(status.is_file(), "it is no plain file");
    let us = rustix::process::geteuid().as_raw();
    ensure!(
        status.uid() == us,
        "it belongs to user {}, not {us}",
        status.uid()
    );
    let mode = status.mode() & 0o7777;
    ensure!(mode == 0o600, "its mode is {mode:04o}, not 0600");
    ensure!(status.nlink() == 1, "it has {} names", status.nlink());
    let mut text = String::new();
    file.take(MOST_BYTES + 1).read_to_string(&mut text)?;
    ensure!(
        text.len() as u64 <= MOST_BYTES,
        "it is longer than {MOST_BYTES} bytes"
    );
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn now() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(1)
    }

    fn plan() -> Plan {
        let work = Work::Change {
            version: "1.1.0".parse().unwrap(),
            reason: Timing::WindowOpen,
            until: None,
            critical: false,
            by_hand: None,
        };
        Plan::new("demo", work, now())
    }

    #[test]
    fn a_plan_is_read_once() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        plan().write(&layout).unwrap();
        let path = layout.plan("demo");
        assert_eq!(Plan::take(&layout, &path, now()).unwrap(), plan());
        assert!(Plan::take(&layout, &path, now()).is_err());
    }

    #[test]
    fn what_may_be_somebody_elses_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        let path = layout.plan("demo");
        let refusal = || format!("{:#}", Plan::take(&layout, &path, now()).unwrap_err());

        plan().write(&layout).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o660)).unwrap();
        assert!(refusal().contains("0660"));

        let other = layout.plans().join("other");
        fs::rename(&path, &other).unwrap();
        symlink(&other, &path).unwrap();
        assert!(refusal().contains("demo.json"));

        fs::remove_file(&path).unwrap();
        fs::set_permissions(&other, fs::Permissions::from_mode(0o600)).unwrap();
        fs::hard_link(&other, &path).unwrap();
        assert!(refusal().contains("2 names"));

        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(refusal().contains("no plain file"));

        let elsewhere = root.path().join("demo.json");
        fs::copy(&other, &elsewhere).unwrap();
        let error = Plan::take(&layout, &elsewhere, now()).unwrap_err();
        assert!(error.to_string().contains("has to be in"), "{error}");
        let error = Plan::take(&layout, &layout.plans().join("../plans/other"), now());
        assert!(error.is_err());
    }

    #[test]
    fn grammar_and_age_are_checked() {
        let text = serde_json::to_string(&plan()).unwrap();
        let minutes = |minutes| now() + TimeDelta::minutes(minutes);
        assert!(Plan::parse(&text, minutes(5)).is_ok());
        assert!(Plan::parse(&text, minutes(-1)).is_ok());
        let table = [
            (text.clone(), minutes(6), "it was written at"),
            (text.clone(), minutes(-2), "it was written at"),
            (text.replace("1.1.0", "1.1.0-"), now(), "1.1.0-"),
            (text.replace("1.1.0", "1.1.0 --allow"), now(), "allow"),
            (text.replace("window_open", "whim"), now(), "whim"),
            (
                text.replace(r#""schema":1"#, r#""schema":2"#),
                now(),
                "format 2",
            ),
            (text.replace(r#""agent""#, r#""agents""#), now(), "agents"),
            (text.replace('}', ""), now(), "EOF"),
        ];
        for (text, now, expected) in table {
            let error = format!("{:#}", Plan::parse(&text, now).unwrap_err());
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
