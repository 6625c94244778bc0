//! From the signed index of an apt repository to the package.

use crate::{fixture, inline, verdict, vouch};
use agent_updater::trust::Refusal;
use agent_updater::trust::apt::find_deb;

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
