//! Readers, appenders and housekeeping at once: a reader never misses what was acknowledged before it asked.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use kernel::Span;
use store::{Durability, Options, Store};
use world::{DAY, all, at, batch, labels, named};

const APPENDERS: usize = 3;
const SAMPLES: i64 = 4000;
const AHEAD: i64 = 40;

#[test]
fn readers_miss_nothing_while_blocks_come_and_go() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        durability: Durability::Os,
        retention: None,
        flush_interval: Span::from_mins(2),
        out_of_order_window: Span::from_mins(2),
        deletion_grace: Span::ZERO,
        ..Options::new(dir.path())
    };
    let (store, _) = Store::open(options, at(DAY)).unwrap();
    let store = &store;
    let acknowledged: Vec<AtomicI64> = (0..APPENDERS).map(|_| AtomicI64::new(0)).collect();
    let running = AtomicBool::new(true);
    let kept = AtomicI64::new(0);
    let (acknowledged, running, kept) = (&acknowledged, &running, &kept);
    let time = |n: i64| DAY + n * 5000;
    let (reads, maintained) = std::thread::scope(|scope| {
        let appenders: Vec<_> = (0..APPENDERS)
            .map(|id| {
                scope.spawn(move || {
                    for n in 1..=SAMPLES {
                        // Not so far ahead that housekeeping would see all of it at once.
                        while n > kept.load(Ordering::Acquire) + AHEAD {
                            std::thread::yield_now();
                        }
                        let one = batch(labels("m", id), &[(time(n), n as f64)]);
                        assert_eq!(store.append(&[one], at(time(n))).unwrap().samples, 1);
                        acknowledged[id].store(n, Ordering::Release);
                    }
                })
            })
            .collect();
        let housekeeping = scope.spawn(move || {
            let mut done = (0, 0, 0);
            while running.load(Ordering::Acquire) {
                let newest = acknowledged.iter().map(|n| n.load(Ordering::Acquire)).max().unwrap();
                let maintained = store.maintain(at(time(newest))).unwrap();
                kept.store(newest, Ordering::Release);
                done.0 += maintained.flushed;
                done.1 += maintained.compacted;
                done.2 += maintained.deleted;
            }
            done
        });
        let reader = scope.spawn(move || {
            let mut reads = 0;
            while running.load(Ordering::Acquire) {
                let before: Vec<i64> = acknowledged.iter().map(|n| n.load(Ordering::Acquire)).collect();
                let series = all(store, &named("m"));
                for (id, wanted) in before.into_iter().enumerate() {
                    let found = series.iter().find(|series| series.labels == labels("m", id));
                    let samples = found.map_or(&[][..], |series| &series.samples);
                    assert!(samples.len() as i64 >= wanted, "{} of {wanted} samples of {id}", samples.len());
                    assert!(
                        (1..).zip(samples).all(|(n, sample)| (sample.t, sample.v) == (time(n), n as f64))
                    );
                }
                reads += 1;
            }
            reads
        });
        appenders.into_iter().for_each(|appender| appender.join().unwrap());
        running.store(false, Ordering::Release);
        (reader.join().unwrap(), housekeeping.join().unwrap())
    });
    assert!(
        reads > 10 && maintained.0 > 50 && maintained.1 > 10 && maintained.2 > 10,
        "{reads} {maintained:?}"
    );
}
