use std::path::PathBuf;

use self::url_host::is_loopback;
use reqwest::Url;

use super::ServerError;
use super::error::shown;

/// Where the version server is and how to get there. Every field but `url` may stay empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerOptions {
    /// The base: `https://…`, `http://` to this host only, or `file:///folder`.
    pub url: String,
    /// PEM certificates of authorities that count beside the host's trust store.
    pub ca_file: Option<PathBuf>,
    /// `user:password` (Basic) or a token (Bearer), sent to the origin of `url` alone.
    pub credentials_file: Option<PathBuf>,
    /// The proxy; without one, the environment's proxy settings count.
    pub proxy: Option<Proxy>,
}

/// A proxy for everything that is not this host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxy {
    /// `http://host:port` or `https://host:port`.
    pub url: String,
    /// `user:password` (Basic).
    pub credentials_file: Option<PathBuf>,
    /// Hosts, domains, addresses and networks that are asked directly, separated by commas.
    pub no_proxy: Option<String>,
}

/// The checked form of [`ServerOptions::url`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Base {
    Http(Url),
    Folder(PathBuf),
}

impl Base {
    pub(super) fn parse(text: &str) -> Result<Self, ServerError> {
        let url = checked_url("version_server.url", text)?;
        if url.scheme() != "file" {
            return Ok(Self::Http(url));
        }
        match url.to_file_path() {
            Ok(folder) => Ok(Self::Folder(folder)),
            Err(()) => Err(ServerError::refused(
                shown(&url),
                "a file URL names a folder of this host: file:///folder",
            )),
        }
    }
}

/// The URL of one resource below a base, whether or not the base ends in a slash.
pub(super) fn below(base: &Url, segments: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

/// Reads the URL of setting `key` and refuses what is not safe, or not what an operator can have meant.
pub(super) fn checked_url(key: &str, text: &str) -> Result<Url, ServerError> {
    // The text itself is not repeated where it may hold a password.
    let refuse = |what: String, reason: &str, hint: Option<&str>| {
        Err(ServerError::Refused {
            what: format!("{key} {what}").trim_end().to_owned(),
            reason: reason.into(),
            hint: hint.map(Into::into),
        })
    };
    if text.is_empty() {
        return refuse(String::new(), "is empty", None);
    }
    let Ok(url) = Url::parse(text) else {
        return refuse(
            String::new(),
            "is not a URL such as https://host/path",
            None,
        );
    };
    if !url.username().is_empty() || url.password().is_some() {
        return refuse(
            shown(&url),
            "a URL with credentials would end up in logs",
            Some("put them in a file and name it in `credentials_file`"),
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return refuse(shown(&url), "a base URL has no `?` and no `#`", None);
    }
    match url.scheme() {
        "https" | "file" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => refuse(
            shown(&url),
            "http is only accepted to this host; anybody on the way could choose the version",
            Some("use https"),
        ),
        _ => refuse(
            shown(&url),
            "the scheme is none of https, http (to this host) and file",
            None,
        ),
    }
}

/// Names and addresses of this very host.
pub(crate) mod url_host {
    use reqwest::Url;

    /// Whether the URL's host is this host: `localhost`, 127.0.0.0/8 or `::1`.
    pub(crate) fn is_loopback(url: &Url) -> bool {
        let Some(host) = url.host_str() else {
            return false;
        };
        if host == "localhost" {
            return true;
        }
        let address = host.trim_start_matches('[').trim_end_matches(']');
        address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases_that_are_accepted() {
        for (text, version) in [
            ("https://h.example", "https://h.example/version"),
            ("https://h.example/", "https://h.example/version"),
            (
                "https://h.example:8443/v1/channel/stable/cloud",
                "https://h.example:8443/v1/channel/stable/cloud/version",
            ),
            (
                "https://h.example/stable/cloud/",
                "https://h.example/stable/cloud/version",
            ),
            ("http://localhost:8080", "http://localhost:8080/version"),
            ("http://127.0.0.1/", "http://127.0.0.1/version"),
            ("http://127.9.8.7:1/x", "http://127.9.8.7:1/x/version"),
            ("http://[::1]:8080/x", "http://[::1]:8080/x/version"),
        ] {
            let Base::Http(url) = Base::parse(text).unwrap() else {
                panic!("{text} is no folder")
            };
            assert_eq!(below(&url, &["version"]).as_str(), version, "{text}");
        }
        assert_eq!(
            Base::parse("file:///srv/my%20channel").unwrap(),
            Base::Folder("/srv/my channel".into())
        );
    }

    #[test]
    fn bases_that_are_refused() {
        for text in [
            "",
            "h.example",
            "/srv/channel",
            "ftp://h.example/",
            "data:text/plain,1.2.3",
            "http://h.example/",
            "http://10.0.0.1/",
            "http://0.0.0.0/",
            "http://localhost.example/",
            "http://[::2]/",
            "http://128.0.0.1/",
            "https://user:secret@h.example/",
            "https://user@h.example/",
            "https://h.example/?secret",
            "https://h.example/#secret",
            "file://other.example/srv",
            "https://",
            "http://[::ffff:10.0.0.1]/",
        ] {
            let error = Base::parse(text).unwrap_err();
            assert!(
                matches!(error, ServerError::Refused { .. }),
                "{text}: {error}"
            );
            assert!(
                !format!("{error} {error:?}").contains("secret"),
                "{text}: {error}"
            );
        }
    }
}
