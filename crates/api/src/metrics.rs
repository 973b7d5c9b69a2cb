//! Metrics under Mainstay's own API: the same questions and answers as Prometheus' API, and live queries.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use kernel::{Fault, Role, Span};
use operations::metrics::{QueryRequest, When};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::caller::Caller;
use crate::endpoint::{Endpoint, Needs};
use crate::prometheus::{Parameters, answer_json, failure_json, handlers};
use crate::server::{Shared, blocking};
use crate::watch;

/// Most queries of one live stream.
const MAX_LIVE_QUERIES: usize = 32;
/// Shortest interval of a live stream.
const MIN_LIVE_INTERVAL: Span = Span::from_secs(1);

pub(crate) fn endpoints() -> Vec<Endpoint> {
    [query_endpoints(), series_endpoints(), text_endpoints()].concat()
}

const VIEWER: Needs = Needs::Role(Role::Viewer);

fn gives(endpoint: Endpoint) -> Endpoint {
    endpoint.gives::<Value>(200, "As Prometheus' API answers.").refuses(crate::prometheus::refusal_schema)
}

fn query_endpoints() -> Vec<Endpoint> {
    let at = Endpoint::get("/api/mainstay/v1/metrics/query", "queryMetrics", VIEWER, get(handlers::query));
    let over = Endpoint::get(
        "/api/mainstay/v1/metrics/query_range",
        "queryMetricsRange",
        VIEWER,
        get(handlers::query_range),
    );
    let live = Endpoint::get("/api/mainstay/v1/metrics/watch", "watchMetrics", VIEWER, get(watch_queries));
    vec![
        gives(at)
            .about("metrics", "Evaluates PromQL at one time.")
            .query_text("query", "PromQL.")
            .query_text("time", "When, as Unix seconds or RFC 3339; now if absent."),
        gives(over)
            .about("metrics", "Evaluates PromQL at every step of a range.")
            .query_text("query", "PromQL.")
            .query_text("start", "From, as Unix seconds or RFC 3339.")
            .query_text("end", "To, as Unix seconds or RFC 3339.")
            .query_text("step", "Between steps, as seconds or a duration."),
        live.about(
            "metrics",
            "Evaluates queries again and again, as server-sent events. `query` may be repeated.",
        )
        .query_text("query", "PromQL.")
        .query_text("interval", "Between evaluations, such as 5s.")
        .gives_text(200, "text/event-stream", "Events `sample` and `heartbeat`.")
        .refuses(crate::prometheus::refusal_schema),
    ]
}

fn series_endpoints() -> Vec<Endpoint> {
    let matching = |endpoint: Endpoint| {
        let texts = json!({"type": "array", "items": {"type": "string"}});
        gives(endpoint)
            .query("match[]", "Series selectors; a series counts when it satisfies any.", texts)
            .query_text("start", "From, as Unix seconds or RFC 3339.")
            .query_text("end", "To, as Unix seconds or RFC 3339.")
            .query("limit", "At most this many; 0 is no limit.", json!({"type": "integer", "minimum": 0}))
    };
    let path = "/api/mainstay/v1/metrics/label/{name}/values";
    vec![
        matching(Endpoint::get(
            "/api/mainstay/v1/metrics/labels",
            "listLabels",
            VIEWER,
            get(handlers::labels),
        ))
        .about("metrics", "Names of labels."),
        matching(Endpoint::get(path, "listLabelValues", VIEWER, get(handlers::label_values)))
            .about("metrics", "Values of a label.")
            .path_parameter("name", "The label."),
        matching(Endpoint::get(
            "/api/mainstay/v1/metrics/series",
            "listSeries",
            VIEWER,
            get(handlers::series),
        ))
        .about("metrics", "Label sets of series."),
    ]
}

fn text_endpoints() -> Vec<Endpoint> {
    let rows = json!({"type": "integer", "minimum": 0, "maximum": 10_000});
    vec![
        gives(Endpoint::get(
            "/api/mainstay/v1/metrics/metadata",
            "listMetadata",
            VIEWER,
            get(handlers::metadata),
        ))
        .about("metrics", "Type, help and unit of metric families.")
        .query_text("metric", "Only of this family."),
        gives(Endpoint::get(
            "/api/mainstay/v1/metrics/cardinality",
            "getCardinality",
            VIEWER,
            get(handlers::tsdb),
        ))
        .about("metrics", "Where series come from.")
        .query("limit", "Rows of each list.", rows),
        gives(Endpoint::get(
            "/api/mainstay/v1/metrics/format",
            "formatQuery",
            VIEWER,
            get(handlers::format_query),
        ))
        .about("metrics", "PromQL, formatted.")
        .query_text("query", "PromQL."),
    ]
}

async fn watch_queries(
    State(shared): State<Shared>,
    caller: Caller,
    parameters: Parameters,
) -> Answer<Response> {
    let queries: Vec<String> = parameters.all("query").map(str::to_owned).collect();
    if queries.is_empty() || queries.len() > MAX_LIVE_QUERIES {
        return Err(Fault::invalid(format!("give 1 to {MAX_LIVE_QUERIES} `query` parameters")).into());
    }
    let interval: Span = parameters
        .first("interval")
        .map_or(Ok(Span::from_secs(5)), str::parse)
        .map_err(|e| Fault::invalid(format!("interval: {e}")))?;
    let interval: Duration = interval.max(MIN_LIVE_INTERVAL).to_std();
    let asked = caller.asked();
    {
        let asked = asked.clone();
        let action = operations::Action::new(operations::Verb::Read, operations::Noun::Metrics);
        blocking(&shared, move |ops| ops.authorise(&asked, &action)).await?;
    }
    let (mut outlet, stream) = watch::stream(&shared, caller);
    tokio::spawn(async move {
        let cancelled = Arc::new(AtomicBool::new(false));
        loop {
            for text in &queries {
                let (text, asked, cancelled) = (text.clone(), asked.clone(), Arc::clone(&cancelled));
                let data = blocking(&shared, move |ops| {
                    let now = ops.now();
                    let when = When::At(now.as_millis());
                    let request = QueryRequest {
                        text: &text,
                        when,
                        timeout: Some(Span::from_secs(10)),
                        lookback_ms: None,
                        cancelled: &cancelled,
                    };
                    let answer = match ops.query(&asked, &request) {
                        Ok(answer) => answer_json(&answer, &text),
                        Err(failure) => failure_json(&failure, &text).1,
                    };
                    Ok(json!({"query": text, "time": now.to_string(), "answer": answer}))
                })
                .await;
                let Ok(data) = data else { return };
                if outlet.send(Event::default().event("sample").data(data.to_string())).await.is_err() {
                    return;
                }
            }
            if outlet.pause(interval).await.is_err() {
                return;
            }
        }
    });
    Ok(stream.into_response())
}
