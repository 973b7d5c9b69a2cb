//! A flipped byte anywhere: every byte of a small ledger's files is changed, one at a time, and each change is either
//! found (by opening or by verifying) or changes nothing that can be read. Also: a change inside a fact is located.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests say what is wrong by failing"
)]

use std::path::Path;

use kernel::{Actor, ChangeId, FactSeq, Timestamp};
use ledger::{
    DATABASE_FILE, FactFilter, FactRecord, Ledger, LedgerError, LedgerOptions, NewEffect, NewFact, Place,
    Settled, Snapshot, SqliteLedger,
};
use serde_json::json;
use simulation::Random;

/// How many bytes of each file are flipped, spread evenly. `LEDGER_FLIPS=1000000` flips every one, which takes minutes.
const FLIPS: usize = 400;

/// A folder's files, name and content.
type Files = Vec<(String, Vec<u8>)>;

/// Everything that can be read from a ledger.
#[derive(Debug, PartialEq)]
struct Content {
    facts: Vec<FactRecord>,
    searches: Vec<Vec<FactSeq>>,
    snapshot: Option<Snapshot>,
    outbox: String,
}

#[test]
fn a_flipped_byte_in_a_closed_ledger_is_found_or_harmless() {
    let folder = tempfile::tempdir().unwrap();
    drop(build(folder.path()));
    let files = read_files(folder.path());
    assert!(files.iter().all(|(name, _)| !name.ends_with("-wal")), "a closed ledger leaves no log");
    flip_everywhere(&files);
}

#[test]
fn a_flipped_byte_in_the_log_that_a_crash_left_is_found_or_harmless() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = build(folder.path());
    // As a killed process leaves them: the log is not folded into the database yet.
    let files = read_files(folder.path());
    drop(ledger);
    let log = files.iter().find(|(name, _)| name.ends_with("-wal")).unwrap();
    assert!(log.1.len() > 50_000, "the log holds the facts");
    let files: Files = files.into_iter().filter(|(name, _)| !name.ends_with("-shm")).collect();
    flip_everywhere(&files);
}

#[test]
fn a_changed_fact_is_located() {
    let folder = tempfile::tempdir().unwrap();
    drop(build(folder.path()));
    let files = read_files(folder.path());
    let (_, database) = files.iter().find(|(name, _)| name == DATABASE_FILE).unwrap();
    for seq in [1_u64, 7, 30] {
        // The payload names the fact, so its bytes can be found; moved rows leave copies in free space.
        let mark = format!("\"mark\":\"fact-{seq:04}\"");
        let mut altered = database.clone();
        for at in 0..database.len() - mark.len() {
            if database[at..].starts_with(mark.as_bytes()) {
                altered[at + 12] ^= 1;
            }
        }
        let changed = tempfile::tempdir().unwrap();
        write_files(changed.path(), &files, "", 0, 0);
        std::fs::write(changed.path().join(DATABASE_FILE), altered).unwrap();
        let found = SqliteLedger::verify_folder(changed.path(), &mut |_| {}).unwrap();
        assert_eq!(found.damage.len(), 1, "{:?}", found.damage);
        assert_eq!(found.damage[0].place, Place::Fact(FactSeq(seq)));
        assert_eq!(found.tip.seq, FactSeq(seq - 1), "the facts before it hold");
        let ledger = SqliteLedger::open(changed.path(), &LedgerOptions::default());
        let read = ledger.and_then(|ledger| ledger.read(FactSeq(0), 100, None));
        assert!(
            matches!(&read, Err(LedgerError::Damaged { seq: at, .. }) if at.0 == seq),
            "reading it fails and names it: {read:?}"
        );
    }
}

#[test]
fn a_ledger_that_was_cut_or_replaced_by_an_older_copy_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = SqliteLedger::open(folder.path(), &LedgerOptions::default()).unwrap();
    ledger.append((1..=3).map(fact).collect(), Vec::new(), None).unwrap();
    drop(ledger);
    let older = std::fs::read(folder.path().join(DATABASE_FILE)).unwrap();
    let ledger = SqliteLedger::open(folder.path(), &LedgerOptions::default()).unwrap();
    ledger.append((4..=9).map(fact).collect(), Vec::new(), None).unwrap();
    drop(ledger);
    std::fs::write(folder.path().join(DATABASE_FILE), older).unwrap();
    let Err(LedgerError::Damaged { seq, what }) =
        SqliteLedger::open(folder.path(), &LedgerOptions::default())
    else {
        panic!("an older copy opened");
    };
    assert_eq!(seq, FactSeq(4));
    assert!(what.starts_with("facts 4 to 9 were acknowledged and are missing"), "{what}");
}

/// Flips bytes of each file in turn. A flip that neither opening nor verifying finds must leave the same content.
fn flip_everywhere(files: &Files) {
    let whole = tempfile::tempdir().unwrap();
    write_files(whole.path(), files, "", 0, 0);
    let expected = content(&SqliteLedger::open(whole.path(), &LedgerOptions::default()).unwrap()).unwrap();
    assert_eq!(expected.facts.len(), 40);
    let flips = std::env::var("LEDGER_FLIPS").ok().and_then(|text| text.parse().ok()).unwrap_or(FLIPS);
    let mut random = Random::new(1);
    let (mut found, mut harmless) = (0, 0);
    for (name, bytes) in files {
        let stride = bytes.len().div_ceil(flips).max(1);
        for start in (0..bytes.len()).step_by(stride) {
            let at = (start + random.index(stride)).min(bytes.len() - 1);
            // One bit, or any other change of the byte.
            let mask = if random.chance(0.5) { 1 << random.below(8) } else { random.between(1, 255) };
            let changed = scratch();
            write_files(changed.path(), files, name, at, u8::try_from(mask).unwrap());
            if is_found(changed.path()) {
                found += 1;
                continue;
            }
            let ledger = SqliteLedger::open(changed.path(), &LedgerOptions::default()).unwrap();
            let same = content(&ledger).is_ok_and(|content| content == expected);
            assert!(same, "{name} byte {at} ^ {mask:#x} went unnoticed and reads differently");
            harmless += 1;
        }
    }
    println!("{} flips: {found} found, {harmless} in bytes that mean nothing", found + harmless);
    assert!(found > 150, "a good part of a ledger's bytes mean something");
}

/// Whether verifying or opening finds damage; what opening refuses, verifying has explained.
fn is_found(folder: &Path) -> bool {
    match SqliteLedger::verify_folder(folder, &mut |_| {}) {
        Err(error) => panic!("verification must explain damage, not fail: {error:?}"),
        Ok(found) if !found.is_sound() => true,
        Ok(_) => {
            let opened = SqliteLedger::open(folder, &LedgerOptions::default());
            assert!(opened.is_ok(), "refused without a finding: {:?}", opened.err());
            false
        }
    }
}

/// A folder in memory where there is one: nothing here is about durability.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Forty facts, a snapshot, and effects in every state.
fn build(folder: &Path) -> SqliteLedger {
    let ledger = SqliteLedger::open(folder, &LedgerOptions::default()).unwrap();
    for tens in 0..4 {
        let facts = (1..=10).map(|n| fact(tens * 10 + n)).collect();
        let key = format!("effect-{tens}");
        let effect =
            NewEffect { key, kind: "webhook".to_owned(), payload: json!({ "to": "https://x.test" }) };
        ledger.append(facts, vec![effect], None).unwrap();
    }
    let (now, until) = (Timestamp::from_secs(10), Timestamp::from_secs(20));
    let leased = ledger.lease("webhook", 3, now, until).unwrap();
    ledger.settle(&leased[0], Settled::Delivered).unwrap();
    ledger.settle(&leased[1], Settled::Dead { error: "410 Gone".to_owned() }).unwrap();
    ledger.settle(&leased[2], Settled::Retry { at: until, error: "503".to_owned() }).unwrap();
    ledger
        .save_snapshot(&Snapshot {
            chapter: "flags".to_owned(),
            version: 3,
            seq: FactSeq(35),
            state: vec![9; 900],
        })
        .unwrap();
    ledger
}

fn fact(seq: u64) -> NewFact {
    NewFact {
        time: Timestamp::from_secs(i64::try_from(seq).unwrap()),
        actor: Actor {
            role: seq.is_multiple_of(2).then_some(kernel::Role::Operator),
            ..Actor::system("flips")
        },
        reason: if seq.is_multiple_of(3) { "because".to_owned() } else { String::new() },
        change: seq.is_multiple_of(4).then(|| ChangeId(format!("chg-{}", seq / 8))),
        chapter: if seq.is_multiple_of(5) { "security".to_owned() } else { "flags".to_owned() },
        kind: "flag_set".to_owned(),
        version: 1,
        subject: format!("Flag/f{}", seq % 7),
        // Every tenth overflows its page.
        payload: json!({
            "mark": format!("fact-{seq:04}"),
            "padding": "x".repeat(if seq.is_multiple_of(10) { 6_000 } else { 100 }),
        }),
    }
}

fn content(ledger: &SqliteLedger) -> Result<Content, LedgerError> {
    let filter = FactFilter::default;
    let mut searches = Vec::new();
    for filter in [
        FactFilter { chapter: Some("security".to_owned()), ..filter() },
        FactFilter { subject: Some("Flag/f3".to_owned()), ..filter() },
        FactFilter { change: Some(ChangeId("chg-2".to_owned())), ..filter() },
        FactFilter { actor: Some("system:flips".to_owned()), descending: true, ..filter() },
        FactFilter {
            since: Some(Timestamp::from_secs(17)),
            until: Some(Timestamp::from_secs(29)),
            ..filter()
        },
        FactFilter { text: Some("FACT-001".to_owned()), ..filter() },
    ] {
        searches.push(ledger.query(&filter)?.iter().map(|fact| fact.seq).collect());
    }
    let (now, until) = (Timestamp::from_secs(100), Timestamp::from_secs(200));
    Ok(Content {
        facts: ledger.read(FactSeq(0), 1_000, None)?,
        searches,
        snapshot: ledger.snapshot("flags")?,
        outbox: format!(
            "{:?} {:?} {:?}",
            ledger.outbox()?,
            ledger.dead_letters(10)?,
            ledger.lease("webhook", 10, now, until)?
        ),
    })
}

fn read_files(folder: &Path) -> Files {
    let mut files = Files::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name != ledger::LOCK_FILE {
            files.push((name, std::fs::read(entry.path()).unwrap()));
        }
    }
    files.sort();
    files
}

/// Writes `files` into `folder`, with `mask` applied to one byte of the file `flipped`.
fn write_files(folder: &Path, files: &Files, flipped: &str, at: usize, mask: u8) {
    for (name, bytes) in files {
        let mut bytes = bytes.clone();
        if name == flipped {
            bytes[at] ^= mask;
        }
        std::fs::write(folder.join(name), bytes).unwrap();
    }
}
