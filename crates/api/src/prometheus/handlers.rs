//! The handlers of Prometheus' API, also mounted under Mainstay's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use kernel::Timestamp;
use metrics::promql::{self, Options};
use operations::Operations;
use operations::metrics::{QueryFailure, QueryRequest, When};
use serde_json::{Map, Value, json};

use super::encode::{Wrong, answer_json, bad_data, cut, failed, stats_json, success};
use super::parameters::Parameters;
use crate::caller::Caller;
use crate::server::Shared;

/// Rows of each list of the cardinality page when the caller does not say.
const TSDB_ROWS: usize = 10;
/// What Prometheus says when it cut a list.
const TRUNCATED: &str = "results truncated due to limit";
/// Most rows of each list.
const MAX_TSDB_ROWS: usize = 10_000;

type Answered = Result<Response, Wrong>;

/// What a question about series says.
struct SeriesQuestion {
    selectors: Vec<String>,
    range: (i64, i64),
    limit: usize,
}

/// Sets its flag when it is dropped before the work is done: the client has gone.
struct Hangup(Arc<AtomicBool>);

impl Drop for Hangup {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs `work` off the runtime; a panic in it is a bug of ours, answered as one.
async fn run<T: Send + 'static>(
    shared: &Shared,
    query: &str,
    work: impl FnOnce(&Operations) -> Result<T, QueryFailure> + Send + 'static,
) -> Result<T, Wrong> {
    let operations = Arc::clone(&shared.0.operations);
    match tokio::task::spawn_blocking(move || work(&operations)).await {
        Ok(done) => done.map_err(|failure| failed(&failure, query)),
        Err(error) => Err(failed(&QueryFailure::Fault(kernel::Fault::bug(error.to_string())), query)),
    }
}

pub(crate) async fn query(State(shared): State<Shared>, caller: Caller, parameters: Parameters) -> Answered {
    let at = parameters.time("time")?.unwrap_or_else(|| shared.0.operations.now().as_millis());
    evaluate(&shared, &caller, &parameters, When::At(at)).await
}

pub(crate) async fn query_range(
    State(shared): State<Shared>,
    caller: Caller,
    parameters: Parameters,
) -> Answered {
    let missing = |name: &str| bad_data(&format!("invalid parameter {name:?}: it is missing"));
    let start = parameters.time("start")?.ok_or_else(|| missing("start"))?;
    let end = parameters.time("end")?.ok_or_else(|| missing("end"))?;
    let step = parameters.duration("step")?.ok_or_else(|| missing("step"))?;
    if end < start {
        return Err(bad_data("invalid parameter \"end\": end timestamp must not be before start time"));
    }
    if step <= 0 {
        return Err(bad_data(
            "invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a \
             positive integer",
        ));
    }
    evaluate(&shared, &caller, &parameters, When::Range { start, end, step }).await
}

async fn evaluate(shared: &Shared, caller: &Caller, parameters: &Parameters, when: When) -> Answered {
    let Some(text) = parameters.first("query").map(str::to_owned) else {
        return Err(bad_data("invalid parameter \"query\": it is missing"));
    };
    let (timeout, lookback_ms, limit) =
        (parameters.span("timeout")?, parameters.duration("lookback_delta")?, parameters.limit()?);
    let asked = caller.asked();
    let cancelled = Arc::new(AtomicBool::new(false));
    let hangup = Hangup(Arc::clone(&cancelled));
    let started = Instant::now();
    let query = text.clone();
    let mut answer = run(shared, &text, move |ops| {
        let request = QueryRequest { text: &query, when, timeout, lookback_ms, cancelled: &cancelled };
        ops.query(&asked, &request)
    })
    .await?;
    drop(hangup);
    let was_cut = cut(&mut answer.value, limit);
    let mut body = answer_json(&answer, &text);
    if let (true, Some(fields)) = (was_cut, body.as_object_mut()) {
        let warnings = fields.entry("warnings").or_insert_with(|| json!([]));
        warnings.as_array_mut().into_iter().for_each(|warnings| warnings.push(TRUNCATED.into()));
    }
    if parameters.first("stats").is_some() {
        let stats = stats_json(&answer.stats, started.elapsed().as_secs_f64());
        if let Some(data) = body.get_mut("data").and_then(Value::as_object_mut) {
            data.insert("stats".into(), stats);
        }
    }
    Ok(Json(body).into_response())
}

/// Everything a question about series says: selectors, range, limit. One more than the limit is asked for, so that it is
/// known when something was cut.
fn series_question(parameters: &Parameters) -> Result<SeriesQuestion, Wrong> {
    let selectors = parameters.all("match[]").map(str::to_owned).collect();
    let start = parameters.time("start")?.unwrap_or_else(|| Timestamp::MIN.as_millis());
    let end = parameters.time("end")?.unwrap_or_else(|| Timestamp::MAX.as_millis());
    if end < start {
        return Err(bad_data("invalid parameter \"end\": end timestamp must not be before start time"));
    }
    Ok(SeriesQuestion { selectors, range: (start, end), limit: parameters.limit()? })
}

/// A list, cut at the limit with a warning.
fn listed<T: serde::Serialize>(mut all: Vec<T>, limit: usize) -> Response {
    if all.len() <= limit {
        return success(json!(all));
    }
    all.truncate(limit);
    Json(json!({"status": "success", "data": all, "warnings": [TRUNCATED]})).into_response()
}

pub(crate) async fn labels(State(shared): State<Shared>, caller: Caller, parameters: Parameters) -> Answered {
    let SeriesQuestion { selectors, range, limit } = series_question(&parameters)?;
    let asked = caller.asked();
    let names =
        run(&shared, "", move |ops| ops.label_names(&asked, &selectors, range, limit.saturating_add(1)))
            .await?;
    Ok(listed(names, limit))
}

pub(crate) async fn label_values(
    State(shared): State<Shared>,
    caller: Caller,
    Path(name): Path<String>,
    parameters: Parameters,
) -> Answered {
    let SeriesQuestion { selectors, range, limit } = series_question(&parameters)?;
    let asked = caller.asked();
    let values = run(&shared, "", move |ops| {
        ops.label_values(&asked, &name, &selectors, range, limit.saturating_add(1))
    })
    .await?;
    Ok(listed(values, limit))
}

pub(crate) async fn series(State(shared): State<Shared>, caller: Caller, parameters: Parameters) -> Answered {
    let SeriesQuestion { selectors, range, limit } = series_question(&parameters)?;
    let asked = caller.asked();
    let all =
        run(&shared, "", move |ops| ops.series(&asked, &selectors, range, limit.saturating_add(1))).await?;
    Ok(listed(all, limit))
}

pub(crate) async fn metadata(
    State(shared): State<Shared>,
    caller: Caller,
    parameters: Parameters,
) -> Answered {
    let name = parameters.first("metric").map(str::to_owned);
    let limit = parameters.limit()?;
    let asked = caller.asked();
    let families = run(&shared, "", move |ops| {
        ops.metric_metadata(&asked, name.as_deref()).map_err(QueryFailure::Fault)
    })
    .await?;
    let data: Map<String, Value> = families
        .into_iter()
        .take(limit)
        .map(|family| (family.name, json!([{"type": family.kind, "help": family.help, "unit": family.unit}])))
        .collect();
    Ok(success(Value::Object(data)))
}

/// The query as the caller may ask about its text.
async fn query_text(shared: &Shared, caller: &Caller, parameters: &Parameters) -> Result<String, Wrong> {
    let asked = caller.asked();
    run(shared, "", move |ops| {
        let action = operations::Action::new(operations::Verb::Read, operations::Noun::Metrics);
        ops.authorise(&asked, &action).map_err(QueryFailure::Fault)
    })
    .await?;
    let missing = || bad_data("invalid parameter \"query\": it is missing");
    parameters.first("query").map(str::to_owned).ok_or_else(missing)
}

pub(crate) async fn format_query(
    State(shared): State<Shared>,
    caller: Caller,
    parameters: Parameters,
) -> Answered {
    let text = query_text(&shared, &caller, &parameters).await?;
    let formatted = promql::format_query(&text, &Options::default().syntax);
    Ok(success(formatted.map_err(|error| failed(&QueryFailure::Query(error), &text))?.into()))
}

pub(crate) async fn parse_query(
    State(shared): State<Shared>,
    caller: Caller,
    parameters: Parameters,
) -> Answered {
    let text = query_text(&shared, &caller, &parameters).await?;
    let parsed = promql::parse(&text, &Options::default().syntax);
    let expr = parsed.map_err(|error| failed(&QueryFailure::Query(error), &text))?;
    Ok(success(promql::ast_json(&expr)))
}

pub(crate) async fn build_info(State(shared): State<Shared>, caller: Caller) -> Answered {
    let asked = caller.asked();
    run(&shared, "", move |ops| {
        let action = operations::Action::new(operations::Verb::Read, operations::Noun::Metrics);
        ops.authorise(&asked, &action).map_err(QueryFailure::Fault)
    })
    .await?;
    // Clients decide by `version` what they may ask; what is answered here is Prometheus 3's API.
    Ok(success(json!({
        "version": "3.0.0",
        "application": "mainstay",
        "revision": env!("CARGO_PKG_VERSION"),
        "branch": "",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
        "features": {},
    })))
}

pub(crate) async fn tsdb(State(shared): State<Shared>, caller: Caller, parameters: Parameters) -> Answered {
    let rows = parameters.limit()?;
    let rows = if rows == usize::MAX { TSDB_ROWS } else { rows };
    if rows > MAX_TSDB_ROWS {
        return Err(bad_data(&format!("invalid parameter \"limit\": at most {MAX_TSDB_ROWS}")));
    }
    let asked = caller.asked();
    let (found, stats) = run(&shared, "", move |ops| {
        let found = ops.cardinality(&asked, rows).map_err(QueryFailure::Fault)?;
        Ok((found, ops.store().stats()))
    })
    .await?;
    let list = |pairs: Vec<(String, u64)>| -> Vec<Value> {
        pairs.into_iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
    };
    Ok(success(json!({
        "headStats": {
            "numSeries": found.series,
            "numLabelPairs": found.label_pairs,
            "chunkCount": stats.head_samples,
            "minTime": stats.oldest,
            "maxTime": stats.newest,
        },
        "seriesCountByMetricName": list(found.series_by_metric),
        "labelValueCountByLabelName": list(found.values_by_label),
        "memoryInBytesByLabelName": list(found.bytes_by_label),
        "seriesCountByLabelValuePair": list(found.series_by_pair),
    })))
}
