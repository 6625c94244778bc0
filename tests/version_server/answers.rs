//! What the bodies and statuses of each resource mean.

use agent_updater::version_server::{MAX_BODY_BYTES, ScheduleAnswer, ServerError};

use crate::support::test_server::{Reply, TestServer};
use crate::{client, now, options, version};

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
async fn a_folder_is_a_server_too() {
    let folder = tempfile::tempdir().unwrap();
    let client = client(&options(format!("file://{}", folder.path().display())));
    let error = client.version(None, now()).await.unwrap_err();
    assert!(
        error.to_string().ends_with("/version: no such file"),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("folder"));
    // A folder without a version is a file system that is not mounted, and no channel without a schedule.
    for absent in [
        client.critical(None, now()).await.map(|_| ()),
        client.schedule(None, now()).await.map(|_| ()),
    ] {
        let error = absent.unwrap_err();
        assert!(
            matches!(error, ServerError::Unreachable { .. }),
            "{error:?}"
        );
    }
    std::fs::write(folder.path().join("version"), "none\n").unwrap();
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
