//! The INI dialect of `.repo` files and of the tools' main configuration. Own code, because the
//! INI crates do not tell the line of a setting.

use crate::repository::ConfigurationFile;
use std::path::Path;

/// A `[section]` with its settings.
pub(crate) struct Section<'a> {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) path: &'a Path,
    settings: Vec<Setting>,
}

/// A `key=value` of a section.
pub(crate) struct Setting {
    pub(crate) key: String,
    /// Continuation lines are joined with spaces.
    pub(crate) value: String,
    pub(crate) line: usize,
}

impl Section<'_> {
    /// Every setting, also those that a later one of the same name overrides.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Setting> {
        self.settings.iter()
    }

    /// The last setting of that name, which is the one that counts.
    pub(crate) fn setting(&self, key: &str) -> Option<&Setting> {
        self.settings
            .iter()
            .rev()
            .find(|setting| setting.key == key)
    }

    /// The value of a setting; the last one counts.
    pub(crate) fn value(&self, key: &str) -> Option<&str> {
        self.setting(key).map(|setting| setting.value.as_str())
    }

    /// The words of a list setting, with the line where it starts.
    pub(crate) fn words(&self, key: &str) -> Vec<(String, usize)> {
        let split = |setting: &Setting| {
            let words = setting
                .value
                .split([' ', ',', '\t'])
                .filter(|word| !word.is_empty());
            words.map(|word| (word.to_owned(), setting.line)).collect()
        };
        self.setting(key).map(split).unwrap_or_default()
    }

    /// What a switch says, read by [`yes`] or [`no`].
    pub(crate) fn is(&self, key: &str, meant: fn(&str) -> bool) -> Option<bool> {
        self.value(key).map(meant)
    }
}

/// Whether a switch is on.
pub(crate) fn yes(value: &str) -> bool {
    matches!(
        value.trim().to_ascii_lowercase().as_str(),
        "1" | "yes" | "true" | "on"
    )
}

/// Whether a switch is off.
pub(crate) fn no(value: &str) -> bool {
    matches!(
        value.trim().to_ascii_lowercase().as_str(),
        "0" | "no" | "false" | "off" | "never"
    )
}

/// Splits a file into sections. Lines that start with white space continue the value before.
pub(crate) fn sections(file: &ConfigurationFile) -> Vec<Section<'_>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        let trimmed = line.trim();
        if trimmed.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let name = trimmed
            .strip_prefix('[')
            .and_then(|rest| rest.split_once(']'));
        if let (Some((name, _)), false) = (name, line.starts_with([' ', '\t'])) {
            sections.push(Section {
                name: name.trim().to_owned(),
                line: index + 1,
                path: &file.path,
                settings: Vec::new(),
            });
            continue;
        }
        let Some(section) = sections.last_mut() else {
            continue;
        };
        if line.starts_with([' ', '\t']) {
            if let Some(setting) = section.settings.last_mut() {
                let separator = if setting.value.is_empty() { "" } else { " " };
                setting.value.push_str(separator);
                setting.value.push_str(trimmed);
            }
        } else if let Some((key, value)) = trimmed.split_once('=') {
            let (key, value) = (key.trim().to_ascii_lowercase(), value.trim().to_owned());
            section.settings.push(Setting {
                key,
                value,
                line: index + 1,
            });
        }
    }
    sections
}
