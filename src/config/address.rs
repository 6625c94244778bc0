//! Readers of addresses. What is refused is not repeated: it may hold a password.

use super::problem::Refusal;
use super::tree::Node;
use super::values::{Read, text};
use crate::version_server::url_host::is_loopback;
use reqwest::Url;

/// Which addresses a key accepts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reach {
    /// https, http to this host, file: what decides on a change must not be forged on the way.
    Trusted,
    /// https, http, file: what comes from there is signed.
    Signed,
    /// http or https of a proxy.
    Proxy,
    /// http to this host only.
    Loopback,
}

/// An address without credentials.
pub(super) fn url(reach: Reach) -> impl Fn(&Node) -> Read<Url> {
    move |node| {
        let written = text(node)?;
        let url = Url::parse(written).map_err(|error| {
            Refusal::new(format!("is not a URL: {error}"))
                .hint("write it whole, such as https://example.com/path")
        })?;
        if !url.username().is_empty() || url.password().is_some() {
            let hint = match reach {
                Reach::Loopback => "use a `command` probe that reads them from a file",
                Reach::Signed => "use the host's repository entry with them (`repository.entry`)",
                _ => "put them into a file only root can read, and name it in `credentials_file`",
            };
            return Err(Refusal::new("holds credentials, which would end up in logs").hint(hint));
        }
        if url.fragment().is_some() || (url.query().is_some() && reach != Reach::Loopback) {
            return Err(Refusal::new(
                "has a `?` or `#`, which is no part of a base address",
            ));
        }
        let refuse = |allowed: &str| {
            Err(Refusal::new(format!(
                "is an address with {}, not {allowed}",
                url.scheme()
            )))
        };
        let is_here = is_loopback(&url);
        let has_host = url.host_str().is_some_and(|host| !host.is_empty());
        match (reach, url.scheme()) {
            (Reach::Trusted | Reach::Signed, "https") | (Reach::Signed | Reach::Proxy, "http") => {
                Ok(url)
            }
            (Reach::Proxy, "https") => Ok(url),
            (Reach::Trusted | Reach::Loopback, "http") if is_here => Ok(url),
            (Reach::Trusted | Reach::Signed, "file") if !has_host => Ok(url),
            (Reach::Trusted | Reach::Signed, "file") => {
                Err(Refusal::new("names a host in a file URL")
                    .hint("write file:///path, with three slashes"))
            }
            (Reach::Trusted, "http") => Err(Refusal::new(
                "is http to another host, where anybody on the way could choose the answer",
            )
            .hint("use https; http is for this host only")),
            (Reach::Loopback, _) => Err(Refusal::new("is not http to this host")
                .hint("write http://127.0.0.1:PORT/path or unix:/path/of/socket:/uri")),
            (Reach::Trusted, _) => refuse("https, http to this host, or file"),
            (Reach::Signed, _) => refuse("https, http or file"),
            (Reach::Proxy, _) => refuse("http or https"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::problem::Place;
    use std::path::Path;

    #[test]
    fn what_reaches_where() {
        let all = [Reach::Trusted, Reach::Signed, Reach::Proxy, Reach::Loopback];
        for (written, accepted) in [
            (
                "https://host.example/a",
                vec![Reach::Trusted, Reach::Signed, Reach::Proxy],
            ),
            ("http://host.example/a", vec![Reach::Signed, Reach::Proxy]),
            ("http://127.9.9.9:1/a", all.to_vec()),
            ("http://localhost/a", all.to_vec()),
            ("file:///srv/a", vec![Reach::Trusted, Reach::Signed]),
            ("http://127.0.0.1/?a", vec![Reach::Loopback]),
            ("file://host.example/a", vec![]),
            ("ftp://host.example/", vec![]),
            ("https://user@host.example/", vec![]),
            ("host.example", vec![]),
        ] {
            let value = written.into();
            let place = Place::file(Path::new("/f"));
            let node = Node { place, value };
            let found: Vec<Reach> = all
                .into_iter()
                .filter(|reach| url(*reach)(&node).is_ok())
                .collect();
            assert_eq!(found, accepted, "{written}");
        }
    }
}
