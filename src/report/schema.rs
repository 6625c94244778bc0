//! The schema of `run --json`, `status --json` and status.json, made from the types.

use super::Document;
use schemars::generate::SchemaSettings;
use std::fs;
use std::path::Path;

/// `schema.json` beside this file is what a consumer takes; `AGENT_UPDATER_SCHEMA=record` writes it anew.
#[test]
fn the_schema_is_that_of_the_types() {
    let generator = SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator();
    let schema = generator.into_root_schema_for::<Document>();
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/report/schema.json");
    if std::env::var("AGENT_UPDATER_SCHEMA").is_ok_and(|value| value == "record") {
        fs::write(&file, &text).unwrap();
    }
    assert!(
        fs::read_to_string(&file).unwrap() == text,
        "src/report/schema.json is not that of the types; AGENT_UPDATER_SCHEMA=record writes it anew"
    );
}
