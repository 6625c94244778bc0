use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::{ClientBuilder, NoProxy, Url};
use rustls::ClientConfig;

use super::credentials::Credentials;
use super::error::shown;
use super::options::url_host::is_loopback;
use super::{Proxy, ServerError, trust};

/// The HTTP clients of one agent, each built when first needed: a server on this host needs neither TLS nor proxy, and
/// the trust store is only read when something is asked over https.
pub(super) struct Transport {
    ca_file: Option<PathBuf>,
    proxy: Option<reqwest::Proxy>,
    connect_timeout: Duration,
    plain: OnceLock<reqwest::Client>,
    tls_on_this_host: OnceLock<reqwest::Client>,
    tls: OnceLock<reqwest::Client>,
}

impl Transport {
    pub(super) fn new(
        ca_file: Option<PathBuf>,
        proxy: Option<&Proxy>,
        connect_timeout: Duration,
    ) -> Result<Self, ServerError> {
        Ok(Self {
            ca_file,
            proxy: proxy.map(checked_proxy).transpose()?,
            connect_timeout,
            plain: OnceLock::new(),
            tls_on_this_host: OnceLock::new(),
            tls: OnceLock::new(),
        })
    }

    /// The client for a URL, which is https or of this host.
    pub(super) fn client_for(&self, url: &Url) -> Result<&reqwest::Client, ServerError> {
        let over_tls = url.scheme() == "https";
        // No proxy stands between this host and itself, whatever the environment says.
        let local = is_loopback(url);
        let cell = match (over_tls, local) {
            (false, _) => &self.plain,
            (true, true) => &self.tls_on_this_host,
            (true, false) => &self.tls,
        };
        if let Some(client) = cell.get() {
            return Ok(client);
        }
        let config = if over_tls {
            trust::host_config(self.ca_file.as_deref())?
        } else {
            trust::trust_nobody()?
        };
        let mut builder = builder(config).connect_timeout(self.connect_timeout);
        if local || !over_tls {
            builder = builder.no_proxy();
        } else if let Some(proxy) = &self.proxy {
            builder = builder.proxy(proxy.clone());
        }
        let client = builder
            .build()
            .map_err(|error| ServerError::from_transport(url, &error))?;
        Ok(cell.get_or_init(|| client))
    }
}

/// A client for questions to this host alone, without TLS and proxies; health probes use it too.
pub(crate) fn local_builder() -> Result<ClientBuilder, ServerError> {
    Ok(builder(trust::trust_nobody()?).no_proxy())
}

fn builder(config: ClientConfig) -> ClientBuilder {
    reqwest::Client::builder()
        .tls_backend_preconfigured(config)
        .http1_only()
        // Redirects and retries are our own: reqwest's would neither keep the credentials at home nor the time.
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        // A copy of the server's certificate beside each answer, for `doctor`.
        .tls_info(true)
        .pool_max_idle_per_host(1)
        .user_agent(concat!("agent-updater/", env!("CARGO_PKG_VERSION")))
}

fn checked_proxy(proxy: &Proxy) -> Result<reqwest::Proxy, ServerError> {
    let refused = |what: &str, reason: &str| {
        ServerError::refused(
            format!("version_server.proxy.url {what}").trim_end(),
            reason,
        )
    };
    let url =
        Url::parse(&proxy.url).map_err(|_| refused("", "is not a URL such as http://host:port"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ServerError::Refused {
            what: format!("version_server.proxy.url {}", shown(&url)),
            reason: "a URL with credentials would end up in logs".into(),
            hint: Some(
                "put them in a file and name it in `version_server.proxy.credentials_file`".into(),
            ),
        });
    }
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refused(
            &shown(&url),
            "the scheme of a proxy is http or https",
        ));
    }
    let mut built = reqwest::Proxy::all(url.clone())
        .map_err(|_| refused(&shown(&url), "cannot be used as a proxy"))?
        .no_proxy(proxy.no_proxy.as_deref().and_then(NoProxy::from_string));
    if let Some(path) = &proxy.credentials_file {
        built = match Credentials::load(path)? {
            Credentials::Basic { user, password } => built.basic_auth(&user, &password),
            Credentials::Bearer(_) => {
                return Err(ServerError::refused(
                    format!("credentials file {}", path.display()),
                    "a proxy wants `user:password`",
                ));
            }
        };
    }
    Ok(built)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_that_are_refused() {
        for url in [
            "",
            "proxy:3128",
            "socks5://proxy:1080",
            "http://user:secret@proxy:3128",
            "file:///proxy",
        ] {
            let error = checked_proxy(&Proxy {
                url: url.into(),
                ..Proxy::default()
            })
            .unwrap_err();
            assert!(
                matches!(error, ServerError::Refused { .. }),
                "{url}: {error}"
            );
            assert!(
                !format!("{error} {error:?}").contains("secret"),
                "{url}: {error}"
            );
        }
        checked_proxy(&Proxy {
            url: "http://proxy:3128".into(),
            ..Proxy::default()
        })
        .unwrap();
    }
}
