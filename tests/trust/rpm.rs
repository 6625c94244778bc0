//! From the signed index of an rpm repository to the package, and the package's own signature.

use crate::{OF_KEYS, TRUST, fixture, now, verdict};
use agent_updater::trust::rpm::{Nevra, Repomd, check_package, find_rpm};
use agent_updater::trust::{Proof, Refusal};
use std::io::Cursor;

fn repomd(folder: &str, signature: &str) -> Result<Repomd, Refusal> {
    let file = |name: &str| fixture(&format!("rpm/{folder}/{name}"));
    Repomd::signed(&file("repomd.xml"), &file(signature), &TRUST, now())
}

pub(crate) fn demo() -> Nevra {
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
