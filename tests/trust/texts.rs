//! Signed texts and the keys that sign them.

use crate::{FINGERPRINTS, OF_KEYS, TRUST, fixture, inline, now, only, verdict};
use agent_updater::trust::apt::Release;
use agent_updater::trust::{Keyring, Trust};

#[test]
fn signed_texts() {
    let others = [
        ("sha512", "good"),
        ("dashes", "good"),
        ("older", "good"),
        // The first of the two signatures is by a key that nobody knows.
        ("two-keys", "good"),
        ("sha1", "WeakSignature"),
        ("over", "Expired"),
        ("ended", "Expired"),
        ("future", "FromTheFuture"),
        ("critical", "Malformed"),
        ("altered", "BadSignature"),
        ("glued-before", "Malformed"),
        ("glued-after", "Malformed"),
    ];
    for (case, expected) in OF_KEYS.into_iter().chain(others) {
        let result = inline(case).map(|release| release.proof);
        assert_eq!(verdict(result.clone()), expected, "{case}: {result:?}");
    }
    let release = Release::inline(&fixture("apt/Release"), &TRUST, now());
    assert_eq!(verdict(release.map(|release| release.proof)), "NotSigned");
}

#[test]
fn a_proof_says_when_and_until_when() {
    let proof = inline("ends").unwrap().proof;
    assert_eq!(proof.signed_at.to_rfc3339(), "2026-03-01T12:00:00+00:00");
    assert_eq!(
        proof.key_expires.unwrap().date_naive().to_string(),
        "2026-12-01"
    );
    assert_eq!(inline("good").unwrap().proof.key_expires, None);
    // The same signature, after the key's end.
    let bytes = fixture("apt/InRelease.ends");
    let later = Release::inline(&bytes, &TRUST, "2026-12-01T00:00:01Z".parse().unwrap());
    assert_eq!(verdict(later.map(|release| release.proof)), "KeyExpired");
    // Before it was made, by more than clocks may differ.
    let earlier = Release::inline(&bytes, &TRUST, "2026-02-27T00:00:00Z".parse().unwrap());
    assert_eq!(
        verdict(earlier.map(|release| release.proof)),
        "FromTheFuture"
    );
}

#[test]
fn detached_signatures_armored_and_binary() {
    let bytes = fixture("apt/Release");
    for signature in ["apt/Release.gpg", "apt/Release.gpg.binary"] {
        let release = Release::detached(&bytes, &fixture(signature), &TRUST, now()).unwrap();
        assert_eq!(release.proof.fingerprint, FINGERPRINTS["good"]);
        assert_eq!(release.suite.as_deref(), Some("stable"));
        let mut altered = bytes.clone();
        altered.push(b'\n');
        let refused = Release::detached(&altered, &fixture(signature), &TRUST, now());
        assert_eq!(
            verdict(refused.map(|release| release.proof)),
            "BadSignature"
        );
    }
    let unsigned = Release::detached(&bytes, b"\n", &TRUST, now());
    assert_eq!(verdict(unsigned.map(|release| release.proof)), "NotSigned");
}

#[test]
fn signing_keys_narrow_and_never_widen() {
    let verdict_of = |trust: &Trust, case: &str| {
        let bytes = fixture(&format!("apt/InRelease.{case}"));
        verdict(Release::inline(&bytes, trust, now()).map(|release| release.proof))
    };
    let trust = only(&["ed25519"]);
    assert_eq!(verdict_of(&trust, "ed25519"), "ed25519");
    assert_eq!(verdict_of(&trust, "good"), "NotTrusted");
    assert_eq!(verdict_of(&only(&["wrong"]), "wrong"), "UnknownKey");
    assert_eq!(verdict_of(&only(&["revoked"]), "revoked"), "KeyRevoked");
}

#[test]
fn key_files_in_every_form() {
    let (binary, armored) = (fixture("keys/good.gpg"), fixture("keys/good.asc"));
    let mut with_words = b"The key of Demo\n\n".to_vec();
    with_words.extend(&armored);
    with_words.extend(b"and another\n");
    with_words.extend(&armored);
    let mut two = binary.clone();
    two.extend(fixture("keys/ed25519.gpg"));
    for (bytes, count) in [
        (binary.clone(), 1),
        (armored.clone(), 1),
        (with_words, 1),
        (two, 2),
    ] {
        let mut keyring = Keyring::default();
        keyring.add("a file", &bytes).unwrap();
        assert_eq!(Trust::new(keyring, &[]).keys(now()).len(), count);
    }
    let mut keybox = vec![0; 32];
    keybox[8..12].copy_from_slice(b"KBXf");
    for bad in [
        &b""[..],
        b"hello",
        &binary[..binary.len() - 1],
        &armored[..200],
        &keybox,
    ] {
        assert!(Keyring::default().add("a file", bad).is_err());
    }
}

#[test]
fn a_revocation_in_any_of_the_files_counts() {
    // The key as it was before, from another file: without the signatures of type 0x20.
    let whole = fixture("keys/revoked.gpg");
    let mut before = Vec::new();
    let mut rest = &whole[..];
    while !rest.is_empty() {
        assert_eq!(
            rest[0] & 0xc3,
            0x80,
            "gpg writes old headers with one byte of length"
        );
        let packet = &rest[..2 + usize::from(rest[1])];
        if !(packet[0] == 0x88 && packet[3] == 0x20) {
            before.extend_from_slice(packet);
        }
        rest = &rest[packet.len()..];
    }
    assert!(before.len() < whole.len());
    let bytes = fixture("apt/InRelease.revoked");
    let judge = |files: &[&[u8]]| {
        let mut keyring = Keyring::default();
        for file in files {
            keyring.add("a file", file).unwrap();
        }
        let trust = Trust::new(keyring, &[]);
        verdict(Release::inline(&bytes, &trust, now()).map(|release| release.proof))
    };
    assert_eq!(judge(&[&before]), "revoked");
    assert_eq!(judge(&[&before, &whole]), "KeyRevoked");
    assert_eq!(judge(&[&whole, &before]), "KeyRevoked");
}
