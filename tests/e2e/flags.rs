//! Flags as their clients see them: OFREP by hand, and the real OpenFeature providers from npm and PyPI.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::openapi::{EXCLUDED, STREAMS, schemathesis};
use futures::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Http, Mainstay, node, python, shared, skip, workspace};

/// A flagd file: a static flag, a targeted one, a string, a number, an object, and a disabled one.
const FLAGS: &str = r##"{
  "flags": {
    "always": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on"},
    "staff": {
      "state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
      "targeting": {"if": [{"ends_with": [{"var": "email"}, "@example.org"]}, "on", null]}
    },
    "colour": {"state": "ENABLED", "variants": {"red": "#f00", "blue": "#00f"}, "defaultVariant": "blue"},
    "limit": {"state": "ENABLED", "variants": {"low": 10, "high": 2.5}, "defaultVariant": "high"},
    "shape": {"state": "ENABLED", "variants": {"box": {"w": 1, "h": [2, 3]}}, "defaultVariant": "box"},
    "gone": {"state": "DISABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on"}
  }
}"##;

async fn with_flags() -> (Mainstay, Http) {
    let server = Mainstay::start(&[]);
    let operator = server.http_as("operator").await;
    let body = json!({"text": FLAGS, "reason": "for the test"});
    operator.post("/api/mainstay/v1/flags/import", &body).await.ok();
    (server, operator)
}

#[tokio::test]
async fn ofrep_evaluates_one_flag() {
    let (server, _operator) = with_flags().await;
    let http = server.http();
    let check = async |key: &str, context: Value, status: u16, expect: Value| {
        let answer =
            http.post(&format!("/ofrep/v1/evaluate/flags/{key}"), &json!({"context": context})).await;
        assert_eq!(answer.status, status, "{key}: {answer:?}");
        let body = answer.json();
        for (field, value) in expect.as_object().unwrap() {
            assert_eq!(&body[field], value, "{key}: {field} of {body}");
        }
    };
    let user = json!({"targetingKey": "u1", "email": "a@example.org"});
    let always = json!({"key": "always", "value": true, "variant": "on", "reason": "STATIC"});
    check("always", user.clone(), 200, always).await;
    check("staff", user.clone(), 200, json!({"value": true, "variant": "on", "reason": "TARGETING_MATCH"}))
        .await;
    check(
        "staff",
        json!({"targetingKey": "u2"}),
        200,
        json!({"value": false, "variant": "off", "reason": "UNKNOWN"}),
    )
    .await;
    check("shape", user.clone(), 200, json!({"value": {"w": 1, "h": [2, 3]}})).await;
    check("nothing", user.clone(), 404, json!({"key": "nothing", "errorCode": "FLAG_NOT_FOUND"})).await;
    check("always", json!("no object"), 400, json!({"errorCode": "INVALID_CONTEXT"})).await;
    let broken = http.request(Method::POST, "/ofrep/v1/evaluate/flags/always");
    let broken = Answer::of(broken.header("content-type", "application/json").body("{")).await;
    assert_eq!((broken.status, broken.json()["errorCode"].clone()), (400, json!("PARSE_ERROR")));
}

#[tokio::test]
async fn ofrep_evaluates_all_flags_and_says_when_nothing_changed() {
    let (server, operator) = with_flags().await;
    let ask = async |etag: Option<&str>| {
        let body = json!({"context": {"targetingKey": "u1"}});
        let mut request = server.http().request(Method::POST, "/ofrep/v1/evaluate/flags").json(&body);
        if let Some(etag) = etag {
            request = request.header("if-none-match", etag);
        }
        Answer::of(request).await
    };
    let first = ask(None).await;
    let flags = first.ok()["flags"].as_array().unwrap().clone();
    let colour = flags.iter().find(|flag| flag["key"] == "colour").unwrap();
    assert_eq!((&colour["value"], &colour["variant"]), (&json!("#00f"), &json!("blue")));
    let etag = first.header("etag").to_owned();
    assert!(!etag.is_empty());
    assert_eq!(ask(Some(&etag)).await.status, 304);
    let set = json!({"defaultVariant": "red", "reason": "warmer"});
    operator.post("/api/mainstay/v1/flags/colour/set", &set).await.ok();
    let after = ask(Some(&etag)).await;
    assert_eq!(after.status, 200);
    assert_ne!(after.header("etag"), etag);
}

#[tokio::test]
async fn a_change_reaches_a_connected_client_within_a_second() {
    let (server, operator) = with_flags().await;
    let mut events = server.http().events("/ofrep/v1/events").await;
    let began = Instant::now();
    let set = json!({"defaultVariant": "red", "reason": "warmer"});
    operator.post("/api/mainstay/v1/flags/colour/set", &set).await.ok();
    let heard = async {
        while let Some(event) = events.next().await {
            if event.data.contains("refetchEvaluation") {
                return began.elapsed();
            }
        }
        panic!("the stream ended");
    };
    let took = tokio::time::timeout(Duration::from_secs(5), heard).await.expect("no event");
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test]
async fn evaluations_become_metrics_and_trying_does_not() {
    let (server, operator) = with_flags().await;
    let context = json!({"context": {"targetingKey": "u1"}});
    for _ in 0..3 {
        server.http().post("/ofrep/v1/evaluate/flags/always", &context).await.ok();
    }
    operator.post("/api/mainstay/v1/flags/colour/evaluate", &context).await.ok();
    let metrics = operator.get("/metrics").await.text;
    let counted: Vec<&str> =
        metrics.lines().filter(|line| line.starts_with("mainstay_flag_evaluations_total{")).collect();
    let always = counted.iter().find(|line| line.contains("flag=\"always\"")).expect(&metrics);
    assert!(always.contains("variant=\"on\"") && always.ends_with(" 3"), "{always}");
    assert!(!counted.iter().any(|line| line.contains("flag=\"colour\"")), "{counted:?}");
}

#[tokio::test]
async fn a_kill_switch_works_at_once_and_is_in_the_ledger() {
    let (server, operator) = with_flags().await;
    let responder = server.http_as("responder").await;
    let body = json!({"reason": "burning"});
    let change = responder.post("/api/mainstay/v1/flags/staff/disable", &body).await.ok();
    let context = json!({"context": {"targetingKey": "u", "email": "a@example.org"}});
    let after = server.http().post("/ofrep/v1/evaluate/flags/staff", &context).await;
    assert_ne!(after.json()["value"], json!(true), "{after:?}");
    let history = operator.get("/api/mainstay/v1/resources/Flag/staff/history").await.ok();
    let newest = &history["items"][0];
    assert_eq!(
        (&newest["reason"], &newest["changeId"]),
        (&json!("burning"), &change["changeId"]),
        "{history}"
    );
    let disallowed = responder.post("/api/mainstay/v1/flags/staff/set", &json!({"reason": "x"})).await;
    assert_eq!(disallowed.status, 403, "a responder pulls the switch and edits nothing");
}

#[tokio::test]
async fn a_flagd_file_comes_back_as_it_went_in() {
    let (_server, operator) = with_flags().await;
    let out = operator.get("/api/mainstay/v1/flags/export?flagSet=default").await.ok();
    let given: Value = serde_json::from_str(FLAGS).unwrap();
    assert_eq!(out["flags"], given["flags"]);
}

/// What both SDKs are asked, and what they have to answer.
fn questions() -> (Value, Vec<Value>) {
    let staff = json!({"targetingKey": "u1", "email": "a@example.org"});
    let guest = json!({"targetingKey": "u2", "email": "b@example.com"});
    let table = [
        ("always", "boolean", json!(false), &guest, json!(true), "on", "STATIC", Value::Null),
        ("staff", "boolean", json!(false), &staff, json!(true), "on", "TARGETING_MATCH", Value::Null),
        ("staff", "boolean", json!(true), &guest, json!(false), "off", "UNKNOWN", Value::Null),
        ("colour", "string", json!("none"), &guest, json!("#00f"), "blue", "STATIC", Value::Null),
        ("limit", "number", json!(0.5), &guest, json!(2.5), "high", "STATIC", Value::Null),
        ("shape", "object", json!({}), &guest, json!({"w": 1, "h": [2, 3]}), "box", "STATIC", Value::Null),
        ("nothing", "boolean", json!(true), &guest, json!(true), "", "ERROR", json!("FLAG_NOT_FOUND")),
        ("colour", "boolean", json!(true), &guest, json!(true), "", "ERROR", json!("TYPE_MISMATCH")),
    ];
    let mut asked = Vec::new();
    let mut expected = Vec::new();
    for (key, kind, default, context, value, variant, reason, error) in table {
        asked.push(json!({"key": key, "type": kind, "default": default, "context": context}));
        expected.push(
            json!({"key": key, "value": value, "variant": variant, "reason": reason, "errorCode": error}),
        );
    }
    (Value::from(asked), expected)
}

/// Runs a client script and holds its answers against the table.
async fn check_client(server: &Mainstay, client: &mut Command) {
    let token = server.http_as("viewer").await.token().unwrap().to_owned();
    let (asked, expected) = questions();
    let output = client.arg(server.base()).arg(token).arg(asked.to_string()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let answers: Vec<Value> = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(answers.len(), expected.len());
    for (answer, expect) in answers.iter().zip(&expected) {
        let field = |name: &str| answer.get(name).cloned().unwrap_or(Value::Null);
        assert_eq!(field("value"), expect["value"], "{answer}");
        assert_eq!(field("errorCode"), expect["errorCode"], "{answer}");
        if expect["errorCode"].is_null() {
            assert_eq!(
                (field("variant"), field("reason")),
                (expect["variant"].clone(), expect["reason"].clone()),
                "{answer}"
            );
        }
    }
}

#[tokio::test]
async fn the_provider_from_npm_evaluates() {
    let Some(node) = node() else { return skip("no OFREP provider from npm") };
    let (server, _operator) = with_flags().await;
    let mut client = Command::new(node);
    client.arg(workspace().join("tests/clients/node/ofrep.cjs"));
    client.env("NODE_PATH", tests::clients("node").join("node_modules"));
    check_client(&server, &mut client).await;
}

#[tokio::test]
async fn the_provider_from_pypi_evaluates() {
    let Some(python) = python() else { return skip("no OFREP provider from PyPI") };
    let (server, _operator) = with_flags().await;
    check_client(&server, Command::new(python).arg(workspace().join("tests/clients/python/ofrep.py"))).await;
}

/// The protocol's own description, as a property test of every answer.
#[tokio::test]
async fn ofrep_answers_as_its_description_says() {
    let (Some(_), Some(folder)) = (python(), shared("ofrep")) else {
        return skip("no schemathesis, or no ../shared/conformance/ofrep");
    };
    let (server, _operator) = with_flags().await;
    let text = std::fs::read_to_string(folder.join("openapi.yaml")).unwrap();
    // The description lists the shapes of a value as `oneOf`, and among them one that every object has (the code
    // default's), so that no value would be right; what is meant is `anyOf`.
    let meant = text.replace(
        "- oneOf:\n            - $ref: \"#/components/schemas/booleanFlag\"",
        "- anyOf:\n            - $ref: \"#/components/schemas/booleanFlag\"",
    );
    assert_ne!(text, meant, "the description has changed; look whether it still needs mending");
    let path = server.data().parent().unwrap().join("ofrep.yaml");
    std::fs::write(&path, meant).unwrap();
    let viewer = server.http_as("viewer").await;
    // Query parameters that only tell a cache's age are not read, so wrong ones are not refused.
    let excluded = format!("{EXCLUDED},negative_data_rejection");
    schemathesis(&path.display().to_string(), &server, &viewer, &excluded, STREAMS);
}
