//! The session cookie.
//!
//! HttpOnly keeps it from scripts, SameSite=Strict from requests that other sites start, and over TLS `Secure` and the
//! `__Host-` prefix (RFC 6265bis §4.1.3.2) from being sent in the clear or planted by another host of the domain.

use axum::http::{HeaderMap, header};

/// The cookie's name without TLS.
pub(crate) const NAME: &str = "mainstay_session";
/// The cookie's name over TLS.
pub(crate) const HOST_NAME: &str = "__Host-mainstay_session";
/// How long a browser keeps it, in seconds: a session's longest life. The server ends it earlier when it is not used.
const MAX_AGE: u64 = security::identity::SESSION_LIFETIME.as_secs();

/// The session's secret off a request; the one a browser only accepts over TLS goes first.
pub(crate) fn session(headers: &HeaderMap) -> Option<String> {
    [HOST_NAME, NAME].into_iter().find_map(|name| value(headers, name)).map(str::to_owned)
}

/// The `Set-Cookie` value that opens a session. `secret` is of cookie characters, as every secret of ours is.
pub(crate) fn set_session(secret: &str, tls: bool) -> String {
    format!("{}={secret}; Max-Age={MAX_AGE}; {}", name(tls), attributes(tls))
}

/// The `Set-Cookie` value that ends one.
pub(crate) fn clear_session(tls: bool) -> String {
    format!("{}=; Max-Age=0; {}", name(tls), attributes(tls))
}

const fn name(tls: bool) -> &'static str {
    if tls { HOST_NAME } else { NAME }
}

const fn attributes(tls: bool) -> &'static str {
    if tls { "Path=/; HttpOnly; SameSite=Strict; Secure" } else { "Path=/; HttpOnly; SameSite=Strict" }
}

fn value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(found, value)| *found == name && !value.is_empty())
        .map(|(_, value)| value.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_found_among_other_cookies() {
        for (lines, expected) in [
            (&["mainstay_session=mss_1"][..], Some("mss_1")),
            (&["a=b; mainstay_session=mss_1; c=d=e"], Some("mss_1")),
            (&["a=b;mainstay_session=\"mss_1\""], Some("mss_1")),
            (&["a=b", "mainstay_session=mss_1"], Some("mss_1")),
            (&["mainstay_session=mss_1; __Host-mainstay_session=mss_2"], Some("mss_2")),
            (&["mainstay_session="], None),
            (&["xmainstay_session=1; mainstay_sessionx=2; mainstay_session"], None),
            (&[], None),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::COOKIE, line.parse().unwrap());
            }
            assert_eq!(session(&headers).as_deref(), expected, "{lines:?}");
        }
    }

    #[test]
    fn what_is_set_can_be_read_back_and_is_guarded() {
        for tls in [false, true] {
            let set = set_session("mss_1", tls);
            let pair = set.split(';').next().unwrap();
            let headers = HeaderMap::from_iter([(header::COOKIE, pair.parse().unwrap())]);
            assert_eq!(session(&headers).as_deref(), Some("mss_1"));
            for attribute in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=1209600"] {
                assert!(set.contains(attribute), "{set}");
            }
            assert_eq!((set.contains("Secure"), set.starts_with("__Host-")), (tls, tls), "{set}");
            assert!(!set.contains("Domain"), "a __Host- cookie has none");
            let cleared = clear_session(tls);
            assert!(cleared.starts_with(name(tls)) && cleared.contains("Max-Age=0"), "{cleared}");
        }
    }
}
