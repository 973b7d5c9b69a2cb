//! Reading a block. Every unit is checked against its checksum before it is believed.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kernel::Labels;
use metrics::chunk;
use metrics::sample::Sample;

use super::index::{self, PostingsAt, SeriesEntry};
use super::{
    CHUNKS_FILE, CHUNKS_MAGIC, ChunkRef, Directory, FOOTER, GROUP, INDEX_END, INDEX_FILE, INDEX_MAGIC,
    NameEntry, Place, damaged,
};
use crate::catalogue::BlockMeta;
use crate::cursor::Cursor;
use crate::disk;
use crate::matching::{Numbers, Postings};
use crate::port::StoreError;

/// An open block. Its files stay readable for as long as it is held, even once they are deleted.
pub(crate) struct Block {
    pub(crate) meta: BlockMeta,
    directory: Directory,
    index: File,
    chunks: File,
    path: PathBuf,
}

/// Reads series of a block one after the other, remembering what neighbours share.
pub(crate) struct SeriesReader<'a> {
    block: &'a Block,
    group: Option<(usize, Vec<SeriesEntry>)>,
    values: HashMap<(u32, u32), Vec<Arc<str>>>,
    times: HashMap<u64, Arc<Vec<i64>>>,
    window: Vec<u8>,
    window_at: u64,
    ahead: usize,
    scratch: Vec<f64>,
}

/// The most columns of times a reader remembers.
const REMEMBERED_TIMES: usize = 1024;

impl Block {
    /// Opens the block that `meta` describes below `dir`, the store's folder, and checks its directory.
    pub(crate) fn open(dir: &Path, meta: BlockMeta) -> Result<Self, StoreError> {
        let path = dir.join(meta.path());
        let open = |name: &str| {
            let file = path.join(name);
            File::open(&file).map_err(|e| match e.kind() {
                std::io::ErrorKind::NotFound => damaged(&meta.path(), name, 0, "the file is missing"),
                _ => disk::failed(&file, &e),
            })
        };
        let (index, chunks) = (open(INDEX_FILE)?, open(CHUNKS_FILE)?);
        let mut block = Self { meta, directory: Directory::default(), index, chunks, path };
        block.directory = block.read_directory()?;
        block.check_against_catalogue()?;
        Ok(block)
    }

    /// Bytes of memory that the directory takes.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let groups =
            |entry: &NameEntry| entry.groups.iter().map(|(first, _)| first.len() + 32).sum::<usize>();
        let names: usize =
            self.directory.names.iter().map(|entry| entry.name.len() + 64 + groups(entry)).sum();
        (names + self.directory.series_groups.len() * 16 + size_of::<Self>()) as u64
    }

    /// The last number of the log that this block holds.
    pub(crate) fn flushed_lsn(&self) -> u64 {
        self.directory.flushed_lsn
    }

    /// Reads series; `ahead` bytes of samples are fetched at once.
    pub(crate) fn series_reader(&self, ahead: usize) -> SeriesReader<'_> {
        SeriesReader {
            block: self,
            group: None,
            values: HashMap::new(),
            times: HashMap::new(),
            window: Vec::new(),
            window_at: 0,
            ahead,
            scratch: Vec::new(),
        }
    }

    /// Reads both files from end to end and compares their checksums with the catalogue's.
    pub(crate) fn verify(&self) -> Result<(), StoreError> {
        for (name, crc) in [(INDEX_FILE, self.meta.index_crc), (CHUNKS_FILE, self.meta.chunks_crc)] {
            if file_crc(&self.path.join(name))? != crc {
                // Find the unit, to say where.
                self.locate()?;
                return Err(self.damaged(name, 0, "the file does not have the catalogue's checksum"));
            }
        }
        Ok(())
    }

    /// Reads every unit; the error is the first damaged one.
    fn locate(&self) -> Result<(), StoreError> {
        self.read_directory()?;
        for entry in &self.directory.names {
            self.having(&entry.name, &|_| true)?;
        }
        let mut reader = self.series_reader(64 << 10);
        let mut samples = Vec::new();
        for number in 0..self.directory.series {
            let (_, chunks) = reader.series(number as u32)?;
            for chunk in chunks {
                samples.clear();
                reader.samples(&chunk, &mut samples)?;
            }
        }
        Ok(())
    }

    /// Calls `each` with every value of `name`.
    pub(crate) fn visit_values(&self, name: &str, mut each: impl FnMut(&str)) -> Result<(), StoreError> {
        for (_, place) in self.name(name).map(|entry| entry.groups.as_slice()).unwrap_or_default() {
            let payload = self.unit(INDEX_FILE, *place)?;
            index::read_values(&payload, |value, _| each(value))
                .map_err(|_| self.damaged(INDEX_FILE, place.offset, "a group of values is malformed"))?;
        }
        Ok(())
    }

    fn read_directory(&self) -> Result<Directory, StoreError> {
        let len = self.index.metadata().map_err(|e| disk::failed(&self.path, &e))?.len();
        let at = len.saturating_sub(FOOTER);
        let mut footer = [0; FOOTER as usize];
        let short = |_| self.damaged(INDEX_FILE, len, "the file ends too early");
        self.index.read_exact_at(&mut footer, at).map_err(short)?;
        let mut magic = [0; 8];
        self.index.read_exact_at(&mut magic, 0).map_err(short)?;
        if magic != INDEX_MAGIC {
            return Err(self.damaged(INDEX_FILE, 0, "it does not begin as an index of a known version"));
        }
        self.chunks
            .read_exact_at(&mut magic, 0)
            .map_err(|_| self.damaged(CHUNKS_FILE, 0, "the file is empty"))?;
        if magic != CHUNKS_MAGIC {
            return Err(self.damaged(CHUNKS_FILE, 0, "it does not begin as chunks of a known version"));
        }
        let bad = |what: &str| self.damaged(INDEX_FILE, at, what);
        let mut cursor = Cursor(&footer);
        let malformed = |_| bad("the footer is malformed");
        let place = Place { offset: cursor.u64().map_err(malformed)?, len: cursor.u32().map_err(malformed)? };
        let crc = cursor.u32().map_err(malformed)?;
        if footer.get(..12).map(crc32c::crc32c) != Some(crc) || !footer.ends_with(&INDEX_END) {
            return Err(bad("the footer does not have its checksum"));
        }
        let payload = self.unit(INDEX_FILE, place)?;
        Directory::read(&payload)
            .map_err(|_| self.damaged(INDEX_FILE, place.offset, "the directory is malformed"))
    }

    /// A catalogue and a block that disagree must not be served.
    fn check_against_catalogue(&self) -> Result<(), StoreError> {
        let (m, d) = (&self.meta, &self.directory);
        let same = (m.seq, m.level, m.series, m.samples, m.min_time, m.max_time, m.chunks_crc)
            == (d.seq, d.level, d.series, d.samples, d.min_time, d.max_time, d.chunks_crc)
            && m.tenant == d.tenant
            && (m.window_start, m.window_end) == (d.window_start, d.window_end);
        if !same {
            return Err(self.damaged(INDEX_FILE, 0, "the directory says otherwise than the catalogue"));
        }
        let len = self.chunks.metadata().map_err(|e| disk::failed(&self.path, &e))?.len();
        if len != d.chunks_len {
            let what = format!("the file has {len} bytes, not {}", d.chunks_len);
            return Err(self.damaged(CHUNKS_FILE, len.min(d.chunks_len), &what));
        }
        Ok(())
    }

    fn unit(&self, file: &str, place: Place) -> Result<Vec<u8>, StoreError> {
        let from = if file == INDEX_FILE { &self.index } else { &self.chunks };
        let limit = from.metadata().map_err(|e| disk::failed(&self.path, &e))?.len();
        if place.offset.saturating_add(u64::from(place.len) + 4) > limit {
            return Err(self.damaged(file, place.offset, "a unit lies outside of the file"));
        }
        let mut bytes = vec![0; place.len as usize + 4];
        from.read_exact_at(&mut bytes, place.offset)
            .map_err(|e| self.damaged(file, place.offset, &format!("a unit cannot be read: {e}")))?;
        match bytes.split_last_chunk::<4>() {
            Some((payload, crc)) if crc32c::crc32c(payload) == u32::from_le_bytes(*crc) => {}
            _ => return Err(self.damaged(file, place.offset, "a unit does not have its checksum")),
        }
        bytes.truncate(place.len as usize);
        Ok(bytes)
    }

    fn damaged(&self, file: &str, offset: u64, what: &str) -> StoreError {
        damaged(&self.meta.path(), file, offset, what)
    }

    fn name(&self, name: &str) -> Option<&NameEntry> {
        let at = self.directory.names.binary_search_by(|entry| entry.name.as_ref().cmp(name)).ok()?;
        self.directory.names.get(at)
    }

    fn postings(&self, at: &PostingsAt<'_>, group: Place, out: &mut Numbers) -> Result<(), StoreError> {
        let series = self.directory.series;
        let (read, offset) = match at {
            PostingsAt::Inline(bytes) => (index::take_postings(bytes, series, out), group.offset),
            PostingsAt::Unit(place) => {
                (index::take_postings(&self.unit(INDEX_FILE, *place)?, series, out), place.offset)
            }
        };
        read.map_err(|_| self.damaged(INDEX_FILE, offset, "a list of series is malformed"))
    }

    /// Appends to `out` the series of the values in `group` that `keep` accepts.
    fn collect(
        &self,
        group: Place,
        keep: &dyn Fn(&str) -> bool,
        out: &mut Numbers,
    ) -> Result<(), StoreError> {
        let payload = self.unit(INDEX_FILE, group)?;
        let mut outcome = Ok(());
        index::read_values(&payload, |value, at| {
            if outcome.is_ok() && keep(value) {
                outcome = self.postings(&at, group, out);
            }
        })
        .map_err(|_| self.damaged(INDEX_FILE, group.offset, "a group of values is malformed"))?;
        outcome
    }
}

impl Postings for Block {
    type Error = StoreError;

    fn all(&self) -> Result<Numbers, StoreError> {
        Ok((0..self.directory.series as u32).collect())
    }

    fn equal(&self, name: &str, value: &str) -> Result<Numbers, StoreError> {
        let mut out = Vec::new();
        let group = self.name(name).and_then(|entry| {
            let after = entry.groups.partition_point(|(first, _)| first.as_ref() <= value);
            entry.groups.get(after.checked_sub(1)?)
        });
        if let Some((_, place)) = group {
            self.collect(*place, &|other| other == value, &mut out)?;
        }
        Ok(out)
    }

    fn having(&self, name: &str, keep: &dyn Fn(&str) -> bool) -> Result<Numbers, StoreError> {
        let mut out = Vec::new();
        for (_, place) in self.name(name).map(|entry| entry.groups.as_slice()).unwrap_or_default() {
            self.collect(*place, keep, &mut out)?;
        }
        out.sort_unstable();
        Ok(out)
    }
}

// === impl SeriesReader ===

impl SeriesReader<'_> {
    /// The labels and the chunks of the series `number`.
    pub(crate) fn series(&mut self, number: u32) -> Result<(Labels, Vec<ChunkRef>), StoreError> {
        let (group, within) = (number as usize / GROUP, number as usize % GROUP);
        if self.group.as_ref().is_none_or(|(at, _)| *at != group) {
            self.group = Some((group, self.read_group(group)?));
        }
        let entry = self.group.as_ref().and_then(|(_, entries)| entries.get(within)).cloned();
        let entry = entry.ok_or_else(|| self.block.damaged(INDEX_FILE, 0, "a series is missing"))?;
        let mut pairs = Vec::with_capacity(entry.labels.len());
        for (name, value) in &entry.labels {
            pairs.push(self.pair(*name, *value)?);
        }
        let labels = Labels::new(pairs)
            .map_err(|_| self.block.damaged(INDEX_FILE, 0, &format!("series {number} has a label twice")))?;
        Ok((labels, entry.chunks))
    }

    /// Appends the samples of `chunk` to `out`.
    pub(crate) fn samples(&mut self, chunk: &ChunkRef, out: &mut Vec<Sample>) -> Result<(), StoreError> {
        let times = self.times(chunk)?;
        self.fetch(chunk.values)?;
        let from = chunk.values.offset.saturating_sub(self.window_at) as usize;
        let unit = self.window.get(from..from + chunk.values.len as usize + 4);
        let payload = unit
            .and_then(|unit| unit.split_last_chunk::<4>())
            .filter(|(payload, crc)| crc32c::crc32c(payload) == u32::from_le_bytes(**crc))
            .map(|(payload, _)| payload);
        let at = chunk.values.offset;
        let Some(payload) = payload else {
            return Err(self.block.damaged(CHUNKS_FILE, at, "a chunk does not have its checksum"));
        };
        self.scratch.clear();
        chunk::decode_values(payload, chunk.count as usize, &mut self.scratch)
            .map_err(|e| self.block.damaged(CHUNKS_FILE, at, &e.to_string()))?;
        out.extend(times.iter().zip(&self.scratch).map(|(t, v)| Sample { t: *t, v: *v }));
        Ok(())
    }

    fn read_group(&self, group: usize) -> Result<Vec<SeriesEntry>, StoreError> {
        let missing = || self.block.damaged(INDEX_FILE, 0, "a group of series is missing");
        let place = *self.block.directory.series_groups.get(group).ok_or_else(missing)?;
        let payload = self.block.unit(INDEX_FILE, place)?;
        index::take_series(&payload)
            .map_err(|_| self.block.damaged(INDEX_FILE, place.offset, "a group of series is malformed"))
    }

    fn pair(&mut self, name: u32, value: u32) -> Result<(Arc<str>, Arc<str>), StoreError> {
        let block = self.block;
        let missing = || block.damaged(INDEX_FILE, 0, "a label is missing");
        let entry = block.directory.names.get(name as usize).ok_or_else(missing)?;
        let (group, within) = (value / GROUP as u32, value as usize % GROUP);
        let values = match self.values.entry((name, group)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let (_, place) = entry.groups.get(group as usize).ok_or_else(missing)?;
                let payload = block.unit(INDEX_FILE, *place)?;
                let mut values: Vec<Arc<str>> = Vec::with_capacity(GROUP);
                index::read_values(&payload, |value, _| values.push(Arc::from(value)))
                    .map_err(|_| block.damaged(INDEX_FILE, place.offset, "a group of values is malformed"))?;
                unknown.insert(values)
            }
        };
        let value = values.get(within).ok_or_else(missing)?;
        Ok((Arc::clone(&entry.name), Arc::clone(value)))
    }

    fn times(&mut self, chunk: &ChunkRef) -> Result<Arc<Vec<i64>>, StoreError> {
        if let Some(times) = self.times.get(&chunk.times.offset)
            && times.len() == chunk.count as usize
        {
            return Ok(Arc::clone(times));
        }
        let payload = self.block.unit(CHUNKS_FILE, chunk.times)?;
        let mut times = Vec::with_capacity((chunk.count as usize).min(chunk::MAX_SAMPLES));
        chunk::decode_times(&payload, chunk.count as usize, &mut times)
            .map_err(|e| self.block.damaged(CHUNKS_FILE, chunk.times.offset, &e.to_string()))?;
        let times = Arc::new(times);
        if self.times.len() >= REMEMBERED_TIMES {
            self.times.clear();
        }
        self.times.insert(chunk.times.offset, Arc::clone(&times));
        Ok(times)
    }

    /// Makes sure that the unit at `place` is in the window.
    fn fetch(&mut self, place: Place) -> Result<(), StoreError> {
        let end = place.offset.saturating_add(u64::from(place.len) + 4);
        let limit = self.block.directory.chunks_len;
        if end > limit {
            return Err(self.block.damaged(CHUNKS_FILE, place.offset, "a chunk lies outside of the file"));
        }
        if self.window_at <= place.offset && end <= self.window_at + self.window.len() as u64 {
            return Ok(());
        }
        let wanted = (place.len as usize + 4).max(self.ahead) as u64;
        let wanted = wanted.min(limit - place.offset) as usize;
        self.window.resize(wanted, 0);
        self.window_at = place.offset;
        let read = self.block.chunks.read_exact_at(&mut self.window, place.offset);
        if let Err(error) = read {
            self.window.clear();
            let what = format!("a chunk cannot be read: {error}");
            return Err(self.block.damaged(CHUNKS_FILE, place.offset, &what));
        }
        Ok(())
    }
}

/// CRC32C of a whole file.
fn file_crc(path: &Path) -> Result<u32, StoreError> {
    let mut file = File::open(path).map_err(|e| disk::failed(path, &e))?;
    let mut buffer = vec![0; 256 << 10];
    let mut crc = 0;
    loop {
        let count = file.read(&mut buffer).map_err(|e| disk::failed(path, &e))?;
        if count == 0 {
            return Ok(crc);
        }
        crc = crc32c::crc32c_append(crc, buffer.get(..count).unwrap_or_default());
    }
}
