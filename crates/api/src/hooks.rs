//! Webhooks over HTTP, beyond their resources: the secret that verifies deliveries, and deliveries that were given up.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use kernel::Role;
use operations::outbox::{GivenUp, MAX_LISTED};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::answer::{Answer, Page, Paging};
use crate::caller::Caller;
use crate::endpoint::{Endpoint, Needs};
use crate::extract::{Body, Path, Query};
use crate::server::{Shared, blocking};

/// What verifies a webhook's deliveries.
#[derive(Serialize, JsonSchema)]
struct SecretBody {
    /// The key of the HMAC-SHA256 in `X-Mainstay-Signature`, as text.
    secret: String,
}

/// A delivery that was given up.
#[derive(Serialize, JsonSchema)]
struct GivenUpBody(#[schemars(with = "Value")] GivenUp);

/// Nothing needs to be said.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RetryBody {}

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let admin = Needs::Role(Role::Admin);
    vec![
        Endpoint::get("/api/mainstay/v1/webhooks/{name}/secret", "getWebhookSecret", admin, get(secret))
            .about("webhooks", "The secret with which a receiver verifies `X-Mainstay-Signature`.")
            .path_parameter("name", "The webhook.")
            .gives::<SecretBody>(200, "The secret."),
        Endpoint::get("/api/mainstay/v1/outbox/dead", "listDead", Needs::Role(Role::Viewer), get(dead))
            .about("webhooks", "Deliveries that were given up, newest first.")
            .paged()
            .gives::<Page<GivenUpBody>>(200, "A page of deliveries."),
        Endpoint::post("/api/mainstay/v1/outbox/dead/{id}/retry", "retryDead", admin, post(retry))
            .about("webhooks", "Tries a delivery that was given up again, from now on.")
            .path_parameter("id", "The delivery's number.")
            .takes::<RetryBody>()
            .gives_nothing(204, "It is under way."),
    ]
}

async fn secret(State(shared): State<Shared>, caller: Caller, Path(name): Path<String>) -> Answer<Response> {
    let asked = caller.asked();
    let secret = blocking(&shared, move |ops| ops.webhook_secret(&asked, &name)).await?;
    // No cache on the way may keep it.
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(SecretBody { secret })).into_response())
}

async fn dead(
    State(shared): State<Shared>,
    caller: Caller,
    Query(paging): Query<Paging>,
) -> Answer<Json<Page<GivenUpBody>>> {
    let asked = caller.asked();
    let all = blocking(&shared, move |ops| ops.dead_letters(&asked, MAX_LISTED)).await?;
    Ok(Json(paging.cut(all.into_iter().map(GivenUpBody).collect())?))
}

async fn retry(
    State(shared): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    Body(RetryBody {}): Body<RetryBody>,
) -> Answer<StatusCode> {
    let asked = caller.asked();
    blocking(&shared, move |ops| ops.revive_dead_letter(&asked, &id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
