//! Size, time, retries.

use std::time::{Duration, Instant};

use agent_updater::version_server::{Client, MAX_BODY_BYTES, ServerError};

use crate::support::test_server::{Reply, TestServer};
use crate::{at, client, now, options, version};

#[tokio::test]
async fn an_answer_is_read_up_to_the_cap() {
    let server = TestServer::http();
    let client = client(&options(server.url()));
    server.set("/schedule", Reply::ok(vec![b'#'; MAX_BODY_BYTES]));
    client.schedule(None, now()).await.unwrap();
    for reply in [
        Reply::ok(vec![b'#'; MAX_BODY_BYTES + 1]),
        Reply::ok(vec![b'#'; 5000]).endless(),
    ] {
        server.forget();
        server.set("/schedule", reply);
        let error = client.schedule(None, now()).await.unwrap_err();
        assert!(
            matches!(
                error,
                ServerError::TooLarge {
                    limit: MAX_BODY_BYTES,
                    ..
                }
            ),
            "{error:?}"
        );
        assert_eq!(
            server.targets().len(),
            1,
            "too much is too much at the second try, too"
        );
    }
}

#[tokio::test]
async fn an_encoded_body_is_refused() {
    let server = TestServer::http();
    server.set(
        "/version",
        Reply::ok("1.2.3").header("Content-Encoding", "gzip"),
    );
    let error = version(&options(server.url())).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("the content encoding is \"gzip\""),
        "{error}"
    );
    server.set(
        "/version",
        Reply::ok("1.2.3").header("Content-Encoding", "identity"),
    );
    version(&options(server.url())).await.unwrap();
}

#[tokio::test]
async fn the_time_is_limited_however_the_server_spends_it() {
    let server = TestServer::http();
    let patience = Duration::from_millis(400);
    let client = Client::with_total_timeout(&options(server.url()), patience).unwrap();
    for reply in [
        Reply::ok("1.2.3").after(Duration::from_secs(60)),
        Reply::ok("1.2.3      ".repeat(10)).drip(Duration::from_millis(100)),
        Reply::new(503, "1.2.3").after(Duration::from_millis(300)),
    ] {
        server.set("/version", reply.clone());
        let started = Instant::now();
        let error = client.version(None, now()).await.unwrap_err();
        let took = started.elapsed();
        // The one that drips would take eleven seconds.
        assert!(took < Duration::from_secs(8), "{reply:?}: {took:?}");
        assert!(
            error
                .to_string()
                .contains("no complete answer within 400ms"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn what_may_pass_is_asked_three_times() {
    let server = TestServer::http();
    let good = || Reply::ok("1.2.3");
    for (replies, expected, requests) in [
        (
            vec![Reply::new(503, ""), Reply::new(500, ""), good()],
            true,
            3,
        ),
        (vec![Reply::new(429, ""), good()], true, 2),
        (vec![Reply::silent(), good()], true, 2),
        (vec![Reply::ok("1.2").cut_short(), good()], true, 2),
        (
            vec![
                Reply::new(502, ""),
                Reply::new(502, ""),
                Reply::new(502, ""),
                good(),
            ],
            false,
            3,
        ),
        (vec![Reply::new(404, ""), good()], false, 1),
        (vec![Reply::ok("hello"), good()], false, 1),
    ] {
        server.forget();
        server.set_all("/version", replies.clone());
        let found = version(&options(server.url())).await;
        assert_eq!(
            (found.is_ok(), server.targets().len()),
            (expected, requests),
            "{replies:?}: {found:?}"
        );
    }
}

#[tokio::test]
async fn an_unreachable_server_is_named_with_the_innermost_cause() {
    // A port of the system, which no server of another test is given.
    let gone = "http://127.0.0.1:1".to_owned();
    let error = version(&options(&gone)).await.unwrap_err();
    assert!(
        matches!(error, ServerError::Unreachable { .. }),
        "{error:?}"
    );
    assert!(
        error.to_string().starts_with(&format!(
            "{gone}/version: cannot connect: Connection refused"
        )),
        "{error}"
    );
    let error = version(&options("https://0.0.0.0:1/")).await.unwrap_err();
    assert!(
        matches!(error, ServerError::Unreachable { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn retry_after_is_honoured_where_it_fits() {
    let server = TestServer::http();
    let client = client(&options(server.url()));
    for wait in ["1", "Sat, 07 Mar 2026 02:00:11 GMT"] {
        let busy = Reply::new(503, "")
            .header("Retry-After", wait)
            .header("Date", "Sat, 07 Mar 2026 02:00:10 GMT");
        server.set_all("/version", [busy, Reply::ok("1.2.3")]);
        let started = Instant::now();
        client.version(None, now()).await.unwrap();
        let took = started.elapsed();
        assert!(
            // It would be eleven, too long to wait, if the date were taken for one by our own clock.
            (Duration::from_millis(990)..Duration::from_secs(10)).contains(&took),
            "{wait}: {took:?}"
        );
    }
}

#[tokio::test]
async fn retry_after_beyond_the_time_is_told() {
    let server = TestServer::http();
    for (wait, told) in [
        ("3600", Some("2026-03-07T03:00:00Z")),
        (
            "Sat, 07 Mar 2026 04:00:00 GMT",
            Some("2026-03-07T04:00:00Z"),
        ),
        ("99999999999999999999", None),
        ("soon", None),
    ] {
        server.forget();
        server.set("/version", Reply::new(429, "").header("Retry-After", wait));
        let error = version(&options(server.url())).await.unwrap_err();
        let ServerError::Status {
            status: 429,
            retry_at,
            ..
        } = &error
        else {
            panic!("{wait}: {error:?}")
        };
        let error = error.to_string();
        match (told, retry_at) {
            (Some(told), Some(retry_at)) => {
                assert!(
                    (*retry_at - at(told)).abs() < chrono::TimeDelta::seconds(1),
                    "{wait}: {error}"
                );
                assert!(
                    error.contains("answered 429 and wants to be asked again at 2026-03-07T0"),
                    "{error}"
                );
                assert_eq!(server.targets().len(), 1, "{wait}");
            }
            (None, None) => assert_eq!(server.targets().len(), 3, "{wait}"),
            other => panic!("{wait}: {other:?}"),
        }
    }
}
