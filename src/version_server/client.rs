use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, DATE, ETAG, HeaderMap, HeaderName, IF_NONE_MATCH, LOCATION,
    RETRY_AFTER,
};
use reqwest::{Response, StatusCode, Url};
use tokio::time::{Instant, sleep, timeout_at};

use super::answer::{Unreadable, read_cluster_version, read_critical, read_schedule};
use super::credentials::Credentials;
use super::error::{excerpt, shown};
use super::options::{Base, below, checked_url};
use super::transport::Transport;
use super::{
    Answer, Kept, ScheduleAnswer, ServerError, ServerOptions, TargetVersion, VersionAnswer,
};

/// The most that is read of any answer.
pub const MAX_BODY_BYTES: usize = 64 * 1024;
/// The time for one question, with all its redirects and retries.
pub const TOTAL_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a question is repeated when the fault may pass.
pub const RETRIES: u32 = 2;

const MAX_REDIRECTS: usize = 5;
/// A longer name for an answer than this is not worth keeping.
const MAX_ETAG_BYTES: usize = 256;

/// The times of one question; tests use shorter ones.
#[derive(Clone, Copy, Debug)]
struct Limits {
    total: Duration,
    /// Includes name resolution: the resolver asks its second server only after 5 s, so less would make a host with
    /// one dead name server unable to ask anything.
    connect: Duration,
    /// The pause before the first retry at most; the second is three times as long.
    pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            total: TOTAL_TIMEOUT,
            connect: Duration::from_secs(6),
            pause: Duration::from_millis(600),
        }
    }
}

/// Asks one agent's version server.
///
/// Ask one question after the other: they share a connection that is kept alive between them.
pub struct Client {
    base: Base,
    credentials: Option<Credentials>,
    transport: Transport,
    limits: Limits,
}

/// One HTTP answer, read to its end.
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
    over_tls: bool,
}

impl Client {
    /// Checks the options and reads the credentials; connects to nothing.
    pub fn new(options: &ServerOptions) -> Result<Self, ServerError> {
        Self::with_limits(options, Limits::default())
    }

    /// A client that is as patient as a test: all times of the real one in the same proportion to `total`.
    #[doc(hidden)]
    pub fn with_total_timeout(
        options: &ServerOptions,
        total: Duration,
    ) -> Result<Self, ServerError> {
        let real = Limits::default();
        let scaled = |time: Duration| time.mul_f64(total.as_secs_f64() / real.total.as_secs_f64());
        Self::with_limits(
            options,
            Limits {
                total,
                connect: scaled(real.connect),
                pause: scaled(real.pause),
            },
        )
    }

    fn with_limits(options: &ServerOptions, limits: Limits) -> Result<Self, ServerError> {
        Ok(Self {
            base: Base::parse(&options.url)?,
            credentials: options
                .credentials_file
                .as_deref()
                .map(Credentials::load)
                .transpose()?,
            transport: Transport::new(
                options.ca_file.clone(),
                options.proxy.as_ref(),
                limits.connect,
            )?,
            limits,
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
        let etag = kept.and_then(|kept| kept.etag.as_deref());
        let reply = self.fetch(url, etag, now).await?;
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

    /// Asks, and asks again where that may help, all within the total time.
    async fn fetch(
        &self,
        url: &Url,
        etag: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Reply, ServerError> {
        let started = Instant::now();
        let deadline = started + self.limits.total;
        let mut before = None;
        for attempt in 0.. {
            let Ok(outcome) = timeout_at(deadline, self.follow(url, etag)).await else {
                return Err(ServerError::timed_out(
                    url,
                    self.limits.total,
                    before.as_ref(),
                ));
            };
            let asked_to_wait = match &outcome {
                Ok(reply) => retry_after(&reply.headers, now, started.elapsed()),
                Err(_) => None,
            };
            let outcome = outcome.and_then(|reply| {
                let retry_at = asked_to_wait.and_then(|wait| {
                    now.checked_add_signed(
                        TimeDelta::from_std(started.elapsed().checked_add(wait)?).ok()?,
                    )
                });
                let error = ServerError::Status {
                    url: shown(url),
                    status: reply.status.as_u16(),
                    retry_at,
                };
                if error.may_pass() {
                    Err(error)
                } else {
                    Ok(reply)
                }
            });
            let error = match outcome {
                Err(error) if error.may_pass() => error,
                settled => return settled,
            };
            let pause = self.pause(attempt).max(asked_to_wait.unwrap_or_default());
            if attempt == RETRIES || pause >= deadline.saturating_duration_since(Instant::now()) {
                return Err(error);
            }
            tracing::debug!(%error, ?pause, "asking the version server again");
            sleep(pause).await;
            before = Some(error);
        }
        unreachable!("the loop ends at the last retry")
    }

    /// Follows redirects, from https to https alone.
    async fn follow(&self, start: &Url, etag: Option<&str>) -> Result<Reply, ServerError> {
        let mut url = start.clone();
        for _ in 0..=MAX_REDIRECTS {
            let mut request = self
                .transport
                .client_for(&url)?
                .get(url.clone())
                .header(ACCEPT_ENCODING, "identity");
            if let Some(etag) = etag {
                request = request.header(IF_NONE_MATCH, etag);
            }
            if let (Some(credentials), Base::Http(base)) = (&self.credentials, &self.base) {
                if url.origin() == base.origin() {
                    request = credentials.apply(request);
                }
            }
            let response = request
                .send()
                .await
                .map_err(|error| ServerError::from_transport(&url, &error))?;
            match redirect_target(&url, &response)? {
                Some(next) => url = next,
                None => return read_to_end(&url, response).await,
            }
        }
        Err(ServerError::Redirect {
            url: shown(start),
            reason: format!("more than {MAX_REDIRECTS} redirects"),
        })
    }

    /// Between half and all of 0.6 s, then of 1.8 s, so that a fleet does not come back in step.
    fn pause(&self, attempt: u32) -> Duration {
        // The standard library seeds every hasher's state at random; that is all the randomness jitter needs.
        let random = RandomState::new().build_hasher().finish() % 1024;
        let most = self.limits.pause * 3_u32.pow(attempt);
        most / 2 + most / 2 * u32::try_from(random).unwrap_or_default() / 1024
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

/// The next address, if the answer is a redirect that may be followed.
fn redirect_target(url: &Url, response: &Response) -> Result<Option<Url>, ServerError> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let refused = |reason: String| {
        Err(ServerError::Redirect {
            url: shown(url),
            reason,
        })
    };
    let location =
        text_of(response.headers(), &LOCATION).and_then(|location| url.join(location).ok());
    let Some(next) = location else {
        return refused("redirects to no readable address".into());
    };
    if url.scheme() != "https" || next.scheme() != "https" {
        return refused(format!(
            "redirects to {}; only redirects from https to https are followed",
            shown(&next)
        ));
    }
    if !next.username().is_empty() || next.password().is_some() {
        return refused(format!(
            "redirects to {} with credentials of its own",
            shown(&next)
        ));
    }
    Ok(Some(next))
}

/// Reads the body as it comes and stops at the cap.
async fn read_to_end(url: &Url, mut response: Response) -> Result<Reply, ServerError> {
    if let Some(encoding) = response.headers().get(CONTENT_ENCODING) {
        if !encoding.as_bytes().eq_ignore_ascii_case(b"identity") {
            let encoding = excerpt(encoding.as_bytes());
            let found = format!(
                "the content encoding is {}",
                encoding.trim_start_matches("the answer ")
            );
            return Err(ServerError::Invalid {
                url: shown(url),
                found,
                expected: "plain text",
            });
        }
    }
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| ServerError::from_transport(url, &error))?
    {
        if body.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(ServerError::TooLarge {
                url: shown(url),
                limit: MAX_BODY_BYTES,
            });
        }
        body.extend_from_slice(&chunk);
    }
    let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
    drop(response);
    // The connection goes back to the pool in a task of its own; without a turn for that task the next question would
    // open a second connection.
    tokio::task::yield_now().await;
    Ok(Reply {
        status,
        headers,
        body,
        over_tls: url.scheme() == "https",
    })
}

/// How long the server asks to be left alone: seconds, or until a date by its own clock where it tells it.
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>, elapsed: Duration) -> Option<Duration> {
    let text = text_of(headers, &RETRY_AFTER)?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let until = http_date(headers, &RETRY_AFTER)?;
    let server_now = match http_date(headers, &DATE) {
        Some(date) => date,
        None => now.checked_add_signed(TimeDelta::from_std(elapsed).ok()?)?,
    };
    // A date in the past asks for nothing.
    Some((until - server_now).to_std().unwrap_or_default())
}

fn http_date(headers: &HeaderMap, name: &HeaderName) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text_of(headers, name)?)
        .ok()
        .map(Into::into)
}

fn text_of<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
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
    let url =
        Url::from_file_path(&path).map_or_else(|()| path.display().to_string(), |url| shown(&url));
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
            Some(value) => return Ok(answer(value)),
            None => {
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
