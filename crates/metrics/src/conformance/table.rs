//! Series in memory: the simplest source there is.

use std::collections::BTreeMap;
use std::sync::Arc;

use kernel::Labels;

use super::Loader;
use crate::histogram::{Histogram, HistogramSample};
use crate::sample::Sample;
use crate::source::{Selection, Series, SeriesSource, SourceError};

/// Series by their labels. A sample loaded twice keeps the last value.
#[derive(Clone, Debug, Default)]
pub struct Table {
    series: BTreeMap<Labels, Rows>,
}

/// One series: by time, the value and the start time (0 when unknown).
#[derive(Clone, Debug, Default)]
struct Rows(BTreeMap<i64, (Held, i64)>);

#[derive(Clone, Debug)]
enum Held {
    Float(f64),
    Histogram(Arc<Histogram>),
}

// === impl Table ===

impl Table {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a series' samples.
    pub fn insert(&mut self, series: Series) {
        let rows = self.series.entry(series.labels).or_default();
        for s in series.samples {
            rows.0.insert(s.t, (Held::Float(s.v), 0));
        }
        for s in series.histograms {
            rows.0.insert(s.t, (Held::Histogram(s.h), 0));
        }
        for (t, start) in series.starts {
            if let Some(row) = rows.0.get_mut(&t) {
                row.1 = start;
            }
        }
    }
}

impl SeriesSource for Table {
    fn select(&self, selection: &Selection<'_>) -> Result<Vec<Series>, SourceError> {
        let mut found = Vec::new();
        let mut read = 0u64;
        if selection.start > selection.end {
            return Ok(found);
        }
        for (labels, rows) in &self.series {
            if !selection.matchers.iter().all(|m| m.matches(labels.get(&m.name).unwrap_or_default())) {
                continue;
            }
            let mut series = Series { labels: labels.clone(), ..Series::default() };
            for (t, (held, start)) in rows.0.range(selection.start..=selection.end) {
                match held {
                    Held::Float(v) => series.samples.push(Sample { t: *t, v: *v }),
                    Held::Histogram(h) => series.histograms.push(HistogramSample { t: *t, h: Arc::clone(h) }),
                }
                if *start != 0 {
                    series.starts.push((*t, *start));
                }
                read += 1;
            }
            if read > selection.max_samples {
                return Err(SourceError::TooManySamples { limit: selection.max_samples });
            }
            if !(series.samples.is_empty() && series.histograms.is_empty()) {
                found.push(series);
            }
        }
        Ok(found)
    }
}

impl Loader for Table {
    fn load(&mut self, series: Vec<Series>) -> Result<(), String> {
        series.into_iter().for_each(|s| self.insert(s));
        Ok(())
    }

    fn clear(&mut self) -> Result<(), String> {
        self.series.clear();
        Ok(())
    }

    fn source(&self) -> &dyn SeriesSource {
        self
    }
}
