//! The probe of `health.http`: one GET on this host, of which only the status counts.

use rustix::fs::Access;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;

use crate::version_server::{local_builder, url_host};

/// An endpoint of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpTarget {
    /// `http://127.0.0.1:7777/healthz`
    Loopback(Url),
    /// `unix:/run/agent.sock:/healthz`
    Unix {
        /// The socket.
        socket: PathBuf,
        /// What is asked for on it, beginning with a slash.
        path: String,
    },
}

/// The text names no endpoint of this host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text}: a health endpoint is `http://127.0.0.1:PORT/PATH` or `unix:/SOCKET:/PATH`, on this host alone"
)]
pub struct InvalidTarget {
    text: String,
}

impl HttpTarget {
    /// Reads `http://…` to this host, or `unix:/socket:/path`, where the path may be left out.
    pub fn parse(text: &str) -> Result<Self, InvalidTarget> {
        let parsed = match text.strip_prefix("unix:") {
            Some(rest) => Self::parse_unix(rest),
            None => Self::parse_loopback(text),
        };
        parsed.ok_or_else(|| InvalidTarget {
            text: text.escape_debug().take(200).collect(),
        })
    }

    /// Whether it is a socket that is not there, or not ours, for a process without root's powers and
    /// with temporary folders of its own.
    pub(super) fn is_hidden(&self) -> bool {
        let Self::Unix { socket, .. } = self else {
            return false;
        };
        let is_private = ["/tmp", "/var/tmp"]
            .iter()
            .any(|folder| socket.starts_with(folder));
        let may_use = rustix::fs::access(socket, Access::READ_OK | Access::WRITE_OK);
        is_private || may_use == Err(rustix::io::Errno::ACCESS)
    }

    fn parse_loopback(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let plain = url.scheme() == "http" && url.username().is_empty() && url.password().is_none();
        (plain && url_host::is_loopback(&url)).then_some(Self::Loopback(url))
    }

    fn parse_unix(rest: &str) -> Option<Self> {
        let (socket, path) = rest.split_once(':').unwrap_or((rest, "/"));
        // `//…` would make the path another host's name.
        let path_ok = path.starts_with('/')
            && !path.starts_with("//")
            && path.bytes().all(|byte| byte.is_ascii_graphic());
        (socket.starts_with('/') && path_ok).then(|| Self::Unix {
            socket: socket.into(),
            path: path.to_owned(),
        })
    }
}

/// As it is written in the configuration.
impl fmt::Display for HttpTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loopback(url) => url.fmt(f),
            Self::Unix { socket, path } => write!(f, "unix:{}:{path}", socket.display()),
        }
    }
}

/// Asks once and returns the HTTP status. Redirects are not followed, proxies not used, and the body is not read.
///
/// The error is one line for the verdict's evidence.
pub async fn get_status(target: &HttpTarget, timeout: Duration) -> Result<u16, String> {
    let failed = |cause: &dyn fmt::Display| format!("GET {target}: {cause}");
    let builder = local_builder()
        .map_err(|error| failed(&error))?
        .timeout(timeout);
    let (builder, url) = match target {
        HttpTarget::Loopback(url) => (builder, url.clone()),
        HttpTarget::Unix { socket, path } => {
            let url =
                Url::parse(&format!("http://localhost{path}")).map_err(|error| failed(&error))?;
            (builder.unix_socket(socket.as_path()), url)
        }
    };
    let client = builder.build().map_err(|error| failed(&error))?;
    match client.get(url).send().await {
        Ok(response) => Ok(response.status().as_u16()),
        Err(error) if error.is_timeout() => {
            Err(failed(&format_args!("no answer within {timeout:?}")))
        }
        Err(error) => Err(failed(&innermost(&error))),
    }
}

fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_of_this_host() {
        for (text, shown) in [
            (
                "http://127.0.0.1:7777/healthz",
                "http://127.0.0.1:7777/healthz",
            ),
            (
                "http://localhost:7777/healthz?verbose",
                "http://localhost:7777/healthz?verbose",
            ),
            ("http://[::1]:7777", "http://[::1]:7777/"),
            (
                "unix:/run/agent.sock:/healthz",
                "unix:/run/agent.sock:/healthz",
            ),
            ("unix:/run/agent.sock", "unix:/run/agent.sock:/"),
        ] {
            assert_eq!(HttpTarget::parse(text).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn targets_that_are_refused() {
        for text in [
            "",
            "127.0.0.1:7777",
            "https://127.0.0.1/",
            "http://10.0.0.1/",
            "http://agent.example/",
            "http://user@localhost/",
            "unix:agent.sock",
            "unix:",
            "unix:/run/agent.sock:healthz",
            "unix:/run/agent.sock://evil/",
            "unix:/run/agent.sock:/a b",
            "file:///run/agent.sock",
        ] {
            HttpTarget::parse(text).expect_err(text);
        }
    }
}
