use std::convert::Infallible;
use std::future::Future;
use std::hash::{DefaultHasher, Hasher as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, SubsecRound as _, Utc};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    LAST_MODIFIED,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::channel::{RESOURCES, read_capped};

/// More connections than this wait for their turn; the server is for trials, tests and small fleets.
const MAX_CONNECTIONS: usize = 256;
/// A client that says nothing for so long is sent away, before, between and within requests.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long open connections may go on after the shutdown was asked for.
const FAREWELL: Duration = Duration::from_secs(2);

/// The PEM files with which the server proves who it is.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate and those between it and its authority.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// The embedded version server: serves the channels of a folder, read anew for every request.
///
/// `version`, `critical` and `schedule` of the folder and of its sub-folders are all that is ever served; a link
/// that leads out of the folder is not.
pub struct Embedded {
    folder: Arc<Path>,
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
}

impl Embedded {
    /// Takes the port; port 0 takes any free one.
    pub async fn bind(
        folder: &Path,
        listen: SocketAddr,
        tls: Option<&TlsFiles>,
    ) -> anyhow::Result<Self> {
        let folder = folder
            .canonicalize()
            .with_context(|| format!("opening channel folder {}", folder.display()))?;
        anyhow::ensure!(folder.is_dir(), "{} is not a folder", folder.display());
        let tls = tls.map(acceptor).transpose()?;
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("listening on {listen}"))?;
        let address = listener
            .local_addr()
            .context("reading the address listened on")?;
        if tls.is_none() && !address.ip().is_loopback() {
            tracing::warn!(%address, "serving without TLS beyond this host; agents only accept https from elsewhere");
        }
        Ok(Self {
            folder: folder.into(),
            listener,
            address,
            tls,
        })
    }

    /// The base URL of the folder's own channel.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Serves until `shutdown` is ready, and lets answers that are under way end.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let graceful = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                accepted = accept(&self.listener, &places) => accepted,
                () = &mut shutdown => break,
            };
            let Some((stream, peer, place)) = accepted else {
                continue;
            };
            let (folder, tls, watcher) = (
                Arc::clone(&self.folder),
                self.tls.clone(),
                graceful.watcher(),
            );
            tokio::spawn(async move {
                let _place = place;
                let result = match tls {
                    None => converse(folder, stream, peer, watcher).await,
                    Some(tls) => match timeout(PATIENCE, tls.accept(stream)).await {
                        Ok(Ok(stream)) => converse(folder, stream, peer, watcher).await,
                        Ok(Err(error)) => Err(error.to_string()),
                        Err(_) => Err("no TLS handshake".to_owned()),
                    },
                };
                if let Err(error) = result {
                    tracing::debug!(%peer, %error, "connection ended early");
                }
            });
        }
        drop(self.listener);
        // Whoever is still busy after this is cut off by the end of the process.
        let _ = timeout(FAREWELL, graceful.shutdown()).await;
    }
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Embedded")
            .field("folder", &self.folder)
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}

fn acceptor(files: &TlsFiles) -> anyhow::Result<TlsAcceptor> {
    let (certificate, key) = (&files.certificate, &files.key);
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("reading certificate {}", certificate.display()))?;
    let key = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("reading key {}", key.display()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .with_context(|| format!("using certificate {}", certificate.display()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// The next connection with its place, or nothing when accepting failed for a moment.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => {
            // A client that is still acknowledging the last answer need not wait for the next one.
            let _ = stream.set_nodelay(true);
            Some((stream, peer, place))
        }
        Err(error) => {
            // Out of file descriptors, most likely: do not spin.
            tracing::warn!(%error, "cannot accept a connection");
            sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

/// All requests of one connection.
async fn converse<S>(
    folder: Arc<Path>,
    stream: S,
    peer: SocketAddr,
    watcher: hyper_util::server::graceful::Watcher,
) -> Result<(), String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let response = respond(&folder, &request);
        tracing::info!(
            %peer,
            method = %request.method(),
            path = request.uri().path(),
            status = response.status().as_u16(),
            "answered"
        );
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service);
    watcher
        .watch(connection)
        .await
        .map_err(|error| error.to_string())
}

fn respond<B>(folder: &Path, request: &Request<B>) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        response
            .headers_mut()
            .insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let Some(path) = resolve(folder, request.uri().path()) else {
        return plain(StatusCode::NOT_FOUND, "no such resource\n");
    };
    let read = || -> std::io::Result<(Vec<u8>, DateTime<Utc>)> {
        let modified = std::fs::metadata(&path)?.modified()?;
        Ok((read_capped(&path)?, modified.into()))
    };
    match read() {
        Ok((body, modified)) => answer(request.headers(), body, modified),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "cannot serve");
            plain(StatusCode::INTERNAL_SERVER_ERROR, "cannot be read\n")
        }
    }
}

/// The file for a request's path, if it is a resource of a channel inside the folder. The path is taken as it is:
/// names of channels need no percent-encoding, so anything encoded names nothing.
fn resolve(folder: &Path, path: &str) -> Option<PathBuf> {
    let path = path.strip_prefix('/')?;
    let (channel, resource) = match path.rsplit_once('/') {
        Some((channel, resource)) => (Some(channel), resource),
        None => (None, path),
    };
    let names_ok = channel.is_none_or(|channel| channel.split('/').all(is_channel_name));
    if !RESOURCES.contains(&resource) || !names_ok {
        return None;
    }
    let found = folder.join(path).canonicalize().ok()?;
    (found.starts_with(folder) && found.is_file()).then_some(found)
}

fn is_channel_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

fn answer(asked: &HeaderMap, body: Vec<u8>, modified: DateTime<Utc>) -> Response<Full<Bytes>> {
    let mut hasher = DefaultHasher::new();
    hasher.write(&body);
    let etag = format!("\"{:016x}\"", hasher.finish());
    let unchanged = is_unchanged(asked, &etag, modified);
    let (status, body) = if unchanged {
        (StatusCode::NOT_MODIFIED, Bytes::new())
    } else {
        (StatusCode::OK, Bytes::from(body))
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = [
        (CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        // A publisher expects a change to be seen at the next question.
        (CACHE_CONTROL, "no-cache".to_owned()),
        (ETAG, etag),
        (
            LAST_MODIFIED,
            modified.format("%a, %d %b %Y %H:%M:%S GMT").to_string(),
        ),
    ];
    for (name, value) in headers {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// `If-Modified-Since` counts only where the client knows no name of the answer.
fn is_unchanged(asked: &HeaderMap, etag: &str, modified: DateTime<Utc>) -> bool {
    let text = |name| asked.get(name).and_then(|value| value.to_str().ok());
    if let Some(known) = text(IF_NONE_MATCH) {
        return known
            .split(',')
            .map(str::trim)
            .any(|known| known == "*" || known.trim_start_matches("W/") == etag);
    }
    text(IF_MODIFIED_SINCE)
        .and_then(|since| DateTime::parse_from_rfc2822(since).ok())
        .is_some_and(|since| modified.trunc_subsecs(0) <= since)
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_resources_inside_the_folder_are_found() {
        let scratch = tempfile::tempdir().unwrap();
        let outside = scratch.path().join("outside");
        let folder = scratch.path().join("folder");
        for path in [
            &outside,
            &folder.join("stable/cloud"),
            &folder.join(".hidden"),
            &folder.join("critical"),
        ] {
            std::fs::create_dir_all(path).unwrap();
        }
        for path in [
            "outside/version",
            "folder/version",
            "folder/stable/cloud/version",
            "folder/.hidden/version",
            "folder/secret",
        ] {
            std::fs::write(scratch.path().join(path), "1.2.3").unwrap();
        }
        std::os::unix::fs::symlink("stable/cloud", folder.join("default")).unwrap();
        std::os::unix::fs::symlink(&outside, folder.join("leak")).unwrap();
        let folder = folder.canonicalize().unwrap();
        for found in ["/version", "/stable/cloud/version", "/default/version"] {
            assert!(resolve(&folder, found).is_some(), "{found}");
        }
        for lost in [
            "",
            "/",
            "version",
            "/secret",
            "/critical",
            "/schedule",
            "/stable",
            "/stable/",
            "/stable/cloud",
            "//version",
            "/../outside/version",
            "/stable/../version",
            "/stable/%2e%2e/version",
            "/%2e%2e/outside/version",
            "/./version",
            "/.hidden/version",
            "/leak/version",
            "/stable/cloud/version/",
            "/version\0",
            "/stable\\cloud/version",
        ] {
            assert_eq!(resolve(&folder, lost), None, "{lost}");
        }
    }

    #[test]
    fn conditional_requests() {
        let modified = DateTime::parse_from_rfc3339("2026-03-07T02:00:00.5Z")
            .unwrap()
            .to_utc();
        for (name, value, unchanged) in [
            (IF_NONE_MATCH, "\"a\"", true),
            (IF_NONE_MATCH, "W/\"a\"", true),
            (IF_NONE_MATCH, "\"b\", \"a\"", true),
            (IF_NONE_MATCH, "*", true),
            (IF_NONE_MATCH, "\"b\"", false),
            (IF_MODIFIED_SINCE, "Sat, 07 Mar 2026 02:00:00 GMT", true),
            (IF_MODIFIED_SINCE, "Sat, 07 Mar 2026 01:59:59 GMT", false),
            (IF_MODIFIED_SINCE, "yesterday", false),
        ] {
            let asked = HeaderMap::from_iter([(name.clone(), value.parse().unwrap())]);
            assert_eq!(
                is_unchanged(&asked, "\"a\"", modified),
                unchanged,
                "{name}: {value}"
            );
        }
    }
}
