use std::fmt;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::Url;
use rustls::CertificateError;

/// Why a question to the version server has no answer.
///
/// Every variant is printed as one line without control characters, and none holds a credential.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The configuration asks for something that this client does not do.
    #[error("{what}: {reason}")]
    Refused {
        /// The setting, with its value where that is no secret.
        what: String,
        /// Why it is refused.
        reason: String,
        /// The way out.
        hint: Option<String>,
    },
    /// No complete answer came: name resolution, connection, proxy, or time.
    #[error("{url}: {cause}")]
    Unreachable {
        /// What was asked.
        url: String,
        /// The innermost cause.
        cause: String,
    },
    /// The server could not prove who it is, or the two sides speak no common TLS.
    #[error("{url}: {cause}")]
    Tls {
        /// What was asked.
        url: String,
        /// What is wrong with the certificate or the handshake.
        cause: String,
        /// The way out.
        hint: Option<String>,
    },
    /// The server answered, but with a status that carries no answer.
    #[error("{url}: the server answered {status}{}", retry_text(retry_at.as_ref()))]
    Status {
        /// What was asked.
        url: String,
        /// The HTTP status.
        status: u16,
        /// When the server wants to be asked again, if it said so.
        retry_at: Option<DateTime<Utc>>,
    },
    /// A redirect that is not followed.
    #[error("{url}: {reason}")]
    Redirect {
        /// Who redirected.
        url: String,
        /// Where to, and why that is refused.
        reason: String,
    },
    /// The body is longer than anything a version server says.
    #[error("{url}: the answer is longer than {limit} bytes")]
    TooLarge {
        /// What was asked.
        url: String,
        /// The most that is read.
        limit: usize,
    },
    /// The answer came and is not what this resource says.
    #[error("{url}: {found}; expected {expected}")]
    Invalid {
        /// What was asked.
        url: String,
        /// What came instead: a short, escaped excerpt.
        found: String,
        /// What would have been right.
        expected: &'static str,
    },
}

impl ServerError {
    /// The way out, where there is one to name.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Refused { hint, .. } | Self::Tls { hint, .. } => hint.clone(),
            Self::Unreachable { url, .. } if url.starts_with("file:") => {
                Some("check that `version_server.url` names a channel's folder".into())
            }
            Self::Unreachable { .. } => Some(
                "check name resolution, the firewall and the proxy from this host; the next tick tries again".into(),
            ),
            Self::Status { status: 401 | 403, .. } => {
                Some("check `version_server.credentials_file` and who may read this channel".into())
            }
            Self::Status { status: 404 | 410, .. } => {
                Some("check the channel's path in `version_server.url`".into())
            }
            Self::Status { status: 407, .. } => Some("check `version_server.proxy.credentials_file`".into()),
            Self::Status { .. } => None,
            Self::Redirect { .. } => {
                Some("set `version_server.url` to the address that finally answers, with https".into())
            }
            Self::TooLarge { .. } | Self::Invalid { .. } => {
                Some("check that `version_server.url` is the base of a version server and no web page".into())
            }
        }
    }

    /// Whether a server answered, and the answer is of no use; otherwise none came.
    pub fn came_from_an_answer(&self) -> bool {
        matches!(
            self,
            Self::Invalid { .. } | Self::TooLarge { .. } | Self::Redirect { .. }
        )
    }

    /// Whether asking once more within the same tick may help. A bad certificate or an answer that is no answer will
    /// be the same in a second.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Status { status, .. } => *status == 429 || (500..=599).contains(status),
            _ => false,
        }
    }

    pub(super) fn refused(what: impl fmt::Display, reason: impl Into<String>) -> Self {
        Self::Refused {
            what: what.to_string(),
            reason: reason.into(),
            hint: None,
        }
    }

    pub(super) fn timed_out(url: &Url, total: Duration, before: Option<&Self>) -> Self {
        let cause = format!("no complete answer within {total:?}");
        let cause = match before {
            Some(Self::Unreachable { cause: earlier, .. }) => {
                format!("{cause}, and before that: {earlier}")
            }
            Some(Self::Status { status, .. }) => {
                format!("{cause}, and before that: status {status}")
            }
            _ => cause,
        };
        Self::Unreachable {
            url: shown(url),
            cause,
        }
    }

    /// Reads what went wrong out of reqwest's chain of causes, of which only the innermost says something.
    pub(super) fn from_transport(url: &Url, error: &reqwest::Error) -> Self {
        let mut innermost: &dyn std::error::Error = error;
        loop {
            if let Some(tls) = as_tls(innermost) {
                let (cause, hint) = explain_tls(tls, url);
                return Self::Tls {
                    url: shown(url),
                    cause,
                    hint,
                };
            }
            let Some(next) = innermost.source() else {
                break;
            };
            innermost = next;
        }
        let cause = match innermost.to_string() {
            _ if error.is_timeout() => "the connection timed out".to_owned(),
            text => printable(&text),
        };
        let step = if error.is_connect() {
            "cannot connect: "
        } else {
            ""
        };
        Self::Unreachable {
            url: shown(url),
            cause: format!("{step}{cause}"),
        }
    }
}

/// rustls reports through an `io::Error`, whose `source` skips the error it wraps.
fn as_tls<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(tls) = error.downcast_ref() {
        return Some(tls);
    }
    let mut inner = error.downcast_ref::<std::io::Error>()?.get_ref()?;
    loop {
        if let Some(tls) = inner.downcast_ref() {
            return Some(tls);
        }
        inner = inner.downcast_ref::<std::io::Error>()?.get_ref()?;
    }
}

/// A server that knows only TLS 1.1 or older either says so in an alert or answers in its own version.
fn speaks_an_old_version(error: &rustls::Error) -> bool {
    use rustls::{AlertDescription, PeerIncompatible};
    matches!(
        error,
        rustls::Error::AlertReceived(AlertDescription::ProtocolVersion)
            | rustls::Error::PeerIncompatible(
                PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
                    | PeerIncompatible::ServerDoesNotSupportTls12Or13
            )
    )
}

fn explain_tls(error: &rustls::Error, url: &Url) -> (String, Option<String>) {
    let host = url.host_str().unwrap_or_default();
    if speaks_an_old_version(error) {
        return (
            "the server speaks no TLS that counts as safe: neither 1.2 nor 1.3".into(),
            Some("allow TLS 1.2 or 1.3 on the version server, or on the proxy before it".into()),
        );
    }
    let rustls::Error::InvalidCertificate(certificate) = error else {
        return (
            format!("TLS failed: {}", printable(&error.to_string())),
            None,
        );
    };
    let clock =
        || Some("renew the server's certificate, or set this host's clock right".to_owned());
    let day = |time: rustls::pki_types::UnixTime| {
        i64::try_from(time.as_secs())
            .ok()
            .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
            .map_or_else(String::new, |time| {
                format!(" {}", time.to_rfc3339_opts(SecondsFormat::Secs, true))
            })
    };
    match certificate {
        CertificateError::Expired => ("the server's certificate has expired".into(), clock()),
        CertificateError::ExpiredContext { not_after, .. } => (
            format!("the server's certificate expired{}", day(*not_after)),
            clock(),
        ),
        CertificateError::NotValidYet => {
            ("the server's certificate is not valid yet".into(), clock())
        }
        CertificateError::NotValidYetContext { not_before, .. } => (
            format!(
                "the server's certificate is not valid before{}",
                day(*not_before)
            ),
            clock(),
        ),
        CertificateError::NotValidForName => (
            format!("the server's certificate is not for the name {host}"),
            None,
        ),
        CertificateError::NotValidForNameContext { presented, .. } => {
            // They come as `DnsName("updates.example")`.
            let names: Vec<_> = presented
                .iter()
                .map(|name| name.split('"').nth(1).unwrap_or(name))
                .collect();
            let names = if names.is_empty() {
                "no name".to_owned()
            } else {
                names.join(", ")
            };
            (
                printable(&format!(
                    "the server's certificate is not for the name {host} but for {names}"
                )),
                Some("use a name of the certificate in `version_server.url`".into()),
            )
        }
        CertificateError::UnknownIssuer => (
            "the server's certificate is from an unknown issuer".into(),
            Some(
                "if the authority is your own, name its certificate in `version_server.ca_file`"
                    .into(),
            ),
        ),
        other => (
            format!(
                "the server's certificate is not accepted: {}",
                printable(&other.to_string())
            ),
            None,
        ),
    }
}

fn retry_text(retry_at: Option<&DateTime<Utc>>) -> String {
    retry_at.map_or_else(String::new, |at| {
        format!(
            " and wants to be asked again at {}",
            at.to_rfc3339_opts(SecondsFormat::Secs, true)
        )
    })
}

/// A URL as it may be printed: a redirect's query can hold a token, its user part a password.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Both fail only where there is nothing to remove.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    printable(url.as_str())
}

/// At most 200 characters on one line, everything that could steer a terminal escaped.
fn printable(text: &str) -> String {
    excerpt_of(text, 200)
}

/// A short, quoted, escaped piece of what came, for messages.
pub(super) fn excerpt(body: &[u8]) -> String {
    if body.is_empty() {
        return "an empty answer".into();
    }
    // Lossy on purpose: this is only shown, never used.
    let text = String::from_utf8_lossy(&body[..body.len().min(400)]);
    format!("the answer \"{}\"", excerpt_of(&text, 60))
}

fn excerpt_of(text: &str, limit: usize) -> String {
    let mut short = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == limit {
            short.push('…');
            break;
        }
        if character == ' ' || character.is_ascii_graphic() {
            short.push(character);
        } else {
            short.extend(character.escape_default());
        }
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_short_and_cannot_steer_a_terminal() {
        assert_eq!(excerpt(b""), "an empty answer");
        assert_eq!(
            excerpt(b"\x1b[31mhi\r\n\xff"),
            "the answer \"\\u{1b}[31mhi\\r\\n\\u{fffd}\""
        );
        let long = excerpt(&[b'a'; 10_000]);
        assert_eq!(long, format!("the answer \"{}…\"", "a".repeat(60)));
        assert_eq!(
            excerpt("ü\u{202e}".as_bytes()),
            "the answer \"\\u{fc}\\u{202e}\""
        );
    }

    #[test]
    fn a_shown_url_has_no_secrets() {
        let url = Url::parse("https://user:secret@h.example/a?token=secret#secret").unwrap();
        assert_eq!(shown(&url), "https://h.example/a");
    }

    #[test]
    fn only_what_may_pass_is_asked_again() {
        let status = |status| ServerError::Status {
            url: String::new(),
            status,
            retry_at: None,
        };
        for (code, expected) in [
            (200, false),
            (404, false),
            (429, true),
            (500, true),
            (503, true),
            (600, false),
        ] {
            assert_eq!(status(code).may_pass(), expected, "{code}");
        }
    }
}
