//! The way to the server.

use agent_updater::version_server::{Proxy, ServerOptions};

use crate::support::certificates::Authority;
use crate::support::test_server::{Reply, TestServer};
use crate::{options, secret_file, version};

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

/// The environment belongs to the whole process, so the program itself asks here.
#[test]
fn the_environments_proxy_is_used_for_everything_but_this_host() {
    let authority = Authority::new();
    let server = TestServer::https(&authority.leaf(&["updates.example"]));
    server.set("/version", Reply::ok("1.2.3"));
    let proxy = TestServer::http();
    proxy.tunnel_to(server.address());
    let ask = |url: &str, variable: &str| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_agent-updater"))
            .args(["channel", "show", url])
            .env("SSL_CERT_FILE", authority.ca_file())
            .env(variable, proxy.url())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            text.starts_with("version   1.2.3\n"),
            "{variable} {url}: {output:?}"
        );
    };
    ask("https://updates.example", "HTTPS_PROXY");
    ask("https://updates.example", "https_proxy");
    assert_eq!(proxy.targets(), ["updates.example:443"; 2]);
    let plain = TestServer::http();
    plain.set("/version", Reply::ok("1.2.3"));
    ask(&plain.url(), "HTTP_PROXY");
    ask(&plain.url(), "ALL_PROXY");
    assert_eq!(proxy.targets().len(), 2);
}
