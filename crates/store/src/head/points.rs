//! The samples of one series since the last flush: a few raw, the rest in sealed chunks, stragglers apart.

use metrics::chunk;
use metrics::sample::Sample;

/// Raw samples are sealed into a chunk once there are this many.
const SEAL_AT: usize = 16;
/// Bytes before each sealed chunk: its length, its first and its last time.
const PIECE_HEADER: usize = 20;

/// Samples of one series.
#[derive(Debug, Default)]
pub(super) struct Points {
    /// Sealed chunks one after the other, each behind a header of [`PIECE_HEADER`] bytes, ascending.
    sealed: Vec<u8>,
    /// Samples newer than all sealed ones, ascending.
    open: Vec<Sample>,
    /// Samples that came out of order, ascending, at times that the others do not have.
    late: Vec<Sample>,
    /// How many samples are sealed.
    sealed_count: u32,
}

/// A sealed chunk.
struct Piece<'a> {
    first: i64,
    last: i64,
    chunk: &'a [u8],
}

impl Points {
    /// How many samples there are.
    pub(super) fn len(&self) -> usize {
        self.sealed_count as usize + self.open.len() + self.late.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes held on the heap.
    pub(super) fn bytes(&self) -> usize {
        self.sealed.capacity() + (self.open.capacity() + self.late.capacity()) * size_of::<Sample>()
    }

    /// Adds a sample that is newer than all others.
    pub(super) fn push(&mut self, sample: Sample) {
        if self.open.len() >= SEAL_AT {
            self.seal();
        }
        self.open.push(sample);
    }

    /// Adds a sample at a time that no other has.
    pub(super) fn insert(&mut self, sample: Sample) {
        let at = self.late.partition_point(|other| other.t < sample.t);
        self.late.insert(at, sample);
    }

    /// The value at `t`, if there is one.
    pub(super) fn at(&self, t: i64) -> Option<f64> {
        let find = |samples: &[Sample]| {
            let at = samples.binary_search_by_key(&t, |sample| sample.t).ok()?;
            samples.get(at).map(|sample| sample.v)
        };
        find(&self.open).or_else(|| find(&self.late)).or_else(|| {
            let piece = self.pieces().find(|piece| piece.first <= t && t <= piece.last)?;
            let mut samples = Vec::with_capacity(SEAL_AT);
            chunk::decode(piece.chunk, &mut samples).ok()?;
            find(&samples)
        })
    }

    /// Appends the samples within `start..=end` to `out`, ascending.
    pub(super) fn read(&self, start: i64, end: i64, out: &mut Vec<Sample>) {
        let from = out.len();
        let inside = |sample: &&Sample| start <= sample.t && sample.t <= end;
        let mut samples = Vec::new();
        for piece in self.pieces().filter(|piece| piece.first <= end && start <= piece.last) {
            samples.clear();
            // What this process encoded a moment ago decodes; see the codec's property tests.
            if chunk::decode(piece.chunk, &mut samples).is_ok() {
                out.extend(samples.iter().filter(inside));
            }
        }
        out.extend(self.open.iter().filter(inside));
        let ordered = out.len();
        out.extend(self.late.iter().filter(inside));
        if let Some(read) = out.get_mut(from..)
            && (ordered - from < read.len() || !read.is_sorted_by_key(|sample| sample.t))
        {
            read.sort_by_key(|sample| sample.t);
        }
    }

    /// Takes over what `newer` holds.
    pub(super) fn absorb(&mut self, newer: Self) {
        if self.is_empty() {
            *self = newer;
            return;
        }
        // The newer chunks come after this open part in time.
        if !newer.sealed.is_empty() && !self.open.is_empty() {
            self.seal();
        }
        self.sealed.extend_from_slice(&newer.sealed);
        self.sealed_count += newer.sealed_count;
        self.open.extend_from_slice(&newer.open);
        for sample in newer.late {
            self.insert(sample);
        }
    }

    fn seal(&mut self) {
        let (Some(first), Some(last)) = (self.open.first(), self.open.last()) else { return };
        let start = self.sealed.len();
        self.sealed.extend_from_slice(&[0; 4]);
        self.sealed.extend_from_slice(&first.t.to_le_bytes());
        self.sealed.extend_from_slice(&last.t.to_le_bytes());
        // At most a handful of samples: far below the codec's limit, the only error there is.
        for part in self.open.chunks(chunk::MAX_SAMPLES) {
            let _ = chunk::encode(part, &mut self.sealed);
        }
        let length = (self.sealed.len() - start - PIECE_HEADER) as u32;
        if let Some(slot) = self.sealed.get_mut(start..start + 4) {
            slot.copy_from_slice(&length.to_le_bytes());
        }
        self.sealed_count += self.open.len() as u32;
        self.open.clear();
    }

    fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        let mut rest = crate::cursor::Cursor(&self.sealed);
        std::iter::from_fn(move || {
            let length = rest.u32().ok()? as usize;
            let first = rest.u64().ok()?.cast_signed();
            let last = rest.u64().ok()?.cast_signed();
            Some(Piece { first, last, chunk: rest.bytes(length).ok()? })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(t: i64) -> Sample {
        Sample { t, v: t as f64 / 10.0 }
    }

    #[test]
    fn sealed_open_and_late_samples_read_as_one() {
        let mut points = Points::default();
        (0..100).filter(|t| t % 7 != 0).for_each(|t| points.push(sample(t * 10)));
        (0..100).rev().filter(|t| t % 7 == 0).for_each(|t| points.insert(sample(t * 10)));
        let mut newer = Points::default();
        (100..140).for_each(|t| newer.push(sample(t * 10)));
        points.absorb(newer);
        assert_eq!(points.len(), 140);
        let mut all = Vec::new();
        points.read(i64::MIN, i64::MAX, &mut all);
        assert_eq!(all, (0..140).map(|t| sample(t * 10)).collect::<Vec<_>>());
        let mut some = Vec::new();
        points.read(195, 1010, &mut some);
        assert_eq!(some, (20..=101).map(|t| sample(t * 10)).collect::<Vec<_>>());
        for t in 0..140 {
            assert_eq!(points.at(t * 10), Some(t as f64), "{t}");
            assert_eq!(points.at(t * 10 + 1), None);
        }
    }
}
