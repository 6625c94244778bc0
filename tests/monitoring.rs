//! The alert rules, their tests and the dashboard speak of metrics that this program writes.

#![allow(clippy::unwrap_used)]

use agent_updater::report::metrics::names;
use serde_json::Value;
use std::collections::BTreeSet;

const ALERTS: &str = include_str!("../scripts/monitoring/alerts.yml");
const TESTS: &str = include_str!("../scripts/monitoring/alerts.test.yml");
const DASHBOARD: &str = include_str!("../scripts/monitoring/dashboard.json");

/// Every metric of ours that a text speaks of.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
    let starts = text.match_indices("agent_updater_");
    starts
        .map(|(at, _)| text[at..].split(|c| !is_name(c)).next().unwrap().to_owned())
        .collect()
}

/// The alerts, each with its lines.
fn alerts(text: &'static str, mark: &str) -> Vec<(&'static str, &'static str)> {
    let blocks = text.split(mark).skip(1);
    blocks
        .map(|block| block.split_once('\n').unwrap())
        .collect()
}

#[test]
fn rules_and_dashboard_use_only_metrics_that_there_are() {
    let written: BTreeSet<String> = names().collect();
    for (what, text) in [
        ("rules", ALERTS),
        ("tests", TESTS),
        ("dashboard", DASHBOARD),
    ] {
        let used = metrics_in(text);
        assert!(used.len() > 10, "{what}: {used:?}");
        let unknown: Vec<_> = used.difference(&written).collect();
        assert!(unknown.is_empty(), "{what}: {unknown:?}");
    }
}

#[test]
fn every_alert_is_explained_and_tested() {
    let rules = alerts(ALERTS, "- alert: ");
    let tested: BTreeSet<&str> = alerts(TESTS, "alertname: ")
        .iter()
        .map(|one| one.0)
        .collect();
    assert!(rules.len() > 10);
    for (name, rule) in &rules {
        for part in ["severity: ", "summary: ", "description: ", "runbook: "] {
            assert!(rule.contains(part), "{name}: {part}");
        }
        assert!(tested.contains(name), "{name} has no test");
    }
    assert_eq!(tested.len(), rules.len(), "a test of no alert");
    // The shape alone: that each test finds its alert is promtool's affair.
    assert_eq!(TESTS.matches("exp_annotations:").count(), rules.len());
}

#[test]
fn the_dashboard_is_one_with_a_data_source_to_choose() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    assert!(
        variables
            .iter()
            .any(|one| one["type"] == "datasource" && one["name"] == "datasource")
    );
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() > 10);
    let mut seen = BTreeSet::new();
    for panel in panels {
        assert!(seen.insert(panel["id"].as_u64().unwrap()), "{panel}");
        assert!(!panel["title"].as_str().unwrap().is_empty());
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"]["uid"], "${datasource}");
            let expression = target["expr"].as_str().unwrap();
            assert!(
                expression.contains("instance=~\"$instance\""),
                "{expression}"
            );
        }
    }
}
