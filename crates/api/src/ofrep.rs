//! The OpenFeature Remote Evaluation Protocol 0.3: evaluate one flag or all of them, and be told when flags change.
//!
//! Source: <https://github.com/open-feature/protocol>, `openapi.yaml`. Where the document and flagd differ in strictness,
//! callers are served: a context without a targeting key is evaluated (flags without fractions need none); one whose
//! targeting key is there and empty is refused as TARGETING_KEY_MISSING.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use flags::{Context, ErrorCode, Evaluation, Reason, TARGETING_KEY};
use kernel::{Fault, FaultKind, Role};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::answer::{Answer, Refused, report, status_of, with_fault_headers};
use crate::caller::Caller;
use crate::endpoint::{Endpoint, Needs};
use crate::extract::Query;
use crate::server::{Shared, blocking};
use crate::watch;

/// The header that names the environment a caller runs in.
const ENVIRONMENT: &str = "x-mainstay-environment";
/// Several changes within this time are told as one.
const GATHER: Duration = Duration::from_millis(50);

/// The body of an evaluation.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "describes the body; it is read by hand so that its errors are the protocol's")]
struct EvaluationBody {
    /// Who asks: `targetingKey` and whatever rules look at.
    context: Map<String, Value>,
}

/// What the query string may say.
#[derive(Deserialize)]
struct Asking {
    environment: Option<String>,
}

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let needs = Needs::LocalOr(Role::Viewer);
    let in_environment = |endpoint: Endpoint| {
        endpoint.refuses(refusal_schema).query_text(
            "environment",
            "The environment the caller runs in; also as header X-Mainstay-Environment.",
        )
    };
    vec![
        in_environment(Endpoint::post("/ofrep/v1/evaluate/flags", "evaluateFlagsBulk", needs, post(bulk)))
            .about("ofrep", "Evaluates every flag for one context (OFREP).")
            .takes::<EvaluationBody>()
            .gives::<Value>(200, "The evaluations, with an ETag.")
            .gives_nothing(304, "Nothing has changed since the ETag given as If-None-Match."),
        in_environment(Endpoint::post(
            "/ofrep/v1/evaluate/flags/{key}",
            "evaluateFlagOfrep",
            needs,
            post(single),
        ))
        .about("ofrep", "Evaluates one flag (OFREP).")
        .path_parameter("key", "The flag's key.")
        .takes::<EvaluationBody>()
        .gives::<Value>(200, "The evaluation."),
        Endpoint::get("/ofrep/v1/events", "watchFlagsOfrep", needs, get(events))
            .about("ofrep", "Tells when flags changed, as server-sent events (OFREP).")
            .gives_text(200, "text/event-stream", "Messages `{\"type\":\"refetchEvaluation\",…}`."),
    ]
}

/// The body of an [`OfrepRefusal`].
fn refusal_schema(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({
        "type": "object",
        "required": ["errorDetails"],
        "properties": {
            "key": {"type": "string"},
            "errorCode": {"type": "string"},
            "errorDetails": {"type": "string"},
        },
    })
}

/// A refusal in the protocol's words.
struct OfrepRefusal {
    /// Boxed, because answers are the common case.
    fault: Box<Fault>,
    key: Option<String>,
    code: Option<ErrorCode>,
}

impl IntoResponse for OfrepRefusal {
    fn into_response(self) -> Response {
        report(&self.fault);
        let status = status_of(self.fault.kind);
        let mut body = Map::new();
        if let Some(key) = self.key {
            body.insert("key".into(), key.into());
        }
        if let Some(code) = self.code {
            body.insert("errorCode".into(), code.as_str().into());
        }
        body.insert("errorDetails".into(), self.fault.message.clone().into());
        with_fault_headers(&self.fault, (status, Json(Value::Object(body))).into_response())
    }
}

fn refused(key: Option<&str>, fault: Fault) -> OfrepRefusal {
    OfrepRefusal { fault: Box::new(fault), key: key.map(str::to_owned), code: None }
}

fn invalid(key: Option<&str>, code: ErrorCode, message: impl Into<String>) -> OfrepRefusal {
    OfrepRefusal { fault: Box::new(Fault::invalid(message)), key: key.map(str::to_owned), code: Some(code) }
}

/// The context of a request.
fn context(key: Option<&str>, body: &Bytes) -> Result<Context, OfrepRefusal> {
    let parsed: Value = serde_json::from_slice(body)
        .map_err(|e| invalid(key, ErrorCode::ParseError, format!("the body is not JSON: {e}")))?;
    let Value::Object(mut body) = parsed else {
        return Err(invalid(key, ErrorCode::ParseError, "the body is not a JSON object"));
    };
    let Some(context) = body.remove("context") else {
        return Err(invalid(key, ErrorCode::InvalidContext, "the body has no `context`"));
    };
    if matches!(context.get(TARGETING_KEY), Some(Value::Null))
        || context.get(TARGETING_KEY) == Some(&json!(""))
    {
        return Err(invalid(key, ErrorCode::TargetingKeyMissing, "the context's targetingKey is empty"));
    }
    Context::parse(context).map_err(|e| invalid(key, ErrorCode::InvalidContext, e.to_string()))
}

fn environment(headers: &HeaderMap, asking: Asking) -> Option<String> {
    let header = headers.get(ENVIRONMENT).and_then(|value| value.to_str().ok()).map(str::to_owned);
    asking.environment.or(header).filter(|name| !name.is_empty())
}

/// OFREP's list of reasons has no DEFAULT: a rule that had no say is answered as UNKNOWN, which the list has.
fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Default => "UNKNOWN",
        other => other.as_str(),
    }
}

/// An evaluation in the protocol's words.
fn evaluation_json(key: &str, evaluation: &Evaluation) -> Value {
    let mut body = Map::new();
    body.insert("key".into(), key.into());
    if let Some(code) = evaluation.error_code {
        body.insert("errorCode".into(), code.as_str().into());
    } else {
        body.insert("reason".into(), reason(evaluation.reason).into());
        if let Some(value) = &evaluation.value {
            body.insert("value".into(), value.as_ref().clone());
        }
        if let Some(variant) = &evaluation.variant {
            body.insert("variant".into(), variant.as_ref().into());
        }
    }
    if let Some(details) = &evaluation.error_details {
        body.insert("errorDetails".into(), details.as_ref().into());
    }
    if !evaluation.metadata.is_empty() {
        body.insert("metadata".into(), Value::Object(evaluation.metadata.as_ref().clone()));
    }
    Value::Object(body)
}

async fn single(
    State(shared): State<Shared>,
    caller: Caller,
    Path(key): Path<String>,
    Query(asking): Query<Asking>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, OfrepRefusal> {
    let asked = caller.asked();
    // Who may not ask is told so before what is wrong with the question.
    may_evaluate(&shared, &caller).await.map_err(|r| refused(Some(&key), r.0))?;
    let context = context(Some(&key), &body)?;
    let environment = environment(&headers, asking);
    let name = key.clone();
    let evaluation =
        blocking(&shared, move |ops| ops.evaluate(&asked, &name, environment.as_deref(), &context, true))
            .await
            .map_err(|r| refused(Some(&key), r.0))?;
    let status = match evaluation.error_code {
        None => StatusCode::OK,
        Some(ErrorCode::FlagNotFound) => StatusCode::NOT_FOUND,
        Some(_) => StatusCode::BAD_REQUEST,
    };
    Ok((status, Json(evaluation_json(&key, &evaluation))).into_response())
}

async fn may_evaluate(shared: &Shared, caller: &Caller) -> Answer<()> {
    let asked = caller.asked();
    blocking(shared, move |ops| {
        ops.authorise(&asked, &operations::Action::new(operations::Verb::Act, operations::Noun::Evaluations))
    })
    .await
}

async fn bulk(
    State(shared): State<Shared>,
    caller: Caller,
    Query(asking): Query<Asking>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, OfrepRefusal> {
    let asked = caller.asked();
    may_evaluate(&shared, &caller).await.map_err(|r| refused(None, r.0))?;
    let context = context(None, &body)?;
    let environment = environment(&headers, asking);
    let all = blocking(&shared, move |ops| ops.evaluate_all(&asked, environment.as_deref(), &context))
        .await
        .map_err(|r| refused(None, r.0))?;
    let flags: Vec<Value> = all.iter().map(|(key, evaluation)| evaluation_json(key, evaluation)).collect();
    let body = json!({
        "flags": flags,
        "eventStreams": [{"type": "sse", "endpoint": {"requestUri": "/ofrep/v1/events"}}],
    })
    .to_string();
    // Over the answer itself: a rule may look at the time, so that the flags' version alone would not do.
    let hash = Sha256::digest(&body);
    let tag: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{tag}\"");
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let same = known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag || one.trim() == "*");
    if same {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    Ok(([(header::ETAG, tag), (header::CONTENT_TYPE, "application/json".to_owned())], body).into_response())
}

async fn events(State(shared): State<Shared>, caller: Caller) -> Answer<Response> {
    let asked = caller.asked();
    let mut changed = blocking(&shared, move |ops| ops.watch_flags(&asked)).await?;
    let _ = changed.borrow_and_update();
    let (mut outlet, stream) = watch::stream(&shared, caller);
    tokio::spawn(async move {
        loop {
            if outlet.until_changed(&mut changed).await.is_err() || outlet.pause(GATHER).await.is_err() {
                return;
            }
            let (seq, at) = *changed.borrow_and_update();
            let data = json!({
                "type": "refetchEvaluation",
                "etag": seq.to_string(),
                "lastModified": at.as_secs(),
            });
            let event = Event::default().event("message").id(seq.to_string()).data(data.to_string());
            if outlet.send(event).await.is_err() {
                return;
            }
        }
    });
    Ok(stream.into_response())
}

impl From<Refused> for OfrepRefusal {
    fn from(Refused(fault): Refused) -> Self {
        let code = (fault.kind == FaultKind::Invalid).then_some(ErrorCode::General);
        Self { fault: Box::new(fault), key: None, code }
    }
}
