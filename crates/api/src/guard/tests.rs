use std::net::SocketAddr;

use axum::body::{Body, to_bytes};
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde_json::Value;
use tower::ServiceExt as _;

use super::*;

fn router() -> Router {
    let router = Router::new()
        .route("/", get(|| async { "hello" }).post(|| async { "changed" }))
        .route("/kept", get(|| async { ([(header::CACHE_CONTROL, "max-age=60")], "asset") }))
        .route(
            "/id",
            get(
                |request: Request| async move { request.extensions().get::<RequestId>().cloned().unwrap().0 },
            ),
        )
        .route("/panic", post(|| async { panic!("the cat is on the mat") as &str }));
    Guard::new(vec!["box.example.org".to_owned()]).protect(router)
}

fn tcp(tls: bool) -> Peer {
    Peer::Tcp { addr: SocketAddr::from(([192, 0, 2, 9], 40_000)), tls }
}

async fn ask(
    peer: Peer,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> (StatusCode, HeaderMap, String) {
    let mut request = Request::builder().method(method).uri(path).extension(peer);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn every_answer_carries_the_headers() {
    let host = ("host", "box.example.org");
    for (method, path, headers, expected) in [
        ("GET", "/", vec![host], StatusCode::OK),
        ("GET", "/nowhere", vec![host], StatusCode::NOT_FOUND),
        ("PATCH", "/", vec![host], StatusCode::METHOD_NOT_ALLOWED),
        ("POST", "/panic", vec![host], StatusCode::INTERNAL_SERVER_ERROR),
        ("GET", "/", vec![("host", "evil.example")], StatusCode::FORBIDDEN),
        ("POST", "/", vec![host, ("sec-fetch-site", "cross-site")], StatusCode::FORBIDDEN),
        ("GET", "/", vec![], StatusCode::BAD_REQUEST),
    ] {
        let (status, headers, _) = ask(tcp(true), method, path, &headers).await;
        assert_eq!(status, expected, "{method} {path}");
        for (name, value) in [
            ("content-security-policy", "default-src 'none'; script-src 'self'; style-src 'self'"),
            ("content-security-policy", "frame-ancestors 'none'"),
            ("content-security-policy", "base-uri 'none'"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("permissions-policy", "camera=()"),
            ("cache-control", "no-store"),
            ("x-request-id", "-0"),
        ] {
            let found = headers.get(name).map_or("absent", |found| found.to_str().unwrap());
            assert!(found.contains(value), "{method} {path} {name}: {found}");
        }
    }
}

#[tokio::test]
async fn what_a_handler_says_about_caching_stands() {
    let (_, headers, _) = ask(tcp(false), "GET", "/kept", &[("host", "localhost")]).await;
    assert_eq!(headers[header::CACHE_CONTROL], "max-age=60");
}

#[tokio::test]
async fn browsers_are_held_to_tls_only_where_it_is_spoken() {
    for (tls, host, expected) in [
        (true, "box.example.org", true),
        (false, "box.example.org", false),
        (true, "localhost:7070", false),
        (true, "192.0.2.1", true),
    ] {
        let (_, headers, _) = ask(tcp(tls), "GET", "/", &[("host", host)]).await;
        assert_eq!(headers.contains_key(header::STRICT_TRANSPORT_SECURITY), expected, "{tls} {host}");
    }
}

#[tokio::test]
async fn a_refusal_is_an_answer_like_every_other() {
    let (status, headers, body) = ask(tcp(false), "GET", "/", &[("host", "evil.example")]).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(headers[header::CONTENT_TYPE].to_str().unwrap().starts_with("application/json"));
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["error"]["kind"], "denied");
    assert!(body["error"]["message"].as_str().unwrap().contains("--host-name evil.example"), "{body}");
}

#[tokio::test]
async fn the_unix_socket_names_no_host_and_no_site() {
    let local = Peer::Local { uid: 0, pid: None };
    let (status, ..) =
        ask(local, "POST", "/", &[("host", "evil.example"), ("origin", "http://evil.example")]).await;
    assert_eq!(status, StatusCode::OK);
    let (status, ..) = ask(local, "GET", "/", &[]).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn a_panic_is_answered_with_the_id_to_quote_and_nothing_else() {
    let (status, headers, body) = ask(tcp(false), "POST", "/panic", &[("host", "localhost")]).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    let id = headers[REQUEST_ID].to_str().unwrap().to_owned();
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(answer["error"]["kind"], "bug");
    assert!(answer["error"]["message"].as_str().unwrap().contains(&id), "{body}");
    assert!(!body.contains("cat"), "{body}");
}

#[tokio::test]
async fn a_request_id_is_taken_over_if_it_is_one() {
    let long = "x".repeat(65);
    for (given, kept) in
        [("abc-1.2_3", true), ("a b", false), ("<script>", false), ("", false), (&long, false)]
    {
        let headers = [("host", "localhost"), ("x-request-id", given)];
        let (_, answered, seen) = ask(tcp(false), "GET", "/id", &headers).await;
        assert_eq!(answered[REQUEST_ID].to_str().unwrap(), seen, "handler and client read the same");
        assert_eq!(seen == given, kept, "{given:?} {seen:?}");
    }
    let ids = RequestIds::new();
    let made: Vec<String> = (0..3).map(|_| ids.of(&HeaderMap::new())).collect();
    assert!(made[0] != made[1] && made[1] != made[2], "{made:?}");
}
