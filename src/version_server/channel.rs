//! A channel is a folder with up to three small files: `version`, `critical` and `schedule`. Any static host can serve
//! it; what is written here is checked by the same parsers that the agents use.

use std::fs::{File, Permissions};
use std::io::{Error, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use chrono::{DateTime, Utc};
use reqwest::Url;

use crate::schedule::{ParseError, ScheduleDocument};

use super::answer::{Unreadable, read_schedule};
use super::{Client, MAX_BODY_BYTES, ScheduleAnswer, ServerError, ServerOptions, VersionAnswer};

/// The names of a channel's files.
pub(super) const RESOURCES: [&str; 3] = ["version", "critical", "schedule"];

/// What to change in a channel; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The version's text, as an operator types it: `1.2.3`, `v1.2.3` or `none`.
    pub version: Option<String>,
    /// Whether the version is critical.
    pub critical: Option<bool>,
    /// The schedule's text; blank means that the channel has none.
    pub schedule: Option<String>,
}

/// What a channel says, each resource by itself, so that one bad file hides no other.
#[derive(Debug)]
pub struct Contents {
    /// The target.
    pub version: Result<VersionAnswer, ServerError>,
    /// Its urgency.
    pub critical: Result<bool, ServerError>,
    /// The schedule's text.
    pub schedule: Result<ScheduleAnswer, ServerError>,
    /// The same text as an agent reads it, if there is any.
    pub document: Option<Result<ScheduleDocument, ParseError>>,
}

impl Contents {
    /// Whether an agent could work with every resource.
    pub fn is_valid(&self) -> bool {
        let schedule_ok = self.schedule.is_ok() && !matches!(self.document, Some(Err(_)));
        self.version.is_ok() && self.critical.is_ok() && schedule_ok
    }
}

/// Makes a folder a channel that asks for nothing: version `none`, not critical. Files that are there stay.
pub fn init(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("creating channel {}", folder.display()))?;
    for (name, text) in [("critical", "no\n"), ("version", "none\n")] {
        if !folder.join(name).exists() {
            replace(folder, name, text)?;
        }
    }
    Ok(())
}

/// Checks the whole change first and then writes it: schedule and urgency before the version, so that no agent sees
/// the new version with the old urgency.
pub fn set(folder: &Path, change: &Change) -> anyhow::Result<()> {
    anyhow::ensure!(
        folder.is_dir(),
        "{} is no channel\nhint: `agent-updater channel init {}` makes it one",
        folder.display(),
        folder.display()
    );
    let explain =
        |Unreadable { found, expected }: Unreadable| anyhow!("{found}; expected {expected}");
    let version = change
        .version
        .as_deref()
        .map(|text| VersionAnswer::read(text.as_bytes()))
        .transpose()
        .map_err(explain)
        .context("checking the version")?;
    if let Some(text) = &change.schedule {
        anyhow::ensure!(
            text.len() <= MAX_BODY_BYTES,
            "checking the schedule: longer than {MAX_BODY_BYTES} bytes"
        );
        if read_schedule(text.as_bytes()).map_err(explain)? != ScheduleAnswer::Absent {
            ScheduleDocument::parse(text).context("checking the schedule")?;
        }
        replace(folder, "schedule", text)?;
    }
    if let Some(critical) = change.critical {
        replace(folder, "critical", if critical { "yes\n" } else { "no\n" })?;
    }
    if let Some(version) = version {
        replace(folder, "version", &format!("{version}\n"))?;
    }
    Ok(())
}

/// Asks a channel, by URL or in a folder, as an agent would.
pub async fn read(options: &ServerOptions, now: DateTime<Utc>) -> Result<Contents, ServerError> {
    let client = Client::new(options)?;
    let version = client
        .version(None, now)
        .await
        .map(|answer| answer.kept.value);
    let critical = client
        .critical(None, now)
        .await
        .map(|answer| answer.kept.value);
    let schedule = client
        .schedule(None, now)
        .await
        .map(|answer| answer.kept.value);
    let document = match &schedule {
        Ok(ScheduleAnswer::Document(text)) => Some(ScheduleDocument::parse(text)),
        _ => None,
    };
    Ok(Contents {
        version,
        critical,
        schedule,
        document,
    })
}

/// What an operator names a channel by: a URL, or a folder of this host.
pub fn location(text: &str) -> anyhow::Result<ServerOptions> {
    let url = if text.contains("://") {
        text.to_owned()
    } else {
        let folder = Path::new(text)
            .canonicalize()
            .with_context(|| format!("opening channel {text}"))?;
        Url::from_directory_path(&folder)
            .map_err(|()| anyhow!("{text} has no URL"))?
            .into()
    };
    Ok(ServerOptions {
        url,
        ..ServerOptions::default()
    })
}

/// Reads a regular file that is no longer than an answer may be.
pub(super) fn read_capped(path: &Path) -> std::io::Result<Vec<u8>> {
    // Asked before the file is opened: opening a named pipe would wait for its writer.
    if !std::fs::metadata(path)?.is_file() {
        return Err(Error::new(ErrorKind::InvalidInput, "is not a regular file"));
    }
    let mut body = Vec::new();
    File::open(path)?
        .take(MAX_BODY_BYTES as u64 + 1)
        .read_to_end(&mut body)?;
    if body.len() > MAX_BODY_BYTES {
        return Err(ErrorKind::FileTooLarge.into());
    }
    Ok(body)
}

/// A web server that reads the file meanwhile sees the old text or the new one, whole.
fn replace(folder: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let path = folder.join(name);
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::Builder::new()
            .prefix(".new-")
            .tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file()
            .set_permissions(Permissions::from_mode(0o644))?;
        file.as_file().sync_all()?;
        file.persist(&path)?;
        File::open(folder)?.sync_all()
    };
    write().with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::parse_from_rfc3339("2026-03-07T02:00:00Z")
            .unwrap()
            .to_utc()
    }

    fn contents(folder: &Path) -> Contents {
        let options = location(folder.to_str().unwrap()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(read(&options, now())).unwrap()
    }

    #[test]
    fn a_new_channel_asks_for_nothing() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("stable/cloud");
        init(&folder).unwrap();
        let found = contents(&folder);
        assert!(found.is_valid());
        assert_eq!(found.version.unwrap(), VersionAnswer::None);
        assert!(!found.critical.unwrap());
        assert_eq!(found.schedule.unwrap(), ScheduleAnswer::Absent);
        std::fs::write(folder.join("version"), "1.2.3").unwrap();
        init(&folder).unwrap();
        assert_eq!(
            contents(&folder).version.unwrap().to_string(),
            "1.2.3",
            "init keeps what is there"
        );
        let mode = std::fs::metadata(folder.join("critical"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o644, "any web server may read it");
    }

    #[test]
    fn a_change_is_written_whole_or_not_at_all() {
        let scratch = tempfile::tempdir().unwrap();
        init(scratch.path()).unwrap();
        let good = Change {
            version: Some("v1.2.3".into()),
            critical: Some(true),
            schedule: Some("nop\n".into()),
        };
        set(scratch.path(), &good).unwrap();
        let found = contents(scratch.path());
        assert!(found.is_valid());
        assert_eq!(found.version.unwrap().to_string(), "1.2.3");
        assert!(found.critical.unwrap());
        for bad in [
            Change {
                version: Some("latest".into()),
                critical: Some(false),
                ..Change::default()
            },
            Change {
                schedule: Some("tomorrow".into()),
                version: Some("2.0.0".into()),
                ..Change::default()
            },
            Change {
                schedule: Some("nop".repeat(MAX_BODY_BYTES)),
                version: Some("2.0.0".into()),
                ..Change::default()
            },
        ] {
            set(scratch.path(), &bad).unwrap_err();
        }
        let found = contents(scratch.path());
        assert_eq!(found.version.unwrap().to_string(), "1.2.3");
        assert!(found.critical.unwrap());
        assert_eq!(
            std::fs::read_dir(scratch.path()).unwrap().count(),
            3,
            "no scratch file is left"
        );
        let blank = Change {
            schedule: Some("\n".into()),
            ..Change::default()
        };
        set(scratch.path(), &blank).unwrap();
        assert_eq!(
            contents(scratch.path()).schedule.unwrap(),
            ScheduleAnswer::Absent
        );
    }

    #[test]
    fn every_bad_file_is_named() {
        let scratch = tempfile::tempdir().unwrap();
        for (name, text) in [("critical", "perhaps"), ("schedule", "tomorrow")] {
            std::fs::write(scratch.path().join(name), text).unwrap();
        }
        let found = contents(scratch.path());
        assert!(!found.is_valid());
        assert!(
            found
                .version
                .unwrap_err()
                .to_string()
                .ends_with("/version: no such file")
        );
        assert!(
            found
                .critical
                .unwrap_err()
                .to_string()
                .contains("/critical: the answer \"perhaps\"; expected")
        );
        assert!(matches!(found.document, Some(Err(_))));
        set(Path::new("/nonexistent"), &Change::default()).unwrap_err();
    }
}
