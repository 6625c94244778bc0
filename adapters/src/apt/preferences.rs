use crate::glob::glob_matches;
use crate::manager::Hold;
use crate::repository::ConfigurationFile;
use crate::version::PackageName;

/// Pins that forbid the package: those with a negative priority. apt itself ignores them when an
/// exact version is asked for, so we are the ones to honour them.
pub(super) fn holds(package: &PackageName, files: &[ConfigurationFile]) -> Vec<Hold> {
    files
        .iter()
        .flat_map(|file| holds_in(package, file))
        .collect()
}

fn holds_in(package: &PackageName, file: &ConfigurationFile) -> Vec<Hold> {
    let mut holds = Vec::new();
    for stanza in super::sources::stanzas(&file.text) {
        let names = stanza
            .field("Package")
            .map(|field| field.value.as_str())
            .unwrap_or_default();
        let concerns = names
            .split_whitespace()
            .any(|name| glob_matches(name, package.as_str()));
        let priority = stanza
            .field("Pin-Priority")
            .and_then(|field| field.value.trim().parse::<i64>().ok());
        if concerns && priority.is_some_and(|priority| priority < 0) {
            let line = stanza.line;
            holds.push(Hold {
                place: format!("{} line {line}", file.path.display()),
                release: format!(
                    "remove the stanza at line {line} of {}",
                    file.path.display()
                ),
            });
        }
    }
    holds
}
