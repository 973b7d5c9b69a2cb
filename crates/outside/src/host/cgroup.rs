//! The limits this process itself runs under: its own control group (version 2), where it has one.
//!
//! Source: Linux documentation, admin-guide/cgroup-v2.

use super::families::Families;
use super::files::{Files, Malformed, Trouble};

/// What our group may use, and uses. A limit that is not set is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Cgroup {
    /// Processors.
    cpu_limit: Option<f64>,
    /// Seconds since the group was made.
    cpu_seconds: Option<f64>,
    throttled_seconds: Option<f64>,
    memory_limit: Option<f64>,
    memory: Option<f64>,
    processes_limit: Option<f64>,
    processes: Option<f64>,
}

pub(super) fn read(files: &Files) -> Result<Cgroup, Trouble> {
    // Only there when version 2 is mounted alone; mixed systems keep their limits in version 1.
    files.read("sys/fs/cgroup/cgroup.controllers")?;
    let path = files.parse("proc/self/cgroup", parse_path)?;
    let folder = format!("sys/fs/cgroup{}", path.trim_end_matches('/'));
    let text = |name: &str| files.read(&format!("{folder}/{name}")).unwrap_or_default();
    let number = |name: &str| text(name).trim().parse().ok();
    let cpu = text("cpu.stat");
    let micros = |key: &str| Some(field(&cpu, key)? / 1e6);
    Ok(Cgroup {
        cpu_limit: parse_cpu_max(&text("cpu.max")),
        cpu_seconds: micros("usage_usec"),
        throttled_seconds: micros("throttled_usec"),
        memory_limit: number("memory.max"),
        memory: number("memory.current"),
        processes_limit: number("pids.max"),
        processes: number("pids.current"),
    })
}

/// The line of version 2, `0::/system.slice/mainstay.service`.
pub(super) fn parse_path(text: &str) -> Result<String, Malformed> {
    let path = text.lines().find_map(|line| line.strip_prefix("0::"));
    path.map(str::to_owned).ok_or_else(|| Malformed::new("there is no line of version 2"))
}

/// `quota period` in microseconds, or `max period`.
pub(super) fn parse_cpu_max(text: &str) -> Option<f64> {
    let (quota, period) = text.trim().split_once(' ')?;
    let (quota, period): (f64, f64) = (quota.parse().ok()?, period.parse().ok()?);
    (period > 0.0).then(|| quota / period)
}

fn field(text: &str, key: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

pub(super) fn families(cgroup: &Cgroup, out: &mut Families) {
    let gauges = [
        ("mainstay_cgroup_cpu_limit", "Processors Mainstay's control group may use.", cgroup.cpu_limit),
        (
            "mainstay_cgroup_memory_limit_bytes",
            "Memory Mainstay's control group may use.",
            cgroup.memory_limit,
        ),
        ("mainstay_cgroup_memory_bytes", "Memory Mainstay's control group uses.", cgroup.memory),
        (
            "mainstay_cgroup_processes_limit",
            "Tasks Mainstay's control group may have.",
            cgroup.processes_limit,
        ),
        ("mainstay_cgroup_processes", "Tasks Mainstay's control group has.", cgroup.processes),
    ];
    for (name, help, value) in gauges {
        value.into_iter().for_each(|value| out.value(name, help, value));
    }
    let counters = [
        (
            "mainstay_cgroup_cpu_seconds_total",
            "Processor seconds Mainstay's control group used.",
            cgroup.cpu_seconds,
        ),
        (
            "mainstay_cgroup_cpu_throttled_seconds_total",
            "Seconds Mainstay's control group was held back by its limit.",
            cgroup.throttled_seconds,
        ),
    ];
    for (name, help, value) in counters {
        value.into_iter().for_each(|value| out.counter(name, help).add(&[], value));
    }
}
