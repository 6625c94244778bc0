use super::*;
use crate::report::build::without_facts;
use crate::report::document::WindowReport;
use crate::state::agent::{Attempts, Signature};
use std::collections::HashSet;

fn now() -> DateTime<Utc> {
    "2026-06-01T02:00:00Z".parse().unwrap()
}

fn report(name: &str, reason: Reason) -> AgentReport {
    without_facts(name, "", reason, String::new(), None)
}

fn full() -> AgentReport {
    let mut report = report("teleport", Reason::Quarantined);
    report.installed.package_version = Some("1.0.0-1".to_owned());
    report.target.version = Some("1.1.0".to_owned());
    report.target.critical = Some(true);
    report.health.verdict = "unhealthy".to_owned();
    report.last_success_at = Some(now());
    report.failing_since = Some(now());
    report.pending_since = Some(now());
    report.consecutive_failures = 3;
    report.schedule.next = vec![WindowReport {
        frozen: None,
        start: now(),
        stop: now(),
    }];
    report.attempts = Some(Attempts {
        results: [("rolled_back".to_owned(), 2), ("updated".to_owned(), 7)].into(),
        rollbacks: 2,
    });
    report.signature = Some(Signature {
        fingerprint: String::new(),
        user_id: None,
        signed_at: now(),
        key_expires: Some(now()),
        covers: "metadata".to_owned(),
        index_fingerprint: None,
        package_version: String::new(),
        repository: String::new(),
        proven_at: None,
    });
    report.gates = vec![Gate {
        was_open: Some(true),
        ..Gate::not_looked_at(GateName::Repository, "offered")
    }];
    report
}

fn of(report: &AgentReport) -> String {
    render(&[Measured {
        report,
        run_at: now(),
        package: Some("teleport-ent"),
    }])
}

/// Every line is a comment, or `name{label="value",…} number`; a family's lines stand together
/// below its HELP and TYPE.
fn assert_format(text: &str) {
    assert!(text.ends_with('\n') && text.starts_with(MARK), "{text}");
    let mut seen = HashSet::new();
    let mut current = "";
    for line in text.lines().skip(1) {
        if let Some(help) = line.strip_prefix("# HELP ") {
            current = help.split(' ').next().unwrap();
            assert!(seen.insert(current), "{current} twice");
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(name, current);
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
        } else {
            let (name, rest) = line.split_once('{').expect(line);
            assert_eq!(name, current);
            let (labels, value) = rest.rsplit_once("} ").expect(line);
            assert!(
                labels.starts_with("agent=\"") && labels.ends_with('"'),
                "{line}"
            );
            value.parse::<i64>().expect(line);
        }
    }
}

#[test]
fn every_metric_of_an_agent_of_which_all_is_known() {
    let text = of(&full());
    assert_format(&text);
    for name in names() {
        assert!(text.contains(&format!("\n{name}{{")), "{name}: {text}");
    }
    let lines = [
        "last_run_timestamp_seconds{agent=\"teleport\"} 1780279200",
        "config_valid{agent=\"teleport\"} 1",
        "exit_code{agent=\"teleport\"} 33",
        "agent_healthy{agent=\"teleport\"} 0",
        "held{agent=\"teleport\"} 0",
        "critical{agent=\"teleport\"} 1",
        "target_offered{agent=\"teleport\"} 1",
        "state{agent=\"teleport\",state=\"quarantined\"} 1",
        "state{agent=\"teleport\",state=\"up_to_date\"} 0",
        "attempts_total{agent=\"teleport\",result=\"rolled_back\"} 2",
        "rollbacks_total{agent=\"teleport\"} 2",
    ];
    for line in lines {
        assert!(
            text.contains(&format!("\nagent_updater_{line}\n")),
            "{line}: {text}"
        );
    }
    assert!(text.contains("installed=\"1.0.0-1\",target=\"1.1.0\",package=\"teleport-ent\"} 1"));
}

#[test]
fn what_is_not_known_is_left_out_and_an_invalid_configuration_is_told() {
    let text = of(&report("teleport", Reason::ConfigurationInvalid));
    assert_format(&text);
    assert!(
        text.contains("config_valid{agent=\"teleport\"} 0\n"),
        "{text}"
    );
    assert!(
        text.contains("exit_code{agent=\"teleport\"} 20\n"),
        "{text}"
    );
    for absent in [
        "last_success",
        "agent_healthy",
        "held",
        "critical",
        "window_",
        "target_offered",
        "key_expiry",
        "quarantined_versions",
        "_total",
        "pending",
        "failing_since",
    ] {
        assert!(!text.contains(&format!("{absent}{{")), "{absent}: {text}");
    }
}

#[test]
fn whether_the_target_is_offered_by_what_closed_the_gate() {
    let table = [
        (Reason::NotOffered, Some(false)),
        (Reason::RepositoryNotFound, Some(false)),
        (Reason::RepositoryUntrusted, None),
        (Reason::RepositoryUnreachable, None),
    ];
    for (reason, expected) in table {
        let mut report = full();
        report.gates = vec![Gate::closed(GateName::Repository, reason, "")];
        assert_eq!(offered(&report), expected, "{reason:?}");
    }
    let mut held_elsewhere = full();
    held_elsewhere.gates = vec![Gate::closed(
        GateName::Hold,
        Reason::HeldByAdministrator,
        "",
    )];
    assert_eq!(held(&held_elsewhere), Some(true));
}

#[test]
fn labels_are_escaped() {
    let text = of(&report("a\"b\\c\nd", Reason::UpToDate));
    assert!(text.contains("{agent=\"a\\\"b\\\\c\\nd\"}"), "{text}");
    assert_format(&text);
}
