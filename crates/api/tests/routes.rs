//! Every route of the table, asked as everybody: what the table says a route needs is what `operations` enforces.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails loudly")]

use std::path::Path;
use std::sync::Arc;

use api::listen::Peer;
use api::{About, Endpoint, Needs, ServerOptions};
use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use kernel::{Role, Span, Timestamp};
use ledger::{LedgerOptions, SqliteLedger};
use operations::{Asked, Operations, World};
use store::Store;
use tower::ServiceExt as _;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Stranger,
    LocalStranger,
    Holder(Role),
}

const EVERYBODY: [Who; 6] = [
    Who::Stranger,
    Who::LocalStranger,
    Who::Holder(Role::Viewer),
    Who::Holder(Role::Responder),
    Who::Holder(Role::Operator),
    Who::Holder(Role::Admin),
];

/// What the table promises.
fn may(needs: Needs, who: Who) -> bool {
    match (needs, who) {
        (Needs::Public, _) | (Needs::SignedIn, Who::Holder(_)) | (Needs::LocalOr(_), Who::LocalStranger) => {
            true
        }
        (Needs::Role(least) | Needs::LocalOr(least), Who::Holder(role)) => role >= least,
        (Needs::SignedIn | Needs::Role(_) | Needs::LocalOr(_), _) => false,
    }
}

struct House {
    operations: Arc<Operations>,
    router: Router,
    _draining: tokio::sync::watch::Sender<bool>,
}

fn house(folder: &Path) -> House {
    let now = || Timestamp::from_secs(1_795_461_300);
    let counter = std::sync::atomic::AtomicU64::new(1);
    let world = World::new(now, move |bytes| {
        let n = counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        bytes.fill(7);
        bytes[..8].copy_from_slice(&n.to_le_bytes());
        bytes[15] = (n % 31) as u8;
    });
    let ledger = SqliteLedger::open(&folder.join("ledger"), &LedgerOptions::default()).unwrap();
    let (store, _) = Store::open(store::Options::new(folder.join("telemetry")), now()).unwrap();
    let settings = operations::Settings {
        token_key: [1; 32],
        local_names: std::collections::BTreeMap::new(),
        own_uid: 4_242,
        query_limits: operations::metrics::Limits::default(),
    };
    let operations = Arc::new(Operations::open(world, Arc::new(ledger), Arc::new(store), settings).unwrap());
    operations.start_access().unwrap();
    let about = About {
        started: now(),
        hostname: "test".to_owned(),
        data_dir: folder.to_path_buf(),
        listen: parking_lot::RwLock::new(vec!["http://127.0.0.1:7070".to_owned()]),
    };
    let (sender, draining) = tokio::sync::watch::channel(false);
    let router = api::router(ServerOptions {
        operations: Arc::clone(&operations),
        about: Arc::new(about),
        console: console::Source::Embedded,
        host_names: Vec::new(),
        draining,
    });
    House { operations, router, _draining: sender }
}

fn token(house: &House, role: Role, round: usize) -> String {
    let asked = Asked::by_system("test", "test");
    let made =
        house.operations.create_token(&asked, &format!("{role}-{round}"), role, Span::from_days(1)).unwrap();
    made.secret.expose().to_owned()
}

/// A path of the endpoint with something in the place of every parameter.
fn path(endpoint: &Endpoint) -> String {
    let filled: Vec<&str> =
        endpoint.path().split('/').map(|part| if part.starts_with('{') { "x" } else { part }).collect();
    filled.join("/")
}

async fn ask(house: &House, endpoint: &Endpoint, who: Who, token: Option<&str>) -> StatusCode {
    let mut request = Request::builder()
        .method(endpoint.method().clone())
        .uri(path(endpoint))
        .header("host", "127.0.0.1:7070")
        .header("content-type", "application/json");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let body = if endpoint.method() == Method::GET { "" } else { body_of(endpoint.path()) };
    let mut request = request.body(Body::from(body)).unwrap();
    let address = if who == Who::LocalStranger { "127.0.0.1:9" } else { "192.0.2.1:9" };
    request.extensions_mut().insert(Peer::Tcp { addr: address.parse().unwrap(), tls: false });
    house.router.clone().oneshot(request).await.unwrap().status()
}

/// A body that can be read, so that the answer is about who asks and not about how.
fn body_of(path: &str) -> &'static str {
    match path.rsplit('/').next().unwrap() {
        "users" => r#"{"name":"x","role":"viewer"}"#,
        "password" => r#"{"password":"correct horse battery"}"#,
        "role" => r#"{"role":"viewer"}"#,
        "links" => r#"{"user":"nobody"}"#,
        "tokens" => r#"{"name":"t","role":"viewer","ttl":"1d"}"#,
        "apply" | "validate" | "diff" => r#"{"documents":[]}"#,
        "import" => r#"{"text":"{\"flags\":{}}","reason":"r"}"#,
        "debt" => r#"{"references":{}}"#,
        "evaluate" => r#"{"context":{}}"#,
        "flags" | "{key}" => r#"{"context":{}}"#,
        "set" | "enable" | "disable" => r#"{"reason":"r"}"#,
        _ => "{}",
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_answers_each_role_as_the_table_says() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(folder.path());
    let mut wrong = Vec::new();
    let mut asked = 0;
    for (round, endpoint) in api::endpoints().iter().enumerate() {
        for who in EVERYBODY {
            // A token a route, because signing out and revoking are among the routes.
            let token = match who {
                Who::Holder(role) => Some(token(&house, role, round)),
                Who::Stranger | Who::LocalStranger => None,
            };
            let status = ask(&house, endpoint, who, token.as_deref()).await;
            let page = endpoint.is_page();
            let refused = match who {
                Who::Holder(_) => status == StatusCode::FORBIDDEN,
                // A person is led to the sign-in page.
                Who::Stranger | Who::LocalStranger if page => status == StatusCode::SEE_OTHER,
                Who::Stranger | Who::LocalStranger => status == StatusCode::UNAUTHORIZED,
            };
            // Wrong credentials in the body of a sign-in are refused with the same status; that is its answer.
            let is_sign_in = endpoint.path().ends_with("/session") || endpoint.path() == "/sign-in";
            if refused == may(endpoint.needs(), who) && !(is_sign_in && endpoint.method() == Method::POST) {
                wrong.push(format!("{} {} as {who:?}: {status}", endpoint.method(), endpoint.path()));
            }
            asked += 1;
        }
    }
    assert!(asked > 300, "only {asked} questions were asked");
    assert!(wrong.is_empty(), "not as the table says:\n{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn anonymous_callers_from_elsewhere_reach_only_what_is_public() {
    let reachable: Vec<String> = api::endpoints()
        .iter()
        .filter(|endpoint| may(endpoint.needs(), Who::Stranger))
        .map(|endpoint| format!("{} {}", endpoint.method(), endpoint.path()))
        .collect();
    let expected = [
        "GET /-/healthy",
        "GET /-/ready",
        "POST /api/mainstay/v1/session",
        "GET /openapi.json",
        "GET /assets/{*path}",
        "GET /favicon.ico",
        "GET /docs",
        "GET /docs/{*slug}",
        "GET /sign-in",
        "POST /sign-in",
    ];
    assert_eq!(reachable, expected);
}
