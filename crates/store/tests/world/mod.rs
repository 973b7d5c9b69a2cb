//! What the store's tests share: folders, series and a fixed now.
#![allow(dead_code, clippy::unwrap_used, reason = "only tests use this, and each its part")]

use kernel::{Labels, Timestamp};
use metrics::sample::{Sample, SeriesBatch};
use metrics::source::{MatchOp, Matcher, Selection, Series, SeriesSource, SourceError};

/// 2026-11-23T00:00:00Z in milliseconds: the start of a day, and of a window of any level.
pub const DAY: i64 = 1_795_392_000_000;
pub const MINUTE: i64 = 60_000;
pub const HOUR: i64 = 60 * MINUTE;

pub fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

/// `name{id="…"}`.
pub fn labels(name: &str, id: usize) -> Labels {
    Labels::new([("__name__", name.to_owned()), ("id", id.to_string()), ("job", "test".to_owned())]).unwrap()
}

pub fn batch(labels: Labels, samples: &[(i64, f64)]) -> SeriesBatch {
    SeriesBatch { labels, samples: samples.iter().map(|(t, v)| Sample { t: *t, v: *v }).collect() }
}

pub fn matcher(name: &str, op: MatchOp, value: &str) -> Matcher {
    Matcher::new(name, op, value).unwrap()
}

pub fn named(name: &str) -> Vec<Matcher> {
    vec![matcher("__name__", MatchOp::Equal, name)]
}

/// Everything that satisfies `matchers`, whatever its time.
pub fn all(source: &dyn SeriesSource, matchers: &[Matcher]) -> Vec<Series> {
    select(source, matchers, i64::MIN, i64::MAX).unwrap()
}

pub fn select(
    source: &dyn SeriesSource,
    matchers: &[Matcher],
    start: i64,
    end: i64,
) -> Result<Vec<Series>, SourceError> {
    source.select(&Selection { matchers, start, end, max_samples: 100_000_000 })
}

/// A series as pairs of time and bits, for exact comparison.
pub fn pairs(series: &Series) -> Vec<(i64, u64)> {
    series.samples.iter().map(|sample| (sample.t, sample.v.to_bits())).collect()
}
