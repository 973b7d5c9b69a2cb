//! The API as its own description says it is: schemathesis, from PyPI, asks what it finds there and more.

use std::process::Command;

use tests::{Http, Mainstay, clients, python, skip, target};

/// Generated cases an operation: enough to meet every kind of parameter, few enough for a test run.
const EXAMPLES: &str = "12";

/// Streams without an end, which a client that waits for the whole answer cannot ask.
pub(crate) const STREAMS: &str = "(/watch|/events)$";

/// Calls that end the caller's own session or make tokens and passwords without end.
const SELF_HARM: &str = "^/api/mainstay/v1/(session|users|ledger/export)";

/// Checks that do not fit: a query or a YAML text that has the right shape may still be wrong, which no schema says;
/// and wrong credentials are answered with 429 after a while, and ignored where this machine needs none. Who may do
/// what is held by `access.rs`.
pub(crate) const EXCLUDED: &str = "positive_data_acceptance,ignored_auth";

/// Runs schemathesis over a description against a server, with a token; without the checks `excluded` and the calls whose
/// paths fit `paths`.
///
/// # Panics
/// When it finds something.
pub(crate) fn schemathesis(description: &str, server: &Mainstay, http: &Http, excluded: &str, paths: &str) {
    let report = target().join("schemathesis");
    let output = Command::new(clients("python").join("bin/schemathesis"))
        .args(["run", description, "--url", server.base()])
        .arg("--header")
        .arg(format!("Authorization: Bearer {}", http.token().unwrap()))
        .args(["--max-examples", EXAMPLES, "--seed", "1", "--generation-database", "none", "--no-color"])
        .args(["--request-timeout", "10", "--exclude-checks", excluded, "--report-dir"])
        .arg(&report)
        .args(["--exclude-path-regex", paths])
        .current_dir(server.data())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn schemathesis_finds_nothing() {
    if python().is_none() {
        return skip("no schemathesis");
    }
    let server = Mainstay::start(&[]);
    let admin = server.http_as("admin").await;
    let description = format!("{}/openapi.json", server.base());
    schemathesis(&description, &server, &admin, EXCLUDED, &format!("{STREAMS}|{SELF_HARM}"));
}

#[tokio::test]
async fn the_description_is_served_and_complete() {
    let server = Mainstay::start(&[]);
    let description = server.http().get("/openapi.json").await.ok();
    assert_eq!(description["openapi"], "3.1.0");
    let expect = [
        ("/api/v1/query", "get"),
        ("/ofrep/v1/evaluate/flags/{key}", "post"),
        ("/api/mainstay/v1/resources/apply", "post"),
    ];
    for (path, method) in expect {
        assert!(description["paths"][path][method].is_object(), "{method} {path} is not described");
    }
}
