//! What earlier versions wrote is read by this one; what a later one may add is passed over, since
//! an update of this program may be taken back.
//!
//! The files are one folder for each schema number, and are never edited.

#![allow(clippy::unwrap_used)]

use agent_updater::config;
use agent_updater::state::Layout;
use agent_updater::state::agent::AgentState;
use agent_updater::state::configuration;
use agent_updater::state::journal::{Journal, Phase, UndoKind};
use chrono::DateTime;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

fn fixture(schema: u32, name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/state");
    fs::read_to_string(folder.join(format!("schema-{schema}/{name}.json"))).unwrap()
}

/// A host on which that is the journal, and that the state.
fn host(journal: &str, state: &str) -> (tempfile::TempDir, Layout) {
    let root = tempfile::tempdir().unwrap();
    let layout = Layout::new(root.path());
    fs::create_dir_all(layout.journals()).unwrap();
    fs::create_dir_all(layout.agents()).unwrap();
    fs::write(layout.journal("demo"), journal).unwrap();
    fs::write(layout.agent_state("demo"), state).unwrap();
    (root, layout)
}

fn assert_read(layout: &Layout) {
    let journal = Journal::load(layout, "demo").unwrap();
    assert_eq!(journal.phase, Phase::RollingBack);
    let change = journal.transaction.unwrap();
    assert_eq!(
        (change.from.as_str(), change.to.as_str()),
        ("1.0.0", "1.1.0")
    );
    assert_eq!(change.undo.unwrap().kind, UndoKind::Sick);
    assert!(
        change
            .old
            .unwrap()
            .file
            .ends_with("demo-agent_1.0.0_amd64.deb")
    );
    let state = AgentState::load(layout, "demo").unwrap();
    assert_eq!(state.quarantine[0].version.to_string(), "1.1.0");
    assert_eq!(state.packages[0].version.as_str(), "1.0.0");
    assert_eq!(state.failures.unwrap().count, 2);
    assert!(state.pin.is_some() && state.schedule.kept.is_some());
}

#[test]
fn schema_1_is_read() {
    let (_root, layout) = host(&fixture(1, "journal"), &fixture(1, "agent"));
    assert_read(&layout);
}

#[test]
fn schema_2_of_the_journal_is_read() {
    let (_root, layout) = host(&fixture(2, "journal"), &fixture(1, "agent"));
    assert_read(&layout);
    let change = Journal::load(&layout, "demo").unwrap().transaction.unwrap();
    assert_eq!(change.actor.unwrap().login_uid, Some(1000));
    let durations = change.durations.in_seconds();
    let expected = [("download", 1.234), ("install", 3.456), ("observe", 4.012)];
    assert_eq!(durations, expected.into());
}

#[test]
fn schema_1_of_what_was_seen_of_the_configuration_is_read() {
    let later = |text: &str| {
        let mut value: Value = serde_json::from_str(text).unwrap();
        value["added_later"] = json!({"more": [1, 2]});
        value.to_string()
    };
    let kept = fixture(1, "configuration");
    for text in [kept.clone(), later(&kept)] {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        let folder = layout.host("/etc/agent-updater");
        fs::create_dir_all(&folder).unwrap();
        fs::create_dir_all(layout.state()).unwrap();
        fs::write(folder.join("config.toml"), "[agents.demo]\n").unwrap();
        fs::write(layout.configuration_seen(), text).unwrap();
        let loaded = config::load(root.path(), Path::new(config::FOLDER));
        configuration::notice(&layout, &loaded, ("web1", "tick"), DateTime::UNIX_EPOCH).unwrap();
        let event: Value =
            serde_json::from_str(&fs::read_to_string(layout.history()).unwrap()).unwrap();
        let before = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";
        assert_eq!(event["config_sha256_before"], before);
        assert_eq!(event["files"][0]["change"], "removed");
        assert_eq!(event["files"][1]["change"], "changed");
    }
}

/// Adds a field to every object below.
fn grown(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(grown);
            fields.insert("added_later".to_owned(), json!({"more": [1, 2]}));
        }
        Value::Array(items) => items.iter_mut().for_each(grown),
        _ => {}
    }
}

#[test]
fn what_a_later_version_adds_is_passed_over() {
    let later = |schema, name| {
        let mut value: Value = serde_json::from_str(&fixture(schema, name)).unwrap();
        grown(&mut value);
        value["schema"] = json!(9);
        value.to_string()
    };
    let (_root, layout) = host(&later(1, "journal"), &later(1, "agent"));
    assert_read(&layout);
    let (_root, layout) = host(&later(2, "journal"), &later(1, "agent"));
    assert_read(&layout);
}
