//! Who may do what: every route as every role, every command without credentials.
//!
//! The routes come from the server's own description (`x-mainstay-role`), so a route that is added is asked too; that
//! the description says the same as the router is a test of `api`. What is held here is the running server.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Http, Mainstay};

/// From the least to the most.
const ROLES: [&str; 4] = ["viewer", "responder", "operator", "admin"];

/// Everything an anonymous caller may reach from this machine. Written down here, so that nothing becomes public by
/// mistake in the table.
const OPEN: &[&str] = &[
    "DELETE /api/mainstay/v1/session",
    "GET /",
    "GET /-/healthy",
    "GET /-/ready",
    "GET /assets/{path}",
    "GET /docs",
    "GET /docs/{page}",
    "GET /metrics",
    "GET /ofrep/v1/events",
    "GET /openapi.json",
    "GET /sign-in",
    "POST /api/mainstay/v1/session",
    "POST /ofrep/v1/evaluate/flags",
    "POST /ofrep/v1/evaluate/flags/{key}",
    "POST /sign-in",
];

/// One operation of the description.
struct Operation {
    method: Method,
    path: String,
    query: String,
    body: Option<Value>,
    needs: String,
}

/// Values of parameters under which a call gets as far as the question who may. Any other gets a name that nobody has.
const PARAMETERS: [(&str, &str); 9] = [
    ("role", "viewer"),
    ("ttl", "10m"),
    ("kind", "Flag"),
    ("seq", "1"),
    ("query", "1"),
    ("start", "0"),
    ("end", "1"),
    ("step", "1"),
    ("match[]", "up"),
];

/// The smallest value that fits a JSON Schema of the description.
fn sample(schema: &Value, description: &Value) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        return sample(description.pointer(reference.trim_start_matches('#')).unwrap(), description);
    }
    if let Some(first) = ["anyOf", "oneOf", "enum"].iter().find_map(|word| schema[word].get(0)) {
        return if schema["enum"].is_array() { first.clone() } else { sample(first, description) };
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
    match kind {
        Some("object") => {
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            let field = |name: &Value| {
                let name = name.as_str().unwrap();
                if let Some((_, value)) = PARAMETERS.iter().find(|(known, _)| *known == name) {
                    return (name.to_owned(), json!(value));
                }
                (name.to_owned(), sample(&schema["properties"][name], description))
            };
            Value::Object(required.iter().map(field).collect())
        }
        Some("array") => json!([]),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(json!(1)),
        Some("boolean") => json!(false),
        _ => json!("nobody"),
    }
}

fn operations(description: &Value) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (path, methods) in description["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let needs = operation["x-mainstay-role"].as_str();
            let needs = needs.unwrap_or_else(|| panic!("{method} {path} says nothing of who may"));
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let known = |parameter: &Value| {
                let name = parameter["name"].as_str()?;
                let (_, value) = PARAMETERS.iter().find(|(known, _)| *known == name)?;
                (parameter["in"] == "query").then(|| format!("{name}={value}"))
            };
            let query = operation["parameters"].as_array().into_iter().flatten().filter_map(known);
            let schema = operation["requestBody"].pointer("/content/application~1json/schema");
            operations.push(Operation {
                method,
                path: path.clone(),
                query: query.collect::<Vec<_>>().join("&"),
                body: schema.map(|schema| sample(schema, description)),
                needs: needs.to_owned(),
            });
        }
    }
    operations
}

impl Operation {
    /// Whether a role (none: an anonymous caller of this machine) may.
    fn admits(&self, role: Option<&str>) -> bool {
        let rank = |role: &str| ROLES.iter().position(|other| *other == role);
        match (self.needs.as_str(), role) {
            ("public", _) | ("signed-in", Some(_)) => true,
            ("signed-in", None) => false,
            (needs, None) => needs.starts_with("local or "),
            (needs, Some(role)) => {
                let least = needs.trim_start_matches("local or ");
                rank(role) >= Some(rank(least).unwrap_or_else(|| panic!("{needs} is no role")))
            }
        }
    }

    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Asks with names that nobody has, and does not read the answer: it may be endless.
    async fn ask(&self, http: &Http) -> u16 {
        let part = |part: &str| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            None => part.to_owned(),
            Some(name) => PARAMETERS
                .iter()
                .find(|(known, _)| *known == name)
                .map_or("nobody", |(_, value)| value)
                .to_owned(),
        };
        let path = self.path.split('/').map(part).collect::<Vec<_>>().join("/");
        let mut request = http.request(self.method.clone(), &format!("{path}?{}", self.query));
        if let Some(body) = &self.body {
            request = request.json(body);
        }
        request.send().await.unwrap().status().as_u16()
    }
}

#[tokio::test]
async fn every_route_admits_exactly_the_roles_it_says() {
    let server = Mainstay::start(&[]);
    let anonymous = server.http();
    let operations = operations(&anonymous.get("/openapi.json").await.ok());
    assert!(operations.len() > 50, "only {} operations are described", operations.len());
    let mut wrong = Vec::new();
    for operation in &operations {
        let name = operation.name();
        let admitted = operation.admits(None);
        assert!(
            !admitted || OPEN.contains(&name.as_str()),
            "{name} is open to anyone and not in the list of this test"
        );
        let status = operation.ask(&anonymous).await;
        let refused = status == 401 || status == 403;
        // Signing in is public, and refuses what was sent here.
        let signs_in = name.contains("session") || name.contains("sign-in");
        if refused == admitted && !(admitted && signs_in) {
            wrong.push(format!("{name} ({}) answers an anonymous caller {status}", operation.needs));
        }
    }
    for role in ROLES {
        let http = server.http_as(role).await;
        for operation in operations.iter().filter(|operation| !operation.name().contains("sign-in")) {
            let status = operation.ask(&http).await;
            let admitted = operation.admits(Some(role));
            // Credentials are known here, so a refusal is 403; trying to sign in with nothing is another matter.
            let refused = status == 403 || (status == 401 && operation.needs != "public");
            if refused == admitted || status >= 500 {
                wrong.push(format!("{} ({}) answers {role} {status}", operation.name(), operation.needs));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn tokens_end_with_their_revocation_and_are_never_shown_again() {
    let server = Mainstay::start(&[]);
    let admin = server.http_as("admin").await;
    let made = admin
        .post("/api/mainstay/v1/tokens", &json!({"name": "short", "role": "viewer", "ttl": "10m"}))
        .await
        .ok();
    let token = made["token"].as_str().unwrap();
    let viewer = server.http().with_token(token);
    assert_eq!(viewer.get("/api/mainstay/v1/status").await.status, 200);
    let list = admin.get("/api/mainstay/v1/tokens").await;
    assert!(!list.text.contains(token), "the list shows the token");
    let basic = server.http().request(Method::GET, "/api/mainstay/v1/status").basic_auth("any", Some(token));
    assert_eq!(tests::Answer::of(basic).await.status, 200, "a token as a password");
    let id = made["id"].as_str().unwrap();
    let gone = admin.delete(&format!("/api/mainstay/v1/tokens/{id}?reason=test")).await;
    assert!(gone.status < 300, "{gone:?}");
    assert_eq!(viewer.get("/api/mainstay/v1/status").await.status, 401);
}

#[tokio::test]
async fn a_sign_in_link_works_once_and_its_session_ends_at_sign_out() {
    let server = Mainstay::start(&[]);
    let link = server.link();
    let token = link.split("link=").nth(1).unwrap();
    let sign_in =
        || server.http().request(Method::POST, "/api/mainstay/v1/session").json(&json!({"link": token}));
    let first = tests::Answer::of(sign_in()).await;
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!(first.json()["actor"]["role"], "admin");
    let set = first.header("set-cookie").to_owned();
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict"), "{set}");
    assert_eq!(tests::Answer::of(sign_in()).await.status, 401, "the link worked twice");

    let cookie = set.split(';').next().unwrap();
    let with_cookie =
        |method: Method, path: &str| server.http().request(method, path).header("cookie", cookie);
    let session = "/api/mainstay/v1/session";
    assert_eq!(tests::Answer::of(with_cookie(Method::GET, session)).await.status, 200);
    let foreign = with_cookie(Method::DELETE, session).header("origin", "https://evil.example");
    assert_eq!(tests::Answer::of(foreign).await.status, 403, "another site's page may not change anything");
    let own = with_cookie(Method::DELETE, session).header("origin", server.base());
    assert_eq!(tests::Answer::of(own).await.status, 204);
    assert_eq!(tests::Answer::of(with_cookie(Method::GET, session)).await.status, 401);
}

#[tokio::test]
async fn a_path_that_is_no_text_is_refused_in_our_words() {
    let server = Mainstay::start(&[]);
    let viewer = server.http_as("viewer").await;
    for path in ["flags/%ff", "resources/Flag/%ff", "facts/%ff"] {
        let answer = viewer.get(&format!("/api/mainstay/v1/{path}")).await;
        assert_eq!(
            (answer.status, answer.json()["error"]["kind"].as_str()),
            (400, Some("invalid")),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn a_foreign_host_name_is_refused() {
    let server = Mainstay::start(&[]);
    let request = server.http().request(Method::GET, "/metrics").header("host", "rebound.example");
    let answer = tests::Answer::of(request).await;
    assert!((400..500).contains(&answer.status), "{answer:?}");
}

#[tokio::test]
async fn pages_carry_their_security_headers_and_send_strangers_to_sign_in() {
    let server = Mainstay::start(&[]);
    let answer = server.http().get("/flags?q=x").await;
    assert_eq!(answer.status, 303);
    assert!(answer.header("location").starts_with("/sign-in?next="), "{answer:?}");
    let page = server.http().get("/sign-in").await;
    let policy = page.header("content-security-policy").to_owned();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    let expect = BTreeMap::from([("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer")]);
    for (name, value) in expect {
        assert_eq!(page.header(name), value, "{name}");
    }
}

#[tokio::test]
async fn guessing_a_password_is_slowed_down() {
    let server = Mainstay::start(&[]);
    let mut seen = Vec::new();
    for _ in 0..30 {
        let body = json!({"user": "admin", "password": "guess"});
        let answer = server.http().post("/api/mainstay/v1/session", &body).await;
        seen.push(answer.status);
        if answer.status == 429 {
            assert!(!answer.header("retry-after").is_empty(), "{answer:?}");
            return;
        }
        assert_eq!(answer.status, 401);
    }
    panic!("never limited: {seen:?}");
}
