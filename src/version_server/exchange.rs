use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, DATE, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH,
    LOCATION, RETRY_AFTER,
};
use reqwest::tls::TlsInfo;
use reqwest::{Response, StatusCode, Url};
use tokio::time::{Instant, sleep, timeout_at};

use super::credentials::Credentials;
use super::error::{excerpt, shown};
use super::transport::Transport;
use super::{ServerError, ServerOptions};

/// The most that is read of any answer.
pub const MAX_BODY_BYTES: usize = 64 * 1024;
/// The time for one question, with all its redirects and retries.
pub const TOTAL_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a question is repeated when the fault may pass.
pub const RETRIES: u32 = 2;

const MAX_REDIRECTS: usize = 5;

/// The times of one question.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    total: Duration,
    connect: Duration,
    pause: Duration,
}

impl Limits {
    pub(super) fn within(total: Duration) -> Self {
        Self {
            total,
            // 6 s of 10, name resolution included: the resolver asks its second server only after 5 s, so less would
            // leave a host with one dead name server unable to ask anything.
            connect: total * 6 / 10,
            // 0.6 s at most before the first retry, three times as long before the second.
            pause: total * 6 / 100,
        }
    }
}

/// One question over HTTP: redirects, retries, and the limits of time and size.
pub(super) struct Exchange {
    credentials: Option<Credentials>,
    /// The base; nobody of another origin sees the credentials.
    origin: Option<Url>,
    transport: Transport,
    limits: Limits,
}

/// One HTTP answer, read to its end.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) over_tls: bool,
}

impl Exchange {
    pub(super) fn new(
        options: &ServerOptions,
        origin: Option<Url>,
        limits: Limits,
    ) -> Result<Self, ServerError> {
        Ok(Self {
            credentials: options
                .credentials_file
                .as_deref()
                .map(Credentials::load)
                .transpose()?,
            origin,
            transport: Transport::new(
                options.ca_file.clone(),
                options.proxy.as_ref(),
                limits.connect,
            )?,
            limits,
        })
    }

    /// Asks, and asks again where that may help, all within the total time.
    pub(super) async fn fetch(
        &self,
        url: &Url,
        etag: Option<&HeaderValue>,
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
    async fn follow(&self, start: &Url, etag: Option<&HeaderValue>) -> Result<Reply, ServerError> {
        let mut url = start.clone();
        for _ in 0..=MAX_REDIRECTS {
            let mut request = self
                .transport
                .client_for(&url)?
                .get(url.clone())
                .header(ACCEPT_ENCODING, "identity");
            if let Some(etag) = etag {
                request = request.header(IF_NONE_MATCH, etag.clone());
            }
            if let Some(credentials) = &self.credentials {
                if self
                    .origin
                    .as_ref()
                    .is_some_and(|home| home.origin() == url.origin())
                {
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

    /// The certificate with which the server at a URL shows itself, in DER. One question, no redirects.
    pub(super) async fn peer_certificate(&self, url: &Url) -> Result<Vec<u8>, String> {
        let asked = async {
            let client = self.transport.client_for(url).map_err(|e| e.to_string())?;
            let mut request = client.get(url.clone());
            if let Some(credentials) = &self.credentials {
                request = credentials.apply(request);
            }
            let response = request
                .send()
                .await
                .map_err(|error| ServerError::from_transport(url, &error).to_string())?;
            let info = response.extensions().get::<TlsInfo>();
            info.and_then(TlsInfo::peer_certificate)
                .map(<[u8]>::to_vec)
                .ok_or_else(|| "the connection does not tell its certificate".to_owned())
        };
        timeout_at(Instant::now() + self.limits.total, asked)
            .await
            .unwrap_or_else(|_| Err("the server does not answer in time".to_owned()))
    }

    /// Between half and all of 0.6 s, then of 1.8 s, so that a fleet does not come back in step.
    fn pause(&self, attempt: u32) -> Duration {
        // The standard library seeds every hasher's state at random; that is all the randomness jitter needs.
        let random = RandomState::new().build_hasher().finish() % 1024;
        let most = self.limits.pause * 3_u32.pow(attempt);
        most / 2 + most / 2 * u32::try_from(random).unwrap_or_default() / 1024
    }
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

pub(super) fn http_date(headers: &HeaderMap, name: &HeaderName) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text_of(headers, name)?)
        .ok()
        .map(Into::into)
}

pub(super) fn text_of<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
