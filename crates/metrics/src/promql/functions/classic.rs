//! Classic histograms: cumulative buckets, each its own series.
//!
//! Source: <https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile>.

/// A cumulative bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bucket {
    /// Its `le`.
    pub upper: f64,
    /// Observations up to it.
    pub count: f64,
}

/// What had to be corrected because a bucket counted less than a smaller one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Forced {
    pub min_bucket: f64,
    pub max_bucket: f64,
    pub max_diff: f64,
}

/// Relative differences up to this are rounding, and corrected without a word.
const ROUNDING: f64 = 1e-12;

/// The `q`-quantile, and what was corrected on the way.
pub(crate) fn quantile(q: f64, buckets: Vec<Bucket>) -> (f64, Option<Forced>) {
    if q.is_nan() {
        return (f64::NAN, None);
    }
    if q < 0.0 {
        return (f64::NEG_INFINITY, None);
    }
    if q > 1.0 {
        return (f64::INFINITY, None);
    }
    let Some((buckets, forced)) = prepared(buckets) else { return (f64::NAN, None) };
    let (Some(last), true) = (buckets.last(), buckets.len() >= 2) else { return (f64::NAN, forced) };
    if last.count == 0.0 || last.count.is_nan() {
        return (f64::NAN, forced);
    }
    let rank = q * last.count;
    let b = buckets.iter().take(buckets.len() - 1).position(|b| b.count >= rank);
    let Some(b) = b else {
        // In the bucket without end: its lower border is the best that can be said.
        let below = buckets.len().checked_sub(2).and_then(|i| buckets.get(i));
        return (below.map_or(f64::NAN, |b| b.upper), forced);
    };
    let before = b.checked_sub(1).and_then(|i| buckets.get(i)).copied();
    let Some(bucket) = buckets.get(b) else { return (f64::NAN, forced) };
    let value = match before {
        None if bucket.upper <= 0.0 => bucket.upper,
        None => bucket.upper * (rank / bucket.count),
        Some(before) => {
            let share = (rank - before.count) / (bucket.count - before.count);
            before.upper + (bucket.upper - before.upper) * share
        }
    };
    (value, forced)
}

/// The share of observations between two values.
pub(crate) fn fraction(lower: f64, upper: f64, buckets: Vec<Bucket>) -> f64 {
    let Some((buckets, _)) = prepared(buckets) else { return f64::NAN };
    let Some(total) = buckets.last().map(|b| b.count) else { return f64::NAN };
    if total == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    (below(&buckets, upper).min(total) - below(&buckets, lower).min(total)) / total
}

/// How many observations are below `value`, spread evenly within buckets.
fn below(buckets: &[Bucket], value: f64) -> f64 {
    let mut rank = 0.0;
    let mut border = None;
    for bucket in buckets {
        let from = border.unwrap_or(if bucket.upper > 0.0 { 0.0 } else { f64::NEG_INFINITY });
        if from >= value {
            return rank;
        }
        if bucket.upper > value {
            // A bucket without end has no middle: all of it counts above its finite border.
            if from == f64::NEG_INFINITY {
                return bucket.count;
            }
            if bucket.upper == f64::INFINITY {
                return rank;
            }
            return rank + (bucket.count - rank) * (value - from) / (bucket.upper - from);
        }
        rank = bucket.count;
        border = Some(bucket.upper);
    }
    rank
}

/// Sorted by bound, equal bounds added up, never falling. `None` without a bucket up to +Inf.
fn prepared(mut buckets: Vec<Bucket>) -> Option<(Vec<Bucket>, Option<Forced>)> {
    buckets.sort_by(|a, b| a.upper.total_cmp(&b.upper));
    if buckets.last()?.upper != f64::INFINITY {
        return None;
    }
    let mut merged: Vec<Bucket> = Vec::with_capacity(buckets.len());
    for bucket in buckets {
        match merged.last_mut() {
            Some(last) if last.upper == bucket.upper => last.count += bucket.count,
            _ => merged.push(bucket),
        }
    }
    let forced = force_monotonic(&mut merged);
    Some((merged, forced))
}

fn force_monotonic(buckets: &mut [Bucket]) -> Option<Forced> {
    let mut forced: Option<Forced> = None;
    let mut previous = buckets.first()?.count;
    for bucket in buckets.iter_mut().skip(1) {
        if bucket.count == previous {
            continue;
        }
        if almost_equal(previous, bucket.count) {
            bucket.count = previous;
        } else if bucket.count < previous {
            let diff = previous - bucket.count;
            let found = forced.get_or_insert(Forced {
                min_bucket: bucket.upper,
                max_bucket: bucket.upper,
                max_diff: diff,
            });
            found.max_bucket = bucket.upper;
            found.max_diff = found.max_diff.max(diff);
            bucket.count = previous;
        } else {
            previous = bucket.count;
        }
    }
    forced
}

fn almost_equal(a: f64, b: f64) -> bool {
    let (difference, sum) = ((a - b).abs(), a.abs() + b.abs());
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < ROUNDING * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < ROUNDING
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(pairs: &[(f64, f64)]) -> Vec<Bucket> {
        pairs.iter().map(|(upper, count)| Bucket { upper: *upper, count: *count }).collect()
    }

    #[test]
    fn quantiles_of_cumulative_buckets() {
        let three = buckets(&[(f64::INFINITY, 10.0), (1.0, 4.0), (2.0, 8.0)]);
        for (q, expected) in [(0.2, 0.5), (0.6, 1.5), (0.99, 2.0), (1.1, f64::INFINITY)] {
            assert_eq!(quantile(q, three.clone()), (expected, None), "{q}");
        }
        assert!(quantile(0.5, buckets(&[(1.0, 3.0)])).0.is_nan());
        let (value, forced) = quantile(0.5, buckets(&[(1.0, 4.0), (2.0, 3.0), (f64::INFINITY, 8.0)]));
        assert_eq!(value, 1.0);
        assert_eq!(forced, Some(Forced { min_bucket: 2.0, max_bucket: 2.0, max_diff: 1.0 }));
        assert_eq!(fraction(0.5, 1.5, three), 0.4);
    }
}
