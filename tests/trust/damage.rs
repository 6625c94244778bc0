//! What was cut off, altered or made up is never good, and does no harm.

use crate::rpm::demo;
use crate::{KEYS, TRUST, fixture, now, vouch};
use agent_updater::trust::apt::Release;
use agent_updater::trust::rpm::{Repomd, check_package, find_rpm};
use agent_updater::trust::{Keyring, Proof, Refusal, Trust};
use proptest::prelude::*;
use std::io::Cursor;

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
