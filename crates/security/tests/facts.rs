//! Every fact ever written stays readable: one sample of each kind and version in `tests/facts/`, as it stands in a
//! ledger. A sample is never changed; a new format gets new samples.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use std::collections::BTreeSet;
use std::path::Path;

use security::identity::{FACT_VERSION, Fact, State, UnreadableFact, apply, redact};
use serde_json::{Value, json};

struct Sample {
    file: String,
    version: u16,
    payload: Value,
}

fn samples() -> Vec<Sample> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/facts");
    let mut samples: Vec<Sample> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let file = path.file_name().unwrap().to_str().unwrap().to_owned();
            // 01-user_added.v1.json: order, kind, version.
            let version = file.rsplit_once(".v").unwrap().1.strip_suffix(".json").unwrap();
            let payload = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            Sample { version: version.parse().unwrap(), file, payload }
        })
        .collect();
    samples.sort_by(|a, b| a.file.cmp(&b.file));
    samples
}

#[test]
fn samples_read_fold_and_write_back_the_same() {
    let mut state = State::default();
    let mut kinds = BTreeSet::new();
    for Sample { file, version, payload } in samples() {
        let fact = Fact::read(version, payload.clone()).unwrap_or_else(|error| panic!("{file}: {error}"));
        apply(&mut state, &fact);
        assert!(file.contains(&format!("-{}.", fact.kind())), "{file} holds {}", fact.kind());
        assert_eq!(payload["kind"], fact.kind(), "{file}");
        assert!(!fact.subject().is_empty());
        if version == FACT_VERSION {
            assert_eq!(serde_json::to_value(&fact).unwrap(), payload, "{file}");
        }
        kinds.insert(fact.kind());
    }
    assert_eq!(kinds.len(), 14, "a kind of fact has no sample: {kinds:?}");
    let names: Vec<String> = state.users().map(|user| user.name.to_string()).collect();
    assert_eq!(names, ["admin"], "ada was added and removed");
    assert_eq!((state.tokens().len(), state.user("admin").unwrap().disabled), (0, false));
}

#[test]
fn what_cannot_be_read_says_why() {
    assert_eq!(Fact::read(FACT_VERSION + 1, json!({})), Err(UnreadableFact::Newer(FACT_VERSION + 1)));
    for (payload, expected) in [
        (json!({"kind": "user_exploded"}), "user_exploded"),
        (json!({"kind": "user_removed"}), "user"),
        (json!({"kind": "user_removed", "user": "Not A Name"}), "lower-case"),
        (json!([]), "kind"),
    ] {
        let error = Fact::read(1, payload.clone()).unwrap_err().to_string();
        assert!(error.contains(expected), "{payload}: {error}");
    }
}

#[test]
fn readers_of_the_ledger_see_neither_digests_nor_hashes() {
    for Sample { file, mut payload, .. } in samples() {
        redact(&mut payload);
        let text = payload.to_string();
        assert!(!text.contains("argon2"), "{file}: {text}");
        let hidden: Vec<&Value> = ["digest", "password"].iter().filter_map(|f| payload.get(f)).collect();
        assert!(hidden.iter().all(|value| **value == "hidden"), "{file}: {text}");
    }
}
