//! `/proc/diskstats`: what block devices did; and what udev knows about them.
//!
//! Source: Linux documentation, admin-guide/iostats; sectors are 512 bytes there whatever the device's own are.

use std::collections::{BTreeMap, HashMap};

use metrics::sample::MetricType;

use super::families::Families;
use super::files::{Files, Malformed, Trouble};

/// Bytes in a sector of `/proc/diskstats`.
const SECTOR: f64 = 512.0;

/// One device's counts since boot, as columns of the file: see [`COLUMNS`].
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Disk {
    pub device: String,
    pub major: u32,
    pub minor: u32,
    columns: Vec<f64>,
}

/// What a column is called, how it is scaled, and what it means, in the order of the file.
const COLUMNS: [(&str, f64, &str); 17] = [
    ("node_disk_reads_completed_total", 1.0, "Reads that ended well."),
    ("node_disk_reads_merged_total", 1.0, "Reads joined with a neighbour before they were issued."),
    ("node_disk_read_bytes_total", SECTOR, "Bytes read."),
    ("node_disk_read_time_seconds_total", 1e-3, "Seconds all reads took together."),
    ("node_disk_writes_completed_total", 1.0, "Writes that ended well."),
    ("node_disk_writes_merged_total", 1.0, "Writes joined with a neighbour before they were issued."),
    ("node_disk_written_bytes_total", SECTOR, "Bytes written."),
    ("node_disk_write_time_seconds_total", 1e-3, "Seconds all writes took together."),
    ("node_disk_io_now", 1.0, "Requests in progress."),
    ("node_disk_io_time_seconds_total", 1e-3, "Seconds in which at least one request was in progress."),
    (
        "node_disk_io_time_weighted_seconds_total",
        1e-3,
        "Seconds in progress, each weighted by the requests in it.",
    ),
    ("node_disk_discards_completed_total", 1.0, "Discards that ended well."),
    ("node_disk_discards_merged_total", 1.0, "Discards joined with a neighbour before they were issued."),
    ("node_disk_discarded_sectors_total", 1.0, "Sectors of 512 bytes discarded."),
    ("node_disk_discard_time_seconds_total", 1e-3, "Seconds all discards took together."),
    ("node_disk_flush_requests_total", 1.0, "Flush requests that ended well."),
    ("node_disk_flush_requests_time_seconds_total", 1e-3, "Seconds all flush requests took together."),
];

/// Fewest columns a kernel writes.
const LEAST_COLUMNS: usize = 11;

pub(super) fn read(files: &Files) -> Result<Vec<Disk>, Trouble> {
    files.parse("proc/diskstats", parse)
}

/// Partitions, RAM disks, loops and floppies are left out: their work is their whole disk's, or none.
pub(super) fn parse(text: &str) -> Result<Vec<Disk>, Malformed> {
    let mut disks = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let mut words = line.split_ascii_whitespace();
        let bad = || Malformed::new(format!("`{line}` is not a device and its numbers"));
        let (Some(major), Some(minor), Some(device)) = (words.next(), words.next(), words.next()) else {
            return Err(bad());
        };
        if is_part(device) {
            continue;
        }
        let numbers = words.zip(COLUMNS).map(|(word, (_, scale, _))| Some(word.parse::<f64>().ok()? * scale));
        let columns: Vec<f64> = numbers.collect::<Option<_>>().ok_or_else(bad)?;
        if columns.len() < LEAST_COLUMNS {
            return Err(bad());
        }
        let (major, minor) = (major.parse().map_err(|_| bad())?, minor.parse().map_err(|_| bad())?);
        disks.push(Disk { device: device.to_owned(), major, minor, columns });
    }
    Ok(disks)
}

/// `^(ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$`, as node_exporter leaves them out.
fn is_part(device: &str) -> bool {
    let stem = device.trim_end_matches(|c: char| c.is_ascii_digit());
    if stem.len() == device.len() {
        return false;
    }
    let whole = ["ram", "loop", "fd"].contains(&stem);
    let letter =
        |rest: Option<&str>| rest.is_some_and(|r| r.len() == 1 && r.bytes().all(|b| b.is_ascii_lowercase()));
    let partition = ["hd", "sd", "vd", "xvd"].iter().any(|prefix| letter(stem.strip_prefix(prefix)));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let nvme = stem
        .strip_prefix("nvme")
        .and_then(|rest| rest.strip_suffix('p'))
        .and_then(|rest| rest.split_once('n'))
        .is_some_and(|(controller, namespace)| digits(controller) && digits(namespace));
    whole || partition || nvme
}

impl Disk {
    fn column(&self, at: usize) -> f64 {
        self.columns.get(at).copied().unwrap_or_default()
    }
    pub(super) fn reads(&self) -> f64 {
        self.column(0)
    }
    pub(super) fn read_bytes(&self) -> f64 {
        self.column(2)
    }
    /// Seconds.
    pub(super) fn read_time(&self) -> f64 {
        self.column(3)
    }
    pub(super) fn writes(&self) -> f64 {
        self.column(4)
    }
    pub(super) fn written_bytes(&self) -> f64 {
        self.column(6)
    }
    /// Seconds.
    pub(super) fn write_time(&self) -> f64 {
        self.column(7)
    }
    /// Seconds with at least one request in progress.
    pub(super) fn busy_time(&self) -> f64 {
        self.column(9)
    }
}

pub(super) fn families(disks: &[Disk], out: &mut Families) {
    for (at, (name, _, help)) in COLUMNS.into_iter().enumerate() {
        let kind = if name.ends_with("_total") { MetricType::Counter } else { MetricType::Gauge };
        let mut adding = out.start(name, kind, help);
        for disk in disks {
            if let Some(value) = disk.columns.get(at) {
                adding.add(&[("device", &disk.device)], *value);
            }
        }
    }
}

/// What udev found out when a device appeared. Devices do not change what they are: each is looked up once.
#[derive(Debug, Default)]
pub(super) struct Identities(HashMap<(String, u32, u32), BTreeMap<String, String>>);

impl Identities {
    /// Looks up devices that are new, and forgets those that are gone.
    pub(super) fn update(&mut self, files: &Files, disks: &[Disk]) {
        let key = |disk: &Disk| (disk.device.clone(), disk.major, disk.minor);
        let present: Vec<_> = disks.iter().map(key).collect();
        self.0.retain(|key, _| present.contains(key));
        for (device, major, minor) in present {
            self.0.entry((device, major, minor)).or_insert_with(|| {
                let text = files.read(&format!("run/udev/data/b{major}:{minor}")).unwrap_or_default();
                parse_udev(&text)
            });
        }
    }

    pub(super) fn families(&self, disks: &[Disk], out: &mut Families) {
        let none = BTreeMap::new();
        let known = |disk: &Disk| self.0.get(&(disk.device.clone(), disk.major, disk.minor)).unwrap_or(&none);
        let mut info = out.gauge("node_disk_info", "What a block device is.");
        for disk in disks {
            let udev = known(disk);
            let get = |key: &str| udev.get(key).map_or("", String::as_str);
            let serial =
                ["SCSI_IDENT_SERIAL", "ID_SERIAL_SHORT"].into_iter().map(get).find(|s| !s.is_empty());
            info.add(
                &[
                    ("device", &disk.device),
                    ("major", &disk.major.to_string()),
                    ("minor", &disk.minor.to_string()),
                    ("model", get("ID_MODEL")),
                    ("path", get("ID_PATH")),
                    ("revision", get("ID_REVISION")),
                    ("serial", serial.unwrap_or("")),
                    ("wwn", get("ID_WWN")),
                ],
                1.0,
            );
        }
        labelled(
            disks,
            known,
            out.gauge("node_disk_filesystem_info", "The filesystem on a block device."),
            "ID_FS_TYPE",
            &[
                ("type", "ID_FS_TYPE"),
                ("usage", "ID_FS_USAGE"),
                ("uuid", "ID_FS_UUID"),
                ("version", "ID_FS_VERSION"),
            ],
        );
        labelled(
            disks,
            known,
            out.gauge("node_disk_device_mapper_info", "What a mapped device stands for."),
            "DM_NAME",
            &[
                ("name", "DM_NAME"),
                ("uuid", "DM_UUID"),
                ("vg_name", "DM_VG_NAME"),
                ("lv_name", "DM_LV_NAME"),
                ("lv_layer", "DM_LV_LAYER"),
            ],
        );
    }
}

/// An info family for the devices about which udev knows `condition`.
fn labelled<'a>(
    disks: &'a [Disk],
    known: impl Fn(&'a Disk) -> &'a BTreeMap<String, String>,
    mut adding: super::families::Adding<'_>,
    condition: &str,
    columns: &[(&str, &str)],
) {
    for disk in disks {
        let udev = known(disk);
        if !udev.contains_key(condition) {
            continue;
        }
        let mut labels = vec![("device", disk.device.as_str())];
        labels.extend(columns.iter().map(|(label, key)| (*label, udev.get(*key).map_or("", String::as_str))));
        adding.add(&labels, 1.0);
    }
}

/// The `E:KEY=VALUE` lines of a udev database file.
pub(super) fn parse_udev(text: &str) -> BTreeMap<String, String> {
    let pairs = text.lines().filter_map(|line| line.strip_prefix("E:")?.split_once('='));
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}
