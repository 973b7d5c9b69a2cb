//! Classic histograms made native: `x_bucket`, `x_sum` and `x_count` become histograms `x` with custom buckets.

use std::collections::BTreeMap;
use std::sync::Arc;

use kernel::{Labels, METRIC_NAME};

use crate::histogram::{Buckets, CUSTOM_BUCKETS_SCHEMA, Histogram, HistogramSample};
use crate::promql::parse_number;
use crate::sample::is_stale;
use crate::source::Series;

/// What is known of one histogram at one time.
#[derive(Default)]
struct Parts {
    /// Upper bound and cumulative count.
    buckets: Vec<(f64, f64)>,
    sum: Option<f64>,
    count: Option<f64>,
}

/// The histograms that `series` describe. Those whose buckets fall are left out.
pub(super) fn convert(series: &[Series]) -> Vec<Series> {
    let mut parts: BTreeMap<Labels, BTreeMap<i64, Parts>> = BTreeMap::new();
    for s in series {
        let name = s.labels.metric_name().unwrap_or_default();
        let (base, bound, what) = if let Some(base) = name.strip_suffix("_bucket") {
            let Some(bound) = s.labels.get("le").and_then(parse_number) else { continue };
            (base, bound, 'b')
        } else if let Some(base) = name.strip_suffix("_sum") {
            (base, 0.0, 's')
        } else if let Some(base) = name.strip_suffix("_count") {
            (base, 0.0, 'c')
        } else {
            continue;
        };
        let labels = s.labels.with("le", "").with(METRIC_NAME, base);
        let at = parts.entry(labels).or_default();
        for sample in s.samples.iter().filter(|p| !is_stale(p.v)) {
            let found = at.entry(sample.t).or_default();
            match what {
                'b' => found.buckets.push((bound, sample.v)),
                's' => found.sum = Some(sample.v),
                _ => found.count = Some(sample.v),
            }
        }
    }
    parts
        .into_iter()
        .filter_map(|(labels, at)| {
            let histograms: Vec<_> = at
                .into_iter()
                .filter_map(|(t, parts)| Some(HistogramSample { t, h: Arc::new(parts.histogram()?) }))
                .collect();
            (!histograms.is_empty()).then(|| Series { labels, histograms, ..Series::default() })
        })
        .collect()
}

// === impl Parts ===

impl Parts {
    fn histogram(mut self) -> Option<Histogram> {
        if self.buckets.is_empty() {
            return None;
        }
        self.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        self.buckets.dedup_by(|b, a| {
            let same = a.0 == b.0;
            if same {
                a.1 = a.1.max(b.1);
            }
            same
        });
        let highest = self.buckets.last().map_or(0.0, |b| b.1);
        let count = self.count.unwrap_or(highest);
        let mut bounds = Vec::new();
        let mut counts = Vec::new();
        let mut before = 0.0;
        for (upper, cumulative) in self.buckets.iter().copied().filter(|b| b.0 < f64::INFINITY) {
            bounds.push(upper);
            counts.push(cumulative - before);
            before = cumulative;
        }
        counts.push(count - before);
        if counts.iter().any(|c| *c < 0.0) {
            return None;
        }
        let indexed = counts.into_iter().enumerate().filter_map(|(i, c)| Some((i32::try_from(i).ok()?, c)));
        Some(Histogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            count,
            sum: self.sum.unwrap_or(0.0),
            positive: Buckets::from_indexed(indexed),
            custom_bounds: bounds.into(),
            ..Histogram::default()
        })
    }
}
