//! What is sent, and on how many connections.

use agent_updater::version_server::{Kept, ServerOptions, VersionAnswer};

use crate::support::certificates::Authority;
use crate::support::test_server::{Reply, TestServer};
use crate::{at, client, now, options, version};

#[tokio::test]
async fn an_up_to_date_tick_is_one_request_and_three_questions_share_a_connection() {
    let authority = Authority::new();
    let plain = TestServer::http();
    let secure = TestServer::https(&authority.leaf(&["127.0.0.1"]));
    for server in [&plain, &secure] {
        server.set("/version", Reply::ok("1.2.3"));
        server.set("/critical", Reply::new(404, "no such page"));
        server.set("/schedule", Reply::ok("nop"));
        let client = client(&ServerOptions {
            ca_file: Some(authority.ca_file()),
            ..options(server.url())
        });
        client.version(None, now()).await.unwrap();
        assert_eq!(
            (server.targets(), server.connections()),
            (vec!["/version".to_owned()], 1)
        );
        // As a task among others, which is where the connection could come back to the pool too late.
        let questions = async move {
            for _ in 0..20 {
                client.critical(None, now()).await.unwrap_err();
                client.schedule(None, now()).await.unwrap();
            }
        };
        tokio::spawn(questions).await.unwrap();
        assert_eq!((server.targets().len(), server.connections()), (41, 1));
    }
}

#[tokio::test]
async fn what_is_sent() {
    let server = TestServer::http();
    server.set("/version", Reply::ok("1.2.3"));
    version(&options(server.url())).await.unwrap();
    let request = &server.requests()[0];
    assert_eq!(request.method, "GET");
    assert_eq!(request.header("Accept-Encoding"), Some("identity"));
    assert!(
        request
            .header("User-Agent")
            .unwrap()
            .starts_with("agent-updater/")
    );
    for absent in ["Authorization", "Cookie", "Referer", "If-None-Match"] {
        assert_eq!(request.header(absent), None, "{absent}");
    }
}

#[tokio::test]
async fn a_kept_answer_is_confirmed_by_its_etag() {
    let server = TestServer::http();
    server.set(
        "/a/version",
        Reply::ok("1.2.3")
            .etag("\"one\"")
            .header("Date", "Sat, 07 Mar 2026 02:00:01 GMT"),
    );
    server.set("/b/version", Reply::ok("1.2.4").etag("\"one\""));
    let (a, b) = (
        client(&options(server.url() + "/a")),
        client(&options(server.url() + "/b")),
    );
    let first = a.version(None, now()).await.unwrap();
    assert_eq!((first.not_modified, first.over_tls), (false, false));
    assert_eq!(first.server_date, Some(at("2026-03-07T02:00:01Z")));
    assert_eq!(first.kept.etag.as_deref(), Some("\"one\""));

    let later = at("2026-03-07T03:00:00Z");
    let second = a.version(Some(&first.kept), later).await.unwrap();
    assert!(second.not_modified);
    assert_eq!(
        second.kept,
        Kept {
            fetched_at: later,
            ..first.kept.clone()
        }
    );

    let other = b.version(Some(&first.kept), later).await.unwrap();
    assert_eq!(
        other.kept.value.to_string(),
        "1.2.4",
        "another channel's answer is not confirmed"
    );
    let sent: Vec<_> = server
        .requests()
        .iter()
        .map(|request| request.header("If-None-Match").is_some())
        .collect();
    assert_eq!(sent, [false, true, false]);
}

#[tokio::test]
async fn an_etag_that_is_no_header_is_not_kept_or_sent() {
    let server = TestServer::http();
    server.set(
        "/version",
        Reply::ok("1.2.3").etag(&format!("\"{}\"", "x".repeat(300))),
    );
    let client = client(&options(server.url()));
    assert_eq!(client.version(None, now()).await.unwrap().kept.etag, None);
    let broken = Kept {
        value: VersionAnswer::None,
        url: server.url() + "/version",
        etag: Some("\"a\"\r\nX: y".into()),
        fetched_at: now(),
    };
    assert_eq!(
        client
            .version(Some(&broken), now())
            .await
            .unwrap()
            .kept
            .value
            .to_string(),
        "1.2.3"
    );
    assert!(
        server
            .requests()
            .iter()
            .all(|request| request.header("X").is_none())
    );
}
