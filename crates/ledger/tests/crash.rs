//! SIGKILL at random points under load: nothing acknowledged is lost, the chain holds, and every effect that was
//! promised is delivered, once as far as the receiver knows keys.
//!
//! The writer is this very binary, started again for [`writer_process`]. It reports over a pipe what it was told: `ack`
//! after an append has returned, `deliver` when an effect leaves. Whatever stands on a whole line was seen before the
//! kill.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests say what is wrong by failing"
)]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use kernel::{Actor, FactSeq, Timestamp};
use ledger::{FactRecord, Ledger, LedgerOptions, NewEffect, NewFact, Settled, Snapshot, SqliteLedger};
use serde_json::{Value, json};
use simulation::{Random, for_seeds};

/// Different ledgers, each killed [`KILLS_PER_LEDGER`] times.
const LEDGERS: u64 = 21;
const KILLS_PER_LEDGER: u64 = 10;
const APPENDERS: u64 = 6;
const FOLDER_VARIABLE: &str = "LEDGER_CRASH_FOLDER";
const EPOCH_VARIABLE: &str = "LEDGER_CRASH_EPOCH";

/// What the world outside has seen of one ledger, over all its crashes.
#[derive(Default)]
struct Outside {
    /// Acknowledged facts: number and label.
    acknowledged: BTreeMap<u64, String>,
    /// Deliveries by idempotency key, with how often each came.
    received: HashMap<String, u32>,
}

#[test]
fn sigkill_under_load_loses_nothing_acknowledged() {
    let started = Instant::now();
    let (mut kills, mut facts, mut acknowledged, mut delivered, mut repeated) = (0, 0, 0, 0, 0);
    for_seeds("crash", LEDGERS, |seed| {
        let mut random = Random::new(seed);
        let folder = tempfile::tempdir().unwrap();
        let mut outside = Outside::default();
        for epoch in 1..=KILLS_PER_LEDGER {
            run_and_kill(folder.path(), epoch, &mut random, &mut outside);
            kills += 1;
            check_after_crash(folder.path(), &outside);
        }
        deliver_the_rest(folder.path(), &mut outside);
        facts += check_effects(folder.path(), &outside);
        acknowledged += outside.acknowledged.len();
        delivered += outside.received.len();
        repeated += outside.received.values().filter(|count| **count > 1).count();
    });
    println!(
        "{kills} kills in {:.1?}: {facts} facts, {acknowledged} acknowledged, {delivered} effects delivered, \
         {repeated} of them more than once",
        started.elapsed()
    );
    assert!(
        kills < 200 || (acknowledged > 1_000 && delivered > 500),
        "the load was too light to mean anything"
    );
}

/// The victim; does nothing unless the test above starts it.
#[test]
fn writer_process() {
    let Ok(folder) = std::env::var(FOLDER_VARIABLE) else { return };
    let epoch: u64 = std::env::var(EPOCH_VARIABLE).unwrap().parse().unwrap();
    let ledger = SqliteLedger::open(Path::new(&folder), &LedgerOptions::default()).unwrap();
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for appender in 0..APPENDERS {
            let (ledger, ended) = (&ledger, &ended);
            scope.spawn(move || append_for_ever(ledger, epoch, appender, ended));
        }
        scope.spawn(|| deliver_for_ever(&ledger, epoch, &ended));
    });
}

/// Appends one to three facts at a time, often with an effect, now and then a snapshot.
fn append_for_ever(ledger: &SqliteLedger, epoch: u64, appender: u64, ended: &AtomicBool) {
    let mut random = Random::new(epoch * 100 + appender);
    for number in 0.. {
        if ended.load(Ordering::Relaxed) {
            return;
        }
        let label = format!("{epoch}-{appender}-{number}");
        let count = random.between(1, 3);
        let promises = random.chance(0.5);
        let effects = if promises { vec![effect(&label)] } else { Vec::new() };
        let padding = "x".repeat(random.index(2_000));
        let payload = json!({ "label": label, "promises": promises, "padding": padding });
        let facts = (0..count).map(|part| fact(format!("{label}-{part}"), payload.clone())).collect();
        let appended = ledger.append(facts, effects, None).unwrap();
        for record in &appended.facts {
            say(&format!("ack {} {}", record.seq, record.subject));
        }
        if random.chance(0.02) {
            let seq = appended.facts.last().unwrap().seq;
            let state = vec![1; 10_000];
            ledger.save_snapshot(&Snapshot { chapter: "crash".to_owned(), version: 1, seq, state }).unwrap();
        }
    }
}

/// Leases until the next epoch, so that what a crash leaves leased is due again at once after it.
fn deliver_for_ever(ledger: &SqliteLedger, epoch: u64, ended: &AtomicBool) {
    let (now, until) = (at(epoch), at(epoch + 1));
    let mut seen = FactSeq(0);
    while !ended.load(Ordering::Relaxed) {
        let effects = ledger.lease("webhook", 5, now, until).unwrap();
        if effects.is_empty() {
            seen = ledger.wait_beyond(seen, Duration::from_millis(20));
        }
        for effect in effects {
            say(&format!("deliver {}", effect.key));
            assert!(ledger.settle(&effect, Settled::Delivered).unwrap());
        }
    }
}

/// Starts the writer and kills it after a random number of reports or a random time.
fn run_and_kill(folder: &Path, epoch: u64, random: &mut Random, outside: &mut Outside) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writer_process", "--nocapture"])
        .env(FOLDER_VARIABLE, folder)
        .env(EPOCH_VARIABLE, epoch.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (lines, reported) = channel();
    let pipe = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = String::new();
        // A line that the kill cut short was not reported.
        while pipe.read_line(&mut line).unwrap() > 0 && line.ends_with('\n') {
            if lines.send(std::mem::take(&mut line)).is_err() {
                return;
            }
        }
    });
    // Some die while they open the ledger, most in the middle of the load.
    let (most_lines, most_time) =
        if random.chance(0.2) { (u64::MAX, random.below(25)) } else { (random.below(400), 2_000) };
    listen(&reported, most_lines, Duration::from_millis(most_time), outside);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap();
    listen(&reported, u64::MAX, Duration::ZERO, outside);
}

/// Takes reports until there were `most_lines`, `most_time` has passed, or the pipe is at its end.
fn listen(reported: &Receiver<String>, most_lines: u64, most_time: Duration, outside: &mut Outside) {
    let deadline = Instant::now() + most_time;
    for _ in 0..most_lines {
        match reported.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => outside.hear(line.trim_end()),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Every acknowledged fact is at its place, and everything verifies.
fn check_after_crash(folder: &Path, outside: &Outside) {
    let ledger = open(folder);
    let found = ledger.verify().unwrap();
    assert!(found.is_sound(), "{:?}", found.damage);
    let facts = all_facts(&ledger);
    assert_eq!(facts.len() as u64, ledger.head().0, "numbered without gaps");
    for (seq, label) in &outside.acknowledged {
        let stored = facts.get(usize::try_from(*seq).unwrap() - 1).map(|fact| fact.subject.as_str());
        assert_eq!(stored, Some(label.as_str()), "acknowledged fact {seq}");
    }
    check_whole_appends(&facts);
}

/// The facts of one append are all there and side by side, or none is.
fn check_whole_appends(facts: &[FactRecord]) {
    let mut expected: Option<(&str, u64)> = None;
    for fact in facts {
        let (label, part) = fact.subject.rsplit_once('-').unwrap();
        let part: u64 = part.parse().unwrap();
        let follows = match expected {
            Some((before, next)) if before == label => part == next,
            _ => part == 0,
        };
        assert!(follows, "{} stands alone", fact.subject);
        expected = Some((label, part + 1));
    }
}

/// What the last crash left in the outbox, delivered by a process that lives.
fn deliver_the_rest(folder: &Path, outside: &mut Outside) {
    let ledger = open(folder);
    loop {
        let due = ledger.lease("webhook", 100, at(1_000), at(2_000)).unwrap();
        if due.is_empty() {
            break;
        }
        for effect in due {
            outside.hear(&format!("deliver {}", effect.key));
            assert!(ledger.settle(&effect, Settled::Delivered).unwrap());
        }
    }
    assert_eq!(ledger.outbox().unwrap(), ledger::OutboxCounts::default());
}

/// Exactly the effects of the facts in the ledger were delivered: none is missing, none came from an append that was
/// never made. Returns the number of facts.
fn check_effects(folder: &Path, outside: &Outside) -> usize {
    let facts = all_facts(&open(folder));
    let promised: BTreeSet<String> = facts
        .iter()
        .filter(|fact| fact.payload["promises"] == json!(true))
        .map(|fact| fact.payload["label"].as_str().unwrap().to_owned())
        .collect();
    let received: BTreeSet<String> = outside.received.keys().cloned().collect();
    assert_eq!(received, promised);
    facts.len()
}

// === impl Outside ===

impl Outside {
    fn hear(&mut self, line: &str) {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["ack", seq, label] => {
                let other = self.acknowledged.insert(seq.parse().unwrap(), label.to_owned());
                assert_eq!(other, None, "fact {seq} was acknowledged twice");
            }
            ["deliver", key] => *self.received.entry(key.to_owned()).or_default() += 1,
            // The test harness of the child talks as well.
            _ => {}
        }
    }
}

fn open(folder: &Path) -> SqliteLedger {
    SqliteLedger::open(folder, &LedgerOptions::default()).unwrap()
}

fn all_facts(ledger: &dyn Ledger) -> Vec<FactRecord> {
    ledger.read(FactSeq(0), usize::MAX, None).unwrap()
}

fn fact(subject: String, payload: Value) -> NewFact {
    NewFact {
        time: at(1),
        actor: Actor::system("crash"),
        reason: String::new(),
        change: None,
        chapter: "crash".to_owned(),
        kind: "happened".to_owned(),
        version: 1,
        subject,
        payload,
    }
}

fn effect(label: &str) -> NewEffect {
    NewEffect { key: label.to_owned(), kind: "webhook".to_owned(), payload: json!({ "about": label }) }
}

fn at(epoch: u64) -> Timestamp {
    Timestamp::from_secs(i64::try_from(epoch).unwrap())
}

/// One report, in one write.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // The parent is gone only if the test was stopped.
    let _ = out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush());
}
