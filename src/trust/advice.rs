use super::Key;
use adapters::{ManagerKind, RepositoryEntry};

/// What to do where something is signed by another key than the host has for the repository: which
/// entry counts, which keys it means and where they are, and how the right one gets there. Nobody
/// but a person can tell a new key from a forged one, hence the fingerprint.
pub fn right_key(kind: ManagerKind, entry: &RepositoryEntry, keys: &[Key]) -> String {
    let (path, line) = &entry.defined_at;
    let known: Vec<String> = keys.iter().map(named).collect();
    let known = if known.is_empty() {
        "no key that is there".to_owned()
    } else {
        known.join(" and ")
    };
    let files: Vec<_> = entry
        .key_files
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let (place, target) = match (&files[..], &entry.embedded_key) {
        ([], Some(_)) => ("in the entry itself".to_owned(), "there".to_owned()),
        ([], None) if kind == ManagerKind::Apt => (
            "among apt's common keys".to_owned(),
            "into a file that the entry names as `Signed-By`".to_owned(),
        ),
        ([], None) => (
            "in the rpm database".to_owned(),
            "into a file that the entry names as `gpgkey=file://…`".to_owned(),
        ),
        (files, _) => (format!("in {}", files.join(" and ")), "there".to_owned()),
    };
    // zypper looks for keys in the rpm database alone.
    let import = if kind == ManagerKind::Zypper {
        " and `rpm --import` it"
    } else {
        ""
    };
    format!(
        "{}:{line} trusts {known} ({place}); if the publisher has changed its key, get the new one \
         from the publisher over https, compare its fingerprint with the published one, and put it \
         {target}{import}; else the repository or a mirror of it is forged",
        path.display()
    )
}

/// A key as said to a person.
fn named(key: &Key) -> String {
    match key.user_ids.first() {
        Some(user_id) => format!("{} ({user_id})", key.fingerprint),
        None => key.fingerprint.clone(),
    }
}
