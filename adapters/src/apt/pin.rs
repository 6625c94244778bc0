use crate::pin::{MARK, PinPlace, Unpinned};
use crate::version::PackageName;
use std::path::Path;

/// Where apt reads preferences, one file each.
pub(super) const FOLDER: &str = "/etc/apt/preferences.d";

/// A file of our own. apt ignores files whose names have other characters, and `+` is the only
/// one of a package's name that is not allowed there.
pub(super) fn place(package: &PackageName) -> PinPlace {
    let name = package.as_str().replace('+', "_");
    PinPlace::file(Path::new(FOLDER).join(format!("agent-updater-{name}.pref")))
}

/// `a=now` is dpkg's own status: whatever is installed stays the candidate, at a priority that
/// beats those which administrators give to whole repositories. An exact version that somebody
/// asks for passes, and a hold, other than this, would have to be cleared by our own changes.
pub(super) fn text(package: &PackageName) -> String {
    format!(
        "Explanation: {MARK}: general upgrades leave this package alone, until pin = false\n\
         Package: {package}:any\nPin: release a=now\nPin-Priority: 30000\n"
    )
}

pub(super) fn pinned(package: &PackageName, found: Option<&str>) -> bool {
    found == Some(text(package).as_str())
}

/// Takes our stanzas out; what somebody added to the file or changed in it stays.
pub(super) fn unpin(package: Option<&PackageName>, path: &Path, found: &str) -> Option<Unpinned> {
    let stanza = match package {
        Some(package) => Some(text(package)).filter(|ours| found.contains(ours)),
        None => found.match_indices("Explanation: ").find_map(|(start, _)| {
            let here = &found[start..];
            let named = here.lines().nth(1)?.strip_prefix("Package: ")?;
            let ours = text(&PackageName::parse(named.strip_suffix(":any")?).ok()?);
            here.starts_with(&ours).then_some(ours)
        }),
    }?;
    path.starts_with(FOLDER)
        .then(|| Unpinned::of(found.replacen(&stanza, "", 1)))
}
