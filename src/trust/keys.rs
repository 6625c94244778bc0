//! Which keys: those that the host has for the repository already. None is ever downloaded.

use super::openpgp::{Keyring, Trust};
use super::refusal::{Refusal, malformed};
use super::view::{Unproven, read};
use crate::state::Layout;
use adapters::{ManagerKind, RepositoryEntry};
use std::path::{Path, PathBuf};

/// Largest key file that is read.
const MOST_BYTES: u64 = 4 << 20;

/// What the rpm database knows, for an entry without a local key: see [`needs_database`].
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Database {
    /// Its keys, armored: `adapters::rpm_keys::list`.
    pub keys: String,
    /// Id of the key that signed the installed package: `adapters::rpm_keys::signer`. Not needed
    /// where `signing_keys` is set.
    pub signer: Option<String>,
}

/// Whether the keys of an entry have to be asked of the rpm database: it names no local file.
pub fn needs_database(kind: ManagerKind, entry: &RepositoryEntry) -> bool {
    kind != ManagerKind::Apt && entry.key_files.is_empty() && entry.embedded_key.is_none()
}

/// Whom to believe for a repository, and what was passed over.
///
/// - An entry's own keys: `Signed-By` files and embedded blocks (apt), `gpgkey=file://` (rpm).
/// - apt, fingerprints in `Signed-By`: those among the keys that the host trusts for everything;
///   without any `Signed-By`, all of those, as apt does.
/// - rpm, remote keys only: keys of the rpm database that `signing_keys` names; without
///   `signing_keys`, the one that signed the installed package.
///
/// Everywhere narrowed by `signing_keys`.
pub fn trust(
    kind: ManagerKind,
    entry: &RepositoryEntry,
    signing_keys: &[String],
    database: Option<&Database>,
    layout: &Layout,
) -> Result<(Trust, Vec<String>), Unproven> {
    let mut keyring = Keyring::default();
    let mut warnings = Vec::new();
    for path in &entry.key_files {
        let missing = || Refusal::NoKey(format!("the file {} is missing", path.display()));
        let bytes = read(&layout.host(path), MOST_BYTES)?.ok_or_else(missing)?;
        keyring.add(&path.display().to_string(), &bytes)?;
    }
    if let Some(key) = &entry.embedded_key {
        keyring.add("in the repository's entry", key.as_bytes())?;
    }
    let has_own = !entry.key_files.is_empty() || entry.embedded_key.is_some();
    if kind == ManagerKind::Apt && (!has_own || !entry.key_fingerprints.is_empty()) {
        let mut common = Keyring::default();
        for path in common_files(layout)? {
            let Some(bytes) = read(&path, MOST_BYTES)? else {
                continue;
            };
            // As in apt, one file that cannot be read does not take the others with it.
            if let Err(refusal) = common.add(&path.display().to_string(), &bytes) {
                warnings.push(refusal.to_string());
            }
        }
        if !entry.key_fingerprints.is_empty() {
            common.retain(&entry.key_fingerprints);
        }
        keyring.join(common);
    }
    if needs_database(kind, entry) {
        let Some(database) = database else {
            return Err(malformed("the keys of the package database were not asked for").into());
        };
        if !database.keys.trim().is_empty() {
            keyring.add("of the package database", database.keys.as_bytes())?;
        }
        if signing_keys.is_empty() {
            let Some(signer) = &database.signer else {
                return Err(Refusal::NoKey(
                    "the entry names none on this host, and the installed package is not signed"
                        .to_owned(),
                )
                .into());
            };
            keyring.retain(std::slice::from_ref(signer));
        }
    }
    if keyring.is_empty() {
        let what = match (kind, &entry.key_fingerprints[..]) {
            (ManagerKind::Apt, []) => {
                "the entry has no Signed-By, and apt trusts no key".to_owned()
            }
            (ManagerKind::Apt, keys) => format!("apt has no key {}", keys.join(" or ")),
            _ => "the package database does not have it".to_owned(),
        };
        return Err(Refusal::NoKey(what).into());
    }
    Ok((Trust::new(keyring, signing_keys), warnings))
}

/// The files of this host that the keys of an entry are read from; none where the rpm database has them.
///
/// # Errors
/// A folder of keys cannot be read.
pub fn files(
    kind: ManagerKind,
    entry: &RepositoryEntry,
    layout: &Layout,
) -> Result<Vec<PathBuf>, Unproven> {
    let embedded = entry.embedded_key.is_some().then_some(&entry.defined_at.0);
    let own = entry.key_files.iter().chain(embedded);
    let mut files: Vec<PathBuf> = own.map(|path| layout.host(path)).collect();
    if kind == ManagerKind::Apt && (files.is_empty() || !entry.key_fingerprints.is_empty()) {
        files.extend(common_files(layout)?);
    }
    Ok(files)
}

/// The keys that apt trusts for every repository.
fn common_files(layout: &Layout) -> Result<Vec<PathBuf>, Unproven> {
    let mut files = vec![layout.host(Path::new("/etc/apt/trusted.gpg"))];
    let folder = layout.host(Path::new("/etc/apt/trusted.gpg.d"));
    for path in super::view::list(&folder)? {
        // apt itself ignores every other extension.
        if path
            .extension()
            .is_some_and(|extension| extension == "gpg" || extension == "asc")
        {
            files.push(path);
        }
    }
    Ok(files)
}
