//! Processes: the ones that use most, one by one; all of them, by name.
//!
//! Cost is the point here. One `stat` file per process is all that is read each time, relative to an open `/proc`, into
//! one buffer; command lines and owners are read for the few that are shown, and kept.

mod group;
mod owner;
mod stat;

use std::collections::HashMap;
use std::os::fd::OwnedFd;

use kernel::{Span, Timestamp};
use rustix::fs::{Dir, Mode, OFlags, openat};

use super::cpu::TICKS;
use super::families::Families;
use super::files::{Files, Trouble};
use super::snapshot::ProcessSnapshot;
use group::{Groups, Spent};
use owner::Owners;
use stat::Stat;

pub(super) use stat::parse as parse_stat;

pub use group::{ENTER as GROUPS_ENTER, KERNEL as KERNEL_GROUP, LEAVE as GROUPS_LEAVE, OTHER as OTHER_GROUP};

/// Most processes shown one by one.
pub const TOP_PROCESSES: usize = 20;

/// Most characters of a command line.
pub const MAX_COMMAND_CHARS: usize = 200;

/// Most processes read; `mainstay_host_processes_unread` counts what is beyond.
pub const MAX_PROCESSES: usize = 50_000;

/// How long a command line and an owner are believed.
const KNOWN_FOR: Span = Span::from_secs(60);

/// Longest `stat` line.
const STAT_BYTES: usize = 2048;

/// Remembers what each process had used.
#[derive(Debug, Default)]
pub(super) struct Processes {
    seen: HashMap<u32, Seen>,
    groups: Groups,
    owners: Owners,
    described: HashMap<u32, Described>,
    last: Option<Timestamp>,
    top: Vec<ProcessSnapshot>,
    count: usize,
    unread: usize,
}

/// What a process had used at the last collection.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// Ticks after boot; tells a process from an earlier one of the same number.
    start: u64,
    spent: Spent,
    round: u64,
}

#[derive(Debug)]
struct Described {
    start: u64,
    name: String,
    command: String,
    user: String,
    at: Timestamp,
}

/// One process of this collection, before it is known whether it is shown.
#[derive(Debug)]
struct Candidate {
    pid: u32,
    ticks: u64,
    resident: u64,
    start: u64,
    threads: u64,
    state: stat::State,
    name: String,
}

impl Processes {
    /// Reads every process.
    pub(super) fn update(&mut self, files: &Files, now: Timestamp) -> Result<(), Trouble> {
        let proc = open_proc(files)?;
        let first = self.last.is_none();
        let elapsed = self.last.map(|last| now.since(last).as_nanos() as f64 / 1e9);
        let page = rustix::param::page_size() as u64;
        let round = self.seen.values().map(|seen| seen.round).max().unwrap_or_default() + 1;
        let pids = self.pids(&proc)?;
        let mut candidates = Vec::with_capacity(pids.len());
        let mut buffer = [0_u8; STAT_BYTES];
        self.groups.clear();
        for pid in pids {
            // A process may end between the listing and the reading.
            let Some(length) = read_stat(&proc, pid, &mut buffer) else { continue };
            let Some(stat) = buffer.get(..length).and_then(stat::parse) else { continue };
            let spent = self.spent(&stat, first, round);
            let resident = stat.resident_pages.saturating_mul(page);
            self.groups.count(&stat, resident, &spent);
            offer(&mut candidates, &stat, spent.ticks(), resident);
        }
        self.seen.retain(|_, seen| seen.round == round);
        self.count = self.seen.len();
        self.groups.settle();
        self.top = self.describe(files, &proc, candidates, elapsed, now);
        self.last = Some(now);
        Ok(())
    }

    /// Those that used the processor most since the last collection, then those with most memory.
    pub(super) fn top(&self) -> &[ProcessSnapshot] {
        &self.top
    }

    /// `boot` is in seconds since the epoch.
    pub(super) fn families(&self, boot: Option<f64>, out: &mut Families) {
        self.groups.families(boot, out);
        out.value("mainstay_host_processes", "Processes on the machine.", self.count as f64);
        out.value(
            "mainstay_host_processes_unread",
            "Processes beyond the most that are read.",
            self.unread as f64,
        );
    }

    fn pids(&mut self, proc: &OwnedFd) -> Result<Vec<u32>, Trouble> {
        let unreadable =
            |e: rustix::io::Errno| Trouble::Unreadable { path: "proc".to_owned(), source: e.into() };
        let entries = Dir::read_from(proc).map_err(unreadable)?;
        let number = |entry: rustix::fs::DirEntry| entry.file_name().to_str().ok()?.parse().ok();
        let mut pids: Vec<u32> = entries.filter_map(|entry| number(entry.ok()?)).collect();
        self.unread = pids.len().saturating_sub(MAX_PROCESSES);
        pids.truncate(MAX_PROCESSES);
        Ok(pids)
    }

    /// What a process used since the last collection. One that was there before the first is counted from then on.
    fn spent(&mut self, stat: &Stat<'_>, first: bool, round: u64) -> Spent {
        let total = Spent {
            user: stat.user,
            system: stat.system,
            minor_faults: stat.minor_faults,
            major_faults: stat.major_faults,
        };
        let seen = Seen { start: stat.start, spent: total, round };
        let before = self.seen.insert(stat.pid, seen).filter(|before| before.start == stat.start);
        match before.map(|before| before.spent) {
            Some(before) => Spent {
                user: total.user.saturating_sub(before.user),
                system: total.system.saturating_sub(before.system),
                minor_faults: total.minor_faults.saturating_sub(before.minor_faults),
                major_faults: total.major_faults.saturating_sub(before.major_faults),
            },
            None if first => Spent::default(),
            None => total,
        }
    }

    fn describe(
        &mut self,
        files: &Files,
        proc: &OwnedFd,
        mut candidates: Vec<Candidate>,
        elapsed: Option<f64>,
        now: Timestamp,
    ) -> Vec<ProcessSnapshot> {
        candidates.sort_unstable_by_key(Candidate::rank);
        candidates.truncate(TOP_PROCESSES);
        self.owners.refresh(files);
        self.described.retain(|pid, known| {
            now >= known.at
                && now.since(known.at) < KNOWN_FOR
                && candidates.iter().any(|c| c.pid == *pid && c.start == known.start && c.name == known.name)
        });
        let mut top = Vec::with_capacity(candidates.len());
        for Candidate { pid, ticks, resident, start, threads, state, name } in candidates {
            let known = self.described.entry(pid).or_insert_with(|| Described {
                start,
                command: command(files, pid, &name),
                user: self.owners.of(proc, pid),
                name: name.clone(),
                at: now,
            });
            let fraction = elapsed.filter(|e| *e > 0.0).map_or(0.0, |elapsed| ticks as f64 / TICKS / elapsed);
            top.push(ProcessSnapshot {
                pid,
                name,
                command: known.command.clone(),
                user: known.user.clone(),
                cpu_fraction: fraction,
                resident_bytes: resident,
                threads,
                state: state.word(),
            });
        }
        top
    }
}

impl Candidate {
    /// Least for the one to be shown first.
    fn rank(&self) -> (std::cmp::Reverse<(u64, u64)>, u32) {
        (std::cmp::Reverse((self.ticks, self.resident)), self.pid)
    }
}

/// Keeps the candidates few: names are copied only for those that may be shown.
fn offer(candidates: &mut Vec<Candidate>, stat: &Stat<'_>, ticks: u64, resident: u64) {
    let key = (std::cmp::Reverse((ticks, resident)), stat.pid);
    if candidates.len() >= TOP_PROCESSES && candidates.last().is_some_and(|last| last.rank() < key) {
        return;
    }
    let at = candidates.partition_point(|candidate| candidate.rank() < key);
    let name = String::from_utf8_lossy(stat.name).into_owned();
    let (pid, start, threads, state) = (stat.pid, stat.start, stat.threads, stat.state);
    candidates.insert(at, Candidate { pid, ticks, resident, start, threads, state, name });
    candidates.truncate(TOP_PROCESSES);
}

fn open_proc(files: &Files) -> Result<OwnedFd, Trouble> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(files.at("proc"), flags, Mode::empty())
        .map_err(|e| Trouble::Unreadable { path: "proc".to_owned(), source: e.into() })
}

/// The bytes read.
fn read_stat(proc: &OwnedFd, pid: u32, buffer: &mut [u8]) -> Option<usize> {
    let file = openat(proc, format!("{pid}/stat"), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    rustix::io::read(&file, buffer).ok()
}

/// The command line with blanks between its words, cut; `[name]` for what has none, as the kernel's threads.
fn command(files: &Files, pid: u32, name: &str) -> String {
    let line = files.read(&format!("proc/{pid}/cmdline")).unwrap_or_default();
    let line: String =
        line.trim_end_matches('\0').chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = line.trim();
    if line.is_empty() {
        return format!("[{name}]");
    }
    match line.char_indices().nth(MAX_COMMAND_CHARS) {
        Some((at, _)) => format!("{}…", line.get(..at).unwrap_or_default()),
        None => line.to_owned(),
    }
}
