//! `/proc/stat`: what each processor spent its time on, and the kernel's own counts.

use std::collections::BTreeMap;

use super::families::Families;
use super::files::{Files, Malformed, Trouble};

/// Ticks a second in `/proc`: `USER_HZ` is 100 on every architecture Linux is built for today.
pub(super) const TICKS: f64 = 100.0;

/// The names of [`CpuTimes::modes`], as node_exporter has them.
pub(super) const MODES: [&str; 8] = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];

/// Where idle time stands in [`MODES`].
const IDLE: usize = 3;

/// A processor's idle time never jumps back by more than this, in seconds, unless it was taken out and put in again.
const RESET_AFTER: f64 = 3.0;

/// Seconds since boot by mode. Guest time is part of `user` and `nice`, too.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct CpuTimes {
    pub modes: [f64; 8],
    pub guest: f64,
    pub guest_nice: f64,
}

/// `/proc/stat`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Stat {
    /// By processor number.
    pub cpus: BTreeMap<u32, CpuTimes>,
    pub interrupts: Option<f64>,
    pub context_switches: Option<f64>,
    pub forks: Option<f64>,
    /// Seconds since the epoch.
    pub boot_time: Option<f64>,
    pub running: Option<f64>,
    pub blocked: Option<f64>,
}

/// What the kernel says, but no counter less than in `previous`.
pub(super) fn read_rising(files: &Files, previous: Option<&Stat>) -> Result<Stat, Trouble> {
    let mut stat = files.parse("proc/stat", parse)?;
    if let Some(previous) = previous {
        keep_rising(previous, &mut stat);
    }
    Ok(stat)
}

pub(super) fn parse(text: &str) -> Result<Stat, Malformed> {
    let mut stat = Stat::default();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let Some(key) = words.next() else { continue };
        if let Some(number) = key.strip_prefix("cpu") {
            // The line of all processors together has no number; sums are for the reader.
            if let Ok(number) = number.parse() {
                stat.cpus.insert(number, times(key, words)?);
            }
            continue;
        }
        let field = match key {
            "intr" => &mut stat.interrupts,
            "ctxt" => &mut stat.context_switches,
            "processes" => &mut stat.forks,
            "btime" => &mut stat.boot_time,
            "procs_running" => &mut stat.running,
            "procs_blocked" => &mut stat.blocked,
            _ => continue,
        };
        // The line of interrupts goes on with a count for each; the first is their sum.
        let value = words.next().and_then(|word| word.parse().ok());
        *field = Some(value.ok_or_else(|| Malformed::new(format!("`{key}` has no number")))?);
    }
    if stat.cpus.is_empty() { Err(Malformed::new("there is no line of a processor")) } else { Ok(stat) }
}

/// Old kernels have fewer columns; those are zero.
fn times<'a>(key: &str, words: impl Iterator<Item = &'a str>) -> Result<CpuTimes, Malformed> {
    let mut columns = [0.0; 10];
    for (column, word) in columns.iter_mut().zip(words) {
        let ticks: f64 =
            word.parse().map_err(|_| Malformed::new(format!("`{word}` of `{key}` is not a number")))?;
        *column = ticks / TICKS;
    }
    let [user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice] = columns;
    Ok(CpuTimes { modes: [user, nice, system, idle, iowait, irq, softirq, steal], guest, guest_nice })
}

/// Keeps counters from running backwards: the kernel estimates idle and I/O wait without locks, and may take some back.
fn keep_rising(previous: &Stat, now: &mut Stat) {
    for (number, times) in &mut now.cpus {
        let Some(before) = previous.cpus.get(number) else { continue };
        let idle = |times: &CpuTimes| times.modes.get(IDLE).copied().unwrap_or_default();
        if idle(before) - idle(times) > RESET_AFTER {
            continue;
        }
        for (now, before) in times.modes.iter_mut().zip(before.modes) {
            *now = now.max(before);
        }
        times.guest = times.guest.max(before.guest);
        times.guest_nice = times.guest_nice.max(before.guest_nice);
    }
}

/// Fractions of all processors' time since `previous`, by mode; they add up to 1. `None` without any time between.
pub(super) fn fractions(previous: &Stat, now: &Stat) -> Option<[f64; 8]> {
    let mut spent = [0.0; 8];
    for (number, times) in &now.cpus {
        let Some(before) = previous.cpus.get(number) else { continue };
        for ((spent, now), before) in spent.iter_mut().zip(times.modes).zip(before.modes) {
            *spent += (now - before).max(0.0);
        }
    }
    let total: f64 = spent.iter().sum();
    (total > 0.0).then(|| spent.map(|seconds| seconds / total))
}

pub(super) fn families(stat: &Stat, out: &mut Families) {
    let mut seconds = out.counter("node_cpu_seconds_total", "Seconds each processor spent in each mode.");
    for (number, times) in &stat.cpus {
        let cpu = number.to_string();
        for (mode, value) in MODES.into_iter().zip(times.modes) {
            seconds.add(&[("cpu", &cpu), ("mode", mode)], value);
        }
    }
    let mut guest = out.counter(
        "node_cpu_guest_seconds_total",
        "Seconds each processor ran virtual machines; also counted in the user and nice modes.",
    );
    for (number, times) in &stat.cpus {
        let cpu = number.to_string();
        guest.add(&[("cpu", &cpu), ("mode", "user")], times.guest);
        guest.add(&[("cpu", &cpu), ("mode", "nice")], times.guest_nice);
    }
    let counters = [
        ("node_intr_total", "Interrupts serviced since boot.", stat.interrupts),
        ("node_context_switches_total", "Context switches since boot.", stat.context_switches),
        ("node_forks_total", "Processes and threads created since boot.", stat.forks),
    ];
    for (name, help, value) in counters {
        value.into_iter().for_each(|value| out.counter(name, help).add(&[], value));
    }
    let gauges = [
        ("node_boot_time_seconds", "When the machine started, in seconds since the epoch.", stat.boot_time),
        ("node_procs_running", "Threads that run or wait for a processor.", stat.running),
        ("node_procs_blocked", "Threads that wait for I/O and cannot be interrupted.", stat.blocked),
    ];
    for (name, help, value) in gauges {
        value.into_iter().for_each(|value| out.value(name, help, value));
    }
}
