//! A part of the head: the series whose labels hash to it, behind one lock.

use std::collections::HashMap;

use kernel::Labels;
use metrics::sample::Sample;
use metrics::source::Matcher;

use crate::head::index::Index;
use crate::head::points::Points;
use crate::matching;
use crate::port::Rejection;

/// Bytes of a series beside labels and samples: itself, its slot, its place in the table.
const SERIES_BYTES: usize = size_of::<ActiveSeries>() + 32;

/// A series with recent samples.
#[derive(Debug)]
pub(super) struct ActiveSeries {
    pub(super) labels: Labels,
    hash: u64,
    /// Its name in the write-ahead log.
    pub(super) id: u64,
    /// The log's epoch in which its labels were last written; 0 for never.
    pub(super) defined_in: u32,
    /// The generation that `current` belongs to.
    generation: u32,
    /// Its newest sample's time since it became active.
    newest: i64,
    current: Points,
    /// What a flush is writing out.
    frozen: Option<Box<Points>>,
}

/// What became of a sample.
pub(super) enum Taken {
    /// It is new.
    New,
    /// The same sample is there already.
    Repeat,
    /// It is refused.
    Refused(Rejection),
}

/// A shard of the head.
#[derive(Debug, Default)]
pub(super) struct Shard {
    slots: Vec<Option<Box<ActiveSeries>>>,
    /// Hash of labels → slots with that hash, nearly always one.
    by_hash: HashMap<u64, smallvec::SmallVec<[u32; 2]>, PassThrough>,
    index: Index,
    pub(super) generation: u32,
    pub(super) bytes: usize,
    pub(super) samples: u64,
    pub(super) active: u64,
}

/// The keys are hashes already.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PassThrough;

/// See [`PassThrough`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PassedHash(u64);

impl std::hash::BuildHasher for PassThrough {
    type Hasher = PassedHash;
    fn build_hasher(&self) -> PassedHash {
        PassedHash(0)
    }
}

impl std::hash::Hasher for PassedHash {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

impl ActiveSeries {
    /// Moves `current` to `frozen` when it is of an older generation.
    fn turn(&mut self, generation: u32) {
        if self.generation == generation {
            return;
        }
        self.generation = generation;
        if self.current.is_empty() {
            return;
        }
        let older = std::mem::take(&mut self.current);
        match &mut self.frozen {
            Some(frozen) => frozen.absorb(older),
            none => *none = Some(Box::new(older)),
        }
    }

    /// Whether it holds samples of which some may be at or after `start`.
    pub(super) fn may_have(&self, start: i64) -> bool {
        self.newest >= start && (!self.current.is_empty() || self.frozen.is_some())
    }

    fn bytes(&self) -> usize {
        self.current.bytes() + self.frozen.as_ref().map_or(0, |frozen| size_of::<Points>() + frozen.bytes())
    }

    fn take(&mut self, sample: Sample, window: i64) -> Taken {
        if sample.t > self.newest {
            self.newest = sample.t;
            self.current.push(sample);
            return Taken::New;
        }
        let there = self.current.at(sample.t).or_else(|| self.frozen.as_ref().and_then(|f| f.at(sample.t)));
        match there {
            Some(value) if value.to_bits() == sample.v.to_bits() => Taken::Repeat,
            Some(_) => Taken::Refused(Rejection::Duplicate { t: sample.t }),
            None if self.newest.saturating_sub(sample.t) > window => Taken::Refused(Rejection::TooOld {
                t: sample.t,
                newest: self.newest,
                window_ms: window.unsigned_abs(),
            }),
            None => {
                self.current.insert(sample);
                Taken::New
            }
        }
    }
}

impl Shard {
    /// The slot of the series, if it is active.
    pub(super) fn find(&self, hash: u64, labels: &Labels) -> Option<u32> {
        let slots = self.by_hash.get(&hash)?;
        slots.iter().copied().find(|slot| self.get(*slot).is_some_and(|series| series.labels == *labels))
    }

    /// Makes a series active and gives its slot.
    pub(super) fn add(&mut self, hash: u64, labels: &Labels, id: u64) -> u32 {
        let slot = self.slots.len() as u32;
        let (labels, label_bytes) = self.index.intern(labels);
        self.bytes += label_bytes + self.index.add(slot, &labels) + SERIES_BYTES;
        self.by_hash.entry(hash).or_default().push(slot);
        self.active += 1;
        self.slots.push(Some(Box::new(ActiveSeries {
            labels,
            hash,
            id,
            defined_in: 0,
            generation: self.generation,
            newest: i64::MIN,
            current: Points::default(),
            frozen: None,
        })));
        slot
    }

    pub(super) fn get(&self, slot: u32) -> Option<&ActiveSeries> {
        self.slots.get(slot as usize)?.as_deref()
    }

    /// Gives `sample` to the series in `slot`; a gap of more than `window` milliseconds to its newest is refused.
    pub(super) fn take(
        &mut self,
        slot: u32,
        samples: &[Sample],
        window: i64,
        mut each: impl FnMut(Sample, Taken),
    ) {
        let generation = self.generation;
        let Some(series) = self.slots.get_mut(slot as usize).and_then(|slot| slot.as_deref_mut()) else {
            return;
        };
        let before = series.bytes();
        series.turn(generation);
        for sample in samples {
            let taken = series.take(*sample, window);
            if matches!(taken, Taken::New) {
                self.samples += 1;
            }
            each(*sample, taken);
        }
        self.bytes = (self.bytes + series.bytes()).saturating_sub(before);
    }

    /// Notes that the labels of the series are in the log.
    pub(super) fn defined(&mut self, slot: u32, id: u64, epoch: u32) {
        if let Some(Some(series)) = self.slots.get_mut(slot as usize)
            && series.id == id
        {
            series.defined_in = epoch;
        }
    }

    /// The slots of the series that satisfy `matchers`.
    pub(super) fn matching(&self, matchers: &[Matcher]) -> Vec<u32> {
        match matching::resolve(&self.index, matchers) {
            Ok(slots) => slots,
            Err(never) => match never {},
        }
    }

    /// Appends the series' samples within `start..=end` to `out`, ascending.
    pub(super) fn read(&self, slot: u32, start: i64, end: i64, out: &mut Vec<Sample>) {
        let Some(series) = self.get(slot) else { return };
        let from = out.len();
        if let Some(frozen) = &series.frozen {
            frozen.read(start, end, out);
        }
        let middle = out.len();
        series.current.read(start, end, out);
        // A straggler that came during a flush lies before what is being flushed.
        if middle > from
            && let Some(read) = out.get_mut(from..)
            && !read.is_sorted_by_key(|sample| sample.t)
        {
            read.sort_by_key(|sample| sample.t);
        }
    }

    /// How many slots there are, empty ones included.
    pub(super) fn slots(&self) -> u32 {
        self.slots.len() as u32
    }

    /// Freezes the series in `slot` if it is of an older generation; gives its labels when it has frozen samples.
    pub(super) fn freeze(&mut self, slot: u32) -> Option<Labels> {
        let generation = self.generation;
        let series = self.slots.get_mut(slot as usize)?.as_deref_mut()?;
        let before = series.bytes();
        series.turn(generation);
        self.bytes = (self.bytes + series.bytes()).saturating_sub(before);
        series.frozen.is_some().then(|| series.labels.clone())
    }

    /// Appends what is frozen of the series to `out`, ascending.
    pub(super) fn read_frozen(&self, slot: u32, out: &mut Vec<Sample>) {
        if let Some(frozen) = self.get(slot).and_then(|series| series.frozen.as_ref()) {
            frozen.read(i64::MIN, i64::MAX, out);
        }
    }

    /// Drops what is frozen of the series: it is in a block now.
    pub(super) fn thaw(&mut self, slot: u32) {
        let Some(series) = self.slots.get_mut(slot as usize).and_then(|slot| slot.as_deref_mut()) else {
            return;
        };
        if let Some(frozen) = series.frozen.take() {
            self.bytes = self.bytes.saturating_sub(size_of::<Points>() + frozen.bytes());
            self.samples = self.samples.saturating_sub(frozen.len() as u64);
        }
    }

    /// Forgets series without samples whose newest is before `before`; gives how many.
    pub(super) fn forget(&mut self, before: i64) -> u64 {
        let mut dead = HashMap::new();
        for (slot, held) in (0_u32..).zip(&mut self.slots) {
            let idle = held
                .as_ref()
                .is_some_and(|s| s.newest < before && s.current.is_empty() && s.frozen.is_none());
            if idle && let Some(series) = held.take() {
                if let Some(slots) = self.by_hash.get_mut(&series.hash) {
                    slots.retain(|other| *other != slot);
                    if slots.is_empty() {
                        self.by_hash.remove(&series.hash);
                    }
                }
                self.bytes =
                    self.bytes.saturating_sub(SERIES_BYTES + series.bytes() + 16 + series.labels.len() * 36);
                dead.insert(slot, series.labels);
            }
        }
        let forgotten = dead.len() as u64;
        if forgotten > 0 {
            self.active -= forgotten;
            self.index.remove(&dead);
            drop(dead);
            self.bytes = self.bytes.saturating_sub(self.index.sweep());
        }
        forgotten
    }

    /// Calls `each` with every value of `name`.
    pub(super) fn visit_values(&self, name: &str, each: impl FnMut(&str)) {
        self.index.visit_values(name, each);
    }

    /// Calls `each` with every name, value and number of series.
    pub(super) fn visit(&self, each: impl FnMut(&str, &str, usize)) {
        self.index.visit(each);
    }
}
