//! Pages for people: the console behind sign-in, its files, the sign-in page, the documentation, and "not found".

use axum::extract::{Form, Path, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use console::pages::{ErrorPage, SignIn, SignInLink};
use console::{Asset, docs};
use kernel::{Fault, FaultKind, Role};
use operations::access::SignedIn;
use serde::Deserialize;

use crate::access::with_cookie;
use crate::answer::Refused;
use crate::caller::Caller;
use crate::endpoint::{Endpoint, Needs};
use crate::extract::Query;
use crate::server::{Shared, blocking};

/// Where to go after signing in.
#[derive(Deserialize)]
struct Arriving {
    link: Option<String>,
    next: Option<String>,
}

/// The sign-in form, or the button of a one-time link.
#[derive(Deserialize)]
struct SignInForm {
    user: Option<String>,
    password: Option<String>,
    link: Option<String>,
    next: Option<String>,
}

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let page = |path, id| Endpoint::get(path, id, Needs::Role(Role::Viewer), get(index)).undescribed();
    let public = |path, id, handler| Endpoint::get(path, id, Needs::Public, handler).undescribed();
    let mut endpoints: Vec<Endpoint> = console::PAGES.iter().map(|path| page(path, path)).collect();
    endpoints.extend([
        public("/assets/{*path}", "asset", get(asset)),
        public("/favicon.ico", "icon", get(icon)),
        public("/docs", "docs", get(|| async { documentation("") })),
        public(
            "/docs/{*slug}",
            "docsPage",
            get(|Path(slug): Path<String>| async move { documentation(&slug) }),
        ),
        public("/sign-in", "signInPage", get(sign_in_page)),
        Endpoint::post("/sign-in", "signInForm", Needs::Public, post(sign_in_form)).undescribed(),
    ]);
    endpoints
}

/// The console's one page; who is not signed in goes to the sign-in page and comes back.
async fn index(State(shared): State<Shared>, caller: Caller, headers: HeaderMap, uri: Uri) -> Response {
    if caller.is_anonymous() {
        let next = uri.path_and_query().map_or("/", |path| path.as_str());
        return Redirect::to(&format!("/sign-in?next={}", encode(next))).into_response();
    }
    if caller.actor.role.is_none() {
        return page_error(StatusCode::FORBIDDEN, "You may not see this", "Your user has no role.", None);
    }
    match shared.0.console.index(if_none_match(&headers)) {
        Some(asset) => respond(asset),
        None => page_error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The console's files are missing",
            "The folder given with --console-dir holds no index.html.",
            Some("Point it at crates/console/web, or leave it out to use the files inside the binary."),
        ),
    }
}

async fn asset(State(shared): State<Shared>, Path(path): Path<String>, headers: HeaderMap) -> Response {
    // The page itself is behind sign-in and not a file.
    let found =
        if path == "index.html" { None } else { shared.0.console.asset(&path, if_none_match(&headers)) };
    found.map_or_else(|| (StatusCode::NOT_FOUND, "no such file\n").into_response(), respond)
}

async fn icon(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let found = shared.0.console.asset("style/icon.svg", if_none_match(&headers));
    found.map_or_else(|| StatusCode::NOT_FOUND.into_response(), respond)
}

fn respond(asset: Asset) -> Response {
    let status = StatusCode::from_u16(asset.status).unwrap_or(StatusCode::OK);
    let headers = [
        (header::CONTENT_TYPE, asset.content_type.to_owned()),
        (header::ETAG, asset.etag),
        (header::CACHE_CONTROL, Asset::CACHE_CONTROL.to_owned()),
    ];
    (status, headers, asset.body.into_owned()).into_response()
}

fn if_none_match(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok())
}

fn documentation(slug: &str) -> Response {
    match docs::page(slug.trim_matches('/')) {
        Some(page) => Html(page).into_response(),
        None => (StatusCode::NOT_FOUND, Html(docs::missing(slug))).into_response(),
    }
}

async fn sign_in_page(State(shared): State<Shared>, Query(arriving): Query<Arriving>) -> Response {
    let next = local_path(arriving.next.as_deref());
    let Some(link) = arriving.link else {
        return Html(console::pages::sign_in(&SignIn { next, ..SignIn::default() })).into_response();
    };
    let token = link.clone();
    match blocking(&shared, move |ops| Ok(ops.link_user(&token))).await {
        Ok(Some(user)) => Html(console::pages::sign_in_link(&SignInLink { token: &link, user: &user, next }))
            .into_response(),
        Ok(None) => {
            let error = Some(
                "This sign-in link has been used or has expired. Sign in with your password, or make a \
                              new link on the machine with `mainstay user link`.",
            );
            Html(console::pages::sign_in(&SignIn { next, error, user: "" })).into_response()
        }
        Err(refused) => refused.into_response(),
    }
}

async fn sign_in_form(
    State(shared): State<Shared>,
    caller: Caller,
    Form(form): Form<SignInForm>,
) -> Response {
    let (address, replaces) = (caller.address, caller.session.clone());
    let user = form.user.clone().unwrap_or_default();
    let next = local_path(form.next.as_deref()).to_owned();
    let done: Result<SignedIn, Refused> =
        blocking(&shared, move |ops| match (&form.link, &form.user, &form.password) {
            (Some(link), _, _) => ops.sign_in_by_link(link, address, replaces.as_deref()),
            (None, Some(user), Some(password)) => ops.sign_in(user, password, address, replaces.as_deref()),
            _ => Err(Fault::invalid("give a user name and a password")),
        })
        .await;
    match done {
        Ok(signed_in) => with_cookie(&signed_in, caller.tls, Redirect::to(&next).into_response()),
        Err(Refused(fault)) => {
            crate::answer::report(&fault);
            let page = SignIn { next: &next, error: Some(&fault.message), user: &user };
            let status = crate::answer::status_of(fault.kind);
            let answer = (status, Html(console::pages::sign_in(&page))).into_response();
            crate::answer::with_fault_headers(&fault, answer)
        }
    }
}

/// Only a path of this server: an address elsewhere would make the sign-in page a springboard.
fn local_path(next: Option<&str>) -> &str {
    next.filter(|next| {
        next.starts_with('/')
            && !next.starts_with("//")
            && !next.contains('\\')
            && !next.contains(char::is_control)
    })
    .unwrap_or("/")
}

/// Percent-encodes everything but what a query value may hold as it is.
fn encode(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

fn page_error(status: StatusCode, title: &str, message: &str, hint: Option<&str>) -> Response {
    let page = ErrorPage { status: status.as_u16(), title, message, hint };
    (status, Html(console::pages::error(&page))).into_response()
}

/// Whatever no route answers: a page for browsers, JSON for everybody else.
pub(crate) async fn not_found(request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let wants_page = request
        .headers()
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    if wants_page && !path.starts_with("/api/") {
        let message = format!("There is nothing at {path}.");
        return page_error(StatusCode::NOT_FOUND, "No such page", &message, Some("The overview is at /."));
    }
    let message = format!("there is nothing at {path}; the API is described at /openapi.json");
    Refused(Fault::new(FaultKind::NotFound, message)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_server_are_gone_to() {
        for (next, expected) in [
            (Some("/flags?q=a"), "/flags?q=a"),
            (Some("//evil.example"), "/"),
            (Some("/\\evil.example"), "/"),
            (Some("https://evil.example"), "/"),
            (Some("/a\nb"), "/"),
            (None, "/"),
        ] {
            assert_eq!(local_path(next), expected, "{next:?}");
        }
        assert_eq!(encode("/explore?q=a b&c"), "/explore%3Fq%3Da%20b%26c");
    }
}
