//! Power is lost at random points while SQLite's ledger writes under load: of what was not synced, sectors are kept or
//! lost by the dice. Every acknowledged fact must be there afterwards.
//!
//! How: [`recording`] keeps the order of writes, syncs and acknowledgements as they reach the operating system. The
//! record is replayed onto a simulated disk up to a random point; what that disk has after a loss of power is laid out
//! as files and opened. A control replays the same record without its syncs, and must lose facts: otherwise the test
//! would prove nothing.
//!
//! What this relies on: that the record is complete (SQLite writes the database and its log through the VFS only), and
//! that a synced file's name is durable (SQLite syncs the folder when it makes a log; the ledger when it opens).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests say what is wrong by failing"
)]

mod recording;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::Ordering;

use kernel::{Actor, FactSeq, Timestamp};
use ledger::{DATABASE_FILE, Ledger, LedgerError, LedgerOptions, NewEffect, NewFact, Snapshot, SqliteLedger};
use serde_json::json;
use simulation::{Random, SimDisk, for_seeds};

use self::recording::{Event, Which};

/// Points at which the power goes, for each seed.
const CUTS: u64 = 12;
const SEEDS: u64 = 8;
const APPENDERS: u64 = 4;

#[test]
fn a_loss_of_power_loses_nothing_acknowledged() {
    let _in_use = recording::install();
    let events = record_load();
    let count = |wanted: fn(&Event) -> bool| events.iter().filter(|event| wanted(event)).count();
    let syncs = count(|event| matches!(event, Event::Sync(Which::Log)));
    let checkpoints = count(|event| matches!(event, Event::Sync(Which::Database)));
    let acknowledged = count(|event| matches!(event, Event::Acknowledged(_)));
    println!("{} events, {syncs} syncs of the log, {checkpoints} of the database", events.len());
    assert!(acknowledged > 250 && syncs > 50 && checkpoints >= 3, "{acknowledged} {syncs} {checkpoints}");

    let (mut cuts, mut unacknowledged) = (0, 0);
    for_seeds("power loss", SEEDS, |seed| {
        replay(&events, seed, true, |disk, acknowledged| {
            let folder = lay_out(disk);
            let facts = facts_after(folder.path()).expect("it opens");
            let lost: Vec<_> = acknowledged.difference(&facts).collect();
            assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
            unacknowledged += facts.difference(acknowledged).count();
            cuts += 1;
        });
    });
    println!("{cuts} losses of power; {unacknowledged} facts were kept that had not been acknowledged yet");

    let mut losing = 0;
    for_seeds("power loss without syncs", 2, |seed| {
        replay(&events, seed, false, |disk, acknowledged| {
            let folder = lay_out(disk);
            let kept = facts_after(folder.path()).unwrap_or_default();
            losing += u32::from(!acknowledged.is_subset(&kept));
        });
    });
    assert!(losing > 5, "without syncs facts must be lost, or this test sees nothing: {losing}");
}

/// After a sync that failed nobody knows what the disk kept, and a second sync that succeeds proves nothing: the ledger
/// takes no more until it is opened again.
#[test]
fn a_sync_that_fails_stops_the_ledger_until_it_is_opened_again() {
    let _in_use = recording::install();
    let folder = tempfile::tempdir().unwrap();
    let ledger = SqliteLedger::open(folder.path(), &LedgerOptions::default()).unwrap();
    ledger.append(vec![fact(10)], Vec::new(), None).unwrap();
    recording::SYNCS_FAIL.store(true, Ordering::SeqCst);
    let failed = ledger.append(vec![fact(20)], Vec::new(), None).unwrap_err();
    assert!(matches!(&failed, LedgerError::Io(what) if what.contains("disk I/O error")), "{failed:?}");
    recording::SYNCS_FAIL.store(false, Ordering::SeqCst);
    let refused = ledger.append(vec![fact(30)], Vec::new(), None).unwrap_err();
    assert!(refused.to_string().contains("restart once the disk is sound"), "{refused}");
    assert_eq!(ledger.head(), FactSeq(1), "what is not known to be durable is not shown as such");
    assert_eq!(ledger.read(FactSeq(0), 10, None).unwrap().len(), 1, "reading goes on");
    drop(ledger);
    // What the disk kept of the failed commit is now the truth, whichever it is.
    let ledger = SqliteLedger::open(folder.path(), &LedgerOptions::default()).unwrap();
    let head = ledger.head();
    assert!([1, 2].contains(&head.0), "{head}");
    ledger.append(vec![fact(40)], Vec::new(), Some(head)).unwrap();
    assert!(ledger.verify().unwrap().is_sound());
    recording::take();
}

/// Runs a load on a real ledger and returns what reached the operating system.
fn record_load() -> Vec<Event> {
    let folder = tempfile::tempdir().unwrap();
    let ledger = SqliteLedger::open(folder.path(), &LedgerOptions::default()).unwrap();
    std::thread::scope(|scope| {
        for appender in 0..APPENDERS {
            let ledger = &ledger;
            scope.spawn(move || {
                let mut random = Random::new(appender);
                for number in 0..40 {
                    let count = random.between(1, 3);
                    let facts = (0..count).map(|_| fact(random.index(40_000))).collect();
                    let effect = NewEffect {
                        key: format!("{appender}-{number}"),
                        kind: "webhook".to_owned(),
                        payload: json!({}),
                    };
                    for fact in ledger.append(facts, vec![effect], None).unwrap().facts {
                        recording::note(Event::Acknowledged(fact.seq.0));
                    }
                }
            });
        }
    });
    let state = vec![5; 300_000];
    let snapshot = Snapshot { chapter: "power".to_owned(), version: 1, seq: ledger.head(), state };
    ledger.save_snapshot(&snapshot).unwrap();
    // Closing folds the log into the database and removes it: the power may go there too.
    drop(ledger);
    recording::take()
}

/// Replays `events` and calls `check` at random points with the disk as it is after a loss of power there, and what had
/// been acknowledged.
fn replay(events: &[Event], seed: u64, syncing: bool, mut check: impl FnMut(SimDisk, &BTreeSet<u64>)) {
    let mut random = Random::new(seed);
    let points: BTreeSet<usize> = (0..CUTS).map(|_| random.index(events.len() + 1)).collect();
    let mut disk = SimDisk::new(random.fork());
    let mut acknowledged = BTreeSet::new();
    for index in 0..=events.len() {
        if points.contains(&index) {
            let mut lost = disk.clone();
            lost.set_random(random.fork());
            lost.crash();
            lost.restart();
            check(lost, &acknowledged);
        }
        match events.get(index) {
            Some(Event::Write(which, at, bytes)) => disk.write(name(*which), *at, bytes).unwrap(),
            Some(Event::Truncate(which, len)) => disk.truncate(name(*which), *len).unwrap(),
            Some(Event::Sync(which)) if syncing => {
                // A file that was opened and not written to has nothing to lose.
                if disk.list().iter().any(|known| known == name(*which)) {
                    disk.sync(name(*which)).unwrap();
                    disk.sync_folder().unwrap();
                }
            }
            Some(Event::Delete(which)) => disk.remove(name(*which)).unwrap(),
            Some(Event::Acknowledged(seq)) => {
                acknowledged.insert(*seq);
            }
            Some(Event::Sync(_)) | None => {}
        }
    }
}

fn lay_out(mut disk: SimDisk) -> tempfile::TempDir {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    for name in disk.list() {
        std::fs::write(folder.path().join(&name), disk.read(&name).unwrap()).unwrap();
    }
    folder
}

/// The numbers of the facts that are there, after everything has been verified.
fn facts_after(folder: &Path) -> Result<BTreeSet<u64>, LedgerError> {
    let ledger = SqliteLedger::open(folder, &LedgerOptions::default())?;
    let found = ledger.verify()?;
    if let Some(damage) = found.damage.first() {
        return Err(LedgerError::Io(damage.to_string()));
    }
    let facts = ledger.read(FactSeq(0), usize::MAX, None)?;
    // It goes on from there.
    ledger.append(vec![fact(10)], Vec::new(), Some(FactSeq(facts.len() as u64)))?;
    Ok(facts.iter().map(|fact| fact.seq.0).collect())
}

fn name(which: Which) -> &'static str {
    const LOG_FILE: &str = "ledger.db-wal";
    match which {
        Which::Database => DATABASE_FILE,
        Which::Log => LOG_FILE,
    }
}

fn fact(padding: usize) -> NewFact {
    NewFact {
        time: Timestamp::from_secs(1),
        actor: Actor::system("power"),
        reason: String::new(),
        change: None,
        chapter: "power".to_owned(),
        kind: "happened".to_owned(),
        version: 1,
        subject: String::new(),
        payload: json!({ "padding": "x".repeat(padding) }),
    }
}
