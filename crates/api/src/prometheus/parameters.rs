//! Parameters of Prometheus' API: from the query string and, for POST, from a form body; names may repeat.

use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use kernel::{Span, Timestamp};
use metrics::promql::parse_duration;

use super::encode::{Wrong, bad_data, refused};

/// Longest form body, in bytes.
const MAX_FORM: usize = 1 << 20;

/// Every parameter in the order given, those of the query string first.
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// The first value of `name` that is not empty.
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, value)| n == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// Every value of `name` that is not empty.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(n, value)| n == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// A time in milliseconds.
    pub(super) fn time(&self, name: &str) -> Result<Option<i64>, Wrong> {
        self.first(name).map(|text| time(text).ok_or_else(|| invalid(name, text, "timestamp"))).transpose()
    }

    /// A duration in milliseconds, as seconds or in PromQL's notation.
    pub(super) fn duration(&self, name: &str) -> Result<Option<i64>, Wrong> {
        self.first(name).map(|text| duration(text).ok_or_else(|| invalid(name, text, "duration"))).transpose()
    }

    /// A duration as a span.
    pub(super) fn span(&self, name: &str) -> Result<Option<Span>, Wrong> {
        Ok(self.duration(name)?.map(|ms| Span::from_millis(u64::try_from(ms).unwrap_or(0))))
    }

    /// A limit; absent and 0 are none.
    pub(super) fn limit(&self) -> Result<usize, Wrong> {
        match self.first("limit") {
            None | Some("0") => Ok(usize::MAX),
            Some(text) => {
                text.parse().map_err(|_| bad_data("invalid parameter \"limit\": not a number from 0"))
            }
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for Parameters {
    type Rejection = Wrong;

    async fn from_request(request: Request, _: &S) -> Result<Self, Wrong> {
        let pairs = |bytes: &[u8]| form_urlencoded::parse(bytes).into_owned().collect::<Vec<_>>();
        let mut all = pairs(request.uri().query().unwrap_or_default().as_bytes());
        let is_form = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        if is_form {
            let body = axum::body::to_bytes(request.into_body(), MAX_FORM).await.map_err(|_| {
                let text = format!("the form is longer than {MAX_FORM} bytes");
                refused(StatusCode::PAYLOAD_TOO_LARGE, &text)
            })?;
            all.extend(pairs(&body));
        }
        Ok(Self(all))
    }
}

fn invalid(name: &str, text: &str, what: &str) -> Wrong {
    bad_data(&format!("invalid parameter {name:?}: cannot parse {text:?} to a valid {what}"))
}

/// Unix seconds with a fraction, or RFC 3339; in milliseconds.
fn time(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<f64>() {
        return seconds.is_finite().then(|| (seconds * 1_000.0).round() as i64);
    }
    // What Prometheus itself sends for "since ever" and "for ever" lies beyond what nanoseconds can say.
    match text {
        "-292273086-05-16T16:47:06Z" => return Some(Timestamp::MIN.as_millis()),
        "292277025-08-18T07:12:54.999999999Z" => return Some(Timestamp::MAX.as_millis()),
        _ => {}
    }
    text.parse::<Timestamp>().ok().map(Timestamp::as_millis)
}

/// Seconds with a fraction, or PromQL's notation; in milliseconds.
fn duration(text: &str) -> Option<i64> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds.abs() < 9.2e15 => Some((seconds * 1_000.0) as i64),
        Ok(_) => None,
        Err(_) => parse_duration(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_durations_are_read_as_prometheus_reads_them() {
        for (text, ms) in [
            ("1435781451.781", Some(1_435_781_451_781)),
            ("2015-07-01T20:10:51.781Z", Some(1_435_781_451_781)),
            ("-1", Some(-1_000)),
            ("soon", None),
            ("NaN", None),
        ] {
            assert_eq!(time(text), ms, "{text}");
        }
        for (text, ms) in [("15", Some(15_000)), ("0.5", Some(500)), ("1m30s", Some(90_000)), ("x", None)] {
            assert_eq!(duration(text), ms, "{text}");
        }
    }
}
