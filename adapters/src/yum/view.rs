use crate::repo_file::{place_and_keys, safe_id};
use crate::repository::{PrivateView, RepositoryEntry, ViewFile};
use crate::version::PackageName;
use std::path::Path;

/// The main configuration within the view, for `-c`.
pub(super) const CONFIGURATION: &str = "dnf.conf";

/// A main configuration with the entry as its only repository. `gpgcheck` of a repository wins
/// over that of `[main]`, hence both say it.
pub(super) fn private_view(
    entry: &RepositoryEntry,
    package: &PackageName,
    folder: &Path,
) -> PrivateView {
    let id = safe_id(&entry.id);
    // With remote keys only, metadata cannot be checked without importing whatever lies there.
    // dnf then refuses, which is the right side to fail on.
    let signed = if entry.signed_metadata { "1" } else { "0" };
    let at = |inside: &str| folder.join(inside);
    let main = format!(
        "[main]\n{MAIN}repo_gpgcheck={signed}\nreposdir={}\ncachedir={}\n",
        at("repos.d").display(),
        at("cache").display(),
    );
    // The index is fetched when we say so, and never on the way to a transaction.
    // Other packages of the repository do not exist for this view, be it as a new dependency.
    let repository = format!(
        "[{id}]\nname={id}\nenabled=1\n{}gpgcheck=1\nrepo_gpgcheck={signed}\nsslverify=1\n\
         metadata_expire=-1\nskip_if_unavailable=0\nincludepkgs={package}\n",
        place_and_keys(entry)
    );
    let secret = entry.is_secret();
    PrivateView {
        folder: folder.to_owned(),
        files: vec![
            ViewFile {
                path: at(CONFIGURATION),
                text: main,
                secret: false,
            },
            ViewFile {
                path: at("repos.d").join(format!("{id}.repo")),
                text: repository,
                secret,
            },
        ],
        folders: vec![at("repos.d"), at("cache")],
        is_private: entry.is_secret(),
        repository: id,
    }
}

/// `zchunk` would fetch the index in a form of its own, in the place of the one that is proven.
const MAIN: &str = "gpgcheck=1
localpkg_gpgcheck=1
sslverify=1
best=1
skip_if_unavailable=0
install_weak_deps=0
clean_requirements_on_remove=0
obsoletes=1
exit_on_lock=1
keepcache=1
zchunk=0
timeout=20
retries=2
";
