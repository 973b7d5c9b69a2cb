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

use flags::{FACT_VERSION, Fact, State, UnreadableFact, apply};
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
    for (second, name) in
        ["flag_set_defined.v1.json", "flag_defined.v1.json", "flag_switched.v1.everywhere.json"]
            .iter()
            .enumerate()
    {
        apply(&mut state, &read(name), Timestamp::from_secs(i64::try_from(second).unwrap()));
    }
    let flag = state.flag("new-checkout").unwrap();
    assert_eq!(
        (flag.version, flag.created, flag.changed),
        (4, Timestamp::from_secs(1), Timestamp::from_secs(2))
    );
    assert_eq!(flag.spec.state_in(Some("prod")).as_str(), "ENABLED");
    assert_eq!(flag.labels["tier"], "1");
    apply(&mut state, &read("flag_expired.v1.json"), Timestamp::EPOCH);
    assert_eq!(state.flag("new-checkout").unwrap().expired.as_deref(), Some("2026-12-31"));
    apply(&mut state, &read("flag_deleted.v1.json"), Timestamp::EPOCH);
    apply(&mut state, &read("flag_set_deleted.v1.json"), Timestamp::EPOCH);
    assert_eq!(state, State::default());
}

#[test]
fn what_is_not_known_is_refused_with_its_kind_and_version() {
    let newer =
        Fact::decode("flag_deleted", FACT_VERSION + 1, json!({"name": "a", "version": 1})).unwrap_err();
    assert!(
        matches!(&newer, UnreadableFact::Version { version, .. } if *version == FACT_VERSION + 1),
        "{newer}"
    );
    assert!(
        matches!(Fact::decode("flag_painted", 1, json!({})), Err(UnreadableFact::Kind(kind)) if kind == "flag_painted")
    );
    let broken = Fact::decode("flag_deleted", 1, json!({"name": "a"})).unwrap_err();
    assert!(broken.to_string().contains("missing field `version`"), "{broken}");
}
