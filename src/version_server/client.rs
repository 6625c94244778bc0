use std::fmt;
use std::path::Path;
use std::time::Duration;

use adapters::version::TargetVersion;
use chrono::{DateTime, Utc};
use reqwest::header::{DATE, ETAG, HeaderValue};
use reqwest::{StatusCode, Url};

use super::answer::{Unreadable, read_cluster_version, read_critical, read_schedule};
use super::certificate;
use super::error::shown;
use super::exchange::{Exchange, Limits, MAX_BODY_BYTES, TOTAL_TIMEOUT, http_date, text_of};
use super::options::{Base, below, checked_url};
use super::{Answer, Kept, ScheduleAnswer, ServerError, ServerOptions, VersionAnswer};

/// A longer name for an answer than this is not worth keeping.
const MAX_ETAG_BYTES: usize = 256;

/// Asks one agent's version server.
///
/// Ask one question after the other: they share a connection that is kept alive between them.
///
/// A name is resolved in a blocking thread, which may outlive the ten seconds: end the runtime with
/// `shutdown_background`, or its end waits for the resolver.
pub struct Client {
    base: Base,
    exchange: Exchange,
}

impl Client {
    /// Checks the options and reads the credentials; connects to nothing.
    pub fn new(options: &ServerOptions) -> Result<Self, ServerError> {
        Self::with_limits(options, Limits::within(TOTAL_TIMEOUT))
    }

    /// A client that is as patient as a test: every time of the real one, in proportion.
    #[doc(hidden)]
    pub fn with_total_timeout(
        options: &ServerOptions,
        total: Duration,
    ) -> Result<Self, ServerError> {
        Self::with_limits(options, Limits::within(total))
    }

    fn with_limits(options: &ServerOptions, limits: Limits) -> Result<Self, ServerError> {
        let base = Base::parse(&options.url)?;
        let origin = match &base {
            Base::Http(url) => Some(url.clone()),
            Base::Folder(_) => None,
        };
        Ok(Self {
            base,
            exchange: Exchange::new(options, origin, limits)?,
        })
    }

    /// Which version the agent is to have.
    pub async fn version(
        &self,
        kept: Option<&Kept<VersionAnswer>>,
        now: DateTime<Utc>,
    ) -> Result<Answer<VersionAnswer>, ServerError> {
        match &self.base {
            Base::Http(base) => {
                self.ask(
                    &below(base, &["version"]),
                    kept,
                    now,
                    read_ok(VersionAnswer::read),
                )
                .await
            }
            Base::Folder(folder) => read_file(folder, "version", now, VersionAnswer::read, None),
        }
    }

    /// Whether the version is critical. Every error means: not critical, with a warning.
    pub async fn critical(
        &self,
        kept: Option<&Kept<bool>>,
        now: DateTime<Utc>,
    ) -> Result<Answer<bool>, ServerError> {
        match &self.base {
            Base::Http(base) => {
                self.ask(
                    &below(base, &["critical"]),
                    kept,
                    now,
                    read_ok(read_critical),
                )
                .await
            }
            Base::Folder(folder) => read_file(folder, "critical", now, read_critical, Some(false)),
        }
    }

    /// When changes may start, as the server's text. An error is no absence: the kept schedule goes on.
    pub async fn schedule(
        &self,
        kept: Option<&Kept<ScheduleAnswer>>,
        now: DateTime<Utc>,
    ) -> Result<Answer<ScheduleAnswer>, ServerError> {
        let read = |status: StatusCode, body: &[u8]| match status.as_u16() {
            400 | 403 | 404 | 410 => Some(Ok(ScheduleAnswer::Absent)),
            _ => read_ok(read_schedule)(status, body),
        };
        match &self.base {
            Base::Http(base) => self.ask(&below(base, &["schedule"]), kept, now, read).await,
            Base::Folder(folder) => read_file(
                folder,
                "schedule",
                now,
                read_schedule,
                Some(ScheduleAnswer::Absent),
            ),
        }
    }

    /// Where the schedule is, as the kept one names it.
    pub fn schedule_address(&self) -> String {
        match &self.base {
            Base::Http(base) => shown(&below(base, &["schedule"])),
            Base::Folder(folder) => file_address(&folder.join("schedule")),
        }
    }

    /// Until when the server's certificate lasts; nothing where it is not asked over TLS.
    pub async fn certificate_end(&self) -> Option<Result<DateTime<Utc>, String>> {
        match &self.base {
            Base::Http(base) if base.scheme() == "https" => {
                let url = below(base, &["version"]);
                let der = self.exchange.peer_certificate(&url).await;
                Some(der.and_then(|der| certificate::end(&der)))
            }
            Base::Http(_) | Base::Folder(_) => None,
        }
    }

    /// The version of the cluster itself: `url` is a Teleport proxy, its `/webapi/find`, or a plain version document.
    pub async fn cluster_version(
        &self,
        url: &str,
        kept: Option<&Kept<TargetVersion>>,
        now: DateTime<Utc>,
    ) -> Result<Answer<TargetVersion>, ServerError> {
        let mut url = checked_url("compatibility.url", url)?;
        if url.scheme() == "file" {
            return Err(ServerError::refused(
                shown(&url),
                "the cluster is asked over https",
            ));
        }
        if url.path() == "/" {
            url = below(&url, &["webapi", "find"]);
        }
        self.ask(&url, kept, now, read_ok(read_cluster_version))
            .await
    }

    /// `read` returns `None` for a status that carries no answer.
    async fn ask<T: Clone>(
        &self,
        url: &Url,
        kept: Option<&Kept<T>>,
        now: DateTime<Utc>,
        read: impl Fn(StatusCode, &[u8]) -> Option<Result<T, Unreadable>>,
    ) -> Result<Answer<T>, ServerError> {
        let name = shown(url);
        let kept = kept.filter(|kept| kept.url == name && kept.etag.is_some());
        let etag = kept.and_then(|kept| HeaderValue::from_str(kept.etag.as_deref()?).ok());
        let reply = self.exchange.fetch(url, etag.as_ref(), now).await?;
        let server_date = http_date(&reply.headers, &DATE);
        let new_etag = text_of(&reply.headers, &ETAG)
            .filter(|etag| etag.len() <= MAX_ETAG_BYTES)
            .map(str::to_owned);
        if let (StatusCode::NOT_MODIFIED, Some(kept)) = (reply.status, kept) {
            let etag = new_etag.or_else(|| kept.etag.clone());
            let kept = Kept {
                value: kept.value.clone(),
                url: name,
                etag,
                fetched_at: now,
            };
            return Ok(Answer {
                kept,
                not_modified: true,
                server_date,
                over_tls: reply.over_tls,
            });
        }
        match read(reply.status, &reply.body) {
            Some(Ok(value)) => {
                // An error page may have a name too, but it would not be the name of an answer.
                let etag = new_etag.filter(|_| reply.status == StatusCode::OK);
                let kept = Kept {
                    value,
                    url: name,
                    etag,
                    fetched_at: now,
                };
                Ok(Answer {
                    kept,
                    not_modified: false,
                    server_date,
                    over_tls: reply.over_tls,
                })
            }
            Some(Err(Unreadable { found, expected })) => Err(ServerError::Invalid {
                url: name,
                found,
                expected,
            }),
            None => Err(ServerError::Status {
                url: name,
                status: reply.status.as_u16(),
                retry_at: None,
            }),
        }
    }
}

/// Shows where it asks, never with what.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

/// Only 200 carries an answer; `None` for everything else.
fn read_ok<T>(
    read: impl Fn(&[u8]) -> Result<T, Unreadable>,
) -> impl Fn(StatusCode, &[u8]) -> Option<Result<T, Unreadable>> {
    move |status, body| (status == StatusCode::OK).then(|| read(body))
}

fn file_address(path: &Path) -> String {
    Url::from_file_path(path).map_or_else(|()| path.display().to_string(), |url| shown(&url))
}

/// Reads one resource of a channel that is a folder of this host. `absent` is what a missing file means.
fn read_file<T>(
    folder: &Path,
    name: &str,
    now: DateTime<Utc>,
    read: fn(&[u8]) -> Result<T, Unreadable>,
    absent: Option<T>,
) -> Result<Answer<T>, ServerError> {
    let path = folder.join(name);
    let url = file_address(&path);
    let answer = |value| {
        let kept = Kept {
            value,
            url: url.clone(),
            etag: None,
            fetched_at: now,
        };
        Answer {
            kept,
            not_modified: false,
            server_date: None,
            over_tls: false,
        }
    };
    let body = match super::channel::read_capped(&path) {
        Ok(body) => body,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => match absent {
            // Where the version is not there either the channel itself is gone, as with a file system
            // that is not mounted.
            Some(value) if folder.join("version").exists() => return Ok(answer(value)),
            _ => {
                return Err(ServerError::Unreachable {
                    url,
                    cause: "no such file".into(),
                });
            }
        },
        Err(error) if error.kind() == std::io::ErrorKind::FileTooLarge => {
            return Err(ServerError::TooLarge {
                url,
                limit: MAX_BODY_BYTES,
            });
        }
        Err(error) => {
            return Err(ServerError::Unreachable {
                url,
                cause: error.to_string(),
            });
        }
    };
    match read(&body) {
        Ok(value) => Ok(answer(value)),
        Err(Unreadable { found, expected }) => Err(ServerError::Invalid {
            url,
            found,
            expected,
        }),
    }
}
