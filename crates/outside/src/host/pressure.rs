//! `/proc/pressure` (PSI: the share of time in which work waited for a resource) and `/proc/loadavg`.
//!
//! Source: Linux documentation, accounting/psi.

use super::families::Families;
use super::files::{Files, Malformed, Trouble};

/// One line of a pressure file.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Stall {
    /// Percent of the last ten seconds.
    pub avg10: f64,
    /// Seconds since boot.
    pub total: f64,
}

/// One pressure file: some work waited, or all of it did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Resource {
    pub some: Option<Stall>,
    pub full: Option<Stall>,
}

/// Processor, memory, I/O and interrupts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Pressure {
    pub cpu: Resource,
    pub memory: Resource,
    pub io: Resource,
    /// Kernels from 6.1 on.
    pub irq: Option<Resource>,
}

pub(super) fn read(files: &Files) -> Result<Pressure, Trouble> {
    Ok(Pressure {
        cpu: files.parse("proc/pressure/cpu", parse)?,
        memory: files.parse("proc/pressure/memory", parse)?,
        io: files.parse("proc/pressure/io", parse)?,
        irq: match files.parse("proc/pressure/irq", parse) {
            Ok(resource) => Some(resource),
            Err(trouble) if trouble.is_absence() => None,
            Err(trouble) => return Err(trouble),
        },
    })
}

pub(super) fn parse(text: &str) -> Result<Resource, Malformed> {
    let mut resource = Resource::default();
    for line in text.lines() {
        let (key, rest) = line.split_once(' ').unwrap_or((line, ""));
        let field = |name: &str| -> Result<f64, Malformed> {
            let value = rest.split(' ').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            value
                .and_then(|value| value.parse().ok())
                .ok_or_else(|| Malformed::new(format!("`{key}` has no number `{name}`")))
        };
        match key {
            "some" => resource.some = Some(Stall { avg10: field("avg10")?, total: field("total")? / 1e6 }),
            "full" => resource.full = Some(Stall { avg10: field("avg10")?, total: field("total")? / 1e6 }),
            _ => {}
        }
    }
    Ok(resource)
}

pub(super) fn families(pressure: &Pressure, out: &mut Families) {
    let rows = [
        (
            "node_pressure_cpu_waiting_seconds_total",
            "Seconds in which some work waited for a processor.",
            pressure.cpu.some,
        ),
        (
            "node_pressure_memory_waiting_seconds_total",
            "Seconds in which some work waited for memory.",
            pressure.memory.some,
        ),
        (
            "node_pressure_memory_stalled_seconds_total",
            "Seconds in which all work waited for memory.",
            pressure.memory.full,
        ),
        (
            "node_pressure_io_waiting_seconds_total",
            "Seconds in which some work waited for I/O.",
            pressure.io.some,
        ),
        (
            "node_pressure_io_stalled_seconds_total",
            "Seconds in which all work waited for I/O.",
            pressure.io.full,
        ),
        (
            "node_pressure_irq_stalled_seconds_total",
            "Seconds in which all work waited for interrupts.",
            pressure.irq.and_then(|irq| irq.full),
        ),
    ];
    for (name, help, stall) in rows {
        stall.into_iter().for_each(|stall| out.counter(name, help).add(&[], stall.total));
    }
}

pub(super) fn read_load(files: &Files) -> Result<[f64; 3], Trouble> {
    files.parse("proc/loadavg", parse_load)
}

pub(super) fn parse_load(text: &str) -> Result<[f64; 3], Malformed> {
    let mut words = text.split_ascii_whitespace().map(str::parse);
    match (words.next(), words.next(), words.next()) {
        (Some(Ok(one)), Some(Ok(five)), Some(Ok(fifteen))) => Ok([one, five, fifteen]),
        _ => Err(Malformed::new("it does not start with three numbers")),
    }
}

pub(super) fn load_families(&[one, five, fifteen]: &[f64; 3], out: &mut Families) {
    out.value("node_load1", "Threads that ran or waited, averaged over 1 minute.", one);
    out.value("node_load5", "Threads that ran or waited, averaged over 5 minutes.", five);
    out.value("node_load15", "Threads that ran or waited, averaged over 15 minutes.", fifteen);
}
