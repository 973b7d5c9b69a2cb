//! Mounted filesystems: `/proc/1/mounts`, and `statvfs` for each that holds data.
//!
//! `statvfs` of a dead network mount can block for ever, in the kernel, beyond any signal. So another thread asks; a
//! mount that does not answer in time is reported as such, and not asked again until it has answered.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::families::{Families, Row};
use super::files::{Files, Malformed, Trouble};

/// How long all mounts of one collection together may take to answer.
pub const STATVFS_PATIENCE: Duration = Duration::from_millis(500);

/// How long a mount may take in any case, when others have used up the patience.
pub const STATVFS_GRACE: Duration = Duration::from_millis(50);

/// Most threads left waiting for mounts that do not answer; with more, no mount is asked.
pub const MAX_STUCK: usize = 16;

/// Most filesystems shown.
pub const MAX_FILESYSTEMS: usize = 512;

/// Filesystems that hold no data of their own.
const PSEUDO: [&str; 24] = [
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "fusectl",
    "hugetlbfs",
    "iso9660",
    "mqueue",
    "nsfs",
    "overlay",
    "proc",
    "procfs",
    "pstore",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "squashfs",
    "sysfs",
    "tracefs",
];

/// Where mounts are the system's or a container's own.
const HIDDEN: [&str; 6] =
    ["/dev", "/proc", "/sys", "/run/credentials", "/var/lib/docker", "/var/lib/containers/storage"];

/// One line of the mount table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Mount {
    pub device: String,
    pub mountpoint: String,
    pub fstype: String,
    pub read_only: bool,
}

/// Sizes in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Space {
    pub size: u64,
    pub free: u64,
    /// To those who are not root.
    pub available: u64,
    pub files: u64,
    pub files_free: u64,
}

/// A mount, and its space if it answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filesystem {
    pub mount: Mount,
    pub space: Option<Space>,
}

/// Asks for the space of mounts on another thread.
#[derive(Debug)]
pub(super) struct Prober {
    worker: Option<mpsc::Sender<(String, PathBuf)>>,
    answers: (mpsc::Sender<Answer>, mpsc::Receiver<Answer>),
    /// Mounts that have not answered yet.
    stuck: HashMap<String, Instant>,
    patience: Duration,
    ask: fn(&Path) -> Option<Space>,
}

type Answer = (String, Option<Space>);

pub(super) fn read(files: &Files, prober: &mut Prober) -> Result<Vec<Filesystem>, Trouble> {
    // Process 1 sees the machine's mounts even when we have a mount namespace of our own.
    let mounts = match files.parse("proc/1/mounts", parse) {
        Err(Trouble::Unreadable { .. }) => files.parse("proc/self/mounts", parse)?,
        other => other?,
    };
    let paths = mounts.iter().map(|mount| (mount.mountpoint.clone(), files.at(&mount.mountpoint))).collect();
    let mut spaces = prober.ask(paths);
    let with_space = |mount: Mount| Filesystem { space: spaces.remove(&mount.mountpoint), mount };
    Ok(mounts.into_iter().map(with_space).collect())
}

/// The mounts that hold data, each mount point once: the one mounted last is the one seen.
pub(super) fn parse(text: &str) -> Result<Vec<Mount>, Malformed> {
    let mut mounts: Vec<Mount> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let mut words = line.split(' ');
        let (Some(device), Some(mountpoint), Some(fstype), Some(options)) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(Malformed::new(format!("`{line}` is not a mount")));
        };
        let (device, mountpoint) = (unescape(device), unescape(mountpoint));
        // A container's root is an overlay; there, it is the disk people mean.
        let pseudo = PSEUDO.contains(&fstype) && !(fstype == "overlay" && mountpoint == "/");
        if pseudo || is_hidden(&mountpoint) {
            continue;
        }
        mounts.retain(|mount| mount.mountpoint != mountpoint);
        let read_only = options.split(',').any(|option| option == "ro");
        mounts.push(Mount { device, mountpoint, fstype: fstype.to_owned(), read_only });
    }
    mounts.truncate(MAX_FILESYSTEMS);
    Ok(mounts)
}

fn is_hidden(mountpoint: &str) -> bool {
    let below = |rest: &str| rest.is_empty() || rest.starts_with('/');
    HIDDEN.iter().any(|hidden| mountpoint.strip_prefix(hidden).is_some_and(below))
}

/// The kernel writes blanks, tabs, newlines and backslashes as three octal digits.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let code = tail.get(..3).filter(|_| *first == b'\\').and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 8).ok()
        });
        match code {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Default for Prober {
    fn default() -> Self {
        Self::new(STATVFS_PATIENCE, statvfs)
    }
}

impl Prober {
    pub(super) fn new(patience: Duration, ask: fn(&Path) -> Option<Space>) -> Self {
        Self { worker: None, answers: mpsc::channel(), stuck: HashMap::new(), patience, ask }
    }

    /// The space of each mount that answers in time.
    fn ask(&mut self, paths: Vec<(String, PathBuf)>) -> HashMap<String, Space> {
        // What answered late is free to be asked again.
        while let Ok((mountpoint, _)) = self.answers.1.try_recv() {
            self.stuck.remove(&mountpoint);
        }
        let mut waiting: Vec<(String, PathBuf)> = paths;
        waiting.retain(|(mountpoint, _)| !self.stuck.contains_key(mountpoint));
        let mut spaces = HashMap::new();
        let deadline = Instant::now() + self.patience;
        for (mountpoint, path) in waiting {
            if self.stuck.len() >= MAX_STUCK || !self.send(&mountpoint, path) {
                break;
            }
            match self.answer(&mountpoint, deadline) {
                Some(space) => spaces.extend(space.map(|space| (mountpoint, space))),
                None => {
                    // The worker is lost to this mount; the next mount gets another one.
                    self.stuck.insert(mountpoint, Instant::now());
                    self.worker = None;
                }
            }
        }
        spaces
    }

    /// One mount's answer, for which there is always [`STATVFS_GRACE`]; those of mounts given up earlier may come first. `None` when time is up.
    fn answer(&mut self, mountpoint: &str, deadline: Instant) -> Option<Option<Space>> {
        let deadline = deadline.max(Instant::now() + STATVFS_GRACE);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let (answered, space) = self.answers.1.recv_timeout(left).ok()?;
            if answered == mountpoint {
                return Some(space);
            }
            self.stuck.remove(&answered);
        }
    }

    /// Hands a mount to the worker, starting one if there is none; false when no thread can be had.
    fn send(&mut self, mountpoint: &str, path: PathBuf) -> bool {
        if self.worker.is_none() {
            let (requests, inbox) = mpsc::channel::<(String, PathBuf)>();
            let (answers, ask) = (self.answers.0.clone(), self.ask);
            let run = move || {
                for (mountpoint, path) in inbox {
                    if answers.send((mountpoint, ask(&path))).is_err() {
                        return;
                    }
                }
            };
            let started = std::thread::Builder::new().name("statvfs".to_owned()).spawn(run);
            self.worker = started.ok().map(|_| requests);
        }
        self.worker.as_ref().is_some_and(|worker| worker.send((mountpoint.to_owned(), path)).is_ok())
    }
}

fn statvfs(path: &Path) -> Option<Space> {
    let answer = rustix::fs::statvfs(path).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(answer.f_frsize);
    Some(Space {
        size: bytes(answer.f_blocks),
        free: bytes(answer.f_bfree),
        available: bytes(answer.f_bavail),
        files: answer.f_files,
        files_free: answer.f_ffree,
    })
}

pub(super) fn families(filesystems: &[Filesystem], out: &mut Families) {
    let flag = |b: bool| f64::from(u8::from(b));
    let rows: [Row<Space>; 5] = [
        ("node_filesystem_size_bytes", "Size of the filesystem.", |s| s.size),
        ("node_filesystem_free_bytes", "Free space, what is reserved for root included.", |s| s.free),
        ("node_filesystem_avail_bytes", "Free space for those who are not root.", |s| s.available),
        ("node_filesystem_files", "Inodes of the filesystem.", |s| s.files),
        ("node_filesystem_files_free", "Free inodes.", |s| s.files_free),
    ];
    for (name, help, value) in rows {
        let mut adding = out.gauge(name, help);
        for filesystem in filesystems {
            if let Some(space) = &filesystem.space {
                // Exact below 2^53.
                adding.add(&filesystem.mount.labels(), value(space) as f64);
            }
        }
    }
    let mut read_only = out.gauge("node_filesystem_readonly", "1 when the filesystem is mounted read-only.");
    for filesystem in filesystems.iter().filter(|f| f.space.is_some()) {
        read_only.add(&filesystem.mount.labels(), flag(filesystem.mount.read_only));
    }
    let mut error = out.gauge("node_filesystem_device_error", "1 when the filesystem did not answer.");
    for filesystem in filesystems {
        error.add(&filesystem.mount.labels(), flag(filesystem.space.is_none()));
    }
}

impl Mount {
    fn labels(&self) -> [(&str, &str); 3] {
        [("device", &self.device), ("fstype", &self.fstype), ("mountpoint", &self.mountpoint)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_unescaped_and_those_without_data_left_out() {
        let text = "\
proc /proc proc rw,nosuid 0 0
/dev/sda1 / ext4 rw,relatime 0 0
tmpfs /run tmpfs rw,mode=755 0 0
nas:/a\\040b /mnt/a\\040b\\134 nfs4 ro,vers=4.2 0 0
overlay /var/lib/docker/overlay2/x/merged overlay rw 0 0
/dev/sdb /devices xfs rw 0 0
tmpfs /dev/shm tmpfs rw 0 0
/dev/sdc1 / btrfs rw 0 0
";
        let show = |m: &Mount| format!("{} {} {} {}", m.device, m.mountpoint, m.fstype, m.read_only);
        let shown: Vec<String> = parse(text).unwrap().iter().map(show).collect();
        assert_eq!(
            shown,
            [
                "tmpfs /run tmpfs false",
                "nas:/a b /mnt/a b\\ nfs4 true",
                "/dev/sdb /devices xfs false",
                "/dev/sdc1 / btrfs false",
            ]
        );
        assert_eq!(parse("overlay / overlay rw 0 0\n").unwrap().len(), 1);
        assert!(parse("nonsense\n").is_err());
    }

    /// Waits until a file appears: a mount that hangs until the test lets it go.
    fn hang(path: &Path) -> Option<Space> {
        if path.ends_with("hung") {
            while !path.with_extension("go").exists() {
                std::thread::yield_now();
            }
        }
        Some(Space { size: 1, ..Space::default() })
    }

    #[test]
    fn a_hung_mount_does_not_stop_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let mounts = ["first", "hung", "last"].map(|name| (name.to_owned(), folder.path().join(name)));
        let mut prober = Prober::new(Duration::from_millis(100), hang);
        let answered = |prober: &mut Prober| {
            let mut names: Vec<String> = prober.ask(mounts.to_vec()).into_keys().collect();
            names.sort();
            names.join(" ")
        };
        assert_eq!(answered(&mut prober), "first last");
        assert!(prober.stuck.contains_key("hung"));
        // It is not asked again: were it, this would take ten seconds.
        prober.patience = Duration::from_secs(10);
        let start = Instant::now();
        assert_eq!(answered(&mut prober), "first last");
        assert!(start.elapsed() < Duration::from_secs(5));
        std::fs::write(folder.path().join("hung.go"), "").unwrap();
        while answered(&mut prober) != "first hung last" {
            std::thread::yield_now();
        }
        assert!(prober.stuck.is_empty());
    }
}
