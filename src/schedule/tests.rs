//! The queries, on documents and days chosen by hand.

use super::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant written for the test")
}

fn schedule(body: &str) -> Schedule {
    let document = ScheduleDocument::parse(body).expect(body);
    Schedule::resolve(document, Path::new("/")).expect(body)
}

fn recurring(zone: &str, windows: &[(&str, &str)]) -> Schedule {
    let windows: Vec<_> = windows
        .iter()
        .map(|(cron, duration)| serde_json::json!({"cron": cron, "duration": duration}))
        .collect();
    schedule(&serde_json::json!({"time_zone": zone, "windows": windows}).to_string())
}

fn upcoming(schedule: &Schedule, after: &str, count: usize) -> Vec<String> {
    let openings = schedule.upcoming(at(after), count);
    openings.iter().map(Opening::to_string).collect()
}

#[test]
fn a_window_is_half_open() {
    let schedule = recurring("UTC", &[("0 2 * * Sat,Sun", "2h")]);
    let saturday = Opening {
        start: at("2026-03-07T02:00:00Z"),
        stop: at("2026-03-07T04:00:00Z"),
    };
    for (now, open) in [
        ("2026-03-07T01:59:59.999999999Z", false),
        ("2026-03-07T02:00:00Z", true),
        ("2026-03-07T03:59:59.999999999Z", true),
        ("2026-03-07T04:00:00Z", false),
        ("2026-03-09T03:00:00Z", false),
    ] {
        assert_eq!(schedule.open_at(at(now)), open.then_some(saturday), "{now}");
    }
    // The present opening is not the next one.
    let next = schedule.next(saturday.start).map(|next| next.start);
    assert_eq!(next, Some(at("2026-03-08T02:00:00Z")));
    let just_before = at("2026-03-07T01:59:59.5Z");
    assert_eq!(schedule.next(just_before), Some(saturday));
}

#[test]
fn spring_forward_in_berlin() {
    // At 02:00 the clock jumps to 03:00, which is 01:00 UTC.
    let schedule = recurring("Europe/Berlin", &[("30 2 * * *", "90m")]);
    assert_eq!(
        upcoming(&schedule, "2026-03-28T00:00:00Z", 3),
        [
            "2026-03-28T01:30:00Z to 2026-03-28T03:00:00Z",
            "2026-03-29T01:00:00Z to 2026-03-29T02:30:00Z",
            "2026-03-30T00:30:00Z to 2026-03-30T02:00:00Z",
        ]
    );
    assert_eq!(schedule.open_at(at("2026-03-29T00:59:59Z")), None);
    assert!(schedule.open_at(at("2026-03-29T01:00:00Z")).is_some());
    assert_eq!(schedule.open_at(at("2026-03-29T02:30:00Z")), None);
}

#[test]
fn fall_back_in_berlin() {
    // At 03:00 the clock goes back to 02:00; 02:30 is 00:30 UTC, and again 01:30 UTC.
    let schedule = recurring("Europe/Berlin", &[("30 2 * * *", "45m")]);
    assert_eq!(
        upcoming(&schedule, "2026-10-24T12:00:00Z", 2),
        [
            "2026-10-25T00:30:00Z to 2026-10-25T01:15:00Z",
            "2026-10-26T01:30:00Z to 2026-10-26T02:15:00Z",
        ]
    );
    // In the second pass: first still open by the time that passed, then not opened again.
    assert!(schedule.open_at(at("2026-10-25T01:05:00Z")).is_some());
    assert_eq!(schedule.open_at(at("2026-10-25T01:30:00Z")), None);
    let next = schedule.next(at("2026-10-25T01:05:00Z"));
    assert_eq!(
        next.map(|next| next.start),
        Some(at("2026-10-26T01:30:00Z"))
    );
}

#[test]
fn starts_that_a_gap_skips_are_one_opening() {
    // New York, 2026-03-08: 02:00 to 03:00 is missing, and 03:00 is 07:00 UTC.
    let schedule = recurring("America/New_York", &[("*/30 1-3 * * *", "20m")]);
    assert_eq!(
        upcoming(&schedule, "2026-03-08T06:00:00Z", 3),
        [
            "2026-03-08T06:30:00Z to 2026-03-08T06:50:00Z",
            "2026-03-08T07:00:00Z to 2026-03-08T07:20:00Z",
            "2026-03-08T07:30:00Z to 2026-03-08T07:50:00Z",
        ]
    );
    // Of two windows as well, where they stop together; where they do not, both stand and the longer one counts.
    let twice = recurring(
        "America/New_York",
        &[
            ("0 2 * * *", "1h"),
            ("30 2 * * *", "1h"),
            ("45 2 * * *", "2h"),
        ],
    );
    assert_eq!(
        upcoming(&twice, "2026-03-08T06:00:00Z", 2),
        [
            "2026-03-08T07:00:00Z to 2026-03-08T09:00:00Z",
            "2026-03-08T07:00:00Z to 2026-03-08T08:00:00Z",
        ]
    );
    let next = twice.next(at("2026-03-08T06:00:00Z"));
    assert_eq!(next.map(|next| next.stop), Some(at("2026-03-08T09:00:00Z")));
    assert_eq!(twice.open_at(at("2026-03-08T07:30:00Z")), next);
}

#[test]
fn changes_of_the_clock_elsewhere() {
    let cases = [
        // The two on which systemd's calendar stumbles.
        (
            "Europe/Dublin",
            "30 1 * * *",
            "2024-03-30T12:00:00Z",
            "2024-03-31T01:00:00Z",
        ),
        (
            "Australia/Sydney",
            "30 2 * * *",
            "2026-10-03T12:00:00Z",
            "2026-10-03T16:00:00Z",
        ),
        (
            "Australia/Sydney",
            "30 2 * * *",
            "2026-04-04T12:00:00Z",
            "2026-04-04T15:30:00Z",
        ),
        (
            "Australia/Lord_Howe",
            "15 2 * * *",
            "2026-10-03T12:00:00Z",
            "2026-10-03T15:30:00Z",
        ),
        (
            "Australia/Lord_Howe",
            "45 1 * * *",
            "2026-04-04T12:00:00Z",
            "2026-04-04T14:45:00Z",
        ),
        (
            "America/New_York",
            "30 1 * * *",
            "2026-11-01T00:00:00Z",
            "2026-11-01T05:30:00Z",
        ),
        (
            "America/New_York",
            "30 2 * * *",
            "2026-03-08T00:00:00Z",
            "2026-03-08T07:00:00Z",
        ),
        (
            "Asia/Kathmandu",
            "0 2 * * *",
            "2026-03-08T00:00:00Z",
            "2026-03-08T20:15:00Z",
        ),
    ];
    for (zone, cron, after, expected) in cases {
        let schedule = recurring(zone, &[(cron, "10m")]);
        let next = schedule.next(at(after)).map(|next| next.start);
        assert_eq!(next, Some(at(expected)), "{cron} in {zone}");
    }
}

#[test]
fn of_several_open_windows_the_latest_stop_counts() {
    let schedule = recurring(
        "UTC",
        &[
            ("0 2 * * *", "4h"),
            ("0 3 * * *", "1h"),
            ("30 1 * * *", "2h"),
        ],
    );
    let open = |now: &str| schedule.open_at(at(now)).map(|opening| opening.stop);
    assert_eq!(
        open("2026-03-07T01:45:00Z"),
        Some(at("2026-03-07T03:30:00Z"))
    );
    assert_eq!(
        open("2026-03-07T03:10:00Z"),
        Some(at("2026-03-07T06:00:00Z"))
    );
    // One that is open all the time: the last start, not the first.
    let always = recurring("UTC", &[("* * * * *", "7d")]);
    let opening = always
        .open_at(at("2026-03-07T03:10:30Z"))
        .expect("always open");
    assert_eq!(
        opening.to_string(),
        "2026-03-07T03:10:00Z to 2026-03-14T03:10:00Z"
    );
}

#[test]
fn without_a_stop_to_come_there_is_no_schedule() {
    let now = at("2026-03-07T00:00:00Z");
    for body in [
        "# nothing",
        "500000 600000\n700000 800000",
        r#"{"windows": []}"#,
        r#"{"windows": [{"cron": "0 2 30 2 *", "duration": "2h"}]}"#,
        r#"{"windows": [{"cron": "0 2 31 4,6,9,11 *", "duration": "2h"}]}"#,
        r#"{"windows": [{"start": "2026-03-06T23:00:00Z", "stop": "2026-03-07T00:00:00Z"}]}"#,
    ] {
        let schedule = schedule(body);
        assert!(!schedule.has_future(now), "{body}");
        assert_eq!(schedule.standing(now), Standing::NoSchedule, "{body}");
    }
    let open = schedule(
        r#"{"windows": [{"start": "2026-03-06T23:00:00Z", "stop": "2026-03-07T00:00:01Z"}]}"#,
    );
    assert!(open.has_future(now));
    assert!(matches!(open.standing(now), Standing::Open(_)));
    assert_eq!(open.next(now), None);
    // The last opening of the calendar reaches into the next year.
    let last = recurring("UTC", &[("0 0 31 12 *", "7d")]);
    assert!(last.has_future(at("2101-01-06T23:59:59Z")));
    assert!(!last.has_future(at("2101-01-07T00:00:00Z")));
    let leap = recurring("UTC", &[("0 2 29 2 *", "2h")]);
    let next = leap.next(now).expect("a leap year comes");
    assert_eq!(leap.standing(now), Standing::Closed { next });
    assert_eq!(next.start, at("2028-02-29T02:00:00Z"));
}

#[test]
fn hands_off_is_not_the_absence_of_a_schedule() {
    let schedule = schedule("nop\n");
    let now = at("2026-03-07T00:00:00Z");
    assert!(schedule.is_hands_off() && schedule.has_future(now));
    assert_eq!(schedule.standing(now), Standing::HandsOff);
    assert_eq!((schedule.open_at(now), schedule.next(now)), (None, None));
}

#[test]
fn windows_that_passed_are_counted_from_start_to_stop() {
    let schedule = recurring("UTC", &[("0 2 * * *", "2h")]);
    let cases = [
        ("2026-03-07T02:00:00Z", "2026-03-07T04:00:00Z", 1),
        ("2026-03-07T02:00:01Z", "2026-03-07T04:00:00Z", 0),
        ("2026-03-07T02:00:00Z", "2026-03-07T03:59:59Z", 0),
        ("2026-03-01T00:00:00Z", "2026-03-08T00:00:00Z", 7),
        ("2026-03-08T00:00:00Z", "2026-03-01T00:00:00Z", 0),
        ("2000-01-01T00:00:00Z", "2026-03-01T00:00:00Z", MAX_OPENINGS),
    ];
    for (from, to, count) in cases {
        assert_eq!(
            schedule.passed_between(at(from), at(to)),
            count,
            "{from} to {to}"
        );
    }
    let pairs = self::schedule("100 200\n100 200\n150 300\n400 500");
    let unix = |seconds| DateTime::from_timestamp(seconds, 0).expect("a small number");
    assert_eq!(pairs.passed_between(unix(100), unix(499)), 2);
    assert_eq!(pairs.passed_between(unix(101), unix(500)), 2);
}

#[test]
fn a_freeze_stands_beside_the_windows() {
    let schedule = schedule(
        r#"{"windows": [{"cron": "0 2 * * *", "duration": "2h"}],
            "freeze": [{"start": "2026-12-20T00:00:00Z", "stop": "2027-01-04T00:00:00Z", "reason": "year end"}]}"#,
    );
    let inside = at("2026-12-24T02:30:00Z");
    assert_eq!(
        schedule.frozen(inside).map(|freeze| freeze.reason.as_str()),
        Some("year end")
    );
    assert!(schedule.open_at(inside).is_some());
    assert_eq!(schedule.frozen(at("2027-01-04T00:00:00Z")), None);
}

#[test]
fn the_ends_of_time_do_not_overflow() {
    let schedule = schedule(
        r#"{"time_zone": "Europe/Berlin",
            "windows": [{"cron": "* * * * *", "duration": "7d"},
                        {"start": "1970-01-01T00:00:00Z", "stop": "9999-12-31T23:59:59Z"}],
            "freeze": [{"start": "1970-01-01T00:00:00Z", "stop": "9999-12-31T23:59:59Z"}]}"#,
    );
    let (first, last) = (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC);
    for now in [
        first,
        DateTime::UNIX_EPOCH,
        at("2101-06-01T00:00:00Z"),
        at("9999-12-31T23:59:59Z"),
        last,
    ] {
        let _ = (
            schedule.open_at(now),
            schedule.next(now),
            schedule.standing(now),
        );
        let _ = (
            schedule.upcoming(now, usize::MAX),
            schedule.frozen(now),
            schedule.has_future(now),
        );
    }
    assert!(schedule.open_at(at("9999-12-31T23:59:58Z")).is_some());
    assert!(!schedule.has_future(last) && schedule.has_future(first));
    assert_eq!(schedule.passed_between(first, last), MAX_OPENINGS);
    assert_eq!(schedule.upcoming(first, usize::MAX).len(), MAX_OPENINGS);
}

#[test]
fn the_configuration_can_hold_a_document_inline() {
    let value = serde_json::json!({"windows": [{"cron": "0 2 * * *", "duration": "2h"}]});
    let document: ScheduleDocument = serde_json::from_value(value).expect("the JSON form");
    assert_eq!(document.windows().len(), 1);
    let wrong = serde_json::json!({"windows": [{"cron": "0 2 * *", "duration": "2h"}]});
    let error = serde_json::from_value::<ScheduleDocument>(wrong).expect_err("four fields");
    assert!(
        error.to_string().starts_with("windows[0].cron: 4 fields"),
        "{error}"
    );
}
