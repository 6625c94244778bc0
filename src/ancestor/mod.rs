//! Coming from the ancestor, Teleport's package-manager updater (`teleport-upgrade`): what it was
//! told, and what of it has to go before this program serves the same package.

mod stops;

pub(crate) use stops::{Taken, YUM_FILES, ZYPPER_LOCKS, take_over};

use crate::config::{self, Configuration, Fragment, of_fragments};
use crate::state::{Layout, files};
use anyhow::Result;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Its configuration: one value in each file.
pub const FOLDER: &str = "/etc/teleport-upgrade.d";

/// Its timer.
pub const TIMER: &str = "teleport-upgrade.timer";

/// Its service, as long as it is at work.
pub const SERVICE: &str = "teleport-upgrade.service";

/// The package that it updates where no file names one.
const PACKAGE: &str = "teleport-ent";

/// What the ancestor was told.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Settings {
    /// `endpoint`: host, port and path, without a scheme.
    pub endpoint: Option<String>,
    /// `package`, or the one it updates by itself.
    pub package: String,
    /// `installer`: `apt`, `yum` or `zypper`; `nop` in trials.
    pub installer: Option<String>,
    /// `insecure`: plain http, which it allows to this host only.
    pub is_insecure: bool,
    /// Whether the agent exported a schedule, and whether that says hands off.
    pub schedule: Schedule,
}

/// The schedule file that the agent exports.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Schedule {
    /// There is none.
    #[default]
    Absent,
    /// There is one.
    Exported,
    /// It says `nop`: another updater is in charge.
    HandsOff,
}

/// Reads its configuration; `None` where there is none.
///
/// # Errors
/// A file is there and cannot be read.
pub fn settings(layout: &Layout) -> Result<Option<Settings>> {
    if !layout.host(FOLDER).is_dir() {
        return Ok(None);
    }
    let value = |name: &str| -> Result<Option<String>> {
        let text = files::read_if_there(&layout.host(Path::new(FOLDER).join(name)))?;
        Ok(text
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty()))
    };
    Ok(Some(Settings {
        endpoint: value("endpoint")?,
        package: value("package")?.unwrap_or_else(|| PACKAGE.to_owned()),
        installer: value("installer")?,
        is_insecure: value("insecure")?.is_some_and(|word| word == "yes"),
        schedule: match value("schedule")?.as_deref() {
            None => Schedule::Absent,
            Some("nop") => Schedule::HandsOff,
            Some(_) => Schedule::Exported,
        },
    }))
}

/// Our configuration of the same agent, and remarks on what has no counterpart.
///
/// # Errors
/// It was never told where its version server is.
pub fn translate(settings: &Settings, name: &str) -> Result<(String, Vec<String>), String> {
    let Some(endpoint) = &settings.endpoint else {
        return Err(format!("{FOLDER}/endpoint is not there or empty"));
    };
    let url = match endpoint.split_once("://") {
        Some(_) => endpoint.clone(),
        None if settings.is_insecure => format!("http://{endpoint}"),
        None => format!("https://{endpoint}"),
    };
    let mut remarks = Vec::new();
    let mut text = format!(
        "# Taken over from {FOLDER} by `agent-updater adopt`.\n[agents.{name}]\npackage = {}\n\
         version_server.url = {}\n",
        quoted(&settings.package),
        quoted(&url)
    );
    match settings.installer.as_deref() {
        Some(manager @ ("apt" | "yum" | "zypper")) => {
            let _ = writeln!(text, "package_manager = \"{manager}\"");
        }
        Some(other) => remarks.push(format!(
            "the installer \"{other}\" is none of this program; it takes the package manager that the host has"
        )),
        None => {}
    }
    match settings.schedule {
        Schedule::Absent => {}
        Schedule::Exported => remarks.push(format!(
            "{FOLDER}/schedule stays in force where the version server serves no schedule"
        )),
        Schedule::HandsOff => remarks.push(format!(
            "{FOLDER}/schedule says `nop`, another updater is in charge: nothing but `--now` changes the package while it does"
        )),
    }
    Ok((text, remarks))
}

/// The configuration as it would be with one more drop-in.
pub fn with(configuration: &Configuration, path: &Path, text: &str, root: &Path) -> Configuration {
    let mut files: Vec<Fragment> = configuration
        .files
        .iter()
        .filter(|file| file.path != path)
        .cloned()
        .collect();
    files.push(Fragment {
        path: path.to_owned(),
        fate: config::Fate::Read(text.to_owned()),
    });
    of_fragments(root, files, configuration.problems.clone())
}

/// Where systemd was told to start its timer, if it was.
pub fn enabled_timer(layout: &Layout) -> Option<PathBuf> {
    let link = Path::new("/etc/systemd/system/timers.target.wants").join(TIMER);
    fs::symlink_metadata(layout.host(&link))
        .is_ok()
        .then_some(link)
}

/// Files of cron that call it: of an administrator's own, which nobody else may edit.
pub fn cron_files(layout: &Layout) -> Vec<PathBuf> {
    let folders = [
        "/etc/cron.d",
        "/etc/cron.hourly",
        "/etc/cron.daily",
        "/etc/cron.weekly",
        "/var/spool/cron",
        "/var/spool/cron/crontabs",
    ];
    let mut found = vec![PathBuf::from("/etc/crontab")];
    for folder in folders {
        let entries = fs::read_dir(layout.host(folder)).into_iter().flatten();
        found.extend(
            entries
                .flatten()
                .map(|entry| Path::new(folder).join(entry.file_name())),
        );
    }
    found.retain(|path| {
        let text = fs::read(layout.host(path)).unwrap_or_default();
        String::from_utf8_lossy(&text)
            .lines()
            .any(|line| line.contains("teleport-upgrade") && !line.trim_start().starts_with('#'))
    });
    found.sort();
    found
}

/// Why this package is still the ancestor's, and the way out: both would change it by turns.
pub fn in_charge(layout: &Layout, package: &str) -> Option<(String, String)> {
    let settings = settings(layout).ok().flatten()?;
    if settings.package != package || settings.endpoint.is_none() {
        return None;
    }
    if let Some(link) = enabled_timer(layout) {
        return Some((link.display().to_string(), "agent-updater adopt".to_owned()));
    }
    let file = cron_files(layout).into_iter().next()?;
    let release = format!(
        "remove the line that calls teleport-upgrade from {}",
        file.display()
    );
    Some((file.display().to_string(), release))
}

fn quoted(text: &str) -> String {
    // A JSON string without control characters is a basic string of TOML.
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings_of(endpoint: &str) -> Settings {
        Settings {
            endpoint: Some(endpoint.to_owned()),
            package: "teleport-ent".to_owned(),
            ..Settings::default()
        }
    }

    fn url(settings: &Settings) -> String {
        let (text, _) = translate(settings, "teleport").unwrap();
        let line = text.lines().find(|line| line.starts_with("version_server"));
        line.unwrap().to_owned()
    }

    #[test]
    fn what_it_was_told_means_the_same_here() {
        let plain = settings_of("updates.example/v1/stable/cloud");
        assert_eq!(
            url(&plain),
            "version_server.url = \"https://updates.example/v1/stable/cloud\""
        );
        let insecure = Settings {
            is_insecure: true,
            ..settings_of("localhost:8000")
        };
        assert_eq!(
            url(&insecure),
            "version_server.url = \"http://localhost:8000\""
        );
        let nop = Settings {
            installer: Some("nop".to_owned()),
            schedule: Schedule::HandsOff,
            ..settings_of("updates.example/x")
        };
        let (text, remarks) = translate(&nop, "teleport").unwrap();
        assert!(!text.contains("package_manager"), "{text}");
        assert_eq!(remarks.len(), 2, "{remarks:?}");
        assert!(translate(&Settings::default(), "teleport").is_err());
    }

    #[test]
    fn a_value_cannot_bring_a_key_of_its_own() {
        let hostile = settings_of("x\"\npin = false\n#");
        let (text, _) = translate(&hostile, "teleport").unwrap();
        assert!(!text.lines().any(|line| line.starts_with("pin")), "{text}");
    }
}
