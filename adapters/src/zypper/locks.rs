use super::pin;
use crate::glob::glob_matches;
use crate::manager::Hold;
use crate::repository::ConfigurationFile;
use crate::version::PackageName;
use std::fmt::Write as _;

/// One lock of `/etc/zypp/locks`: lines of `key: value`, divided from others by empty lines.
pub(super) struct Lock<'a> {
    /// The first of its lines, from 0.
    pub(super) first: usize,
    /// The line after its last one, from 0.
    pub(super) end: usize,
    lines: Vec<(&'a str, &'a str)>,
}

impl<'a> Lock<'a> {
    /// The values of a key.
    pub(super) fn values(&self, wanted: &str) -> impl Iterator<Item = &'a str> {
        let values = self.lines.iter().filter(move |(key, _)| *key == wanted);
        values.map(|(_, value)| *value)
    }
}

/// All locks of a file.
pub(super) fn locks(text: &str) -> Vec<Lock<'_>> {
    let mut locks: Vec<Lock<'_>> = Vec::new();
    let mut open = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() {
            open = false;
        }
        let Some((key, value)) = line.split_once(':').filter(|_| !line.starts_with('#')) else {
            continue;
        };
        if !open {
            locks.push(Lock {
                first: index,
                end: index,
                lines: Vec::new(),
            });
            open = true;
        }
        if let Some(lock) = locks.last_mut() {
            lock.end = index + 1;
            lock.lines.push((key.trim(), value.trim()));
        }
    }
    locks
}

/// The administrator's locks that concern the package.
pub(super) fn holds(package: &PackageName, files: &[ConfigurationFile]) -> Vec<Hold> {
    let mut holds = Vec::new();
    for file in files {
        let locks = locks(&file.text);
        let theirs = locks.iter().filter(|lock| !pin::is_ours(lock, None));
        for lock in theirs.filter(|lock| concerns(lock, package)) {
            let (path, line) = (file.path.display(), lock.first + 1);
            let names: Vec<&str> = lock.values("solvable_name").collect();
            let name = names.join(" ");
            holds.push(Hold::certain(
                format!("{path} line {line}: {name}"),
                release(lock).unwrap_or_else(|| {
                    format!("remove the lock that starts at line {line} of {path}")
                }),
            ));
        }
    }
    holds
}

/// `zypper removelock` finds a lock only by all that it was added with: type, repository, version
/// and pattern. Locks that it cannot have added are for an editor.
fn release(lock: &Lock<'_>) -> Option<String> {
    let mut names = lock.values("solvable_name");
    let (name, None) = (names.next()?, names.next()) else {
        return None;
    };
    let as_added = lock
        .values("match_type")
        .all(|kind| kind == "glob" || (kind == "exact" && !name.contains(['*', '?', '['])));
    let known = [
        "solvable_name",
        "type",
        "match_type",
        "case_sensitive",
        "repo",
        "comment",
    ];
    if !as_added || lock.lines.iter().any(|(key, _)| !known.contains(key)) {
        return None;
    }
    let mut command = "zypper removelock".to_owned();
    for (option, key) in [("-t", "type"), ("-r", "repo")] {
        for value in lock.values(key).filter(|value| *value != "package") {
            let _ = write!(command, " {option} {value}");
        }
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "+-._".contains(c);
    let quote = if name.chars().all(plain) { "" } else { "'" };
    Some(format!("{command} {quote}{name}{quote}"))
}

/// Whether a lock names the package. A lock of one repository or version counts too: which package
/// zypper would refuse is not for us to work out.
fn concerns(lock: &Lock<'_>, package: &PackageName) -> bool {
    let of_packages = lock.values("type").all(|kind| kind == "package");
    let case_insensitive = lock
        .values("case_sensitive")
        .all(|value| value == "off" || value == "false");
    let kind = lock.values("match_type").next().unwrap_or("glob");
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
    let mut names = lock.values("solvable_name");
    of_packages && names.any(matches)
}
