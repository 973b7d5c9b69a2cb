//! Accepting connections, and stopping.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_rustls::TlsAcceptor;

use super::bind::{Listener, Socket};
use super::connection::{self, drained};
use super::tls::{Certificates, TlsError};
use super::{Limits, Peer};

/// What is served, and how.
pub struct Serving {
    /// Answers every request. Requests carry a [`Peer`] extension.
    pub router: Router,
    /// Becomes true when the process is to stop.
    pub draining: watch::Receiver<bool>,
    /// What a listener enforces.
    pub limits: Limits,
    /// Counts, for metrics.
    pub connections: Arc<Connections>,
    /// Told what the operator's log should hold.
    pub report: Arc<dyn Fn(Event) + Send + Sync>,
}

/// How many connections there are and were, on all listeners together.
#[derive(Debug, Default)]
pub struct Connections {
    opened: AtomicU64,
    closed: AtomicU64,
    turned_away: AtomicU64,
    failed_handshakes: AtomicU64,
}

/// How serving ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were still answering when their time was up.
    pub cut: usize,
}

/// Something for the operator's log.
#[derive(Debug)]
pub enum Event {
    /// Another certificate is served.
    CertificateReloaded,
    /// The files changed to something unusable; the certificate before stays.
    CertificateRefused(TlsError),
    /// The system gives us no more connections, usually because the process may not open more files.
    AcceptFailed {
        /// Of which listener.
        place: String,
        /// What the system said.
        error: io::Error,
    },
    /// A listener has as many connections as it may; said again only after it had room.
    Full {
        /// Which.
        place: String,
        /// How many.
        limit: usize,
    },
}

/// What a client reads when the listener is full.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain\r\nretry-after: 1\r\n\
    connection: close\r\ncontent-length: 43\r\n\r\nthe server has all connections it may have\n";
/// What a client reads that speaks plain HTTP to a TLS port.
const WANTS_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\nconnection: close\r\n\
    content-length: 48\r\n\r\nthis port speaks HTTPS: use an https:// address\n";
/// The first byte of a TLS handshake (RFC 8446 §5.1).
const HANDSHAKE_RECORD: u8 = 22;
/// For a peer that is turned away to read why.
const TURN_AWAY: Duration = Duration::from_secs(1);
/// Peers being turned away at once; beyond it they are dropped without a word.
const MAX_TURNING_AWAY: usize = 64;
/// Before accepting again when the system refused.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves on every listener until draining begins, then stops accepting, lets what is being answered finish, and
/// returns: within [`Limits::drain`] in any case. Streams that never end by themselves must watch the same signal.
pub async fn serve(listeners: Vec<Listener>, serving: Serving) -> Drained {
    let serving = Arc::new(Shared {
        router: serving.router,
        draining: serving.draining,
        limits: Arc::new(serving.limits),
        connections: serving.connections,
        report: serving.report,
    });
    let mut running = JoinSet::new();
    for listener in listeners {
        running.spawn(listen(listener, Arc::clone(&serving)));
    }
    let mut cut = 0;
    while let Some(ended) = running.join_next().await {
        cut += ended.unwrap_or_default();
    }
    Drained { cut }
}

struct Shared {
    router: Router,
    draining: watch::Receiver<bool>,
    limits: Arc<Limits>,
    connections: Arc<Connections>,
    report: Arc<dyn Fn(Event) + Send + Sync>,
}

/// A connection that was accepted and may first need a handshake.
enum Accepted {
    Tcp(TcpStream, Peer),
    Tls(TcpStream, Peer, TlsAcceptor),
    Unix(UnixStream, Peer),
}

/// Counts a connection while it lives.
struct Counted(Arc<Connections>);

async fn listen(listener: Listener, shared: Arc<Shared>) -> usize {
    let place = listener.url();
    let acceptor = match listener.tls_acceptor() {
        Ok(acceptor) => acceptor,
        Err(error) => {
            (shared.report)(Event::CertificateRefused(error));
            return 0;
        }
    };
    let mut draining = shared.draining.clone();
    let mut connections = JoinSet::new();
    let mut turning_away = JoinSet::new();
    let mut full = false;
    let mut check = interval(shared.limits.certificate_check);
    check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = drained(&mut draining) => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            Some(_) = turning_away.join_next(), if !turning_away.is_empty() => {}
            _ = check.tick(), if listener.certificates().is_some() => reload(&listener, &shared).await,
            accepted = listener.accept(acceptor.as_ref()) => match accepted {
                Ok(accepted) if connections.len() < shared.limits.connections => {
                    full = false;
                    let counted = Counted::new(&shared.connections);
                    let shared = Arc::clone(&shared);
                    connections.spawn(async move {
                        accepted.serve(&shared).await;
                        drop(counted);
                    });
                }
                Ok(accepted) => {
                    shared.connections.turned_away.fetch_add(1, Ordering::Relaxed);
                    if !full {
                        full = true;
                        let limit = shared.limits.connections;
                        (shared.report)(Event::Full { place: place.clone(), limit });
                    }
                    if turning_away.len() < MAX_TURNING_AWAY {
                        turning_away.spawn(accepted.turn_away());
                    }
                }
                Err(error) if is_peers_fault(&error) => {}
                Err(error) => {
                    (shared.report)(Event::AcceptFailed { place: place.clone(), error });
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    // From here on the port is free for who comes after us.
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    match timeout(shared.limits.drain, all).await {
        Ok(()) => 0,
        Err(_) => connections.len(),
    }
}

async fn reload(listener: &Listener, shared: &Shared) {
    let Some(certificates) = listener.certificates().cloned() else { return };
    // Reading files blocks; it is off the runtime's threads.
    match tokio::task::spawn_blocking(move || certificates.reload()).await {
        Ok(Ok(true)) => (shared.report)(Event::CertificateReloaded),
        Ok(Err(error)) => (shared.report)(Event::CertificateRefused(error)),
        Ok(Ok(false)) | Err(_) => {}
    }
}

/// A connection that was gone before we took it.
fn is_peers_fault(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

// === impl Listener ===

impl Listener {
    fn certificates(&self) -> Option<&Arc<Certificates>> {
        match &self.socket {
            Socket::Tcp { certificates, .. } => certificates.as_ref(),
            Socket::Unix { .. } => None,
        }
    }

    fn tls_acceptor(&self) -> Result<Option<TlsAcceptor>, TlsError> {
        self.certificates().map(|found| found.server_config().map(TlsAcceptor::from)).transpose()
    }

    async fn accept(&self, acceptor: Option<&TlsAcceptor>) -> io::Result<Accepted> {
        match &self.socket {
            Socket::Tcp { listener, .. } => {
                let (stream, addr) = listener.accept().await?;
                // Answers are written whole, so that waiting to fill packets would only delay them.
                stream.set_nodelay(true)?;
                let peer = Peer::Tcp { addr, tls: acceptor.is_some() };
                Ok(match acceptor {
                    Some(acceptor) => Accepted::Tls(stream, peer, acceptor.clone()),
                    None => Accepted::Tcp(stream, peer),
                })
            }
            Socket::Unix { listener, .. } => {
                let (stream, _) = listener.accept().await?;
                let credentials = stream.peer_cred()?;
                let peer = Peer::Local { uid: credentials.uid(), pid: credentials.pid() };
                Ok(Accepted::Unix(stream, peer))
            }
        }
    }
}

// === impl Accepted ===

impl Accepted {
    async fn serve(self, shared: &Shared) {
        let (router, limits) = (shared.router.clone(), Arc::clone(&shared.limits));
        let draining = shared.draining.clone();
        match self {
            Self::Tcp(stream, peer) => connection::serve(stream, peer, router, limits, draining).await,
            Self::Unix(stream, peer) => connection::serve(stream, peer, router, limits, draining).await,
            Self::Tls(stream, peer, acceptor) => {
                let mut first = [0];
                let handshake = async {
                    stream.peek(&mut first).await?;
                    if first == [HANDSHAKE_RECORD] {
                        acceptor.accept(stream).await.map(Some)
                    } else {
                        turn_away(stream, WANTS_TLS).await;
                        Ok(None)
                    }
                };
                let mut leaving = draining.clone();
                let handshake = tokio::select! {
                    // Nothing was asked yet, so nothing is lost.
                    () = drained(&mut leaving) => return,
                    done = timeout(limits.handshake, handshake) => done,
                };
                match handshake {
                    Ok(Ok(Some(stream))) => {
                        connection::serve(stream, peer, router, limits, draining).await;
                    }
                    _ => {
                        shared.connections.failed_handshakes.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        }
    }

    async fn turn_away(self) {
        match self {
            Self::Tcp(stream, _) => turn_away(stream, FULL).await,
            Self::Unix(stream, _) => turn_away(stream, FULL).await,
            // A word would take a handshake, which is what there is no room for.
            Self::Tls(..) => {}
        }
    }
}

/// Writes `why` and waits a moment for the peer to hang up: closing at once, with its request unread, would make the
/// system discard what we wrote.
async fn turn_away(mut stream: impl AsyncRead + AsyncWrite + Unpin, why: &[u8]) {
    let farewell = async {
        stream.write_all(why).await?;
        stream.shutdown().await?;
        let mut unread = [0; 1_024];
        while stream.read(&mut unread).await? > 0 {}
        io::Result::Ok(())
    };
    let _ = timeout(TURN_AWAY, farewell).await;
}

// === impl Connections, Counted, Event ===

impl Connections {
    /// Open now.
    pub fn open(&self) -> u64 {
        let closed = self.closed.load(Ordering::Relaxed);
        self.opened.load(Ordering::Relaxed).saturating_sub(closed)
    }

    /// Taken since the start.
    pub fn accepted(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// Turned away because a listener was full.
    pub fn turned_away(&self) -> u64 {
        self.turned_away.load(Ordering::Relaxed)
    }

    /// Whose TLS handshake failed or took too long.
    pub fn failed_handshakes(&self) -> u64 {
        self.failed_handshakes.load(Ordering::Relaxed)
    }
}

impl Counted {
    fn new(connections: &Arc<Connections>) -> Self {
        connections.opened.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(connections))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.closed.fetch_add(1, Ordering::Relaxed);
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CertificateReloaded => f.write_str("the TLS certificate changed and is served from now on"),
            Self::CertificateRefused(error) => {
                write!(f, "the TLS certificate changed and cannot be used, the one before stays: {error}")
            }
            Self::AcceptFailed { place, error } => {
                write!(
                    f,
                    "no connection can be accepted on {place}: {error}; is the limit of open files (ulimit -n) reached?"
                )
            }
            Self::Full { place, limit } => {
                write!(f, "{place} has {limit} connections, as many as it may; more are turned away")
            }
        }
    }
}
