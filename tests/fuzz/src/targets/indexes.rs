//! Indexes behind their proof: the checksum is the input's own, so that its bytes are looked at.

use super::signatures::NOW;
use agent_updater::trust::Proof;
use agent_updater::trust::apt::{Release, find_deb, list_debs};
use agent_updater::trust::digest::{Checksum, Expected};
use agent_updater::trust::rpm::{Nevra, Repomd, find_rpm, list_rpms};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

fn expected(data: &[u8]) -> Expected {
    let hex = Sha256::digest(data)
        .iter()
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
    Expected {
        name: "the index".to_owned(),
        size: None,
        checksum: Checksum::sha256(&hex).expect("a checksum"),
    }
}

/// A location stays below the repository.
fn stays_below(file: &Expected) {
    assert!(
        !file.name.starts_with('/') && !file.name.split('/').any(|part| part == ".."),
        "{file:?}"
    );
}

pub(super) fn release(data: &[u8]) {
    let proof = Proof {
        fingerprint: "00".repeat(20),
        signed_at: *NOW,
        key_expires: None,
    };
    if let Ok(release) = Release::read(&String::from_utf8_lossy(data), proof, *NOW) {
        for file in release.files() {
            assert_eq!(release.file(&file.name), Some(file));
        }
    }
}

pub(super) fn packages(data: &[u8]) {
    let _ = list_debs(data, &expected(data), "demo");
    if let Ok(Some(found)) = find_deb(data, &expected(data), "demo", "1.0.0", "amd64") {
        stays_below(&found.file);
    }
}

pub(super) fn repomd(data: &[u8]) {
    if let Ok(index) = Repomd::unsigned(data, *NOW) {
        stays_below(&index.primary);
    }
}

pub(super) fn primary(data: &[u8]) {
    let wanted = Nevra {
        name: "demo".into(),
        epoch: 1,
        version: "1.0.0".into(),
        release: "1".into(),
        architecture: "noarch".into(),
    };
    let _ = list_rpms(data, &expected(data), "demo");
    if let Ok(Some(found)) = find_rpm(data, &expected(data), &wanted) {
        stays_below(&found.file);
    }
}
