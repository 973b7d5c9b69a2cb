//! Where buckets begin and end, and walking through all of a histogram's buckets in order of value.

use super::{Buckets, CUSTOM_BUCKETS_SCHEMA, Histogram};

/// A bucket with its borders.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// Lower border.
    pub lower: f64,
    /// Upper border.
    pub upper: f64,
    /// Whether an observation of exactly `lower` is in it.
    pub lower_closed: bool,
    /// Whether an observation of exactly `upper` is in it.
    pub upper_closed: bool,
    /// Observations in it.
    pub count: f64,
}

/// The upper border of bucket `index` in an exponential `schema`. The last finite bucket ends at `f64::MAX`.
pub fn exponential_bound(index: i32, schema: i32) -> f64 {
    // 2^(index / 2^schema), as a fraction in [1, 2) times a power of two.
    let (exponent, fraction) = if schema <= 0 {
        (i64::from(index) << schema.unsigned_abs().min(31), 0.0)
    } else {
        let schema = schema.min(31);
        let below = i64::from(index) & ((1 << schema) - 1);
        #[allow(clippy::cast_precision_loss, reason = "at most 31 bits")]
        let fraction = below as f64 / f64::from(1u32 << schema);
        (i64::from(index) >> schema, fraction)
    };
    if exponent == 1024 && fraction == 0.0 {
        return f64::MAX;
    }
    let exponent = i32::try_from(exponent.clamp(-1100, 1100)).unwrap_or(0);
    fraction.exp2() * 2f64.powi(exponent)
}

/// The index a bucket gets when the resolution falls from `from` to `to`.
pub(super) fn coarser_index(index: i32, from: i32, to: i32) -> i32 {
    ((index - 1) >> (from - to).clamp(0, 31)) + 1
}

// === impl Histogram ===

impl Histogram {
    /// The borders of a positive bucket.
    pub fn bucket_borders(&self, index: i32) -> (f64, f64) {
        if self.schema == CUSTOM_BUCKETS_SCHEMA {
            let bound = |i: i32| usize::try_from(i).ok().map(|i| self.custom_bounds.get(i).copied());
            let lower = bound(index - 1).flatten().unwrap_or(f64::NEG_INFINITY);
            let upper = bound(index).flatten().unwrap_or(f64::INFINITY);
            return (lower, upper);
        }
        (exponential_bound(index.saturating_sub(1), self.schema), exponential_bound(index, self.schema))
    }

    /// All buckets from the lowest value to the highest: negative ones (they include their lower border), the zero bucket
    /// when it counts anything, positive ones (they include their upper border). Borders inside the zero bucket are moved
    /// to its edge.
    pub fn all_buckets(&self) -> Vec<Bucket> {
        let mut all = Vec::with_capacity(self.positive.counts.len() + self.negative.counts.len() + 1);
        for (index, count) in self.negative.iter() {
            let (lower, upper) = self.bucket_borders(index);
            let (lower, upper) = (-upper, -lower.max(self.zero_threshold));
            all.push(Bucket { lower, upper, lower_closed: true, upper_closed: false, count });
        }
        all.reverse();
        if self.zero_count > 0.0 {
            let (lower, upper) = (-self.zero_threshold, self.zero_threshold);
            all.push(Bucket { lower, upper, lower_closed: true, upper_closed: true, count: self.zero_count });
        }
        for (index, count) in self.positive.iter() {
            let (mut lower, upper) = self.bucket_borders(index);
            if !self.is_custom() {
                lower = lower.max(self.zero_threshold);
            }
            let lower_closed = self.is_custom() && index == 0;
            all.push(Bucket { lower, upper, lower_closed, upper_closed: true, count });
        }
        all
    }
}

// === impl Buckets ===

impl Buckets {
    /// Index and count of each bucket, empty ones included.
    pub fn iter(&self) -> impl Iterator<Item = (i32, f64)> + '_ {
        let mut next: i32 = 0;
        let indices = self.spans.iter().flat_map(move |span| {
            let start = next.saturating_add(span.offset);
            next = start.saturating_add(i32::try_from(span.length).unwrap_or(i32::MAX));
            start..next
        });
        indices.zip(self.counts.iter().copied())
    }

    /// From ascending indices. Empty buckets are left out.
    pub fn from_indexed(buckets: impl IntoIterator<Item = (i32, f64)>) -> Self {
        let mut made = Self::default();
        let mut next: i32 = 0;
        for (index, count) in buckets {
            if count == 0.0 {
                continue;
            }
            match made.spans.last_mut() {
                Some(span) if index == next => span.length += 1,
                _ => made.spans.push(super::BucketSpan { offset: index.wrapping_sub(next), length: 1 }),
            }
            made.counts.push(count);
            next = index.saturating_add(1);
        }
        made
    }

    /// True when no bucket counts anything.
    pub fn is_empty(&self) -> bool {
        self.counts.iter().all(|c| *c == 0.0)
    }

    /// The same buckets with empty ones left out.
    #[must_use]
    pub fn compacted(&self) -> Self {
        Self::from_indexed(self.iter())
    }

    /// Each count through `f`.
    #[must_use]
    pub fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        Self { spans: self.spans.clone(), counts: self.counts.iter().map(|c| f(*c)).collect() }
    }

    /// Both merged, counts combined by `f` (a bucket missing on one side counts zero). Empty results are left out.
    pub(super) fn merged(&self, other: &Self, f: impl Fn(f64, f64) -> f64) -> Self {
        if self.spans == other.spans {
            let counts: Vec<f64> = self.counts.iter().zip(&other.counts).map(|(a, b)| f(*a, *b)).collect();
            if counts.iter().all(|c| *c != 0.0) {
                return Self { spans: self.spans.clone(), counts };
            }
        }
        let (mut left, mut right) = (self.iter().peekable(), other.iter().peekable());
        let merged = std::iter::from_fn(|| {
            let index = match (left.peek(), right.peek()) {
                (None, None) => return None,
                (Some((a, _)), None) => *a,
                (None, Some((b, _))) => *b,
                (Some((a, _)), Some((b, _))) => (*a).min(*b),
            };
            let (a, b) = (at_index(&mut left, index), at_index(&mut right, index));
            Some((index, f(a, b)))
        });
        Self::from_indexed(merged)
    }

    /// Each bucket moved to `f(index)`, which must not fall; buckets that meet are added up.
    pub(super) fn reindexed(&self, f: impl Fn(i32) -> i32) -> Self {
        let mut moved: Vec<(i32, f64)> = Vec::with_capacity(self.counts.len());
        for (index, count) in self.iter() {
            let index = f(index);
            match moved.last_mut() {
                Some((last, sum)) if *last == index => *sum += count,
                _ => moved.push((index, count)),
            }
        }
        Self::from_indexed(moved)
    }
}

/// The count at `index` if the next bucket is that one, else zero.
fn at_index(side: &mut std::iter::Peekable<impl Iterator<Item = (i32, f64)>>, index: i32) -> f64 {
    side.next_if(|(i, _)| *i == index).map_or(0.0, |(_, count)| count)
}
