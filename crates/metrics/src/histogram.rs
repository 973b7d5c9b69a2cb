//! Native histograms: exponential ones (schemas −4 to 8) and those with custom buckets (schema −53), always with float
//! counts. Bucket counts are absolute, never deltas. What is not here: codecs (the chunk and wire formats) and PromQL.
//!
//! Source of the model: <https://prometheus.io/docs/specs/native_histograms/>. Bucket `i` of an exponential schema `s`
//! is `(2^(2^-s · (i−1)), 2^(2^-s · i)]`; bucket `i` of a custom schema is `(bound[i−1], bound[i]]`.

mod arithmetic;
mod bounds;
mod compensated;
mod estimate;

use std::sync::Arc;

use crate::number::format_g;
use crate::sample::is_stale;

pub use arithmetic::{Combined, IncompatibleSchemas};
pub use bounds::{Bucket, exponential_bound};
pub use compensated::CompensatedHistogram;
pub use estimate::Quantile;

/// The schema number that says "custom buckets".
pub const CUSTOM_BUCKETS_SCHEMA: i32 = -53;
/// The coarsest exponential schema: each bucket's bound is 65,536 times the previous one.
pub const MIN_EXPONENTIAL_SCHEMA: i32 = -4;
/// The finest exponential schema: 256 buckets per power of two.
pub const MAX_EXPONENTIAL_SCHEMA: i32 = 8;

/// A run of consecutive buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BucketSpan {
    /// Buckets skipped since the end of the previous span; for the first span, its bucket index.
    pub offset: i32,
    /// How many buckets follow.
    pub length: u32,
}

/// One side's buckets: where they are and how much each counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Buckets {
    /// Runs of buckets; their lengths sum up to `counts.len()`.
    pub spans: Vec<BucketSpan>,
    /// A count per bucket, absolute.
    pub counts: Vec<f64>,
}

/// What is known about a counter reset between this histogram and the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResetHint {
    /// Nothing: compare the two.
    #[default]
    Unknown,
    /// There was one.
    Reset,
    /// There was none.
    NotReset,
    /// It is a gauge: resets mean nothing.
    Gauge,
}

/// One native histogram.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// Resolution, or [`CUSTOM_BUCKETS_SCHEMA`].
    pub schema: i32,
    /// Observations with an absolute value up to this are in the zero bucket.
    pub zero_threshold: f64,
    /// What the zero bucket counts.
    pub zero_count: f64,
    /// All observations, NaN ones included.
    pub count: f64,
    /// The sum of all observations; the stale NaN marks the end of a series.
    pub sum: f64,
    /// Buckets of positive observations, or all of them with a custom schema.
    pub positive: Buckets,
    /// Buckets of negative observations, indexed by absolute value.
    pub negative: Buckets,
    /// Upper bounds of custom buckets, ascending, without the final +Inf. Empty for exponential schemas.
    pub custom_bounds: Arc<[f64]>,
    /// What is known of a reset before this one.
    pub reset_hint: ResetHint,
}

/// A histogram at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramSample {
    /// Milliseconds since the epoch.
    pub t: i64,
    /// The value.
    pub h: Arc<Histogram>,
}

// === impl Histogram ===

impl Default for Histogram {
    fn default() -> Self {
        Self {
            schema: 0,
            zero_threshold: 0.0,
            zero_count: 0.0,
            count: 0.0,
            sum: 0.0,
            positive: Buckets::default(),
            negative: Buckets::default(),
            custom_bounds: Arc::from([]),
            reset_hint: ResetHint::Unknown,
        }
    }
}

impl Histogram {
    /// True when its buckets have custom bounds.
    pub fn is_custom(&self) -> bool {
        self.schema == CUSTOM_BUCKETS_SCHEMA
    }

    /// True for the marker that ends a series.
    pub fn is_stale(&self) -> bool {
        is_stale(self.sum)
    }
}

impl std::fmt::Display for Histogram {
    /// `{count:3, sum:6, (1,2]:3}`, as Prometheus prints histograms; empty buckets are left out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{{count:{}, sum:{}", format_g(self.count), format_g(self.sum))?;
        for bucket in self.all_buckets().iter().filter(|b| b.count != 0.0) {
            let open = if bucket.lower_closed { '[' } else { '(' };
            let close = if bucket.upper_closed { ']' } else { ')' };
            let [lower, upper, count] = [bucket.lower, bucket.upper, bucket.count].map(format_g);
            write!(f, ", {open}{lower},{upper}{close}:{count}")?;
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests;
