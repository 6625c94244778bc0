//! The health probe against a real endpoint on loopback and on a unix socket.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on is a failed test"
)]

mod support;

use std::time::{Duration, Instant};

use agent_updater::health::http::{HttpTarget, get_status};
use support::test_server::{Reply, TestServer};

/// For an answer that comes.
const PATIENCE: Duration = Duration::from_secs(20);
/// For one that does not.
const IMPATIENCE: Duration = Duration::from_millis(300);

#[tokio::test]
async fn only_the_status_counts() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("agent.sock");
    let (tcp, unix) = (TestServer::http(), TestServer::unix(&socket));
    let elsewhere = TestServer::http();
    for (server, base) in [
        (&tcp, tcp.url()),
        (&unix, format!("unix:{}:", socket.display())),
    ] {
        let target = HttpTarget::parse(&(base + "/healthz?verbose")).unwrap();
        for (reply, expected) in [
            (Reply::ok("fine"), 200),
            (Reply::new(503, "sick"), 503),
            (Reply::redirect(&elsewhere.url()), 302),
            (Reply::ok("endless").endless(), 200),
        ] {
            server.set("/healthz", reply);
            assert_eq!(
                get_status(&target, PATIENCE).await,
                Ok(expected),
                "{target}"
            );
        }
        assert_eq!(server.targets().last().unwrap(), "/healthz?verbose");
        server.set("/healthz", Reply::ok("late").after(Duration::from_secs(60)));
        let started = Instant::now();
        let error = get_status(&target, IMPATIENCE).await.unwrap_err();
        assert!(error.ends_with("no answer within 300ms"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(30));
        server.set("/healthz", Reply::silent());
        get_status(&target, PATIENCE).await.unwrap_err();
    }
    assert_eq!(elsewhere.connections(), 0);
    let error = get_status(
        &HttpTarget::parse("unix:/nonexistent.sock:/").unwrap(),
        PATIENCE,
    )
    .await
    .unwrap_err();
    assert!(error.contains("No such file"), "{error}");
}
