use crate::ini::sections;
use crate::manager::Hold;

use crate::repository::ConfigurationFile;
use crate::rpm::concerns;
use crate::version::PackageName;
use std::path::Path;

/// The list of the versionlock plug-in.
pub(super) const VERSIONLOCK: &str = "/etc/dnf/plugins/versionlock.list";

/// Version locks, and excludes of the main configuration, which a private one bypasses.
pub(super) fn holds(package: &PackageName, files: &[ConfigurationFile]) -> Vec<Hold> {
    let mut holds = Vec::new();
    for file in files {
        if file.path == Path::new(VERSIONLOCK) {
            locks(package, file, &mut holds);
        } else {
            excludes(package, file, &mut holds);
        }
    }
    holds
}

fn locks(package: &PackageName, file: &ConfigurationFile, holds: &mut Vec<Hold>) {
    for (index, line) in file.text.lines().enumerate() {
        let pattern = line.split('#').next().unwrap_or_default().trim();
        // `!` excludes a version instead of locking it; that is a stop as well.
        let pattern = pattern.trim_start_matches('!');
        if !pattern.is_empty() && concerns(pattern, package) {
            holds.push(Hold {
                place: format!("{} line {}: {pattern}", file.path.display(), index + 1),
                release: format!("dnf versionlock delete {package}"),
            });
        }
    }
}

fn excludes(package: &PackageName, file: &ConfigurationFile, holds: &mut Vec<Hold>) {
    for section in sections(file)
        .iter()
        .filter(|section| section.name == "main")
    {
        for key in ["excludepkgs", "exclude"] {
            for (pattern, line) in section.words(key) {
                if concerns(&pattern, package) {
                    let path = file.path.display();
                    holds.push(Hold {
                        place: format!("{path} line {line}: {key}={pattern}"),
                        release: format!("remove {pattern} from {key} in {path}"),
                    });
                }
            }
        }
    }
}
