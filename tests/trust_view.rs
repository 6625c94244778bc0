//! From a private view as a package manager leaves it to the proofs of index and package. The
//! folders are named as apt 2.6, dnf 4.14 and zypper 1.14 name them.

#![allow(clippy::unwrap_used)]

use adapters::{
    Change, ManagerKind, NativeVersion, PackageManager, PackageName, PrivateView, RepositoryEntry,
};
use agent_updater::state::Layout;
use agent_updater::trust::keys::{Database, needs_database, trust};
use agent_updater::trust::view::{Index, Metadata, Unproven, downloaded, index};
use agent_updater::trust::{Proof, Refusal, Trust};
use chrono::{DateTime, Utc};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn fixture(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/trust");
    fs::read(path.join(name)).unwrap()
}

fn now() -> DateTime<Utc> {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

/// A host with a view of one repository.
struct Host {
    root: TempDir,
    kind: ManagerKind,
    entry: RepositoryEntry,
    view: PrivateView,
    change: Change,
}

const KEY: &str = "/etc/keys/demo.asc";

impl Host {
    fn new(kind: ManagerKind) -> Self {
        let root = tempfile::tempdir().unwrap();
        let entry = RepositoryEntry {
            id: "demo".to_owned(),
            urls: vec!["http://10.213.0.1/demo/apt".to_owned()],
            suite: "stable".to_owned(),
            key_files: vec![KEY.into()],
            ..RepositoryEntry::default()
        };
        let package = PackageName::parse("demo").unwrap();
        let folder = root.path().join("view");
        let manager: &dyn PackageManager = match kind {
            ManagerKind::Apt => &adapters::Apt,
            ManagerKind::Yum => &adapters::Yum::new("dnf"),
            ManagerKind::Zypper => &adapters::Zypper,
        };
        let view = manager.private_view(&entry, &package, &folder);
        let (from, to, architecture) = match kind {
            ManagerKind::Apt => ("1.0.0", NativeVersion::debian("1:1.1.0").unwrap(), "amd64"),
            _ => (
                "0.9.0-1",
                NativeVersion::rpm("1:1.0.0-1").unwrap(),
                "noarch",
            ),
        };
        let from = match kind {
            ManagerKind::Apt => NativeVersion::debian(from).unwrap(),
            _ => NativeVersion::rpm(from).unwrap(),
        };
        let change = Change {
            package,
            from,
            to,
            architecture: architecture.to_owned(),
        };
        let host = Self {
            root,
            kind,
            entry,
            view,
            change,
        };
        host.put(&host.root.path().join(&KEY[1..]), "keys/good.asc");
        let at = |inside: &str| host.view.path(inside);
        match kind {
            ManagerKind::Apt => {
                let lists = "lists/10.213.0.1_demo_apt_dists_stable_";
                host.put(&at(&format!("{lists}InRelease")), "apt/InRelease.good");
                host.put(
                    &at(&format!("{lists}main_binary-amd64_Packages")),
                    "apt/Packages",
                );
                host.put(
                    &at("cache/archives/demo_1%3a1.1.0_amd64.deb"),
                    "apt/demo_1.1.0_amd64.deb",
                );
                fs::write(at("lists/lock"), "").unwrap();
            }
            ManagerKind::Yum => {
                let cache = "cache/demo-a81fd00e975fa5dd";
                host.put_metadata(&at(&format!("{cache}/repodata")));
                let package = format!("{cache}/packages/demo-1.0.0-1.noarch.rpm");
                host.put(&at(&package), "rpm/good.rpm");
            }
            ManagerKind::Zypper => {
                host.put_metadata(&at("cache/raw/demo/repodata"));
                host.put(
                    &at("cache/packages/demo/demo-1.0.0-1.noarch.rpm"),
                    "rpm/good.rpm",
                );
            }
        }
        host
    }

    fn put(&self, path: &Path, name: &str) {
        assert!(path.starts_with(self.root.path()));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, fixture(name)).unwrap();
    }

    fn put_metadata(&self, folder: &Path) {
        self.put(&folder.join("repomd.xml"), "rpm/gzip/repomd.xml");
        self.put(
            &folder.join("repomd.xml.asc"),
            "rpm/gzip/repomd.xml.asc.good",
        );
        self.put(&folder.join("primary.xml.gz"), "rpm/gzip/primary.xml.gz");
    }

    fn trust(
        &self,
        signing_keys: &[String],
        database: Option<&Database>,
    ) -> Result<Trust, Unproven> {
        let layout = Layout::new(self.root.path());
        trust(self.kind, &self.entry, signing_keys, database, &layout).map(|(trust, _)| trust)
    }

    fn index(&self, metadata: Metadata) -> Result<Index, Unproven> {
        index(
            &self.view,
            self.kind,
            metadata,
            &self.trust(&[], None)?,
            now(),
        )
    }

    /// The versions that the proven index offers, with their architectures.
    fn offered(&self, package: &str) -> Vec<String> {
        let index = self.index(Metadata::Signed).unwrap();
        let package = PackageName::parse(package).unwrap();
        let offered = index.offered(&package).unwrap();
        let written =
            |one: &adapters::Offered| format!("{} {}", one.version.as_str(), one.architecture);
        offered.iter().map(written).collect()
    }

    /// The whole chain: index, package in it, file.
    fn prove(&self, metadata: Metadata) -> Result<Proof, Unproven> {
        let index = self.index(metadata)?;
        let listed = index.package(&self.change)?;
        let path = downloaded(&self.view, self.kind, &listed, &self.change)?;
        index.file(&listed, &path, &self.change, &self.trust(&[], None)?, now())
    }

    /// The one file below the view whose name ends so.
    fn file(&self, end: &str) -> PathBuf {
        let mut folders = vec![self.view.folder.clone()];
        let mut found = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.to_string_lossy().ends_with(end) {
                    found.push(path);
                }
            }
        }
        assert_eq!(found.len(), 1, "{end}: {found:?}");
        found.remove(0)
    }
}

const MANAGERS: [ManagerKind; 3] = [ManagerKind::Apt, ManagerKind::Yum, ManagerKind::Zypper];

fn refusal(result: Result<impl Sized, Unproven>) -> Refusal {
    match result {
        Ok(_) => panic!("it was accepted"),
        Err(Unproven::Refused(refusal)) => refusal,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn the_whole_chain() {
    for kind in MANAGERS {
        let proof = Host::new(kind).prove(Metadata::Signed).unwrap();
        let index = Host::new(kind).index(Metadata::Signed).unwrap();
        assert_eq!(index.of_another_suite("stable"), None);
        let other = (kind == ManagerKind::Apt).then(|| "stable".to_owned());
        assert_eq!(index.of_another_suite("testing"), other);
        assert_eq!(
            proof.signed_at.to_rfc3339(),
            "2026-03-01T12:00:00+00:00",
            "{kind}"
        );
    }
}

#[test]
fn what_is_offered_is_read_from_the_proven_index_alone() {
    let apt = Host::new(ManagerKind::Apt);
    assert_eq!(apt.offered("demo"), ["1.0.0 amd64", "1:1.1.0 amd64"]);
    for kind in [ManagerKind::Yum, ManagerKind::Zypper] {
        assert_eq!(Host::new(kind).offered("demo"), ["1:1.0.0-1 noarch"]);
    }
    for kind in MANAGERS {
        let host = Host::new(kind);
        assert_eq!(host.offered("dem"), Vec::<String>::new(), "{kind}");
        let index = host.index(Metadata::Signed).unwrap();
        let list = match kind {
            ManagerKind::Apt => host.file("_Packages"),
            _ => host.file("primary.xml.gz"),
        };
        let mut bytes = fs::read(&list).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&list, bytes).unwrap();
        let offered = index.offered(&host.change.package);
        assert!(
            matches!(offered, Err(Unproven::Refused(_))),
            "{kind}: {offered:?}"
        );
    }
}

#[test]
fn each_altered_file_is_refused() {
    let altered = |kind, end: &str| {
        let host = Host::new(kind);
        let path = host.file(end);
        let mut bytes = fs::read(&path).unwrap();
        // In a text that is signed in place, not in its signature.
        let word = bytes.windows(7).position(|window| window == b"Suite: ");
        let at = word.unwrap_or(bytes.len() / 2);
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
        refusal(host.prove(Metadata::IfSigned))
    };
    for (kind, ends) in [
        (ManagerKind::Apt, ["InRelease", "Packages", ".deb"]),
        (ManagerKind::Yum, ["repomd.xml", "primary.xml.gz", ".rpm"]),
        (
            ManagerKind::Zypper,
            ["repomd.xml", "primary.xml.gz", ".rpm"],
        ),
    ] {
        for end in ends {
            let refusal = altered(kind, end);
            let is_right = matches!(
                (end, &refusal),
                ("InRelease" | "repomd.xml", Refusal::BadSignature(_))
                    | (
                        "Packages" | ".deb" | "primary.xml.gz" | ".rpm",
                        Refusal::HashMismatch { .. }
                    )
            );
            assert!(is_right, "{kind} {end}: {refusal:?}");
        }
    }
}

#[test]
fn each_missing_file_is_told() {
    for (kind, end) in [
        (ManagerKind::Apt, "InRelease"),
        (ManagerKind::Apt, "Packages"),
        (ManagerKind::Yum, "repomd.xml"),
        (ManagerKind::Zypper, "primary.xml.gz"),
    ] {
        let host = Host::new(kind);
        fs::remove_file(host.file(end)).unwrap();
        assert!(
            matches!(refusal(host.prove(Metadata::Signed)), Refusal::NotListed(_)),
            "{kind} {end}"
        );
    }
    let host = Host::new(ManagerKind::Yum);
    fs::remove_file(host.file(".rpm")).unwrap();
    assert!(matches!(
        host.prove(Metadata::Signed),
        Err(Unproven::Unreadable(_))
    ));
}

#[test]
fn a_release_with_its_signature_beside_it() {
    let host = Host::new(ManagerKind::Apt);
    let path = host.file("InRelease");
    let beside = path.with_file_name("10.213.0.1_demo_apt_dists_stable_Release");
    fs::remove_file(&path).unwrap();
    host.put(&beside, "apt/Release");
    assert!(matches!(
        refusal(host.prove(Metadata::Signed)),
        Refusal::NotSigned(_)
    ));
    host.put(
        &beside.with_file_name("10.213.0.1_demo_apt_dists_stable_Release.gpg"),
        "apt/Release.gpg",
    );
    host.prove(Metadata::Signed).unwrap();
}

#[test]
fn unsigned_metadata_are_a_choice_and_unsigned_packages_none() {
    for kind in [ManagerKind::Yum, ManagerKind::Zypper] {
        let host = Host::new(kind);
        fs::remove_file(host.file("repomd.xml.asc")).unwrap();
        assert!(matches!(
            refusal(host.prove(Metadata::Signed)),
            Refusal::NotSigned(_)
        ));
        assert!(host.index(Metadata::IfSigned).unwrap().proof.is_none());
        host.prove(Metadata::IfSigned).unwrap();

        let host = Host::new(kind);
        host.put(&host.file(".rpm"), "rpm/unsigned.rpm");
        // Not the one that the index lists, either; so look at the package alone.
        assert!(matches!(
            refusal(host.prove(Metadata::IfSigned)),
            Refusal::HashMismatch { .. }
        ));
    }
}

#[test]
fn the_keys_of_the_host_and_no_others() {
    let fingerprint = Host::new(ManagerKind::Apt)
        .prove(Metadata::Signed)
        .unwrap()
        .fingerprint;
    let judge = |host: &Host| host.prove(Metadata::Signed).map(|proof| proof.fingerprint);

    // The file is gone.
    let mut host = Host::new(ManagerKind::Apt);
    fs::remove_file(host.root.path().join(&KEY[1..])).unwrap();
    assert!(matches!(refusal(judge(&host)), Refusal::NoKey(_)));
    // Another key is in it.
    host.put(&host.root.path().join(&KEY[1..]), "keys/wrong.gpg");
    assert!(matches!(refusal(judge(&host)), Refusal::UnknownKey(_)));
    // The key stands in the entry.
    host.entry.key_files.clear();
    host.entry.embedded_key = Some(String::from_utf8(fixture("keys/good.asc")).unwrap());
    assert_eq!(judge(&host).unwrap(), fingerprint);

    // No key in the entry: those that apt trusts for everything, a damaged file among them.
    host.entry.embedded_key = None;
    assert!(matches!(refusal(judge(&host)), Refusal::NoKey(_)));
    let folder = host.root.path().join("etc/apt/trusted.gpg.d");
    host.put(&folder.join("demo.gpg"), "keys/good.gpg");
    host.put(&folder.join("ed25519.gpg"), "keys/ed25519.gpg");
    host.put(&folder.join("wrong.gpg~"), "keys/wrong.gpg");
    fs::write(folder.join("damaged.asc"), "nothing").unwrap();
    assert_eq!(judge(&host).unwrap(), fingerprint);
    // Narrowed by a fingerprint in Signed-By.
    host.entry.key_fingerprints = vec![format!("{}!", fingerprint.to_lowercase())];
    assert_eq!(judge(&host).unwrap(), fingerprint);
    host.entry.key_fingerprints = vec!["0".repeat(40)];
    assert!(matches!(refusal(judge(&host)), Refusal::NoKey(_)));
}

#[test]
fn remote_keys_are_looked_up_in_the_database() {
    let fingerprint = Host::new(ManagerKind::Yum)
        .prove(Metadata::Signed)
        .unwrap()
        .fingerprint;
    let mut host = Host::new(ManagerKind::Yum);
    assert!(!needs_database(host.kind, &host.entry));
    host.entry.key_files.clear();
    assert!(needs_database(host.kind, &host.entry));
    let keys = String::from_utf8(fixture("keys/good.asc")).unwrap();
    let database = |signer: Option<&str>| Database {
        keys: keys.clone(),
        signer: signer.map(str::to_owned),
    };
    let names = |signing_keys: &[String], signer: Option<&str>| {
        let trust = host.trust(signing_keys, Some(&database(signer)))?;
        let index = index(&host.view, host.kind, Metadata::Signed, &trust, now())?;
        Ok(index.proof.unwrap().fingerprint)
    };
    // The key that signed the installed package; or the one that `signing_keys` names.
    let id = fingerprint[24..].to_lowercase();
    assert_eq!(names(&[], Some(&id)).unwrap(), fingerprint);
    assert_eq!(
        names(std::slice::from_ref(&fingerprint), None).unwrap(),
        fingerprint
    );
    assert!(matches!(refusal(names(&[], None)), Refusal::NoKey(_)));
    assert!(matches!(
        refusal(names(&[], Some("0123456789abcdef"))),
        Refusal::NoKey(_)
    ));
    assert!(matches!(
        refusal(names(&["0".repeat(40)], Some(&id))),
        Refusal::NotTrusted { .. }
    ));
}
