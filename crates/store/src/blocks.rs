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
use crate::wal::replay::Damage;

/// The folder of blocks that are being written.
pub(crate) const TEMPORARY: &str = "tmp";
/// The folder of published blocks of metrics.
pub(crate) const METRICS: &str = "metrics";

/// Asked during long work; an error ends the work.
pub(crate) type GoOn<'a> = &'a dyn Fn() -> Result<(), StoreError>;
/// After so many series [`GoOn`] is asked again.
pub(crate) const ASK_EVERY: usize = 256;

/// The published blocks at one moment.
#[derive(Default)]
pub(crate) struct BlockSet {
    /// In order of `seq`: of two that hold the same sample, the earlier one's counts.
    pub sound: Vec<Arc<Block>>,
    /// Those that could not be opened. Queries of their time are refused; everything else goes on.
    pub broken: Vec<Broken>,
}

/// A block that could not be opened, and why.
#[derive(Clone)]
pub(crate) struct Broken {
    pub meta: BlockMeta,
    pub error: StoreError,
}

/// The catalogue and the open blocks.
pub(crate) struct Blocks {
    pub(crate) dir: PathBuf,
    pub(crate) catalogue: Mutex<Catalogue>,
    set: RwLock<Arc<BlockSet>>,
}

/// What one publication changes.
#[derive(Default)]
pub(crate) struct Publication {
    /// Written and synced, still under their temporary names.
    pub add: Vec<BlockMeta>,
    pub remove: Vec<BlockMeta>,
    pub flushed_lsn: Option<u64>,
    /// Now, in milliseconds.
    pub at: i64,
}

impl Blocks {
    /// Opens every block of the catalogue in `dir`.
    pub(crate) fn open(dir: &Path, catalogue: Catalogue) -> Result<Self, StoreError> {
        let mut set = BlockSet::default();
        for meta in catalogue.blocks()? {
            match Block::open(dir, meta.clone()) {
                Ok(block) => set.sound.push(Arc::new(block)),
                Err(error @ StoreError::Damaged { .. }) => set.broken.push(Broken { meta, error }),
                Err(error) => return Err(error),
            }
        }
        Ok(Self { dir: dir.to_owned(), catalogue: Mutex::new(catalogue), set: RwLock::new(Arc::new(set)) })
    }

    /// The blocks as of now. Whoever holds the list can read them, whatever is removed meanwhile.
    pub(crate) fn set(&self) -> Arc<BlockSet> {
        Arc::clone(&self.set.read())
    }

    /// The highest `seq` there is.
    pub(crate) fn last_seq(&self) -> u64 {
        self.set.read().metas().map(|meta| meta.seq).max().unwrap_or(0)
    }

    /// Begins a block under a temporary name.
    pub(crate) fn begin(&self, identity: &Identity) -> Result<BlockWriter, StoreError> {
        BlockWriter::create(&self.dir.join(TEMPORARY).join(&identity.id), identity)
    }

    /// Removes what was written under a temporary name, as far as it goes; the next start removes the rest.
    pub(crate) fn discard(&self, id: &str) {
        let _ = fs::remove_dir_all(self.dir.join(TEMPORARY).join(id));
    }

    /// Gives new blocks their final place, then changes catalogue and list. Either all of it happens or none.
    pub(crate) fn publish(&self, publication: Publication) -> Result<(), StoreError> {
        let placed: Result<Vec<Arc<Block>>, StoreError> =
            publication.add.iter().map(|meta| self.place(meta)).collect();
        let change = Change {
            add: publication.add.clone(),
            remove: publication.remove.clone(),
            flushed_lsn: publication.flushed_lsn,
            at: publication.at,
        };
        let published = placed.and_then(|blocks| self.catalogue.lock().publish(&change).map(|()| blocks));
        let blocks = match published {
            Ok(blocks) => blocks,
            Err(error) => {
                for meta in &publication.add {
                    let _ = fs::remove_dir_all(self.dir.join(meta.path()));
                    self.discard(&meta.id);
                }
                return Err(error);
            }
        };
        let mut set = self.set.write();
        let stays = |meta: &BlockMeta| publication.remove.iter().all(|removed| removed.id != meta.id);
        let mut sound: Vec<Arc<Block>> =
            set.sound.iter().filter(|block| stays(&block.meta)).cloned().collect();
        sound.extend(blocks);
        sound.sort_by(|a, b| (a.meta.seq, &a.meta.id).cmp(&(b.meta.seq, &b.meta.id)));
        let broken = set.broken.iter().filter(|broken| stays(&broken.meta)).cloned().collect();
        *set = Arc::new(BlockSet { sound, broken });
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
        let mut known: std::collections::HashSet<String> = self.set().metas().map(BlockMeta::path).collect();
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

// === impl Broken ===

impl Broken {
    /// The error as a finding.
    pub(crate) fn damage(&self) -> Option<Damage> {
        let StoreError::Damaged { file, offset, what } = &self.error else { return None };
        let (file, what) = (file.clone(), what.clone());
        Some(Damage { file, offset: *offset, bytes: 0, what, acknowledged: true })
    }
}

// === impl BlockSet ===

impl BlockSet {
    /// What the catalogue says of every block.
    pub(crate) fn metas(&self) -> impl Iterator<Item = &BlockMeta> {
        self.sound.iter().map(|block| &block.meta).chain(self.broken.iter().map(|broken| &broken.meta))
    }

    /// The blocks that may have samples within `start..=end`.
    ///
    /// # Errors
    /// One of them could not be opened; without it an answer would be silently incomplete.
    pub(crate) fn overlapping(
        &self,
        start: i64,
        end: i64,
    ) -> Result<impl Iterator<Item = &Arc<Block>>, StoreError> {
        let overlaps = move |meta: &BlockMeta| meta.min_time <= end && start <= meta.max_time;
        match self.broken.iter().find(|broken| overlaps(&broken.meta)) {
            Some(broken) => Err(broken.error.clone()),
            None => Ok(self.sound.iter().filter(move |block| overlaps(&block.meta))),
        }
    }
}

// === public functions ===

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
