//! Immutable blocks: `index.bin` says which series there are and where their samples lie in `chunks.bin`.
//!
//! Both files are made of units, each followed by its CRC32C, which every read checks: nothing damaged is served. Units are
//! small and found through a directory at the end, so that a reader fetches only what it needs, from a disk or from an
//! object store. Byte by byte in docs/formats/block.md.

pub(crate) mod index;
pub(crate) mod reader;
pub(crate) mod walk;
pub(crate) mod writer;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::port::StoreError;

/// The index file of a block.
pub(crate) const INDEX_FILE: &str = "index.bin";
/// The file of a block's samples.
pub(crate) const CHUNKS_FILE: &str = "chunks.bin";
/// The first bytes of `index.bin`; the last one is the version.
pub(crate) const INDEX_MAGIC: [u8; 8] = *b"MSTINDX\x01";
/// The last bytes of `index.bin`.
pub(crate) const INDEX_END: [u8; 8] = *b"MSTINDXE";
/// The first bytes of `chunks.bin`; the last one is the version.
pub(crate) const CHUNKS_MAGIC: [u8; 8] = *b"MSTCHNK\x01";
/// Bytes after the directory: its place, its length, the checksum of both, the end mark.
pub(crate) const FOOTER: u64 = 24;
/// Series or values in one unit of the index.
pub(crate) const GROUP: usize = 64;
/// Postings of more bytes than this get a unit of their own.
pub(crate) const INLINE_POSTINGS: usize = 64;

/// Two hours, the window of levels 0 and 1, in milliseconds.
pub(crate) const TWO_HOURS: i64 = 7_200_000;
/// A day, the window of level 2, in milliseconds.
pub(crate) const DAY: i64 = 86_400_000;
/// The level of blocks that cover a day.
pub(crate) const DAY_LEVEL: u8 = 2;

/// A chunk's kind: floats with a column of times and one of values.
pub(crate) const KIND_FLOATS: u8 = 1;

/// The window `start..end` of `level` that `t` is in.
pub(crate) const fn window(level: u8, t: i64) -> (i64, i64) {
    let length = if level >= DAY_LEVEL { DAY } else { TWO_HOURS };
    let start = t.div_euclid(length).saturating_mul(length);
    (start, start.saturating_add(length))
}

/// The part of a block's window that one chunk covers: all of it, and a sixth of a day. Why: docs/adr/0010.
pub(crate) const fn chunk_slice(level: u8) -> i64 {
    if level >= DAY_LEVEL { DAY / 6 } else { TWO_HOURS }
}

/// A unit's place: its first byte and its length without the checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub offset: u64,
    pub len: u32,
}

/// Where a chunk of a series is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChunkRef {
    pub first: i64,
    pub last: i64,
    pub count: u32,
    pub times: Place,
    pub values: Place,
}

/// Values of one label: the first of each group of [`GROUP`], and where the group is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NameEntry {
    pub name: Arc<str>,
    pub values: u64,
    pub groups: Vec<(Box<str>, Place)>,
}

/// What a block says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Directory {
    pub tenant: String,
    pub level: u8,
    pub seq: u64,
    pub window_start: i64,
    pub window_end: i64,
    pub min_time: i64,
    pub max_time: i64,
    pub series: u64,
    pub samples: u64,
    pub flushed_lsn: u64,
    pub chunks_len: u64,
    pub chunks_crc: u32,
    pub names: Vec<NameEntry>,
    pub series_groups: Vec<Place>,
}

/// The error for something at `offset` of the block's file `file`.
pub(crate) fn damaged(block: &str, file: &str, offset: u64, what: &str) -> StoreError {
    StoreError::Damaged { file: format!("{block}/{file}"), offset, what: what.to_owned() }
}
