//! Ledgers of every version there was stay readable: `samples/envelope-N.ndjson` is an export and `samples/schema-N.db` a
//! database as that version wrote them. They are never made anew; a new version adds its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests say what is wrong by failing"
)]

use std::path::PathBuf;

use kernel::{Actor, ActorKind, ChangeId, FactSeq, Role, Timestamp};
use ledger::{
    DATABASE_FILE, FactRecord, Ledger, LedgerOptions, NewEffect, NewFact, Snapshot, SqliteLedger, export,
};
use serde_json::{Value, json};

/// The last hash of the facts of [`facts`] in envelope version 1.
const TIP_1: &str = "15707d2ef352849a879651466c60a78926f5e386e05aaeefc30dc2674c867da7";

#[test]
fn an_export_of_envelope_1_imports_and_its_hashes_hold() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&folder);
    let lines = std::fs::read(sample("envelope-1.ndjson")).unwrap();
    assert_eq!(ledger.import(&mut &lines[..]).unwrap().hash, TIP_1);
    check(&ledger);
    let mut again = Vec::new();
    export(&ledger, FactSeq(0), &mut again).unwrap();
    assert_eq!(String::from_utf8(again).unwrap(), String::from_utf8(lines).unwrap());
}

#[test]
fn a_database_of_schema_1_opens_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(sample("schema-1.db"), folder.path().join(DATABASE_FILE)).unwrap();
    let ledger = open(&folder);
    assert_eq!(ledger.tip().hash, TIP_1);
    check(&ledger);
    let snapshot = ledger.snapshot("flags").unwrap().unwrap();
    assert_eq!((snapshot.version, snapshot.seq, snapshot.state), (7, FactSeq(5), b"state".to_vec()));
    let due = ledger.lease("webhook", 9, Timestamp::EPOCH, Timestamp::from_secs(9)).unwrap();
    assert_eq!((due.len(), due[0].key.as_str(), &due[0].payload), (1, "once", &json!({ "to": "x" })));
    ledger.append(facts(), Vec::new(), Some(FactSeq(facts().len() as u64))).unwrap();
    assert!(ledger.verify().unwrap().is_sound());
}

/// What is appended today is what was appended then, so a change of the hashed bytes is seen at once.
#[test]
fn the_same_facts_still_have_the_same_hashes() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&folder);
    ledger.append(facts(), Vec::new(), None).unwrap();
    assert_eq!(ledger.tip().hash, TIP_1);
}

#[test]
#[ignore = "writes the samples of a new version into SAMPLES_TO; run by hand when there is one"]
fn make_samples() {
    let to = PathBuf::from(std::env::var("SAMPLES_TO").unwrap());
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&folder);
    let effect =
        NewEffect { key: "once".to_owned(), kind: "webhook".to_owned(), payload: json!({ "to": "x" }) };
    ledger.append(facts(), vec![effect], None).unwrap();
    let snapshot =
        Snapshot { chapter: "flags".to_owned(), version: 7, seq: FactSeq(5), state: b"state".to_vec() };
    ledger.save_snapshot(&snapshot).unwrap();
    let mut file = std::fs::File::create(to.join("envelope-1.ndjson")).unwrap();
    export(&ledger, FactSeq(0), &mut file).unwrap();
    println!("{}", ledger.tip().hash);
    drop(ledger);
    std::fs::copy(folder.path().join(DATABASE_FILE), to.join("schema-1.db")).unwrap();
}

/// Facts that use every field, and the corners of every type.
fn facts() -> Vec<NewFact> {
    let actor = |kind, name: &str, role| Actor { kind, name: name.to_owned(), role };
    let who = [
        actor(ActorKind::User, "ada", Some(Role::Viewer)),
        actor(ActorKind::Token, "ci", Some(Role::Responder)),
        actor(ActorKind::Local, "uid:0", Some(Role::Operator)),
        actor(ActorKind::System, "reconciler/flags", Some(Role::Admin)),
        actor(ActorKind::Anonymous, "anonymous", None),
    ];
    let payloads: [Value; 5] = [
        json!(null),
        json!({ "z": [], "a": {}, "é": "\u{1f6a6}\u{0}\n\"\\/\u{7f}\u{2028}", "": false }),
        json!([u64::MAX, i64::MIN, 0, -1, 1.0, -0.0, 0.1, 1e300, 5e-324, 1e21, 123456789.125]),
        json!([[[["deep"]]]]),
        json!("text"),
    ];
    let times = [0, 1, -1, 1_795_461_300_000_000_001, 4_102_444_800_000_000_000];
    let fact = |(index, ((actor, payload), nanos)): (usize, ((Actor, Value), i64))| NewFact {
        time: Timestamp::from_nanos(nanos),
        actor,
        reason: if index == 1 { "weil es »so« ist\n".to_owned() } else { String::new() },
        change: (index % 2 == 0).then(|| ChangeId(format!("chg-{index}"))),
        chapter: ["flags", "security"][index % 2].to_owned(),
        kind: "flag_set".to_owned(),
        version: [0, 1, u16::MAX][index % 3],
        subject: ["", "Flag/a b"][index % 2].to_owned(),
        payload,
    };
    who.into_iter().zip(payloads).zip(times).enumerate().map(fact).collect()
}

fn check(ledger: &SqliteLedger) {
    assert!(ledger.verify().unwrap().is_sound());
    let read = ledger.read(FactSeq(0), 100, None).unwrap();
    let as_new = |fact: FactRecord| NewFact {
        time: fact.time,
        actor: fact.actor,
        reason: fact.reason,
        change: fact.change,
        chapter: fact.chapter,
        kind: fact.kind,
        version: fact.version,
        subject: fact.subject,
        payload: fact.payload,
    };
    assert_eq!(read.into_iter().map(as_new).collect::<Vec<_>>(), facts());
}

fn open(folder: &tempfile::TempDir) -> SqliteLedger {
    SqliteLedger::open(folder.path(), &LedgerOptions::default()).unwrap()
}

fn sample(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/samples").join(name)
}
