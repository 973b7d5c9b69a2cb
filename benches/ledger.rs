//! How quick the ledger is: durable facts per second, opening a million facts, verifying, export.
//!
//! The folder is a temporary one (`TMPDIR` chooses the disk). Prints one figure a line, `NAME VALUE UNIT`. Floors that
//! must hold are checked here: 5,000 durable facts/s from 64 appenders, and a million facts open in under 2 s.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use kernel::{Actor, FactSeq, Timestamp};
use ledger::{Ledger, LedgerError, LedgerOptions, NewFact, Snapshot, SqliteLedger};
use serde_json::json;

/// Facts in the large ledger.
const MANY: usize = 1_000_000;
/// Facts after the newest snapshot: a day of a busy house between two snapshots.
const TAIL: usize = 10_000;
/// How long each rate is measured.
const MEASURED: Duration = Duration::from_secs(4);
const LEAST_FACTS_PER_SECOND: f64 = 5_000.0;
const MOST_SECONDS_TO_OPEN: f64 = 2.0;

fn main() -> ExitCode {
    match measure() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("ledger: a floor was missed");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("ledger: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<bool, LedgerError> {
    let scratch = || tempfile::tempdir().map_err(|error| LedgerError::Io(error.to_string()));
    let (single, _) = appenders(scratch()?.path(), 1)?;
    figure("append_1_appender", single, "facts/s");
    let (many, batch) = appenders(scratch()?.path(), 64)?;
    figure("append_64_appenders", many, "facts/s");
    figure("append_64_appenders_batch", batch, "facts/commit");

    let large = scratch()?;
    fill(large.path())?;
    let opened = open_with_snapshot(large.path())?;
    figure("open_1m_facts_with_snapshot", opened, "s");
    let folded = open_without_snapshot(large.path())?;
    figure("open_1m_facts_folding_all", folded, "s");
    verify_and_export(large.path())?;
    Ok(many >= LEAST_FACTS_PER_SECOND && opened < MOST_SECONDS_TO_OPEN)
}

/// Durable facts per second from `threads` callers that append one fact at a time, and facts per commit.
fn appenders(folder: &Path, threads: usize) -> Result<(f64, f64), LedgerError> {
    let ledger = SqliteLedger::open(folder, &LedgerOptions::default())?;
    let started = Instant::now();
    std::thread::scope(|scope| {
        let ledger = &ledger;
        let append = move |thread: usize| {
            let mut number = 0;
            while started.elapsed() < MEASURED {
                ledger.append(vec![fact(thread * 1_000_000 + number)], Vec::new(), None)?;
                number += 1;
            }
            Ok(())
        };
        let running: Vec<_> = (0..threads).map(|thread| scope.spawn(move || append(thread))).collect();
        running.into_iter().try_for_each(|thread| {
            thread.join().unwrap_or_else(|_| Err(LedgerError::Io("an appender panicked".to_owned())))
        })
    })?;
    let stats = ledger.stats()?;
    Ok((
        stats.facts as f64 / started.elapsed().as_secs_f64(),
        stats.facts as f64 / stats.commits.max(1) as f64,
    ))
}

fn fill(folder: &Path) -> Result<(), LedgerError> {
    let ledger = SqliteLedger::open(folder, &LedgerOptions::default())?;
    let started = Instant::now();
    for thousand in 0..MANY / 1_000 {
        ledger.append((0..1_000).map(|n| fact(thousand * 1_000 + n)).collect(), Vec::new(), None)?;
    }
    figure("append_1000_per_call", MANY as f64 / started.elapsed().as_secs_f64(), "facts/s");
    ledger.save_snapshot(&Snapshot {
        chapter: "flags".to_owned(),
        version: 1,
        seq: FactSeq((MANY - TAIL) as u64),
        state: vec![7; 4 << 20],
    })?;
    figure("bytes_per_fact", ledger.stats()?.bytes as f64 / MANY as f64, "bytes");
    Ok(())
}

/// Seconds until a ledger of a million facts is open and a chapter's state is at its head.
fn open_with_snapshot(folder: &Path) -> Result<f64, LedgerError> {
    let started = Instant::now();
    let ledger = SqliteLedger::open(folder, &LedgerOptions::default())?;
    let from = ledger.snapshot("flags")?.map_or(FactSeq(0), |snapshot| snapshot.seq);
    let folded = fold(&ledger, from)?;
    if folded != TAIL {
        return Err(LedgerError::Io(format!("{folded} facts after the snapshot instead of {TAIL}")));
    }
    Ok(started.elapsed().as_secs_f64())
}

fn open_without_snapshot(folder: &Path) -> Result<f64, LedgerError> {
    let started = Instant::now();
    let ledger = SqliteLedger::open(folder, &LedgerOptions::default())?;
    let folded = fold(&ledger, FactSeq(0))?;
    if folded != MANY {
        return Err(LedgerError::Io(format!("{folded} facts instead of {MANY}")));
    }
    Ok(started.elapsed().as_secs_f64())
}

/// Reads every fact after `from` as a chapter does.
fn fold(ledger: &dyn Ledger, mut from: FactSeq) -> Result<usize, LedgerError> {
    let mut folded = 0;
    loop {
        let facts = ledger.read(from, 10_000, Some("flags"))?;
        let Some(last) = facts.last() else { return Ok(folded) };
        from = last.seq;
        folded += facts.len();
    }
}

fn verify_and_export(folder: &Path) -> Result<(), LedgerError> {
    let ledger = SqliteLedger::open(folder, &LedgerOptions::default())?;
    let found = ledger.verify()?;
    if let Some(damage) = found.damage.first() {
        return Err(LedgerError::Io(damage.to_string()));
    }
    figure("verify", found.facts as f64 / found.seconds, "facts/s");
    let started = Instant::now();
    let written = ledger::export(&ledger, FactSeq(0), &mut std::io::sink())
        .map_err(|error| LedgerError::Io(error.to_string()))?;
    figure("export", written as f64 / started.elapsed().as_secs_f64(), "facts/s");
    Ok(())
}

/// A fact as the flags chapter writes it, about 200 bytes of payload.
fn fact(number: usize) -> NewFact {
    NewFact {
        time: Timestamp::from_millis(1_795_461_300_000 + number as i64),
        actor: Actor::system("bench"),
        reason: "a canary step".to_owned(),
        change: None,
        chapter: "flags".to_owned(),
        kind: "flag_set".to_owned(),
        version: 1,
        subject: format!("Flag/checkout-{}", number % 500),
        payload: json!({
            "name": format!("checkout-{}", number % 500),
            "state": "ENABLED",
            "variants": { "on": true, "off": false },
            "defaultVariant": "off",
            "targeting": { "fractional": [["on", number % 100], ["off", 100 - number % 100]] },
        }),
    }
}

fn figure(name: &str, value: f64, unit: &str) {
    println!("{name} {value:.3} {unit}");
}
