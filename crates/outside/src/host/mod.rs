//! The machine Mainstay runs on, read from `/proc` and `/sys`.
//!
//! Series carry node_exporter's names, labels and types, so that dashboards and rules written for it work; groups of
//! processes carry process-exporter's. Each collector may fail alone: its error is kept and shown, and the others go on.
//! What a kernel or machine does not have (pressure figures, sensors) is no error.
//!
//! Invariants: parsers are pure functions of text; counters never run backwards; no file system that hangs can stop a
//! collection (see [`STATVFS_PATIENCE`]). It is synchronous and reads files: call it where blocking is allowed.

mod cgroup;
mod cpu;
mod disk;
mod families;
mod files;
mod filesystem;
mod memory;
mod network;
mod pressure;
mod process;
mod protocol;
mod reading;
pub mod self_process;
mod sensor;
mod snapshot;
mod system;

use std::path::PathBuf;
use std::time::Instant;

use kernel::Timestamp;
use metrics::sample::Family;

pub use files::{MAX_FILE_BYTES, Trouble};
pub use filesystem::{MAX_FILESYSTEMS, MAX_STUCK, STATVFS_GRACE, STATVFS_PATIENCE};
pub use network::{DETAILS_EVERY, MAX_DETAILED};
pub use process::{
    GROUPS_ENTER, GROUPS_LEAVE, KERNEL_GROUP, MAX_COMMAND_CHARS, MAX_PROCESSES, OTHER_GROUP, TOP_PROCESSES,
};
pub use sensor::MAX_SENSORS;
pub use snapshot::{
    CpuSnapshot, DiskRates, DiskSnapshot, FilesystemSnapshot, HostSnapshot, MemorySnapshot, NetworkRates,
    NetworkSnapshot, PressureSnapshot, ProcessSnapshot, StallSnapshot,
};

use families::Families;
use files::Files;
use reading::Reading;

/// What is watched.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder that holds `proc`, `sys` and `etc`: `/`, or where the host's are mounted in a container.
    pub root: PathBuf,
}

impl Default for Options {
    fn default() -> Self {
        Self { root: PathBuf::from("/") }
    }
}

/// Reads the machine, and remembers what rates need.
#[derive(Debug)]
pub struct HostCollector {
    files: Files,
    previous: Option<Reading>,
    prober: filesystem::Prober,
    identities: disk::Identities,
    class: network::Class,
    processes: process::Processes,
    release: Option<(Timestamp, system::Release)>,
}

/// What one run found.
#[derive(Clone, Debug)]
pub struct Collection {
    /// Every series, without `job` and `instance`.
    pub families: Vec<Family>,
    /// The machine at a glance.
    pub snapshot: HostSnapshot,
    /// How each collector fared.
    pub runs: Vec<CollectorRun>,
}

/// How one collector fared.
#[derive(Clone, Debug, PartialEq)]
pub struct CollectorRun {
    /// Such as `diskstats`.
    pub name: &'static str,
    /// How long it took.
    pub seconds: f64,
    /// Why it found nothing.
    pub error: Option<String>,
}

impl HostCollector {
    /// A collector that has not read anything yet.
    pub fn new(options: Options) -> Self {
        Self {
            files: Files::new(&options.root),
            previous: None,
            prober: filesystem::Prober::default(),
            identities: disk::Identities::default(),
            class: network::Class::default(),
            processes: process::Processes::default(),
            release: None,
        }
    }

    /// Reads everything. Rates and fractions are since the call before; the first has none.
    pub fn collect(&mut self, now: Timestamp) -> Collection {
        let mut runs = Runs::default();
        let mut out = Families::new();
        let reading = self.read(now, &mut runs, &mut out);
        let snapshot = snapshot::snapshot(self.previous.as_ref(), &reading);
        self.previous = Some(reading);
        runs.families(&mut out);
        Collection { families: out.finish(), snapshot, runs: runs.0 }
    }

    fn read(&mut self, now: Timestamp, runs: &mut Runs, out: &mut Families) -> Reading {
        let files = &self.files;
        let uname = runs.run("uname", out, || system::read_uname(files), system::uname_families);
        let known = self.release.take().filter(|(at, _)| now >= *at && now.since(*at) < DETAILS_EVERY);
        let release = runs.run(
            "os",
            out,
            || known.map_or_else(|| Ok((now, system::read_release(files)?)), Ok),
            |(_, release), out| system::release_families(release, out),
        );
        self.release.clone_from(&release);
        let release = release.map(|(_, release)| release);
        let before = self.previous.as_ref().and_then(|previous| previous.stat.as_ref());
        let stat = runs.run("cpu", out, || cpu::read_rising(files, before), cpu::families);
        let load = runs.run("loadavg", out, || pressure::read_load(files), pressure::load_families);
        let pressure = runs.run("pressure", out, || pressure::read(files), pressure::families);
        let meminfo = runs.run("meminfo", out, || memory::read(files), memory::families);
        let filesystems = self.filesystems(runs, out);
        let disks = self.disks(runs, out);
        let interfaces = self.interfaces(now, runs, out);
        small(&self.files, runs, out);
        let (files, processes) = (&self.files, &mut self.processes);
        let boot = stat.as_ref().and_then(|stat| stat.boot_time);
        runs.run(
            "processes",
            out,
            || processes.update(files, now).map(|()| &*processes),
            |processes, out| processes.families(boot, out),
        );
        runs.run("time", out, || Ok(now), |now, out| system::time_families(*now, out));
        let all = interfaces.iter().flatten();
        let up = all.filter(|i| self.class.is_up(&i.device)).map(|i| i.device.clone()).collect();
        let processes = self.processes.top().to_vec();
        Reading {
            time: now,
            uname,
            release,
            stat,
            load,
            pressure,
            meminfo,
            filesystems,
            disks,
            interfaces,
            up,
            processes,
        }
    }

    fn filesystems(&mut self, runs: &mut Runs, out: &mut Families) -> Option<Vec<filesystem::Filesystem>> {
        let (files, prober) = (&self.files, &mut self.prober);
        runs.run("filesystem", out, || filesystem::read(files, prober), |f, out| filesystem::families(f, out))
    }

    fn disks(&mut self, runs: &mut Runs, out: &mut Families) -> Option<Vec<disk::Disk>> {
        let (files, identities) = (&self.files, &mut self.identities);
        runs.run(
            "diskstats",
            out,
            || disk::read(files),
            |disks, out| {
                disk::families(disks, out);
                identities.update(files, disks);
                identities.families(disks, out);
            },
        )
    }

    fn interfaces(
        &mut self,
        now: Timestamp,
        runs: &mut Runs,
        out: &mut Families,
    ) -> Option<Vec<network::Interface>> {
        let (files, class) = (&self.files, &mut self.class);
        let interfaces = runs.run("netdev", out, || network::read(files), |i, out| network::families(i, out));
        let known = interfaces.as_deref().unwrap_or_default();
        runs.run(
            "netclass",
            out,
            || class.update(files, known, now).map(|()| &*class),
            |class, out| class.families(known, out),
        );
        interfaces
    }
}

/// The collectors that only expose what they read.
fn small(files: &Files, runs: &mut Runs, out: &mut Families) {
    runs.run("vmstat", out, || memory::read_vmstat(files), |f, out| memory::vmstat_families(f, out));
    runs.run("netstat", out, || protocol::read(files), protocol::families);
    runs.run("sockstat", out, || protocol::read_sockets(files), protocol::socket_families);
    runs.run("conntrack", out, || protocol::read_conntrack(files), protocol::conntrack_families);
    runs.run("filefd", out, || system::read_handles(files), system::handle_families);
    runs.run("entropy", out, || system::read_entropy(files), system::entropy_families);
    runs.run("hwmon", out, || sensor::read(files), sensor::families);
    runs.run("thermal_zone", out, || sensor::read_thermal(files), sensor::thermal_families);
    runs.run("cgroup", out, || cgroup::read(files), cgroup::families);
}

/// The runs of one collection.
#[derive(Debug, Default)]
struct Runs(Vec<CollectorRun>);

impl Runs {
    /// Reads, exposes what was read, and notes time and error. What the machine does not have is no error.
    fn run<T>(
        &mut self,
        name: &'static str,
        out: &mut Families,
        read: impl FnOnce() -> Result<T, Trouble>,
        expose: impl FnOnce(&T, &mut Families),
    ) -> Option<T> {
        let start = Instant::now();
        let found = read();
        if let Ok(found) = &found {
            expose(found, out);
        }
        let seconds = start.elapsed().as_secs_f64();
        let error = found.as_ref().err().filter(|trouble| !trouble.is_absence()).map(ToString::to_string);
        self.0.push(CollectorRun { name, seconds, error });
        found.ok()
    }

    fn families(&self, out: &mut Families) {
        let mut seconds = out.gauge("node_scrape_collector_duration_seconds", "How long a collector took.");
        self.0.iter().for_each(|run| seconds.add(&[("collector", run.name)], run.seconds));
        let mut success =
            out.gauge("node_scrape_collector_success", "1 when a collector could read what there is.");
        for run in &self.0 {
            success.add(&[("collector", run.name)], f64::from(u8::from(run.error.is_none())));
        }
    }
}

#[cfg(test)]
mod tests;
