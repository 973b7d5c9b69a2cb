//! The head: active series and their samples since the last flush, in shards that are locked one at a time.
//!
//! A flush turns the *generation*: what was there before is frozen, series by series as somebody touches them, written out,
//! and dropped once its block is published. Invariant: a sample is in the head, in a published block, or for a moment in
//! both; readers look at the head first.

mod index;
mod points;
mod shard;

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use kernel::{Labels, Timestamp};
use metrics::sample::{Sample, SeriesBatch};
use metrics::source::Matcher;
use parking_lot::Mutex;

use crate::options::Options;
use crate::port::{Appended, Cardinality, Rejected, Rejection};
use crate::wal::batch::BatchWriter;
use shard::{Shard, Taken};

/// At most this many shards, whatever the machine.
const MAX_SHARDS: usize = 16;
/// How many series a flush freezes before it lets appenders in again.
const FREEZE_STEP: u32 = 512;

/// Active series and their recent samples.
pub(crate) struct Head {
    shards: Box<[Mutex<Shard>]>,
    hasher: foldhash::quality::RandomState,
    next_id: AtomicU64,
    active: AtomicU64,
    bytes: AtomicU64,
    samples: AtomicU64,
    oldest: AtomicI64,
    oldest_frozen: AtomicI64,
    newest: AtomicI64,
}

/// Where a series is in the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    shard: u32,
    slot: u32,
}

/// What applying a batch gave.
pub(crate) struct Applied {
    pub appended: Appended,
    /// Series whose labels the log is told for the first time in this epoch.
    pub defined: Vec<(Place, u64)>,
}

/// Bounds that samples are judged by, in milliseconds.
struct Bounds {
    oldest: i64,
    ahead: i64,
    ahead_ms: u64,
    window: i64,
}

// === impl Head ===

impl Head {
    pub(crate) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let shards = (cores * 2).next_power_of_two().min(MAX_SHARDS);
        Self {
            shards: (0..shards).map(|_| Mutex::default()).collect(),
            hasher: foldhash::quality::RandomState::default(),
            next_id: AtomicU64::new(1),
            active: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            samples: AtomicU64::new(0),
            oldest: AtomicI64::new(i64::MAX),
            oldest_frozen: AtomicI64::new(i64::MAX),
            newest: AtomicI64::new(i64::MIN),
        }
    }

    /// Active series.
    pub(crate) fn series(&self) -> u64 {
        self.active.load(Ordering::Relaxed)
    }

    /// Bytes of memory held.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Samples held.
    pub(crate) fn samples(&self) -> u64 {
        self.samples.load(Ordering::Relaxed)
    }

    /// The oldest time held, if there is any.
    pub(crate) fn oldest(&self) -> Option<i64> {
        let oldest = self.oldest.load(Ordering::Relaxed).min(self.oldest_frozen.load(Ordering::Relaxed));
        (oldest < i64::MAX).then_some(oldest)
    }

    /// The newest time ever taken, if there is any.
    pub(crate) fn newest(&self) -> Option<i64> {
        let newest = self.newest.load(Ordering::Relaxed);
        (newest > i64::MIN).then_some(newest)
    }

    /// Judges and takes `batch`, and writes what it took to `log`.
    pub(crate) fn apply(
        &self,
        batch: &[SeriesBatch],
        now: Timestamp,
        options: &Options,
        epoch: u32,
        log: &mut BatchWriter,
    ) -> Applied {
        let bounds = Bounds::new(now, options);
        let mut applied = Applied { appended: Appended::default(), defined: Vec::new() };
        let mut by_shard: Vec<Vec<(u64, &SeriesBatch)>> = vec![Vec::new(); self.shards.len()];
        for series in batch.iter().filter(|series| !series.samples.is_empty()) {
            if let Err(reason) = check_labels(&series.labels, options) {
                applied.appended.reject(&series.labels, series.samples.len() as u64, reason);
                continue;
            }
            // A series none of whose samples can be taken must not become active.
            if !series.samples.iter().any(|sample| bounds.judge(sample.t).is_ok()) {
                applied.appended.reject_all(series, &bounds);
                continue;
            }
            let hash = self.hash(&series.labels);
            if let Some(list) = by_shard.get_mut(self.shard_of(hash)) {
                list.push((hash, series));
            }
        }
        let mut accepted = Vec::new();
        for ((number, shard), list) in (0_u32..).zip(&self.shards).zip(by_shard) {
            if list.is_empty() {
                continue;
            }
            let mut shard = shard.lock();
            let before = (shard.bytes as u64, shard.samples);
            for (hash, series) in list {
                let Some(slot) = self.find_or_add(&mut shard, hash, &series.labels, options) else {
                    let reason = Rejection::TooManySeries { limit: options.limits.series };
                    applied.appended.reject(&series.labels, series.samples.len() as u64, reason);
                    continue;
                };
                accepted.clear();
                self.take(&mut shard, slot, series, &bounds, &mut accepted, &mut applied.appended);
                applied.appended.samples += accepted.len() as u64;
                let Some(active) = shard.get(slot).filter(|_| !accepted.is_empty()) else { continue };
                if active.defined_in != epoch {
                    log.define(active.id, &active.labels);
                    applied.defined.push((Place { shard: number, slot }, active.id));
                }
                log.begin(active.id, accepted.len());
                accepted.iter().for_each(|sample| log.sample(*sample));
            }
            self.account(before, &shard);
        }
        applied
    }

    /// Makes a series active, if it is not, and says where it is.
    pub(crate) fn activate(&self, labels: &Labels) -> Place {
        let hash = self.hash(labels);
        let number = self.shard_of(hash);
        let slot = self.shards.get(number).map_or(0, |shard| {
            let mut shard = shard.lock();
            let before = (shard.bytes as u64, shard.samples);
            let slot = shard.find(hash, labels).unwrap_or_else(|| self.add(&mut shard, hash, labels));
            self.account(before, &shard);
            slot
        });
        Place { shard: number as u32, slot }
    }

    /// Takes samples that the log gives back; nothing but an exact time twice is refused. Gives how many are new.
    pub(crate) fn restore(&self, place: Place, samples: &[Sample]) -> u64 {
        let Some(shard) = self.shards.get(place.shard as usize) else { return 0 };
        let mut shard = shard.lock();
        let before = (shard.bytes as u64, shard.samples);
        let mut taken = 0;
        shard.take(place.slot, samples, i64::MAX, |sample, outcome| {
            taken += u64::from(matches!(outcome, Taken::New));
            self.note_time(sample.t);
        });
        self.account(before, &shard);
        taken
    }

    /// Notes that the labels of these series are durable in `epoch`.
    pub(crate) fn defined(&self, places: &[(Place, u64)], epoch: u32) {
        for group in places.chunk_by(|(a, _), (b, _)| a.shard == b.shard) {
            let Some(shard) = group.first().and_then(|(place, _)| self.shards.get(place.shard as usize))
            else {
                continue;
            };
            let mut shard = shard.lock();
            for (place, id) in group {
                shard.defined(place.slot, *id, epoch);
            }
        }
    }

    /// Every series that satisfies `matchers`, with its samples within `start..=end` appended to a vector of its own. Stops
    /// early when `each` answers false.
    pub(crate) fn select(
        &self,
        matchers: &[Matcher],
        start: i64,
        end: i64,
        mut each: impl FnMut(&Labels, Vec<Sample>) -> bool,
    ) {
        for shard in &self.shards {
            let shard = shard.lock();
            for slot in shard.matching(matchers) {
                let mut samples = Vec::new();
                shard.read(slot, start, end, &mut samples);
                if let Some(series) = shard.get(slot).filter(|_| !samples.is_empty())
                    && !each(&series.labels, samples)
                {
                    return;
                }
            }
        }
    }

    /// The labels of every series that satisfies `matchers` and has samples in the head within `start..=end`.
    pub(crate) fn series_matching(
        &self,
        matchers: &[Matcher],
        start: i64,
        end: i64,
        mut each: impl FnMut(&Labels),
    ) {
        let overlaps = self.oldest().is_some_and(|oldest| oldest <= end);
        if !overlaps {
            return;
        }
        for shard in &self.shards {
            let shard = shard.lock();
            for slot in shard.matching(matchers) {
                if let Some(series) = shard.get(slot).filter(|series| series.may_have(start)) {
                    each(&series.labels);
                }
            }
        }
    }

    /// Calls `each` with every value of `name`, possibly twice, when the head may have samples within `start..=end`.
    pub(crate) fn visit_values(&self, name: &str, start: i64, end: i64, mut each: impl FnMut(&str)) {
        let overlaps = self.oldest().is_some_and(|oldest| oldest <= end);
        if overlaps && self.newest().is_some_and(|newest| newest >= start) {
            for shard in &self.shards {
                shard.lock().visit_values(name, &mut each);
            }
        }
    }

    /// Begins a new generation. The caller keeps appenders away.
    pub(crate) fn turn(&self) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            shard.generation = shard.generation.wrapping_add(1);
        }
        let oldest = self.oldest.swap(i64::MAX, Ordering::Relaxed);
        self.oldest_frozen.fetch_min(oldest, Ordering::Relaxed);
    }

    /// Freezes all that is older than this generation; gives where it is, sorted by labels.
    pub(crate) fn freeze(&self) -> Vec<(Labels, Place)> {
        let mut frozen = Vec::new();
        for (number, shard) in (0_u32..).zip(&self.shards) {
            let mut from = 0;
            loop {
                let mut shard = shard.lock();
                let until = shard.slots().min(from + FREEZE_STEP);
                let before = (shard.bytes as u64, shard.samples);
                for slot in from..until {
                    frozen.extend(shard.freeze(slot).map(|labels| (labels, Place { shard: number, slot })));
                }
                self.account(before, &shard);
                if until == shard.slots() {
                    break;
                }
                from = until;
            }
        }
        frozen.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        frozen
    }

    /// Appends what is frozen at `place` to `out`, ascending.
    pub(crate) fn read_frozen(&self, place: Place, out: &mut Vec<Sample>) {
        if let Some(shard) = self.shards.get(place.shard as usize) {
            shard.lock().read_frozen(place.slot, out);
        }
    }

    /// Drops what is frozen: it is in published blocks.
    pub(crate) fn thaw(&self, frozen: &[(Labels, Place)]) {
        for (_, place) in frozen {
            if let Some(shard) = self.shards.get(place.shard as usize) {
                let mut shard = shard.lock();
                let before = (shard.bytes as u64, shard.samples);
                shard.thaw(place.slot);
                self.account(before, &shard);
            }
        }
        self.oldest_frozen.store(i64::MAX, Ordering::Relaxed);
    }

    /// Forgets series that have no samples in the head and none newer than `before`; gives how many.
    pub(crate) fn forget(&self, before: i64) -> u64 {
        let mut forgotten = 0;
        for shard in &self.shards {
            let mut shard = shard.lock();
            let figures = (shard.bytes as u64, shard.samples);
            let here = shard.forget(before);
            self.active.fetch_sub(here, Ordering::Relaxed);
            forgotten += here;
            self.account(figures, &shard);
        }
        forgotten
    }

    /// Where series come from.
    pub(crate) fn cardinality(&self, limit: usize) -> Cardinality {
        let mut pairs: HashMap<(String, String), u64> = HashMap::new();
        for shard in &self.shards {
            shard.lock().visit(|name, value, series| {
                *pairs.entry((name.to_owned(), value.to_owned())).or_default() += series as u64;
            });
        }
        let mut values: HashMap<&str, (u64, u64)> = HashMap::new();
        for (name, value) in pairs.keys() {
            let (count, bytes) = values.entry(name).or_default();
            *count += 1;
            *bytes += value.len() as u64;
        }
        let metrics = pairs.iter().filter(|((name, _), _)| name == kernel::METRIC_NAME);
        Cardinality {
            series: self.series(),
            label_pairs: pairs.len() as u64,
            series_by_metric: top(metrics.map(|((_, value), count)| (value.clone(), *count)), limit),
            values_by_label: top(values.iter().map(|(name, (count, _))| ((*name).to_owned(), *count)), limit),
            bytes_by_label: top(values.iter().map(|(name, (_, bytes))| ((*name).to_owned(), *bytes)), limit),
            series_by_pair: top(pairs.iter().map(|((n, v), count)| (format!("{n}={v}"), *count)), limit),
        }
    }

    fn hash(&self, labels: &Labels) -> u64 {
        self.hasher.hash_one(labels)
    }

    fn shard_of(&self, hash: u64) -> usize {
        // The low bits choose a place in the shard's table.
        (hash >> 48) as usize % self.shards.len()
    }

    fn find_or_add(&self, shard: &mut Shard, hash: u64, labels: &Labels, options: &Options) -> Option<u32> {
        shard
            .find(hash, labels)
            .or_else(|| (self.series() < options.limits.series).then(|| self.add(shard, hash, labels)))
    }

    fn add(&self, shard: &mut Shard, hash: u64, labels: &Labels) -> u32 {
        self.active.fetch_add(1, Ordering::Relaxed);
        shard.add(hash, labels, self.next_id.fetch_add(1, Ordering::Relaxed))
    }

    fn take(
        &self,
        shard: &mut Shard,
        slot: u32,
        series: &SeriesBatch,
        bounds: &Bounds,
        accepted: &mut Vec<Sample>,
        appended: &mut Appended,
    ) {
        let (mut first, mut last) = (i64::MAX, i64::MIN);
        for sample in &series.samples {
            if let Err(reason) = bounds.judge(sample.t) {
                appended.reject(&series.labels, 1, reason);
                continue;
            }
            shard.take(slot, std::slice::from_ref(sample), bounds.window, |sample, taken| match taken {
                // A repeat is logged again: the first time may have failed after the head took it.
                Taken::New | Taken::Repeat => {
                    accepted.push(sample);
                    first = first.min(sample.t);
                    last = last.max(sample.t);
                }
                Taken::Refused(reason) => appended.reject(&series.labels, 1, reason),
            });
        }
        if first <= last {
            self.note_time(first);
            self.note_time(last);
        }
    }

    fn note_time(&self, t: i64) {
        if t < self.oldest.load(Ordering::Relaxed) {
            self.oldest.fetch_min(t, Ordering::Relaxed);
        }
        if t > self.newest.load(Ordering::Relaxed) {
            self.newest.fetch_max(t, Ordering::Relaxed);
        }
    }

    /// Carries a shard's changed figures over to the head's.
    fn account(&self, (bytes, samples): (u64, u64), shard: &Shard) {
        let carry = |total: &AtomicU64, before: u64, after: u64| {
            if after >= before {
                total.fetch_add(after - before, Ordering::Relaxed);
            } else {
                total.fetch_sub(before - after, Ordering::Relaxed);
            }
        };
        carry(&self.bytes, bytes, shard.bytes as u64);
        carry(&self.samples, samples, shard.samples);
    }
}

// === impl Bounds ===

impl Bounds {
    fn new(now: Timestamp, options: &Options) -> Self {
        let oldest = options.retention.map_or(i64::MIN, |retention| (now - retention).as_millis());
        let window = i64::try_from(options.out_of_order_window.as_millis()).unwrap_or(i64::MAX);
        let ahead = (now + options.limits.ahead).as_millis();
        Self { oldest, ahead, ahead_ms: options.limits.ahead.as_millis(), window }
    }

    fn judge(&self, t: i64) -> Result<(), Rejection> {
        if t < self.oldest {
            return Err(Rejection::BeyondRetention { t, oldest: self.oldest });
        }
        if t > self.ahead {
            return Err(Rejection::TooFarAhead { t, allowed_ms: self.ahead_ms });
        }
        Ok(())
    }
}

// === impl Appended ===

impl Appended {
    fn reject_all(&mut self, series: &SeriesBatch, bounds: &Bounds) {
        for sample in &series.samples {
            if let Err(reason) = bounds.judge(sample.t) {
                self.reject(&series.labels, 1, reason);
            }
        }
    }

    /// Notes samples that were not taken; a series' samples refused for the same cause are one entry.
    fn reject(&mut self, labels: &Labels, samples: u64, reason: Rejection) {
        if let Some(last) = self.rejected.last_mut()
            && last.labels == *labels
            && std::mem::discriminant(&last.reason) == std::mem::discriminant(&reason)
        {
            last.samples += samples;
            return;
        }
        self.rejected.push(Rejected { labels: labels.clone(), samples, reason });
    }
}

/// Whether a series' labels are within the limits.
fn check_labels(labels: &Labels, options: &Options) -> Result<(), Rejection> {
    let limits = &options.limits;
    if labels.is_empty() {
        return Err(Rejection::NoLabels);
    }
    if labels.len() > limits.labels_per_series {
        return Err(Rejection::TooManyLabels { labels: labels.len(), limit: limits.labels_per_series });
    }
    for (name, value) in labels.iter() {
        if name.len() > limits.name_bytes {
            let beginning = name.chars().take(40).collect();
            return Err(Rejection::NameTooLong {
                name: beginning,
                bytes: name.len(),
                limit: limits.name_bytes,
            });
        }
        if value.len() > limits.value_bytes {
            return Err(Rejection::ValueTooLong {
                name: name.to_owned(),
                bytes: value.len(),
                limit: limits.value_bytes,
            });
        }
    }
    Ok(())
}

/// The largest entries first, equal ones by name.
fn top(entries: impl Iterator<Item = (String, u64)>, limit: usize) -> Vec<(String, u64)> {
    let mut entries: Vec<_> = entries.collect();
    entries.sort_unstable_by(|(a, x), (b, y)| y.cmp(x).then_with(|| a.cmp(b)));
    entries.truncate(limit);
    entries
}
