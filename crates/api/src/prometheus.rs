//! Prometheus' HTTP API: queries, labels, series, metadata. Read by Grafana, promtool and everything else that speaks it.
//!
//! Source: <https://prometheus.io/docs/prometheus/latest/querying/api/>. Beyond it, an error also carries `position`
//! (`{start, end}` in bytes of the query) and `hint`; clients that do not know them pass over them.

mod encode;
pub(crate) mod handlers;
mod parameters;

use axum::routing::{MethodRouter, get, post};
use kernel::Role;
use serde_json::Value;

use crate::endpoint::{Endpoint, Needs};
use crate::server::Shared;

pub(crate) use encode::{answer_json, failure_json};
pub(crate) use parameters::Parameters;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let viewer = Needs::Role(Role::Viewer);
    let endpoint = |path, id, summary, handler: MethodRouter<Shared>| {
        Endpoint::get(path, id, viewer, handler)
            .about("prometheus", summary)
            .gives::<Value>(200, "As Prometheus answers.")
    };
    // The same calls with their parameters in a form, for queries longer than a URL may be.
    let form = |path, id, handler: MethodRouter<Shared>| Endpoint::post(path, id, viewer, handler).undescribed();
    let text = |endpoint: Endpoint, names: &[(&'static str, &'static str)]| {
        names.iter().fold(endpoint, |endpoint, (name, text)| endpoint.query_text(name, text))
    };
    let matching: &[(&str, &str)] = &[
        ("match[]", "A series selector; may be repeated."),
        ("start", "From, as Unix seconds or RFC 3339."),
        ("end", "To, as Unix seconds or RFC 3339."),
        ("limit", "At most this many; 0 is no limit."),
    ];
    let shared: &[(&str, &str)] = &[
        ("query", "PromQL."),
        ("timeout", "Longest evaluation, as a duration or seconds."),
        ("lookback_delta", "How far back an instant selector looks."),
        ("stats", "`all` adds what the query cost."),
        ("limit", "At most this many series in the answer; 0 is no limit."),
    ];
    let instant = endpoint(
        "/api/v1/query",
        "promQuery",
        "Evaluates PromQL at one time.",
        get(handlers::query),
    );
    let range = endpoint(
        "/api/v1/query_range",
        "promQueryRange",
        "Evaluates PromQL at every step of a range.",
        get(handlers::query_range),
    );
    let steps: &[(&str, &str)] =
        &[("start", "From."), ("end", "To."), ("step", "Between steps, as seconds or a duration.")];
    vec![
        text(text(instant, shared), &[("time", "When; now if absent.")]),
        text(text(range, shared), steps),
        text(
            endpoint(
                "/api/v1/labels",
                "promLabels",
                "Names of labels.",
                get(handlers::labels),
            ),
            matching,
        ),
        text(
            endpoint(
                "/api/v1/label/{name}/values",
                "promLabelValues",
                "Values of a label.",
                get(handlers::label_values),
            )
            .path_parameter("name", "The label."),
            matching,
        ),
        text(
            endpoint(
                "/api/v1/series",
                "promSeries",
                "Label sets of series.",
                get(handlers::series),
            ),
            matching,
        ),
        text(
            endpoint("/api/v1/metadata", "promMetadata", "Type, help and unit.", get(handlers::metadata)),
            &[("metric", "Only of this family."), ("limit", "At most this many families.")],
        ),
        text(
            endpoint(
                "/api/v1/format_query",
                "promFormatQuery",
                "PromQL, formatted.",
                get(handlers::format_query),
            ),
            &[("query", "PromQL.")],
        ),
        text(
            endpoint(
                "/api/v1/parse_query",
                "promParseQuery",
                "PromQL as a syntax tree.",
                get(handlers::parse_query),
            ),
            &[("query", "PromQL.")],
        ),
        form("/api/v1/query", "promQueryForm", post(handlers::query)),
        form("/api/v1/query_range", "promQueryRangeForm", post(handlers::query_range)),
        form("/api/v1/labels", "promLabelsForm", post(handlers::labels)),
        form("/api/v1/series", "promSeriesForm", post(handlers::series)),
        form("/api/v1/format_query", "promFormatQueryForm", post(handlers::format_query)),
        form("/api/v1/parse_query", "promParseQueryForm", post(handlers::parse_query)),
        endpoint("/api/v1/status/buildinfo", "promBuildInfo", "The version.", get(handlers::build_info)),
        endpoint("/api/v1/status/tsdb", "promTsdb", "Where series come from.", get(handlers::tsdb)),
    ]
}
