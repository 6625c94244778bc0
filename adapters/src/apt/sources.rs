//! Reads `sources.list` (one line an entry) and `.sources` (deb822).

use crate::repository::{ConfigurationFile, Connection, InsecureSetting, RepositoryEntry};
use std::path::{Path, PathBuf};

/// All enabled binary entries, one for each URI and suite; and what could not be read.
pub(super) fn entries(files: &[ConfigurationFile]) -> (Vec<RepositoryEntry>, Vec<String>) {
    let (mut entries, mut complaints) = (Vec::new(), Vec::new());
    for file in files {
        // apt itself ignores every other extension, such as `.list.save`.
        match file
            .path
            .extension()
            .and_then(|extension| extension.to_str())
        {
            Some("list") => one_line_entries(file, &mut entries, &mut complaints),
            Some("sources") => stanza_entries(file, &mut entries, &mut complaints),
            _ => {}
        }
    }
    (entries, complaints)
}

/// Settings of an entry that matter here, under the name of the `.sources` format.
#[derive(Default)]
struct Settings {
    architectures: Vec<String>,
    signed_by: String,
    insecure: Vec<InsecureSetting>,
}

impl Settings {
    /// Takes one setting. `written` is how it stands in the file.
    fn take(&mut self, name: &str, value: &str, written: &str, line: usize) {
        let name = name.to_ascii_lowercase();
        match name.as_str() {
            "arch" | "architectures" => {
                self.architectures = words(value).filter(|word| !word.starts_with('-')).collect();
            }
            "signed-by" => value.clone_into(&mut self.signed_by),
            _ if weakens(&name, value) => {
                self.insecure.push(InsecureSetting {
                    setting: written.to_owned(),
                    line,
                });
            }
            _ => {}
        }
    }
}

/// Whether a setting switches a check off. `trusted=no` does not: it makes apt refuse everything.
fn weakens(name: &str, value: &str) -> bool {
    let value = value.trim().to_ascii_lowercase();
    let yes = matches!(
        value.as_str(),
        "yes" | "true" | "with" | "on" | "enable" | "1"
    );
    let no = matches!(
        value.as_str(),
        "no" | "false" | "without" | "off" | "disable" | "0"
    );
    match name {
        "trusted" | "allow-insecure" | "allow-weak" | "allow-downgrade-to-insecure" => yes,
        "check-valid-until" | "check-date" => no,
        _ => false,
    }
}

/// `deb [option=value …] URI SUITE [COMPONENT …] # comment`
fn one_line_entries(
    file: &ConfigurationFile,
    entries: &mut Vec<RepositoryEntry>,
    complaints: &mut Vec<String>,
) {
    for (index, whole_line) in file.text.lines().enumerate() {
        let line = whole_line.split('#').next().unwrap_or_default().trim();
        let Some(rest) = line
            .strip_prefix("deb")
            .filter(|rest| rest.starts_with([' ', '\t', '[']))
        else {
            if !(line.is_empty() || line.starts_with("deb-src")) {
                complaints.push(complaint(
                    &file.path,
                    index + 1,
                    "not an entry of the form `deb URI SUITE …`",
                ));
            }
            continue;
        };
        match one_line_entry(&file.path, index + 1, rest.trim_start()) {
            Ok(entry) => entries.push(entry),
            Err(reason) => complaints.push(complaint(&file.path, index + 1, reason)),
        }
    }
}

fn one_line_entry(path: &Path, line: usize, rest: &str) -> Result<RepositoryEntry, &'static str> {
    let mut settings = Settings::default();
    let mut rest = rest;
    if let Some(bracketed) = rest.strip_prefix('[') {
        let (options, after) = bracketed
            .split_once(']')
            .ok_or("the `[` of the options is never closed")?;
        for option in options.split_whitespace() {
            let (name, value) = option.split_once('=').ok_or("an option without `=`")?;
            settings.take(name.trim_end_matches(['+', '-']), value, option, line);
        }
        rest = after;
    }
    let mut words = rest.split_whitespace().map(str::to_owned);
    let uri = words
        .next()
        .filter(|uri| uri.contains(':'))
        .ok_or("no URI")?;
    let suite = words.next().ok_or("no suite")?;
    let components: Vec<String> = words.collect();
    entry(path, line, &settings, uri, suite, components)
}

fn stanza_entries(
    file: &ConfigurationFile,
    entries: &mut Vec<RepositoryEntry>,
    complaints: &mut Vec<String>,
) {
    for stanza in stanzas(&file.text) {
        let value = |name| {
            stanza
                .field(name)
                .map(|field| field.value.as_str())
                .unwrap_or_default()
        };
        let binary = words(value("Types")).any(|kind| kind == "deb");
        let disabled = matches!(
            value("Enabled").trim().to_ascii_lowercase().as_str(),
            "no" | "false" | "0" | "off"
        );
        if disabled || (!binary && !value("Types").is_empty()) {
            continue;
        }
        let mut settings = Settings::default();
        for field in &stanza.fields {
            let written = format!("{}: {}", field.name, field.value.trim());
            settings.take(&field.name, &field.value, &written, field.line);
        }
        let (uris, suites): (Vec<_>, Vec<_>) = (
            words(value("URIs")).collect(),
            words(value("Suites")).collect(),
        );
        let components: Vec<String> = words(value("Components")).collect();
        if uris.is_empty() || suites.is_empty() || value("Types").is_empty() {
            complaints.push(complaint(
                &file.path,
                stanza.line,
                "Types, URIs or Suites is missing",
            ));
            continue;
        }
        for uri in &uris {
            for suite in &suites {
                match entry(
                    &file.path,
                    stanza.line,
                    &settings,
                    uri.clone(),
                    suite.clone(),
                    components.clone(),
                ) {
                    Ok(entry) => entries.push(entry),
                    Err(reason) => complaints.push(complaint(&file.path, stanza.line, reason)),
                }
            }
        }
    }
}

fn entry(
    path: &Path,
    line: usize,
    settings: &Settings,
    uri: String,
    suite: String,
    components: Vec<String>,
) -> Result<RepositoryEntry, &'static str> {
    if components.is_empty() != suite.ends_with('/') {
        return Err("components are needed, unless the suite ends in `/`");
    }
    let id = path
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let mut entry = RepositoryEntry {
        name: id.clone(),
        id,
        urls: vec![uri],
        mirror_list: None,
        suite,
        components,
        architectures: settings.architectures.clone(),
        key_files: Vec::new(),
        key_fingerprints: Vec::new(),
        embedded_key: None,
        remote_keys: Vec::new(),
        signed_metadata: true,
        connection: Connection::default(),
        tool_settings: Vec::new(),
        insecure: settings.insecure.clone(),
        defined_at: (path.to_owned(), line),
    };
    let signed_by = settings.signed_by.trim();
    if signed_by.starts_with("-----BEGIN") {
        entry.embedded_key = Some(format!("{signed_by}\n"));
        return Ok(entry);
    }
    for key in signed_by
        .split([' ', '\t', '\n', ','])
        .filter(|key| !key.is_empty())
    {
        let fingerprint = key.trim_end_matches('!');
        if key.starts_with('/') {
            entry.key_files.push(PathBuf::from(key));
        } else if fingerprint.len() >= 16 && fingerprint.bytes().all(|b| b.is_ascii_hexdigit()) {
            entry.key_fingerprints.push(key.to_owned());
        } else {
            return Err("Signed-By is neither an absolute path, a fingerprint nor a key");
        }
    }
    Ok(entry)
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split([' ', '\t', '\n', ','])
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
}

fn complaint(path: &Path, line: usize, reason: &str) -> String {
    format!("{} line {line}: {reason}", path.display())
}

/// A block of `Name: value` lines.
pub(super) struct Stanza {
    /// Line of its first field, from 1.
    pub(super) line: usize,
    pub(super) fields: Vec<Field>,
}

/// A field of a [`Stanza`].
pub(super) struct Field {
    pub(super) name: String,
    /// Continuation lines are joined with newlines; a lone `.` stands for an empty line.
    pub(super) value: String,
    pub(super) line: usize,
}

impl Stanza {
    /// The field of that name, in any case.
    pub(super) fn field(&self, name: &str) -> Option<&Field> {
        self.fields
            .iter()
            .find(|field| field.name.eq_ignore_ascii_case(name))
    }
}

/// Splits deb822 text. Lines that start with `#` are comments, even within a field.
pub(super) fn stanzas(text: &str) -> Vec<Stanza> {
    let mut stanzas: Vec<Stanza> = Vec::new();
    let mut open = false;
    for (index, line) in text.lines().enumerate() {
        if line.starts_with('#') {
            continue;
        }
        if line.trim().is_empty() {
            open = false;
            continue;
        }
        if line.starts_with([' ', '\t']) {
            if let Some(field) = stanzas
                .last_mut()
                .filter(|_| open)
                .and_then(|s| s.fields.last_mut())
            {
                let continued = if line.trim() == "." { "" } else { line.trim() };
                field.value.push('\n');
                field.value.push_str(continued);
            }
            continue;
        }
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        if !open {
            stanzas.push(Stanza {
                line: index + 1,
                fields: Vec::new(),
            });
            open = true;
        }
        if let Some(stanza) = stanzas.last_mut() {
            let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
            stanza.fields.push(Field {
                name,
                value,
                line: index + 1,
            });
        }
    }
    stanzas
}
