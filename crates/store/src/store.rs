//! The store on disk: what is open, what an append does, and figures. Reading is in `select`, housekeeping in `upkeep`.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use kernel::Timestamp;
use metrics::sample::{FamilyMetadata, SeriesBatch};
use parking_lot::{Mutex, RwLock};

use crate::blocks::Blocks;
use crate::catalogue::BlockMeta;
use crate::head::Head;
use crate::options::{INGEST_SHARE, Options};
use crate::port::{Appended, Cardinality, StoreError, StoreStats};
use crate::upkeep::{Flushing, Merging};
use crate::wal::Wal;
use crate::wal::batch::BatchWriter;
use crate::wal::record::{Kind, Prepared};

/// The tenant of everything so far; the layout has room for more.
pub(crate) const TENANT: &str = "default";

/// The telemetry store in a folder. Threads share it; each call blocks its caller until it is done.
pub struct Store {
    pub(crate) options: Options,
    pub(crate) head: Head,
    pub(crate) wal: Wal,
    /// Held for reading while samples enter head and log, for writing while a flush draws its line.
    pub(crate) gate: RwLock<()>,
    pub(crate) blocks: Blocks,
    /// Held by whoever writes the head out.
    pub(crate) flushing: Mutex<Flushing>,
    /// Held by whoever merges, expires and deletes blocks.
    pub(crate) merging: Mutex<Merging>,
    pub(crate) families: RwLock<BTreeMap<String, FamilyMetadata>>,
    pub(crate) counters: Counters,
    closed: AtomicBool,
    /// Keeps other processes out for as long as the store is open.
    _lock: File,
}

/// What happened since the store was opened.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub appended: AtomicU64,
    pub rejected: AtomicU64,
    pub flushes: AtomicU64,
    pub compactions: AtomicU64,
    pub expired: AtomicU64,
}

/// What opening a store needs besides its options, made by `recover`.
pub(crate) struct Parts {
    pub head: Head,
    pub wal: Wal,
    pub blocks: Blocks,
    pub families: Vec<FamilyMetadata>,
    pub lock: File,
    pub now: Timestamp,
}

impl Store {
    pub(crate) fn from_parts(options: Options, parts: Parts) -> Self {
        let families = parts.families.into_iter().map(|family| (family.name.clone(), family)).collect();
        Self {
            options,
            head: parts.head,
            wal: parts.wal,
            gate: RwLock::new(()),
            blocks: parts.blocks,
            flushing: Mutex::new(Flushing { last_flush: parts.now.as_millis() }),
            merging: Mutex::default(),
            families: RwLock::new(families),
            counters: Counters::default(),
            closed: AtomicBool::new(false),
            _lock: parts.lock,
        }
    }

    /// The store's folder.
    pub fn dir(&self) -> &PathBuf {
        &self.options.dir
    }

    /// Takes `batch` and returns once it is durable; see [`crate::Telemetry::append`].
    ///
    /// # Errors
    /// See [`StoreError`]. Nothing of the batch is acknowledged then; sending it again is safe.
    pub fn append(&self, batch: &[SeriesBatch], now: Timestamp) -> Result<Appended, StoreError> {
        self.check_open()?;
        self.check_size(batch)?;
        self.make_room(now)?;
        let mut log = BatchWriter::new(TENANT);
        let (applied, epoch, ticket) = {
            let _gate = self.gate.read();
            self.check_open()?;
            let epoch = self.wal.epoch();
            let applied = self.head.apply(batch, now, &self.options, epoch, &mut log);
            let ticket = if log.is_empty() {
                None
            } else {
                Some(self.wal.enqueue(&Prepared::new(Kind::Floats, log.finish()), epoch)?)
            };
            (applied, epoch, ticket)
        };
        if let Some(ticket) = ticket {
            self.wal.wait(&ticket)?;
            self.head.defined(&applied.defined, epoch);
        }
        let rejected: u64 = applied.appended.rejected.iter().map(|rejected| rejected.samples).sum();
        self.counters.appended.fetch_add(applied.appended.samples, Ordering::Relaxed);
        self.counters.rejected.fetch_add(rejected, Ordering::Relaxed);
        Ok(applied.appended)
    }

    /// Adds or replaces what is known of metric families, durably; what is known already costs nothing.
    ///
    /// # Errors
    /// The catalogue cannot be written.
    pub fn set_metadata(&self, families: &[FamilyMetadata]) -> Result<(), StoreError> {
        self.check_open()?;
        let changed: Vec<FamilyMetadata> = {
            let known = self.families.read();
            families.iter().filter(|family| known.get(&family.name) != Some(family)).cloned().collect()
        };
        if changed.is_empty() {
            return Ok(());
        }
        self.blocks.catalogue.lock().put_families(&changed)?;
        let mut known = self.families.write();
        known.extend(changed.into_iter().map(|family| (family.name.clone(), family)));
        Ok(())
    }

    /// What is known of metric families, sorted by name.
    pub fn metadata(&self) -> Vec<FamilyMetadata> {
        self.families.read().values().cloned().collect()
    }

    /// Where the active series come from.
    pub fn cardinality(&self, limit: usize) -> Cardinality {
        self.head.cardinality(limit)
    }

    /// Bytes of memory held for the head, the log and the blocks' directories.
    pub fn memory_bytes(&self) -> u64 {
        self.head.bytes() + self.blocks.set().sound.iter().map(|block| block.memory_bytes()).sum::<u64>()
    }

    /// Figures, as of now.
    pub fn stats(&self) -> StoreStats {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let blocks = self.blocks.set();
        let sum = |figure: fn(&BlockMeta) -> u64| blocks.metas().map(figure).sum();
        StoreStats {
            series: self.head.series(),
            samples_appended: count(&self.counters.appended),
            samples_rejected: count(&self.counters.rejected),
            head_samples: self.head.samples(),
            blocks: sum(|_| 1),
            block_samples: sum(|meta| meta.samples),
            block_bytes: sum(|meta| meta.bytes),
            wal_bytes: self.wal.bytes(),
            oldest: blocks.metas().map(|meta| meta.min_time).chain(self.head.oldest()).min(),
            newest: blocks.metas().map(|meta| meta.max_time).chain(self.head.newest()).max(),
            memory_bytes: self.memory_bytes(),
            syncs: self.wal.syncs(),
            flushes: count(&self.counters.flushes),
            compactions: count(&self.counters.compactions),
            expired: count(&self.counters.expired),
        }
    }

    /// Stops taking samples and marks the log as closed in order. Takes well below a second: nothing is written out, the log
    /// is replayed at the next opening.
    ///
    /// # Errors
    /// The mark cannot be written; what was acknowledged is durable all the same.
    pub fn close(&self) -> Result<(), StoreError> {
        let _gate = self.gate.write();
        if self.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        self.wal.close()
    }

    pub(crate) fn check_open(&self) -> Result<(), StoreError> {
        if self.closed.load(Ordering::Acquire) { Err(StoreError::Closed) } else { Ok(()) }
    }

    /// Bytes that new samples may take.
    pub(crate) fn ingest_budget(&self) -> u64 {
        self.options.memory_limit / 100 * INGEST_SHARE
    }

    fn check_size(&self, batch: &[SeriesBatch]) -> Result<(), StoreError> {
        let samples: usize = batch.iter().map(|series| series.samples.len()).sum();
        let limit = self.options.limits.batch_samples;
        if samples > limit {
            return Err(StoreError::TooLarge(format!(
                "the batch has {samples} samples; one may have {limit}: send it in parts"
            )));
        }
        Ok(())
    }
}
