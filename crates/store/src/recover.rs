//! Opening a store: lock, catalogue, orphans, blocks, log.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use kernel::{Labels, Timestamp};

use crate::catalogue::Catalogue;
use crate::disk;
use crate::head::Head;
use crate::options::Options;
use crate::port::StoreError;
use crate::store::{Parts, Store};
use crate::wal::Wal;
use crate::wal::batch::{self, Entry};
use crate::wal::record::Kind;
use crate::wal::replay::{Damage, replay};

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
    /// What could not be read, and where it is.
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
    /// Opens the store in `options.dir`, creating it when absent, and brings back everything acknowledged.
    ///
    /// # Errors
    /// Another process has it open; the catalogue is damaged; something cannot be read or written.
    pub fn open(options: Options, now: Timestamp) -> Result<(Self, Recovery), StoreError> {
        let begun = Instant::now();
        let _ = now;
        let wal_dir = options.dir.join("wal");
        disk::create_dir(&wal_dir)?;
        let lock = disk::lock(&options.dir.join("lock"))?;
        let catalogue = Catalogue::open(&options.dir)?;
        let mut recovery = Recovery { clean: true, ..Recovery::default() };
        let head = Head::new();
        let flushed = catalogue.flushed_lsn()?;
        let mut names: HashMap<u64, Labels> = HashMap::new();
        let replayed = replay(&wal_dir, flushed, |record, _| {
            recovery.clean = record.kind == Kind::Closed;
            if record.kind == Kind::Floats {
                restore(&head, &record.payload, &mut names, &mut recovery)?;
            }
            Ok(())
        })?;
        recovery.records = replayed.records;
        recovery.series = names.len() as u64;
        recovery.torn_bytes = replayed.torn_bytes;
        recovery.damaged = replayed.damaged;
        let wal = Wal::open(&wal_dir, options.durability, replayed.last_lsn, replayed.segments);
        wal.drop_until(flushed)?;
        let families = catalogue.families()?;
        let store = Self::from_parts(options, Parts { head, wal, catalogue, families, lock });
        recovery.took = begun.elapsed();
        Ok((store, recovery))
    }
}

/// Gives the samples of one record back to the head.
fn restore(
    head: &Head,
    payload: &[u8],
    names: &mut HashMap<u64, Labels>,
    recovery: &mut Recovery,
) -> Result<(), StoreError> {
    batch::read(payload, |entry| match entry {
        Entry::Define(id, labels) => {
            names.insert(id, labels);
        }
        Entry::Samples(id, samples) => match names.get(&id) {
            Some(labels) => recovery.samples += head.restore(labels, &samples),
            None => recovery.unnamed_samples += samples.len() as u64,
        },
    })
    .map_err(|_| StoreError::Damaged {
        file: "wal".to_owned(),
        offset: 0,
        what: "a record has its checksum but cannot be read; it was written by another version".to_owned(),
    })
}
