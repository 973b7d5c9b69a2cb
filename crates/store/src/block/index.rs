//! The units of `index.bin` as bytes: postings, groups of values, groups of series, the directory.

use std::sync::Arc;

use super::{ChunkRef, Directory, GROUP, INLINE_POSTINGS, KIND_FLOATS, NameEntry, Place};
use crate::cursor::{Cursor, Malformed, put_signed, put_text, put_varint};

/// Where the series of a value are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PostingsAt<'a> {
    /// Beside the value.
    Inline(&'a [u8]),
    /// In a unit of their own.
    Unit(Place),
}

/// A series of a group: its labels as ordinals of name and value, and its chunks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SeriesEntry {
    pub labels: Vec<(u32, u32)>,
    pub chunks: Vec<ChunkRef>,
}

/// Ascending numbers as differences.
pub(crate) fn put_postings(numbers: &[u32], out: &mut Vec<u8>) {
    let mut last = 0;
    for number in numbers {
        put_varint(out, u64::from(number.wrapping_sub(last)));
        last = *number;
    }
}

/// The inverse of [`put_postings`], of all of `bytes`; numbers must ascend and stay below `series`.
pub(crate) fn take_postings(bytes: &[u8], series: u64, out: &mut Vec<u32>) -> Result<(), Malformed> {
    let mut cursor = Cursor(bytes);
    let mut last = 0_u32;
    let mut first = true;
    while !cursor.is_empty() {
        let step = cursor.small()?;
        last = last.checked_add(step).filter(|_| first || step > 0).ok_or(Malformed)?;
        first = false;
        if u64::from(last) >= series {
            return Err(Malformed);
        }
        out.push(last);
    }
    Ok(())
}

/// Writes a value of a group after the value `before` it.
pub(crate) fn put_value(before: &str, value: &str, postings: &PostingsAt<'_>, out: &mut Vec<u8>) {
    let mut shared = before.bytes().zip(value.bytes()).take_while(|(a, b)| a == b).count();
    while !value.is_char_boundary(shared) {
        shared -= 1;
    }
    put_varint(out, shared as u64);
    put_text(out, value.get(shared..).unwrap_or_default());
    match postings {
        PostingsAt::Inline(bytes) => {
            put_varint(out, bytes.len() as u64 * 2);
            out.extend_from_slice(bytes);
        }
        PostingsAt::Unit(place) => {
            put_varint(out, u64::from(place.len) * 2 + 1);
            put_varint(out, place.offset);
        }
    }
}

/// Calls `each` with every value of a group and where its postings are.
pub(crate) fn read_values(
    payload: &[u8],
    mut each: impl FnMut(&str, PostingsAt<'_>),
) -> Result<(), Malformed> {
    let mut cursor = Cursor(payload);
    let mut value = String::new();
    let mut count = 0;
    while !cursor.is_empty() {
        let shared = usize::try_from(cursor.varint()?).map_err(|_| Malformed)?;
        if !value.is_char_boundary(shared) {
            return Err(Malformed);
        }
        value.truncate(shared);
        value.push_str(cursor.text()?);
        let size = cursor.varint()?;
        let len = u32::try_from(size / 2).map_err(|_| Malformed)?;
        if size % 2 == 0 {
            if len as usize > INLINE_POSTINGS {
                return Err(Malformed);
            }
            each(&value, PostingsAt::Inline(cursor.bytes(len as usize)?));
        } else {
            each(&value, PostingsAt::Unit(Place { offset: cursor.varint()?, len }));
        }
        count += 1;
    }
    if count > GROUP { Err(Malformed) } else { Ok(()) }
}

/// Writes a group of series.
pub(crate) fn put_series(group: &[SeriesEntry], out: &mut Vec<u8>) {
    // Chunks lie in the order of their series: most are where the one before ends.
    let mut end = 0_u64;
    for series in group {
        put_varint(out, series.labels.len() as u64);
        for (name, value) in &series.labels {
            put_varint(out, u64::from(*name));
            put_varint(out, u64::from(*value));
        }
        put_varint(out, series.chunks.len() as u64);
        let mut last = 0_i64;
        for chunk in &series.chunks {
            out.push(KIND_FLOATS);
            put_signed(out, chunk.first.wrapping_sub(last));
            put_varint(out, chunk.last.abs_diff(chunk.first));
            put_varint(out, u64::from(chunk.count));
            put_varint(out, chunk.times.offset);
            put_varint(out, u64::from(chunk.times.len));
            put_signed(out, chunk.values.offset.wrapping_sub(end).cast_signed());
            put_varint(out, u64::from(chunk.values.len));
            last = chunk.last;
            end = chunk.values.offset + u64::from(chunk.values.len);
        }
    }
}

/// Reads a group of series.
pub(crate) fn take_series(payload: &[u8]) -> Result<Vec<SeriesEntry>, Malformed> {
    let mut cursor = Cursor(payload);
    let mut group = Vec::with_capacity(GROUP);
    let mut end = 0_u64;
    while !cursor.is_empty() {
        let labels = (0..cursor.count()?)
            .map(|_| Ok((cursor.small()?, cursor.small()?)))
            .collect::<Result<Vec<_>, Malformed>>()?;
        let count = cursor.count()?;
        let mut chunks = Vec::with_capacity(count.min(64));
        let mut last = 0_i64;
        for _ in 0..count {
            if cursor.u8()? != KIND_FLOATS {
                return Err(Malformed);
            }
            let first = last.wrapping_add(cursor.signed()?);
            last = first.checked_add_unsigned(cursor.varint()?).ok_or(Malformed)?;
            let count = cursor.small()?;
            let times = Place { offset: cursor.varint()?, len: cursor.small()? };
            let offset = end.wrapping_add_signed(cursor.signed()?);
            let values = Place { offset, len: cursor.small()? };
            end = offset.wrapping_add(u64::from(values.len));
            chunks.push(ChunkRef { first, last, count, times, values });
        }
        group.push(SeriesEntry { labels, chunks });
    }
    if group.len() > GROUP { Err(Malformed) } else { Ok(group) }
}

fn put_place(place: Place, out: &mut Vec<u8>) {
    put_varint(out, place.offset);
    put_varint(out, u64::from(place.len));
}

fn take_place(cursor: &mut Cursor<'_>) -> Result<Place, Malformed> {
    Ok(Place { offset: cursor.varint()?, len: cursor.small()? })
}

impl Directory {
    /// The directory as bytes.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        put_text(out, &self.tenant);
        out.push(self.level);
        put_varint(out, self.seq);
        for time in [self.window_start, self.window_end, self.min_time, self.max_time] {
            put_signed(out, time);
        }
        for number in [self.series, self.samples, self.flushed_lsn, self.chunks_len] {
            put_varint(out, number);
        }
        out.extend_from_slice(&self.chunks_crc.to_le_bytes());
        put_varint(out, self.names.len() as u64);
        for entry in &self.names {
            put_text(out, &entry.name);
            put_varint(out, entry.values);
            put_varint(out, entry.groups.len() as u64);
            for (first, place) in &entry.groups {
                put_text(out, first);
                put_place(*place, out);
            }
        }
        put_varint(out, self.series_groups.len() as u64);
        self.series_groups.iter().for_each(|place| put_place(*place, out));
    }

    /// Reads what [`Directory::write`] wrote.
    pub(crate) fn read(payload: &[u8]) -> Result<Self, Malformed> {
        let mut cursor = Cursor(payload);
        let mut directory = Self {
            tenant: cursor.text()?.to_owned(),
            level: cursor.u8()?,
            seq: cursor.varint()?,
            window_start: cursor.signed()?,
            window_end: cursor.signed()?,
            min_time: cursor.signed()?,
            max_time: cursor.signed()?,
            series: cursor.varint()?,
            samples: cursor.varint()?,
            flushed_lsn: cursor.varint()?,
            chunks_len: cursor.varint()?,
            chunks_crc: cursor.u32()?,
            ..Self::default()
        };
        for _ in 0..cursor.count()? {
            let name: Arc<str> = Arc::from(cursor.text()?);
            let values = cursor.varint()?;
            let groups = (0..cursor.count()?)
                .map(|_| Ok((Box::from(cursor.text()?), take_place(&mut cursor)?)))
                .collect::<Result<Vec<_>, Malformed>>()?;
            directory.names.push(NameEntry { name, values, groups });
        }
        for _ in 0..cursor.count()? {
            directory.series_groups.push(take_place(&mut cursor)?);
        }
        if cursor.is_empty() { Ok(directory) } else { Err(Malformed) }
    }
}

/// For fuzzers: reads `data` as every unit there is.
pub(crate) fn fuzz_one(data: &[u8]) {
    let _ = take_postings(data, u64::from(u32::MAX), &mut Vec::new());
    let _ = read_values(data, |_, _| {});
    let _ = take_series(data);
    let _ = Directory::read(data);
}
