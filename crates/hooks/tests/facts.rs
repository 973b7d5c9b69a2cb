//! The on-disk format: every fact that was ever written stays readable. A sample in `tests/facts/` is never changed and
//! never removed; a new version of a payload adds one.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and what it calls is part of it"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use hooks::{FACT_VERSION, Fact, Format, State, UnreadableFact, apply};
use kernel::Timestamp;
use serde_json::{Value, json};

#[test]
fn every_kind_and_version_ever_written_is_read_and_folded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/facts");
    let mut kinds = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let sample: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let kind = sample["kind"].as_str().unwrap();
        let version = u16::try_from(sample["version"].as_u64().unwrap()).unwrap();
        let fact = Fact::decode(kind, version, sample["payload"].clone());
        let fact = fact.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(fact.kind(), kind);
        if version == FACT_VERSION {
            assert_eq!(fact.payload(), sample["payload"], "{}", path.display());
            kinds.insert(kind.to_owned());
        }
        apply(&mut State::default(), &fact, Timestamp::EPOCH);
    }
    assert_eq!(kinds, Fact::KINDS.map(str::to_owned).into(), "a sample of every kind in its newest version");
}

#[test]
fn the_state_that_the_samples_fold_to_is_what_they_say() {
    let read = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/facts").join(name);
        let sample: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        Fact::decode(sample["kind"].as_str().unwrap(), 1, sample["payload"].clone()).unwrap()
    };
    let mut state = State::default();
    let defined = read("webhook_defined.v1.json");
    apply(&mut state, &defined, Timestamp::from_secs(1));
    apply(&mut state, &defined, Timestamp::from_secs(2));
    let webhook = state.webhook("team-chat").unwrap();
    assert_eq!(
        (webhook.version, webhook.created, webhook.changed),
        (3, Timestamp::from_secs(1), Timestamp::from_secs(2))
    );
    assert_eq!((webhook.spec.format, webhook.spec.disabled), (Format::Slack, true));
    assert_eq!(webhook.labels["team"], "payments");
    apply(&mut state, &read("webhook_deleted.v1.json"), Timestamp::from_secs(3));
    assert_eq!(state, State::default());
}

#[test]
fn what_this_version_does_not_know_is_said() {
    let payload = json!({"name": "x", "version": 1});
    for (kind, version, payload, expected) in [
        ("webhook_called", 1, payload.clone(), UnreadableFact::Kind("webhook_called".to_owned())),
        (
            "webhook_deleted",
            2,
            payload.clone(),
            UnreadableFact::Version { kind: "webhook_deleted".to_owned(), version: 2 },
        ),
    ] {
        assert_eq!(Fact::decode(kind, version, payload), Err(expected));
    }
    let wrong = Fact::decode("webhook_defined", 1, payload).unwrap_err();
    assert!(wrong.to_string().contains("missing field `spec`"), "{wrong}");
}
