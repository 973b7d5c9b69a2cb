//! This process: the `process_*` series every Prometheus client library exposes.

use std::path::Path;
use std::sync::OnceLock;

use kernel::Timestamp;
use metrics::sample::Family;

use super::cpu::TICKS;
use super::families::Families;
use super::files::{Files, Malformed, Trouble};

/// What this process uses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SelfProcess {
    /// User and system time, in seconds.
    pub cpu_seconds: f64,
    /// Memory in use.
    pub resident_bytes: u64,
    /// Address space.
    pub virtual_bytes: u64,
    /// Open file descriptors.
    pub open_files: u64,
    /// Most file descriptors; absent when there is no limit.
    pub open_files_limit: Option<u64>,
    /// Threads.
    pub threads: u64,
    /// Ticks between the machine's start and the process'.
    start: u64,
}

/// What this process uses now.
///
/// # Errors
/// `/proc/self` cannot be read.
pub fn read() -> Result<SelfProcess, Trouble> {
    let files = Files::new(Path::new("/"));
    let mut line = Vec::new();
    files.read_into("proc/self/stat", &mut line)?;
    let malformed = || Trouble::malformed("proc/self/stat", Malformed::new("it is not a line of numbers"));
    let stat = super::process::parse_stat(&line).ok_or_else(malformed)?;
    // The folder's own descriptor is among them.
    let open_files = (files.list("proc/self/fd")?.len() as u64).saturating_sub(1);
    Ok(SelfProcess {
        cpu_seconds: stat.user.saturating_add(stat.system) as f64 / TICKS,
        resident_bytes: stat.resident_pages.saturating_mul(rustix::param::page_size() as u64),
        virtual_bytes: stat.virtual_bytes,
        open_files,
        open_files_limit: rustix::process::getrlimit(rustix::process::Resource::Nofile).current,
        threads: stat.threads,
        start: stat.start,
    })
}

/// The series of this process; none where `/proc` cannot be read.
pub fn collect(now: Timestamp) -> Vec<Family> {
    let Ok(process) = read() else { return Vec::new() };
    let mut out = Families::new();
    out.counter("process_cpu_seconds_total", "Processor seconds this process used.")
        .add(&[], process.cpu_seconds);
    out.value("process_resident_memory_bytes", "Memory this process uses.", process.resident_bytes as f64);
    out.value(
        "process_virtual_memory_bytes",
        "Address space this process uses.",
        process.virtual_bytes as f64,
    );
    out.value("process_open_fds", "File descriptors this process has open.", process.open_files as f64);
    if let Some(most) = process.open_files_limit {
        out.value("process_max_fds", "Most file descriptors this process may open.", most as f64);
    }
    out.value("process_threads", "Threads of this process.", process.threads as f64);
    if let Some(start) = started(&process, now) {
        out.value(
            "process_start_time_seconds",
            "When this process started, in seconds since the epoch.",
            start,
        );
    }
    out.finish()
}

/// Worked out once: the clock may be set, but a process starts only once.
fn started(process: &SelfProcess, now: Timestamp) -> Option<f64> {
    static STARTED: OnceLock<Option<f64>> = OnceLock::new();
    *STARTED.get_or_init(|| {
        let uptime = Files::new(Path::new("/")).read("proc/uptime").ok()?;
        let uptime: f64 = uptime.split(' ').next()?.parse().ok()?;
        let boot = now.as_nanos() as f64 / 1e9 - uptime;
        Some(((boot + process.start as f64 / TICKS) * 100.0).round() / 100.0)
    })
}
