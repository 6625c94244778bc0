use super::{Family, NativeVersion, PackageName, TargetVersion, debian, rpm, select};
use crate::manager::Offered;
use proptest::prelude::*;
use std::cmp::Ordering;

fn target(text: &str) -> TargetVersion {
    TargetVersion::parse(text).expect(text)
}

fn deb(text: &str) -> NativeVersion {
    NativeVersion::debian(text).expect(text)
}

fn evr(text: &str) -> NativeVersion {
    NativeVersion::rpm(text).expect(text)
}

/// Every row of `order.txt`, on the raw texts: many rows are no valid version of a family, and the
/// order has to agree with the tool's all the same.
#[test]
fn recorded_orders_of_dpkg_and_rpm() {
    let mut rows = 0;
    for line in include_str!("order.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
    {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [one, two, dpkg, of_rpm] = words[..] else {
            panic!("{line}")
        };
        if let Some(order) = ordering(dpkg.trim_end_matches('!')) {
            assert_eq!(debian::compare(one, two), order, "dpkg: {line}");
            assert_eq!(
                debian::compare(two, one),
                order.reverse(),
                "dpkg, turned round: {line}"
            );
        }
        let order = ordering(of_rpm).expect(line);
        assert_eq!(rpm::compare(one, two), order, "rpm: {line}");
        assert_eq!(
            rpm::compare(two, one),
            order.reverse(),
            "rpm, turned round: {line}"
        );
        if dpkg.ends_with('!') {
            let valid = [one, two]
                .iter()
                .all(|text| NativeVersion::debian(text).is_ok());
            assert!(!valid, "dpkg refuses one of them: {line}");
        }
        rows += 1;
    }
    assert_eq!(rows, 64);
}

fn ordering(sign: &str) -> Option<Ordering> {
    match sign {
        "<" => Some(Ordering::Less),
        "=" => Some(Ordering::Equal),
        ">" => Some(Ordering::Greater),
        _ => None,
    }
}

/// Within the server's grammar the three orders are one.
#[test]
fn a_target_is_ordered_as_both_families_order_it() {
    let mut texts = Vec::new();
    for core in [
        "1.0.0", "1.9.9", "1.10.0", "2.0.0", "15.4.3", "15.4.26", "100.0.0",
    ] {
        texts.push(core.to_owned());
        for pre_release in [
            "alpha.1", "alpha.10", "beta.1", "beta.2", "beta.10", "rc.0", "rc.1", "rc.11",
        ] {
            texts.push(format!("{core}-{pre_release}"));
        }
    }
    for one in &texts {
        for two in &texts {
            let order = target(one).cmp(&target(two));
            let native = |text: &str| text.replacen('-', "~", 1) + "-1";
            assert_eq!(
                deb(&native(one)).compare(&deb(&native(two))),
                order,
                "{one} {two}"
            );
            assert_eq!(
                evr(&native(one)).compare(&evr(&native(two))),
                order,
                "{one} {two}"
            );
        }
    }
}

#[test]
fn targets_are_strict() {
    for text in [
        "1.2.3",
        "0.0.0",
        "15.4.3-rc.1",
        "1.0.0-alpha.0",
        "999999999.0.0-beta.99999",
    ] {
        assert_eq!(target(text).to_string(), text);
    }
    for text in [
        "",
        "v1.2.3",
        " 1.2.3",
        "1.2.3\n",
        "1.2",
        "1.2.3.4",
        "1.2.03",
        "1.2.3-",
        "1.2.3-rc",
        "1.2.3-rc1",
        "1.2.3-rc.01",
        "1.2.3-rc.1.2",
        "1.2.3-RC.1",
        "1.2.3-dev.1",
        "1.2.3+build",
        "1.2.3-rc.1+b",
        "+1.2.3",
        "1.2.3-rc.123456",
        "1234567890.0.0",
        "１.2.3",
        "1.2.3\0",
        "1.2.\u{200b}3",
        "none",
    ] {
        assert!(TargetVersion::parse(text).is_err(), "{text:?}");
    }
    assert_eq!(
        serde_json::to_string(&target("1.2.3-rc.1")).expect("a string"),
        r#""1.2.3-rc.1""#
    );
    assert!(serde_json::from_str::<TargetVersion>(r#""v1.2.3""#).is_err());
}

/// What the tools would take for an option, pattern, path, group, removal or a command.
const HOSTILE: [&str; 52] = [
    "",
    "-",
    "--",
    "-oDir::Cache=/tmp",
    "--nogpgcheck",
    "--setopt=gpgcheck=0",
    "--installroot=/x",
    "-c/x",
    "--eval=%(id)",
    "--pipe=id",
    "demo-agent-",
    "demo-agent+",
    "demo-agent/stable",
    "demo-agent=1.0",
    "1.3.0-",
    "1.3.0+",
    "1.3.0~",
    "1.*",
    "1.?.0",
    "[12].2.0",
    "*",
    "candidate",
    "demo-agent >= 1.2",
    "demo agent",
    "demo\tagent",
    "demo-agent\n",
    "\ndemo-agent",
    "1.0;rm",
    "$(id)",
    "`id`",
    "a|b",
    "a&b",
    "../x",
    "./x.rpm",
    "/usr/bin/demo-agent",
    "/path/x.deb",
    "local.rpm",
    "local.DEB",
    "1.0.deb",
    "http://host/x.rpm",
    "file:///x",
    "@core",
    "!demo-agent",
    "~ndemo-lib",
    "?name(x)",
    "^demo-l",
    "demo-agen.",
    "demo\0agent",
    "demo\u{200b}agent",
    "demo-agent１",
    "démo-agent",
    "..",
];

#[test]
fn hostile_names_and_versions_are_refused() {
    for text in HOSTILE {
        assert!(NativeVersion::debian(text).is_err(), "{text:?}");
        assert!(NativeVersion::rpm(text).is_err(), "{text:?}");
        // A name may be a word that means something as a version.
        assert!(
            text == "candidate" || PackageName::parse(text).is_err(),
            "{text:?}"
        );
    }
    for text in [
        "1.3.0-1-",
        "1.3.0-1+",
        "1.3.0-1.rpm",
        "1:2:3-1",
        "1.0-1_",
        "x1.0-1",
        "1.0 -1",
        "1.０-1",
    ] {
        assert!(NativeVersion::debian(text).is_err(), "{text:?}");
        assert!(NativeVersion::rpm(text).is_err(), "{text:?}");
    }
    for text in [
        "1.0",
        "1.0-1-1",
        "1.0-",
        "-1",
        ":1.0-1",
        "1234567:1.0-1",
        "a:1.0-1",
        "1.0-1~",
    ] {
        assert!(NativeVersion::rpm(text).is_err(), "{text:?}");
    }
    for text in ["1.0_1", "1.0^1", ":1.0", "1234567:1.0", "v1.0"] {
        assert!(NativeVersion::debian(text).is_err(), "{text:?}");
    }
    let long = "a".repeat(65);
    for text in ["a", "Demo", "demo_agent", "demo.", long.as_str()] {
        assert!(PackageName::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn legitimate_names_and_versions_are_accepted() {
    for text in [
        "demo-agent",
        "teleport-ent",
        "teleport",
        "libc6",
        "0ad",
        "gtk+3.0",
        "python3.11-minimal",
        "g2",
    ] {
        assert_eq!(PackageName::parse(text).expect(text).as_str(), text);
    }
    for text in [
        "1.2.3",
        "1",
        "1.2.3-1",
        "1:1.2.3-1",
        "15.4.3~rc.1",
        "1.0-1~deb12u1",
        "1.0-1+b1",
        "2.0+dfsg-3ubuntu0.1",
    ] {
        assert_eq!(deb(text).as_str(), text);
    }
    for text in [
        "1.2.3-1",
        "1:1.2.3-1.el9",
        "15.4.3~rc.1-1",
        "1.0^git1-1.fc40",
        "1.0_1-a",
        "0:1-1",
        "1.0-1.el8_10.2",
    ] {
        assert_eq!(evr(text).as_str(), text);
    }
}

#[test]
fn parts_of_a_native_version() {
    let version = deb("1:2.0-rc.1-3");
    assert_eq!(
        (version.epoch(), version.version(), version.revision()),
        (1, "2.0-rc.1", "3")
    );
    let version = evr("2.0~rc.1-3.el9");
    assert_eq!(
        (version.epoch(), version.version(), version.revision()),
        (0, "2.0~rc.1", "3.el9")
    );
    assert_eq!((deb("2.0").epoch(), deb("2.0").revision()), (0, ""));
}

#[test]
fn the_servers_word_for_a_native_version() {
    for (native, word) in [
        ("1.2.3", "1.2.3"),
        ("1.2.3-1", "1.2.3"),
        ("4:1.2.3-1ubuntu2", "1.2.3"),
        ("1.2.3~rc.1", "1.2.3-rc.1"),
        ("1.2.3~rc.1-2", "1.2.3-rc.1"),
        ("1.2.3-rc.1", "1.2.3-rc.1"),
        ("1.2.3-rc.1-2", "1.2.3-rc.1"),
        ("1.2.3-1~deb12u1", "1.2.3"),
    ] {
        assert_eq!(deb(native).target(), Some(target(word)), "{native}");
    }
    for (native, word) in [
        ("1.2.3-1", "1.2.3"),
        ("1:1.2.3-1.el9", "1.2.3"),
        ("1.2.3~beta.2-1", "1.2.3-beta.2"),
        ("1.2.3_beta.2-1", "1.2.3-beta.2"),
    ] {
        assert_eq!(evr(native).target(), Some(target(word)), "{native}");
    }
    // Could be a release or a pre-release, or is neither.
    for native in [
        "1.2.3-rc1",
        "1.2.3-0.rc.1",
        "1.2.3~rc.1-rc.1",
        "1.2.3+git1",
        "1.2",
        "1.2.3.4",
        "1.2.3~rc1",
        "1.2.3~~rc.1",
        "01.2.3",
    ] {
        assert_eq!(deb(native).target(), None, "{native}");
    }
    for native in [
        "1.2.3-rc.1",
        "1.2.3-0.1.beta",
        "1.2.3-0.4.RC2",
        "1.2.3^git-1",
        "1.2.3+1-1",
        "1.2-1",
    ] {
        assert_eq!(evr(native).target(), None, "{native}");
    }
}

#[test]
fn select_takes_the_highest_revision_of_the_right_architecture() {
    let offer = |version: &str, architecture: &str| Offered {
        version: evr(version),
        architecture: architecture.to_owned(),
    };
    let offered = [
        offer("2.1.0-9", "x86_64"),
        offer("2.1.0-10", "x86_64"),
        offer("2.1.0-11", "aarch64"),
        offer("2.1.0~rc.1-12", "x86_64"),
        offer("3.0.0-1", "noarch"),
    ];
    let chosen =
        |word: &str| select(&offered, &target(word), "x86_64").map(|one| one.version.to_string());
    assert_eq!(chosen("2.1.0").as_deref(), Some("2.1.0-10"));
    assert_eq!(chosen("2.1.0-rc.1").as_deref(), Some("2.1.0~rc.1-12"));
    assert_eq!(chosen("3.0.0").as_deref(), Some("3.0.0-1"));
    assert_eq!(chosen("2.1.1"), None);
}

#[test]
fn a_native_version_is_written_with_its_family() {
    let text = serde_json::to_string(&deb("1:2.0-1")).expect("a string");
    assert_eq!(text, r#""debian:1:2.0-1""#);
    assert_eq!(
        serde_json::from_str::<NativeVersion>(&text).expect("itself"),
        deb("1:2.0-1")
    );
    let read: NativeVersion = serde_json::from_str(r#""rpm:1:2.0-1""#).expect("a version");
    assert_eq!((read.family(), read.as_str()), (Family::Rpm, "1:2.0-1"));
    for text in [r#""1:2.0-1""#, r#""rpm:2.0""#, r#""debian:2.0-""#] {
        assert!(
            serde_json::from_str::<NativeVersion>(text).is_err(),
            "{text}"
        );
    }
}

proptest! {
    #[test]
    fn orders_are_antisymmetric_and_transitive(
        texts in prop::array::uniform3("([0-2]:)?[0-2][0-2a.~^+]{0,4}[01a](-[0-2a][01a.~^+]{0,2}[01a])?")
    ) {
        for compare in [debian::compare as fn(&str, &str) -> Ordering, rpm::compare] {
            let [a, b, c] = [&texts[0], &texts[1], &texts[2]];
            prop_assert_eq!(compare(a, a), Ordering::Equal);
            prop_assert_eq!(compare(a, b), compare(b, a).reverse());
            if compare(a, b) != Ordering::Greater && compare(b, c) != Ordering::Greater {
                prop_assert_ne!(compare(a, c), Ordering::Greater, "{} {} {}", a, b, c);
            }
        }
    }

    #[test]
    fn no_text_becomes_a_dangerous_argument(text in any::<String>()) {
        for accepted in [PackageName::parse(&text).is_ok(), NativeVersion::debian(&text).is_ok(), NativeVersion::rpm(&text).is_ok()] {
            if accepted {
                prop_assert!(text.is_ascii() && text.starts_with(|c: char| c.is_ascii_alphanumeric()));
                prop_assert!(text.ends_with(|c: char| c.is_ascii_alphanumeric()));
            }
        }
    }
}
