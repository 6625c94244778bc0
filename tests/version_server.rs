//! The version server's client against a real server on loopback.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on is a failed test"
)]

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use agent_updater::version_server::{
    Client, Kept, MAX_BODY_BYTES, Proxy, ScheduleAnswer, ServerError, ServerOptions, VersionAnswer,
};
use chrono::{DateTime, Utc};
use support::certificates::Authority;
use support::test_server::{Reply, TestServer};

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

/// A client whose ten seconds are one.
fn client(options: &ServerOptions) -> Client {
    Client::with_total_timeout(options, Duration::from_secs(1)).unwrap()
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

#[tokio::test]
async fn version_answers() {
    let server = TestServer::http();
    for (status, body, expected) in [
        (200, "12.0.3", Some("12.0.3")),
        (200, "12.0.3\n", Some("12.0.3")),
        (200, "v12.0.3", Some("12.0.3")),
        (200, " v13.1.1 \n \r\n", Some("13.1.1")),
        (200, "none\n", Some("none")),
        (200, "hello", None),
        (200, "", None),
        (200, "v", None),
        (200, "1.2.3-dev.bartmoss.1", None),
        (200, "<!doctype html><title>1.2.3</title>", None),
        (201, "1.2.3", None),
        (204, "", None),
        (206, "1.2.3", None),
        (304, "", None),
        (400, "1.2.3", None),
        (403, "1.2.3", None),
        (404, "1.2.3", None),
    ] {
        server.set("/stable/cloud/version", Reply::new(status, body));
        let found = version(&options(server.url() + "/stable/cloud")).await;
        assert_eq!(
            found.as_ref().ok().map(String::as_str),
            expected,
            "{status} {body:?}: {found:?}"
        );
        match (found, status) {
            (Err(ServerError::Invalid { .. }), 200) | (Ok(_), _) => {}
            (Err(ServerError::Status { status: named, .. }), _) => assert_eq!(named, status),
            (Err(other), _) => panic!("{status} {body:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn an_invalid_answer_is_shown_escaped_and_says_what_is_right() {
    let server = TestServer::http();
    server.set("/version", Reply::ok("\x1b]0;title\x07\r\nlatest"));
    let error = version(&options(server.url())).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{}/version: the answer \"\\u{{1b}}]0;title\\u{{7}}\\r\\nlatest\"; expected a version such as `1.2.3` or \
             `v1.2.3-rc.1`, or `none`",
            server.url()
        )
    );
    assert!(error.hint().unwrap().contains("version_server.url"));
}

#[tokio::test]
async fn critical_answers() {
    let server = TestServer::http();
    for (status, body, expected) in [
        (200, "no", Some(false)),
        (200, "yes", Some(true)),
        (200, "yes\n", Some(true)),
        (200, "TRUE", Some(true)),
        (200, "False\r\n", Some(false)),
        (200, "hello", None),
        (200, "", None),
        (404, "yes", None),
        (500, "yes", None),
        (203, "yes", None),
    ] {
        server.set("/critical", Reply::new(status, body));
        let found = client(&options(server.url())).critical(None, now()).await;
        assert_eq!(
            found.as_ref().ok().map(|answer| answer.kept.value),
            expected,
            "{status} {body:?}: {found:?}"
        );
    }
}

#[tokio::test]
async fn schedule_answers() {
    let server = TestServer::http();
    let document = |text: &str| Some(ScheduleAnswer::Document(text.into()));
    for (status, body, expected) in [
        (200, "500000 600000\n", document("500000 600000\n")),
        (200, "nop", document("nop")),
        (200, "<html>", document("<html>")),
        (200, "", Some(ScheduleAnswer::Absent)),
        (200, " \r\n\t", Some(ScheduleAnswer::Absent)),
        (400, "bad path", Some(ScheduleAnswer::Absent)),
        (403, "500000 600000", Some(ScheduleAnswer::Absent)),
        (404, "", Some(ScheduleAnswer::Absent)),
        (410, "gone", Some(ScheduleAnswer::Absent)),
        (401, "", None),
        (204, "", None),
        (500, "", None),
        (503, "500000 600000", None),
    ] {
        server.set("/schedule", Reply::new(status, body));
        let found = client(&options(server.url())).schedule(None, now()).await;
        assert_eq!(
            found.as_ref().ok().map(|answer| answer.kept.value.clone()),
            expected,
            "{status} {body:?}: {found:?}"
        );
    }
    server.set("/schedule", Reply::ok(b"\xff\xfe".to_vec()));
    let error = client(&options(server.url()))
        .schedule(None, now())
        .await
        .unwrap_err();
    assert!(matches!(error, ServerError::Invalid { .. }), "{error:?}");
}

#[tokio::test]
async fn cluster_versions() {
    let server = TestServer::http();
    server.set(
        "/webapi/find",
        Reply::ok(r#"{"server_version": "17.1.2", "edition": "ent"}"#),
    );
    server.set("/cluster-version", Reply::ok("17.1.3\n"));
    let client = client(&options("https://updates.example/stable"));
    for (path, expected) in [
        ("", "17.1.2"),
        ("/", "17.1.2"),
        ("/webapi/find", "17.1.2"),
        ("/cluster-version", "17.1.3"),
    ] {
        let answer = client
            .cluster_version(&(server.url() + path), None, now())
            .await
            .unwrap();
        assert_eq!(answer.kept.value.to_string(), expected, "{path}");
    }
    let error = client
        .cluster_version("http://teleport.example", None, now())
        .await
        .unwrap_err();
    assert!(matches!(error, ServerError::Refused { .. }), "{error:?}");
}

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
        for _ in 0..20 {
            client.critical(None, now()).await.unwrap_err();
            client.schedule(None, now()).await.unwrap();
        }
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
        assert!(took < patience * 2, "{reply:?}: {took:?}");
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
    let gone = TestServer::http().url();
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
    let client =
        Client::with_total_timeout(&options(server.url()), Duration::from_secs(4)).unwrap();
    for wait in ["1", "Sat, 07 Mar 2026 02:00:11 GMT"] {
        let busy = Reply::new(503, "")
            .header("Retry-After", wait)
            .header("Date", "Sat, 07 Mar 2026 02:00:10 GMT");
        server.set_all("/version", [busy, Reply::ok("1.2.3")]);
        let started = Instant::now();
        client.version(None, now()).await.unwrap();
        let took = started.elapsed();
        assert!(
            (Duration::from_millis(990)..Duration::from_secs(3)).contains(&took),
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

#[tokio::test]
async fn plain_http_is_never_redirected() {
    let server = TestServer::http();
    for location in [
        "/other",
        "https://127.0.0.1:1/version",
        "http://updates.example/",
        "file:///etc/passwd",
        "http://[",
    ] {
        server.forget();
        server.set("/version", Reply::redirect(location));
        let error = version(&options(server.url())).await.unwrap_err();
        assert!(
            matches!(error, ServerError::Redirect { .. }),
            "{location}: {error:?}"
        );
        assert_eq!(server.targets(), ["/version"], "{location}");
    }
    server.set("/version", Reply::new(302, "1.2.3"));
    assert!(
        version(&options(server.url()))
            .await
            .unwrap_err()
            .to_string()
            .contains("no readable address")
    );
}

#[tokio::test]
async fn redirects_from_https_to_https_are_followed() {
    let authority = Authority::new();
    let leaf = authority.leaf(&["127.0.0.1", "localhost"]);
    let (first, second, plain) = (
        TestServer::https(&leaf),
        TestServer::https(&leaf),
        TestServer::http(),
    );
    let options = ServerOptions {
        ca_file: Some(authority.ca_file()),
        ..options(first.url())
    };
    second.set("/version", Reply::ok("1.2.3"));
    plain.set("/version", Reply::ok("6.6.6"));
    first.set("/moved", Reply::ok("1.2.3"));
    for status in [301, 302, 303, 307, 308] {
        first.set(
            "/version",
            Reply::new(status, "").header("Location", "/moved"),
        );
        assert_eq!(version(&options).await.unwrap(), "1.2.3", "{status}");
    }
    first.set(
        "/version",
        Reply::redirect(&(second.url_as("localhost") + "/version?token=secret")),
    );
    assert_eq!(version(&options).await.unwrap(), "1.2.3");

    let with_password = format!("https://u:secret@{}/version", second.address());
    for location in [
        plain.url() + "/version",
        with_password,
        "ftp://h.example/".into(),
        "//".into(),
    ] {
        first.set("/version", Reply::redirect(&location));
        let error = version(&options).await.unwrap_err();
        assert!(
            matches!(error, ServerError::Redirect { .. }),
            "{location}: {error:?}"
        );
        assert!(
            !format!("{error} {error:?}").contains("secret"),
            "{error:?}"
        );
    }
    assert_eq!(plain.targets(), [""; 0]);

    first.forget();
    first.set("/version", Reply::redirect("/version"));
    let error = version(&options).await.unwrap_err();
    assert!(
        error.to_string().ends_with("more than 5 redirects"),
        "{error}"
    );
    assert_eq!(first.targets().len(), 6);
    first.set_all(
        "/version",
        (0..5)
            .map(|_| Reply::redirect("/version"))
            .chain([Reply::ok("1.2.3")]),
    );
    assert_eq!(
        version(&options).await.unwrap(),
        "1.2.3",
        "five are followed"
    );
}

#[tokio::test]
async fn credentials_stay_at_home() {
    let authority = Authority::new();
    let leaf = authority.leaf(&["127.0.0.1", "localhost"]);
    let (home, away) = (TestServer::https(&leaf), TestServer::https(&leaf));
    for (text, header) in [
        ("user:secret\n", "Basic dXNlcjpzZWNyZXQ="),
        ("secret", "Bearer secret"),
    ] {
        let file = secret_file(text);
        let options = ServerOptions {
            ca_file: Some(authority.ca_file()),
            credentials_file: Some(file.path().into()),
            ..options(home.url() + "/stable")
        };
        for (elsewhere, expected) in [
            (home.url() + "/moved", Some(header)),
            (home.url_as("localhost") + "/moved", None),
            (away.url() + "/moved", None),
        ] {
            home.forget();
            away.forget();
            home.set("/stable/version", Reply::redirect(&elsewhere));
            home.set("/moved", Reply::ok("1.2.3"));
            away.set("/moved", Reply::redirect(&(home.url() + "/back")));
            home.set("/back", Reply::ok("1.2.3"));
            assert_eq!(version(&options).await.unwrap(), "1.2.3");
            assert_eq!(home.requests()[0].header("Authorization"), Some(header));
            let moved = home
                .requests()
                .into_iter()
                .chain(away.requests())
                .find(|request| request.target == "/moved");
            assert_eq!(
                moved.unwrap().header("Authorization"),
                expected,
                "{elsewhere}"
            );
        }
        let shown = format!("{options:?} {:?}", client(&options));
        assert!(!shown.contains("secret"), "{shown}");
    }
}

#[tokio::test]
async fn who_the_server_is_matters_and_the_reason_is_readable() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let good = authority.leaf(&["127.0.0.1"]);
    for (leaf, expected) in [
        (
            authority.leaf(&["other.example"]),
            "is not for the name 127.0.0.1 but for other.example",
        ),
        (
            authority.expired_leaf(&["127.0.0.1"]),
            "certificate expired 2020-02-01T00:00:00Z",
        ),
        (
            stranger.leaf(&["127.0.0.1"]),
            "certificate is from an unknown issuer",
        ),
    ] {
        let server = TestServer::https(&leaf);
        server.set("/version", Reply::ok("1.2.3"));
        let error = version(&ServerOptions {
            ca_file: Some(authority.ca_file()),
            ..options(server.url())
        })
        .await
        .unwrap_err();
        assert!(matches!(error, ServerError::Tls { .. }), "{error:?}");
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.hint().is_some());
        assert_eq!(
            (server.targets().len(), server.connections()),
            (0, 1),
            "asked once, told nothing: {expected}"
        );
    }
    let server = TestServer::https(&good);
    server.set(
        "/version",
        Reply::ok("1.2.3").header("Date", "Sat, 07 Mar 2026 02:00:01 GMT"),
    );
    let trusting = ServerOptions {
        ca_file: Some(authority.ca_file()),
        ..options(server.url())
    };
    let answer = client(&trusting).version(None, now()).await.unwrap();
    assert_eq!(
        (answer.over_tls, answer.server_date),
        (true, Some(at("2026-03-07T02:00:01Z")))
    );
    let error = version(&options(server.url())).await.unwrap_err();
    assert!(
        error.hint().unwrap().contains("ca_file"),
        "the host's own store does not know it: {error}"
    );

    let plain = TestServer::http();
    let error = version(&options(format!("https://{}", plain.address())))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            ServerError::Tls { .. } | ServerError::Unreachable { .. }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_configured_proxy_is_used_for_everything_but_this_host() {
    let authority = Authority::new();
    let server = TestServer::https(&authority.leaf(&["updates.example", "127.0.0.1"]));
    server.set("/version", Reply::ok("1.2.3"));
    let proxy = TestServer::http();
    proxy.tunnel_to(server.address());
    let secret = secret_file("user:secret");
    let with = |url: String, no_proxy: Option<&str>| ServerOptions {
        ca_file: Some(authority.ca_file()),
        proxy: Some(Proxy {
            url: proxy.url(),
            credentials_file: Some(secret.path().into()),
            no_proxy: no_proxy.map(Into::into),
        }),
        ..options(url)
    };
    assert_eq!(
        version(&with("https://updates.example".into(), None))
            .await
            .unwrap(),
        "1.2.3"
    );
    let request = &proxy.requests()[0];
    assert_eq!(
        (request.method.as_str(), request.target.as_str()),
        ("CONNECT", "updates.example:443")
    );
    assert_eq!(
        request.header("Proxy-Authorization"),
        Some("Basic dXNlcjpzZWNyZXQ=")
    );
    assert_eq!(server.requests()[0].header("Proxy-Authorization"), None);

    proxy.forget();
    assert_eq!(version(&with(server.url(), None)).await.unwrap(), "1.2.3");
    version(&with("https://0.0.0.0:1".into(), Some("0.0.0.0")))
        .await
        .unwrap_err();
    assert_eq!(
        proxy.targets(),
        [""; 0],
        "neither this host nor an exception goes through the proxy"
    );

    let refusing = TestServer::http();
    refusing.set("updates.example:443", Reply::new(407, ""));
    let mut options = with("https://updates.example".into(), None);
    options.proxy.as_mut().unwrap().url = refusing.url();
    let error = version(&options).await.unwrap_err();
    assert!(error.to_string().contains("proxy"), "{error}");
    assert!(
        !format!("{error} {error:?}").contains("secret"),
        "{error:?}"
    );
}

/// The environment belongs to the whole process, so this test asks its questions from a second one.
#[test]
fn the_environments_proxy_is_used_for_everything_but_this_host() {
    let authority = Authority::new();
    let server = TestServer::https(&authority.leaf(&["updates.example"]));
    server.set("/version", Reply::ok("1.2.3"));
    let proxy = TestServer::http();
    proxy.tunnel_to(server.address());
    let ask = |url: &str, variable: &str| {
        std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "asks_from_a_process_of_its_own"])
            .env("TEST_URL", url)
            .env("TEST_CA", authority.ca_file())
            .env(variable, proxy.url())
            .output()
            .unwrap()
            .status
            .success()
    };
    assert!(ask("https://updates.example", "HTTPS_PROXY"));
    assert!(ask("https://updates.example", "https_proxy"));
    assert_eq!(proxy.targets(), ["updates.example:443"; 2]);
    let plain = TestServer::http();
    plain.set("/version", Reply::ok("1.2.3"));
    assert!(ask(&plain.url(), "HTTP_PROXY"));
    assert!(ask(&plain.url(), "ALL_PROXY"));
    assert_eq!(proxy.targets().len(), 2);
}

#[tokio::test]
#[ignore = "the other half of the_environments_proxy_is_used_for_everything_but_this_host"]
async fn asks_from_a_process_of_its_own() {
    let Ok(url) = std::env::var("TEST_URL") else {
        return;
    };
    let ca_file = std::env::var_os("TEST_CA").map(PathBuf::from);
    assert_eq!(
        version(&ServerOptions {
            ca_file,
            ..options(url)
        })
        .await
        .unwrap(),
        "1.2.3"
    );
}

#[tokio::test]
async fn a_folder_is_a_server_too() {
    let folder = tempfile::tempdir().unwrap();
    let client = client(&options(format!("file://{}", folder.path().display())));
    let error = client.version(None, now()).await.unwrap_err();
    assert!(
        error.to_string().ends_with("/version: no such file"),
        "{error}"
    );
    assert!(!client.critical(None, now()).await.unwrap().kept.value);
    assert_eq!(
        client.schedule(None, now()).await.unwrap().kept.value,
        ScheduleAnswer::Absent
    );
    for (name, text) in [
        ("version", "v1.2.3\n"),
        ("critical", "yes\n"),
        ("schedule", "nop"),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let answer = client.version(None, now()).await.unwrap();
    assert_eq!(
        (
            answer.kept.value.to_string().as_str(),
            answer.over_tls,
            answer.server_date
        ),
        ("1.2.3", false, None)
    );
    assert!(client.critical(None, now()).await.unwrap().kept.value);
    assert_eq!(
        client.schedule(None, now()).await.unwrap().kept.value,
        ScheduleAnswer::Document("nop".into())
    );
    std::fs::write(
        folder.path().join("version"),
        vec![b' '; MAX_BODY_BYTES + 1],
    )
    .unwrap();
    assert!(matches!(
        client.version(None, now()).await,
        Err(ServerError::TooLarge { .. })
    ));
    std::fs::remove_file(folder.path().join("version")).unwrap();
    std::fs::create_dir(folder.path().join("version")).unwrap();
    assert!(
        client
            .version(None, now())
            .await
            .unwrap_err()
            .to_string()
            .ends_with("is not a regular file")
    );
}
