//! This machine: values are plausible, counters rise, and a collection costs little.

use kernel::Timestamp;
use metrics::sample::{Family, MetricType};
use outside::host::{HostCollector, Options, self_process};

/// The machine's clock.
pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap())
}

fn sum(families: &[Family], name: &str) -> f64 {
    families.iter().filter(|f| f.metadata.name == name).flat_map(|f| &f.samples).map(|s| s.value).sum()
}

/// Spends processor time until the kernel has booked some.
fn work() {
    let used = || self_process::read().unwrap().cpu_seconds;
    let start = used();
    while used() < start + 0.2 {
        std::hint::black_box((0..100_000_u64).sum::<u64>());
    }
}

#[test]
fn this_machine_is_read_plausibly() {
    let mut collector = HostCollector::new(Options::default());
    let first = collector.collect(now());
    assert!(first.snapshot.cpu.modes.is_empty() && first.snapshot.disks.iter().all(|d| d.rates.is_none()));
    work();
    let second = collector.collect(now());
    let errors: Vec<_> = second.runs.iter().filter(|run| run.error.is_some()).collect();
    assert!(errors.is_empty(), "{errors:?}");

    let snapshot = &second.snapshot;
    let modes: f64 = snapshot.cpu.modes.values().sum();
    assert!((modes - 1.0).abs() < 1e-6, "fractions add up to {modes}");
    // Under `nice` the time this test takes counts as nice.
    assert!(snapshot.cpu.modes["user"] + snapshot.cpu.modes["nice"] > 0.0);
    assert_eq!(snapshot.cpus, std::thread::available_parallelism().unwrap().get().max(snapshot.cpus));
    let memory = snapshot.memory.unwrap();
    assert!(memory.total_bytes > 1 << 27 && memory.available_bytes <= memory.total_bytes);
    assert!(snapshot.boot_time.unwrap() < now());
    let me = snapshot.processes.iter().find(|p| p.pid == std::process::id()).expect("this process is busy");
    assert!(me.cpu_fraction > 0.01 && me.resident_bytes > 1 << 20 && me.threads >= 1, "{me:?}");
    assert!(me.command.contains("host") && !me.user.is_empty(), "{me:?}");
    assert!(snapshot.processes.windows(2).all(|pair| pair[0].cpu_fraction >= pair[1].cpu_fraction));

    assert!(sum(&second.families, "node_time_seconds") > 1.7e9);
    assert!(sum(&second.families, "namedprocess_namegroup_num_procs") >= 2.0);
    // What was used between the two collections is booked, this process' work included.
    assert!(sum(&second.families, "namedprocess_namegroup_cpu_seconds_total") >= 0.15);
}

#[test]
fn counters_rise_and_series_are_not_repeated() {
    let mut collector = HostCollector::new(Options::default());
    let mut before = std::collections::HashMap::new();
    for round in 0..20 {
        let mut seen = std::collections::HashSet::new();
        for family in collector.collect(now()).families {
            for sample in family.samples {
                assert!(seen.insert(sample.labels.clone()), "{} is given twice", sample.labels);
                assert!(sample.value.is_finite(), "{}", sample.labels);
                // A group that was not shown starts again from nothing.
                if family.metadata.kind == MetricType::Counter
                    && !family.metadata.name.starts_with("namedprocess")
                {
                    let last = before.insert(sample.labels.clone(), sample.value).unwrap_or(0.0);
                    assert!(sample.value >= last, "{} fell in round {round}", sample.labels);
                }
            }
        }
    }
}

/// The budget is 2 % of a processor for all of Mainstay, collecting every 5 s: 100 ms. A collection may take a twentieth
/// of it where there are a hundred processes; tests are not optimised, and get four times that.
#[test]
fn a_collection_costs_little() {
    const RUNS: u32 = 50;
    let mut collector = HostCollector::new(Options::default());
    let processes = collector.collect(now()).snapshot.processes.len();
    assert!(processes > 0);
    let used = || rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let seconds = |t: rustix::time::Timespec| t.tv_sec as f64 + t.tv_nsec as f64 / 1e9;
    let start = seconds(used());
    let mut samples = 0;
    let mut runs = std::collections::BTreeMap::new();
    for _ in 0..RUNS {
        let collection = collector.collect(now());
        samples = collection.families.iter().map(|f| f.samples.len()).sum();
        collection.runs.iter().for_each(|run| *runs.entry(run.name).or_insert(0.0) += run.seconds);
    }
    let each = (seconds(used()) - start) / f64::from(RUNS);
    let mut runs: Vec<(f64, &str)> = runs.into_iter().map(|(n, s)| (s * 1e6 / f64::from(RUNS), n)).collect();
    runs.sort_by(|a, b| b.0.total_cmp(&a.0));
    println!("a collection of {samples} samples: {:.2} ms of processor time; in µs: {runs:.0?}", each * 1e3);
    assert!(each < 0.020, "{each} s");
}

#[test]
fn this_process_is_read() {
    let families = self_process::collect(now());
    let text = wire::exposition::encode(&families, wire::exposition::Format::Text);
    assert!(sum(&families, "process_cpu_seconds_total") >= 0.0, "{text}");
    assert!(sum(&families, "process_resident_memory_bytes") > 1e6, "{text}");
    assert!(sum(&families, "process_open_fds") >= 3.0, "{text}");
    assert!(sum(&families, "process_max_fds") >= sum(&families, "process_open_fds"), "{text}");
    assert!(sum(&families, "process_threads") >= 1.0, "{text}");
    let age = now().as_nanos() as f64 / 1e9 - sum(&families, "process_start_time_seconds");
    assert!((0.0..600.0).contains(&age), "started {age} s ago");
    let before = self_process::read().unwrap().open_files;
    let held: Vec<_> = (0..5).map(|_| std::fs::File::open("/proc/self/stat").unwrap()).collect();
    assert!(self_process::read().unwrap().open_files >= before + held.len() as u64 - 1);
}
