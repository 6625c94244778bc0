//! The gates before timing.

use super::*;

/// A dash is "not configured" and, in the last column, "open".
const DIRECTIONS: &str = "
installed   target      downgrade     floor   cluster  expected
2.1.0       2.0.0       allow         -       -        -
2.1.0       2.0.0       within_major  -       -        -
2.1.0       1.9.0       within_major  -       -        downgrade_forbidden
2.1.0       2.0.0       forbid        -       -        downgrade_forbidden
2.0.0       2.0.0-rc.1  forbid        -       -        downgrade_forbidden
2.0.0       2.1.0       forbid        -       -        -
2.1.0       2.0.0       allow         2.0.1   -        below_minimum_version
1.0.0       1.5.0       allow         2.0.0   -        below_minimum_version
2.0.0       2.1.0       allow         2.1.0   -        -
# Never above the cluster, never more than one major version below it.
15.0.0      15.1.0      allow         -       15.1.0   -
15.0.0      15.1.1      allow         -       15.1.0   above_cluster
15.0.0      14.0.0      allow         -       15.1.0   -
15.0.0      13.9.9      allow         -       15.1.0   too_far_below_cluster
# From outside the range every step towards it is allowed …
17.0.0      16.0.0      allow         -       15.1.0   -
11.0.0      12.0.0      allow         -       15.1.0   -
17.0.0      18.0.0      allow         -       15.1.0   above_cluster
17.0.0      12.0.0      allow         -       15.1.0   too_far_below_cluster
11.0.0      16.0.0      allow         -       15.1.0   above_cluster
# … and no policy stands in the way of getting back into it.
17.0.0      15.1.0      forbid        16.0.0  15.1.0   -
16.0.0      14.2.0      within_major  -       15.1.0   -
# Within the range the policy holds.
15.1.0      15.0.0      forbid        -       15.1.0   downgrade_forbidden
";

#[test]
fn direction_and_compatibility() {
    let rows = DIRECTIONS
        .lines()
        .filter(|row| !row.is_empty() && !row.starts_with('#'))
        .skip(1);
    let some = |cell: &str| (cell != "-").then(|| version(cell));
    for row in rows {
        let cells: Vec<_> = row.split_whitespace().collect();
        let facts = Facts {
            installed: installed(&cells[0].replace('-', "~")),
            target: Reading::taken(Target::Version(version(cells[1])), now()),
            downgrade: match cells[2] {
                "allow" => Downgrade::Allow,
                "within_major" => Downgrade::WithinMajor,
                "forbid" => Downgrade::Forbid,
                other => panic!("{other}"),
            },
            minimum_version: some(cells[3]),
            cluster: Reading::taken(some(cells[4]), now()),
            schedule: Reading::taken(open_window(), now()),
            ..facts()
        };
        let found = stop(&facts).map_or_else(|| "-".to_owned(), |(_, reason)| reason.as_str());
        assert_eq!(found, cells[5], "{row}");
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
#[expect(clippy::too_many_lines, reason = "a table")]
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
                        held: false,
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
    assert_eq!(
        not_looked_at,
        [
            GateName::Direction,
            GateName::Compatibility,
            GateName::Hold,
            GateName::Freeze,
            GateName::Timing
        ]
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

#[test]
fn after_several_failures_the_next_attempt_waits_for_its_time_or_an_operator() {
    let failed = |count, hours| {
        Some(FailedAttempts {
            count,
            last_at: now() - TimeDelta::hours(hours),
        })
    };
    let waits = Some((GateName::Quarantine, Reason::BackingOff));
    let table = [
        (None, false, None),
        (failed(2, 0), false, None),
        (failed(3, 1), false, waits),
        (failed(3, 2), false, None),
        (failed(4, 3), false, waits),
        (failed(99, 23), false, waits),
        (failed(99, 24), false, None),
        (failed(99, 0), true, None),
    ];
    for (failed, forced, expected) in table {
        let facts = Facts {
            failed,
            forced,
            schedule: Reading::taken(open_window(), now()),
            ..facts()
        };
        assert_eq!(stop(&facts), expected, "{failed:?} {forced}");
    }
    let facts = Facts {
        failed: failed(3, 1),
        quarantine: vec![(version("1.1.0"), "crash loop".into())],
        ..facts()
    };
    let quarantined = Some((GateName::Quarantine, Reason::Quarantined));
    assert_eq!(stop(&facts), quarantined, "the more lasting of two");
}
