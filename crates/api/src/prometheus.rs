//! Prometheus' HTTP API: queries, labels, series, metadata. Read by Grafana, promtool and everything else that speaks it.
//!
//! Source: <https://prometheus.io/docs/prometheus/latest/querying/api/>. Beyond it, an error also carries `position`
//! (`{start, end}` in bytes of the query) and `hint`; clients that do not know them pass over them.

mod encode;
pub(crate) mod handlers;
mod parameters;

use axum::routing::{MethodRouter, get, post};
use kernel::Role;
use schemars::{Schema, SchemaGenerator};
use serde_json::Value;

use crate::endpoint::{Endpoint, Needs};
use crate::server::Shared;

pub(crate) use encode::{answer_json, failure_json};
pub(crate) use parameters::Parameters;

const VIEWER: Needs = Needs::Role(Role::Viewer);

/// A parameter's name and what it says.
type Named = (&'static str, &'static str);

const MATCHING: &[Named] = &[
    ("match[]", "A series selector; may be repeated."),
    ("start", "From, as Unix seconds or RFC 3339."),
    ("end", "To, as Unix seconds or RFC 3339."),
    ("limit", "At most this many; 0 is no limit."),
];
const QUERYING: &[Named] = &[
    ("query", "PromQL."),
    ("timeout", "Longest evaluation, as a duration or seconds."),
    ("lookback_delta", "How far back an instant selector looks."),
    ("stats", "`all` adds what the query cost."),
    ("limit", "At most this many series in the answer; 0 is no limit."),
];

pub(crate) fn endpoints() -> Vec<Endpoint> {
    [query_endpoints(), series_endpoints(), text_endpoints(), form_endpoints()].concat()
}

fn endpoint(
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    handler: MethodRouter<Shared>,
    parameters: &[&[Named]],
) -> Endpoint {
    let plain = Endpoint::get(path, id, VIEWER, handler)
        .about("prometheus", summary)
        .gives::<Value>(200, "As Prometheus answers.")
        .refuses(refusal_schema);
    parameters.iter().copied().flatten().fold(plain, |endpoint, (name, text)| endpoint.query_text(name, text))
}

fn query_endpoints() -> Vec<Endpoint> {
    let (at, over) = ("Evaluates PromQL at one time.", "Evaluates PromQL at every step of a range.");
    let steps: &[Named] =
        &[("start", "From."), ("end", "To."), ("step", "Between steps, as seconds or a duration.")];
    let time: &[Named] = &[("time", "When; now if absent.")];
    vec![
        endpoint("/api/v1/query", "promQuery", at, get(handlers::query), &[QUERYING, time]),
        endpoint(
            "/api/v1/query_range",
            "promQueryRange",
            over,
            get(handlers::query_range),
            &[QUERYING, steps],
        ),
    ]
}

fn series_endpoints() -> Vec<Endpoint> {
    let values = "/api/v1/label/{name}/values";
    let sets = "Label sets of series.";
    vec![
        endpoint("/api/v1/labels", "promLabels", "Names of labels.", get(handlers::labels), &[MATCHING]),
        endpoint(values, "promLabelValues", "Values of a label.", get(handlers::label_values), &[MATCHING])
            .path_parameter("name", "The label."),
        endpoint("/api/v1/series", "promSeries", sets, get(handlers::series), &[MATCHING]),
    ]
}

fn text_endpoints() -> Vec<Endpoint> {
    let family: &[Named] = &[("metric", "Only of this family."), ("limit", "At most this many families.")];
    let text: &[Named] = &[("query", "PromQL.")];
    let (formatted, tree) = ("PromQL, formatted.", "PromQL as a syntax tree.");
    let origin = "Where series come from.";
    vec![
        endpoint(
            "/api/v1/metadata",
            "promMetadata",
            "Type, help and unit.",
            get(handlers::metadata),
            &[family],
        ),
        endpoint("/api/v1/format_query", "promFormatQuery", formatted, get(handlers::format_query), &[text]),
        endpoint("/api/v1/parse_query", "promParseQuery", tree, get(handlers::parse_query), &[text]),
        endpoint("/api/v1/status/buildinfo", "promBuildInfo", "The version.", get(handlers::build_info), &[]),
        endpoint("/api/v1/status/tsdb", "promTsdb", origin, get(handlers::tsdb), &[]),
    ]
}

/// The same calls with their parameters in a form, for queries longer than a URL may be.
fn form_endpoints() -> Vec<Endpoint> {
    let form = |path, id, handler: MethodRouter<Shared>| {
        Endpoint::post(path, id, VIEWER, handler)
            .about("prometheus", "The same call with its parameters in a form.")
            .takes_form()
            .gives::<Value>(200, "As Prometheus answers.")
            .refuses(refusal_schema)
    };
    vec![
        form("/api/v1/query", "promQueryForm", post(handlers::query)),
        form("/api/v1/query_range", "promQueryRangeForm", post(handlers::query_range)),
        form("/api/v1/labels", "promLabelsForm", post(handlers::labels)),
        form("/api/v1/series", "promSeriesForm", post(handlers::series)),
        form("/api/v1/format_query", "promFormatQueryForm", post(handlers::format_query)),
        form("/api/v1/parse_query", "promParseQueryForm", post(handlers::parse_query)),
    ]
}

/// The body of a refusal as Prometheus writes it; made by [`failure_json`].
pub(crate) fn refusal_schema(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({
        "type": "object",
        "required": ["status", "errorType", "error"],
        "properties": {
            "status": {"const": "error"},
            "errorType": {"type": "string"},
            "error": {"type": "string"},
        },
    })
}
