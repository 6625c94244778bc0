use crate::glob::glob_matches;
use crate::manager::Hold;
use crate::repository::ConfigurationFile;
use crate::version::PackageName;

/// Locks in `/etc/zypp/locks`: stanzas of `key: value`, divided by empty lines.
pub(super) fn holds(package: &PackageName, files: &[ConfigurationFile]) -> Vec<Hold> {
    files
        .iter()
        .flat_map(|file| locks_in(package, file))
        .collect()
}

fn locks_in(package: &PackageName, file: &ConfigurationFile) -> Vec<Hold> {
    let mut holds = Vec::new();
    let mut stanza: Vec<(&str, &str)> = Vec::new();
    let mut start = 0;
    for (index, line) in file.text.lines().chain([""]).enumerate() {
        let line = line.trim();
        if let Some((key, value)) = line.split_once(':').filter(|_| !line.starts_with('#')) {
            if stanza.is_empty() {
                start = index + 1;
            }
            stanza.push((key.trim(), value.trim()));
        } else if line.is_empty() {
            if concerns(&stanza, package) {
                holds.push(Hold {
                    place: format!("{} line {start}", file.path.display()),
                    release: format!("zypper removelock {package}"),
                });
            }
            stanza.clear();
        }
    }
    holds
}

/// Whether a lock names the package. A lock of one repository or version counts too: which package
/// zypper would refuse is not for us to work out.
fn concerns(stanza: &[(&str, &str)], package: &PackageName) -> bool {
    let values = |wanted: &'static str| {
        stanza
            .iter()
            .filter(move |(key, _)| *key == wanted)
            .map(|(_, value)| *value)
    };
    let of_packages = values("type").all(|kind| kind == "package");
    let case_insensitive = values("case_sensitive").all(|value| value == "off" || value == "false");
    let kind = values("match_type").next().unwrap_or("glob");
    let matches = |pattern: &str| {
        let pattern = if case_insensitive {
            pattern.to_ascii_lowercase()
        } else {
            pattern.to_owned()
        };
        match kind {
            "exact" => pattern == package.as_str(),
            "substring" | "words" => package.as_str().contains(&pattern),
            // Only the text of a pattern is looked at; rather one hold too many.
            "regex" => package
                .as_str()
                .contains(pattern.trim_matches(['^', '$', '.', '*'])),
            _ => glob_matches(&pattern, package.as_str()),
        }
    };
    let mut names = values("solvable_name");
    of_packages && names.any(matches)
}
