//! Resources over HTTP: kinds and schemas, listing, applying, comparing, deleting, history, watching.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::sse::Event as SseEvent;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use kernel::{Fault, Role};
use ledger::FactFilter;
use operations::Operations;
use operations::resources::{
    Applied, ApplyOptions, ApplyReport, Event, KINDS, Kind, ListFilter, Source, View,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::answer::{Answer, Page, Paging};
use crate::caller::Caller;
use crate::endpoint::{Endpoint, Needs};
use crate::extract::{Body, Path, Query};
use crate::server::{Shared, blocking};
use crate::watch;

/// Texts to read resources from.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DocumentsBody {
    /// YAML or JSON texts, each with the name that messages give it.
    documents: Vec<DocumentBody>,
    /// Why; kept in the ledger.
    #[serde(default)]
    reason: Option<String>,
    /// Decide and compare, and change nothing.
    #[serde(default)]
    dry_run: bool,
    /// Also delete what `managedBy` applied before and these documents no longer declare.
    #[serde(default)]
    prune: bool,
    /// Who keeps these resources applied.
    #[serde(default)]
    managed_by: Option<String>,
}

/// One text.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DocumentBody {
    /// Its name, for messages.
    #[serde(default)]
    file: String,
    /// What it holds.
    text: String,
}

/// What an apply did, or would do.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AppliedBody {
    /// Names the change; absent when nothing changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    change_id: Option<String>,
    /// True when nothing was to be changed.
    dry_run: bool,
    /// One per document: key, outcome, version, diff.
    #[schemars(with = "Vec<Value>")]
    results: Vec<Applied>,
}

/// The resources that texts declare.
#[derive(Serialize, JsonSchema)]
struct ValidBody {
    /// One per document.
    results: Vec<ValidItem>,
}

/// A valid resource.
#[derive(Serialize, JsonSchema)]
struct ValidItem {
    /// `Flag/new-checkout`.
    key: String,
}

/// A kind, as lists show it.
#[derive(Serialize, JsonSchema)]
struct KindBody {
    /// As written in `kind`.
    kind: String,
    /// As the command line also takes it.
    plural: String,
    /// Who decides about it.
    chapter: String,
    /// One sentence.
    description: String,
    /// The JSON Schema of the whole resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<Value>,
    /// A small resource, as YAML.
    #[serde(skip_serializing_if = "Option::is_none")]
    example: Option<String>,
}

/// A deletion.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct DeletedBody {
    /// Names the change; absent when it was only tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    change_id: Option<String>,
}

/// A resource with its last change.
#[derive(Serialize, JsonSchema)]
struct ViewBody(#[schemars(with = "Value")] View);

/// One fact of a resource.
#[derive(Serialize, JsonSchema)]
struct EventBody(#[schemars(with = "Value")] Event);

/// Which resources a list wants.
#[derive(Deserialize)]
struct Listing {
    kind: Option<String>,
    selector: Option<String>,
    q: Option<String>,
    limit: Option<usize>,
    page: Option<String>,
}

/// How one resource is wanted.
#[derive(Deserialize)]
struct Format {
    format: Option<FormatName>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum FormatName {
    Json,
    Yaml,
}

/// What a deletion may say.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Deleting {
    reason: Option<String>,
    version: Option<u64>,
    #[serde(default)]
    dry_run: bool,
}

pub(crate) fn endpoints() -> Vec<Endpoint> {
    [kind_endpoints(), reading_endpoints(), changing_endpoints()].concat()
}

fn kind_endpoints() -> Vec<Endpoint> {
    let viewer = Needs::Role(Role::Viewer);
    vec![
        Endpoint::get("/api/mainstay/v1/kinds", "listKinds", viewer, get(kinds))
            .about("resources", "Every kind of resource.")
            .paged()
            .gives::<Page<KindBody>>(200, "A page of kinds."),
        Endpoint::get("/api/mainstay/v1/kinds/{kind}", "getKind", viewer, get(kind))
            .about("resources", "One kind with its JSON Schema and an example.")
            .path_parameter("kind", "The kind, in any of its spellings.")
            .gives::<KindBody>(200, "The kind."),
        Endpoint::get("/api/mainstay/v1/schema", "getSchema", viewer, get(schema))
            .about("resources", "One JSON Schema over all kinds, for editors.")
            .gives::<Value>(200, "The schema."),
    ]
}

fn named(endpoint: Endpoint) -> Endpoint {
    endpoint
        .path_parameter("kind", "The kind, in any of its spellings.")
        .path_parameter("name", "The resource's name.")
}

fn reading_endpoints() -> Vec<Endpoint> {
    let viewer = Needs::Role(Role::Viewer);
    vec![
        Endpoint::get("/api/mainstay/v1/resources", "listResources", viewer, get(list))
            .about("resources", "Resources by kind and name.")
            .query_text("kind", "Only this kind.")
            .query_text("selector", "Only with these labels: `team=payments,tier=1`.")
            .query_text("q", "Only with this text in the name.")
            .paged()
            .gives::<Page<ViewBody>>(200, "A page of resources."),
        named(Endpoint::get("/api/mainstay/v1/resources/{kind}/{name}", "getResource", viewer, get(one)))
            .about("resources", "One resource.")
            .query("format", "`json` or `yaml`.", json!({"type": "string", "enum": ["json", "yaml"]}))
            .gives::<ViewBody>(200, "The resource; as YAML with `format=yaml`."),
        named(Endpoint::get(
            "/api/mainstay/v1/resources/{kind}/{name}/history",
            "getHistory",
            viewer,
            get(history),
        ))
        .about("resources", "What became of a resource, newest first; also of one that is gone.")
        .paged()
        .gives::<Page<EventBody>>(200, "A page of its facts with what each changed."),
        Endpoint::get("/api/mainstay/v1/resources/watch", "watchResources", viewer, get(watch_resources))
            .about("resources", "Changes of resources as server-sent events; resumes by `Last-Event-ID`.")
            .query_text("kind", "Only this kind.")
            .query("after", "Start after this fact.", json!({"type": "integer", "minimum": 0}))
            .gives_text(200, "text/event-stream", "Events `resource` and `heartbeat`."),
    ]
}

fn changing_endpoints() -> Vec<Endpoint> {
    let (viewer, operator) = (Needs::Role(Role::Viewer), Needs::Role(Role::Operator));
    vec![
        Endpoint::post("/api/mainstay/v1/resources/apply", "applyResources", operator, post(apply))
            .about(
                "resources",
                "Makes resources as declared: all or nothing. A viewer may try with `dryRun`.",
            )
            .takes::<DocumentsBody>()
            .gives::<AppliedBody>(200, "What became of each."),
        Endpoint::post("/api/mainstay/v1/resources/validate", "validateResources", viewer, post(validate))
            .about("resources", "Checks resources without changing anything.")
            .takes::<DocumentsBody>()
            .gives::<ValidBody>(200, "They are in order."),
        Endpoint::post("/api/mainstay/v1/resources/diff", "diffResources", viewer, post(diff))
            .about("resources", "What applying would change.")
            .takes::<DocumentsBody>()
            .gives::<AppliedBody>(200, "What would become of each."),
        named(Endpoint::delete(
            "/api/mainstay/v1/resources/{kind}/{name}",
            "deleteResource",
            operator,
            delete(remove),
        ))
        .about("resources", "Removes a resource; refused while something refers to it.")
        .query_text("reason", "Why; kept in the ledger.")
        .query(
            "version",
            "If given, it must be the current version.",
            json!({"type": "integer", "minimum": 0}),
        )
        .query("dryRun", "Decide, and change nothing.", json!({"type": "boolean"}))
        .gives::<DeletedBody>(200, "Removed."),
    ]
}

// === kinds ===

/// Kinds and schemas are the same for everyone; reading them is reading resources.
async fn may_read(shared: &Shared, caller: &Caller) -> Answer<()> {
    let asked = caller.asked();
    blocking(shared, move |ops| {
        ops.authorise(&asked, &operations::Action::new(operations::Verb::Read, operations::Noun::Resources))
    })
    .await
}

fn kind_body(kind: &Kind) -> KindBody {
    KindBody {
        kind: kind.name.to_owned(),
        plural: kind.plural.to_owned(),
        chapter: kind.chapter.to_owned(),
        description: kind.description.to_owned(),
        schema: None,
        example: None,
    }
}

async fn kinds(
    State(shared): State<Shared>,
    caller: Caller,
    Query(paging): Query<Paging>,
) -> Answer<Json<Page<KindBody>>> {
    may_read(&shared, &caller).await?;
    Ok(Json(paging.cut(KINDS.iter().map(kind_body).collect())?))
}

async fn kind(
    State(shared): State<Shared>,
    caller: Caller,
    Path(name): Path<String>,
) -> Answer<Json<KindBody>> {
    may_read(&shared, &caller).await?;
    let kind = Kind::named(&name)?;
    let schema = Some(kind.schema().clone());
    Ok(Json(KindBody { schema, example: Some(kind.example.to_owned()), ..kind_body(kind) }))
}

async fn schema(State(shared): State<Shared>, caller: Caller) -> Answer<Json<Value>> {
    may_read(&shared, &caller).await?;
    Ok(Json(Kind::schema_of_all()))
}

// === reading ===

async fn list(
    State(shared): State<Shared>,
    caller: Caller,
    Query(listing): Query<Listing>,
) -> Answer<Json<Page<ViewBody>>> {
    let labels = selector(listing.selector.as_deref().unwrap_or_default())?;
    let filter = ListFilter { kind: listing.kind, labels, text: listing.q };
    let paging = Paging::new(listing.limit, listing.page);
    let asked = caller.asked();
    let page = blocking(&shared, move |ops| {
        let all = ops.resources(&asked, &filter)?;
        paging.cut(all).map_err(|refused| refused.0)?.try_map(|resource| ops.view(resource).map(ViewBody))
    })
    .await?;
    Ok(Json(page))
}

/// `team=payments,tier=1`
fn selector(text: &str) -> Answer<Vec<(String, String)>> {
    let pair = |part: &str| match part.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err(Fault::invalid(format!("selector: {part:?} is not name=value; write team=payments,tier=1"))
            .into()),
    };
    text.split(',').filter(|part| !part.trim().is_empty()).map(pair).collect()
}

async fn one(
    State(shared): State<Shared>,
    caller: Caller,
    Path((kind, name)): Path<(String, String)>,
    Query(format): Query<Format>,
) -> Answer<Response> {
    let asked = caller.asked();
    let view = blocking(&shared, move |ops| ops.view(ops.resource(&asked, &kind, &name)?)).await?;
    if matches!(format.format, Some(FormatName::Yaml)) {
        let value = serde_json::to_value(&view.resource).map_err(|e| Fault::bug(e.to_string()))?;
        let yaml = wire::document::to_yaml(&value);
        return Ok(([(header::CONTENT_TYPE, "application/yaml")], yaml).into_response());
    }
    Ok(Json(ViewBody(view)).into_response())
}

async fn history(
    State(shared): State<Shared>,
    caller: Caller,
    Path((kind, name)): Path<(String, String)>,
    Query(paging): Query<Paging>,
) -> Answer<Json<Page<EventBody>>> {
    let asked = caller.asked();
    let events = blocking(&shared, move |ops| ops.history(&asked, &kind, &name)).await?;
    Ok(Json(paging.cut(events.into_iter().map(EventBody).collect())?))
}

/// What a watcher may say.
#[derive(Clone, Debug, Deserialize)]
struct Watching {
    kind: Option<String>,
    after: Option<u64>,
}

async fn watch_resources(
    State(shared): State<Shared>,
    caller: Caller,
    headers: HeaderMap,
    Query(watching): Query<Watching>,
) -> Answer<Response> {
    let kind = watching.kind.as_deref().map(Kind::named).transpose()?.map(|kind| kind.name);
    let asked = caller.asked();
    let mut appended = {
        let asked = asked.clone();
        blocking(&shared, move |ops| ops.watch_facts(&asked)).await?
    };
    let head = *appended.borrow_and_update();
    let mut after = watch::resume_point(&headers, watching.after, head);
    let (mut outlet, stream) = watch::stream(&shared, caller);
    tokio::spawn(async move {
        loop {
            let filter = FactFilter { after, limit: watch::CHUNK, ..FactFilter::default() };
            let asked = asked.clone();
            let Ok(facts) = blocking(&shared, move |ops| ops.facts(&asked, &filter)).await else { return };
            let full = facts.len() == watch::CHUNK;
            for fact in facts {
                after = fact.seq;
                let found = fact.subject.split_once('/').and_then(|(kind, _)| Kind::named(kind).ok());
                let wanted = found.is_some_and(|found| kind.is_none_or(|kind| kind == found.name));
                if wanted {
                    let data = json!({"key": fact.subject, "what": fact.kind, "seq": fact.seq});
                    let event =
                        SseEvent::default().event("resource").id(fact.seq.to_string()).data(data.to_string());
                    if outlet.send(event).await.is_err() {
                        return;
                    }
                }
            }
            let next = if full { outlet.admitted().await } else { outlet.until_changed(&mut appended).await };
            if next.is_err() {
                return;
            }
        }
    });
    Ok(stream.into_response())
}

// === changing ===

fn sources(documents: Vec<DocumentBody>) -> Vec<Source> {
    documents.into_iter().map(|one| Source { file: one.file, text: one.text }).collect()
}

/// The answer to an apply.
pub(crate) fn applied(report: ApplyReport, dry_run: bool) -> Json<AppliedBody> {
    Json(AppliedBody { change_id: report.change.map(|change| change.0), dry_run, results: report.results })
}

async fn apply(
    State(shared): State<Shared>,
    caller: Caller,
    Body(body): Body<DocumentsBody>,
) -> Answer<Json<AppliedBody>> {
    let asked = caller.because(body.reason);
    let options = ApplyOptions {
        dry_run: body.dry_run,
        prune: body.prune,
        managed_by: body.managed_by,
        keep: Vec::new(),
    };
    let sources = sources(body.documents);
    let report = blocking(&shared, move |ops| ops.apply(&asked, &sources, &options)).await?;
    Ok(applied(report, body.dry_run))
}

async fn diff(
    State(shared): State<Shared>,
    caller: Caller,
    Body(body): Body<DocumentsBody>,
) -> Answer<Json<AppliedBody>> {
    let asked = caller.asked();
    let options = ApplyOptions { dry_run: true, ..ApplyOptions::default() };
    let sources = sources(body.documents);
    let work = move |ops: &Operations| ops.apply(&asked, &sources, &options);
    Ok(applied(blocking(&shared, work).await?, true))
}

async fn validate(
    State(shared): State<Shared>,
    caller: Caller,
    Body(body): Body<DocumentsBody>,
) -> Answer<Json<ValidBody>> {
    let asked = caller.asked();
    let sources = sources(body.documents);
    let keys = blocking(&shared, move |ops| ops.validate(&asked, &sources)).await?;
    Ok(Json(ValidBody { results: keys.into_iter().map(|key| ValidItem { key: key.to_string() }).collect() }))
}

async fn remove(
    State(shared): State<Shared>,
    caller: Caller,
    Path((kind, name)): Path<(String, String)>,
    Query(deleting): Query<Deleting>,
) -> Answer<Json<DeletedBody>> {
    let asked = caller.because(deleting.reason);
    let (version, dry_run) = (deleting.version, deleting.dry_run);
    let change = blocking(&shared, move |ops| ops.delete(&asked, &kind, &name, version, dry_run)).await?;
    Ok(Json(DeletedBody { change_id: change.map(|change| change.0) }))
}
