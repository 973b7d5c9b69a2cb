//! The telemetry store: ingest with a durable acknowledgement, bytes per sample, memory per series, latency of selections.
//!
//! `cargo bench -p benches --bench store`. `STORE_BENCH_HOSTS` (40 of 546 series) and `STORE_BENCH_MINUTES` (360) choose the size;
//! `STORE_BENCH_DIR` the folder. Hosts are scraped each 15 s; four threads append a host's scrape at a time, as fast as they
//! are acknowledged; housekeeping runs on the scrapes' clock, so its work is part of the figures. CPU time is the process's.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark prints, and ends when something fails"
)]

use std::path::Path;
use std::time::Instant;

use benches::node_exporter::Fleet;
use kernel::{Span, Timestamp};
use metrics::sample::{Sample, SeriesBatch};
use metrics::source::{MatchOp, Matcher, Selection, SeriesSource};
use parking_lot::Mutex;
use store::{Durability, Options, Store};

const START: i64 = 1_795_392_000_000;
const INTERVAL: i64 = 15_000;
const THREADS: usize = 4;

fn main() {
    let number =
        |name: &str, default: usize| std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default);
    let hosts = number("STORE_BENCH_HOSTS", 40);
    let minutes = number("STORE_BENCH_MINUTES", 360);
    let base = std::env::var("STORE_BENCH_DIR").map_or_else(|_| std::env::temp_dir(), Into::into);
    for durability in [Durability::Sync, Durability::Os] {
        let dir = base.join(format!("store-bench-{}", std::process::id()));
        run(&dir, durability, hosts, minutes as i64);
        std::fs::remove_dir_all(&dir).unwrap();
    }
}

fn run(dir: &Path, durability: Durability, hosts: usize, minutes: i64) {
    let options = Options {
        durability,
        memory_limit: 8 << 30,
        deletion_grace: Span::ZERO,
        retention: None,
        ..Options::new(dir)
    };
    let fleet = Fleet::new(hosts, 1);
    let empty = memory();
    let (store, _) = Store::open(options.clone(), Timestamp::from_millis(START)).unwrap();
    println!(
        "\n{durability:?}: {} series of {hosts} hosts, {minutes} min at 15 s, {THREADS} threads",
        fleet.series()
    );
    let end = ingest(&store, fleet, minutes);
    let later = Timestamp::from_millis(end + 48 * 3_600_000);
    let head = store.stats();
    println!(
        "  memory after ingest    {:>12.0} B per active series, {} in the head per its own count",
        (memory() as f64 - empty as f64) / head.series as f64,
        head.memory_bytes / head.series.max(1)
    );
    drop(store);
    let began = (Instant::now(), cpu());
    let (store, recovery) = Store::open(options.clone(), later).unwrap();
    println!(
        "  opening, not closed    {:>12.1} ms, {:.0} ms CPU, with {} samples of {} series in the log, {} B per series after it",
        began.0.elapsed().as_secs_f64() * 1e3,
        (cpu() - began.1) * 1e3,
        recovery.samples,
        recovery.series,
        store.stats().memory_bytes / store.stats().series.max(1)
    );
    let began = (Instant::now(), cpu());
    store.flush(later).unwrap();
    store.maintain(later).unwrap();
    let stats = store.stats();
    println!(
        "  merging into days      {:>12.2} s, {:.2} s CPU",
        began.0.elapsed().as_secs_f64(),
        cpu() - began.1
    );
    println!(
        "  bytes per sample       {:>12.3} ({} samples in {} blocks of {} bytes)",
        stats.block_bytes as f64 / stats.block_samples as f64,
        stats.block_samples,
        stats.blocks,
        stats.block_bytes
    );
    println!("  syncs {}, flushes {}, compactions {}", stats.syncs, stats.flushes, stats.compactions);
    selections(&store, end);
    store.close().unwrap();
    drop(store);
    let began = Instant::now();
    let (_store, _) = Store::open(options, later).unwrap();
    println!("  opening, closed        {:>12.1} ms", began.elapsed().as_secs_f64() * 1e3);
}

fn ingest(store: &Store, fleet: Fleet, minutes: i64) -> i64 {
    let hosts = fleet.hosts();
    let series = fleet.series();
    let labels: Vec<_> = (0..hosts).map(|host| fleet.labels(host).to_vec()).collect();
    let fleet = Mutex::new(fleet);
    let scrapes = minutes * 60_000 / INTERVAL;
    let (mut wall, mut busy) = (0.0, 0.0);
    let mut latencies = Vec::new();
    let mut replay = 0;
    for scrape in 0..scrapes {
        let due = START + scrape * INTERVAL;
        // Made before the clock starts: what is measured is the store.
        let batches: Vec<Vec<SeriesBatch>> = (0..hosts)
            .map(|host| {
                let (t, values) = fleet.lock().scrape(host, due);
                labels[host]
                    .iter()
                    .zip(values)
                    .map(|(labels, v)| SeriesBatch { labels: labels.clone(), samples: vec![Sample { t, v }] })
                    .collect()
            })
            .collect();
        let began = (Instant::now(), cpu());
        let now = Timestamp::from_millis(due + INTERVAL);
        let per_thread = std::thread::scope(|scope| {
            let workers: Vec<_> = batches
                .chunks(hosts.div_ceil(THREADS))
                .map(|chunk| {
                    scope.spawn(move || {
                        chunk
                            .iter()
                            .map(|batch| {
                                let began = Instant::now();
                                let appended = store.append(batch, now).unwrap();
                                assert!(appended.rejected.is_empty(), "{:?}", appended.rejected);
                                began.elapsed().as_secs_f64()
                            })
                            .collect::<Vec<_>>()
                    })
                })
                .collect();
            workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
        });
        latencies.extend(per_thread);
        store.maintain(now).unwrap();
        wall += began.0.elapsed().as_secs_f64();
        busy += cpu() - began.1;
        replay = replay.max(store.stats().wal_bytes);
    }
    let samples = series as f64 * scrapes as f64;
    latencies.sort_by(f64::total_cmp);
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize] * 1e3;
    println!(
        "  ingest                 {:>12.0} samples per second, {:.0} per CPU second",
        samples / wall,
        samples / busy
    );
    println!(
        "  acknowledged in        {:>12.2} ms (median), {:.2} (p99), {:.2} (slowest)",
        at(0.5),
        at(0.99),
        at(1.0)
    );
    println!("  log, at most           {:>12} bytes", replay);
    START + scrapes * INTERVAL
}

fn selections(store: &Store, end: i64) {
    let hour = 3_600_000;
    let equal = |name: &str, value: &str| Matcher::new(name, MatchOp::Equal, value).unwrap();
    let like = |name: &str, value: &str| Matcher::new(name, MatchOp::Regex, value).unwrap();
    let cpu = equal("__name__", "node_cpu_seconds_total");
    let host = equal("instance", "host-0007.example:9100");
    for (name, matchers, start) in [
        ("one series, 1 h", vec![equal("__name__", "up"), host.clone()], end - hour),
        ("one series, 6 h", vec![equal("__name__", "up"), host.clone()], end - 6 * hour),
        ("a host's CPUs, 1 h", vec![cpu.clone(), host.clone()], end - hour),
        ("a host's CPUs, 6 h", vec![cpu.clone(), host.clone()], end - 6 * hour),
        ("a metric on all hosts, 1 h", vec![equal("__name__", "node_load1")], end - hour),
        ("all hosts' CPUs, 1 h", vec![cpu.clone()], end - hour),
        ("all hosts' CPUs, 6 h", vec![cpu], end - 6 * hour),
        ("all of a host, 5 min", vec![host], end - hour / 12),
        ("names by pattern, 5 min", vec![like("__name__", "node_.*_field_0.*")], end - hour / 12),
    ] {
        let mut times = Vec::new();
        let mut busy = Vec::new();
        let mut found = (0, 0);
        for _ in 0..9 {
            let began = (Instant::now(), thread_cpu());
            let series =
                store.select(&Selection { matchers: &matchers, start, end, max_samples: u64::MAX }).unwrap();
            times.push(began.0.elapsed().as_secs_f64() * 1e3);
            busy.push((thread_cpu() - began.1) * 1e3);
            found = (series.len(), series.iter().map(|series| series.samples.len()).sum());
        }
        times.sort_by(f64::total_cmp);
        busy.sort_by(f64::total_cmp);
        let (wall, cpu) = (times[times.len() / 2], busy[busy.len() / 2]);
        println!(
            "  select {name:<28} {wall:>9.3} ms, {cpu:>8.3} ms CPU   {} series, {} samples",
            found.0, found.1
        );
    }
}

/// CPU seconds of this thread.
fn thread_cpu() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// CPU seconds of this process, user and system.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

/// Resident bytes of this process.
fn memory() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}
