//! The published blocks: the catalogue and what is open of it, changed together.

use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use crate::block::reader::Block;
use crate::block::writer::{BlockWriter, Identity};
use crate::catalogue::{BlockMeta, Catalogue, Change};
use crate::disk;
use crate::port::StoreError;

/// The folder of blocks that are being written.
pub(crate) const TEMPORARY: &str = "tmp";
/// The folder of published blocks of metrics.
pub(crate) const METRICS: &str = "metrics";

/// Blocks in order of `seq`: of two that hold the same sample, the earlier one's counts.
pub(crate) type BlockList = Arc<Vec<Arc<Block>>>;

/// The catalogue and the open blocks.
pub(crate) struct Blocks {
    pub(crate) dir: PathBuf,
    pub(crate) catalogue: Mutex<Catalogue>,
    list: RwLock<BlockList>,
}

/// What one publication changes.
#[derive(Default)]
pub(crate) struct Publication {
    /// Written and synced, still under their temporary names.
    pub add: Vec<BlockMeta>,
    pub remove: Vec<Arc<Block>>,
    pub flushed_lsn: Option<u64>,
    /// Now, in milliseconds.
    pub at: i64,
}

impl Blocks {
    /// Opens every block of the catalogue in `dir`.
    pub(crate) fn open(dir: &Path, catalogue: Catalogue) -> Result<Self, StoreError> {
        let mut list = Vec::new();
        for meta in catalogue.blocks()? {
            list.push(Arc::new(Block::open(dir, meta)?));
        }
        Ok(Self { dir: dir.to_owned(), catalogue: Mutex::new(catalogue), list: RwLock::new(Arc::new(list)) })
    }

    /// The blocks as of now. Whoever holds the list can read them, whatever is removed meanwhile.
    pub(crate) fn list(&self) -> BlockList {
        Arc::clone(&self.list.read())
    }

    /// The highest `seq` there is.
    pub(crate) fn last_seq(&self) -> u64 {
        self.list.read().iter().map(|block| block.meta.seq).max().unwrap_or(0)
    }

    /// Begins a block under a temporary name.
    pub(crate) fn begin(&self, identity: &Identity) -> Result<BlockWriter, StoreError> {
        BlockWriter::create(&self.dir.join(TEMPORARY).join(&identity.id), identity)
    }

    /// Gives new blocks their final place, then changes catalogue and list. Either all of it happens or none.
    pub(crate) fn publish(&self, publication: Publication) -> Result<(), StoreError> {
        let placed: Result<Vec<Arc<Block>>, StoreError> =
            publication.add.iter().map(|meta| self.place(meta)).collect();
        let change = Change {
            add: publication.add.clone(),
            remove: publication.remove.iter().map(|block| block.meta.clone()).collect(),
            flushed_lsn: publication.flushed_lsn,
            at: publication.at,
        };
        let published = placed.and_then(|blocks| self.catalogue.lock().publish(&change).map(|()| blocks));
        let blocks = match published {
            Ok(blocks) => blocks,
            Err(error) => {
                for meta in &publication.add {
                    let _ = fs::remove_dir_all(self.dir.join(meta.path()));
                    let _ = fs::remove_dir_all(self.dir.join(TEMPORARY).join(&meta.id));
                }
                return Err(error);
            }
        };
        let mut list = self.list.write();
        let gone =
            |block: &Arc<Block>| publication.remove.iter().any(|removed| removed.meta.id == block.meta.id);
        let mut next: Vec<Arc<Block>> = list.iter().filter(|block| !gone(block)).cloned().collect();
        next.extend(blocks);
        next.sort_by(|a, b| (a.meta.seq, &a.meta.id).cmp(&(b.meta.seq, &b.meta.id)));
        *list = Arc::new(next);
        Ok(())
    }

    /// Moves a finished block to its place, durably, and opens it.
    fn place(&self, meta: &BlockMeta) -> Result<Arc<Block>, StoreError> {
        let to = self.dir.join(meta.path());
        let above = to.parent().unwrap_or(&self.dir);
        disk::create_dir(above)?;
        fs::rename(self.dir.join(TEMPORARY).join(&meta.id), &to).map_err(|e| disk::failed(&to, &e))?;
        // Every folder that may be new: the day's, the tenant's, the signal's.
        for folder in above.ancestors().take(3) {
            disk::sync_dir(folder)?;
        }
        disk::sync_dir(&self.dir)?;
        Block::open(&self.dir, meta.clone()).map(Arc::new)
    }

    /// Removes folders of blocks that were never published; gives how many.
    pub(crate) fn remove_orphans(&self) -> Result<u64, StoreError> {
        let mut known: std::collections::HashSet<String> =
            self.list().iter().map(|block| block.meta.path()).collect();
        known.extend(self.catalogue.lock().garbage()?.into_iter().map(|garbage| garbage.path));
        let mut orphans = 0;
        let mut remove = |path: &Path| {
            orphans += 1;
            fs::remove_dir_all(path).map_err(|e| disk::failed(path, &e))
        };
        let temporary = self.dir.join(TEMPORARY);
        for name in disk::names(&temporary)? {
            remove(&temporary.join(name))?;
        }
        for tenant in disk::names(&self.dir.join(METRICS))? {
            for day in disk::names(&self.dir.join(METRICS).join(&tenant))? {
                let folder = format!("{METRICS}/{tenant}/{day}");
                for id in disk::names(&self.dir.join(&folder))? {
                    let path = format!("{folder}/{id}");
                    if !known.contains(&path) {
                        remove(&self.dir.join(path))?;
                    }
                }
            }
        }
        Ok(orphans)
    }
}

/// A name for a new block: a ULID of the time in milliseconds, random bits, and `seq`.
pub(crate) fn block_id(at: i64, seq: u64) -> String {
    // The standard library's hash keys are random per process, which is all that is needed: no two nodes agree.
    let random = std::hash::RandomState::new().build_hasher().finish();
    let low = u128::from(random & 0xffff) << 64 | u128::from(seq);
    ulid::Ulid::from_parts(at.max(0).unsigned_abs(), low).to_string()
}

/// The folder for a time: its day in UTC, such as `2026-11-23`.
pub(crate) fn partition(at: i64) -> String {
    let text = kernel::Timestamp::from_millis(at).to_string();
    text.split('T').next().unwrap_or("beyond").to_owned()
}
