//! Answers and errors in the shape of Prometheus' API.

use std::fmt::Write as _;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use kernel::FaultKind;
use metrics::histogram::Histogram;
use metrics::promql::{Answer, ErrorKind, QueryError, SampleValue, Stats, Value as QueryValue, format_value};
use operations::metrics::QueryFailure;
use serde_json::{Map, Value, json};

use crate::answer::{report, with_fault_headers};

/// A finished refusal; boxed, because answers are the common case and a response is large.
pub(crate) struct Wrong(Box<Response>);

impl IntoResponse for Wrong {
    fn into_response(self) -> Response {
        *self.0
    }
}

impl From<Response> for Wrong {
    fn from(response: Response) -> Self {
        Self(Box::new(response))
    }
}

/// A refusal for wrong parameters.
pub(super) fn bad_data(message: &str) -> Wrong {
    refused(StatusCode::BAD_REQUEST, message)
}

/// A refusal for wrong parameters with another status.
pub(super) fn refused(status: StatusCode, message: &str) -> Wrong {
    let body = json!({"status": "error", "errorType": "bad_data", "error": message});
    (status, Json(body)).into_response().into()
}

/// Data without annotations.
pub(super) fn success(data: Value) -> Response {
    Json(json!({"status": "success", "data": data})).into_response()
}

/// The whole answer to a query.
pub(crate) fn answer_json(answer: &Answer, query: &str) -> Value {
    let mut body = Map::new();
    body.insert("status".into(), "success".into());
    body.insert("data".into(), data_json(&answer.value));
    for (name, notes) in [("warnings", &answer.warnings), ("infos", &answer.infos)] {
        if !notes.is_empty() {
            body.insert(name.into(), notes.iter().map(|note| note.render(query)).collect());
        }
    }
    Value::Object(body)
}

/// What a query cost, as Prometheus' `stats=all` says it, with the series read beside it.
pub(super) fn stats_json(stats: &Stats, seconds: f64) -> Value {
    json!({
        "timings": {"evalTotalTime": seconds, "execTotalTime": seconds},
        "samples": {
            "totalQueryableSamples": stats.total_samples,
            "peakSamples": stats.peak_samples,
        },
        "series": stats.series,
        "steps": stats.steps,
    })
}

/// At most `limit` series of a result; true when something was cut.
pub(super) fn cut(value: &mut QueryValue, limit: usize) -> bool {
    match value {
        QueryValue::Vector(samples) if samples.len() > limit => {
            samples.truncate(limit);
            true
        }
        QueryValue::Matrix(series) if series.len() > limit => {
            series.truncate(limit);
            true
        }
        _ => false,
    }
}

fn data_json(value: &QueryValue) -> Value {
    match value {
        QueryValue::Scalar { t, v } => {
            json!({"resultType": "scalar", "result": [seconds(*t), format_value(*v)]})
        }
        QueryValue::String { t, s } => json!({"resultType": "string", "result": [seconds(*t), s]}),
        QueryValue::Vector(samples) => {
            let result: Vec<Value> = samples
                .iter()
                .map(|sample| match &sample.value {
                    SampleValue::Float(v) => {
                        json!({"metric": sample.labels, "value": [seconds(sample.t), format_value(*v)]})
                    }
                    SampleValue::Histogram(h) => {
                        json!({"metric": sample.labels, "histogram": [seconds(sample.t), histogram(h)]})
                    }
                })
                .collect();
            json!({"resultType": "vector", "result": result})
        }
        QueryValue::Matrix(all) => {
            let result: Vec<Value> = all
                .iter()
                .map(|series| {
                    let mut row = Map::new();
                    row.insert("metric".into(), json!(series.labels));
                    if !series.floats.is_empty() || series.histograms.is_empty() {
                        let values = series.floats.iter().map(|s| json!([seconds(s.t), format_value(s.v)]));
                        row.insert("values".into(), values.collect());
                    }
                    if !series.histograms.is_empty() {
                        let values = series.histograms.iter().map(|s| json!([seconds(s.t), histogram(&s.h)]));
                        row.insert("histograms".into(), values.collect());
                    }
                    Value::Object(row)
                })
                .collect();
            json!({"resultType": "matrix", "result": result})
        }
    }
}

/// Milliseconds as seconds: an integer where it is one.
fn seconds(t: i64) -> Value {
    if t % 1_000 == 0 { json!(t / 1_000) } else { json!(t as f64 / 1_000.0) }
}

/// `[rule, lower, upper, count]` per bucket; the rule says which borders are included: 0 upper, 1 lower, 2 neither, 3
/// both.
fn histogram(h: &Histogram) -> Value {
    let buckets: Vec<Value> = h
        .all_buckets()
        .into_iter()
        .filter(|bucket| bucket.count != 0.0)
        .map(|bucket| {
            let rule = match (bucket.lower_closed, bucket.upper_closed) {
                (false, true) => 0,
                (true, false) => 1,
                (false, false) => 2,
                (true, true) => 3,
            };
            json!([rule, format_value(bucket.lower), format_value(bucket.upper), format_value(bucket.count)])
        })
        .collect();
    let mut body = json!({"count": format_value(h.count), "sum": format_value(h.sum)});
    if let (Some(fields), false) = (body.as_object_mut(), buckets.is_empty()) {
        fields.insert("buckets".into(), buckets.into());
    }
    body
}

/// A failed query: its HTTP status and body.
pub(crate) fn failure_json(failure: &QueryFailure, query: &str) -> (StatusCode, Value) {
    match failure {
        QueryFailure::Query(error) => {
            let (status, kind) = match error.kind {
                ErrorKind::BadData => (StatusCode::BAD_REQUEST, "bad_data"),
                ErrorKind::Execution | ErrorKind::Limit => (StatusCode::UNPROCESSABLE_ENTITY, "execution"),
                ErrorKind::Cancelled => (StatusCode::SERVICE_UNAVAILABLE, "canceled"),
                ErrorKind::Unreadable => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
            };
            (status, error_json(kind, &rendered(error, query), Some(error)))
        }
        QueryFailure::TimedOut(after) => {
            let text = format!("query timed out in expression evaluation: it took longer than {after}");
            (StatusCode::SERVICE_UNAVAILABLE, error_json("timeout", &text, None))
        }
        QueryFailure::Fault(fault) => {
            let kind = match fault.kind {
                FaultKind::Invalid => "bad_data",
                FaultKind::NotFound => "not_found",
                FaultKind::Unauthenticated => "unauthorized",
                FaultKind::Denied => "forbidden",
                FaultKind::Exhausted | FaultKind::Unavailable => "unavailable",
                FaultKind::Conflict | FaultKind::Bug => "internal",
            };
            (crate::answer::status_of(fault.kind), error_json(kind, &fault.message, None))
        }
    }
}

/// A failed query as a response.
pub(super) fn failed(failure: &QueryFailure, query: &str) -> Wrong {
    let (status, body) = failure_json(failure, query);
    let response = (status, Json(body)).into_response();
    match failure {
        QueryFailure::Fault(fault) => {
            report(fault);
            with_fault_headers(fault, response).into()
        }
        QueryFailure::Query(_) | QueryFailure::TimedOut(_) => response.into(),
    }
}

/// Prometheus puts `invalid parameter "query": ` before what its parser says.
fn rendered(error: &QueryError, query: &str) -> String {
    let mut text = String::new();
    if error.kind == ErrorKind::BadData && error.span.is_some() {
        text.push_str("invalid parameter \"query\": ");
    }
    let _ = write!(text, "{}", error.render(query));
    text
}

fn error_json(kind: &str, message: &str, error: Option<&QueryError>) -> Value {
    let mut body = json!({"status": "error", "errorType": kind, "error": message});
    if let (Some(fields), Some(error)) = (body.as_object_mut(), error) {
        if let Some(span) = error.span {
            fields.insert("position".into(), json!({"start": span.start, "end": span.end}));
        }
        if let Some(hint) = &error.hint {
            fields.insert("hint".into(), hint.clone().into());
        }
    }
    body
}
