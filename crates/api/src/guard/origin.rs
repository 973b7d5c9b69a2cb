//! Requests that a browser was tricked into: under a name that is not ours (DNS rebinding), or started by another site
//! (cross-site request forgery).
//!
//! A name can be made to point at this machine by whoever owns it, so a request must name a host we know. An address
//! cannot, so addresses are let through. Sources: OWASP Cross-Site Request Forgery Prevention Cheat Sheet; W3C Fetch
//! Metadata Request Headers; RFC 6454.

use std::net::IpAddr;

use axum::http::header::{self, AUTHORIZATION, HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, Method};
use kernel::Fault;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What proxies add (RFC 7239, RFC 9110 §7.6.3, and the older ways).
const FORWARDED: [HeaderName; 4] = [
    header::FORWARDED,
    header::VIA,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-real-ip"),
];

/// Host names that requests may name.
#[derive(Clone, Debug)]
pub(crate) struct HostNames(Vec<String>);

impl HostNames {
    /// `names` beside loopback's; case and a final dot do not matter.
    pub(crate) fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self(names.into_iter().map(|name| plain(&name)).collect())
    }

    /// Whether a request for this host may be for us. HTTP/2 names the host in the URI, HTTP/1.1 in a header; where both
    /// do, both must be known.
    pub(crate) fn check(&self, parts: &Parts) -> Result<(), Fault> {
        let header = match parts.headers.get(HOST) {
            Some(value) => {
                Some(value.to_str().ok().and_then(|text| text.parse::<Authority>().ok()).ok_or_else(
                    || Fault::invalid("the Host header is not a host name with or without a port"),
                )?)
            }
            None => None,
        };
        let named: Vec<&Authority> = parts.uri.authority().into_iter().chain(header.as_ref()).collect();
        if named.is_empty() {
            return Err(Fault::invalid("the request names no host; HTTP/1.1 asks for a Host header"));
        }
        match named.iter().find(|authority| !self.knows(authority.host())) {
            None => Ok(()),
            Some(authority) => Err(Fault::denied(format!(
                "this server does not answer to the name {:?}; if it should, start it with --host-name {}",
                authority.host(),
                authority.host()
            ))),
        }
    }

    fn knows(&self, host: &str) -> bool {
        let host = plain(host);
        is_address(&host) || host == "localhost" || host.ends_with(".localhost") || self.0.contains(&host)
    }
}

/// Refuses a changing request that a browser says, or lets us see, was started by another site. Programs send neither
/// header and pass. A bearer token passes too: a browser never adds one by itself.
pub(crate) fn check_origin(parts: &Parts, tls: bool) -> Result<(), Fault> {
    if matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS) || has_bearer(&parts.headers) {
        return Ok(());
    }
    let from = |text: &str| {
        Fault::denied(format!(
            "this request was started by another site ({text}); do it from the console, or send a bearer token"
        ))
    };
    if let Some(site) = parts.headers.get(SEC_FETCH_SITE) {
        return match site.as_bytes() {
            b"same-origin" | b"none" => Ok(()),
            other => Err(from(&String::from_utf8_lossy(other))),
        };
    }
    let Some(origin) = parts.headers.get(ORIGIN) else { return Ok(()) };
    let text = origin.to_str().unwrap_or("unreadable");
    if is_own(text, parts, tls) { Ok(()) } else { Err(from(text)) }
}

/// Whether a proxy says that it passes this request on for somebody else. Its own address then says nothing about who
/// asks: behind a proxy on this machine everybody would seem to be local. Who is not behind a proxy and says so anyway
/// only loses rights.
pub(crate) fn is_forwarded(headers: &HeaderMap) -> bool {
    FORWARDED.iter().any(|name| headers.contains_key(name))
}

/// Whether `origin` is the host that the request names. Behind TLS the scheme must be https; without, a proxy may have
/// taken the TLS off before us.
fn is_own(origin: &str, parts: &Parts, tls: bool) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let scheme_fits = scheme == "https" || (scheme == "http" && !tls);
    let host = parts.headers.get(HOST).and_then(|value| value.to_str().ok());
    let named = host.or_else(|| parts.uri.authority().map(Authority::as_str));
    scheme_fits && named.is_some_and(|named| named.eq_ignore_ascii_case(authority))
}

fn has_bearer(headers: &HeaderMap) -> bool {
    let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let scheme = value.and_then(|value| value.split_once(' ')).map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer"))
}

/// Lower case, without the final dot of a fully qualified name.
fn plain(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

fn is_address(host: &str) -> bool {
    let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    inner.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn parts(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_name_that_is_not_ours_is_refused() {
        let names = HostNames::new(["Mainstay.example.org.".to_owned(), "box".to_owned()]);
        for (uri, host, expected) in [
            ("/", Some("localhost:7070"), ""),
            ("/", Some("LOCALHOST"), ""),
            ("/", Some("console.localhost:7070"), ""),
            ("/", Some("127.0.0.1:7070"), ""),
            ("/", Some("192.0.2.7"), ""),
            ("/", Some("[::1]:7070"), ""),
            ("/", Some("mainstay.example.org:443"), ""),
            ("/", Some("MAINSTAY.example.org."), ""),
            ("/", Some("box"), ""),
            ("/", Some("evil.example"), "does not answer to the name \"evil.example\""),
            ("/", Some("localhost.evil.example:7070"), "--host-name localhost.evil.example"),
            ("/", Some("127.0.0.1.evil.example"), "does not answer"),
            ("/", Some("notlocalhost"), "does not answer"),
            ("/", Some("two hosts"), "not a host name"),
            ("/", Some(""), "not a host name"),
            ("/", None, "names no host"),
            ("http://box/", None, ""),
            ("http://evil.example/", None, "does not answer"),
            ("http://box/", Some("evil.example"), "does not answer"),
            ("http://evil.example/", Some("box"), "does not answer"),
        ] {
            let headers: Vec<(&str, &str)> = host.map(|host| ("host", host)).into_iter().collect();
            let message = names.check(&parts("GET", uri, &headers)).err().map(|fault| fault.message);
            let message = message.unwrap_or_default();
            assert_eq!(message.is_empty(), expected.is_empty(), "{uri} {host:?}: {message}");
            assert!(message.contains(expected), "{uri} {host:?}: {message}");
        }
    }

    #[test]
    fn what_a_proxy_passes_on_is_seen() {
        for (name, expected) in [
            ("x-forwarded-for", true),
            ("forwarded", true),
            ("via", true),
            ("x-real-ip", true),
            ("x-forwarded", false),
            ("host", false),
        ] {
            assert_eq!(is_forwarded(&parts("GET", "/", &[(name, "x")]).headers), expected, "{name}");
        }
    }

    #[test]
    fn a_change_that_another_site_started_is_refused() {
        let host = ("host", "box:7070");
        for (method, headers, tls, allowed) in [
            ("POST", &[host][..], false, true),
            ("GET", &[host, ("sec-fetch-site", "cross-site")], false, true),
            ("HEAD", &[host, ("origin", "http://evil.example")], false, true),
            ("POST", &[host, ("sec-fetch-site", "same-origin")], false, true),
            ("POST", &[host, ("sec-fetch-site", "none")], false, true),
            ("POST", &[host, ("sec-fetch-site", "same-site")], false, false),
            ("POST", &[host, ("sec-fetch-site", "cross-site")], false, false),
            ("DELETE", &[host, ("sec-fetch-site", "cross-site")], false, false),
            ("PUT", &[host, ("sec-fetch-site", "something new")], false, false),
            ("POST", &[host, ("origin", "http://box:7070")], false, true),
            ("POST", &[host, ("origin", "http://BOX:7070")], false, true),
            ("POST", &[host, ("origin", "http://box")], false, false),
            ("POST", &[host, ("origin", "http://box:7071")], false, false),
            ("POST", &[host, ("origin", "http://box:7070.evil.example")], false, false),
            ("POST", &[host, ("origin", "null")], false, false),
            ("POST", &[host, ("origin", "http://evil.example")], false, false),
            ("POST", &[host, ("origin", "https://box:7070")], true, true),
            ("POST", &[host, ("origin", "https://box:7070")], false, true),
            ("POST", &[host, ("origin", "http://box:7070")], true, false),
            // A proxy may have changed the host; what the browser says about itself goes first.
            ("POST", &[host, ("origin", "https://public"), ("sec-fetch-site", "same-origin")], false, true),
            ("POST", &[host, ("origin", "http://box:7070"), ("sec-fetch-site", "cross-site")], false, false),
            ("POST", &[host, ("origin", "http://evil"), ("authorization", "Bearer mst_x")], false, true),
            ("POST", &[host, ("origin", "http://evil"), ("authorization", "Basic eDp5")], false, false),
        ] {
            let checked = check_origin(&parts(method, "/", headers), tls);
            assert_eq!(checked.is_ok(), allowed, "{method} {headers:?} tls={tls}: {checked:?}");
        }
        let over_http2 = parts("POST", "https://box:7070/x", &[("origin", "https://box:7070")]);
        assert!(check_origin(&over_http2, true).is_ok());
    }
}
