//! Where it is allowed to listen, and why it failed, in words that say what to do.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::holder::Holder;

/// What may be listened on.
pub struct ListenPolicy;

/// Allowed, but the operator should know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// Beyond loopback in the clear.
    #[error(
        "{0} can be reached from other machines without TLS: passwords, tokens and everything else cross the network \
         readable by anyone on the way"
    )]
    Cleartext(SocketAddr),
}

/// Why listening failed.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Beyond loopback in the clear, and nobody asked for it.
    #[error(
        "{0} can be reached from other machines, and without TLS passwords and tokens would cross the network \
         readable: give --tls-cert and --tls-key, or --tls-self-signed for a trial, or listen on 127.0.0.1; \
         --insecure-http accepts the risk"
    )]
    Cleartext(SocketAddr),
    /// Something listens there already.
    #[error("cannot listen on {addr}: {} is listening there already; stop it, or choose another port with --listen", held(.holder))]
    InUse {
        /// Where.
        addr: SocketAddr,
        /// Who, where that could be found out.
        holder: Option<Holder>,
    },
    /// The port is privileged, or something forbids it.
    #[error("cannot listen on {addr}: {}", permission(*.addr))]
    Permission {
        /// Where.
        addr: SocketAddr,
    },
    /// The machine has no such address.
    #[error(
        "cannot listen on {addr}: this machine has no address {}; `ip address` lists those it has, 0.0.0.0 or [::] \
         means all of them", .addr.ip()
    )]
    NotAvailable {
        /// Where.
        addr: SocketAddr,
    },
    /// Another Mainstay answers on the unix socket.
    #[error("another process is listening on {}; stop it, or use another data folder", .0.display())]
    SocketInUse(PathBuf),
    /// Something that is not a socket is in the way.
    #[error("{} is in the way: it is not a socket; move it elsewhere", .0.display())]
    NotASocket(PathBuf),
    /// The kernel takes no longer path.
    #[error(
        "the path of the socket {} is longer than the {limit} bytes the system allows; use a data folder with a \
         shorter path", .path.display()
    )]
    PathTooLong {
        /// The path.
        path: PathBuf,
        /// What is allowed.
        limit: usize,
    },
    /// Anything else.
    #[error("cannot listen on {place}: {error}")]
    Io {
        /// Where.
        place: String,
        /// What the system said.
        error: io::Error,
    },
}

impl ListenPolicy {
    /// Whether it is allowed to listen on `addr`: on loopback always, beyond it with TLS, or in the clear if the
    /// operator accepted the risk, with a warning.
    ///
    /// # Errors
    /// [`ListenError::Cleartext`].
    pub fn check(addr: SocketAddr, tls: bool, insecure_http: bool) -> Result<Option<Warning>, ListenError> {
        if tls || addr.ip().to_canonical().is_loopback() {
            return Ok(None);
        }
        if insecure_http { Ok(Some(Warning::Cleartext(addr))) } else { Err(ListenError::Cleartext(addr)) }
    }
}

impl ListenError {
    /// From what `bind` on `addr` said.
    pub(super) fn from_bind(addr: SocketAddr, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::InUse { addr, holder: Holder::of_port(addr.port()) },
            io::ErrorKind::PermissionDenied => Self::Permission { addr },
            io::ErrorKind::AddrNotAvailable => Self::NotAvailable { addr },
            _ => Self::Io { place: addr.to_string(), error },
        }
    }
}

fn held(holder: &Option<Holder>) -> String {
    holder.as_ref().map_or_else(|| "another process".to_owned(), Holder::to_string)
}

fn permission(addr: SocketAddr) -> &'static str {
    if addr.port() < 1024 {
        "ports below 1024 are for root; choose a higher port, or allow it with \
         `setcap cap_net_bind_service=+ep` on the binary"
    } else {
        "the system forbids it; look at its security policy (SELinux, AppArmor, a container's profile)"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_loopback_only_with_tls_or_on_purpose() {
        for (addr, tls, insecure, expected) in [
            ("127.0.0.1:7070", false, false, "fine"),
            ("127.8.9.1:7070", false, false, "fine"),
            ("[::1]:7070", false, false, "fine"),
            ("[::ffff:127.0.0.1]:7070", false, false, "fine"),
            ("0.0.0.0:7070", true, false, "fine"),
            ("0.0.0.0:7070", false, false, "refused"),
            ("[::]:7070", false, false, "refused"),
            ("192.0.2.1:7070", false, false, "refused"),
            ("192.0.2.1:7070", false, true, "warned"),
            ("192.0.2.1:7070", true, true, "fine"),
        ] {
            let found = match ListenPolicy::check(addr.parse().unwrap(), tls, insecure) {
                Ok(None) => "fine",
                Ok(Some(warning)) => {
                    assert!(warning.to_string().contains(addr));
                    "warned"
                }
                Err(error) => {
                    assert!(error.to_string().contains("--tls-cert"), "{error}");
                    "refused"
                }
            };
            assert_eq!(found, expected, "{addr} {tls} {insecure}");
        }
    }

    #[test]
    fn what_bind_said_becomes_what_to_do() {
        for (addr, kind, expected) in [
            ("127.0.0.1:80", io::ErrorKind::PermissionDenied, "below 1024"),
            ("127.0.0.1:8080", io::ErrorKind::PermissionDenied, "SELinux"),
            ("192.0.2.1:8080", io::ErrorKind::AddrNotAvailable, "no address 192.0.2.1"),
            ("127.0.0.1:1", io::ErrorKind::AddrInUse, "another process is listening there already"),
            ("127.0.0.1:1", io::ErrorKind::OutOfMemory, "127.0.0.1:1: "),
        ] {
            let error = ListenError::from_bind(addr.parse().unwrap(), kind.into()).to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
