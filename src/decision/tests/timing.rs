//! When a change may start.

use super::*;

/// One letter for each outcome, as the grid below writes them.
fn letter(facts: &Facts) -> char {
    match decide(facts, now()).verdict {
        Verdict::Proceed(Timing::Forced) => '!',
        Verdict::Proceed(Timing::Critical) => 'C',
        Verdict::Proceed(Timing::Unhealthy) => 'U',
        Verdict::Proceed(Timing::NoSchedule) => 'N',
        Verdict::Proceed(Timing::WindowOpen) => 'W',
        Verdict::Stop(GateName::Freeze, Reason::Frozen) => 'F',
        Verdict::Stop(GateName::Timing, Reason::OutsideWindow) => '-',
        Verdict::Stop(GateName::Timing, Reason::ScheduleUnconfirmed) => '?',
        Verdict::Stop(GateName::Timing, Reason::HandsOff) => 'H',
        other => panic!("not in the table: {other:?}"),
    }
}

/// The full cross product: critical × health in the columns, freeze × schedule in the rows, and
/// `forced` over all of it. Columns within a block: healthy, unhealthy, stopped, unknown.
///
/// C critical, U unhealthy, N no schedule, W window open; - outside the window, ? not yet
/// confirmed, H hands off, F frozen.
const GRID: &str = "
freeze       schedule      critical  not critical  no answer
none         open          C C C C   W U W W       W U W W
none         future        C C C C   - U - -       - U - -
none         missing       C C C C   N U N N       N U N N
none         unconfirmed   C C C C   ? U ? ?       ? U ? ?
none         nop           H H H H   H H H H       H H H H
full         open          F F F F   F F F F       F F F F
full         future        F F F F   F F F F       F F F F
full         missing       F F F F   F F F F       F F F F
full         unconfirmed   F F F F   F F F F       F F F F
full         nop           F F F F   F F F F       F F F F
critical     open          C C C C   F F F F       F F F F
critical     future        C C C C   F F F F       F F F F
critical     missing       C C C C   F F F F       F F F F
critical     unconfirmed   C C C C   F F F F       F F F F
critical     nop           H H H H   F F F F       F F F F
unhealthy    open          F C F F   F U F F       F U F F
unhealthy    future        F C F F   F U F F       F U F F
unhealthy    missing       F C F F   F U F F       F U F F
unhealthy    unconfirmed   F C F F   F U F F       F U F F
unhealthy    nop           F H F F   F H F F       F H F F
";

#[test]
fn every_combination_of_the_timing_inputs() {
    let criticals = || {
        [
            Critical::Yes,
            Critical::No,
            Critical::NoAnswer("HTML".into()),
        ]
    };
    let healths = || {
        let text = || "evidence".to_owned();
        [
            Health::Healthy(text()),
            Health::Unhealthy(text()),
            Health::Stopped(text()),
            Health::Unknown(text()),
        ]
    };
    let mut checked = 0;
    for row in GRID.lines().filter(|row| !row.is_empty()).skip(1) {
        let mut cells = row.split_whitespace();
        let (frozen, scheduled) = (cells.next().unwrap(), cells.next().unwrap());
        let mut facts = facts();
        facts.timing.freezes = match frozen {
            "none" => vec![],
            "full" => vec![freeze(vec![])],
            "critical" => vec![freeze(vec![Exemption::Critical])],
            "unhealthy" => vec![freeze(vec![Exemption::Unhealthy])],
            other => panic!("{other}"),
        };
        let schedule = match scheduled {
            "open" => open_window(),
            "future" => future_window(),
            "missing" => ScheduleFact::None {
                freezes: Vec::new(),
                why: "none served".into(),
            },
            "unconfirmed" => ScheduleFact::Unconfirmed {
                freezes: Vec::new(),
                why: "gone".into(),
                counts_at: at("2026-11-22T13:20:00Z"),
            },
            "nop" => ScheduleFact::HandsOff {
                source: "test".into(),
            },
            other => panic!("{other}"),
        };
        facts.schedule = Reading::taken(schedule, now());
        for critical in criticals() {
            for health in healths() {
                let expected = cells.next().unwrap().chars().next().unwrap();
                facts.critical = Reading::taken(critical.clone(), now());
                facts.health = Reading::taken(health.clone(), now());
                facts.forced = false;
                let what =
                    format!("freeze {frozen}, schedule {scheduled}, {critical:?}, {health:?}");
                assert_eq!(letter(&facts), expected, "{what}");
                facts.forced = true;
                assert_eq!(letter(&facts), '!', "--now, {what}");
                checked += 2;
            }
        }
        assert_eq!(cells.next(), None);
    }
    assert_eq!(checked, 480);
}

#[test]
fn the_ancestors_table() {
    let none = || ScheduleFact::None {
        freezes: Vec::new(),
        why: "none served".into(),
    };
    let nop = || ScheduleFact::HandsOff {
        source: "test".into(),
    };
    // Equal: nothing, whatever else.
    for (critical, schedule) in [
        (Critical::Yes, none()),
        (Critical::No, open_window()),
        (Critical::No, nop()),
    ] {
        let facts = Facts {
            installed: installed("1.1.0"),
            critical: Reading::taken(critical, now()),
            schedule: Reading::taken(schedule, now()),
            ..facts()
        };
        assert_eq!(stop(&facts), Some((GateName::Change, Reason::UpToDate)));
    }
    // Target unknown: an error, and nothing is done, not even when forced.
    for forced in [false, true] {
        let target = Reading::Failed {
            error: "refused".into(),
            invalid: false,
        };
        let facts = Facts {
            target,
            forced,
            ..facts()
        };
        assert_eq!(
            stop(&facts),
            Some((GateName::Target, Reason::VersionServerUnreachable))
        );
    }
    let facts = Facts {
        target: Reading::taken(Target::None, now()),
        ..facts()
    };
    assert_eq!(stop(&facts), Some((GateName::Target, Reason::NoTarget)));
}

#[test]
fn a_revision_or_an_epoch_is_no_difference() {
    for text in ["1.1.0", "1.1.0-2", "3:1.1.0", "1:1.1.0-1ubuntu1"] {
        let facts = Facts {
            installed: installed(text),
            ..facts()
        };
        assert_eq!(
            stop(&facts),
            Some((GateName::Change, Reason::UpToDate)),
            "{text}"
        );
    }
    let facts = Facts {
        installed: installed("1.2.0~rc.1-1"),
        target: Reading::taken(Target::Version(version("1.2.0-rc.1")), now()),
        ..facts()
    };
    assert_eq!(stop(&facts), Some((GateName::Change, Reason::UpToDate)));
}

#[test]
fn critical_waits_for_the_window_where_the_policy_says_so() {
    let mut facts = facts();
    facts.critical = Reading::taken(Critical::Yes, now());
    facts.timing.critical_opens = false;
    assert_eq!(
        stop(&facts),
        Some((GateName::Timing, Reason::OutsideWindow))
    );
}

#[test]
fn a_window_that_closes_too_soon_does_not_start_anything() {
    let with = |stop: &str, margin: i64| {
        let schedule = schedule("2026-11-22T12:00:00Z", stop);
        let mut facts = facts();
        facts.schedule = Reading::taken(
            ScheduleFact::InForce {
                schedule,
                source: "test".into(),
            },
            now(),
        );
        facts.timing.window_margin = TimeDelta::minutes(margin);
        decide(&facts, now()).verdict
    };
    let closing = Verdict::Stop(GateName::Timing, Reason::WindowClosing);
    let open = Verdict::Proceed(Timing::WindowOpen);
    assert_eq!(with("2026-11-22T13:09:59Z", 10), closing);
    assert_eq!(
        with("2026-11-22T13:10:00Z", 10),
        open,
        "the margin itself is enough"
    );
    // At most half the window: of these two hours one may be used, whatever the margin says.
    assert_eq!(with("2026-11-22T14:00:00Z", 300), open);
    assert_eq!(with("2026-11-22T13:59:00Z", 300), closing);
}

#[test]
fn a_window_is_half_open() {
    let mut facts = facts();
    facts.timing.window_margin = TimeDelta::zero();
    facts.schedule = Reading::taken(open_window(), now());
    let verdict = |text: &str| decide(&facts, at(text)).verdict;
    assert_eq!(
        verdict("2026-11-22T12:00:00Z"),
        Verdict::Proceed(Timing::WindowOpen)
    );
    assert_eq!(
        verdict("2026-11-22T13:59:59Z"),
        Verdict::Proceed(Timing::WindowOpen)
    );
    assert!(matches!(verdict("2026-11-22T11:59:59Z"), Verdict::Stop(..)));
}

#[test]
fn a_spread_delays_by_the_hosts_share_and_never_out_of_the_window() {
    let verdict = |facts: &Facts| decide(facts, now()).verdict;
    let spread = Verdict::Stop(GateName::Timing, Reason::Spread);
    let mut facts = facts();
    facts.timing.spread = TimeDelta::hours(4);
    facts.schedule = Reading::taken(open_window(), now());
    // 110 of the 120 minutes can start something; half of that is 12:55.
    assert_eq!(verdict(&facts), Verdict::Proceed(Timing::WindowOpen));
    facts.timing.share = 0.9;
    assert_eq!(verdict(&facts), spread);
    let gate = decide(&facts, now()).stopping_gate().cloned().unwrap();
    assert_eq!(gate.until, Some(at("2026-11-22T13:39:00Z")));
    // Critical and no schedule wait from when the target was first seen; a sick agent does not.
    facts.schedule = Reading::taken(
        ScheduleFact::None {
            why: "none".into(),
            freezes: Vec::new(),
        },
        now(),
    );
    facts.pending_since = Some(at("2026-11-22T12:00:00Z"));
    assert_eq!(verdict(&facts), spread);
    facts.pending_since = Some(at("2026-11-22T09:00:00Z"));
    assert_eq!(verdict(&facts), Verdict::Proceed(Timing::NoSchedule));
    facts.pending_since = Some(now());
    facts.health = Reading::taken(Health::Unhealthy("failed".into()), now());
    assert_eq!(verdict(&facts), Verdict::Proceed(Timing::Unhealthy));
}

#[test]
fn missed_windows_open_timing_where_the_policy_says_so() {
    let document = r#"{"windows": [{"cron": "0 2 * * *", "duration": "1h"}]}"#;
    let schedule =
        Schedule::resolve(ScheduleDocument::parse(document).unwrap(), Path::new("/")).unwrap();
    let mut facts = facts();
    facts.schedule = Reading::taken(
        ScheduleFact::InForce {
            schedule,
            source: "test".into(),
        },
        now(),
    );
    facts.pending_since = Some(at("2026-11-19T12:00:00Z"));
    facts.timing.catch_up_after = Some(4);
    assert_eq!(
        stop(&facts),
        Some((GateName::Timing, Reason::OutsideWindow)),
        "three were missed"
    );
    facts.timing.catch_up_after = Some(3);
    assert_eq!(
        decide(&facts, now()).verdict,
        Verdict::Proceed(Timing::Overdue)
    );
}

#[test]
fn a_freeze_of_the_schedule_counts_like_one_of_the_configuration() {
    let document = r#"{"windows": [{"start": "2026-11-22T12:00:00Z", "stop": "2026-11-22T14:00:00Z"}],
        "freeze": [{"start": "2026-11-22T00:00:00Z", "stop": "2026-11-25T00:00:00Z", "reason": "fair"}]}"#;
    let schedule =
        Schedule::resolve(ScheduleDocument::parse(document).unwrap(), Path::new("/")).unwrap();
    let mut facts = facts();
    facts.schedule = Reading::taken(
        ScheduleFact::InForce {
            schedule,
            source: "test".into(),
        },
        now(),
    );
    let decision = decide(&facts, now());
    assert_eq!(
        decision.verdict,
        Verdict::Stop(GateName::Freeze, Reason::Frozen)
    );
    assert_eq!(
        decision.stopping_gate().unwrap().until,
        Some(at("2026-11-25T00:00:00Z"))
    );
    // Both freezes have to let a critical update pass.
    facts.critical = Reading::taken(Critical::Yes, now());
    facts.timing.freezes = vec![freeze(vec![Exemption::Critical])];
    assert_eq!(stop(&facts), Some((GateName::Freeze, Reason::Frozen)));
}

#[test]
fn in_the_installer_timing_is_the_planned_one_and_no_other_gate_is() {
    let planned = |timing, until| Facts {
        planned: Some(Planned { timing, until }),
        ..facts()
    };
    let verdict = |facts: &Facts| decide(facts, now()).verdict;
    assert_eq!(
        verdict(&facts()),
        Verdict::Stop(GateName::Timing, Reason::OutsideWindow)
    );
    for timing in [
        Timing::Critical,
        Timing::Unhealthy,
        Timing::NoSchedule,
        Timing::WindowOpen,
        Timing::Overdue,
    ] {
        assert_eq!(verdict(&planned(timing, None)), Verdict::Proceed(timing));
    }
    // A window that closed while the package was fetched.
    let later = planned(Timing::WindowOpen, Some(now() + TimeDelta::seconds(1)));
    assert_eq!(verdict(&later), Verdict::Proceed(Timing::WindowOpen));
    let closed = planned(Timing::WindowOpen, Some(now()));
    assert_eq!(
        verdict(&closed),
        Verdict::Stop(GateName::Timing, Reason::WindowClosing)
    );
    let held = Facts {
        holds: Reading::taken(
            vec![HoldFact {
                by_operator: true,
                description: "held".into(),
                until: None,
            }],
            now(),
        ),
        ..planned(Timing::Critical, None)
    };
    assert_eq!(
        verdict(&held),
        Verdict::Stop(GateName::Hold, Reason::HeldByOperator)
    );
    let bad = Facts {
        quarantine: vec![(version("1.1.0"), "it crashed".into())],
        ..planned(Timing::Unhealthy, None)
    };
    assert_eq!(
        verdict(&bad),
        Verdict::Stop(GateName::Quarantine, Reason::Quarantined)
    );
    let elsewhere = Facts {
        schedule: Reading::taken(
            ScheduleFact::HandsOff {
                source: "the version server".into(),
            },
            now(),
        ),
        ..planned(Timing::Critical, None)
    };
    assert_eq!(
        verdict(&elsewhere),
        Verdict::Stop(GateName::Timing, Reason::HandsOff)
    );
}
