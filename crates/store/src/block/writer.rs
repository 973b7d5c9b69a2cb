//! Writing a block: series in ascending order of labels, one after the other, then the index.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kernel::Labels;
use metrics::chunk;
use metrics::sample::Sample;

use super::index::{self, PostingsAt, SeriesEntry};
use super::{
    CHUNKS_FILE, CHUNKS_MAGIC, ChunkRef, Directory, GROUP, INDEX_END, INDEX_FILE, INDEX_MAGIC,
    INLINE_POSTINGS, NameEntry, Place, chunk_slice, window,
};
use crate::catalogue::BlockMeta;
use crate::disk;
use crate::port::StoreError;

/// How many columns of times are remembered, to be written once for all series that share them.
const REMEMBERED_TIMES: usize = 4096;

/// Writes one block into a folder with a temporary name.
pub(crate) struct BlockWriter {
    dir: PathBuf,
    directory: Directory,
    chunks: UnitFile,
    labels: LabelTable,
    series: Vec<SeriesEntry>,
    /// Hash of times → the times and where their column is.
    times: HashMap<u64, (Box<[i64]>, Place)>,
    hasher: foldhash::fast::FixedState,
    scratch: Scratch,
}

/// Which block is to be written.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub id: String,
    pub seq: u64,
    pub tenant: String,
    pub level: u8,
    /// Any time within the block's window.
    pub time: i64,
    pub flushed_lsn: u64,
}

/// A file of units, each followed by its checksum, and the checksum of the whole.
struct UnitFile {
    out: BufWriter<File>,
    path: PathBuf,
    len: u64,
    crc: u32,
}

/// Names and values with the series that have them, numbered in order of appearance until the end.
#[derive(Default)]
struct LabelTable {
    names: HashMap<Arc<str>, u32>,
    entries: Vec<NameValues>,
}

#[derive(Default)]
struct NameValues {
    name: Arc<str>,
    values: HashMap<Arc<str>, u32>,
    postings: Vec<Vec<u32>>,
}

#[derive(Default)]
struct Scratch {
    times: Vec<i64>,
    values: Vec<f64>,
    bytes: Vec<u8>,
}

impl BlockWriter {
    /// Begins a block in `dir`, which is made.
    pub(crate) fn create(dir: &Path, identity: &Identity) -> Result<Self, StoreError> {
        disk::create_dir(dir)?;
        let (window_start, window_end) = window(identity.level, identity.time);
        let directory = Directory {
            tenant: identity.tenant.clone(),
            level: identity.level,
            seq: identity.seq,
            window_start,
            window_end,
            min_time: i64::MAX,
            max_time: i64::MIN,
            flushed_lsn: identity.flushed_lsn,
            ..Directory::default()
        };
        Ok(Self {
            dir: dir.to_owned(),
            directory,
            chunks: UnitFile::create(&dir.join(CHUNKS_FILE), CHUNKS_MAGIC)?,
            labels: LabelTable::default(),
            series: Vec::new(),
            times: HashMap::new(),
            hasher: foldhash::fast::FixedState::default(),
            scratch: Scratch::default(),
        })
    }

    /// Adds a series, whose labels come after those of the one before, with ascending samples within the block's window.
    pub(crate) fn add(&mut self, labels: &Labels, samples: &[Sample]) -> Result<(), StoreError> {
        let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return Ok(()) };
        let directory = &mut self.directory;
        directory.min_time = directory.min_time.min(first.t);
        directory.max_time = directory.max_time.max(last.t);
        directory.samples += samples.len() as u64;
        let number = self.series.len() as u32;
        let mut entry = SeriesEntry { labels: self.labels.add(number, labels), chunks: Vec::new() };
        let slice = chunk_slice(directory.level);
        for part in samples.chunk_by(|a, b| a.t.div_euclid(slice) == b.t.div_euclid(slice)) {
            for piece in part.chunks(chunk::MAX_SAMPLES) {
                entry.chunks.extend(self.put_chunk(piece)?);
            }
        }
        self.series.push(entry);
        Ok(())
    }

    /// Writes the index, makes both files durable, and says what the block holds. The folder is not renamed yet.
    pub(crate) fn finish(mut self, id: &str, partition: &str) -> Result<BlockMeta, StoreError> {
        self.directory.series = self.series.len() as u64;
        self.directory.chunks_len = self.chunks.len;
        self.directory.chunks_crc = self.chunks.crc;
        self.chunks.finish()?;
        let mut file = UnitFile::create(&self.dir.join(INDEX_FILE), INDEX_MAGIC)?;
        let (names, ordinals) = self.labels.write(&mut file)?;
        self.directory.names = names;
        for entry in &mut self.series {
            for (name, value) in &mut entry.labels {
                (*name, *value) = ordinals.of(*name, *value);
            }
            entry.labels.sort_unstable();
        }
        let mut bytes = Vec::new();
        for group in self.series.chunks(GROUP) {
            bytes.clear();
            index::put_series(group, &mut bytes);
            self.directory.series_groups.push(file.put(&bytes)?);
        }
        bytes.clear();
        self.directory.write(&mut bytes);
        let place = file.put(&bytes)?;
        bytes.clear();
        bytes.extend_from_slice(&place.offset.to_le_bytes());
        bytes.extend_from_slice(&place.len.to_le_bytes());
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes.extend_from_slice(&INDEX_END);
        file.write(&bytes)?;
        let (index_len, index_crc) = (file.len, file.crc);
        file.finish()?;
        disk::sync_dir(&self.dir)?;
        let d = &self.directory;
        Ok(BlockMeta {
            id: id.to_owned(),
            seq: d.seq,
            tenant: d.tenant.clone(),
            partition: partition.to_owned(),
            level: d.level,
            window_start: d.window_start,
            window_end: d.window_end,
            min_time: d.min_time,
            max_time: d.max_time,
            series: d.series,
            samples: d.samples,
            bytes: d.chunks_len + index_len,
            index_crc,
            chunks_crc: d.chunks_crc,
        })
    }

    /// Removes what was written.
    pub(crate) fn abandon(self) {
        let _ = fs::remove_dir_all(&self.dir);
    }

    fn put_chunk(&mut self, samples: &[Sample]) -> Result<Option<ChunkRef>, StoreError> {
        let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return Ok(None) };
        let scratch = &mut self.scratch;
        scratch.times.clear();
        scratch.values.clear();
        scratch.times.extend(samples.iter().map(|sample| sample.t));
        scratch.values.extend(samples.iter().map(|sample| sample.v));
        let times = self.put_times()?;
        let scratch = &mut self.scratch;
        scratch.bytes.clear();
        chunk::encode_values(&scratch.values, &mut scratch.bytes).map_err(too_many)?;
        let values = self.chunks.put(&scratch.bytes)?;
        Ok(Some(ChunkRef { first: first.t, last: last.t, count: samples.len() as u32, times, values }))
    }

    /// Writes the column of `scratch.times`, or finds the same one.
    fn put_times(&mut self) -> Result<Place, StoreError> {
        let scratch = &mut self.scratch;
        let hash = std::hash::BuildHasher::hash_one(&self.hasher, &scratch.times);
        if let Some((times, place)) = self.times.get(&hash)
            && times.as_ref() == scratch.times
        {
            return Ok(*place);
        }
        scratch.bytes.clear();
        chunk::encode_times(&scratch.times, &mut scratch.bytes).map_err(too_many)?;
        let place = self.chunks.put(&scratch.bytes)?;
        if self.times.len() >= REMEMBERED_TIMES {
            self.times.clear();
        }
        self.times.insert(hash, (scratch.times.as_slice().into(), place));
        Ok(place)
    }
}

fn too_many(error: chunk::ChunkError) -> StoreError {
    StoreError::Io(format!("a chunk cannot be encoded: {error}"))
}

// === impl UnitFile ===

impl UnitFile {
    fn create(path: &Path, magic: [u8; 8]) -> Result<Self, StoreError> {
        let file = disk::create_new(path)?;
        let mut units =
            Self { out: BufWriter::with_capacity(256 << 10, file), path: path.to_owned(), len: 0, crc: 0 };
        units.write(&magic)?;
        Ok(units)
    }

    /// Writes a unit and its checksum.
    fn put(&mut self, payload: &[u8]) -> Result<Place, StoreError> {
        let place = Place { offset: self.len, len: payload.len() as u32 };
        self.write(payload)?;
        self.write(&crc32c::crc32c(payload).to_le_bytes())?;
        Ok(place)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.out.write_all(bytes).map_err(|e| disk::failed(&self.path, &e))?;
        self.crc = crc32c::crc32c_append(self.crc, bytes);
        self.len += bytes.len() as u64;
        Ok(())
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        self.out
            .flush()
            .and_then(|()| self.out.get_ref().sync_all())
            .map_err(|e| disk::failed(&self.path, &e))
    }
}

// === impl LabelTable ===

/// From the numbers of appearance to the sorted ones.
struct Ordinals {
    names: Vec<u32>,
    values: Vec<Vec<u32>>,
}

impl Ordinals {
    fn of(&self, name: u32, value: u32) -> (u32, u32) {
        let ordinal = |list: &[u32], at: u32| list.get(at as usize).copied().unwrap_or(0);
        let values = self.values.get(name as usize).map_or(&[][..], Vec::as_slice);
        (ordinal(&self.names, name), ordinal(values, value))
    }
}

impl LabelTable {
    /// Notes that the series `number` has `labels`; gives them as numbers of appearance.
    fn add(&mut self, number: u32, labels: &Labels) -> Vec<(u32, u32)> {
        let mut pairs = Vec::with_capacity(labels.len());
        for (name, value) in labels.pairs() {
            let at = match self.names.get(name) {
                Some(at) => *at,
                None => {
                    let at = self.entries.len() as u32;
                    self.names.insert(Arc::clone(name), at);
                    self.entries.push(NameValues { name: Arc::clone(name), ..NameValues::default() });
                    at
                }
            };
            let Some(entry) = self.entries.get_mut(at as usize) else { continue };
            let next = entry.postings.len() as u32;
            let value_at = match entry.values.get(value) {
                Some(value_at) => *value_at,
                None => {
                    entry.values.insert(Arc::clone(value), next);
                    entry.postings.push(Vec::new());
                    next
                }
            };
            if let Some(list) = entry.postings.get_mut(value_at as usize) {
                list.push(number);
            }
            pairs.push((at, value_at));
        }
        pairs
    }

    /// Writes postings and groups of values, name by name in order.
    fn write(&mut self, file: &mut UnitFile) -> Result<(Vec<NameEntry>, Ordinals), StoreError> {
        let mut order: Vec<u32> = (0..self.entries.len() as u32).collect();
        order.sort_unstable_by(|a, b| {
            let name = |at: &u32| self.entries.get(*at as usize).map(|entry| &entry.name);
            name(a).cmp(&name(b))
        });
        let mut ordinals =
            Ordinals { names: vec![0; self.entries.len()], values: vec![Vec::new(); self.entries.len()] };
        let mut names = Vec::with_capacity(order.len());
        for (ordinal, at) in (0_u32..).zip(order) {
            let Some(entry) = self.entries.get_mut(at as usize) else { continue };
            let (written, values) = entry.write(file)?;
            names.push(written);
            if let (Some(name), Some(slot)) =
                (ordinals.names.get_mut(at as usize), ordinals.values.get_mut(at as usize))
            {
                (*name, *slot) = (ordinal, values);
            }
        }
        Ok((names, ordinals))
    }
}

impl NameValues {
    /// Writes the values in order; gives their directory entry and the ordinal of each number of appearance.
    fn write(&mut self, file: &mut UnitFile) -> Result<(NameEntry, Vec<u32>), StoreError> {
        let mut sorted: Vec<(Arc<str>, u32)> = self.values.drain().collect();
        sorted.sort_unstable();
        let mut ordinals = vec![0; sorted.len()];
        for (ordinal, (_, at)) in (0_u32..).zip(&sorted) {
            if let Some(slot) = ordinals.get_mut(*at as usize) {
                *slot = ordinal;
            }
        }
        let mut groups = Vec::new();
        let (mut bytes, mut postings) = (Vec::new(), Vec::new());
        for group in sorted.chunks(GROUP) {
            bytes.clear();
            let mut before: &str = "";
            for (value, at) in group {
                postings.clear();
                let numbers = self.postings.get(*at as usize).map_or(&[][..], Vec::as_slice);
                index::put_postings(numbers, &mut postings);
                let at = if postings.len() <= INLINE_POSTINGS {
                    PostingsAt::Inline(&postings)
                } else {
                    PostingsAt::Unit(file.put(&postings)?)
                };
                index::put_value(before, value, &at, &mut bytes);
                before = value;
            }
            let first = group.first().map(|(value, _)| Box::from(value.as_ref())).unwrap_or_default();
            groups.push((first, file.put(&bytes)?));
        }
        Ok((NameEntry { name: Arc::clone(&self.name), values: sorted.len() as u64, groups }, ordinals))
    }
}
