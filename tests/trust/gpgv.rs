//! Beside `gpgv`.

use crate::{KEYS, TRUST, fixture, folder};
use agent_updater::trust::apt::Release;
use chrono::Utc;
use std::fs;
use std::process::Command;

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
