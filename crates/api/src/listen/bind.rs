//! Sockets that are ready to accept.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpSocket, UnixListener};

use super::address::ListenError;
use super::socket::{self, SocketFile};
use super::tls::Certificates;

/// Connections the kernel holds ready before we accept them.
const BACKLOG: u32 = 1_024;

/// Who may connect to the unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketAccess {
    /// The user Mainstay runs as, and root: mode 0600.
    Owner,
    /// Also the group of the data folder: mode 0660.
    Group,
}

/// A socket that listens. Dropping it closes it, and removes a unix socket's file.
#[derive(Debug)]
pub struct Listener {
    pub(super) socket: Socket,
}

#[derive(Debug)]
pub(super) enum Socket {
    Tcp { listener: TcpListener, addr: SocketAddr, certificates: Option<Arc<Certificates>> },
    Unix { listener: UnixListener, file: SocketFile },
}

impl Listener {
    /// Plain HTTP on TCP. Whether that is allowed there is [`super::ListenPolicy`]'s question, asked before. Needs a
    /// running tokio runtime.
    ///
    /// # Errors
    /// In use, forbidden, no such address, or the system refused.
    pub fn tcp(addr: SocketAddr) -> Result<Self, ListenError> {
        let (listener, addr) = bind(addr)?;
        Ok(Self { socket: Socket::Tcp { listener, addr, certificates: None } })
    }

    /// HTTPS on TCP, with HTTP/2 where the client offers it. Needs a running tokio runtime.
    ///
    /// # Errors
    /// As [`Listener::tcp`].
    pub fn tls(addr: SocketAddr, certificates: Arc<Certificates>) -> Result<Self, ListenError> {
        let (listener, addr) = bind(addr)?;
        Ok(Self { socket: Socket::Tcp { listener, addr, certificates: Some(certificates) } })
    }

    /// HTTP on a unix socket, in place of a dead one at the same path. Needs a running tokio runtime.
    ///
    /// # Errors
    /// Another process answers there, something else is in the way, the path is too long, or the system refused.
    pub fn unix(path: &Path, access: SocketAccess) -> Result<Self, ListenError> {
        let mode = match access {
            SocketAccess::Owner => 0o600,
            SocketAccess::Group => 0o660,
        };
        let (listener, file) = socket::listen(path, mode)?;
        let listener = UnixListener::from_std(listener)
            .map_err(|error| ListenError::Io { place: path.display().to_string(), error })?;
        Ok(Self { socket: Socket::Unix { listener, file } })
    }

    /// Where it listens on TCP, with the port the system chose if 0 was asked for.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match &self.socket {
            Socket::Tcp { addr, .. } => Some(*addr),
            Socket::Unix { .. } => None,
        }
    }

    /// For people: `http://127.0.0.1:7070`, `https://0.0.0.0:7070`, `unix:/var/lib/mainstay/mainstay.sock`.
    pub fn url(&self) -> String {
        match &self.socket {
            Socket::Tcp { addr, certificates: None, .. } => format!("http://{addr}"),
            Socket::Tcp { addr, .. } => format!("https://{addr}"),
            Socket::Unix { file, .. } => format!("unix:{}", file.path().display()),
        }
    }
}

fn bind(addr: SocketAddr) -> Result<(TcpListener, SocketAddr), ListenError> {
    let bound = || {
        let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // Lets a restart take the port while old connections are in TIME_WAIT; on Linux it never lets two listen.
        socket.set_reuseaddr(true)?;
        socket.bind(addr)?;
        let listener = socket.listen(BACKLOG)?;
        let addr = listener.local_addr()?;
        Ok((listener, addr))
    };
    bound().map_err(|error| ListenError::from_bind(addr, error))
}
