//! What can be read off a histogram: quantiles, fractions, variance, and cutting it at a value.
//!
//! Within a bucket, observations are taken as spread exponentially for exponential schemas and evenly for custom bounds
//! and the zero bucket. Source: <https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile>.

use std::sync::Arc;

use super::bounds::Bucket;
use super::{Buckets, Histogram};

/// A quantile and what NaN observations did to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantile {
    /// The estimate.
    pub value: f64,
    /// NaN observations made the result NaN.
    pub nan_result: bool,
    /// NaN observations shifted the result up.
    pub nan_skew: bool,
}

// === impl Histogram ===

impl Histogram {
    /// The `q`-quantile; below 0 it is −∞, above 1 it is +∞, NaN for NaN or without observations.
    pub fn quantile(&self, q: f64) -> Quantile {
        let plain = |value| Quantile { value, nan_result: false, nan_skew: false };
        if q < 0.0 {
            return plain(f64::NEG_INFINITY);
        }
        if q > 1.0 {
            return plain(f64::INFINITY);
        }
        if self.count == 0.0 || q.is_nan() {
            return plain(f64::NAN);
        }
        // From the near end, for precision; from below when NaN observations make the total unreliable.
        let forward = self.sum.is_nan() || q < 0.5;
        let rank = if forward { q * self.count } else { (1.0 - q) * self.count };
        let mut buckets = self.all_buckets();
        if !forward {
            buckets.reverse();
        }
        let mut bucket = open(0.0, 0.0, 0.0);
        let mut seen = 0.0;
        for b in buckets.iter().filter(|b| b.count != 0.0) {
            bucket = *b;
            seen += b.count;
            if seen >= rank {
                break;
            }
        }
        if self.is_custom() {
            if bucket.lower == f64::NEG_INFINITY {
                if bucket.upper <= 0.0 {
                    return plain(bucket.upper);
                }
                bucket.lower = 0.0;
            } else if bucket.upper == f64::INFINITY {
                return plain(bucket.lower);
            }
        } else {
            self.bias_zero_bucket(&mut bucket);
        }
        seen = seen.min(self.count);
        if seen < rank && self.sum.is_nan() {
            return Quantile { value: f64::NAN, nan_result: true, nan_skew: false };
        }
        let value = if seen < rank {
            if forward { bucket.upper } else { bucket.lower }
        } else {
            let within = if forward { rank - (seen - bucket.count) } else { seen - rank };
            self.interpolate(&bucket, within / bucket.count)
        };
        Quantile { value, nan_result: false, nan_skew: self.sum.is_nan() }
    }

    /// The share of all observations between `lower` and `upper`. NaN for NaN borders or without observations.
    pub fn fraction(&self, lower: f64, upper: f64) -> f64 {
        if self.count == 0.0 || lower.is_nan() || upper.is_nan() {
            return f64::NAN;
        }
        if lower >= upper {
            return 0.0;
        }
        let buckets = self.all_buckets();
        let total = if self.sum.is_nan() { buckets.iter().map(|b| b.count).sum() } else { self.count };
        let (mut rank, mut below_lower, mut below_upper) = (0.0, None, None);
        for bucket in &buckets {
            let mut bucket = *bucket;
            self.bias_zero_bucket(&mut bucket);
            if self.is_custom() && bucket.lower == f64::NEG_INFINITY && bucket.upper > 0.0 {
                bucket.lower = 0.0;
            }
            for (border, found) in [(lower, &mut below_lower), (upper, &mut below_upper)] {
                if found.is_some() {
                    continue;
                }
                if bucket.lower >= border {
                    *found = Some(rank);
                } else if bucket.upper > border {
                    *found = Some(rank + bucket.count * self.share_below(&bucket, border));
                }
            }
            if below_lower.is_some() && below_upper.is_some() {
                break;
            }
            rank += bucket.count;
        }
        let below = |found: Option<f64>| found.map_or(total, |rank| rank.min(total));
        (below(below_upper) - below(below_lower)) / self.count
    }

    /// The variance of the observations, each taken at the middle of its bucket.
    pub fn variance(&self) -> f64 {
        let mean = self.sum / self.count;
        let sum: f64 = self
            .all_buckets()
            .iter()
            .filter(|b| b.count != 0.0)
            .map(|b| {
                let delta = self.middle(b) - mean;
                b.count * delta * delta
            })
            .sum();
        sum / self.count
    }

    /// Only the observations below `cut` (or above it), a straddling bucket split by interpolation. The sum is estimated
    /// from the middles of what is left, unless nothing is cut.
    #[must_use]
    pub fn trimmed(&self, cut: f64, keep_below: bool) -> Self {
        let mut sum = 0.0;
        let mut cut_any = false;
        let mut keep = |bucket: Bucket| {
            let (kept, position) = self.part(bucket, cut, keep_below);
            cut_any |= kept != bucket.count;
            if kept != 0.0 {
                sum += kept * position;
            }
            kept
        };
        let side = |buckets: &Buckets, negative: bool, keep: &mut dyn FnMut(Bucket) -> f64| {
            Buckets::from_indexed(
                buckets
                    .iter()
                    .map(|(index, count)| {
                        let (lower, upper) = self.bucket_borders(index);
                        let (lower, upper) = if negative { (-upper, -lower) } else { (lower, upper) };
                        (index, keep(open(lower, upper, count)))
                    })
                    .collect::<Vec<_>>(),
            )
        };
        let negative = side(&self.negative, true, &mut keep);
        let mut zero = open(-self.zero_threshold, self.zero_threshold, self.zero_count);
        self.bias_zero_bucket(&mut zero);
        let zero_count = if self.zero_count == 0.0 { 0.0 } else { keep(zero) };
        let positive = side(&self.positive, false, &mut keep);
        if !cut_any {
            return self.clone();
        }
        let count = zero_count + positive.counts.iter().chain(&negative.counts).sum::<f64>();
        let custom_bounds = Arc::clone(&self.custom_bounds);
        Self { zero_count, count, sum, positive, negative, custom_bounds, ..*self }
    }

    /// How much of `bucket` is on the kept side of `cut`, and where those observations are taken to be.
    fn part(&self, bucket: Bucket, cut: f64, keep_below: bool) -> (f64, f64) {
        match (bucket.lower.is_finite(), bucket.upper.is_finite()) {
            (true, true) => self.finite_part(bucket, cut, keep_below),
            (false, false) => {
                let all = if keep_below { f64::INFINITY } else { f64::NEG_INFINITY };
                (if cut == all { bucket.count } else { 0.0 }, 0.0)
            }
            (true, false) => {
                // Above the last bound nothing is known but that bound: all or nothing.
                let kept = if keep_below { cut == f64::INFINITY } else { cut < f64::INFINITY };
                (
                    if kept { bucket.count } else { 0.0 },
                    bucket.lower.max(if keep_below { bucket.lower } else { cut }),
                )
            }
            (false, true) => self.first_part(bucket, cut, keep_below),
        }
    }

    fn finite_part(&self, bucket: Bucket, cut: f64, keep_below: bool) -> (f64, f64) {
        let (inside, outside) = if keep_below {
            (bucket.upper <= cut, bucket.lower >= cut)
        } else {
            (bucket.lower >= cut, bucket.upper <= cut)
        };
        if inside {
            return (bucket.count, self.middle(&bucket));
        }
        if outside {
            return (0.0, 0.0);
        }
        let linear = self.is_linear(&bucket);
        let below = self.share_below(&bucket, cut);
        if keep_below {
            (bucket.count * below, middle(bucket.lower, cut, linear))
        } else {
            (bucket.count * (1.0 - below), middle(cut, bucket.upper, linear))
        }
    }

    /// The bucket below the first custom bound has no lower border: with a positive bound it is taken to start at zero,
    /// otherwise all of it is kept or dropped.
    fn first_part(&self, mut bucket: Bucket, cut: f64, keep_below: bool) -> (f64, f64) {
        if cut == f64::NEG_INFINITY {
            return (if keep_below { 0.0 } else { bucket.count }, bucket.upper);
        }
        if bucket.upper > 0.0 {
            if !keep_below && cut < 0.0 {
                return (0.0, 0.0);
            }
            bucket.lower = 0.0;
            return self.finite_part(bucket, cut, keep_below);
        }
        (if keep_below { bucket.count } else { 0.0 }, bucket.upper.min(cut))
    }

    /// A zero bucket of a histogram with observations on one side only holds values of that side.
    fn bias_zero_bucket(&self, bucket: &mut Bucket) {
        if self.is_custom() || !(bucket.lower <= 0.0 && bucket.upper >= 0.0) {
            return;
        }
        match (self.negative.counts.is_empty(), self.positive.counts.is_empty()) {
            (true, false) => bucket.lower = 0.0,
            (false, true) => bucket.upper = 0.0,
            _ => {}
        }
    }

    fn is_linear(&self, bucket: &Bucket) -> bool {
        self.is_custom() || (bucket.lower <= 0.0 && bucket.upper >= 0.0)
    }

    /// The value below which `share` of the bucket lies.
    fn interpolate(&self, bucket: &Bucket, share: f64) -> f64 {
        if self.is_linear(bucket) {
            return bucket.lower + (bucket.upper - bucket.lower) * share;
        }
        let (lower, upper) = (bucket.lower.abs().log2(), bucket.upper.abs().log2());
        if bucket.lower > 0.0 {
            (lower + (upper - lower) * share).exp2()
        } else {
            -(upper + (lower - upper) * (1.0 - share)).exp2()
        }
    }

    /// The share of the bucket below `value`, which lies inside it.
    fn share_below(&self, bucket: &Bucket, value: f64) -> f64 {
        if self.is_linear(bucket) {
            if bucket.lower == f64::NEG_INFINITY {
                return 1.0;
            }
            if bucket.upper == f64::INFINITY {
                return 0.0;
            }
            return (value - bucket.lower) / (bucket.upper - bucket.lower);
        }
        let (lower, upper, v) = (bucket.lower.abs().log2(), bucket.upper.abs().log2(), value.abs().log2());
        if value > 0.0 { (v - lower) / (upper - lower) } else { 1.0 - (v - upper) / (lower - upper) }
    }

    /// Where a bucket's observations are taken to be: the geometric mean of its borders, the arithmetic one for custom
    /// and zero buckets. A bucket without end is taken at its finite border.
    fn middle(&self, bucket: &Bucket) -> f64 {
        match (bucket.lower.is_finite(), bucket.upper.is_finite()) {
            (true, true) => middle(bucket.lower, bucket.upper, self.is_linear(bucket)),
            (true, false) => bucket.lower,
            (false, true) => bucket.upper,
            (false, false) => 0.0,
        }
    }
}

/// A bucket of which only the borders matter.
fn open(lower: f64, upper: f64, count: f64) -> Bucket {
    Bucket { lower, upper, lower_closed: false, upper_closed: false, count }
}

/// The arithmetic mean of two borders for a `linear` bucket, else the geometric one.
fn middle(lower: f64, upper: f64, linear: bool) -> f64 {
    if linear {
        return f64::midpoint(lower, upper);
    }
    let mean = (lower * upper).sqrt();
    if upper < 0.0 { -mean } else { mean }
}
