//! What every handler shares, and the router made from the table.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use kernel::Fault;
use operations::Operations;
use tokio::sync::watch;

use crate::answer::{Answer, Refused};
use crate::caller::Caller;
use crate::endpoint::Needs;
use crate::status::About;

/// What a server needs.
pub struct ServerOptions {
    /// The use cases.
    pub operations: Arc<Operations>,
    /// What this process is.
    pub about: Arc<About>,
    /// Where the console's files come from.
    pub console: console::Source,
    /// Host names that requests may name beside loopback and the addresses listened on.
    pub host_names: Vec<String>,
    /// Becomes true when the process drains; streams end then.
    pub draining: watch::Receiver<bool>,
}

/// What every handler shares.
#[derive(Clone)]
pub struct Shared(pub(crate) Arc<Server>);

/// The inside of [`Shared`].
pub struct Server {
    pub(crate) operations: Arc<Operations>,
    pub(crate) about: Arc<About>,
    pub(crate) console: console::Source,
    pub(crate) draining: watch::Receiver<bool>,
}

/// Longest body of our own API's calls, in bytes; an import of flags is the largest.
pub(crate) const MAX_BODY: usize = 16 << 20;

/// The router over every endpoint.
pub fn router(options: ServerOptions) -> Router {
    let guard = crate::guard::Guard::new(options.host_names);
    let shared = Shared(Arc::new(Server {
        operations: options.operations,
        about: options.about,
        console: options.console,
        draining: options.draining,
    }));
    let mut router: Router<Shared> = Router::new();
    for endpoint in crate::endpoints() {
        let known = endpoint.is_page() || endpoint.needs == Needs::Public;
        let handler = match endpoint.needs {
            _ if known => endpoint.handler,
            needs => endpoint.handler.layer(middleware::from_fn_with_state(needs, someone)),
        };
        router = router.route(endpoint.path, handler);
    }
    let router = router
        .fallback(crate::pages::not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(axum::extract::DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(shared.clone(), crate::caller::identify))
        .layer(middleware::from_fn_with_state(shared.clone(), count))
        .with_state(shared);
    guard.protect(router)
}

/// Turns nobody away before anything of the request is looked at: what is wrong with it is not a stranger's business.
/// What a known caller may do is decided in `operations`.
async fn someone(State(needs): State<Needs>, caller: Caller, request: Request, next: Next) -> Response {
    let expected = matches!(needs, Needs::LocalOr(_)) && caller.local;
    if caller.is_anonymous() && !expected {
        let path = request.uri().path();
        let message = format!("to ask {path} you must sign in, or send a token");
        return Refused(Fault::unauthenticated(message)).into_response();
    }
    next.run(request).await
}

/// Moves a blocking operation off the runtime's threads.
pub(crate) async fn blocking<T, F>(shared: &Shared, work: F) -> Answer<T>
where
    T: Send + 'static,
    F: FnOnce(&Operations) -> Result<T, Fault> + Send + 'static,
{
    let operations = Arc::clone(&shared.0.operations);
    match tokio::task::spawn_blocking(move || work(&operations)).await {
        Ok(done) => done.map_err(Refused),
        Err(error) => Err(Refused(Fault::bug(error.to_string()))),
    }
}

async fn method_not_allowed(request: Request) -> Response {
    let fault = Fault::invalid(format!(
        "{} is not answered with the method {}",
        request.uri().path(),
        request.method()
    ));
    let mut response = Refused(fault).into_response();
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}

/// Counts requests by route and status, and their time.
async fn count(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let route = request
        .extensions()
        .get::<axum::extract::MatchedPath>()
        .map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let method = request.method().as_str().to_owned();
    let started = std::time::Instant::now();
    let response = next.run(request).await;
    let counters = shared.0.operations.counters();
    counters.http(&method, &route, response.status().as_u16(), started.elapsed());
    response
}
