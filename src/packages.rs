//! Proven package files in our own cache, for the way back, for repairs, and ahead of a window.
//!
//! What a file is was proven when it came; afterwards its hash speaks for it, also when the
//! repository's key was rotated meanwhile, unless that key was revoked. The hashes are kept with the
//! state, not in the cache.

use crate::state::files;
use crate::state::journal::KeptPackage;
use crate::state::{Layout, agent::AgentState};
use crate::trust::{Proof, Refusal, keys};
use adapters::{NativeVersion, PackageManager, PackageName};
use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::path::Path;

/// Takes a file that was proven just now into the cache, durably.
///
/// # Errors
/// There is no room, or the file has gone.
pub fn keep(
    (layout, agent): (&Layout, &str),
    file: &Path,
    (version, architecture): (&NativeVersion, &str),
    proof: &Proof,
    now: DateTime<Utc>,
) -> Result<KeptPackage> {
    let folder = layout.packages(agent);
    files::create_folder(&folder, 0o755)?;
    let name = file.file_name().context("a package file has a name")?;
    let kept = folder.join(name);
    if kept != file {
        place(file, &kept)
            .with_context(|| format!("keep {} in {}", file.display(), folder.display()))?;
    }
    let sha256 = hash(&kept).with_context(|| format!("read {}", kept.display()))?;
    Ok(KeptPackage {
        file: kept,
        version: version.clone(),
        architecture: architecture.to_owned(),
        sha256,
        signing_key: proof.fingerprint.clone(),
        proven_at: now,
    })
}

/// A second name for the same content where the file system can, else a copy.
fn place(file: &Path, kept: &Path) -> io::Result<()> {
    match fs::remove_file(kept) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        removed => removed?,
    }
    if fs::hard_link(file, kept).is_err() {
        fs::copy(file, kept)?;
    }
    File::open(kept)?.sync_all()?;
    kept.parent()
        .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn hash(file: &Path) -> io::Result<String> {
    let mut digest = Sha256::new();
    let mut file = BufReader::with_capacity(256 << 10, File::open(file)?);
    loop {
        let read = file.fill_buf()?;
        if read.is_empty() {
            break;
        }
        digest.update(read);
        let count = read.len();
        file.consume(count);
    }
    let mut text = String::new();
    for byte in digest.finalize() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

/// Whether the file still is what was proven. The error says what is wrong with it, in words.
pub fn check(package: &KeptPackage) -> Result<(), String> {
    match hash(&package.file) {
        Ok(found) if found == package.sha256 => Ok(()),
        Ok(_) => Err(format!(
            "{} in our cache is not what was proven any more",
            package.file.display()
        )),
        Err(error) => Err(format!("{}: {error}", package.file.display())),
    }
}

/// Whether a key that this host trusts for any repository was revoked since it proved the package.
/// A key that was replaced or has expired is no reason against what it proved in its time.
pub fn is_revoked(
    layout: &Layout,
    manager: &dyn PackageManager,
    fingerprint: &str,
    now: DateTime<Utc>,
) -> bool {
    let Ok(texts) = crate::host::configuration(layout, &manager.configuration_files()) else {
        return false;
    };
    let (entries, _) = manager.entries(&texts);
    entries.iter().any(|entry| {
        keys::trust(manager.kind(), entry, &[], None, layout).is_ok_and(|(trust, _)| {
            trust.keys(now).iter().any(|key| {
                key.fingerprint == fingerprint
                    && matches!(key.refusal, Some(Refusal::KeyRevoked(_)))
            })
        })
    })
}

/// The kept file of a version, if it is there and whole.
pub fn find<'a>(state: &'a AgentState, version: &NativeVersion) -> Option<&'a KeptPackage> {
    state
        .packages
        .iter()
        .find(|package| package.version == *version && check(package).is_ok())
}

/// Forgets, and removes, every file but those of the wanted versions, also from the private views.
pub fn tidy(
    (layout, agent): (&Layout, &str),
    package: &PackageName,
    state: &mut AgentState,
    wanted: &[&NativeVersion],
) {
    state
        .packages
        .retain(|kept| wanted.contains(&&kept.version));
    let names: Vec<_> = state
        .packages
        .iter()
        .filter_map(|kept| kept.file.file_name())
        .collect();
    remove_files(&layout.packages(agent), &|name| !names.contains(&name));
    // A file of another package whose name begins alike is fetched again when it is needed.
    let of_package = |name: &OsStr| {
        let is_package = Path::new(name)
            .extension()
            .is_some_and(|extension| extension == "deb" || extension == "rpm");
        let name = name.to_string_lossy();
        let rest = name.strip_prefix(package.as_str()).unwrap_or_default();
        is_package && rest.starts_with(['-', '_'])
    };
    remove_files(&layout.cache().join("views"), &|name| {
        of_package(name) && !names.contains(&name)
    });
}

/// Removes files in the folder and those below. What cannot be removed now is met again at the
/// next change.
fn remove_files(folder: &Path, unwanted: &dyn Fn(&OsStr) -> bool) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => remove_files(&entry.path(), unwanted),
            Ok(_) if unwanted(&entry.file_name()) => {
                let _ = fs::remove_file(entry.path());
            }
            _ => {}
        }
    }
}

/// Remembers a file in place of an earlier one of that version.
pub fn remember(state: &mut AgentState, package: KeptPackage) {
    state
        .packages
        .retain(|other| other.version != package.version);
    state.packages.push(package);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof() -> Proof {
        Proof {
            fingerprint: "AB".repeat(20),
            signed_at: DateTime::UNIX_EPOCH,
            key_expires: None,
        }
    }

    fn version(text: &str) -> NativeVersion {
        NativeVersion::debian(text).unwrap()
    }

    #[test]
    fn a_kept_file_is_found_until_it_changes_and_tidied_away() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        let mut state = AgentState::default();
        for number in ["1.0.0", "1.1.0"] {
            let file = root.path().join(format!("demo_{number}.deb"));
            fs::write(&file, number).unwrap();
            let now = DateTime::UNIX_EPOCH;
            let kept = keep(
                (&layout, "demo"),
                &file,
                (&version(number), "amd64"),
                &proof(),
                now,
            );
            remember(&mut state, kept.unwrap());
        }
        assert_eq!(
            find(&state, &version("1.1.0")).unwrap().architecture,
            "amd64"
        );
        assert!(find(&state, &version("1.2.0")).is_none());
        let file = find(&state, &version("1.0.0")).unwrap().file.clone();
        fs::write(&file, "9.0.0").unwrap();
        assert!(find(&state, &version("1.0.0")).is_none());
        let package = "demo".parse().unwrap();
        tidy(
            (&layout, "demo"),
            &package,
            &mut state,
            &[&version("1.1.0")],
        );
        assert!(!file.exists());
        assert_eq!(fs::read_dir(layout.packages("demo")).unwrap().count(), 1);
        assert_eq!(state.packages.len(), 1);
    }
}
