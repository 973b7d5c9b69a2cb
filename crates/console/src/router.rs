//! The console's routes for axum: files under `/assets/`, and the pages that the browser routes itself.
//!
//! Not here: sign-in, sessions, security headers; `api` lays those over this router.

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::assets::{Asset, Source};
use crate::{docs, pages};

/// The paths that answer with the console's one page, in axum's notation. A caller must be signed in to see them.
pub const PAGES: &[&str] = &[
    "/",
    "/explore",
    "/flags",
    "/flags/{*rest}",
    "/audit",
    "/audit/{*rest}",
    "/access",
    "/access/{*rest}",
    "/resources",
    "/resources/{*rest}",
];

/// The page routes ([`PAGES`]), `/assets/{path}`, `/favicon.ico`, `/docs` and `/docs/{slug}`.
pub fn router(source: Source) -> Router {
    let assets = Router::new()
        .route("/assets/{*path}", get(file))
        .route("/favicon.ico", get(icon))
        .route("/docs", get(|| async { documentation("") }))
        .route("/docs/", get(|| async { documentation("") }))
        .route("/docs/{*slug}", get(|Path(slug): Path<String>| async move { documentation(&slug) }));
    PAGES.iter().fold(assets, |router, page| router.route(page, get(index))).with_state(source)
}

async fn file(State(source): State<Source>, Path(path): Path<String>, headers: HeaderMap) -> Response {
    // `index.html` is a page behind sign-in, not a file.
    let asset = if path == "index.html" { None } else { source.asset(&path, if_none_match(&headers)) };
    asset.map_or_else(|| (StatusCode::NOT_FOUND, "no such file\n").into_response(), respond)
}

async fn icon(State(source): State<Source>, headers: HeaderMap) -> Response {
    let asset = source.asset("style/icon.svg", if_none_match(&headers));
    asset.map_or_else(|| StatusCode::NOT_FOUND.into_response(), respond)
}

async fn index(State(source): State<Source>, headers: HeaderMap) -> Response {
    source.index(if_none_match(&headers)).map_or_else(missing_index, respond)
}

fn documentation(slug: &str) -> Response {
    let html = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    match docs::page(slug.trim_matches('/')) {
        Some(page) => (html, page).into_response(),
        None => (StatusCode::NOT_FOUND, html, docs::missing(slug)).into_response(),
    }
}

/// Only a `--console-dir` without the console in it gets here.
fn missing_index() -> Response {
    let page = pages::error(&pages::ErrorPage {
        status: 500,
        title: "The console's files are missing",
        message: "The folder given with --console-dir holds no index.html.",
        hint: Some("Point it at crates/console/web, or leave it out to use the files inside the binary."),
    });
    let html = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    (StatusCode::INTERNAL_SERVER_ERROR, html, page).into_response()
}

fn if_none_match(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok())
}

fn respond(asset: Asset) -> Response {
    let status = StatusCode::from_u16(asset.status).unwrap_or(StatusCode::OK);
    let headers = [
        (header::CONTENT_TYPE, asset.content_type.to_owned()),
        (header::ETAG, asset.etag),
        (header::CACHE_CONTROL, Asset::CACHE_CONTROL.to_owned()),
    ];
    (status, headers, Body::from(asset.body.into_owned())).into_response()
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    async fn get(path: &str, tag: &str) -> (u16, String, String) {
        let request = Request::get(path).header(header::IF_NONE_MATCH, tag).body(Body::empty()).unwrap();
        let response = router(Source::Embedded).oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let tag = response.headers().get(header::ETAG).map_or("", |tag| tag.to_str().unwrap()).to_owned();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, tag, String::from_utf8_lossy(&body).into_owned())
    }

    #[tokio::test]
    async fn pages_files_and_documents_answer() {
        for page in [
            "/",
            "/explore",
            "/flags",
            "/flags/new-checkout",
            "/audit/17",
            "/access/tokens",
            "/resources/Flag/x",
        ] {
            let (status, _, body) = get(page, "").await;
            assert_eq!(status, 200, "{page}");
            assert!(body.contains("/assets/shell/main.js"), "{page}");
        }
        let (status, tag, body) = get("/assets/shell/main.js", "").await;
        assert_eq!(status, 200);
        assert!(body.contains("import"));
        assert_eq!(get("/assets/shell/main.js", &tag).await.0, 304);
        assert_eq!(get("/favicon.ico", "").await.0, 200);
        assert_eq!(get("/docs", "").await.0, 200);
        for missing in
            ["/assets/none.js", "/assets/index.html", "/assets/../src/lib.rs", "/docs/no-such-page"]
        {
            assert_eq!(get(missing, "").await.0, 404, "{missing}");
        }
    }
}
