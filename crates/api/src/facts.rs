//! The ledger over HTTP: search, one fact, watching, verifying, exporting.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use kernel::{FactSeq, Fault, Role, Timestamp};
use ledger::{FactFilter, FactRecord};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_stream::wrappers::ReceiverStream;

use crate::answer::{Answer, Page, Refused, unknown_page};
use crate::caller::Caller;
use crate::endpoint::{Endpoint, Needs};
use crate::extract::{Path, Query};
use crate::server::{Shared, blocking};
use crate::watch::{self, CHUNK, Gone, Outlet};

/// What a search may say.
#[derive(Debug, Default, Deserialize)]
struct Search {
    after: Option<u64>,
    before: Option<u64>,
    chapter: Option<String>,
    kind: Option<String>,
    subject: Option<String>,
    actor: Option<String>,
    change: Option<String>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    q: Option<String>,
    order: Option<Order>,
    limit: Option<usize>,
    page: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    Asc,
    #[default]
    Desc,
}

/// A fact, as `FactRecord` writes it.
#[derive(Serialize, JsonSchema)]
pub(crate) struct FactBody(#[schemars(schema_with = "fact_schema")] pub(crate) FactRecord);

/// What verifying found.
#[derive(Serialize, JsonSchema)]
struct VerifiedBody {
    /// Facts verified.
    facts: u64,
    /// True when the chain is whole.
    ok: bool,
    /// What is not, facts first; empty when everything is.
    damage: Vec<DamageBody>,
    /// How long it took.
    seconds: f64,
}

/// One thing that is not as it was written.
#[derive(Serialize, JsonSchema)]
struct DamageBody {
    /// Where: a fact, a snapshot, an effect, a page.
    #[schemars(with = "Value")]
    place: ledger::Place,
    /// What is wrong.
    what: String,
}

/// The shape of a fact in answers.
fn fact_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "required": ["seq", "time", "actor", "chapter", "kind", "version", "payload", "previous", "hash"],
        "properties": {
            "seq": {"type": "integer", "minimum": 1},
            "time": {"type": "string", "format": "date-time"},
            "actor": {"type": "object"},
            "reason": {"type": "string"},
            "change": {"type": "string"},
            "chapter": {"type": "string"},
            "kind": {"type": "string"},
            "version": {"type": "integer"},
            "subject": {"type": "string"},
            "payload": {},
            "previous": {"type": "string"},
            "hash": {"type": "string"},
        },
    })
}

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let viewer = Needs::Role(Role::Viewer);
    let time = json!({"type": "string", "format": "date-time"});
    let filtered = |endpoint: Endpoint| {
        endpoint
            .query("after", "Only facts after this one.", json!({"type": "integer", "minimum": 0}))
            .query("before", "Only facts before this one.", json!({"type": "integer", "minimum": 0}))
            .query_text("chapter", "Only this chapter's.")
            .query_text("kind", "Only this kind.")
            .query_text("subject", "Only about this, such as `Flag/new-checkout`.")
            .query_text("actor", "Only by this actor, such as `user:ada`.")
            .query_text("change", "Only of this change.")
            .query("since", "Only facts at or after this time, RFC 3339.", time.clone())
            .query("until", "Only facts before this time, RFC 3339.", time.clone())
            .query_text("q", "Only with this text in subject, reason or payload.")
    };
    vec![
        filtered(Endpoint::get("/api/mainstay/v1/facts", "listFacts", viewer, get(list)))
            .about("facts", "Searches the ledger, newest first.")
            .query(
                "order",
                "`desc` (newest first) or `asc`.",
                json!({"type": "string", "enum": ["asc", "desc"]}),
            )
            .paged()
            .gives::<Page<FactBody>>(200, "A page of facts."),
        Endpoint::get("/api/mainstay/v1/facts/watch", "watchFacts", viewer, get(watch_facts))
            .about("facts", "Facts as they happen, as server-sent events; resumes by `Last-Event-ID`.")
            .query("after", "Start after this fact.", json!({"type": "integer", "minimum": 0}))
            .query_text("chapter", "Only this chapter's.")
            .query_text("subject", "Only about this.")
            .gives_text(200, "text/event-stream", "Events `fact` and `heartbeat`."),
        Endpoint::get("/api/mainstay/v1/facts/{seq}", "getFact", viewer, get(one))
            .about("facts", "One fact.")
            .path_parameter("seq", "The fact's number.")
            .gives::<FactBody>(200, "The fact."),
        Endpoint::post("/api/mainstay/v1/ledger/verify", "verifyLedger", viewer, post(verify))
            .about("facts", "Recomputes the hash chain from the first fact on.")
            .gives::<VerifiedBody>(200, "What was found."),
        Endpoint::get(
            "/api/mainstay/v1/ledger/export",
            "exportLedger",
            Needs::Role(Role::Admin),
            get(export),
        )
        .about("facts", "Every fact, one JSON object a line, with what facts keep of secrets.")
        .gives_text(200, "application/x-ndjson", "The facts."),
    ]
}

async fn list(
    State(shared): State<Shared>,
    caller: Caller,
    Query(search): Query<Search>,
) -> Answer<Json<Page<FactBody>>> {
    let limit = search.limit.unwrap_or(crate::answer::DEFAULT_PAGE);
    if !(1..=operations::facts::MAX_FACTS).contains(&limit) {
        return Err(Fault::invalid(format!(
            "limit={limit} is not within 1 to {}",
            operations::facts::MAX_FACTS
        ))
        .into());
    }
    let descending = search.order.unwrap_or_default() == Order::Desc;
    let mut filter = FactFilter {
        after: FactSeq(search.after.unwrap_or(0)),
        before: search.before.map(FactSeq),
        chapter: search.chapter,
        kind: search.kind,
        subject: search.subject,
        actor: search.actor,
        change: search.change.map(kernel::ChangeId),
        since: search.since,
        until: search.until,
        text: search.q,
        descending,
        // One more than asked for says whether there is a next page.
        limit: limit.saturating_add(1),
    };
    if let Some(page) = search.page {
        let at = FactSeq(page.parse().map_err(|_| unknown_page(&page))?);
        if descending {
            filter.before = Some(filter.before.map_or(at, |before| before.min(at)));
        } else {
            filter.after = filter.after.max(at);
        }
    }
    let asked = caller.asked();
    let mut facts = blocking(&shared, move |ops| ops.facts(&asked, &filter)).await?;
    let more = facts.len() > limit;
    facts.truncate(limit);
    let next_page = facts.last().filter(|_| more).map(|fact| fact.seq.to_string());
    Ok(Json(Page { items: facts.into_iter().map(FactBody).collect(), next_page, total: None }))
}

async fn one(
    State(shared): State<Shared>,
    caller: Caller,
    Path(seq): Path<String>,
) -> Answer<Json<FactBody>> {
    let seq = seq.parse().map_err(|_| Fault::invalid(format!("{seq:?} is not the number of a fact")))?;
    let asked = caller.asked();
    Ok(Json(FactBody(blocking(&shared, move |ops| ops.fact(&asked, FactSeq(seq))).await?)))
}

async fn verify(State(shared): State<Shared>, caller: Caller) -> Answer<Json<VerifiedBody>> {
    let asked = caller.asked();
    let verified = blocking(&shared, move |ops| ops.verify_ledger(&asked)).await?;
    Ok(Json(VerifiedBody {
        facts: verified.facts,
        ok: verified.damage.is_empty(),
        damage: verified.damage.into_iter().map(|d| DamageBody { place: d.place, what: d.what }).collect(),
        seconds: verified.seconds,
    }))
}

async fn export(State(shared): State<Shared>, caller: Caller) -> Answer<Response> {
    let asked = caller.asked();
    let probe = asked.clone();
    let first = blocking(&shared, move |ops| ops.export_facts(&probe, FactSeq(0), CHUNK)).await?;
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<String, std::io::Error>>(4);
    tokio::spawn(async move {
        let mut facts = first;
        while let Some(last) = facts.last().map(|fact| fact.seq) {
            let lines: String =
                facts.iter().filter_map(|f| serde_json::to_string(f).ok()).map(|line| line + "\n").collect();
            if sender.send(Ok(lines)).await.is_err() {
                return;
            }
            let asked = asked.clone();
            match blocking(&shared, move |ops| ops.export_facts(&asked, last, CHUNK)).await {
                Ok(next) => facts = next,
                // The answer has begun, so the only honest way to fail is to break it off.
                Err(Refused(fault)) => {
                    crate::answer::report(&fault);
                    let _ = sender.send(Err(std::io::Error::other(fault.message))).await;
                    return;
                }
            }
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"mainstay-ledger.ndjson\""),
    ];
    Ok((headers, Body::from_stream(ReceiverStream::new(receiver))).into_response())
}

/// What a watcher may say.
#[derive(Clone, Debug, Default, Deserialize)]
struct Watching {
    after: Option<u64>,
    chapter: Option<String>,
    subject: Option<String>,
}

async fn watch_facts(
    State(shared): State<Shared>,
    caller: Caller,
    headers: HeaderMap,
    Query(watching): Query<Watching>,
) -> Answer<Response> {
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
            let head = *appended.borrow_and_update();
            let filter = FactFilter {
                after,
                chapter: watching.chapter.clone(),
                subject: watching.subject.clone(),
                limit: CHUNK,
                ..FactFilter::default()
            };
            let asked = asked.clone();
            let Ok(facts) = blocking(&shared, move |ops| ops.facts(&asked, &filter)).await else { return };
            let full = facts.len() == CHUNK;
            match send_all(&outlet, facts, &mut after).await {
                Ok(()) if full => {}
                // What does not fit the filter is not looked at again.
                Ok(()) => after = after.max(head),
                Err(Gone) => return,
            }
            let next = if full { outlet.admitted().await } else { outlet.until_changed(&mut appended).await };
            if next.is_err() {
                return;
            }
        }
    });
    Ok(stream.into_response())
}

async fn send_all(outlet: &Outlet, facts: Vec<FactRecord>, after: &mut FactSeq) -> Result<(), Gone> {
    for fact in facts {
        *after = fact.seq;
        let data: Value = serde_json::to_value(&fact).unwrap_or_default();
        outlet.send(Event::default().event("fact").id(fact.seq.to_string()).data(data.to_string())).await?;
    }
    Ok(())
}
