//! Verdicts over repositories and packages made by the real tools (`tests/fixtures/trust/make`), as
//! of 2026-06-01, and beside `gpgv`.

#![allow(clippy::unwrap_used)]

use agent_updater::trust::apt::{Release, find_deb};
use agent_updater::trust::digest::{Checksum, Expected};
use agent_updater::trust::rpm::{Nevra, Repomd, check_package, find_rpm};
use agent_updater::trust::{Keyring, Proof, Refusal, Trust};
use chrono::{DateTime, Utc};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Cursor;
use std::path::PathBuf;
use std::process::Command;
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

/// The list of packages in the Release of the fixtures.
const PACKAGES: &str = "main/binary-amd64/Packages";

#[test]
fn from_the_release_to_the_deb() {
    let release = inline("good").unwrap();
    let expected = release.file(PACKAGES).unwrap();
    let packages = fixture("apt/Packages");
    let find = |name: &str, version: &str, architecture: &str| {
        find_deb(&packages[..], expected, name, version, architecture).unwrap()
    };
    let deb = find("demo", "1.0.0", "amd64").unwrap().file;
    assert_eq!(deb.name, "pool/main/demo_1.0.0_amd64.deb");
    deb.check(&fixture("apt/demo_1.0.0_amd64.deb")[..]).unwrap();
    for other in ["apt/altered.deb", "apt/demo_1.1.0_amd64.deb"] {
        let file = deb.name.clone();
        assert_eq!(
            deb.check(&fixture(other)[..]),
            Err(Refusal::HashMismatch { file })
        );
    }
    assert!(find("demo", "1:1.1.0", "amd64").is_some());
    for (name, version, architecture) in [
        ("demo", "1.1.0", "amd64"),
        ("demo", "1.0.0", "all"),
        ("dem", "1.0.0", "amd64"),
        ("demo", "1.0", "amd64"),
    ] {
        assert_eq!(find(name, version, architecture), None);
    }
    let altered = find_deb(
        &fixture("apt/Packages.altered")[..],
        expected,
        "demo",
        "1.0.9",
        "amd64",
    );
    let file = PACKAGES.to_owned();
    assert_eq!(altered, Err(Refusal::HashMismatch { file }));
}

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

#[test]
fn stanzas_that_mean_two_things_are_refused() {
    let text = String::from_utf8(fixture("apt/Packages")).unwrap();
    let one = text.split("\n\n").next().unwrap();
    let find = |text: &str| {
        let found = find_deb(
            text.as_bytes(),
            &vouch(text.as_bytes()),
            "demo",
            "1.0.0",
            "amd64",
        );
        match found {
            Ok(found) => format!("{}", found.is_some()),
            Err(refusal) => verdict(Err(refusal)),
        }
    };
    assert_eq!(find(one), "true");
    assert_eq!(find(&format!("{one}\n\n{one}\n")), "Malformed");
    assert_eq!(find(&format!("{one}\nfilename: other.deb\n")), "Malformed");
    assert_eq!(find(&format!("{one}\nVERSION: 1.0.0\n")), "Malformed");
    assert_eq!(
        find(&one.replace("Filename: pool", "Filename: ../pool")),
        "Malformed"
    );
    assert_eq!(
        find(&one.replace("Filename: pool", "Filename: /pool")),
        "Malformed"
    );
    assert_eq!(find(&one.replace("SHA256: ", "SHA256: 0")), "Malformed");
    assert_eq!(find(&one.replace("\nSize: ", "\nSize: +")), "Malformed");
    assert_eq!(find(&one.replace("\nSHA256: ", "\nOther: ")), "Malformed");
    assert_eq!(find(&one.replace("\nVersion: ", "\n Version: ")), "false");
    assert_eq!(find(&format!("no field\n\n{one}\n")), "Malformed");
    assert_eq!(
        find(&format!("X: {}\n{one}\n", "x".repeat(2 << 20))),
        "Malformed"
    );
}

fn repomd(folder: &str, signature: &str) -> Result<Repomd, Refusal> {
    let file = |name: &str| fixture(&format!("rpm/{folder}/{name}"));
    Repomd::signed(&file("repomd.xml"), &file(signature), &TRUST, now())
}

fn demo() -> Nevra {
    Nevra {
        name: "demo".to_owned(),
        epoch: 1,
        version: "1.0.0".to_owned(),
        release: "1".to_owned(),
        architecture: "noarch".to_owned(),
    }
}

#[test]
fn from_repomd_to_the_rpm() {
    for (case, expected) in OF_KEYS {
        let result = repomd("gzip", &format!("repomd.xml.asc.{case}"));
        let proof = result.map(|repomd| repomd.proof.unwrap());
        assert_eq!(verdict(proof.clone()), expected, "{case}: {proof:?}");
    }
    let found = |folder: &str, signature: &str, primary: &str, wanted: &Nevra| {
        let repomd = repomd(folder, signature).unwrap();
        find_rpm(
            &fixture(&format!("rpm/{folder}/{primary}"))[..],
            &repomd.primary,
            wanted,
        )
    };
    for (folder, signature, primary) in [
        ("gzip", "repomd.xml.asc.good", "primary.xml.gz"),
        ("zstd", "repomd.xml.asc", "primary.xml.zst"),
    ] {
        let rpm = found(folder, signature, primary, &demo()).unwrap().unwrap();
        assert_eq!(rpm.file.name, "demo-1.0.0-1.noarch.rpm");
        rpm.file.check(&fixture("rpm/good.rpm")[..]).unwrap();
        let epoch = Nevra { epoch: 0, ..demo() };
        assert_eq!(found(folder, signature, primary, &epoch), Ok(None));
    }
    let other = found(
        "gzip",
        "repomd.xml.asc.good",
        "../older/primary.xml.gz",
        &demo(),
    );
    assert!(other.is_ok(), "the same packages");
    let other = found(
        "gzip",
        "repomd.xml.asc.good",
        "../rebuilt/primary.xml.gz",
        &demo(),
    );
    assert_eq!(verdict(other.map(|_| unreachable!())), "HashMismatch");
    let dates = ["older", "gzip"].map(|folder| {
        let bytes = fixture(&format!("rpm/{folder}/repomd.xml"));
        Repomd::unsigned(&bytes, now()).unwrap().date
    });
    assert!(dates[0] < dates[1]);
    let unsigned = Repomd::signed(&fixture("rpm/gzip/repomd.xml"), b"", &TRUST, now());
    assert_eq!(verdict(unsigned.map(|_| unreachable!())), "NotSigned");
}

fn package(name: &str) -> Result<Proof, Refusal> {
    check_package(
        &mut Cursor::new(fixture(&format!("rpm/{name}.rpm"))),
        &demo(),
        None,
        &TRUST,
        now(),
    )
}

#[test]
fn rpms_by_their_own_signature() {
    let others = [
        ("both", "good"),
        ("trixie", "good"),
        ("trixie-ed25519", "ed25519"),
        ("unsigned", "NotSigned"),
        ("altered", "HashMismatch"),
    ];
    let of_keys = OF_KEYS
        .into_iter()
        .filter(|(key, _)| !["small", "nistp256"].contains(key));
    for (case, expected) in of_keys.chain(others) {
        let result = package(case);
        assert_eq!(verdict(result.clone()), expected, "{case}: {result:?}");
    }
}

#[test]
fn an_altered_rpm_in_metadata_made_for_it() {
    let repomd = repomd("rebuilt", "repomd.xml.asc").unwrap();
    let primary = fixture("rpm/rebuilt/primary.xml.gz");
    let listed = find_rpm(&primary[..], &repomd.primary, &demo())
        .unwrap()
        .unwrap()
        .file;
    let check = |name: &str| {
        let mut file = Cursor::new(fixture(&format!("rpm/{name}.rpm")));
        verdict(check_package(
            &mut file,
            &demo(),
            Some(&listed),
            &TRUST,
            now(),
        ))
    };
    listed.check(&fixture("rpm/altered.rpm")[..]).unwrap();
    assert_eq!(check("altered"), "HashMismatch");
    // The right package, but not the one that the index lists.
    assert_eq!(check("good"), "HashMismatch");
}

#[test]
fn an_rpm_under_another_name_is_another_package() {
    let other = |change: fn(&mut Nevra)| {
        let mut wanted = demo();
        change(&mut wanted);
        let mut file = Cursor::new(fixture("rpm/good.rpm"));
        verdict(check_package(&mut file, &wanted, None, &TRUST, now()))
    };
    assert_eq!(other(|_| {}), "good");
    assert_eq!(
        other(|wanted| wanted.name = "demo2".to_owned()),
        "HashMismatch"
    );
    assert_eq!(other(|wanted| wanted.epoch = 0), "HashMismatch");
    assert_eq!(
        other(|wanted| wanted.version = "1.0.1".to_owned()),
        "HashMismatch"
    );
    assert_eq!(
        other(|wanted| wanted.release = "2".to_owned()),
        "HashMismatch"
    );
    assert_eq!(
        other(|wanted| wanted.architecture = "x86_64".to_owned()),
        "HashMismatch"
    );
}

/// Gives another name to a tag of the signature header, which no signature covers.
fn without(bytes: &[u8], tag: u32) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let entries = u32::from_be_bytes(bytes[104..108].try_into().unwrap()) as usize;
    for at in (0..entries).map(|index| 112 + 16 * index) {
        if bytes[at..at + 4] == tag.to_be_bytes() {
            bytes[at..at + 4].copy_from_slice(&9999_u32.to_be_bytes());
        }
    }
    bytes
}

#[test]
fn an_rpm_signed_as_a_whole_only() {
    let check = |bytes: Vec<u8>| {
        verdict(check_package(
            &mut Cursor::new(bytes),
            &demo(),
            None,
            &TRUST,
            now(),
        ))
    };
    let old = without(&fixture("rpm/both.rpm"), 268);
    assert_eq!(check(old.clone()), "good");
    let mut altered = old.clone();
    *altered.last_mut().unwrap() ^= 1;
    assert_eq!(check(altered), "BadSignature");
    let mut longer = old;
    longer.push(0);
    assert_eq!(check(longer), "BadSignature");
    assert_eq!(check(without(&fixture("rpm/good.rpm"), 268)), "NotSigned");
}

/// Our word beside that of `gpgv`, at the real time: never laxer, and stricter only where said.
#[test]
#[allow(clippy::disallowed_methods)] // gpgv has no other clock
fn beside_gpgv() {
    if Command::new("gpgv").arg("--version").output().is_err() {
        eprintln!("SKIPPED: gpgv is not installed");
        return;
    }
    let stricter = [
        "sha1",
        "small",
        "over",
        "glued-before",
        "glued-after",
        "critical",
    ];
    let real_now = Utc::now();
    let scratch = tempfile::tempdir().unwrap();
    let ring = scratch.path().join("ring.gpg");
    let all: Vec<u8> = KEYS
        .iter()
        .flat_map(|key| fixture(&format!("keys/{key}.gpg")))
        .collect();
    fs::write(&ring, all).unwrap();
    let mut compared = 0;
    for entry in fs::read_dir(folder().join("apt")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let Some(case) = name.strip_prefix("InRelease.") else {
            continue;
        };
        let output = Command::new("gpgv")
            .args(["--status-fd", "1", "--keyring"])
            .arg(&ring)
            .arg(&path)
            .output()
            .unwrap();
        let status = String::from_utf8_lossy(&output.stdout).into_owned();
        let said = |word: &str| {
            status
                .lines()
                .any(|line| line.split(' ').nth(1) == Some(word))
        };
        let good = said("GOODSIG")
            && !["EXPKEYSIG", "REVKEYSIG", "EXPSIG", "BADSIG"]
                .iter()
                .any(|word| said(word));
        let primary = status
            .lines()
            .find(|line| line.contains(" VALIDSIG "))
            .and_then(|line| line.split(' ').next_back());
        let ours = Release::inline(&fs::read(&path).unwrap(), &TRUST, real_now);
        match &ours {
            Ok(release) => {
                assert!(good, "{case}: we accept what gpgv says of: {status}");
                assert_eq!(Some(release.proof.fingerprint.as_str()), primary, "{case}");
            }
            Err(refusal) => {
                assert!(
                    !good || stricter.contains(&case),
                    "{case}: {refusal}, and gpgv: {status}"
                );
            }
        }
        compared += 1;
    }
    assert!(compared > 20);
}

/// Everything that is good, as bytes and a judge of them.
type Judge = fn(&[u8]) -> Result<Proof, Refusal>;

fn good_cases() -> Vec<(&'static str, Vec<u8>, Judge)> {
    let inline: Judge = |bytes| Release::inline(bytes, &TRUST, now()).map(|release| release.proof);
    let signature: Judge = |bytes| {
        Repomd::signed(&fixture("rpm/gzip/repomd.xml"), bytes, &TRUST, now())
            .map(|repomd| repomd.proof.unwrap())
    };
    let rpm: Judge = |bytes| check_package(&mut Cursor::new(bytes), &demo(), None, &TRUST, now());
    vec![
        ("InRelease", fixture("apt/InRelease.ed25519"), inline),
        (
            "repomd.xml.asc",
            fixture("rpm/gzip/repomd.xml.asc.subkey"),
            signature,
        ),
        ("rpm", fixture("rpm/ed25519.rpm"), rpm),
    ]
}

/// Bytes without meaning: armor and text forgive blanks at an end, nothing else.
fn says_the_same(name: &str, whole: &[u8], other: &[u8]) -> bool {
    let trimmed = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        text.lines()
            .map(str::trim_end)
            .collect::<Vec<_>>()
            .join("\n")
            .trim_end()
            .to_owned()
    };
    name != "rpm" && trimmed(whole) == trimmed(other)
}

#[test]
fn nothing_that_is_cut_off_is_good() {
    for (name, bytes, judge) in good_cases() {
        judge(&bytes).unwrap();
        for length in 0..bytes.len() {
            let cut = &bytes[..length];
            assert!(
                judge(cut).is_err() || says_the_same(name, &bytes, cut),
                "{name} cut to {length} of {}",
                bytes.len()
            );
        }
    }
    let key = fixture("keys/subkey.gpg");
    for length in 0..key.len() {
        let _ = Keyring::default().add("a file", &key[..length]);
    }
}

/// What a signature does not cover: in an `InRelease` the headers and the armor, in a package the lead,
/// and of the signature header what is not the signature.
fn is_covered(name: &str, bytes: &[u8], at: usize) -> bool {
    match name {
        "InRelease" => {
            let text = String::from_utf8_lossy(bytes);
            at > text.find("\n\n").unwrap() && at < text.find("-----BEGIN PGP SIGNATURE").unwrap()
        }
        "rpm" => {
            let number =
                |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
            let end = 112 + 16 * number(104) + number(108);
            at >= end.next_multiple_of(8)
        }
        _ => false,
    }
}

proptest! {
    #[test]
    fn a_changed_byte_is_seen_and_nothing_panics(
        case in 0_usize..3,
        at in any::<prop::sample::Index>(),
        bit in 0_u32..8,
    ) {
        let (name, mut bytes, judge) = good_cases().swap_remove(case);
        let at = at.index(bytes.len());
        let whole = bytes.clone();
        bytes[at] ^= 1 << bit;
        let result = judge(&bytes);
        if is_covered(name, &whole, at) && !says_the_same(name, &whole, &bytes) {
            prop_assert!(result.is_err(), "{} at {}", name, at);
        }
    }

    #[test]
    fn a_bad_case_never_turns_good(
        case in prop::sample::select(vec!["expired", "late", "revoked", "wrong", "small", "subkey-revoked", "altered"]),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = fixture(&format!("apt/InRelease.{case}"));
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        prop_assert!(Release::inline(&bytes, &TRUST, now()).is_err());
    }

    #[test]
    fn strange_keys_do_no_harm(
        key in prop::sample::select(&KEYS[..]),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = fixture(&format!("keys/{key}.gpg"));
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let mut keyring = Keyring::default();
        if keyring.add("a file", &bytes).is_ok() {
            let trust = Trust::new(keyring, &[]);
            let _ = trust.keys(now());
            let _ = Release::inline(&fixture(&format!("apt/InRelease.{key}")), &trust, now());
        }
    }

    #[test]
    fn strange_metadata_do_no_harm(
        file in prop::sample::select(vec!["gzip/primary.xml.gz", "zstd/primary.xml.zst", "gzip/repomd.xml"]),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
    ) {
        let mut bytes = fixture(&format!("rpm/{file}"));
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let _ = Repomd::unsigned(&bytes, now());
        let _ = find_rpm(&bytes[..], &vouch(&bytes), &demo());
    }
}
