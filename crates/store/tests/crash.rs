//! SIGKILL at any moment: acknowledged ⇒ readable, nothing twice, nothing torn.
//!
//! The test starts itself again as a writer that says what was acknowledged, kills it at a random moment, opens the store and
//! compares, round after round on the same folder. `STORE_CRASH_ROUNDS` and `STORE_CRASH_SEED` choose how often and with
//! which moments.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::panic,
    reason = "a test fails by panicking, and prints its seed"
)]

mod world;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};

use kernel::Span;
use store::{Options, Store};
use world::{DAY, all, at, batch, labels, named, pairs};

const ROUNDS: u32 = 60;
const THREADS: usize = 4;
const FOLDER: &str = "STORE_CRASH_FOLDER";

fn options(dir: &Path) -> Options {
    Options {
        retention: None,
        flush_interval: Span::from_mins(2),
        out_of_order_window: Span::from_mins(10),
        deletion_grace: Span::from_mins(1),
        ..Options::new(dir)
    }
}

/// Thread `thread`'s `n`th sample.
fn sample(n: i64) -> (i64, f64) {
    (DAY + n * 4000, n as f64 / 8.0)
}

fn number(var: &str, default: u32) -> u32 {
    std::env::var(var).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Not a test of its own: the writer that is killed, and does nothing unless it is told a folder.
#[test]
fn writer() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let (store, _) = Store::open(options(Path::new(&folder)), at(DAY)).unwrap();
    let newest = AtomicI64::new(DAY);
    let next: Vec<i64> = (0..THREADS).map(|thread| next_sample(&store, thread)).collect();
    std::thread::scope(|scope| {
        for (thread, from) in next.into_iter().enumerate() {
            let (store, newest) = (&store, &newest);
            scope.spawn(move || {
                for n in (from..).step_by(3) {
                    let samples: Vec<_> = (n..n + 3).map(sample).collect();
                    let now = samples[2].0;
                    let one = batch(labels("crash", thread), &samples);
                    // A name that only this batch has: its definition must survive with it.
                    let other = batch(labels("once", n as usize * THREADS + thread), &samples[..1]);
                    let appended = store.append(&[one, other], at(now)).unwrap();
                    assert_eq!(appended.rejected, vec![]);
                    newest.fetch_max(now, Ordering::Relaxed);
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "ack {thread} {n}").unwrap();
                    out.flush().unwrap();
                }
            });
        }
        loop {
            store.maintain(at(newest.load(Ordering::Relaxed))).unwrap();
            std::thread::yield_now();
        }
    });
}

/// The number after the last sample of `thread`.
fn next_sample(store: &Store, thread: usize) -> i64 {
    let series = all(store, &named("crash"));
    let mine = series.iter().find(|series| series.labels == labels("crash", thread));
    let last = mine.and_then(|series| series.samples.last());
    last.map_or(0, |last| (last.t - DAY) / 4000 + 1)
}

/// Opens the store and holds it against what was acknowledged.
fn check(dir: &Path, acknowledged: &BTreeMap<(usize, i64), ()>, round: u32) -> (u64, u64) {
    let (store, recovery) = Store::open(options(dir), at(DAY)).unwrap();
    assert_eq!((&recovery.damaged, recovery.unnamed_samples), (&vec![], 0), "round {round}");
    let series = all(&store, &named("crash"));
    let mut served = BTreeMap::new();
    for series in &series {
        let thread: usize = series.labels.get("id").unwrap().parse().unwrap();
        let pairs = pairs(series);
        assert!(pairs.is_sorted_by(|a, b| a.0 < b.0), "round {round}: a time twice in {}", series.labels);
        for (t, bits) in pairs {
            let n = (t - DAY) / 4000;
            assert_eq!(
                (t, bits),
                (sample(n).0, sample(n).1.to_bits()),
                "round {round}: a sample nobody wrote"
            );
            served.insert((thread, n), ());
        }
    }
    let once = all(&store, &named("once"));
    let names: std::collections::HashSet<&str> =
        once.iter().filter_map(|series| series.labels.get("id")).collect();
    for (thread, n) in acknowledged.keys() {
        for i in *n..n + 3 {
            assert!(
                served.contains_key(&(*thread, i)),
                "round {round}: {thread}/{i} was acknowledged and is gone"
            );
        }
        assert!(
            names.contains((*n as usize * THREADS + thread).to_string().as_str()),
            "round {round}: a name is gone"
        );
    }
    assert_eq!(store.verify().unwrap(), vec![], "round {round}");
    let stats = store.stats();
    (stats.blocks, recovery.records)
}

#[test]
fn what_was_acknowledged_survives_sigkill() {
    let rounds = number("STORE_CRASH_ROUNDS", ROUNDS);
    let seed = number("STORE_CRASH_SEED", std::process::id());
    eprintln!("STORE_CRASH_SEED={seed} STORE_CRASH_ROUNDS={rounds}");
    let mut random = u64::from(seed) | 1;
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeMap::new();
    let (mut most_blocks, mut replayed) = (0, 0);
    for round in 0..rounds {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let after = (random >> 33) as usize % 60;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "writer", "--nocapture", "--test-threads=1"])
            .env(FOLDER, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut seen = 0;
        while seen <= after {
            let Some(Ok(line)) = lines.next() else {
                let output = child.wait_with_output().unwrap();
                panic!("round {round}: the writer ended: {}", String::from_utf8_lossy(&output.stderr));
            };
            seen += usize::from(note(&line, &mut acknowledged));
        }
        child.kill().unwrap();
        // What it had said before it died was acknowledged as well. The last line may be cut short.
        lines.map_while(Result::ok).for_each(|line| {
            note(&line, &mut acknowledged);
        });
        child.wait().unwrap();
        let (blocks, records) = check(dir.path(), &acknowledged, round);
        most_blocks = most_blocks.max(blocks);
        replayed += records;
    }
    eprintln!(
        "{} batches acknowledged, {replayed} records replayed, up to {most_blocks} blocks",
        acknowledged.len()
    );
    assert!(acknowledged.len() > rounds as usize && most_blocks > 0, "the test did not get to test anything");
}

/// Notes an acknowledgement line; whether it was one.
fn note(line: &str, acknowledged: &mut BTreeMap<(usize, i64), ()>) -> bool {
    let Some(rest) = line.strip_prefix("ack ") else { return false };
    let mut parts = rest.split(' ').map(str::parse::<i64>);
    let (Some(Ok(thread)), Some(Ok(n))) = (parts.next(), parts.next()) else { return false };
    acknowledged.insert((thread as usize, n), ());
    true
}
