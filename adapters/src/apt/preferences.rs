use super::pin::FOLDER;
use crate::command::CommandOutput;
use crate::glob::glob_matches;
use crate::manager::Hold;
use crate::repository::ConfigurationFile;
use crate::version::{NativeVersion, PackageName, TargetVersion};
use std::path::Path;

/// Pins that may forbid the package: those with a negative priority. apt itself ignores them when
/// an exact version is asked for, so we are the ones to honour them.
pub(super) fn holds(package: &PackageName, files: &[ConfigurationFile]) -> Vec<Hold> {
    files
        .iter()
        .filter(|file| is_read(&file.path))
        .flat_map(|file| holds_in(package, file))
        .collect()
}

/// Whether apt reads a file of this name: in the folder it passes over copies and the like.
fn is_read(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !path.starts_with(FOLDER)
        || (name.chars().all(plain)
            && !name.starts_with('.')
            && path.extension().is_none_or(|extension| extension == "pref"))
}

fn holds_in(package: &PackageName, file: &ConfigurationFile) -> Vec<Hold> {
    let mut holds = Vec::new();
    for stanza in super::sources::stanzas(&file.text) {
        let field = |name: &str| {
            let field = stanza.field(name);
            field.map(|field| field.value.trim()).unwrap_or_default()
        };
        let names = field("Package");
        let concerns = names.split_whitespace().any(|name| {
            let name = name.split(':').next().unwrap_or_default();
            glob_matches(name, package.as_str()) || is_expression(name)
        });
        let forbids = field("Pin-Priority")
            .parse::<i64>()
            .is_ok_and(|priority| priority < 0);
        if !concerns || !forbids {
            continue;
        }
        let (path, line, pin) = (file.path.display(), stanza.line, field("Pin"));
        let every_version = ["version *", "release *", "release a=*"].contains(&pin);
        holds.push(Hold {
            place: format!("{path} line {line}: Package: {names}, Pin: {pin}"),
            release: format!("remove the stanza at line {line} of {path}"),
            doubtful: (!every_version || names != package.as_str()).then(|| names.to_owned()),
        });
    }
    holds
}

/// `/…/` is a regular expression: apt is the one to say what it matches.
fn is_expression(name: &str) -> bool {
    name.len() > 1 && name.starts_with('/') && name.ends_with('/')
}

/// Asked with `apt-cache policy`, which lists every version with its priority. A pin of another
/// origin, release or version is none on the target. Where the host's own lists do not know the
/// target, it is taken to be like the other versions; where they know none, a pin that names the
/// package itself stands.
pub(super) fn confirmed(
    package: &PackageName,
    target: Option<&TargetVersion>,
    mut holds: Vec<Hold>,
    output: &CommandOutput,
) -> Vec<Hold> {
    if !output.returned_zero() || output.omitted > 0 {
        return holds;
    }
    let versions: Vec<(&str, i64)> = output.stdout.lines().filter_map(version).collect();
    let is_target = |version: &str| {
        let native = NativeVersion::debian(version).ok();
        native.and_then(|native| native.target()).as_ref() == target
    };
    let of_target: Vec<i64> = versions
        .iter()
        .filter(|(version, _)| target.is_some() && is_target(version))
        .map(|(_, priority)| *priority)
        .collect();
    holds.retain(|hold| match &hold.doubtful {
        None => true,
        Some(_) if !of_target.is_empty() => of_target.iter().all(|priority| *priority < 0),
        Some(_) if !versions.is_empty() => versions.iter().all(|(_, priority)| *priority < 0),
        Some(names) => names
            .split_whitespace()
            .any(|name| name == package.as_str()),
    });
    holds
}

/// A line of the version table that is not the installed one: `     2.0.0 -1`.
fn version(line: &str) -> Option<(&str, i64)> {
    let (version, priority) = line.strip_prefix("     ")?.split_once(' ')?;
    (!version.is_empty()).then_some(())?;
    Some((version, priority.trim().parse().ok()?))
}
