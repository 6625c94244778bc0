//! Where an answer may be fetched from, and who sees the credentials.

use agent_updater::version_server::{ServerError, ServerOptions};

use crate::support::certificates::Authority;
use crate::support::test_server::{Reply, TestServer};
use crate::{client, options, secret_file, version};

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
