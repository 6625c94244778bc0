//! A kept schedule counts for the place that it came from, and for no other.

use agent_updater::config;
use agent_updater::decision::ScheduleFact;
use agent_updater::gather::{ScheduleQuestion, schedule};
use agent_updater::state::Layout;
use agent_updater::state::agent::ScheduleMemory;
use agent_updater::version_server::{Client, Kept};
use chrono::{DateTime, Utc};
use std::fs;
use std::path::Path;

const FUTURE: &str =
    r#"{"windows": [{"start": "2026-11-23T12:00:00Z", "stop": "2026-11-23T14:00:00Z"}]}"#;

/// What counts on a host whose server has an unreadable schedule, with one kept from `url`.
async fn with_kept_from(url: &str, root: &Path, channel: &Path) -> ScheduleFact {
    let now: DateTime<Utc> = "2026-11-22T13:00:00Z".parse().expect("a moment");
    let configuration = config::load(root, Path::new(config::FOLDER));
    let policy = configuration.agents[0].1.as_ref().expect("a valid policy");
    let client = Client::new(&policy.version_server).expect("a client");
    let question = ScheduleQuestion {
        policy,
        layout: &Layout::new(root),
        client: Ok(&client),
        reachable: true,
        now,
    };
    fs::write(channel.join("schedule"), "<html>").expect("write the schedule");
    let mut memory = ScheduleMemory {
        kept: Some(Kept {
            value: FUTURE.to_owned(),
            url: url.to_owned(),
            etag: None,
            fetched_at: now,
        }),
        ..ScheduleMemory::default()
    };
    schedule(&question, &mut memory, &mut Vec::new()).await
}

#[tokio::test]
async fn that_of_another_server_is_forgotten() {
    let root = tempfile::tempdir().unwrap();
    let channel = root.path().join("channel");
    let etc = root.path().join("etc/agent-updater");
    fs::create_dir_all(&etc).unwrap();
    fs::create_dir_all(&channel).unwrap();
    let text = format!(
        "[agents.demo]\npackage = \"demo-agent\"\nversion_server.url = \"file://{}\"\n",
        channel.display()
    );
    fs::write(etc.join("config.toml"), text).unwrap();
    let own = format!("file://{}/schedule", channel.display());
    let fact = with_kept_from(&own, root.path(), &channel).await;
    assert!(matches!(fact, ScheduleFact::InForce { .. }), "{fact:?}");
    let fact = with_kept_from("https://staging.example/schedule", root.path(), &channel).await;
    assert!(matches!(fact, ScheduleFact::Unconfirmed { .. }), "{fact:?}");
}
