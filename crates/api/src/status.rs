//! Health, and what this process is and does.

use std::path::PathBuf;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use kernel::{Role, Timestamp};
use operations::status::Status;
use parking_lot::RwLock;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::answer::Answer;
use crate::caller::Caller;
use crate::endpoint::{Endpoint, Needs};
use crate::server::{Shared, blocking};

/// What this process is; set once by the binary.
#[derive(Debug)]
pub struct About {
    /// When it started.
    pub started: Timestamp,
    /// The machine's name.
    pub hostname: String,
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// The addresses listened on, as URLs or `unix:PATH`.
    pub listen: RwLock<Vec<String>>,
}

impl About {
    /// The page that signs in whoever holds `link`.
    pub fn sign_in_url(&self, link: &str) -> String {
        let listen = self.listen.read();
        let base =
            listen.iter().find(|url| url.starts_with("http")).map_or("http://127.0.0.1:7070", String::as_str);
        format!("{base}/sign-in?link={link}")
    }
}

/// `GET /api/mainstay/v1/status`
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct StatusBody {
    /// Mainstay's version.
    version: &'static str,
    /// When the process started, RFC 3339.
    started: String,
    /// Seconds since then.
    uptime_seconds: f64,
    /// The machine's name.
    hostname: String,
    /// Where everything is kept.
    data_dir: String,
    /// The addresses listened on.
    listen: Vec<String>,
    /// Ledger, store, collectors, process, resources folder.
    #[serde(flatten)]
    #[schemars(with = "Value")]
    status: Status,
}

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/-/healthy", "getHealthy", Needs::Public, get(healthy))
            .about("status", "The process answers.")
            .gives_text(200, "text/plain", "It does."),
        Endpoint::get("/-/ready", "getReady", Needs::Public, get(ready))
            .about("status", "The process takes requests; 503 while it drains.")
            .gives_text(200, "text/plain", "It does.")
            .gives_text(503, "text/plain", "It is stopping."),
        Endpoint::get("/api/mainstay/v1/status", "getStatus", Needs::Role(Role::Viewer), get(status))
            .about("status", "What this process is, keeps and costs.")
            .gives::<StatusBody>(200, "The status."),
    ]
}

async fn healthy() -> &'static str {
    "Mainstay is healthy.\n"
}

async fn ready(State(shared): State<Shared>) -> Response {
    if *shared.0.draining.borrow() {
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "5")], "Mainstay is stopping.\n")
            .into_response();
    }
    "Mainstay is ready.\n".into_response()
}

async fn status(State(shared): State<Shared>, caller: Caller) -> Answer<Json<StatusBody>> {
    let about = std::sync::Arc::clone(&shared.0.about);
    let asked = caller.asked();
    let (status, now) = blocking(&shared, move |ops| Ok((ops.status(&asked)?, ops.now()))).await?;
    Ok(Json(StatusBody {
        version: env!("CARGO_PKG_VERSION"),
        started: about.started.to_string(),
        uptime_seconds: now.since(about.started).as_millis() as f64 / 1_000.0,
        hostname: about.hostname.clone(),
        data_dir: about.data_dir.display().to_string(),
        listen: about.listen.read().clone(),
        status,
    }))
}
