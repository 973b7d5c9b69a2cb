//! Opening a store: lock, catalogue, orphans, blocks, log.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use kernel::Timestamp;

use crate::blocks::{Blocks, Broken};
use crate::catalogue::Catalogue;
use crate::disk;
use crate::flush;
use crate::head::{Head, Place};
use crate::options::{INGEST_SHARE, Options};
use crate::port::StoreError;
use crate::store::{Parts, Store};
use crate::wal::batch::{self, Entry};
use crate::wal::record::{Kind, Record};
use crate::wal::replay::Damage;
use crate::wal::{self, Wal};

/// What opening a store found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Records read back from the write-ahead log.
    pub records: u64,
    /// Samples in them.
    pub samples: u64,
    /// Series in them.
    pub series: u64,
    /// Bytes of a record that was being written when the process or the machine stopped, and was never acknowledged.
    pub torn_bytes: u64,
    /// What could not be read, and where it is. A block among it is kept out: queries of its time are refused.
    pub damaged: Vec<Damage>,
    /// Samples whose series was defined in a record that could not be read.
    pub unnamed_samples: u64,
    /// Folders of blocks that were not finished, or not in the catalogue, and have been removed.
    pub orphans: u64,
    /// Whether the store had been closed in order.
    pub clean: bool,
    /// How long it took.
    pub took: Duration,
}

impl Store {
    /// Opens the store in `options.dir`, creating it when absent, and brings back everything acknowledged. `now` dates the
    /// blocks that are written when the log does not fit the memory budget.
    ///
    /// # Errors
    /// Another process has it open; the catalogue is damaged; something cannot be read or written.
    pub fn open(options: Options, now: Timestamp) -> Result<(Self, Recovery), StoreError> {
        let begun = Instant::now();
        let wal_dir = options.dir.join("wal");
        disk::create_dir(&wal_dir)?;
        let lock = disk::lock(&options.dir.join("lock"))?;
        let catalogue = Catalogue::open(&options.dir)?;
        let families = catalogue.families()?;
        let flushed = catalogue.flushed_lsn()?;
        let blocks = Blocks::open(&options.dir, catalogue)?;
        let orphans = blocks.remove_orphans()?;
        let mut replay = Replay {
            head: Head::new(),
            blocks,
            names: HashMap::default(),
            budget: options.memory_limit / 100 * INGEST_SHARE,
            written_out: false,
            now,
            recovery: Recovery { clean: true, orphans, ..Recovery::default() },
        };
        let replayed = wal::replay::replay(&wal_dir, flushed, |record| replay.take(&record))?;
        let mut done = flushed;
        if replay.written_out {
            replay.write_out(Some(replayed.last_lsn))?;
            done = replayed.last_lsn;
        }
        let mut recovery = replay.recovery;
        recovery.records = replayed.records;
        recovery.series = replay.names.len() as u64;
        recovery.torn_bytes = replayed.torn_bytes;
        recovery.damaged = replayed.damaged;
        recovery.damaged.extend(replay.blocks.set().broken.iter().filter_map(Broken::damage));
        let wal = Wal::open(&wal_dir, options.durability, replayed.last_lsn, replayed.segments);
        wal.drop_until(done)?;
        let parts = Parts { head: replay.head, wal, blocks: replay.blocks, families, lock, now };
        let store = Self::from_parts(options, parts);
        recovery.took = begun.elapsed();
        Ok((store, recovery))
    }
}

/// The log on its way back into the head.
struct Replay {
    head: Head,
    blocks: Blocks,
    /// What an id of the log means. No series is forgotten meanwhile, so places stay.
    names: HashMap<u64, Place, foldhash::fast::RandomState>,
    budget: u64,
    /// Whether the head had to be written out meanwhile. The log counts as written only once all of it is: later records may
    /// name series by the labels of earlier ones.
    written_out: bool,
    now: Timestamp,
    recovery: Recovery,
}

impl Replay {
    fn take(&mut self, record: &Record<'_>) -> Result<(), StoreError> {
        self.recovery.clean = record.kind == Kind::Closed;
        if record.kind != Kind::Floats {
            return Ok(());
        }
        self.restore(&record.payload)?;
        if self.head.bytes() > self.budget && self.head.samples() > self.head.series() {
            self.written_out = true;
            self.write_out(None)?;
        }
        Ok(())
    }

    fn write_out(&self, flushed_lsn: Option<u64>) -> Result<(), StoreError> {
        self.head.turn();
        flush::write_out(&self.head, &self.blocks, flushed_lsn, self.now, &|| Ok(())).map(|_| ())
    }

    /// Gives the samples of one record back to the head.
    fn restore(&mut self, payload: &[u8]) -> Result<(), StoreError> {
        batch::read(payload, |entry| match entry {
            Entry::Define(id, labels) => {
                self.names.insert(id, self.head.activate(&labels));
            }
            Entry::Samples(id, samples) => match self.names.get(&id) {
                Some(place) => self.recovery.samples += self.head.restore(*place, samples),
                None => self.recovery.unnamed_samples += samples.len() as u64,
            },
        })
        .map_err(|_| StoreError::Damaged {
            file: "wal".to_owned(),
            offset: 0,
            what: "a record has its checksum but cannot be read; it was written by another version"
                .to_owned(),
        })
    }
}
