//! Reading the log back after a stop of any kind.
//!
//! A record that cannot be read is *torn* when nothing readable follows it in the newest segment: it was being written, was
//! never acknowledged, and is cut off. Anywhere else it is *damage*: it is reported with its place, and reading goes on at
//! the next readable record. Records carry the number that was durable when they were made, which tells whether damage
//! may have hit something acknowledged.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::disk;
use crate::port::StoreError;
use crate::wal::record::{self, Record, Unreadable};
use crate::wal::{SEGMENT_HEADER, segment_header};

/// Something stored that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file, relative to the store's folder.
    pub file: String,
    /// The first byte that is affected.
    pub offset: u64,
    /// How many bytes are affected, as far as is known.
    pub bytes: u64,
    /// What is wrong.
    pub what: String,
    /// Whether acknowledged samples may be lost by it.
    pub acknowledged: bool,
}

/// What the log held.
#[derive(Debug, Default)]
pub(crate) struct Replayed {
    /// The last number seen, or the one to start after.
    pub last_lsn: u64,
    /// Records handed on.
    pub records: u64,
    /// Bytes cut off the end.
    pub torn_bytes: u64,
    pub damaged: Vec<Damage>,
    /// The segments, oldest first, with the last number in each.
    pub segments: Vec<(PathBuf, u64)>,
}

/// Gives every record numbered above `after` to `each`, in order, and cuts off a torn end.
pub(crate) fn replay(
    dir: &Path,
    after: u64,
    mut each: impl FnMut(Record<'_>) -> Result<(), StoreError>,
) -> Result<Replayed, StoreError> {
    let names = segments(dir, after)?;
    let mut replayed = Replayed { last_lsn: after, ..Replayed::default() };
    for (at, name) in names.iter().enumerate() {
        let path = dir.join(name);
        let mut bytes = Vec::new();
        File::open(&path)
            .and_then(|mut file| file.read_to_end(&mut bytes))
            .map_err(|e| disk::failed(&path, &e))?;
        let newest = at + 1 == names.len();
        let mut segment = Segment { name, bytes: &bytes, newest };
        let keep = segment.read(&mut replayed, &mut each)?;
        if keep < bytes.len() as u64 {
            replayed.torn_bytes += bytes.len() as u64 - keep;
            cut(&path, keep)?;
        }
        if keep > 0 {
            replayed.segments.push((path, replayed.last_lsn));
        }
    }
    Ok(replayed)
}

/// The names of the segments that may hold records above `after`, in order; the others are deleted.
fn segments(dir: &Path, after: u64) -> Result<Vec<String>, StoreError> {
    let mut names = disk::names(dir)?;
    names.retain(|name| first_lsn(name).is_some());
    let mut keep = Vec::with_capacity(names.len());
    for (at, name) in names.iter().enumerate() {
        let next = names.get(at + 1).and_then(|next| first_lsn(next));
        if next.is_some_and(|next| next <= after.saturating_add(1)) {
            let path = dir.join(name);
            fs::remove_file(&path).map_err(|e| disk::failed(&path, &e))?;
        } else {
            keep.push(name.clone());
        }
    }
    Ok(keep)
}

/// The number in a segment's name.
fn first_lsn(name: &str) -> Option<u64> {
    name.strip_suffix(".wal")?.parse().ok()
}

/// One segment's bytes.
struct Segment<'a> {
    name: &'a str,
    bytes: &'a [u8],
    newest: bool,
}

impl Segment<'_> {
    /// Hands on the records, and gives the length to keep.
    fn read(
        &mut self,
        replayed: &mut Replayed,
        each: &mut impl FnMut(Record<'_>) -> Result<(), StoreError>,
    ) -> Result<u64, StoreError> {
        let mut at = SEGMENT_HEADER as usize;
        if !self.header_is_sound() {
            match self.next_record(0, replayed.last_lsn) {
                Some((found, _)) => {
                    self.report(replayed, 0, found.min(at), "the segment's header is damaged", false);
                }
                None if self.newest => return Ok(0),
                None => {
                    self.report(replayed, 0, self.bytes.len(), "no record of the segment is readable", true);
                    return Ok(self.bytes.len() as u64);
                }
            }
        }
        while let Some(rest) = self.bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let what = match record::read(rest) {
                Ok((record, length)) => {
                    at += length;
                    if record.lsn > replayed.last_lsn {
                        replayed.last_lsn = record.lsn;
                        replayed.records += 1;
                        each(record)?;
                    }
                    continue;
                }
                Err(Unreadable::Torn) => "the record's end is missing",
                Err(Unreadable::Damaged(what)) => what,
            };
            match self.next_record(at + 1, replayed.last_lsn) {
                Some((found, durable)) => {
                    self.report(replayed, at, found, what, durable > replayed.last_lsn);
                    at = found;
                }
                None if self.newest => return Ok(at as u64),
                None => {
                    self.report(replayed, at, self.bytes.len(), what, true);
                    break;
                }
            }
        }
        Ok(self.bytes.len() as u64)
    }

    fn header_is_sound(&self) -> bool {
        self.bytes
            .get(..SEGMENT_HEADER as usize)
            .and_then(|header| header.get(8..16))
            .and_then(|lsn| lsn.first_chunk::<8>())
            .is_some_and(|lsn| self.bytes.starts_with(&segment_header(u64::from_le_bytes(*lsn))))
    }

    /// The place of the next readable record numbered above `lsn`, and the highest durable number that any record from there
    /// on states.
    fn next_record(&self, from: usize, lsn: u64) -> Option<(usize, u64)> {
        let mut at = from;
        let mut first = None;
        let mut durable = 0;
        while let Some(rest) = self.bytes.get(at..) {
            let Some(found) = rest.windows(4).position(|window| window == record::MAGIC) else { break };
            at += found;
            match self.bytes.get(at..).map(record::read) {
                Some(Ok((record, length))) if record.lsn > lsn => {
                    first.get_or_insert(at);
                    durable = durable.max(record.durable);
                    at += length;
                }
                _ => at += 1,
            }
        }
        first.map(|first| (first, durable))
    }

    fn report(&self, replayed: &mut Replayed, from: usize, to: usize, what: &str, acknowledged: bool) {
        replayed.damaged.push(Damage {
            file: format!("wal/{}", self.name),
            offset: from as u64,
            bytes: to.saturating_sub(from) as u64,
            what: what.to_owned(),
            acknowledged,
        });
    }
}

/// Cuts a segment to `keep` bytes, or removes it when nothing is left.
fn cut(path: &Path, keep: u64) -> Result<(), StoreError> {
    let cut = if keep == 0 {
        fs::remove_file(path)
    } else {
        OpenOptions::new().write(true).open(path).and_then(|file| {
            file.set_len(keep)?;
            file.sync_all()
        })
    };
    cut.map_err(|e| disk::failed(path, &e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wal::record::{Kind, Prepared};
    use crate::wal::{segment_header, segment_name};

    /// A segment of records with these numbers and durable numbers; gives the place of each.
    fn segment(dir: &Path, records: &[(u64, u64)]) -> Vec<usize> {
        let first = records[0].0;
        let mut bytes = segment_header(first);
        let places = records
            .iter()
            .map(|(lsn, durable)| {
                let at = bytes.len();
                Prepared::new(Kind::Floats, vec![*lsn as u8; 40]).write(*lsn, *durable, &mut bytes);
                at
            })
            .collect();
        fs::write(dir.join(segment_name(first)), bytes).unwrap();
        places
    }

    fn garble(dir: &Path, first: u64, at: usize) {
        let path = dir.join(segment_name(first));
        let mut bytes = fs::read(&path).unwrap();
        bytes[at] ^= 0x10;
        fs::write(path, bytes).unwrap();
    }

    /// The numbers read, and for each damage whether it may be of something acknowledged.
    fn read(dir: &Path, after: u64) -> (Vec<u64>, Vec<(String, u64, bool)>, u64) {
        let mut seen = Vec::new();
        let replayed = replay(dir, after, |record| {
            seen.push(record.lsn);
            Ok(())
        })
        .unwrap();
        let damaged = replayed.damaged.into_iter().map(|d| (d.file, d.offset, d.acknowledged)).collect();
        (seen, damaged, replayed.torn_bytes)
    }

    #[test]
    fn damage_is_told_from_a_torn_end_and_from_what_was_never_acknowledged() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        segment(dir, &[(1, 0), (2, 1), (3, 2)]);
        // 5 and 6 were one group; 7 was made when 5 was durable.
        let places = segment(dir, &[(4, 3), (5, 4), (6, 4), (7, 5)]);
        let name = format!("wal/{}", segment_name(4));
        assert_eq!(read(dir, 0), ((1..=7).collect(), vec![], 0));
        assert_eq!(read(dir, 5), (vec![6, 7], vec![], 0));
        assert!(!dir.join(segment_name(1)).exists(), "all of it was flushed");

        garble(dir, 4, places[2] + 35);
        // 6 is lost, and 7 does not say that it had been durable.
        assert_eq!(read(dir, 3), (vec![4, 5, 7], vec![(name.clone(), places[2] as u64, false)], 0));
        garble(dir, 4, places[1] + 9);
        assert_eq!(read(dir, 3), (vec![4, 7], vec![(name, places[1] as u64, true)], 0));

        // The last one: it cannot be told from a record that was being written, and is cut off.
        garble(dir, 4, places[3] + 20);
        let (seen, damaged, torn) = read(dir, 3);
        assert_eq!((seen, damaged.len()), (vec![4], 0));
        assert!(torn > 0);
        assert_eq!(fs::metadata(dir.join(segment_name(4))).unwrap().len(), places[1] as u64);
    }

    #[test]
    fn a_segment_without_a_readable_record_is_removed_when_new_and_reported_when_not() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        fs::write(dir.join(segment_name(1)), b"MST").unwrap();
        assert_eq!(read(dir, 0), (vec![], vec![], 3));
        assert!(!dir.join(segment_name(1)).exists());
        fs::write(dir.join(segment_name(1)), vec![0; 100]).unwrap();
        segment(dir, &[(4, 3)]);
        let (seen, damaged, torn) = read(dir, 0);
        assert_eq!((seen, torn), (vec![4], 0));
        assert_eq!(damaged, vec![(format!("wal/{}", segment_name(1)), 0, true)]);
    }
}
