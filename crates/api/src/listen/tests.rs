//! Listeners, asked over real sockets on loopback.

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Extension;
use axum::routing::{get, post};
use futures::StreamExt as _;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use super::*;

/// Longer than anything here takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(20);
const REQUEST: &[u8] = b"GET /peer HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A server over one listener.
struct Running {
    addr: Option<SocketAddr>,
    draining: watch::Sender<bool>,
    connections: Arc<Connections>,
    events: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<Drained>,
}

impl Running {
    fn start(listener: Listener, router: Router, limits: Limits) -> Self {
        let (draining, watching) = watch::channel(false);
        let connections = Arc::new(Connections::default());
        let events: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = Arc::clone(&events);
        let serving = Serving {
            router,
            draining: watching,
            limits,
            connections: Arc::clone(&connections),
            report: Arc::new(move |event| log.lock().push(event.to_string())),
        };
        let addr = listener.local_addr();
        let task = tokio::spawn(serve(vec![listener], serving));
        Self { addr, draining, connections, events, task }
    }

    fn plain(limits: Limits) -> Self {
        Self::start(Listener::tcp(any()).unwrap(), router(), limits)
    }

    fn addr(&self) -> SocketAddr {
        self.addr.unwrap()
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.addr()).await.unwrap()
    }

    async fn stop(self) -> Drained {
        self.draining.send(true).unwrap();
        within(self.task).await.unwrap()
    }

    fn heard(&self, words: &str) -> bool {
        self.events.lock().iter().any(|event| event.contains(words))
    }
}

fn any() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn router() -> Router {
    Router::new()
        .route("/peer", get(|Extension(peer): Extension<Peer>| async move { format!("{peer:?}") }))
        .route("/echo", post(|body: Bytes| async move { format!("{} bytes", body.len()) }))
        .route("/slow-stream", get(|| async { Body::from_stream(pieces(5, Duration::from_millis(100))) }))
        .route("/endless", get(|| async { Body::from_stream(pieces(usize::MAX, Duration::ZERO)) }))
        .route("/never", get(std::future::pending::<&str>))
}

fn pieces(count: usize, pause: Duration) -> impl futures::Stream<Item = Result<Bytes, axum::Error>> {
    futures::stream::iter(0..count).then(move |_| async move {
        tokio::time::sleep(pause).await;
        Ok(Bytes::from_static(&[b'x'; 16_384]))
    })
}

async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("it took too long")
}

/// Waits until `condition` holds.
async fn until(mut condition: impl FnMut() -> bool) {
    within(async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// Everything the server sends until it hangs up; an abrupt end counts as one too.
async fn rest(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut read = Vec::new();
    let _ = within(stream.read_to_end(&mut read)).await;
    String::from_utf8_lossy(&read).into_owned()
}

/// Reads one answer that has a content length, and leaves the connection open.
async fn one_answer(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut read = Vec::new();
    within(async {
        loop {
            let mut byte = [0];
            assert_eq!(
                stream.read(&mut byte).await.unwrap(),
                1,
                "cut off after {:?}",
                String::from_utf8_lossy(&read)
            );
            read.push(byte[0]);
            let text = String::from_utf8_lossy(&read).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                if body.len() == length.parse::<usize>().unwrap() {
                    return text;
                }
            }
        }
    })
    .await
}

async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), request: &[u8]) -> String {
    stream.write_all(request).await.unwrap();
    one_answer(stream).await
}

fn quick() -> Limits {
    Limits { header_read: Duration::from_millis(200), ..Limits::default() }
}

#[tokio::test]
async fn a_request_knows_its_peer_and_connections_are_counted() {
    let server = Running::plain(Limits::default());
    let mut stream = server.connect().await;
    let answer = ask(&mut stream, REQUEST).await;
    let expected = format!("{:?}", Peer::Tcp { addr: stream.local_addr().unwrap(), tls: false });
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with(&expected), "{answer}");
    assert_eq!((server.connections.open(), server.connections.accepted()), (1, 1));
    drop(stream);
    let connections = Arc::clone(&server.connections);
    until(|| connections.open() == 0).await;
    assert_eq!(server.stop().await, Drained { cut: 0 });
}

#[tokio::test]
async fn a_head_that_does_not_come_in_time_ends_the_connection() {
    for (what, start, trickle) in [
        ("silence", &b""[..], &b""[..]),
        ("half a request", b"GET /peer HTTP/1.1\r\nHost: lo", b""),
        ("a header at a time", b"GET /peer HTTP/1.1\r\n", b"X-A: b\r\n"),
        ("half a preface of HTTP/2", b"PRI * HTTP/2.0\r\n", b""),
    ] {
        let server = Running::plain(quick());
        let began = Instant::now();
        let mut stream = server.connect().await;
        stream.write_all(start).await.unwrap();
        let (mut reading, mut writing) = stream.into_split();
        let trickling = tokio::spawn(async move {
            while !trickle.is_empty() && writing.write_all(trickle).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            std::future::pending::<()>().await;
        });
        let answer = rest(&mut reading).await;
        trickling.abort();
        assert!(!answer.contains("200 OK"), "{what}: {answer}");
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(190) && took < Duration::from_secs(5), "{what}: {took:?}");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_connection_may_rest_longer_than_a_head_may_take_but_not_for_ever() {
    let limits = Limits { keep_alive_idle: Duration::from_millis(800), ..quick() };
    let server = Running::plain(limits);
    let mut stream = server.connect().await;
    for _ in 0..3 {
        assert!(ask(&mut stream, REQUEST).await.contains("200 OK"));
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    // The second and third heads had their own time, too.
    stream.write_all(b"GET /pe").await.unwrap();
    let began = Instant::now();
    assert!(!rest(&mut stream).await.contains("200 OK"));
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());

    let mut resting = server.connect().await;
    ask(&mut resting, REQUEST).await;
    let began = Instant::now();
    assert_eq!(rest(&mut resting).await, "");
    assert!(began.elapsed() >= Duration::from_millis(700), "{:?}", began.elapsed());
    server.stop().await;
}

#[tokio::test]
async fn an_answer_may_take_longer_than_any_silence() {
    let limits = Limits { keep_alive_idle: Duration::from_millis(50), ..quick() };
    let server = Running::plain(limits);
    let url = format!("http://{}/slow-stream", server.addr());
    let body = within(client().get(url).send()).await.unwrap().bytes().await.unwrap();
    assert_eq!(body.len(), 5 * 16_384);
    server.stop().await;
}

#[tokio::test]
async fn a_body_that_stalls_or_is_too_long_is_refused() {
    let limits = Limits { body_stall: Duration::from_millis(200), body_bytes: 1_000, ..Limits::default() };
    let server = Running::plain(limits);
    let post =
        |length: usize| format!("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n");
    for (length, sent, expected) in
        [(1_000, 1_000, "1000 bytes"), (1_000, 3, "400 Bad"), (1_001, 1_001, "400 Bad")]
    {
        let mut stream = server.connect().await;
        stream.write_all(post(length).as_bytes()).await.unwrap();
        stream.write_all(&vec![b'x'; sent]).await.unwrap();
        let answer = one_answer(&mut stream).await;
        assert!(answer.contains(expected), "{length} {sent}: {answer}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused() {
    let limits = Limits { header_bytes: 8_192, ..Limits::default() };
    let server = Running::plain(limits);
    for (request, expected) in [
        (format!("GET /peer HTTP/1.1\r\nHost: localhost\r\nX-A: {}\r\n\r\n", "a".repeat(7_000)), "200 OK"),
        (format!("GET /peer HTTP/1.1\r\nHost: localhost\r\nX-A: {}\r\n\r\n", "a".repeat(9_000)), "431 "),
        (
            format!("GET /peer HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X-A: b\r\n".repeat(MAX_HEADERS)),
            "431 ",
        ),
    ] {
        let mut stream = server.connect().await;
        assert!(ask(&mut stream, request.as_bytes()).await.contains(expected), "{expected}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_peer_that_reads_nothing_is_given_up() {
    let limits = Limits { write_stall: Duration::from_millis(300), ..Limits::default() };
    let server = Running::plain(limits);
    let mut stream = server.connect().await;
    stream.write_all(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let connections = Arc::clone(&server.connections);
    until(|| connections.accepted() == 1).await;
    until(|| connections.open() == 0).await;
    server.stop().await;
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    let server = Running::plain(Limits { connections: 2, ..Limits::default() });
    let (mut one, mut two) = (server.connect().await, server.connect().await);
    assert!(ask(&mut one, REQUEST).await.contains("200 OK"));
    assert!(ask(&mut two, REQUEST).await.contains("200 OK"));
    for _ in 0..3 {
        let mut more = server.connect().await;
        let answer = ask(&mut more, REQUEST).await;
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 1"), "{answer}");
        assert!(answer.ends_with("all connections it may have\n"), "{answer}");
    }
    assert_eq!(server.connections.turned_away(), 3);
    assert_eq!(server.events.lock().len(), 1, "said once");
    assert!(server.heard("has 2 connections"));
    drop(one);
    let connections = Arc::clone(&server.connections);
    until(|| connections.open() == 1).await;
    assert!(ask(&mut server.connect().await, REQUEST).await.contains("200 OK"));
    server.stop().await;
}

// --- TLS ---

fn client() -> reqwest::Client {
    install_provider();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// A client that trusts only this certificate.
fn trusting(pair: &PemPair) -> reqwest::Client {
    install_provider();
    let certificate = reqwest::Certificate::from_pem(pair.certificate.as_bytes()).unwrap();
    reqwest::Client::builder().no_proxy().tls_certs_only([certificate]).build().unwrap()
}

fn install_provider() {
    // reqwest is built without one of its own.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn pair() -> PemPair {
    self_signed(&["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap()
}

#[tokio::test]
async fn tls_is_spoken_and_the_peer_says_so() {
    let pair = pair();
    let listener = Listener::tls(any(), Certificates::from_pem(&pair).unwrap()).unwrap();
    assert!(listener.url().starts_with("https://127.0.0.1:"), "{}", listener.url());
    let server = Running::start(listener, router(), Limits::default());
    let url = format!("https://{}/peer", server.addr());
    let answer = within(trusting(&pair).get(&url).send()).await.unwrap().text().await.unwrap();
    assert!(answer.contains("tls: true"), "{answer}");
    let stranger = within(trusting(&self::pair()).get(&url).send()).await;
    assert!(stranger.is_err(), "a client that trusts another certificate");
    let connections = Arc::clone(&server.connections);
    until(|| connections.failed_handshakes() == 1).await;
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_tls_on_a_tls_port_is_told_so_or_timed_out() {
    let listener = Listener::tls(any(), Certificates::from_pem(&pair()).unwrap()).unwrap();
    let limits = Limits { handshake: Duration::from_millis(200), ..Limits::default() };
    let server = Running::start(listener, router(), limits);
    let mut plain = server.connect().await;
    plain.write_all(REQUEST).await.unwrap();
    let answer = one_answer(&mut plain).await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.ends_with("use an https:// address\n"), "{answer}");
    for start in [&b""[..], &[22, 3, 1]] {
        let mut silent = server.connect().await;
        silent.write_all(start).await.unwrap();
        assert_eq!(rest(&mut silent).await, "");
    }
    server.stop().await;
}

#[tokio::test]
async fn draining_does_not_wait_for_a_handshake() {
    let listener = Listener::tls(any(), Certificates::from_pem(&pair()).unwrap()).unwrap();
    let server = Running::start(listener, router(), Limits::default());
    let _silent = server.connect().await;
    let connections = Arc::clone(&server.connections);
    until(|| connections.open() == 1).await;
    let began = Instant::now();
    assert_eq!(server.stop().await, Drained { cut: 0 });
    assert!(began.elapsed() < DRAIN, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_renewed_certificate_is_served_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let write = |pair: &PemPair| {
        for (path, text) in [(&certificate, &pair.certificate), (&key, &pair.key)] {
            let new = path.with_extension("new");
            std::fs::write(&new, text).unwrap();
            std::fs::rename(new, path).unwrap();
        }
    };
    let (first, second) = (pair(), pair());
    write(&first);
    let listener = Listener::tls(any(), Certificates::from_files(&certificate, &key).unwrap()).unwrap();
    let limits = Limits { certificate_check: Duration::from_millis(20), ..Limits::default() };
    let server = Running::start(listener, router(), limits);
    let url = format!("https://{}/peer", server.addr());
    assert!(within(trusting(&first).get(&url).send()).await.is_ok());
    std::fs::write(&certificate, "half wri").unwrap();
    until(|| server.heard("cannot be used, the one before stays")).await;
    assert!(within(trusting(&first).get(&url).send()).await.is_ok());
    write(&second);
    until(|| server.heard("is served from now on")).await;
    assert!(within(trusting(&second).get(&url).send()).await.is_ok());
    assert!(within(trusting(&first).get(&url).send()).await.is_err());
    server.stop().await;
}

#[tokio::test]
async fn http2_is_spoken_in_the_clear_and_rests_no_longer_than_http1() {
    let server = Running::plain(Limits { keep_alive_idle: Duration::from_millis(300), ..quick() });
    let stream = hyper_util::rt::TokioIo::new(server.connect().await);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake::<_, _, Body>(executor, stream).await.unwrap();
    let ended = tokio::spawn(connection);
    let url = format!("http://{}/peer", server.addr());
    for _ in 0..2 {
        let request = axum::http::Request::get(&url).body(Body::empty()).unwrap();
        let response = within(sender.send_request(request)).await.unwrap();
        assert_eq!(response.version(), axum::http::Version::HTTP_2);
        let body = axum::body::to_bytes(Body::new(response.into_body()), 1_000).await.unwrap();
        assert!(body.starts_with(b"Tcp"), "{body:?}");
    }
    let began = Instant::now();
    within(ended).await.unwrap().unwrap();
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(200) && took < Duration::from_secs(3), "{took:?}");
    server.stop().await;
}

#[tokio::test]
async fn one_http2_connection_has_so_many_requests_answered_at_once() {
    let (entered, gate) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let handler = {
        let (entered, gate) = (Arc::clone(&entered), Arc::clone(&gate));
        move || async move {
            entered.add_permits(1);
            gate.acquire().await.unwrap().forget();
        }
    };
    let router = Router::new().route("/peer", get(handler));
    let server = Running::start(Listener::tcp(any()).unwrap(), router, Limits::default());
    let stream = hyper_util::rt::TokioIo::new(server.connect().await);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (sender, connection) =
        hyper::client::conn::http2::handshake::<_, _, Body>(executor, stream).await.unwrap();
    tokio::spawn(connection);
    let url = format!("http://{}/peer", server.addr());
    let (all, some) = (MAX_STREAMS as usize + 50, MAX_STREAMS as usize);
    let requests: Vec<_> = (0..all)
        .map(|_| {
            let (mut sender, request) =
                (sender.clone(), axum::http::Request::get(&url).body(Body::empty()).unwrap());
            tokio::spawn(async move { sender.send_request(request).await.unwrap().status() })
        })
        .collect();
    until(|| entered.available_permits() >= some).await;
    gate.add_permits(1);
    until(|| entered.available_permits() > some).await;
    assert_eq!(entered.available_permits(), some + 1, "one more came when one had been answered");
    gate.add_permits(all - 1);
    for request in requests {
        assert_eq!(within(request).await.unwrap(), 200);
    }
    server.stop().await;
}

// --- the unix socket ---

#[tokio::test]
async fn a_local_peer_is_known_by_the_kernel() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mainstay.sock");
    let listener = Listener::unix(&path, SocketAccess::Owner).unwrap();
    assert_eq!(listener.url(), format!("unix:{}", path.display()));
    let server = Running::start(listener, router(), Limits::default());
    let mut stream = UnixStream::connect(&path).await.unwrap();
    let answer = ask(&mut stream, REQUEST).await;
    let me = uid(&path);
    let expected = format!("{:?}", Peer::Local { uid: me, pid: i32::try_from(std::process::id()).ok() });
    assert!(answer.ends_with(&expected), "{answer}");
    let error = Listener::unix(&path, SocketAccess::Owner).unwrap_err();
    assert!(error.to_string().contains("another process is listening"), "{error}");
    server.stop().await;
    assert!(!path.exists());
}

fn uid(file: &Path) -> u32 {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::symlink_metadata(file).unwrap().uid()
}

// --- starting and stopping ---

#[tokio::test]
async fn a_port_in_use_names_who_uses_it() {
    let first = Listener::tcp(any()).unwrap();
    let addr = first.local_addr().unwrap();
    let error = Listener::tcp(addr).unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot listen on {addr}: ")), "{error}");
    assert!(
        error.contains(&format!("(process {}) is listening there already", std::process::id())),
        "{error}"
    );
    assert!(error.ends_with("choose another port with --listen"), "{error}");
    drop(first);
    assert!(Listener::tcp(addr).is_ok(), "free again");
    let error = Listener::tcp("192.0.2.1:0".parse().unwrap()).unwrap_err();
    assert!(error.to_string().contains("no address 192.0.2.1"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn draining_finishes_what_is_being_answered_and_takes_no_more() {
    const CLIENTS: u32 = 40;
    let (entered, gate) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let handler = {
        let (entered, gate) = (Arc::clone(&entered), Arc::clone(&gate));
        move || async move {
            entered.add_permits(1);
            gate.acquire().await.unwrap().forget();
            "x".repeat(100_000)
        }
    };
    let router = Router::new().route("/peer", get(handler));
    let server = Running::start(Listener::tcp(any()).unwrap(), router, Limits::default());
    let addr = server.addr();
    let mut resting = server.connect().await;
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            tokio::spawn(async move {
                let mut stream = TcpStream::connect(addr).await.unwrap();
                stream.write_all(REQUEST).await.unwrap();
                rest(&mut stream).await
            })
        })
        .collect();
    within(entered.acquire_many(CLIENTS)).await.unwrap().forget();
    server.draining.send(true).unwrap();
    assert_eq!(rest(&mut resting).await, "", "a connection at rest ends at once");
    within(async {
        while TcpStream::connect(addr).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert!(!server.task.is_finished());
    gate.add_permits(CLIENTS as usize);
    for client in clients {
        let answer = within(client).await.unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with(&"x".repeat(100_000)),
            "{answer:.80}"
        );
    }
    assert_eq!(within(server.task).await.unwrap(), Drained { cut: 0 });
}

#[tokio::test]
async fn draining_ends_in_time_whatever_handlers_and_peers_do() {
    let server = Running::plain(Limits { drain: Duration::from_millis(300), ..Limits::default() });
    let (mut never, mut endless) = (server.connect().await, server.connect().await);
    never.write_all(b"GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    endless.write_all(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut some = [0; 100];
    endless.read_exact(&mut some).await.unwrap();
    let connections = Arc::clone(&server.connections);
    until(|| connections.open() == 2).await;
    let began = Instant::now();
    assert_eq!(server.stop().await, Drained { cut: 2 });
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(rest(&mut never).await, "");
}
