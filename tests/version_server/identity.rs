//! Who the server is.

use agent_updater::version_server::{ServerError, ServerOptions};

use crate::support::certificates::Authority;
use crate::support::test_server::{Reply, TestServer};
use crate::{at, client, now, options, version};

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
