//! The decision against tables written by hand from the contract.

use super::*;
use crate::config::Downgrade;
use crate::schedule::{Exemption, Freeze, Schedule, ScheduleDocument};
use adapters::version::NativeVersion;
use adapters::{Installed, InstalledPackage, TargetVersion};
use chrono::{DateTime, TimeDelta, Utc};
use std::path::Path;

/// A Sunday; the open window is 12:00 to 14:00, the future one starts the next day.
fn now() -> DateTime<Utc> {
    at("2026-11-22T13:00:00Z")
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn version(text: &str) -> TargetVersion {
    TargetVersion::parse(text).unwrap()
}

fn schedule(start: &str, stop: &str) -> Schedule {
    let document = format!(r#"{{"windows": [{{"start": "{start}", "stop": "{stop}"}}]}}"#);
    Schedule::resolve(ScheduleDocument::parse(document).unwrap(), Path::new("/")).unwrap()
}

fn open_window() -> ScheduleFact {
    let schedule = schedule("2026-11-22T12:00:00Z", "2026-11-22T14:00:00Z");
    ScheduleFact::InForce {
        schedule,
        source: "test".into(),
    }
}

fn future_window() -> ScheduleFact {
    let schedule = schedule("2026-11-23T12:00:00Z", "2026-11-23T14:00:00Z");
    ScheduleFact::InForce {
        schedule,
        source: "test".into(),
    }
}

/// Facts under which an update from 1.0.0 to 1.1.0 waits for a future window.
fn facts() -> Facts {
    Facts {
        built_at: at("2026-01-01T00:00:00Z"),
        confirmed_clock: None,
        platform: Reading::taken(Platform::Supported("apt".into()), now()),
        installed: installed("1.0.0"),
        target: Reading::taken(Target::Version(version("1.1.0")), now()),
        downgrade: Downgrade::Allow,
        minimum_version: None,
        cluster: Reading::taken(None, now()),
        quarantine: Vec::new(),
        holds: Reading::taken(Vec::new(), now()),
        critical: Reading::taken(Critical::No, now()),
        schedule: Reading::taken(future_window(), now()),
        health: Reading::taken(Health::Healthy("the unit is active".into()), now()),
        pending_since: Some(now()),
        forced: false,
        timing: TimingPolicy {
            window_margin: TimeDelta::minutes(10),
            spread: TimeDelta::zero(),
            share: 0.5,
            catch_up_after: None,
            critical_opens: true,
            freezes: Vec::new(),
        },
    }
}

fn installed(text: &str) -> Reading<Installed> {
    let version = NativeVersion::debian(text).unwrap();
    let package = InstalledPackage {
        version,
        architecture: "amd64".into(),
        held: false,
    };
    Reading::taken(Installed::Present(package), now())
}

fn freeze(allow: Vec<Exemption>) -> Freeze {
    Freeze {
        start: at("2026-11-20T00:00:00Z"),
        stop: at("2026-11-30T00:00:00Z"),
        reason: "year end".into(),
        allow,
    }
}

fn stop(facts: &Facts) -> Option<(GateName, Reason)> {
    match decide(facts, now()).verdict {
        Verdict::Stop(gate, reason) => Some((gate, reason)),
        Verdict::Proceed(_) | Verdict::Undecided(_) => None,
    }
}

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
                why: "none served".into(),
            },
            "unconfirmed" => ScheduleFact::Unconfirmed {
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
    facts.schedule = Reading::taken(ScheduleFact::None { why: "none".into() }, now());
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
fn direction_and_compatibility() {
    use Reason::{AboveCluster, BelowMinimumVersion, DowngradeForbidden, TooFarBelowCluster};
    let ok = None;
    // installed, target, downgrade, floor, cluster, expected
    let table: Vec<(
        &str,
        &str,
        Downgrade,
        Option<&str>,
        Option<&str>,
        Option<Reason>,
    )> = vec![
        ("2.1.0", "2.0.0", Downgrade::Allow, None, None, ok),
        ("2.1.0", "2.0.0", Downgrade::WithinMajor, None, None, ok),
        (
            "2.1.0",
            "1.9.0",
            Downgrade::WithinMajor,
            None,
            None,
            Some(DowngradeForbidden),
        ),
        (
            "2.1.0",
            "2.0.0",
            Downgrade::Forbid,
            None,
            None,
            Some(DowngradeForbidden),
        ),
        (
            "2.0.0",
            "2.0.0-rc.1",
            Downgrade::Forbid,
            None,
            None,
            Some(DowngradeForbidden),
        ),
        ("2.0.0", "2.1.0", Downgrade::Forbid, None, None, ok),
        (
            "2.1.0",
            "2.0.0",
            Downgrade::Allow,
            Some("2.0.1"),
            None,
            Some(BelowMinimumVersion),
        ),
        (
            "1.0.0",
            "1.5.0",
            Downgrade::Allow,
            Some("2.0.0"),
            None,
            Some(BelowMinimumVersion),
        ),
        ("2.0.0", "2.1.0", Downgrade::Allow, Some("2.1.0"), None, ok),
        // Never above the cluster, never more than one major version below it.
        (
            "15.0.0",
            "15.1.0",
            Downgrade::Allow,
            None,
            Some("15.1.0"),
            ok,
        ),
        (
            "15.0.0",
            "15.1.1",
            Downgrade::Allow,
            None,
            Some("15.1.0"),
            Some(AboveCluster),
        ),
        (
            "15.0.0",
            "14.0.0",
            Downgrade::Allow,
            None,
            Some("15.1.0"),
            ok,
        ),
        (
            "15.0.0",
            "13.9.9",
            Downgrade::Allow,
            None,
            Some("15.1.0"),
            Some(TooFarBelowCluster),
        ),
        // From outside the range every step towards it is allowed …
        (
            "17.0.0",
            "16.0.0",
            Downgrade::Allow,
            None,
            Some("15.1.0"),
            ok,
        ),
        (
            "11.0.0",
            "12.0.0",
            Downgrade::Allow,
            None,
            Some("15.1.0"),
            ok,
        ),
        (
            "17.0.0",
            "18.0.0",
            Downgrade::Allow,
            None,
            Some("15.1.0"),
            Some(AboveCluster),
        ),
        (
            "17.0.0",
            "12.0.0",
            Downgrade::Allow,
            None,
            Some("15.1.0"),
            Some(TooFarBelowCluster),
        ),
        (
            "11.0.0",
            "16.0.0",
            Downgrade::Allow,
            None,
            Some("15.1.0"),
            Some(AboveCluster),
        ),
        // … and no policy stands in the way of getting back into it.
        (
            "17.0.0",
            "15.1.0",
            Downgrade::Forbid,
            Some("16.0.0"),
            Some("15.1.0"),
            ok,
        ),
        (
            "16.0.0",
            "14.2.0",
            Downgrade::WithinMajor,
            None,
            Some("15.1.0"),
            ok,
        ),
        // Within the range the policy holds.
        (
            "15.1.0",
            "15.0.0",
            Downgrade::Forbid,
            None,
            Some("15.1.0"),
            Some(DowngradeForbidden),
        ),
    ];
    for (from, to, downgrade, floor, cluster, expected) in table {
        let facts = Facts {
            installed: installed(from),
            target: Reading::taken(Target::Version(version(to)), now()),
            downgrade,
            minimum_version: floor.map(version),
            cluster: Reading::taken(cluster.map(version), now()),
            schedule: Reading::taken(open_window(), now()),
            ..facts()
        };
        let what = format!("{from} → {to}, {downgrade:?}, floor {floor:?}, cluster {cluster:?}");
        assert_eq!(stop(&facts).map(|(_, reason)| reason), expected, "{what}");
    }
}

#[test]
fn outside_the_compatible_range_is_as_early_as_unhealthy() {
    let facts = Facts {
        installed: installed("13.0.0"),
        target: Reading::taken(Target::Version(version("15.0.0")), now()),
        cluster: Reading::taken(Some(version("15.1.0")), now()),
        ..facts()
    };
    assert_eq!(
        decide(&facts, now()).verdict,
        Verdict::Proceed(Timing::OutsideCompatibleRange)
    );
}

#[test]
fn an_absent_cluster_never_stops_an_update() {
    let facts = Facts {
        cluster: Reading::Failed {
            error: "no answer".into(),
            invalid: false,
        },
        schedule: Reading::taken(open_window(), now()),
        ..facts()
    };
    assert_eq!(
        decide(&facts, now()).verdict,
        Verdict::Proceed(Timing::WindowOpen)
    );
}

#[test]
fn the_gates_before_timing_close_one_by_one_and_not_even_now_passes_them() {
    let hold = |by_operator| HoldFact {
        by_operator,
        description: "held".into(),
        until: None,
    };
    let failed = || "cannot open the database".to_owned();
    let table: Vec<(Facts, GateName, Reason)> = vec![
        (
            Facts {
                built_at: at("2027-01-01T00:00:00Z"),
                ..facts()
            },
            GateName::Clock,
            Reason::ClockBeforeBuild,
        ),
        (
            Facts {
                confirmed_clock: Some(at("2026-11-23T13:00:01Z")),
                ..facts()
            },
            GateName::Clock,
            Reason::ClockWentBack,
        ),
        (
            Facts {
                platform: Reading::taken(Platform::Unsupported("ostree".into()), now()),
                ..facts()
            },
            GateName::Platform,
            Reason::UnsupportedPlatform,
        ),
        (
            Facts {
                installed: Reading::taken(Installed::Absent, now()),
                ..facts()
            },
            GateName::Installed,
            Reason::NotInstalled,
        ),
        (
            Facts {
                installed: Reading::Failed {
                    error: failed(),
                    invalid: false,
                },
                ..facts()
            },
            GateName::Installed,
            Reason::PackageDatabaseUnreadable,
        ),
        (
            Facts {
                installed: Reading::taken(
                    Installed::Broken {
                        detail: "iF".into(),
                        versions: vec![],
                    },
                    now(),
                ),
                ..facts()
            },
            GateName::Installed,
            Reason::PackageBroken,
        ),
        (
            Facts {
                target: Reading::Failed {
                    error: "HTML".into(),
                    invalid: true,
                },
                ..facts()
            },
            GateName::Target,
            Reason::VersionServerInvalid,
        ),
        (
            Facts {
                quarantine: vec![(version("1.1.0"), "crash loop".into())],
                ..facts()
            },
            GateName::Quarantine,
            Reason::Quarantined,
        ),
        (
            Facts {
                holds: Reading::taken(vec![hold(true)], now()),
                ..facts()
            },
            GateName::Hold,
            Reason::HeldByOperator,
        ),
        (
            Facts {
                holds: Reading::taken(vec![hold(false)], now()),
                ..facts()
            },
            GateName::Hold,
            Reason::HeldByAdministrator,
        ),
        (
            Facts {
                holds: Reading::Failed {
                    error: failed(),
                    invalid: false,
                },
                ..facts()
            },
            GateName::Hold,
            Reason::HeldByAdministrator,
        ),
    ];
    for (facts, gate, reason) in table {
        assert_eq!(
            stop(&Facts {
                forced: true,
                ..facts
            }),
            Some((gate, reason))
        );
    }
    let a_day_behind = Facts {
        confirmed_clock: Some(at("2026-11-23T13:00:00Z")),
        forced: true,
        ..facts()
    };
    assert_eq!(
        decide(&a_day_behind, now()).verdict,
        Verdict::Proceed(Timing::Forced)
    );
}

#[test]
fn a_fact_that_was_not_gathered_is_undecided_and_never_open() {
    let facts = Facts {
        cluster: Reading::NotTaken,
        holds: Reading::NotTaken,
        critical: Reading::NotTaken,
        schedule: Reading::NotTaken,
        health: Reading::NotTaken,
        ..facts()
    };
    let decision = decide(&facts, now());
    assert_eq!(decision.verdict, Verdict::Undecided(GateName::Direction));
    let not_looked_at: Vec<_> = decision
        .gates
        .iter()
        .filter(|gate| gate.open.is_none())
        .map(|gate| gate.name)
        .collect();
    use GateName::{Compatibility, Direction, Freeze, Hold, Timing};
    assert_eq!(
        not_looked_at,
        [Direction, Compatibility, Hold, Freeze, Timing]
    );
}

#[test]
fn the_gates_come_in_the_order_of_the_contract() {
    let names: Vec<_> = decide(&facts(), now())
        .gates
        .iter()
        .map(|gate| gate.name)
        .collect();
    let mut sorted = names.clone();
    sorted.sort();
    assert_eq!(names, sorted);
    assert_eq!(names.len(), 12);
}

mod schedule_in_force {
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
}
