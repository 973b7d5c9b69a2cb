//! The machine at a glance, as the console shows it: levels, and rates since the last collection.

use std::collections::BTreeMap;

use kernel::Timestamp;
use serde::Serialize;

use super::cpu::{self, MODES};
use super::disk::Disk;
use super::network::Interface;
use super::pressure::Resource;
use super::reading::Reading;

/// What the machine is and does. What could not be read is absent or empty.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HostSnapshot {
    /// When it was collected.
    pub time: Timestamp,
    /// The machine's name.
    pub hostname: String,
    /// The distribution, such as `Debian GNU/Linux 12 (bookworm)`.
    pub os: String,
    /// The kernel's release.
    pub kernel: String,
    /// Processors.
    pub cpus: usize,
    /// When it started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot_time: Option<Timestamp>,
    /// Averages over 1, 5 and 15 minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load: Option<[f64; 3]>,
    /// What the processors spent their time on.
    pub cpu: CpuSnapshot,
    /// What work waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pressure: Option<PressureSnapshot>,
    /// Memory and swap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemorySnapshot>,
    /// Those that hold data.
    pub filesystems: Vec<FilesystemSnapshot>,
    /// Whole disks.
    pub disks: Vec<DiskSnapshot>,
    /// All but loopback.
    pub networks: Vec<NetworkSnapshot>,
    /// Those that use most.
    pub processes: Vec<ProcessSnapshot>,
}

/// Processor time.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CpuSnapshot {
    /// Fractions of all processors' time since the last collection; they add up to 1. Empty in the first.
    pub modes: BTreeMap<&'static str, f64>,
}

/// Pressure stall information.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PressureSnapshot {
    /// Processors.
    pub cpu: StallSnapshot,
    /// Memory.
    pub memory: StallSnapshot,
    /// Disks.
    pub io: StallSnapshot,
}

/// Percent of the last ten seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct StallSnapshot {
    /// In which some work waited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub some: Option<f64>,
    /// In which all work waited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full: Option<f64>,
}

/// Memory, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MemorySnapshot {
    /// All there is.
    pub total_bytes: u64,
    /// What programs could get without swapping.
    pub available_bytes: u64,
    /// Not used at all.
    pub free_bytes: u64,
    /// Buffers of block devices.
    pub buffers_bytes: u64,
    /// Contents of files.
    pub cached_bytes: u64,
    /// All swap.
    pub swap_total_bytes: u64,
    /// Swap not used.
    pub swap_free_bytes: u64,
}

/// One mounted filesystem.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FilesystemSnapshot {
    /// What is mounted.
    pub device: String,
    /// Where.
    pub mountpoint: String,
    /// Such as `ext4`.
    pub fstype: String,
    /// Absent when the mount does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// For those who are not root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available_bytes: Option<u64>,
    /// Mounted read-only.
    pub read_only: bool,
}

/// One disk. Rates are absent in the first collection.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DiskSnapshot {
    /// Such as `nvme0n1`.
    pub device: String,
    /// What it did.
    #[serde(flatten)]
    pub rates: Option<DiskRates>,
}

/// What a disk did since the last collection.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DiskRates {
    /// Bytes read a second.
    pub read_bytes_per_second: f64,
    /// Bytes written a second.
    pub write_bytes_per_second: f64,
    /// Reads a second.
    pub reads_per_second: f64,
    /// Writes a second.
    pub writes_per_second: f64,
    /// Share of time with at least one request in progress.
    pub busy_fraction: f64,
    /// Mean time of a read; 0 without reads.
    pub read_latency_seconds: f64,
    /// Mean time of a write; 0 without writes.
    pub write_latency_seconds: f64,
}

/// One interface. Rates are absent in the first collection.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkSnapshot {
    /// Such as `eth0`.
    pub interface: String,
    /// Can carry traffic.
    pub up: bool,
    /// What it carried.
    #[serde(flatten)]
    pub rates: Option<NetworkRates>,
}

/// What an interface carried since the last collection.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkRates {
    /// Bytes received a second.
    pub receive_bytes_per_second: f64,
    /// Bytes sent a second.
    pub transmit_bytes_per_second: f64,
    /// Errors a second, both ways.
    pub errors_per_second: f64,
}

/// One process.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessSnapshot {
    /// Its number.
    pub pid: u32,
    /// Its name, at most 15 bytes.
    pub name: String,
    /// Its command line, cut.
    pub command: String,
    /// Who it runs as.
    pub user: String,
    /// Processors used since the last collection: 1 is one of them all the time. 0 in the first.
    pub cpu_fraction: f64,
    /// Memory in use.
    pub resident_bytes: u64,
    /// Its threads.
    pub threads: u64,
    /// `running`, `sleeping`, `waiting`, `stopped`, `zombie`, `idle` or `other`.
    pub state: &'static str,
}

/// The snapshot of a reading; `previous` is where rates start.
pub(super) fn snapshot(previous: Option<&Reading>, now: &Reading) -> HostSnapshot {
    let elapsed = previous.map(|previous| now.time.since(previous.time).as_nanos() as f64 / 1e9);
    let elapsed = elapsed.filter(|seconds| *seconds > 0.0);
    let name = |pick: fn(&super::system::Uname) -> &String| {
        now.uname.as_ref().map(pick).cloned().unwrap_or_default()
    };
    HostSnapshot {
        time: now.time,
        hostname: name(|uname| &uname.nodename),
        os: now
            .release
            .as_ref()
            .and_then(|r| r.get("PRETTY_NAME").or(r.get("NAME")))
            .cloned()
            .unwrap_or_default(),
        kernel: name(|uname| &uname.release),
        cpus: now.stat.as_ref().map_or(0, |stat| stat.cpus.len()),
        boot_time: now
            .stat
            .as_ref()
            .and_then(|stat| stat.boot_time)
            .map(|at| Timestamp::from_secs(at as i64)),
        load: now.load,
        cpu: cpu_snapshot(previous, now),
        pressure: now.pressure.as_ref().map(|pressure| PressureSnapshot {
            cpu: stall(&pressure.cpu),
            memory: stall(&pressure.memory),
            io: stall(&pressure.io),
        }),
        memory: memory(now),
        filesystems: filesystems(now),
        disks: disks(previous, now, elapsed),
        networks: networks(previous, now, elapsed),
        processes: now.processes.clone(),
    }
}

fn cpu_snapshot(previous: Option<&Reading>, now: &Reading) -> CpuSnapshot {
    let before = previous.and_then(|previous| previous.stat.as_ref());
    let fractions = before.zip(now.stat.as_ref()).and_then(|(before, now)| cpu::fractions(before, now));
    CpuSnapshot {
        modes: fractions.map(|fractions| MODES.into_iter().zip(fractions).collect()).unwrap_or_default(),
    }
}

fn stall(resource: &Resource) -> StallSnapshot {
    StallSnapshot { some: resource.some.map(|s| s.avg10), full: resource.full.map(|s| s.avg10) }
}

fn memory(now: &Reading) -> Option<MemorySnapshot> {
    let meminfo = now.meminfo.as_ref()?;
    let bytes = |key: &str| meminfo.bytes(key).unwrap_or_default();
    Some(MemorySnapshot {
        total_bytes: bytes("MemTotal"),
        // Kernels before 3.14 do not estimate it.
        available_bytes: meminfo
            .bytes("MemAvailable")
            .unwrap_or_else(|| bytes("MemFree") + bytes("Buffers") + bytes("Cached")),
        free_bytes: bytes("MemFree"),
        buffers_bytes: bytes("Buffers"),
        cached_bytes: bytes("Cached"),
        swap_total_bytes: bytes("SwapTotal"),
        swap_free_bytes: bytes("SwapFree"),
    })
}

fn filesystems(now: &Reading) -> Vec<FilesystemSnapshot> {
    let all = now.filesystems.iter().flatten();
    let shown = all.map(|filesystem| FilesystemSnapshot {
        device: filesystem.mount.device.clone(),
        mountpoint: filesystem.mount.mountpoint.clone(),
        fstype: filesystem.mount.fstype.clone(),
        size_bytes: filesystem.space.map(|space| space.size),
        available_bytes: filesystem.space.map(|space| space.available),
        read_only: filesystem.mount.read_only,
    });
    shown.collect()
}

fn disks(previous: Option<&Reading>, now: &Reading, elapsed: Option<f64>) -> Vec<DiskSnapshot> {
    let before = |device: &str| previous?.disks.iter().flatten().find(|disk| disk.device == device);
    let all = now.disks.iter().flatten();
    let shown = all.map(|disk| DiskSnapshot {
        device: disk.device.clone(),
        rates: before(&disk.device).zip(elapsed).map(|(before, seconds)| disk_rates(before, disk, seconds)),
    });
    shown.collect()
}

fn disk_rates(before: &Disk, now: &Disk, seconds: f64) -> DiskRates {
    let gain = |pick: fn(&Disk) -> f64| (pick(now) - pick(before)).max(0.0);
    let mean = |time: f64, count: f64| if count > 0.0 { time / count } else { 0.0 };
    DiskRates {
        read_bytes_per_second: gain(Disk::read_bytes) / seconds,
        write_bytes_per_second: gain(Disk::written_bytes) / seconds,
        reads_per_second: gain(Disk::reads) / seconds,
        writes_per_second: gain(Disk::writes) / seconds,
        busy_fraction: (gain(Disk::busy_time) / seconds).min(1.0),
        read_latency_seconds: mean(gain(Disk::read_time), gain(Disk::reads)),
        write_latency_seconds: mean(gain(Disk::write_time), gain(Disk::writes)),
    }
}

fn networks(previous: Option<&Reading>, now: &Reading, elapsed: Option<f64>) -> Vec<NetworkSnapshot> {
    let before = |device: &str| previous?.interfaces.iter().flatten().find(|one| one.device == device);
    let all = now.interfaces.iter().flatten().filter(|one| one.device != "lo");
    let shown = all.map(|interface| NetworkSnapshot {
        interface: interface.device.clone(),
        up: now.up.contains(&interface.device),
        rates: before(&interface.device).zip(elapsed).map(|(before, seconds)| {
            let gain = |pick: fn(&Interface) -> f64| (pick(interface) - pick(before)).max(0.0) / seconds;
            NetworkRates {
                receive_bytes_per_second: gain(Interface::received),
                transmit_bytes_per_second: gain(Interface::sent),
                errors_per_second: gain(Interface::errors),
            }
        }),
    });
    shown.collect()
}
