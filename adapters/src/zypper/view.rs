use crate::repo_file::{place_and_keys, safe_id};
use crate::repository::{PrivateView, RepositoryEntry, ViewFile};
use crate::version::PackageName;
use std::fmt::Write as _;
use std::path::Path;

/// Folder of the view's repository file, for `--reposd-dir`.
pub(super) const REPOSITORIES: &str = "repos.d";

/// Folder of the view's index and packages, for `--cache-dir`.
pub(super) const CACHE: &str = "cache";

/// libzypp's configuration within the view, for `ZYPP_CONF`.
pub(super) const CONFIGURATION: &str = "zypp.conf";

/// The same for the transaction, in which every package but ours is locked.
pub(super) const TRANSACTION: &str = "zypp-transaction.conf";

/// A repository folder with the entry alone. `pkg_gpgcheck` because zypper otherwise lets an
/// unsigned package of a signed index pass. zypper accepts any key of the rpm database for any
/// repository, so a view pins no key: that is for the caller to prove.
pub(super) fn private_view(
    entry: &RepositoryEntry,
    package: &PackageName,
    folder: &Path,
) -> PrivateView {
    let id = safe_id(&entry.id);
    let signed = if entry.signed_metadata { "1" } else { "0" };
    let text = format!(
        "[{id}]\nname={id}\nenabled=1\nautorefresh=0\n{}gpgcheck=1\nrepo_gpgcheck={signed}\n\
         pkg_gpgcheck=1\nkeeppackages=1\n",
        place_and_keys(entry)
    );
    // The host's locks do not count in a view: our own is to be passed without being lifted, and
    // the administrator's are read beforehand.
    let configuration = |locks: &str| {
        let mut text = format!(
            "[main]\nlocksfile.path = {}\n",
            folder.join(locks).display()
        );
        for (key, value) in &entry.tool_settings {
            let _ = writeln!(text, "{key} = {value}");
        }
        text
    };
    let plain = |name: &str, text: String| ViewFile {
        path: folder.join(name),
        text,
        secret: false,
    };
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
            plain(CONFIGURATION, configuration("locks")),
            // The world may have changed since the simulation, which goes without these locks so
            // that it can name the others.
            plain(TRANSACTION, configuration(OTHERS)),
            plain(OTHERS, all_but(package)),
        ],
        folders: vec![repositories, folder.join(CACHE)],
    }
}

/// The locks of [`TRANSACTION`].
const OTHERS: &str = "locks-on-others";

/// A lock on every package, installed or not, that is not ours: none may come, go or be replaced.
/// The patterns of a lock cannot say "not", so this spells out where a name may differ.
fn all_but(package: &PackageName) -> String {
    let mut pattern = String::new();
    let mut same = String::new();
    for c in package.as_str().chars() {
        let other = format!("[^{c}].*");
        let _ = if same.is_empty() {
            write!(pattern, "{other}|")
        } else {
            write!(pattern, "{same}({other})?|")
        };
        let _ = write!(same, "[{c}]");
    }
    format!(
        "\ntype: package\nmatch_type: regex\ncase_sensitive: on\nsolvable_name: ^({pattern}{same}.+)$\n\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_spells_out_where_a_name_may_differ() {
        let text = all_but(&PackageName::parse("a.b").unwrap());
        let pattern = "solvable_name: ^([^a].*|[a]([^.].*)?|[a][.]([^b].*)?|[a][.][b].+)$\n";
        assert!(text.contains(pattern), "{text}");
    }
}
