//! Our own pin, and the administrators' stops, on what the real tools read, wrote and answered.

#[allow(dead_code, reason = "other tests use the rest of it")]
mod support;

use adapters::{
    Apt, ConfigurationFile, ManagerKind, PackageManager, PackageName, PinPlace, TargetVersion,
    Unpinned, Yum, Zypper,
};
use std::path::Path;
use support::Case;

fn agent() -> PackageName {
    PackageName::parse("demo-agent").expect("a name")
}

fn plugin() -> PackageName {
    PackageName::parse("demo-plugin").expect("a name")
}

fn demo(path: &str) -> PinPlace {
    PinPlace {
        path: path.into(),
        section: Some("demo".to_owned()),
    }
}

fn file(path: &str, text: &str) -> ConfigurationFile {
    ConfigurationFile {
        path: path.into(),
        text: text.to_owned(),
    }
}

const REPO: &str = "/etc/yum.repos.d/demo.repo";
const LOCKS: &str = "/etc/zypp/locks";

/// What grows with the square of the size takes minutes here.
#[test]
fn apt_reads_large_files_at_once() {
    let started = std::time::Instant::now();
    let path = "/etc/apt/preferences.d/large.pref";
    let many = "Package: demo-agent:any\n".repeat(100_000);
    assert_eq!(Apt.unpin(None, Path::new(path), &many), None);
    let continued = format!("Package: demo-agent\n{}", " x\n".repeat(1_000_000));
    assert!(Apt.holds(&agent(), &[file(path, &continued)]).is_empty());
    assert!(started.elapsed().as_secs() < 20);
}

#[test]
fn yum_does_not_pin_above_a_continued_line() {
    let text = "[demo]\n http://example.com/rpm\nname=Demo\n";
    let refused = Yum::new("dnf").pin(&agent(), &demo(REPO), Some(text));
    assert!(refused.unwrap_err().contains("continued line"));
}

#[test]
fn apt_pins_in_a_file_of_its_own() {
    let place = Apt.pin_places(&agent(), &[]).remove(0);
    let path = "/etc/apt/preferences.d/agent-updater-demo-agent.pref";
    assert_eq!(place.to_string(), path);
    let odd = PackageName::parse("libstdc++6").expect("a name");
    // apt passes over a file with a `+` in its name, without a word that anybody reads.
    assert!(
        !Apt.pin_places(&odd, &[])[0]
            .path
            .to_string_lossy()
            .contains('+')
    );
    let text = Apt.pin(&agent(), &place, None).expect("a pin");
    assert!(text.ends_with("Package: demo-agent:any\nPin: release a=now\nPin-Priority: 30000\n"));
    assert!(
        Apt.pinned(&agent(), &place, Some(&text)) && !Apt.pinned(&plugin(), &place, Some(&text))
    );
    assert!(Apt.holds(&agent(), &[file(path, &text)]).is_empty());
    for package in [None, Some(&agent())] {
        let unpinned = Apt.unpin(package, Path::new(path), &text);
        assert_eq!(unpinned, Some(Unpinned::Removed));
    }
    assert_eq!(Apt.unpin(Some(&plugin()), Path::new(path), &text), None);
    // What somebody wrote into our file is his, and counts.
    let theirs = "\nPackage: demo-agent\nPin: version *\nPin-Priority: -1\n";
    let both = format!("{text}{theirs}");
    assert_eq!(Apt.holds(&agent(), &[file(path, &both)]).len(), 1);
    assert_eq!(
        Apt.unpin(None, Path::new(path), &both),
        Some(Unpinned::Rest(theirs.to_owned()))
    );
}

#[test]
fn yum_pins_in_the_repository_and_gives_it_back_byte_for_byte() {
    let yum = Yum::new("dnf");
    let texts = [
        "[demo]\nname=Demo\nbaseurl=http://demo.example/\n",
        "# ours\n[other]\nname=x\n\n[demo]\n# a comment\nname=Demo\nbaseurl=a\n  b\nexcludepkgs=foo, bar\n  baz\n",
        "[demo]\nexclude=foo\nname=Demo",
        "[demo]\r\nname=Demo\r\n",
    ];
    for text in texts {
        let place = demo(REPO);
        assert!(!yum.pinned(&agent(), &place, Some(text)));
        let pinned = yum.pin(&agent(), &place, Some(text)).expect(text);
        assert!(yum.pinned(&agent(), &place, Some(&pinned)), "{pinned}");
        assert!(
            yum.holds(&agent(), &[file(REPO, &pinned)]).is_empty(),
            "{pinned}"
        );
        assert_eq!(
            yum.pin(&agent(), &place, Some(&pinned)).as_ref(),
            Ok(&pinned)
        );
        // A second agent of the same repository shares the line.
        let both = yum.pin(&plugin(), &place, Some(&pinned)).expect(text);
        assert_eq!(both.lines().count(), pinned.lines().count());
        assert!(
            yum.pinned(&agent(), &place, Some(&both)) && yum.pinned(&plugin(), &place, Some(&both))
        );
        assert_eq!(
            yum.unpin(Some(&plugin()), Path::new(REPO), &both),
            Some(Unpinned::Rest(pinned.clone()))
        );
        for (package, from) in [(None, &both), (Some(&agent()), &pinned)] {
            let rest = yum.unpin(package, Path::new(REPO), from);
            assert_eq!(rest, Some(Unpinned::Rest(text.to_owned())));
        }
        assert_eq!(yum.unpin(None, Path::new(REPO), text), None);
    }
}

#[test]
fn yum_uses_the_spelling_that_is_free_and_never_the_administrators_line() {
    let yum = Yum::new("dnf");
    let pin = |text: &str| yum.pin(&agent(), &demo(REPO), Some(text));
    let theirs = "[demo]\nexcludepkgs=foo\n";
    let pinned = pin(theirs).expect("a pin");
    assert_eq!(
        pinned,
        "[demo]\nexclude=demo-agent placed-by-agent-updater\nexcludepkgs=foo\n"
    );
    let why = pin("[demo]\nexcludepkgs=foo\nexclude=bar\n").expect_err("no spelling is left");
    assert!(why.contains("both excludepkgs and exclude"), "{why}");
    assert!(pin("[other]\n").is_err());
    // A later line of the same spelling is the one that counts: ours does not hold any more.
    let overridden = "[demo]\nexclude=demo-agent placed-by-agent-updater\nexclude=foo\n";
    assert!(!yum.pinned(&agent(), &demo(REPO), Some(overridden)));
    // As a tool rewrites it that drops comments, with a word that somebody added behind our mark.
    let edited = "[demo]\nexcludepkgs = demo-agent placed-by-agent-updater demo-*\n";
    assert!(yum.pinned(&agent(), &demo(REPO), Some(edited)));
    let holds = yum.holds(&agent(), &[file(REPO, edited)]);
    assert_eq!(holds.len(), 1);
    assert_eq!(
        holds[0].place,
        format!("{REPO} line 2: [demo] excludepkgs=demo-*")
    );
    assert_eq!(
        yum.unpin(None, Path::new(REPO), edited),
        Some(Unpinned::Rest("[demo]\nexcludepkgs=demo-*\n".to_owned()))
    );
}

#[test]
fn zypper_pins_beside_an_administrators_lock() {
    // As zypper wrote it: 1.14.89, and 1.14.42, which does not know comments and orders them anew.
    let newer = "\ntype: package\nmatch_type: exact\ncase_sensitive: on\nsolvable_name: demo-agent\n\
                 comment: placed by agent-updater\n\n";
    let older = "\ntype: package\nmatch_type: exact\ncase_sensitive: on\ncomment: placed by agent-updater\n\
                 solvable_name: demo-agent\n\n";
    let theirs =
        "\ntype: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: demo-agent\n\n";
    let place = Zypper.pin_places(&agent(), &[]).remove(0);
    assert_eq!(place.to_string(), LOCKS);
    assert_eq!(Zypper.pin(&agent(), &place, None).as_deref(), Ok(newer));
    for ours in [newer, older] {
        assert!(Zypper.pinned(&agent(), &place, Some(ours)));
        assert!(Zypper.holds(&agent(), &[file(LOCKS, ours)]).is_empty());
        assert_eq!(
            Zypper.unpin(None, Path::new(LOCKS), ours),
            Some(Unpinned::Removed)
        );
        for both in [format!("{ours}{theirs}"), format!("{theirs}{ours}")] {
            let holds = Zypper.holds(&agent(), &[file(LOCKS, &both)]);
            assert_eq!(holds.len(), 1, "{both}");
            assert_eq!(holds[0].release, "zypper removelock demo-agent");
            assert_eq!(
                Zypper.unpin(Some(&agent()), Path::new(LOCKS), &both),
                Some(Unpinned::Rest(theirs.to_owned()))
            );
        }
    }
    assert!(!Zypper.pinned(&agent(), &place, Some(theirs)));
    assert_eq!(Zypper.unpin(None, Path::new(LOCKS), theirs), None);
    // With our pin in place, the view's transaction passes.
    let case = Case::new(ManagerKind::Zypper, "install-pinned");
    assert_eq!(case.installation(), Ok(Vec::new()));
}

/// `zypper removelock` finds a lock by all that it was added with; tried with every one of these.
#[test]
fn a_zypper_lock_is_told_with_the_command_that_releases_it() {
    let lock = |lines: &str| format!("\n{lines}case_sensitive: on\nsolvable_name: demo-*\n\n");
    let table = [
        (
            "type: package\nmatch_type: glob\n",
            "zypper removelock 'demo-*'",
        ),
        (
            "repo: demo\ntype: package\nmatch_type: glob\n",
            "zypper removelock -r demo 'demo-*'",
        ),
        (
            "type: package\nversion: > 0\nmatch_type: glob\n",
            "remove the lock that starts at line 2 of /etc/zypp/locks",
        ),
    ];
    for (lines, release) in table {
        let holds = Zypper.holds(&agent(), &[file(LOCKS, &lock(lines))]);
        assert_eq!(holds.len(), 1, "{lines}");
        assert_eq!(holds[0].release, release);
        assert!(
            holds[0].place.contains("line 2: demo-*"),
            "{}",
            holds[0].place
        );
    }
    let patch = lock("type: patch\nmatch_type: glob\n");
    assert!(Zypper.holds(&agent(), &[file(LOCKS, &patch)]).is_empty());
}

/// How many holds remain of one stanza, by apt's own answer.
fn confirmed(situation: &str, stanza: &str, target: &str) -> usize {
    let files = [file("/etc/apt/preferences.d/admin", stanza)];
    let holds = Apt.holds(&agent(), &files);
    assert_eq!(holds.len(), 1, "{stanza}");
    assert!(holds[0].doubtful.is_some(), "{stanza}");
    let target = TargetVersion::parse(target).expect("a version");
    let output = Case::new(ManagerKind::Apt, situation).output();
    let confirmed = Apt.confirmed_holds(&agent(), Some(&target), holds, &output);
    confirmed.len()
}

#[test]
fn apt_says_what_a_preference_comes_to() {
    let version = "Package: demo-agent\nPin: version 2.*\nPin-Priority: -1\n";
    assert_eq!(confirmed("policy-version", version, "2.0.0"), 1);
    assert_eq!(confirmed("policy-version", version, "1.1.0"), 0);
    let elsewhere = "Package: *\nPin: release o=Elsewhere\nPin-Priority: -1\n";
    assert_eq!(confirmed("policy-elsewhere", elsewhere, "2.0.0"), 0);
    let origin = "Package: *\nPin: origin \"10.213.0.1\"\nPin-Priority: -1\n";
    assert_eq!(confirmed("policy-origin", origin, "2.0.0"), 1);
    // A version that the host's own lists do not know yet is like the others.
    assert_eq!(confirmed("policy-origin", origin, "9.9.9"), 1);
    assert_eq!(confirmed("policy-elsewhere", elsewhere, "9.9.9"), 0);
    // Without lists only what names the package stands.
    assert_eq!(confirmed("policy-no-lists", version, "2.0.0"), 1);
    assert_eq!(confirmed("policy-no-lists", elsewhere, "2.0.0"), 0);
    // A copy that apt passes over is no hold.
    let copy = file("/etc/apt/preferences.d/admin.bak", version);
    assert!(Apt.holds(&agent(), &[copy]).is_empty());
}

#[test]
fn a_package_that_another_repository_offers_is_not_held() {
    let yum = Yum::new("dnf");
    let other = "[other]\nbaseurl=http://o.example/\nexclude=demo-agent\n[off]\nenabled=0\nexclude=demo-agent\n\
                 [few]\nincludepkgs=foo\n bar\n";
    let holds = yum.holds(&agent(), &[file("/etc/yum.repos.d/x.repo", other)]);
    let about: Vec<_> = holds
        .iter()
        .filter_map(|hold| hold.doubtful.clone())
        .collect();
    assert_eq!(about, ["other", "few"]);
    let answer = |situation: &str| Case::new(ManagerKind::Yum, situation).output();
    let remain = |situation: &str| {
        yum.confirmed_holds(&agent(), None, holds.clone(), &answer(situation))
            .len()
    };
    assert_eq!(remain("located-in-two"), 0);
    // Not told, hence both doubts stay.
    assert_eq!(remain("located-without-cache"), 2);
    let both = yum.holds(
        &agent(),
        &[
            file("/etc/yum.repos.d/x.repo", other),
            file(REPO, "[demo]\nexcludepkgs=demo*\n"),
        ],
    );
    let held = yum.confirmed_holds(&agent(), None, both, &answer("located-in-two"));
    let about: Vec<_> = held
        .iter()
        .filter_map(|hold| hold.doubtful.as_deref())
        .collect();
    assert_eq!(about, ["other", "demo"]);
}
