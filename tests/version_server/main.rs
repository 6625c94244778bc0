//! The version server's client against a real server on loopback.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on is a failed test"
)]

mod answers;
mod identity;
mod limits;
mod proxies;
mod redirects;
mod requests;
#[path = "../support/mod.rs"]
mod support;

use std::os::unix::fs::PermissionsExt as _;

use agent_updater::version_server::{Client, ServerError, ServerOptions};
use chrono::{DateTime, Utc};

fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

fn now() -> DateTime<Utc> {
    at("2026-03-07T02:00:00Z")
}

fn options(url: impl Into<String>) -> ServerOptions {
    ServerOptions {
        url: url.into(),
        ..ServerOptions::default()
    }
}

/// With the usual ten seconds: a busy machine needs some of them.
fn client(options: &ServerOptions) -> Client {
    Client::new(options).unwrap()
}

async fn version(options: &ServerOptions) -> Result<String, ServerError> {
    client(options)
        .version(None, now())
        .await
        .map(|answer| answer.kept.value.to_string())
}

fn secret_file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
    file
}
