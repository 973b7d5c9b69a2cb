//! Webhooks: a notification as an HTTP POST.
//!
//! Bounded in every direction: time to connect and in all, bytes read of the answer, no redirects (a redirect would hand
//! facts to a host nobody named, and turns a POST into a GET), no proxy from the environment, no cookies. Any 2xx status
//! is a delivery; what the receiver answers beyond its status and `Retry-After` is read to free the connection and
//! forgotten, so that an address inside the network reveals nothing through error messages.

use std::time::Duration;

use kernel::Span;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, redirect};
use tokio::runtime::Handle;

use crate::notifier::{MAX_BODY_BYTES, Notification, Notifier, NotifyError};

/// How long a whole delivery may take.
pub const TIMEOUT: Duration = Duration::from_secs(10);
/// How long connecting may take, TLS included.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Most bytes read of an answer; a longer one costs the connection, not the delivery.
pub const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// The longest that a receiver may put off the next try.
pub const MAX_RETRY_AFTER: Span = Span::from_hours(1);

/// Sends webhooks.
pub struct WebhookSender {
    http: Client,
    runtime: Handle,
}

/// Why nothing can be sent at all.
#[derive(Debug, thiserror::Error)]
#[error("webhooks cannot be sent: {0}")]
pub struct SenderError(String);

// === impl WebhookSender ===

impl WebhookSender {
    /// A sender whose IO runs on `runtime`. [`Notifier::notify`] blocks: it is called on threads that may.
    ///
    /// # Errors
    /// The system's certificates cannot be read.
    pub fn new(runtime: Handle) -> Result<Self, SenderError> {
        // Only one provider is compiled in; a second installation is refused and harmless.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder()
            .user_agent(concat!("mainstay/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .pool_max_idle_per_host(1)
            .build()
            .map_err(|error| SenderError(chain(&error)))?;
        Ok(Self { http, runtime })
    }

    async fn post(&self, notification: &Notification) -> Result<(), NotifyError> {
        let headers = headers(&notification.headers)?;
        let request = self.http.post(&notification.url).headers(headers).body(notification.body.clone());
        // The URL may hold a secret of the receiver's: it stays out of messages.
        let answer = request.send().await.map_err(|error| NotifyError::new(failure(error)))?;
        let verdict = verdict(answer.status(), answer.headers());
        drain(answer).await;
        verdict
    }
}

impl Notifier for WebhookSender {
    fn notify(&self, notification: &Notification) -> Result<(), NotifyError> {
        if notification.body.len() > MAX_BODY_BYTES {
            return Err(NotifyError::new(format!(
                "the body has {} bytes; the limit is {MAX_BODY_BYTES}",
                notification.body.len()
            )));
        }
        self.runtime.block_on(self.post(notification))
    }
}

fn headers(pairs: &[(String, String)]) -> Result<HeaderMap, NotifyError> {
    let mut headers = HeaderMap::with_capacity(pairs.len());
    for (name, value) in pairs {
        let wrong = || NotifyError::new(format!("the header {name:?} cannot be sent"));
        let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        headers.insert(parsed, HeaderValue::from_str(value).map_err(|_| wrong())?);
    }
    Ok(headers)
}

/// What an answer means.
fn verdict(status: StatusCode, headers: &HeaderMap) -> Result<(), NotifyError> {
    if status.is_success() {
        return Ok(());
    }
    if status.is_redirection() && headers.contains_key(LOCATION) {
        return Err(NotifyError::new(format!(
            "the receiver answered {status}, a redirect, and those are not followed: name the address it leads to"
        )));
    }
    let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse::<u64>().ok());
    let wait = seconds.map(|seconds| Span::from_secs(seconds.min(MAX_RETRY_AFTER.as_secs())));
    Err(NotifyError { message: format!("the receiver answered {status}"), retry_after: wait })
}

/// Reads what is left of a short answer, so that the connection can be used again.
async fn drain(mut answer: Response) {
    let mut read = 0;
    while let Ok(Some(chunk)) = answer.chunk().await {
        read += chunk.len();
        if read > MAX_ANSWER_BYTES {
            return;
        }
    }
}

fn failure(error: reqwest::Error) -> String {
    let error = error.without_url();
    if error.is_timeout() {
        return format!("the receiver did not answer within {} s", TIMEOUT.as_secs());
    }
    chain(&error)
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_success_is_a_delivery_and_advice_is_bounded() {
        let headers = |pairs: &[(HeaderName, &'static str)]| {
            let pairs = pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
            pairs.collect::<HeaderMap>()
        };
        for (status, headers, expected) in [
            (200, headers(&[]), Ok(())),
            (204, headers(&[]), Ok(())),
            (302, headers(&[(LOCATION, "http://169.254.169.254/")]), Err(("a redirect", None))),
            (404, headers(&[]), Err(("404 Not Found", None))),
            (429, headers(&[(RETRY_AFTER, "30")]), Err(("429", Some(Span::from_secs(30))))),
            (503, headers(&[(RETRY_AFTER, "99999999")]), Err(("503", Some(MAX_RETRY_AFTER)))),
            (503, headers(&[(RETRY_AFTER, "soon")]), Err(("503", None))),
        ] {
            let found = verdict(StatusCode::from_u16(status).unwrap(), &headers);
            match (found, expected) {
                (Ok(()), Ok(())) => {}
                (Err(found), Err((text, wait))) => {
                    assert!(found.message.contains(text) && !found.message.contains("169.254"), "{found}");
                    assert_eq!(found.retry_after, wait, "{status}");
                }
                other => panic!("{status}: {other:?}"),
            }
        }
    }

    #[test]
    fn headers_that_cannot_be_sent_are_named() {
        for (name, value) in [("a b", "x"), ("x", "a\r\nb: c")] {
            let error = headers(&[(name.to_owned(), value.to_owned())]).unwrap_err();
            assert!(error.message.contains(name), "{error}");
        }
    }
}
