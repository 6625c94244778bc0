//! The host's entries and holds, and the views that are made of them.

use adapters::{
    Apt, Change, ConfigurationFile, Guard, NativeVersion, PackageManager, PackageName,
    RepositoryEntry, Yum, Zypper,
};
use std::path::{Path, PathBuf};

fn file(path: &str, text: &str) -> ConfigurationFile {
    ConfigurationFile {
        path: path.into(),
        text: text.to_owned(),
    }
}

fn agent() -> PackageName {
    PackageName::parse("demo-agent").expect("a name")
}

fn settings(entry: &RepositoryEntry) -> Vec<(&str, usize)> {
    entry
        .insecure
        .iter()
        .map(|found| (found.setting.as_str(), found.line))
        .collect()
}

/// The text of a view's file.
fn written(manager: &dyn PackageManager, entry: &RepositoryEntry, name: &str) -> String {
    let view = manager.private_view(entry, &agent(), Path::new("/var/cache/view"));
    let found = view
        .files
        .iter()
        .find(|file| file.path.ends_with(name))
        .expect(name);
    assert!(found.path.starts_with(&view.folder));
    found.text.clone()
}

#[test]
fn one_line_entries_of_apt() {
    let text = "\
# a comment
deb http://deb.example/debian bookworm main contrib # another
deb-src http://deb.example/debian bookworm main
deb [arch=amd64,arm64 signed-by=/etc/keys/a.gpg trusted=yes] https://apt.example/ stable main
deb\t[ check-valid-until=no allow-insecure=yes trusted=no ]  http://flat.example/repo ./

deb [signed-by=0123456789ABCDEF0123456789ABCDEF01234567] https://fpr.example stable main
deb https://broken.example stable
rpm http://x y z
";
    let files = [
        file("/etc/apt/sources.list", text),
        file(
            "/etc/apt/sources.list.d/old.list.save",
            "deb http://saved.example a b\n",
        ),
    ];
    let (entries, complaints) = Apt.entries(&files);
    let places: Vec<(&str, &str, usize)> = entries
        .iter()
        .map(|e| (e.urls[0].as_str(), e.suite.as_str(), e.defined_at.1))
        .collect();
    assert_eq!(
        places,
        [
            ("http://deb.example/debian", "bookworm", 2),
            ("https://apt.example/", "stable", 4),
            ("http://flat.example/repo", "./", 5),
            ("https://fpr.example", "stable", 7),
        ]
    );
    assert_eq!(entries[0].components, ["main", "contrib"]);
    assert_eq!(entries[1].architectures, ["amd64", "arm64"]);
    assert_eq!(entries[1].key_files, [PathBuf::from("/etc/keys/a.gpg")]);
    assert_eq!(settings(&entries[1]), [("trusted=yes", 4)]);
    assert_eq!(
        settings(&entries[2]),
        [("check-valid-until=no", 5), ("allow-insecure=yes", 5)]
    );
    assert_eq!(
        entries[3].key_fingerprints,
        ["0123456789ABCDEF0123456789ABCDEF01234567"]
    );
    assert_eq!(complaints.len(), 2, "{complaints:?}");
    assert!(
        complaints[0].starts_with("/etc/apt/sources.list line 8: "),
        "{complaints:?}"
    );
}

#[test]
fn stanzas_of_apt() {
    let text = "\
# two stanzas
Types: deb deb-src
uris: http://one.example/debian
  http://two.example/debian
Suites: stable stable-updates
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQGN
# a comment within
 -----END PGP PUBLIC KEY BLOCK-----
Trusted: yes

Types: deb
URIs: http://off.example
Suites: x
Components: main
Enabled: no

Types: deb-src
URIs: http://source.example
Suites: x
Components: main

Types: deb
URIs: http://three.example
Suites: /
Signed-By: /etc/keys/a.gpg, /etc/keys/b.asc
Check-Valid-Until: No

Types: deb
Suites: x
";
    let (entries, complaints) = Apt.entries(&[file("/etc/apt/sources.list.d/demo.sources", text)]);
    let places: Vec<(&str, &str)> = entries
        .iter()
        .map(|entry| (entry.urls[0].as_str(), entry.suite.as_str()))
        .collect();
    assert_eq!(
        places,
        [
            ("http://one.example/debian", "stable"),
            ("http://one.example/debian", "stable-updates"),
            ("http://two.example/debian", "stable"),
            ("http://two.example/debian", "stable-updates"),
            ("http://three.example", "/"),
        ]
    );
    assert_eq!(
        (entries[0].id.as_str(), entries[0].defined_at.1),
        ("demo", 2)
    );
    let key = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQGN\n-----END PGP PUBLIC KEY BLOCK-----\n";
    assert_eq!(entries[0].embedded_key.as_deref(), Some(key));
    assert_eq!(settings(&entries[0]), [("Trusted: yes", 13)]);
    assert_eq!(entries[4].key_files.len(), 2);
    assert_eq!(settings(&entries[4]), [("Check-Valid-Until: No", 30)]);
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    // The view has the key in a file of its own, and nothing that weakens a check.
    let source = written(&Apt, &entries[0], "agent.sources");
    assert_eq!(
        source,
        "Types: deb\nURIs: http://one.example/debian\nSuites: stable\nComponents: main\n\
         Signed-By: /var/cache/view/key.asc\nCheck-Valid-Until: yes\n"
    );
    assert_eq!(written(&Apt, &entries[0], "key.asc"), key);
}

#[test]
fn an_apt_view_trusts_the_hosts_keys_only_where_the_entry_does() {
    let entry = |options: &str| {
        let line = format!("deb {options} http://deb.example stable main\n");
        Apt.entries(&[file("/etc/apt/sources.list", &line)])
            .0
            .remove(0)
    };
    let nothing_else = "Dir::Etc::TrustedParts \"/dev/null\";";
    let text = written(&Apt, &entry("[signed-by=/etc/keys/a.gpg]"), "apt.conf");
    assert!(text.contains(nothing_else) && text.starts_with("#clear DPkg::Options;"));
    assert!(!written(&Apt, &entry(""), "apt.conf").contains("Dir::Etc::Trusted"));
    let fingerprint = "[signed-by=0123456789ABCDEF0123456789ABCDEF01234567]";
    assert!(!written(&Apt, &entry(fingerprint), "apt.conf").contains("Dir::Etc::Trusted"));
    assert!(written(&Apt, &entry(fingerprint), "agent.sources").contains("Signed-By: 0123"));
}

const REPO: &str = "\
[agent]
name = Agent $releasever
baseurl=https://one.example/$releasever/$basearch
        https://two.example/
gpgkey=file:///etc/pki/a,
  https://keys.example/b http://keys.example/c
gpgcheck=0
sslverify=False
password=hunter2
; a comment
proxy=_none_

[off]
baseurl=https://off.example
enabled=0

[mirrored]
metalink=https://mirrors.example/?arch=$basearch
repo_gpgcheck=1
gpgcheck=1

[nowhere]
name=x
";

#[test]
fn repo_files_of_yum() {
    let main = "[main]\ngpgcheck=1\nproxy=http://proxy:3128\nsslverify=0\n";
    let files = [
        file("/etc/dnf/dnf.conf", main),
        file("/etc/yum.repos.d/agent.repo", REPO),
    ];
    let manager = Yum::new("dnf");
    let (entries, complaints) = manager.entries(&files);
    assert_eq!(
        entries
            .iter()
            .map(|entry| entry.id.as_str())
            .collect::<Vec<_>>(),
        ["agent", "mirrored"]
    );
    let [agent, mirrored] = &entries[..] else {
        panic!()
    };
    assert_eq!(
        agent.urls,
        [
            "https://one.example/$releasever/$basearch",
            "https://two.example/"
        ]
    );
    assert_eq!(agent.key_files, [PathBuf::from("/etc/pki/a")]);
    assert_eq!(
        agent.remote_keys,
        ["https://keys.example/b", "http://keys.example/c"]
    );
    assert!(!agent.signed_metadata && mirrored.signed_metadata);
    assert_eq!(
        settings(agent),
        [
            ("gpgcheck=0", 7),
            ("sslverify=False", 8),
            ("gpgkey=http://keys.example/c", 5)
        ]
    );
    assert_eq!(
        settings(mirrored),
        [("sslverify=0 (in /etc/dnf/dnf.conf)", 4)]
    );
    assert_eq!(
        mirrored.connection.0,
        [("proxy".to_owned(), "http://proxy:3128".to_owned())]
    );
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    assert!(!format!("{agent:?}").contains("hunter2"));

    let text = written(&manager, agent, "repos.d/agent.repo");
    assert_eq!(
        text,
        "[agent]\nname=agent\nenabled=1\nbaseurl=https://one.example/$releasever/$basearch\n \
         https://two.example/\nproxy=_none_\npassword=hunter2\ngpgkey=file:///etc/pki/a\ngpgcheck=1\n\
         repo_gpgcheck=0\nsslverify=1\nmetadata_expire=-1\nskip_if_unavailable=0\nincludepkgs=demo-agent\n"
    );
    let view = manager.private_view(agent, &self::agent(), Path::new("/var/cache/view"));
    assert!(!format!("{view:?}").contains("hunter2"));
    assert!(
        written(&manager, mirrored, "mirrored.repo")
            .contains("\nmetalink=https://mirrors.example/?arch=")
    );
    assert!(written(&manager, mirrored, "dnf.conf").contains("\nrepo_gpgcheck=1\n"));
}

#[test]
fn repo_files_of_zypper() {
    let text = "\
[agent]
baseurl=https://user:secret@one.example/?ssl_verify=no&credentials=a
type=rpm-md
pkg_gpgcheck=0
gpgkey=file:///etc/pki/a

[odd id (1)]
baseurl=dir:///srv/repo
repo_gpgcheck=0
";
    let (entries, complaints) = Zypper.entries(&[file("/etc/zypp/repos.d/agent.repo", text)]);
    assert!(complaints.is_empty(), "{complaints:?}");
    assert_eq!(
        entries[0].urls,
        ["https://user:secret@one.example/?credentials=a"]
    );
    assert_eq!(settings(&entries[0])[0], ("pkg_gpgcheck=0", 4));
    assert_eq!(settings(&entries[0])[1].1, 2);
    assert!(entries[0].signed_metadata && !entries[1].signed_metadata);
    let view = Zypper.private_view(&entries[1], &agent(), Path::new("/var/cache/view"));
    assert_eq!(view.repository, "odd_id__1_");
    let text = written(&Zypper, &entries[0], "agent.repo");
    assert!(
        text.ends_with("gpgcheck=1\nrepo_gpgcheck=1\npkg_gpgcheck=1\nkeeppackages=1\n"),
        "{text}"
    );
    assert!(!format!("{:?}", entries[0]).contains("secret"));
}

#[test]
fn holds_of_every_manager() {
    let preferences = "Package: other\nPin: release *\nPin-Priority: -1\n\nExplanation: frozen\nPackage: demo-*\n\
                       Pin: version *\nPin-Priority: -10\n\nPackage: demo-agent\nPin: version 1*\nPin-Priority: 900\n";
    let holds = Apt.holds(&agent(), &[file("/etc/apt/preferences", preferences)]);
    assert_eq!(holds.len(), 1, "{holds:?}");
    assert_eq!(
        holds[0].place,
        "/etc/apt/preferences line 5: Package: demo-*, Pin: version *"
    );

    let locks = "# locked\ndemo-agent-0:1.0.0-1.*\n!demo-agent-0:2.0.0-1.*\ndemo-agent-plugin-0:1.0.0-1.*\ndemo-0:1-1.*\n";
    let main = "[main]\nexcludepkgs=foo, demo-ag*\n  bar\n[repo]\nexclude=demo-agent\n";
    let files = [
        file("/etc/dnf/dnf.conf", main),
        file("/etc/dnf/plugins/versionlock.list", locks),
    ];
    let holds = Yum::new("dnf").holds(&agent(), &files);
    let places: Vec<&str> = holds.iter().map(|hold| hold.place.as_str()).collect();
    assert_eq!(
        places,
        [
            "/etc/dnf/dnf.conf line 2: [main] excludepkgs=demo-ag*",
            "/etc/dnf/dnf.conf line 5: [repo] exclude=demo-agent",
            "/etc/dnf/plugins/versionlock.list line 2: demo-agent-0:1.0.0-1.*",
            "/etc/dnf/plugins/versionlock.list line 3: !demo-agent-0:2.0.0-1.*",
        ]
    );

    let locks = "\ntype: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: demo-agent\n\n\
                 type: patch\nmatch_type: glob\nsolvable_name: demo-*\n\n\
                 type: package\nmatch_type: exact\nsolvable_name: demo\n";
    let holds = Zypper.holds(&agent(), &[file("/etc/zypp/locks", locks)]);
    assert_eq!(holds.len(), 1, "{holds:?}");
    assert_eq!(holds[0].release, "zypper removelock demo-agent");
}

#[test]
fn commands_as_an_operator_reads_them() {
    let line = "deb [signed-by=/k.gpg] http://deb.example stable main\n";
    let entry = Apt
        .entries(&[file("/etc/apt/sources.list", line)])
        .0
        .remove(0);
    let view = Apt.private_view(&entry, &agent(), Path::new("/v"));
    let debian = |from: &str, to: &str| Change {
        package: agent(),
        from: NativeVersion::debian(from).expect(from),
        to: NativeVersion::debian(to).expect(to),
        architecture: "amd64".to_owned(),
    };
    assert_eq!(
        Apt.install(&view, &debian("1.0.0", "1:0.9.0~rc.1-1"), None)
            .to_string(),
        "apt-get -q -c /v/apt.conf -y --no-remove --only-upgrade install demo-agent=1:0.9.0~rc.1-1"
    );
    assert_eq!(
        Apt.install(&view, &debian("2.0.0", "1.0.0"), None)
            .to_string(),
        "apt-get -q -c /v/apt.conf -y --no-remove --only-upgrade --allow-downgrades install demo-agent=1.0.0"
    );
    let guard = Guard {
        program: "/usr/bin/agent-updater".to_owned(),
        sha256: "ab12".to_owned(),
    };
    assert_eq!(
        Apt.install(&view, &debian("1.0.0", "1.1.0"), Some(&guard))
            .to_string(),
        "apt-get -q -o 'DPkg::Pre-Install-Pkgs::=/usr/bin/agent-updater guard demo-agent 1.0.0 1.1.0 ab12' \
         -o DPkg::Tools::Options::/usr/bin/agent-updater::Version=3 \
         -c /v/apt.conf -y --no-remove --only-upgrade install demo-agent=1.1.0"
    );
    let entry = Zypper
        .entries(&[file(
            "/etc/zypp/repos.d/a.repo",
            "[demo]\nbaseurl=http://rpm.example\n",
        )])
        .0
        .remove(0);
    let rpm = Change {
        package: agent(),
        from: NativeVersion::rpm("2.0.0-1").expect("a version"),
        to: NativeVersion::rpm("1:1.0.0-1.el9").expect("a version"),
        architecture: "x86_64".to_owned(),
    };
    let view = Yum::new("yum").private_view(&entry, &agent(), Path::new("/v"));
    let command = Yum::new("yum").install(&view, &rpm, None);
    assert_eq!(
        command.to_string(),
        "yum -c /v/dnf.conf --repo=demo --setopt=includepkgs=demo-agent -y upgrade demo-agent-1:1.0.0-1.el9.x86_64"
    );
    assert!(
        command.needs_root
            && matches!(command.interruption, adapters::Interruption::ScriptsOnly(_))
    );
    // The host's locks do not count there, ours among them; all else of its libzypp does.
    let view = Zypper.private_view(&entry, &agent(), Path::new("/v"));
    assert_eq!(
        Zypper.install(&view, &rpm, None).to_string(),
        "ZYPP_CONF=/v/zypp-transaction.conf zypper --non-interactive --no-refresh --reposd-dir /v/repos.d --cache-dir /v/cache \
         install --name --no-recommends --repo demo demo-agent=1:1.0.0-1.el9"
    );
}
