//! The embedded version server, asked by the real client and by hand.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on is a failed test"
)]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use agent_updater::version_server::{
    Client, Embedded, ScheduleAnswer, ServerOptions, TlsFiles, channel,
};
use chrono::{DateTime, Utc};
use support::certificates::Authority;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

fn now() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-03-07T02:00:00Z")
        .unwrap()
        .to_utc()
}

fn any_port() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

async fn by_hand(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(format!("{request}\r\nHost: h\r\nConnection: close\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn a_channel_goes_from_the_publisher_to_the_agent() {
    let folder = tempfile::tempdir().unwrap();
    let channel = folder.path().join("stable");
    channel::init(&channel).unwrap();
    let server = Embedded::bind(folder.path(), any_port(), None)
        .await
        .unwrap();
    let url = server.url();
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(server.run(async { drop(stopped.await) }));

    let client = Client::new(&ServerOptions {
        url: format!("{url}/stable"),
        ..ServerOptions::default()
    })
    .unwrap();
    let none = client.version(None, now()).await.unwrap();
    assert_eq!(none.kept.value.to_string(), "none");
    assert!(
        (none.server_date.unwrap() - now()).num_days() > 0,
        "it tells the time"
    );
    assert!(
        client
            .version(Some(&none.kept), now())
            .await
            .unwrap()
            .not_modified
    );
    assert_eq!(
        client.schedule(None, now()).await.unwrap().kept.value,
        ScheduleAnswer::Absent
    );

    let change = channel::Change {
        version: Some("1.2.3".into()),
        critical: Some(true),
        schedule: Some("nop\n".into()),
    };
    channel::set(&channel, &change).unwrap();
    let changed = client.version(Some(&none.kept), now()).await.unwrap();
    assert_eq!(
        (
            changed.not_modified,
            changed.kept.value.to_string().as_str()
        ),
        (false, "1.2.3")
    );
    assert!(client.critical(None, now()).await.unwrap().kept.value);
    assert_eq!(
        client.schedule(None, now()).await.unwrap().kept.value,
        ScheduleAnswer::Document("nop\n".into())
    );

    let options = channel::location(&format!("{url}/stable")).unwrap();
    let found = channel::read(&options, now()).await.unwrap();
    assert!(found.is_valid());
    std::fs::write(channel.join("schedule"), "tomorrow").unwrap();
    assert!(!channel::read(&options, now()).await.unwrap().is_valid());

    drop(stop);
    tokio::time::timeout(Duration::from_secs(30), running)
        .await
        .unwrap()
        .unwrap();
    TcpStream::connect(url.strip_prefix("http://").unwrap())
        .await
        .unwrap_err();
}

#[tokio::test]
async fn it_serves_three_names_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    channel::init(folder.path()).unwrap();
    let server = Embedded::bind(folder.path(), any_port(), None)
        .await
        .unwrap();
    let address = server.url().strip_prefix("http://").unwrap().to_owned();
    let running = tokio::spawn(server.run(std::future::pending()));
    let with_body = by_hand(&address, "GET /version HTTP/1.1").await;
    assert!(
        with_body.starts_with("HTTP/1.1 200 ") && with_body.ends_with("\r\n\r\nnone\n"),
        "{with_body}"
    );
    let head = by_hand(&address, "HEAD /version HTTP/1.1").await;
    assert!(
        head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    for header in ["date: ", "etag: \"", "last-modified: ", "content-length: 5"] {
        assert!(head.contains(header), "{header}: {head}");
    }
    for (request, status) in [
        ("GET / HTTP/1.1", 404),
        ("GET /../version HTTP/1.1", 404),
        ("GET /%2e%2e/version HTTP/1.1", 404),
        ("GET /version/ HTTP/1.1", 404),
        ("GET /schedule HTTP/1.1", 404),
        ("GET /version?query HTTP/1.1", 200),
        ("POST /version HTTP/1.1", 405),
        ("DELETE /version HTTP/1.1", 405),
    ] {
        let answer = by_hand(&address, request).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{request}: {answer}"
        );
    }
    running.abort();
}

#[tokio::test]
async fn it_serves_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    channel::init(folder.path()).unwrap();
    let authority = Authority::new();
    let leaf = authority.leaf(&["127.0.0.1"]);
    let files = TlsFiles {
        certificate: folder.path().join("tls.crt"),
        key: folder.path().join("tls.key"),
    };
    std::fs::write(&files.certificate, leaf.certificate_pem()).unwrap();
    std::fs::write(&files.key, leaf.key_pem()).unwrap();
    let server = Embedded::bind(folder.path(), any_port(), Some(&files))
        .await
        .unwrap();
    let options = ServerOptions {
        url: server.url(),
        ca_file: Some(authority.ca_file()),
        ..ServerOptions::default()
    };
    let running = tokio::spawn(server.run(std::future::pending()));
    let answer = Client::new(&options)
        .unwrap()
        .version(None, now())
        .await
        .unwrap();
    assert!(answer.over_tls);
    running.abort();
    let error = Embedded::bind(
        folder.path(),
        any_port(),
        Some(&TlsFiles {
            key: "/nonexistent".into(),
            ..files
        }),
    )
    .await
    .unwrap_err();
    assert!(
        error.to_string().contains("reading key /nonexistent"),
        "{error:#}"
    );
}
