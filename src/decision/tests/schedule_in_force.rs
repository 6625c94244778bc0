//! Which schedule counts.

use super::*;
use crate::state::agent::ScheduleMemory;

const FUTURE: &str =
    r#"{"windows": [{"start": "2026-11-23T12:00:00Z", "stop": "2026-11-23T14:00:00Z"}]}"#;
const PAST: &str =
    r#"{"windows": [{"start": "2026-11-21T12:00:00Z", "stop": "2026-11-21T14:00:00Z"}]}"#;

fn document(text: &str) -> ScheduleAnswer {
    ScheduleAnswer::Document {
        text: text.into(),
        etag: None,
        url: "http://server/schedule".into(),
    }
}

fn parse(text: &str) -> Result<Schedule, String> {
    let document = ScheduleDocument::parse(text).map_err(|error| error.to_string())?;
    Schedule::resolve(document, Path::new("/")).map_err(|error| error.to_string())
}

fn look(
    answer: &ScheduleAnswer,
    memory: &ScheduleMemory,
    minutes: i64,
) -> (ScheduleFact, ScheduleMemory, bool) {
    let (fact, memory, warning) = resolve(
        answer,
        memory,
        "server",
        parse,
        now() + TimeDelta::minutes(minutes),
    );
    (fact, memory, warning.is_some())
}

#[test]
fn a_server_that_never_had_one_counts_at_once() {
    for answer in [ScheduleAnswer::Absent, document(PAST)] {
        let (fact, memory, _) = look(&answer, &ScheduleMemory::default(), 0);
        assert!(matches!(fact, ScheduleFact::None { .. }), "{fact:?}");
        assert_eq!(memory.missing_since, None);
    }
}

#[test]
fn one_that_was_there_and_is_gone_waits_for_a_second_tick_twenty_minutes_later() {
    let (_, had, _) = look(&document(FUTURE), &ScheduleMemory::default(), 0);
    for gone in [ScheduleAnswer::Absent, document(PAST)] {
        let (fact, memory, _) = look(&gone, &had, 5);
        assert!(
            matches!(fact, ScheduleFact::Unconfirmed { counts_at, .. } if counts_at == now() + TimeDelta::minutes(25)),
            "{fact:?}"
        );
        let (fact, memory, _) = look(&gone, &memory, 24);
        assert!(matches!(fact, ScheduleFact::Unconfirmed { .. }), "{fact:?}");
        let (fact, memory, _) = look(&gone, &memory, 25);
        assert!(matches!(fact, ScheduleFact::None { .. }), "{fact:?}");
        // It comes back, and the next loss starts anew.
        let (fact, memory, _) = look(&document(FUTURE), &memory, 30);
        assert!(matches!(fact, ScheduleFact::InForce { .. }), "{fact:?}");
        assert_eq!(memory.missing_since, None);
    }
}

#[test]
fn an_unreadable_one_keeps_the_last_good_one_loudly_for_as_long_as_it_has_windows() {
    let (_, had, _) = look(&document(FUTURE), &ScheduleMemory::default(), 0);
    for answer in [ScheduleAnswer::Failed("500".into()), document("<html>")] {
        let (fact, memory, warned) = look(&answer, &had, 5);
        assert!(matches!(fact, ScheduleFact::InForce { .. }), "{fact:?}");
        assert!(warned);
        assert_eq!(memory.kept, had.kept);
        let (fact, memory, _) = look(&answer, &memory, 60 * 48);
        assert!(
            matches!(fact, ScheduleFact::Unconfirmed { .. }),
            "its windows are over: {fact:?}"
        );
        let (fact, ..) = look(&answer, &memory, 60 * 48 + 20);
        assert!(matches!(fact, ScheduleFact::None { .. }), "{fact:?}");
    }
}

#[test]
fn none_kept_and_none_readable_waits_too() {
    let failed = ScheduleAnswer::Failed("500".into());
    let (fact, memory, _) = look(&failed, &ScheduleMemory::default(), 0);
    assert!(matches!(fact, ScheduleFact::Unconfirmed { .. }), "{fact:?}");
    let (fact, ..) = look(&failed, &memory, 20);
    assert!(matches!(fact, ScheduleFact::None { .. }), "{fact:?}");
    // Found missing on the second look instead: the server never had one.
    let (fact, ..) = look(&ScheduleAnswer::Absent, &memory, 1);
    assert!(matches!(fact, ScheduleFact::None { .. }), "{fact:?}");
}

#[test]
fn not_modified_and_nop() {
    let (_, had, _) = look(&document(FUTURE), &ScheduleMemory::default(), 0);
    assert!(matches!(
        look(&ScheduleAnswer::NotModified, &had, 1).0,
        ScheduleFact::InForce { .. }
    ));
    let (fact, memory, _) = look(&document("nop\n"), &had, 1);
    assert!(matches!(fact, ScheduleFact::HandsOff { .. }));
    assert!(matches!(
        look(&ScheduleAnswer::Failed("500".into()), &memory, 2).0,
        ScheduleFact::HandsOff { .. }
    ));
}

#[test]
fn a_clock_that_is_set_back_does_not_prolong_the_wait() {
    let (_, had, _) = look(&document(FUTURE), &ScheduleMemory::default(), 0);
    let (_, memory, _) = look(&ScheduleAnswer::Absent, &had, 600);
    let (fact, memory, _) = look(&ScheduleAnswer::Absent, &memory, 0);
    assert!(matches!(fact, ScheduleFact::Unconfirmed { .. }), "{fact:?}");
    assert!(matches!(
        look(&ScheduleAnswer::Absent, &memory, 20).0,
        ScheduleFact::None { .. }
    ));
}

#[test]
fn a_freeze_outlives_the_windows_of_its_document() {
    let frozen = |window: &str| {
        format!(
            r#"{{"windows": [{window}], "freeze": [{{"start": "2026-11-20T00:00:00Z", "stop": "2026-11-30T00:00:00Z", "reason": "year end"}}]}}"#
        )
    };
    let past = frozen(r#"{"start": "2026-11-21T12:00:00Z", "stop": "2026-11-21T14:00:00Z"}"#);
    let future = frozen(r#"{"start": "2026-11-23T12:00:00Z", "stop": "2026-11-23T14:00:00Z"}"#);
    let decided = |fact: ScheduleFact| {
        let critical = Reading::taken(Critical::Yes, now());
        let schedule = Reading::taken(fact, now());
        stop(&Facts {
            critical,
            schedule,
            ..facts()
        })
    };
    let frozen = Some((GateName::Freeze, Reason::Frozen));
    // Never had another, so that it counts at once.
    let (fact, ..) = look(&document(&past), &ScheduleMemory::default(), 0);
    assert!(matches!(fact, ScheduleFact::None { .. }), "{fact:?}");
    assert_eq!(decided(fact), frozen);
    let (_, had, _) = look(&document(&future), &ScheduleMemory::default(), 0);
    // Gone: the freeze is on for as long as that is not confirmed, and past windows do not end it.
    let (fact, memory, _) = look(&ScheduleAnswer::Absent, &had, 0);
    assert!(matches!(fact, ScheduleFact::Unconfirmed { .. }), "{fact:?}");
    assert_eq!(decided(fact), frozen);
    let (fact, ..) = look(&ScheduleAnswer::Absent, &memory, 20);
    assert_eq!(decided(fact), None);
    let (_, memory, _) = look(&document(&past), &had, 0);
    let (fact, ..) = look(&document(&past), &memory, 20);
    assert!(matches!(fact, ScheduleFact::None { .. }), "{fact:?}");
    assert_eq!(decided(fact), frozen);
}
