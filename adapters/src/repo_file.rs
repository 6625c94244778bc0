//! Entries of `.repo` files, with the defaults of the tool's main configuration.

use crate::ini::{Section, no, sections, yes};
use crate::repository::{ConfigurationFile, Connection, InsecureSetting, RepositoryEntry};
use crate::secret::without_credentials;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// In what yum and zypper differ.
pub(crate) struct Dialect {
    /// The main configuration, whose `[main]` gives defaults to the entries.
    pub(crate) main: &'static str,
    /// Whether an entry that does not say so asks for signed metadata.
    pub(crate) signed_metadata: bool,
    /// Settings that are passed on, from the entry or else from `[main]`.
    pub(crate) connection: &'static [&'static str],
    /// Settings that are passed on only from the entry.
    pub(crate) own: &'static [&'static str],
    /// Settings that switch a check off when they say no.
    pub(crate) checks: &'static [&'static str],
    /// Settings of `[main]` about how packages are fetched and installed, which a view keeps.
    pub(crate) tool: &'static [&'static str],
}

/// All enabled entries, and what could not be read.
pub(crate) fn entries(
    files: &[ConfigurationFile],
    dialect: &Dialect,
) -> (Vec<RepositoryEntry>, Vec<String>) {
    let (mut entries, mut complaints) = (Vec::new(), Vec::new());
    let main_file = files
        .iter()
        .find(|file| file.path == Path::new(dialect.main));
    let main_sections = main_file.map(sections).unwrap_or_default();
    let main = main_sections.iter().find(|section| section.name == "main");
    for key in ["reposdir", "reposd-dir"] {
        if let Some(setting) = main.and_then(|main| main.setting(key)) {
            let (line, value) = (setting.line, &setting.value);
            complaints.push(format!(
                "{} line {line}: the entries in {value} are not read",
                dialect.main
            ));
        }
    }
    for file in files {
        let is_repo_file = file
            .path
            .extension()
            .is_some_and(|extension| extension == "repo");
        if !is_repo_file && file.path != Path::new(dialect.main) {
            continue;
        }
        for section in sections(file)
            .iter()
            .filter(|section| is_repo_file || section.name != "main")
        {
            // A section that names no place is not an entry: the tools' own files have more.
            let placed = ["baseurl", "mirrorlist", "metalink"]
                .iter()
                .any(|key| section.value(key).is_some());
            if section.is("enabled", no) == Some(true) || (!is_repo_file && !placed) {
                continue;
            }
            match entry(section, main, dialect) {
                Ok(entry) => entries.push(entry),
                Err(reason) => complaints.push(format!(
                    "{} line {}: [{}] {reason}",
                    file.path.display(),
                    section.line,
                    section.name
                )),
            }
        }
    }
    (entries, complaints)
}

fn entry(
    section: &Section<'_>,
    main: Option<&Section<'_>>,
    dialect: &Dialect,
) -> Result<RepositoryEntry, &'static str> {
    let mut insecure = weakened(section, main, dialect);
    let mut urls = Vec::new();
    for (url, line) in section.words("baseurl") {
        let secure = without_weak_options(&url);
        if secure != url {
            insecure.push(InsecureSetting {
                setting: format!("baseurl={}", without_credentials(&url)),
                line,
            });
        }
        urls.push(secure);
    }
    let mirror_list = ["metalink", "mirrorlist"].iter().find_map(|key| {
        Some((
            (*key).to_owned(),
            section.value(key).filter(|v| !v.is_empty())?.to_owned(),
        ))
    });
    if urls.is_empty() && mirror_list.is_none() {
        return Err("has neither baseurl nor mirrorlist nor metalink");
    }
    let (mut key_files, mut remote_keys) = (Vec::new(), Vec::new());
    for (key, line) in section.words("gpgkey") {
        if let Some(path) = key.strip_prefix("file://") {
            key_files.push(PathBuf::from(path));
            continue;
        }
        if !key.starts_with("https://") {
            insecure.push(InsecureSetting {
                setting: format!("gpgkey={}", without_credentials(&key)),
                line,
            });
        }
        remote_keys.push(key);
    }
    let set = |key: &str| {
        section
            .value(key)
            .or_else(|| main?.value(key))
            .filter(|value| !value.is_empty())
    };
    let inherited = dialect
        .connection
        .iter()
        .filter_map(|key| Some((*key, set(key)?)));
    let own = dialect
        .own
        .iter()
        .filter_map(|key| Some((*key, section.value(key)?)));
    let connection = inherited
        .chain(own)
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    Ok(RepositoryEntry {
        id: section.name.clone(),
        name: section.value("name").unwrap_or(&section.name).to_owned(),
        urls,
        mirror_list,
        suite: String::new(),
        components: Vec::new(),
        architectures: Vec::new(),
        key_files,
        key_fingerprints: Vec::new(),
        embedded_key: None,
        remote_keys,
        signed_metadata: section
            .is("repo_gpgcheck", yes)
            .or_else(|| main?.is("repo_gpgcheck", yes))
            .unwrap_or(dialect.signed_metadata),
        connection: Connection(connection),
        tool_settings: dialect
            .tool
            .iter()
            .filter_map(|key| Some(((*key).to_owned(), main?.value(key)?.to_owned())))
            .collect(),
        insecure,
        defined_at: (section.path.to_owned(), section.line),
    })
}

/// Checks that the entry switches off, or `[main]` where the entry is silent.
fn weakened(
    section: &Section<'_>,
    main: Option<&Section<'_>>,
    dialect: &Dialect,
) -> Vec<InsecureSetting> {
    let mut found = Vec::new();
    for key in dialect.checks {
        let (setting, place) = match (
            section.setting(key),
            main.and_then(|main| main.setting(key)),
        ) {
            (Some(own), _) => (own, String::new()),
            (None, Some(inherited)) => (inherited, format!(" (in {})", dialect.main)),
            (None, None) => continue,
        };
        if no(&setting.value) {
            let text = format!("{key}={}{place}", setting.value);
            found.push(InsecureSetting {
                setting: text,
                line: setting.line,
            });
        }
    }
    found
}

/// A URL without a `ssl_verify=…` option of zypper's that switches a TLS check off: it names those
/// that stay on.
fn without_weak_options(url: &str) -> String {
    let Some((place, options)) = url.split_once('?') else {
        return url.to_owned();
    };
    let weakens = |option: &str| {
        option.strip_prefix("ssl_verify=").is_some_and(|checks| {
            let has = |check: &str| checks.split(',').any(|word| word == check);
            !(has("yes") || has("host") && has("peer"))
        })
    };
    let kept: Vec<&str> = options
        .split('&')
        .filter(|option| !weakens(option))
        .collect();
    if kept.is_empty() {
        place.to_owned()
    } else {
        format!("{place}?{}", kept.join("&"))
    }
}

/// An id that is safe on every command line and in every file: the entry's own where it is.
pub(crate) fn safe_id(id: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || "._-".contains(c) {
            c
        } else {
            '_'
        }
    };
    let id: String = id.chars().map(plain).collect();
    if id.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        id
    } else {
        format!("repository{id}")
    }
}

/// The settings of an entry that both tools write the same way: where it is and with which local
/// keys. Remote keys are never given to a tool, because it would import them.
pub(crate) fn place_and_keys(entry: &RepositoryEntry) -> String {
    let mut text = String::new();
    let mut set = |key: &str, values: Vec<String>| {
        if !values.is_empty() {
            let _ = writeln!(text, "{key}={}", values.join("\n "));
        }
    };
    set("baseurl", entry.urls.clone());
    if let Some((key, value)) = &entry.mirror_list {
        set(key, vec![value.clone()]);
    }
    for (key, value) in &entry.connection.0 {
        set(key, vec![value.clone()]);
    }
    set(
        "gpgkey",
        entry
            .key_files
            .iter()
            .map(|path| format!("file://{}", path.display()))
            .collect(),
    );
    text
}
