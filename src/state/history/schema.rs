//! The schema of a line of the record, made from the types.

use super::{AdoptionEvent, ConfigurationEvent, Event, OperatorEvent, PinEvent, TrustEvent};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use std::fs;
use std::path::Path;

/// A line is one of these. A newer version may write others, which have the fields of the header, too.
#[derive(JsonSchema)]
#[schemars(untagged, title = "Line of history.jsonl")]
#[allow(dead_code)] // Only its schema is needed.
enum Line<'a> {
    Change(Event<'a>),
    Pin(PinEvent<'a>),
    Trust(TrustEvent<'a>),
    Operator(OperatorEvent<'a>),
    Adoption(AdoptionEvent<'a>),
    Configuration(ConfigurationEvent<'a>),
}

/// `schema.json` beside this file is what a consumer takes; `AGENT_UPDATER_SCHEMA=record` writes it anew.
#[test]
fn the_schema_is_that_of_the_types() {
    let generator = SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator();
    let schema = generator.into_root_schema_for::<Line<'_>>();
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/state/history/schema.json");
    if std::env::var("AGENT_UPDATER_SCHEMA").is_ok_and(|value| value == "record") {
        fs::write(&file, &text).unwrap();
    }
    assert!(
        fs::read_to_string(&file).unwrap() == text,
        "src/state/history/schema.json is not that of the types; AGENT_UPDATER_SCHEMA=record writes it anew"
    );
}
