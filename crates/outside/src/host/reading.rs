//! What one collection found, typed: the snapshot is made of two of them.

use kernel::Timestamp;

use super::cpu::Stat;
use super::disk::Disk;
use super::filesystem::Filesystem;
use super::memory::Meminfo;
use super::network::Interface;
use super::pressure::Pressure;
use super::snapshot::ProcessSnapshot;
use super::system::{Release, Uname};

/// `None` is what could not be read.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub time: Timestamp,
    pub uname: Option<Uname>,
    pub release: Option<Release>,
    pub stat: Option<Stat>,
    pub load: Option<[f64; 3]>,
    pub pressure: Option<Pressure>,
    pub meminfo: Option<Meminfo>,
    pub filesystems: Option<Vec<Filesystem>>,
    pub disks: Option<Vec<Disk>>,
    pub interfaces: Option<Vec<Interface>>,
    /// Interfaces that can carry traffic.
    pub up: Vec<String>,
    pub processes: Vec<ProcessSnapshot>,
}
