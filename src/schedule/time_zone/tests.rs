//! Zones below a scratch root, and days on which the clock changes.

use super::*;

fn zone(name: &str) -> Zone {
    Zone::load(
        &ZoneName::parse(name).expect(name),
        Path::new("/nonexistent"),
    )
    .expect(name)
}

#[test]
fn names_that_are_paths_are_refused() {
    for name in [
        "UTC",
        "host",
        "Europe/Berlin",
        "America/Argentina/Buenos_Aires",
        "Etc/GMT+5",
        "America/Port-au-Prince",
    ] {
        assert!(ZoneName::parse(name).is_ok(), "{name}");
    }
    for name in [
        "",
        "/",
        "/etc/passwd",
        "../UTC",
        "Europe/../../etc/shadow",
        "Europe//Berlin",
        "Europe/",
        ".",
        "a.b",
        "Europe\\Berlin",
        "Europe/Berlin\n",
        "UTC\0",
        "right/Europe/Berlin",
        "Zürich",
        "a/b/c/d/e",
        &"A".repeat(65),
    ] {
        assert!(
            matches!(ZoneName::parse(name), Err(ZoneError::Name(_))),
            "{name:?}"
        );
    }
}

#[test]
fn readings_that_are_skipped_or_repeated() {
    let cases = [
        (
            "Europe/Berlin",
            "2026-03-29T01:59:59",
            "2026-03-29T00:59:59Z",
        ),
        (
            "Europe/Berlin",
            "2026-03-29T02:00:00",
            "2026-03-29T01:00:00Z",
        ),
        (
            "Europe/Berlin",
            "2026-03-29T02:59:59",
            "2026-03-29T01:00:00Z",
        ),
        (
            "Europe/Berlin",
            "2026-03-29T03:00:00",
            "2026-03-29T01:00:00Z",
        ),
        (
            "Europe/Berlin",
            "2026-10-25T02:30:00",
            "2026-10-25T00:30:00Z",
        ),
        (
            "Europe/Berlin",
            "2026-10-25T03:00:00",
            "2026-10-25T02:00:00Z",
        ),
        // Half an hour, at two in the morning.
        (
            "Australia/Lord_Howe",
            "2026-10-04T02:15:00",
            "2026-10-03T15:30:00Z",
        ),
        (
            "Australia/Lord_Howe",
            "2026-04-05T01:45:00",
            "2026-04-04T14:45:00Z",
        ),
        // Winter time is the exception there, and the database says so.
        (
            "Europe/Dublin",
            "2026-03-29T01:30:00",
            "2026-03-29T01:00:00Z",
        ),
        (
            "Europe/Dublin",
            "2026-10-25T01:30:00",
            "2026-10-25T00:30:00Z",
        ),
        // Samoa left out a whole day.
        (
            "Pacific/Apia",
            "2011-12-30T12:00:00",
            "2011-12-30T10:00:00Z",
        ),
        (
            "Asia/Kathmandu",
            "2026-01-01T05:45:00",
            "2026-01-01T00:00:00Z",
        ),
    ];
    for (name, local, expected) in cases {
        let instant = zone(name).to_utc(local.parse().expect(local));
        assert_eq!(
            instant,
            expected.parse::<DateTime<Utc>>().expect(expected),
            "{local} in {name}"
        );
    }
}

#[test]
fn the_latest_reading_does_not_go_back_with_the_clock() {
    let berlin = zone("Europe/Berlin");
    let cases = [
        ("2026-10-25T00:30:00Z", "2026-10-25T02:30:00"),
        ("2026-10-25T00:59:59Z", "2026-10-25T02:59:59"),
        ("2026-10-25T01:00:00Z", "2026-10-25T02:59:59"),
        ("2026-10-25T01:59:59Z", "2026-10-25T02:59:59"),
        ("2026-10-25T02:00:00Z", "2026-10-25T03:00:00"),
        ("2026-03-29T00:59:59.999Z", "2026-03-29T01:59:59"),
        ("2026-03-29T01:00:00Z", "2026-03-29T03:00:00"),
    ];
    for (now, expected) in cases {
        let reading = berlin.latest_reading(now.parse().expect(now));
        assert_eq!(reading, expected.parse().expect(expected), "{now}");
    }
}

#[test]
fn far_from_any_rule_nothing_overflows() {
    let berlin = zone("Europe/Berlin");
    for instant in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
        let _ = (berlin.to_local(instant), berlin.with_offset(instant));
        let _ = berlin.to_utc(instant.naive_utc());
    }
    let last: DateTime<Utc> = "9999-12-31T23:59:59Z".parse().expect("an instant");
    assert_eq!(
        berlin.with_offset(last).to_rfc3339(),
        "+10000-01-01T00:59:59+01:00"
    );
}

#[test]
fn the_zone_of_the_host_is_looked_up_below_the_root() {
    let root = tempfile::tempdir().expect("a scratch folder");
    let path = root.path();
    let load = || Zone::load(&ZoneName::parse(HOST).expect(HOST), path);
    assert_eq!(load().expect("no file means UTC").name(), "UTC");

    std::fs::create_dir_all(path.join("etc")).expect("a folder");
    let localtime = path.join("etc/localtime");
    // An absolute link must not lead out of the root, where no zone files are: the bundled rules serve.
    std::os::unix::fs::symlink("/usr/share/zoneinfo/Asia/Tokyo", &localtime).expect("a link");
    assert_eq!(load().expect("a link").name(), "Asia/Tokyo");

    std::fs::remove_file(&localtime).expect("the link");
    std::fs::write(&localtime, "TZ=Europe/Berlin").expect("a file");
    let error = load().expect_err("not a zone file").to_string();
    assert!(
        error.contains("etc/localtime") && error.contains("timedatectl"),
        "{error}"
    );
}

#[test]
fn the_host_s_zone_files_come_first_and_the_bundled_ones_catch_the_rest() {
    let root = tempfile::tempdir().expect("a scratch folder");
    let folder = root.path().join("usr/share/zoneinfo/Europe");
    std::fs::create_dir_all(&folder).expect("a folder");
    // Version 1 with a single type: 18 hours east, which no real zone is.
    let mut file = b"TZif\0".to_vec();
    file.extend([0; 15]);
    file.extend([
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 4,
    ]);
    file.extend(64_800_i32.to_be_bytes());
    file.extend(b"\0\0XXX\0");
    std::fs::write(folder.join("Berlin"), file).expect("a zone file");
    std::fs::write(folder.join("Paris"), "cut off").expect("a broken zone file");
    let local = |name: &str| {
        let zone = Zone::load(&ZoneName::parse(name).expect(name), root.path()).expect(name);
        zone.to_local(DateTime::UNIX_EPOCH).to_string()
    };
    assert_eq!(local("Europe/Berlin"), "1970-01-01 18:00:00");
    assert_eq!(local("europe/berlin"), "1970-01-01 18:00:00");
    assert_eq!(local("Europe/Paris"), "1970-01-01 01:00:00");
    let unknown = ZoneName::parse("Mars/Olympus").expect("well formed");
    let error = Zone::load(&unknown, root.path())
        .expect_err("no such zone")
        .to_string();
    assert!(error.contains("Mars/Olympus"), "{error}");
}

#[test]
fn the_clocks_changes_are_listed_with_what_they_show() {
    let berlin = zone("Europe/Berlin");
    let instant = |text: &str| text.parse::<DateTime<Utc>>().expect(text);
    let changes = berlin.changes(
        instant("2026-07-01T00:00:00Z"),
        instant("2027-07-01T00:00:00Z"),
    );
    let told: Vec<_> = changes
        .iter()
        .map(|change| format!("{} {} {}", change.at, change.from, change.to))
        .collect();
    assert_eq!(
        told,
        [
            "2026-10-25 01:00:00 UTC 2026-10-25 03:00:00 2026-10-25 02:00:00",
            "2027-03-28 01:00:00 UTC 2027-03-28 02:00:00 2027-03-28 03:00:00",
        ]
    );
    assert!(
        Zone::utc()
            .changes(
                instant("2000-01-01T00:00:00Z"),
                instant("2030-01-01T00:00:00Z")
            )
            .is_empty()
    );
}
