//! The write-ahead log: records in segments of 64 MiB, written and synced in groups by the threads that append.
//!
//! There is no thread of its own. The first thread that waits for a group writes and syncs it for all, at most once each
//! [`GROUP_INTERVAL`] or [`GROUP_BYTES`]. Invariants: numbers (LSN) rise and are never used twice; a group is acknowledged
//! as a whole after its sync, or fails as a whole and is cut off again; after a failure the *epoch* rises, so that no later
//! record relies on labels which only the failed one defined.

pub(crate) mod batch;
pub(crate) mod record;
pub(crate) mod replay;

use std::collections::VecDeque;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::disk;
use crate::options::Durability;
use crate::port::StoreError;
use record::{Kind, Prepared};

/// A segment is closed once it is this long.
pub(crate) const SEGMENT_BYTES: u64 = 64 << 20;
/// The least time between two syncs, unless [`GROUP_BYTES`] wait.
pub(crate) const GROUP_INTERVAL: Duration = Duration::from_millis(5);
/// A group of this many bytes is written at once.
pub(crate) const GROUP_BYTES: usize = 1 << 20;
/// The first bytes of a segment.
pub(crate) const SEGMENT_MAGIC: [u8; 8] = *b"MSTWAL\0\x01";
/// Bytes before a segment's first record: magic, first LSN, CRC32C of both, four zeros.
pub(crate) const SEGMENT_HEADER: u64 = 24;

/// The log, open for writing.
pub(crate) struct Wal {
    dir: PathBuf,
    durability: Durability,
    state: Mutex<State>,
    /// Told when a group is done, and when a waiting leader has enough to write.
    turned: Condvar,
    epoch: AtomicU32,
    syncs: AtomicU64,
    bytes: AtomicU64,
}

struct State {
    /// The open segment; `None` when the next group must begin a new one.
    segment: Option<Segment>,
    /// Full segments, oldest first.
    closed: VecDeque<ClosedSegment>,
    next_lsn: u64,
    /// The last number that was written or has failed.
    settled: u64,
    /// The last number known to survive a power loss.
    durable: u64,
    pending: Vec<u8>,
    group: Arc<Group>,
    /// A thread is writing, or about to.
    busy: bool,
    last_sync: Option<Instant>,
    failure: StoreError,
}

struct Segment {
    file: Arc<File>,
    path: PathBuf,
    len: u64,
}

struct ClosedSegment {
    path: PathBuf,
    last_lsn: u64,
    len: u64,
}

/// Records that are written together.
#[derive(Default)]
struct Group {
    outcome: OnceLock<Result<(), StoreError>>,
}

/// A promise that a record will be durable; see [`Wal::wait`].
pub(crate) struct Ticket {
    group: Arc<Group>,
}

// === impl Wal ===

impl Wal {
    /// Opens the log for writing after `last_lsn`, in a new segment; `kept` are segments from before, oldest first, each with
    /// the last number in it.
    pub(crate) fn open(dir: &Path, durability: Durability, last_lsn: u64, kept: Vec<(PathBuf, u64)>) -> Self {
        let closed: VecDeque<ClosedSegment> = kept
            .into_iter()
            .map(|(path, last_lsn)| {
                let len = fs::metadata(&path).map_or(0, |meta| meta.len());
                ClosedSegment { path, last_lsn, len }
            })
            .collect();
        let bytes = closed.iter().map(|segment| segment.len).sum();
        Self {
            dir: dir.to_owned(),
            durability,
            state: Mutex::new(State {
                segment: None,
                closed,
                next_lsn: last_lsn + 1,
                settled: last_lsn,
                durable: last_lsn,
                pending: Vec::new(),
                group: Arc::default(),
                busy: false,
                last_sync: None,
                failure: StoreError::Closed,
            }),
            turned: Condvar::new(),
            epoch: AtomicU32::new(1),
            syncs: AtomicU64::new(0),
            bytes: AtomicU64::new(bytes),
        }
    }

    /// Labels defined in an older epoch must be defined again.
    pub(crate) fn epoch(&self) -> u32 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Syncs since the log was opened.
    pub(crate) fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    /// Bytes of segments on disk.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Gives `record`, made in `epoch`, its number and a place in the next group.
    ///
    /// # Errors
    /// A failure has raised the epoch since; the error is that failure.
    pub(crate) fn enqueue(&self, record: &Prepared, epoch: u32) -> Result<Ticket, StoreError> {
        let mut state = self.state.lock();
        if self.epoch() != epoch {
            return Err(state.failure.clone());
        }
        let lsn = state.next_lsn;
        state.next_lsn += 1;
        let durable = state.durable;
        record.write(lsn, durable, &mut state.pending);
        if state.pending.len() >= GROUP_BYTES {
            self.turned.notify_all();
        }
        Ok(Ticket { group: Arc::clone(&state.group) })
    }

    /// Returns once the record is durable.
    ///
    /// # Errors
    /// It could not be written; it is not in the log.
    pub(crate) fn wait(&self, ticket: &Ticket) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        loop {
            if let Some(outcome) = ticket.group.outcome.get() {
                return outcome.clone();
            }
            if state.busy {
                self.turned.wait(&mut state);
            } else {
                self.lead(&mut state);
            }
        }
    }

    /// Begins a new epoch and a new segment, and gives the last number of the old ones. The caller keeps appenders away.
    pub(crate) fn cut(&self) -> u64 {
        let mut state = self.state.lock();
        while state.busy || !state.pending.is_empty() {
            if state.busy {
                self.turned.wait(&mut state);
            } else {
                self.lead(&mut state);
            }
        }
        let last = state.next_lsn - 1;
        self.close_segment(&mut state, last);
        self.epoch.fetch_add(1, Ordering::AcqRel);
        last
    }

    /// Deletes segments whose records are all at or below `lsn`.
    pub(crate) fn drop_until(&self, lsn: u64) -> Result<(), StoreError> {
        loop {
            let mut state = self.state.lock();
            let Some(oldest) = state.closed.front().filter(|segment| segment.last_lsn <= lsn) else {
                return Ok(());
            };
            match fs::remove_file(&oldest.path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(disk::failed(&oldest.path, &e));
                }
                _ => {}
            }
            self.bytes.fetch_sub(oldest.len, Ordering::Relaxed);
            state.closed.pop_front();
        }
    }

    /// Writes the mark that says "closed in order", and syncs.
    pub(crate) fn close(&self) -> Result<(), StoreError> {
        let ticket = self.enqueue(&Prepared::new(Kind::Closed, Vec::new()), self.epoch())?;
        self.wait(&ticket)?;
        let state = self.state.lock();
        if let Some(segment) = &state.segment {
            segment.file.sync_data().map_err(|e| disk::failed(&segment.path, &e))?;
        }
        Ok(())
    }

    /// Writes the pending group while others wait or add to the next one.
    fn lead(&self, state: &mut MutexGuard<'_, State>) {
        state.busy = true;
        if self.durability == Durability::Sync {
            self.gather(state);
        }
        let bytes = std::mem::take(&mut state.pending);
        let group = std::mem::take(&mut state.group);
        let last_lsn = state.next_lsn - 1;
        let outcome = self.write(state, &bytes);
        state.settled = last_lsn;
        match &outcome {
            Ok(()) => {
                if self.durability == Durability::Sync {
                    state.durable = last_lsn;
                }
                if state.segment.as_ref().is_some_and(|segment| segment.len >= SEGMENT_BYTES) {
                    self.close_segment(state, last_lsn);
                }
            }
            Err(error) => self.fail(state, error),
        }
        if state.pending.is_empty() {
            // Keep the buffer, unless one great batch has made it great.
            state.pending = bytes;
            state.pending.clear();
            state.pending.shrink_to(2 * GROUP_BYTES);
        }
        let _ = group.outcome.set(outcome);
        state.busy = false;
        self.turned.notify_all();
    }

    /// Lets the group grow until it is time, or it is large.
    fn gather(&self, state: &mut MutexGuard<'_, State>) {
        while state.pending.len() < GROUP_BYTES {
            let since = state.last_sync.map_or(GROUP_INTERVAL, |last| last.elapsed());
            let Some(left) = GROUP_INTERVAL.checked_sub(since).filter(|left| !left.is_zero()) else { return };
            self.turned.wait_for(state, left);
        }
    }

    /// Appends `bytes` to the open segment and syncs as the durability asks, without holding the lock meanwhile.
    fn write(&self, state: &mut MutexGuard<'_, State>, bytes: &[u8]) -> Result<(), StoreError> {
        if state.segment.is_none() {
            state.segment = Some(self.begin_segment(state.settled + 1)?);
            self.bytes.fetch_add(SEGMENT_HEADER, Ordering::Relaxed);
        }
        let Some(segment) = &state.segment else { return Err(StoreError::Closed) };
        let (file, path, at) = (Arc::clone(&segment.file), segment.path.clone(), segment.len);
        let sync = self.durability == Durability::Sync;
        let written = MutexGuard::unlocked(state, || {
            file.write_all_at(bytes, at)?;
            if sync { file.sync_data() } else { Ok(()) }
        });
        if sync {
            state.last_sync = Some(Instant::now());
            self.syncs.fetch_add(1, Ordering::Relaxed);
        }
        written.map_err(|e| disk::failed(&path, &e))?;
        if let Some(segment) = &mut state.segment {
            segment.len += bytes.len() as u64;
        }
        self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Cuts a failed group off the segment, and makes every record begun meanwhile fail too.
    fn fail(&self, state: &mut MutexGuard<'_, State>, error: &StoreError) {
        state.failure = error.clone();
        self.epoch.fetch_add(1, Ordering::AcqRel);
        let doomed = std::mem::take(&mut state.group);
        state.pending.clear();
        let _ = doomed.outcome.set(Err(error.clone()));
        state.settled = state.next_lsn - 1;
        if let Some(segment) = state.segment.take() {
            // A failed sync leaves the file's state unknown beyond what was synced before: cut there, and never write to it
            // again. If even cutting fails, what stays is at worst unacknowledged records.
            let _ = segment.file.set_len(segment.len).and_then(|()| segment.file.sync_data());
            if segment.len == SEGMENT_HEADER && fs::remove_file(&segment.path).is_ok() {
                self.bytes.fetch_sub(SEGMENT_HEADER, Ordering::Relaxed);
                return;
            }
            let last_lsn = state.settled;
            state.closed.push_back(ClosedSegment { path: segment.path, last_lsn, len: segment.len });
        }
    }

    fn begin_segment(&self, first_lsn: u64) -> Result<Segment, StoreError> {
        let path = self.dir.join(segment_name(first_lsn));
        // A segment that failed before its first record has the same first number; nothing in it was acknowledged.
        match fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(disk::failed(&path, &e)),
            _ => {}
        }
        let file = disk::create_new(&path)?;
        let begun = file
            .write_all_at(&segment_header(first_lsn), 0)
            .and_then(|()| file.sync_all())
            .map_err(|e| disk::failed(&path, &e))
            .and_then(|()| disk::sync_dir(&self.dir));
        if let Err(error) = begun {
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        Ok(Segment { file: Arc::new(file), path, len: SEGMENT_HEADER })
    }

    fn close_segment(&self, state: &mut MutexGuard<'_, State>, last_lsn: u64) {
        if let Some(segment) = state.segment.take() {
            if self.durability == Durability::Os && segment.file.sync_data().is_ok() {
                state.durable = last_lsn;
            }
            state.closed.push_back(ClosedSegment { path: segment.path, last_lsn, len: segment.len });
        }
    }
}

/// The file name of the segment whose first record is `first_lsn`.
pub(crate) fn segment_name(first_lsn: u64) -> String {
    format!("{first_lsn:020}.wal")
}

/// The bytes before a segment's first record.
pub(crate) fn segment_header(first_lsn: u64) -> Vec<u8> {
    let mut header = SEGMENT_MAGIC.to_vec();
    header.extend_from_slice(&first_lsn.to_le_bytes());
    let crc = crc32c::crc32c(&header);
    header.extend_from_slice(&crc.to_le_bytes());
    header.extend_from_slice(&[0; 4]);
    header
}
