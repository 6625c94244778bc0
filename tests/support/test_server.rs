//! An HTTP server on loopback that keeps a diary and behaves as badly as it is told.
//!
//! It writes its bytes itself instead of through an HTTP library, so that it can drip, lie, stop in the middle and never
//! end. It runs in a thread of its own; tests may block or not, as they like.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::certificates::Leaf;

/// What the server does at one path.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    delay: Duration,
    manner: Manner,
}

/// How the body is sent.
#[derive(Clone, Copy, Debug)]
enum Manner {
    Whole,
    /// One byte at a time with a pause after each.
    Drip(Duration),
    /// The body again and again, in chunks, until the client has enough.
    Endless,
    /// A promise of one byte more than is sent.
    CutShort,
    /// The connection is closed without a word.
    Silent,
}

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub method: String,
    pub target: String,
    headers: Vec<(String, String)>,
}

#[derive(Default)]
struct Shared {
    replies: Mutex<HashMap<String, VecDeque<Reply>>>,
    diary: Mutex<Vec<Recorded>>,
    connections: AtomicUsize,
    /// Where `CONNECT` leads, whatever host it names.
    tunnel_to: Mutex<Option<SocketAddr>>,
}

pub struct TestServer {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Reply {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
            delay: Duration::ZERO,
            manner: Manner::Whole,
        }
    }

    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::new(200, body)
    }

    pub fn redirect(location: &str) -> Self {
        Self::new(302, "moved\n").header("Location", location)
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// With an `ETag`; who asks with the same one gets a 304.
    pub fn etag(self, etag: &str) -> Self {
        self.header("ETag", etag)
    }

    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    pub fn drip(mut self, pause: Duration) -> Self {
        self.manner = Manner::Drip(pause);
        self
    }

    pub fn endless(mut self) -> Self {
        self.manner = Manner::Endless;
        self
    }

    pub fn cut_short(mut self) -> Self {
        self.manner = Manner::CutShort;
        self
    }

    pub fn silent() -> Self {
        Self {
            manner: Manner::Silent,
            ..Self::ok("")
        }
    }
}

impl Recorded {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

impl TestServer {
    pub fn http() -> Self {
        Self::start(None)
    }

    pub fn https(leaf: &Leaf) -> Self {
        Self::start(Some(leaf))
    }

    /// Serves plain HTTP on a unix socket; the address of such a server means nothing.
    pub fn unix(socket: &Path) -> Self {
        let listener = std::os::unix::net::UnixListener::bind(socket).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self::run(
            ([127, 0, 0, 1], 0).into(),
            "unix",
            move |shared| async move {
                let listener = UnixListener::from_std(listener).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    shared.connections.fetch_add(1, Ordering::SeqCst);
                    tokio::spawn(converse(stream, Arc::clone(&shared)));
                }
            },
        )
    }

    /// Serves plain HTTP on the loopback of another network namespace, such as a laboratory host's.
    pub fn in_namespace(namespace: &Path) -> Self {
        Self::start_on(bind_in(namespace), None)
    }

    /// The same over TLS.
    pub fn https_in_namespace(namespace: &Path, leaf: &Leaf) -> Self {
        Self::start_on(bind_in(namespace), Some(leaf))
    }

    fn start(leaf: Option<&Leaf>) -> Self {
        Self::start_on(std::net::TcpListener::bind("127.0.0.1:0").unwrap(), leaf)
    }

    fn start_on(listener: std::net::TcpListener, leaf: Option<&Leaf>) -> Self {
        let acceptor = leaf.map(Leaf::acceptor);
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if acceptor.is_some() { "https" } else { "http" };
        Self::run(address, scheme, move |shared| async move {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                stream.set_nodelay(true).unwrap();
                let (shared, acceptor) = (Arc::clone(&shared), acceptor.clone());
                tokio::spawn(async move {
                    match acceptor {
                        None => converse(stream, shared).await,
                        // A client that does not trust us hangs up here; that is its right.
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                converse(stream, shared).await;
                            }
                        }
                    }
                });
            }
        })
    }

    fn run<F: Future<Output = ()>>(
        address: SocketAddr,
        scheme: &'static str,
        serve: impl FnOnce(Arc<Shared>) -> F + Send + 'static,
    ) -> Self {
        let shared = Arc::new(Shared::default());
        let (stop, stopped) = oneshot::channel();
        let inner = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = serve(inner) => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            address,
            scheme,
            shared,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT` or https, without a slash at the end.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// The same server under a name: another host to a client, and the way to fit a certificate.
    pub fn url_as(&self, host: &str) -> String {
        format!("{}://{host}:{}", self.scheme, self.address.port())
    }

    /// From now on, this is what the server does at `path`. Paths without a reply are 404.
    pub fn set(&self, path: &str, reply: Reply) {
        self.set_all(path, [reply]);
    }

    /// One after the other; the last one stays.
    pub fn set_all(&self, path: &str, replies: impl IntoIterator<Item = Reply>) {
        self.shared
            .replies
            .lock()
            .unwrap()
            .insert(path.into(), replies.into_iter().collect());
    }

    /// Makes the server a proxy that leads every `CONNECT` to `address`.
    pub fn tunnel_to(&self, address: SocketAddr) {
        *self.shared.tunnel_to.lock().unwrap() = Some(address);
    }

    /// All requests so far, in order.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.diary.lock().unwrap().clone()
    }

    /// The paths of all requests so far, in order.
    pub fn targets(&self) -> Vec<String> {
        self.requests()
            .into_iter()
            .map(|request| request.target)
            .collect()
    }

    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Tears the diary's pages out.
    pub fn forget(&self) {
        self.shared.diary.lock().unwrap().clear();
        self.shared.connections.store(0, Ordering::SeqCst);
    }
}

/// Binds in a thread that moves into the namespace; a socket stays where it was made.
fn bind_in(namespace: &Path) -> std::net::TcpListener {
    let namespace = std::fs::File::open(namespace).unwrap();
    std::thread::spawn(move || {
        use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
        let kind = Some(LinkNameSpaceType::Network);
        move_into_link_name_space(std::os::fd::AsFd::as_fd(&namespace), kind).unwrap();
        std::net::TcpListener::bind("127.0.0.1:0").unwrap()
    })
    .join()
    .unwrap()
}

impl Drop for TestServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// All requests of one connection. Every error means that the client went away.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, shared: Arc<Shared>) {
    while let Some(request) = read_request(&mut stream).await {
        shared.diary.lock().unwrap().push(request.clone());
        if request.method == "CONNECT" {
            let target = *shared.tunnel_to.lock().unwrap();
            if let Some(target) = target {
                tunnel(stream, target).await;
                return;
            }
        }
        let reply = next_reply(&shared, &request);
        if send(&mut stream, &request, &reply).await.is_none() {
            return;
        }
    }
}

fn next_reply(shared: &Shared, request: &Recorded) -> Reply {
    let path = request.target.split('?').next().unwrap();
    let mut replies = shared.replies.lock().unwrap();
    match replies.get_mut(path) {
        None => Reply::new(404, "<html>no such page</html>\n"),
        Some(queue) if queue.len() > 1 => queue.pop_front().unwrap(),
        Some(queue) => queue.front().unwrap().clone(),
    }
}

async fn read_request<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Recorded> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Some(Recorded {
        method,
        target,
        headers,
    })
}

/// `None` when the connection is at its end.
async fn send<S: AsyncWrite + Unpin>(
    stream: &mut S,
    request: &Recorded,
    reply: &Reply,
) -> Option<()> {
    sleep(reply.delay).await;
    let etag = reply
        .headers
        .iter()
        .find(|(name, _)| name == "ETag")
        .map(|(_, value)| value.as_str());
    let unchanged = etag.is_some() && etag == request.header("If-None-Match");
    let (status, body) = if unchanged {
        (304, &[][..])
    } else {
        (reply.status, &reply.body[..])
    };
    let framing = match reply.manner {
        Manner::Silent => return None,
        Manner::Endless => "Transfer-Encoding: chunked
"
        .to_owned(),
        Manner::CutShort => format!(
            "Content-Length: {}
",
            body.len() + 1
        ),
        Manner::Whole | Manner::Drip(_) if matches!(status, 204 | 304) => String::new(),
        Manner::Whole | Manner::Drip(_) => format!(
            "Content-Length: {}
",
            body.len()
        ),
    };
    let headers: Vec<_> = reply
        .headers
        .iter()
        .map(|(name, value)| {
            format!(
                "{name}: {value}
"
            )
        })
        .collect();
    let head = format!(
        "HTTP/1.1 {status} -
{}{framing}
",
        headers.concat()
    );
    stream.write_all(head.as_bytes()).await.ok()?;
    match reply.manner {
        Manner::Drip(pause) => {
            for byte in body {
                stream.write_all(&[*byte]).await.ok()?;
                stream.flush().await.ok()?;
                sleep(pause).await;
            }
        }
        Manner::Endless => loop {
            stream
                .write_all(format!("{:x}\r\n", body.len()).as_bytes())
                .await
                .ok()?;
            stream.write_all(body).await.ok()?;
            stream.write_all(b"\r\n").await.ok()?;
        },
        Manner::Whole | Manner::CutShort | Manner::Silent => stream.write_all(body).await.ok()?,
    }
    stream.flush().await.ok()?;
    (!matches!(reply.manner, Manner::CutShort)).then_some(())
}

async fn tunnel<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, target: SocketAddr) {
    if let Ok(mut onward) = TcpStream::connect(target).await {
        if stream.write_all(b"HTTP/1.1 200 -\r\n\r\n").await.is_ok() {
            let _ = tokio::io::copy_bidirectional(&mut stream, &mut onward).await;
        }
    }
}
