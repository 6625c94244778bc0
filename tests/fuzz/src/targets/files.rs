//! The administrator's files of a package manager: repositories, holds, and our pin in them.

use super::output::{AGENT, manager};
use super::parts;
use adapters::{ConfigurationFile, ManagerKind};
use std::path::{Path, PathBuf};

/// Each part stands in one of these files.
fn places(kind: ManagerKind) -> [&'static str; 3] {
    match kind {
        ManagerKind::Apt => [
            "/etc/apt/sources.list",
            "/etc/apt/sources.list.d/a.sources",
            "/etc/apt/preferences.d/a.pref",
        ],
        ManagerKind::Yum => [
            "/etc/dnf/dnf.conf",
            "/etc/yum.repos.d/a.repo",
            "/etc/dnf/plugins/versionlock.list",
        ],
        ManagerKind::Zypper => [
            "/etc/zypp/zypp.conf",
            "/etc/zypp/repos.d/a.repo",
            "/etc/zypp/locks",
        ],
    }
}

pub(super) fn read(kind: ManagerKind, data: &[u8]) {
    let manager = manager(kind);
    let texts: [String; 3] = parts(data);
    let files: Vec<ConfigurationFile> = places(kind)
        .into_iter()
        .zip(texts)
        .map(|(path, text)| ConfigurationFile {
            path: PathBuf::from(path),
            text,
        })
        .collect();
    let (entries, _) = manager.entries(&files);
    let folder = Path::new("/var/cache/view");
    for entry in entries.iter().take(20) {
        let view = manager.private_view(entry, &AGENT, folder);
        assert!(
            view.files.iter().all(|file| file.path.starts_with(folder)),
            "{view:?}"
        );
        let _ = (entry.place(), format!("{entry:?}"));
    }
    let _ = manager.holds(&AGENT, &files);
    let text_of = |path: &Path| {
        files
            .iter()
            .find(|file| file.path == path)
            .map(|file| file.text.as_str())
    };
    for place in manager.pin_places(&AGENT, &entries).iter().take(20) {
        let before = text_of(&place.path);
        let was_pinned = manager.pinned(&AGENT, place, before);
        if let Ok(after) = manager.pin(&AGENT, place, before) {
            assert!(
                manager.pinned(&AGENT, place, Some(&after)),
                "{place} {after:?}"
            );
            if !was_pinned {
                assert!(
                    manager.unpin(Some(&AGENT), &place.path, &after).is_some(),
                    "{place} {after:?}"
                );
            }
        }
    }
    for file in &files {
        let _ = manager.unpin(None, &file.path, &file.text);
    }
}
