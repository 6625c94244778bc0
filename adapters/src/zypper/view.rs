use crate::repo_file::{place_and_keys, safe_id};
use crate::repository::{PrivateView, RepositoryEntry, ViewFile};
use std::fmt::Write as _;
use std::path::Path;

/// Folder of the view's repository file, for `--reposd-dir`.
pub(super) const REPOSITORIES: &str = "repos.d";

/// Folder of the view's index and packages, for `--cache-dir`.
pub(super) const CACHE: &str = "cache";

/// libzypp's configuration within the view, for `ZYPP_CONF`.
pub(super) const CONFIGURATION: &str = "zypp.conf";

/// A repository folder with the entry alone. `pkg_gpgcheck` because zypper otherwise lets an
/// unsigned package of a signed index pass. zypper accepts any key of the rpm database for any
/// repository, so a view pins no key: that is for the caller to prove.
pub(super) fn private_view(entry: &RepositoryEntry, folder: &Path) -> PrivateView {
    let id = safe_id(&entry.id);
    let signed = if entry.signed_metadata { "1" } else { "0" };
    let text = format!(
        "[{id}]\nname={id}\nenabled=1\nautorefresh=0\n{}gpgcheck=1\nrepo_gpgcheck={signed}\n\
         pkg_gpgcheck=1\nkeeppackages=1\n",
        place_and_keys(entry)
    );
    // The host's locks do not count in a view: our own is to be passed without being lifted, and
    // the administrator's are read beforehand.
    let mut configuration = format!(
        "[main]\nlocksfile.path = {}\n",
        folder.join("locks").display()
    );
    for (key, value) in &entry.tool_settings {
        let _ = writeln!(configuration, "{key} = {value}");
    }
    let repositories = folder.join(REPOSITORIES);
    let file = ViewFile {
        path: repositories.join(format!("{id}.repo")),
        text,
        secret: entry.is_secret(),
    };
    PrivateView {
        folder: folder.to_owned(),
        is_private: entry.is_secret(),
        repository: id,
        files: vec![
            file,
            ViewFile {
                path: folder.join(CONFIGURATION),
                text: configuration,
                secret: false,
            },
        ],
        folders: vec![repositories, folder.join(CACHE)],
    }
}
