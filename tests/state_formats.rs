//! What earlier versions wrote is read by this one; what a later one may add is passed over, since
//! an update of this program may be taken back.
//!
//! The files are one folder for each schema number, and are never edited.

use agent_updater::state::Layout;
use agent_updater::state::agent::AgentState;
use agent_updater::state::journal::{Journal, Phase, UndoKind};
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
    let later = |name| {
        let mut value: Value = serde_json::from_str(&fixture(1, name)).unwrap();
        grown(&mut value);
        value["schema"] = json!(2);
        value.to_string()
    };
    let (_root, layout) = host(&later("journal"), &later("agent"));
    assert_read(&layout);
}
