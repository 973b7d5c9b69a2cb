//! Housekeeping: what time, size and memory ask for. One thread at a time does it; the others go on.

use std::collections::HashSet;
use std::fs;
use std::sync::atomic::Ordering;

use kernel::Timestamp;

use crate::blocks::Publication;
use crate::catalogue::BlockMeta;
use crate::compact;
use crate::disk;
use crate::flush;
use crate::port::{Maintained, StoreError};
use crate::store::Store;
use crate::wal::replay::Damage;

/// A head that takes this part of its budget, in percent, is written out early.
const EARLY_FLUSH: u64 = 75;
/// The least time between two flushes for want of memory, in milliseconds: more often, they would not help.
const EARLY_FLUSH_EVERY: i64 = 10_000;
/// How long no merge is tried after one has failed, in milliseconds.
const REST: i64 = 60_000;

/// What flushing remembers.
#[derive(Debug)]
pub(crate) struct Flushing {
    /// When the head was last written out, in milliseconds.
    pub last_flush: i64,
}

/// What merging remembers.
#[derive(Debug, Default)]
pub(crate) struct Merging {
    /// Until when no merge is tried, in milliseconds, because one failed.
    rest_until: i64,
    /// Windows (level and start) that cannot be merged because a block in them is damaged.
    stuck: HashSet<(u8, i64)>,
}

impl Store {
    /// Does what time asks for; see [`crate::Telemetry::maintain`].
    ///
    /// # Errors
    /// Something could not be written or read; the next call tries again.
    pub fn maintain(&self, now: Timestamp) -> Result<Maintained, StoreError> {
        self.check_open()?;
        let mut done = Maintained::default();
        if let Some(mut flushing) = self.flushing.try_lock() {
            self.flush_due(&mut flushing, now, &mut done)?;
        }
        // Apart, so that a long merge keeps no flush waiting.
        if let Some(mut merging) = self.merging.try_lock() {
            done.expired = self.expire(now)?;
            let merged = self.merge_due(&mut merging, now, &mut done);
            done.deleted = self.sweep(now)?;
            merged?;
        }
        Ok(done)
    }

    /// Writes the head out as blocks now, whatever the time; gives how many.
    ///
    /// # Errors
    /// A block cannot be written; the samples stay in the head and in the log.
    pub fn flush(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.check_open()?;
        self.flush_locked(&mut self.flushing.lock(), now)
    }

    /// Reads every block and the catalogue from end to end; gives what is damaged, and where. An empty answer is a sound store.
    ///
    /// # Errors
    /// Something cannot be read at all.
    pub fn verify(&self) -> Result<Vec<Damage>, StoreError> {
        let mut damage = Vec::new();
        let set = self.blocks.set();
        let checks = std::iter::once(self.blocks.catalogue.lock().verify())
            .chain(set.sound.iter().map(|block| block.verify()))
            .chain(set.broken.iter().map(|broken| Err(broken.error.clone())));
        for check in checks {
            match check {
                Ok(()) => {}
                Err(StoreError::Damaged { file, offset, what }) => {
                    damage.push(Damage { file, offset, bytes: 0, what, acknowledged: true });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(damage)
    }

    /// Makes sure that the head is within its budget, writing it out if that may help.
    pub(crate) fn make_room(&self, now: Timestamp) -> Result<(), StoreError> {
        let budget = self.ingest_budget();
        if self.head.bytes() <= budget {
            return Ok(());
        }
        if let Some(mut flushing) = self.flushing.try_lock()
            && self.wants_early_flush(&flushing, now.as_millis())
        {
            self.flush_locked(&mut flushing, now)?;
        }
        let used = self.head.bytes();
        if used > budget { Err(StoreError::OverMemory { used, budget }) } else { Ok(()) }
    }

    fn flush_due(
        &self,
        flushing: &mut Flushing,
        now: Timestamp,
        done: &mut Maintained,
    ) -> Result<(), StoreError> {
        let at = now.as_millis();
        let interval = i64::try_from(self.options.flush_interval.as_millis()).unwrap_or(i64::MAX);
        // A clock that was set back must not put the next flush off for long.
        flushing.last_flush = flushing.last_flush.min(at);
        if at.saturating_sub(flushing.last_flush) >= interval || self.wants_early_flush(flushing, at) {
            done.flushed = self.flush_locked(flushing, now)?;
            done.forgotten = self.head.forget(at.saturating_sub(interval.saturating_mul(2)));
        }
        Ok(())
    }

    /// Merges what is due. After a failure it rests for a while, and a window with a damaged block is left as it is.
    fn merge_due(
        &self,
        merging: &mut Merging,
        now: Timestamp,
        done: &mut Maintained,
    ) -> Result<(), StoreError> {
        if now.as_millis() < merging.rest_until && now.as_millis() > merging.rest_until - REST {
            return Ok(());
        }
        while let Some(merge) = compact::due(&self.blocks.set(), &merging.stuck, &self.options, now) {
            match compact::run(&self.blocks, &merge, now, &|| self.check_open()) {
                Ok(count) => done.compacted += count,
                Err(error) => {
                    merging.rest_until = now.as_millis().saturating_add(REST);
                    if matches!(error, StoreError::Damaged { .. }) {
                        merging.stuck.insert(merge.window());
                    }
                    return Err(error);
                }
            }
            self.counters.compactions.fetch_add(1, Ordering::Relaxed);
            self.check_open()?;
        }
        Ok(())
    }

    fn wants_early_flush(&self, flushing: &Flushing, at: i64) -> bool {
        self.head.bytes() > self.ingest_budget() / 100 * EARLY_FLUSH
            && at.saturating_sub(flushing.last_flush) >= EARLY_FLUSH_EVERY
    }

    fn flush_locked(&self, flushing: &mut Flushing, now: Timestamp) -> Result<u64, StoreError> {
        let lsn = {
            let _gate = self.gate.write();
            self.check_open()?;
            let lsn = self.wal.cut();
            self.head.turn();
            lsn
        };
        let count = flush::write_out(&self.head, &self.blocks, Some(lsn), now, &|| self.check_open())?;
        flushing.last_flush = now.as_millis();
        self.counters.flushes.fetch_add(1, Ordering::Relaxed);
        self.wal.drop_until(lsn)?;
        Ok(count)
    }

    /// Takes blocks beyond the retention out of the catalogue.
    fn expire(&self, now: Timestamp) -> Result<u64, StoreError> {
        let set = self.blocks.set();
        let mut oldest_first: Vec<&BlockMeta> = set.metas().collect();
        oldest_first.sort_by_key(|meta| (meta.max_time, meta.seq));
        let before = self.options.retention.map_or(i64::MIN, |retention| (now - retention).as_millis());
        let mut bytes: u64 = oldest_first.iter().map(|meta| meta.bytes).sum();
        let most = self.options.retention_bytes.unwrap_or(u64::MAX);
        let mut remove = Vec::new();
        for meta in oldest_first {
            if meta.max_time >= before && bytes <= most {
                break;
            }
            bytes -= meta.bytes;
            remove.push(meta.clone());
        }
        let count = remove.len() as u64;
        if count > 0 {
            self.blocks.publish(Publication { remove, at: now.as_millis(), ..Publication::default() })?;
            self.counters.expired.fetch_add(count, Ordering::Relaxed);
        }
        Ok(count)
    }

    /// Deletes the files of blocks that were removed longer ago than the grace period.
    fn sweep(&self, now: Timestamp) -> Result<u64, StoreError> {
        let before = (now - self.options.deletion_grace).as_millis();
        let mut deleted = 0;
        let garbage = self.blocks.catalogue.lock().garbage()?;
        for entry in garbage.iter().filter(|entry| entry.since <= before || entry.since > now.as_millis()) {
            let path = self.options.dir.join(&entry.path);
            match fs::remove_dir_all(&path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(disk::failed(&path, &e)),
                _ => {}
            }
            // The day's folder goes with its last block; it is not empty otherwise, and stays.
            let _ = path.parent().map(fs::remove_dir);
            self.blocks.catalogue.lock().swept(&entry.path)?;
            deleted += 1;
        }
        Ok(deleted)
    }
}
