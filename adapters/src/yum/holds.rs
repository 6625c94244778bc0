use super::pin::{SPELLINGS, theirs};
use super::sources::MAIN;
use crate::ini::{Section, no, sections};
use crate::manager::Hold;
use crate::repository::ConfigurationFile;
use crate::rpm::concerns;
use crate::version::PackageName;
use std::path::Path;

/// The list of the versionlock plug-in.
pub(super) const VERSIONLOCK: &str = "/etc/dnf/plugins/versionlock.list";

/// Version locks, and excludes of the main configuration and of single repositories, which a
/// private configuration bypasses. Those of a repository are doubtful: many keep a package from
/// one repository because it is to come from another.
pub(super) fn holds(package: &PackageName, files: &[ConfigurationFile]) -> Vec<Hold> {
    let mut holds = Vec::new();
    for file in files {
        if file.path == Path::new(VERSIONLOCK) {
            locks(package, file, &mut holds);
            continue;
        }
        let is_main = file.path == Path::new(MAIN);
        let is_repo_file = file.path.extension().is_some_and(|end| end == "repo");
        for section in &sections(file) {
            let is_repository = section.name != "main" && section.is("enabled", no) != Some(true);
            if (is_main && section.name == "main") || ((is_main || is_repo_file) && is_repository) {
                excludes(package, section, &mut holds);
            }
        }
    }
    holds
}

fn locks(package: &PackageName, file: &ConfigurationFile, holds: &mut Vec<Hold>) {
    for (index, line) in file.text.lines().enumerate() {
        let pattern = line.split('#').next().unwrap_or_default().trim();
        // `!` excludes a version instead of locking it; that is a stop as well.
        if !pattern.is_empty() && concerns(pattern.trim_start_matches('!'), package) {
            holds.push(Hold::certain(
                format!("{} line {}: {pattern}", file.path.display(), index + 1),
                format!("dnf versionlock delete {package}"),
            ));
        }
    }
}

fn excludes(package: &PackageName, section: &Section<'_>, holds: &mut Vec<Hold>) {
    let (path, name) = (section.path.display(), &section.name);
    let doubtful = (name != "main").then(|| name.clone());
    for key in SPELLINGS {
        for (pattern, line) in theirs(section, key) {
            if concerns(pattern, package) {
                holds.push(Hold {
                    place: format!("{path} line {line}: [{name}] {key}={pattern}"),
                    release: format!("remove {pattern} from {key} in [{name}] of {path}"),
                    doubtful: doubtful.clone(),
                });
            }
        }
    }
    let included = section.words("includepkgs");
    if let Some((_, line)) = included.first()
        && !included
            .iter()
            .any(|(pattern, _)| concerns(pattern, package))
    {
        holds.push(Hold {
            place: format!("{path} line {line}: [{name}] includepkgs leaves {package} out"),
            release: format!("add {package} to includepkgs in [{name}] of {path}"),
            doubtful,
        });
    }
}

/// The repositories that offer the package, one a line, decide. Where one is left that nobody
/// excludes, the package comes from there and is not held; where none is known, all doubts stay.
pub(super) fn confirmed(mut holds: Vec<Hold>, offering: &str) -> Vec<Hold> {
    let offering: Vec<&str> = offering.split_whitespace().collect();
    let excluded = |id: &str| {
        holds
            .iter()
            .any(|hold| hold.doubtful.as_deref() == Some(id))
    };
    let free = offering.iter().any(|id| !excluded(id));
    if !offering.is_empty() {
        holds.retain(|hold| match &hold.doubtful {
            None => true,
            Some(id) => !free && offering.contains(&id.as_str()),
        });
    }
    holds
}
