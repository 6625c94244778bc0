//! Verdicts over repositories and packages made by the real tools (`tests/fixtures/trust/make`), as
//! of 2026-06-01, and beside `gpgv`.

#![allow(clippy::unwrap_used)]

mod apt;
mod damage;
mod gpgv;
mod rpm;
mod texts;

use agent_updater::trust::apt::Release;
use agent_updater::trust::digest::{Checksum, Expected};
use agent_updater::trust::{Keyring, Proof, Refusal, Trust};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

const KEYS: [&str; 12] = [
    "good",
    "ed25519",
    "small",
    "expired",
    "prolonged",
    "ends",
    "late",
    "revoked",
    "nistp256",
    "subkey",
    "subkey-expired",
    "subkey-revoked",
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/trust")
}

fn fixture(name: &str) -> Vec<u8> {
    fs::read(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn now() -> DateTime<Utc> {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

/// Every key but `wrong`.
fn keyring() -> Keyring {
    let mut keyring = Keyring::default();
    for key in KEYS {
        keyring
            .add(key, &fixture(&format!("keys/{key}.gpg")))
            .unwrap();
    }
    keyring
}

/// The fingerprint of each key, by the name of its file.
static FINGERPRINTS: LazyLock<BTreeMap<&str, String>> = LazyLock::new(|| {
    let of = |key: &'static str| {
        let mut keyring = Keyring::default();
        keyring
            .add(key, &fixture(&format!("keys/{key}.gpg")))
            .unwrap();
        let keys = Trust::new(keyring, &[]).keys(now());
        assert_eq!(keys.len(), 1);
        assert_eq!(keys[0].user_ids, [key]);
        (key, keys[0].fingerprint.clone())
    };
    KEYS.into_iter().chain(["wrong"]).map(of).collect()
});

static TRUST: LazyLock<Trust> = LazyLock::new(|| Trust::new(keyring(), &[]));

fn only(keys: &[&str]) -> Trust {
    let keys: Vec<String> = keys
        .iter()
        .map(|key| FINGERPRINTS[key].to_lowercase())
        .collect();
    Trust::new(keyring(), &keys)
}

fn inline(name: &str) -> Result<Release, Refusal> {
    Release::inline(&fixture(&format!("apt/InRelease.{name}")), &TRUST, now())
}

/// The name of the key, or of the refusal.
fn verdict(result: Result<Proof, Refusal>) -> String {
    match result {
        Ok(proof) => {
            let named = FINGERPRINTS
                .iter()
                .find(|(_, one)| **one == proof.fingerprint);
            named.map_or_else(|| proof.fingerprint.clone(), |(name, _)| (*name).to_owned())
        }
        Err(refusal) => {
            assert!(!refusal.hint("demo").is_empty() && !refusal.to_string().contains('\n'));
            let name = format!("{refusal:?}");
            name.split(|c: char| !c.is_alphanumeric())
                .next()
                .unwrap_or_default()
                .to_owned()
        }
    }
}

/// Key or case, and what is to come of it.
const OF_KEYS: [(&str, &str); 13] = [
    ("good", "good"),
    ("ed25519", "ed25519"),
    ("nistp256", "nistp256"),
    ("prolonged", "prolonged"),
    ("ends", "ends"),
    ("subkey", "subkey"),
    ("wrong", "UnknownKey"),
    ("small", "WeakSignature"),
    ("expired", "KeyExpired"),
    ("late", "KeyExpired"),
    ("revoked", "KeyRevoked"),
    ("subkey-expired", "KeyExpired"),
    ("subkey-revoked", "KeyRevoked"),
];

/// What vouches for bytes that a test makes up.
fn vouch(bytes: &[u8]) -> Expected {
    use sha2::Digest as _;
    let mut hex = String::new();
    for byte in sha2::Sha256::digest(bytes) {
        let _ = write!(hex, "{byte:02x}");
    }
    Expected {
        name: "Packages".to_owned(),
        size: Some(bytes.len() as u64),
        checksum: Checksum::sha256(&hex).unwrap(),
    }
}
