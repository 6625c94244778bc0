//! Signed texts, signatures, keys and packages: the keys are the fixtures', the input is not.

use crate::seeds::{at, files};
use agent_updater::trust::apt::Release;
use agent_updater::trust::rpm::{Nevra, check_package};
use agent_updater::trust::{Key, Keyring, Trust};
use chrono::{DateTime, Utc};
use std::io::Cursor;
use std::sync::LazyLock;

pub(super) static NOW: LazyLock<DateTime<Utc>> =
    LazyLock::new(|| "2026-06-01T00:00:00Z".parse().expect("an instant"));

/// All keys of the fixtures but the one that nobody trusts.
static TRUST: LazyLock<Trust> = LazyLock::new(|| {
    let mut keyring = Keyring::default();
    for key in files("tests/fixtures/trust/keys", |path| {
        path.ends_with(".gpg") && !path.ends_with("/wrong.gpg")
    }) {
        keyring.add("a fixture", &key).expect("a key");
    }
    Trust::new(keyring, &[])
});

static RELEASE: LazyLock<Vec<u8>> =
    LazyLock::new(|| std::fs::read(at("tests/fixtures/trust/apt/Release")).expect("a Release"));

static GENUINE: LazyLock<Vec<Release>> = LazyLock::new(|| {
    files("tests/fixtures/trust/apt", |path| {
        path.contains("/InRelease.")
    })
    .iter()
    .filter_map(|bytes| Release::inline(bytes, &TRUST, *NOW).ok())
    .collect()
});

/// Nothing passes but what the publisher signed: mutation makes no new text.
pub(super) fn inrelease(data: &[u8]) {
    assert!(!GENUINE.is_empty());
    if let Ok(release) = Release::inline(data, &TRUST, *NOW) {
        let same = |genuine: &Release| {
            genuine.date == release.date
                && genuine.suite == release.suite
                && genuine.valid_until == release.valid_until
                && genuine.files().eq(release.files())
        };
        assert!(GENUINE.iter().any(same), "{release:?}");
    }
}

pub(super) fn detached(data: &[u8]) {
    let _ = TRUST.detached("the index", &RELEASE, data, *NOW);
}

pub(super) fn keyring(data: &[u8]) {
    let mut keyring = Keyring::default();
    let _ = keyring.add("the input", data);
    let trust = Trust::new(keyring.clone(), &[]);
    let keys = trust.keys(*NOW);
    assert_eq!(keys.is_empty(), trust.is_empty());
    if let Some(key) = keys.first() {
        let mut narrowed = keyring.clone();
        narrowed.retain(std::slice::from_ref(&key.fingerprint));
        assert!(!narrowed.is_empty());
        keyring.join(narrowed);
        let again = Trust::new(keyring, &[]).keys(*NOW);
        let fingerprints = |keys: &[Key]| -> Vec<String> {
            keys.iter().map(|key| key.fingerprint.clone()).collect()
        };
        assert_eq!(fingerprints(&again), fingerprints(&keys));
    }
    static SIGNATURE: LazyLock<Vec<u8>> = LazyLock::new(|| {
        std::fs::read(at("tests/fixtures/trust/apt/Release.gpg.binary")).expect("a signature")
    });
    let _ = trust.detached("the index", &RELEASE, &SIGNATURE, *NOW);
}

/// From the second header to the end, which is what a signature and its checksum cover.
fn covered(package: &[u8]) -> &[u8] {
    let magic = [0x8e, 0xad, 0xe8, 0x01];
    let starts: Vec<usize> = package
        .windows(4)
        .enumerate()
        .filter(|(_, window)| *window == magic)
        .map(|(at, _)| at)
        .take(2)
        .collect();
    &package[starts[1]..]
}

static PACKAGES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    files("tests/fixtures/trust/rpm", |path| path.ends_with(".rpm"))
        .into_iter()
        .filter(|bytes| verdict(bytes))
        .map(|bytes| covered(&bytes).to_vec())
        .collect()
});

fn verdict(bytes: &[u8]) -> bool {
    let wanted = Nevra {
        name: "demo".into(),
        epoch: 1,
        version: "1.0.0".into(),
        release: "1".into(),
        architecture: "noarch".into(),
    };
    check_package(&mut Cursor::new(bytes), &wanted, None, &TRUST, *NOW).is_ok()
}

/// Nothing passes but a package whose header and payload are a signed one's.
pub(super) fn rpm_package(data: &[u8]) {
    assert!(!PACKAGES.is_empty());
    if verdict(data) {
        assert!(
            PACKAGES.iter().any(|genuine| data.ends_with(genuine)),
            "a package that nobody signed"
        );
    }
}
