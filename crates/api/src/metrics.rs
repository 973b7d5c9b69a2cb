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
    let viewer = Needs::Role(Role::Viewer);
    let number = || json!({"type": "string"});
    let query = |endpoint: Endpoint| endpoint.query_text("query", "PromQL.");
    let matching = |endpoint: Endpoint| {
        endpoint
            .query("match[]", "Series selectors; a series counts when it satisfies any.", json!({
                "type": "array", "items": {"type": "string"},
            }))
            .query("start", "From, as Unix seconds or RFC 3339.", number())
            .query("end", "To, as Unix seconds or RFC 3339.", number())
            .query("limit", "At most this many; 0 is no limit.", json!({"type": "integer", "minimum": 0}))
    };
    let gives = |endpoint: Endpoint| endpoint.gives::<Value>(200, "As Prometheus' API answers.");
    vec![
        gives(query(Endpoint::get("/api/mainstay/v1/metrics/query", "queryMetrics", viewer, get(handlers::query)))
            .about("metrics", "Evaluates PromQL at one time.")
            .query("time", "When, as Unix seconds or RFC 3339; now if absent.", number())),
        gives(query(Endpoint::get(
            "/api/mainstay/v1/metrics/query_range",
            "queryMetricsRange",
            viewer,
            get(handlers::query_range),
        ))
        .about("metrics", "Evaluates PromQL at every step of a range.")
        .query("start", "From, as Unix seconds or RFC 3339.", number())
        .query("end", "To, as Unix seconds or RFC 3339.", number())
        .query("step", "Between steps, as seconds or a duration.", number())),
        gives(matching(Endpoint::get("/api/mainstay/v1/metrics/labels", "listLabels", viewer, get(handlers::labels)))
            .about("metrics", "Names of labels.")),
        gives(matching(Endpoint::get(
            "/api/mainstay/v1/metrics/label/{name}/values",
            "listLabelValues",
            viewer,
            get(handlers::label_values),
        ))
        .about("metrics", "Values of a label.")
        .path_parameter("name", "The label.")),
        gives(matching(Endpoint::get("/api/mainstay/v1/metrics/series", "listSeries", viewer, get(handlers::series)))
            .about("metrics", "Label sets of series.")),
        gives(Endpoint::get("/api/mainstay/v1/metrics/metadata", "listMetadata", viewer, get(handlers::metadata))
            .about("metrics", "Type, help and unit of metric families.")
            .query_text("metric", "Only of this family.")),
        gives(Endpoint::get("/api/mainstay/v1/metrics/cardinality", "getCardinality", viewer, get(handlers::tsdb))
            .about("metrics", "Where series come from.")
            .query("limit", "Rows of each list.", json!({"type": "integer", "minimum": 1, "maximum": 10_000}))),
        gives(query(Endpoint::get(
            "/api/mainstay/v1/metrics/format",
            "formatQuery",
            viewer,
            get(handlers::format_query),
        ))
        .about("metrics", "PromQL, formatted.")),
        query(Endpoint::get("/api/mainstay/v1/metrics/watch", "watchMetrics", viewer, get(watch_queries)))
            .about("metrics", "Evaluates queries again and again, as server-sent events. `query` may be repeated.")
            .query("interval", "Between evaluations, such as 5s.", json!({"type": "string"}))
            .gives_text(200, "text/event-stream", "Events `sample` and `heartbeat`."),
    ]
}

async fn watch_queries(State(shared): State<Shared>, caller: Caller, parameters: Parameters) -> Answer<Response> {
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
    let (mut outlet, stream) = watch::stream(&shared);
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
