//! The address of a receiver: as much of a URL as must be understood to refuse what can never work.
//!
//! The scheme, the host and the port are read here (RFC 3986 section 3.2); the rest is passed on as written. What sends
//! reads the whole URL again with its own parser.

use crate::limits::MAX_URL_BYTES;

/// A receiver's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// `https`, not `http`.
    pub encrypted: bool,
    /// In lower case; an IPv6 address without its brackets.
    pub host: String,
    /// As written, if it was.
    pub port: Option<u16>,
}

/// Why a URL is not the address of a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// Longer than [`MAX_URL_BYTES`].
    #[error("a URL has at most {MAX_URL_BYTES} bytes")]
    TooLong,
    /// White space, a control character, or one beyond ASCII.
    #[error("a URL holds no white space, and every character beyond ASCII is percent-encoded")]
    Character,
    /// Neither `http://` nor `https://`.
    #[error("a URL begins with https:// or http://")]
    Scheme,
    /// User name or password before the host.
    #[error("a URL here holds no user name or password")]
    Credentials,
    /// No host, or not one.
    #[error("the host is missing or is not a name or an address")]
    Host,
    /// Not a number from 1 to 65535.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// A part behind `#`, which is never sent.
    #[error("what stands behind # is never sent")]
    Fragment,
}

// === impl Address ===

impl Address {
    /// Reads the address out of a URL.
    ///
    /// # Errors
    /// See [`InvalidAddress`].
    pub fn parse(url: &str) -> Result<Self, InvalidAddress> {
        if url.len() > MAX_URL_BYTES {
            return Err(InvalidAddress::TooLong);
        }
        if !url.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
            return Err(InvalidAddress::Character);
        }
        let (scheme, rest) = url.split_once("://").ok_or(InvalidAddress::Scheme)?;
        let encrypted = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(InvalidAddress::Scheme),
        };
        if rest.contains('#') {
            return Err(InvalidAddress::Fragment);
        }
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(InvalidAddress::Credentials);
        }
        let (host, port) = split_port(authority)?;
        let port = port.map(|text| text.parse().ok().filter(|port| *port != 0).ok_or(InvalidAddress::Port));
        Ok(Self { encrypted, host: host.to_ascii_lowercase(), port: port.transpose()? })
    }

    /// Whether it can only be this machine: then nobody in between reads what is sent in clear text.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost"
            || self.host.ends_with(".localhost")
            || self.host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

/// Host and port of `host`, `host:port`, `[::1]`, `[::1]:port`.
fn split_port(authority: &str) -> Result<(&str, Option<&str>), InvalidAddress> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or(InvalidAddress::Host)?;
        host.parse::<std::net::Ipv6Addr>().map_err(|_| InvalidAddress::Host)?;
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(InvalidAddress::Host),
        };
    }
    let (host, port) = authority.split_once(':').map_or((authority, None), |(h, p)| (h, Some(p)));
    let is_name = |host: &str| {
        let labels = host.strip_suffix('.').unwrap_or(host).split('.');
        labels.into_iter().all(|label| {
            !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        })
    };
    if is_name(host) { Ok((host, port)) } else { Err(InvalidAddress::Host) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_read_and_slips_are_named() {
        let read = |encrypted, host: &str, port| Ok(Address { encrypted, host: host.to_owned(), port });
        for (url, expected) in [
            ("https://hooks.example.com/T0/B1?x=1", read(true, "hooks.example.com", None)),
            ("HTTP://Example.com:8080", read(false, "example.com", Some(8080))),
            ("http://[::1]:9000/x", read(false, "::1", Some(9000))),
            ("https://[2001:db8::1]", read(true, "2001:db8::1", None)),
            ("http://127.0.0.1?x", read(false, "127.0.0.1", None)),
            ("ftp://example.com", Err(InvalidAddress::Scheme)),
            ("example.com/x", Err(InvalidAddress::Scheme)),
            ("", Err(InvalidAddress::Scheme)),
            ("https://", Err(InvalidAddress::Host)),
            ("https:///path", Err(InvalidAddress::Host)),
            ("https://a..b/", Err(InvalidAddress::Host)),
            ("https://[::1", Err(InvalidAddress::Host)),
            ("https://[::1]x", Err(InvalidAddress::Host)),
            ("https://example.com:", Err(InvalidAddress::Port)),
            ("https://example.com:0", Err(InvalidAddress::Port)),
            ("https://example.com:65536", Err(InvalidAddress::Port)),
            ("https://ada:secret@example.com", Err(InvalidAddress::Credentials)),
            ("https://example.com/#top", Err(InvalidAddress::Fragment)),
            ("https://example.com/a b", Err(InvalidAddress::Character)),
            ("https://example.com\\@evil.example", Err(InvalidAddress::Character)),
            ("https://exämple.com/", Err(InvalidAddress::Character)),
        ] {
            assert_eq!(Address::parse(url), expected, "{url}");
        }
        let long = format!("https://example.com/{}", "x".repeat(MAX_URL_BYTES));
        assert_eq!(Address::parse(&long), Err(InvalidAddress::TooLong));
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for (url, expected) in [
            ("http://localhost:1", true),
            ("http://hooks.localhost/", true),
            ("http://127.8.0.1/", true),
            ("http://[::1]/", true),
            ("http://localhost.example.com/", false),
            ("http://10.0.0.1/", false),
            ("http://127.0.0.1.example.com/", false),
        ] {
            assert_eq!(Address::parse(url).unwrap().is_loopback(), expected, "{url}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_fall_over(text in "\\PC{0,60}") {
            let _ = Address::parse(&text);
        }

        #[test]
        fn what_is_put_together_is_taken_apart(
            host in "[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?(\\.[a-z]{1,8}){0,3}",
            port in proptest::option::of(1_u16..),
            path in "(/[a-zA-Z0-9._~%-]{0,8}){0,3}(\\?[a-z=&]{0,8})?",
        ) {
            let shown = port.map(|port| format!(":{port}")).unwrap_or_default();
            let address = Address::parse(&format!("https://{host}{shown}{path}")).unwrap();
            prop_assert_eq!(address, Address { encrypted: true, host, port });
        }
    }
}
