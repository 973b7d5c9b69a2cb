//! Metrics in memory: the `Telemetry` port's second implementation, as plain as it can be. It is what the store on disk is
//! compared with, and what simulations of whole nodes run on. It has no memory budget, forgets no series, and keeps
//! everything until retention takes it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use kernel::{Labels, METRIC_NAME, Timestamp};
use metrics::sample::{FamilyMetadata, Sample, SeriesBatch};
use metrics::source::{Matcher, Selection, Series, SeriesSource, SourceError};
use parking_lot::Mutex;
use store::{
    Appended, Cardinality, Maintained, Options, Rejected, Rejection, StoreError, StoreStats, Telemetry,
};

/// Metrics in memory.
pub struct SimTelemetry {
    options: Options,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    series: BTreeMap<Labels, BTreeMap<i64, f64>>,
    families: BTreeMap<String, FamilyMetadata>,
    appended: u64,
    rejected: u64,
}

impl SimTelemetry {
    /// Nothing yet. Of `options`, the limits, the retention and the out-of-order window count.
    pub fn new(options: Options) -> Self {
        Self { options, state: Mutex::default() }
    }

    fn judge(&self, state: &State, labels: &Labels, sample: Sample, now: Timestamp) -> Result<(), Rejection> {
        let limits = &self.options.limits;
        let t = sample.t;
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
                let (name, bytes, limit) = (name.to_owned(), value.len(), limits.value_bytes);
                return Err(Rejection::ValueTooLong { name, bytes, limit });
            }
        }
        let oldest = self.options.retention.map_or(i64::MIN, |retention| (now - retention).as_millis());
        if t < oldest {
            return Err(Rejection::BeyondRetention { t, oldest });
        }
        if t > (now + limits.ahead).as_millis() {
            return Err(Rejection::TooFarAhead { t, allowed_ms: limits.ahead.as_millis() });
        }
        let Some(kept) = state.series.get(labels) else {
            let full = state.series.len() as u64 >= limits.series;
            return if full { Err(Rejection::TooManySeries { limit: limits.series }) } else { Ok(()) };
        };
        let newest = kept.last_key_value().map_or(t, |(newest, _)| *newest);
        let window_ms = self.options.out_of_order_window.as_millis();
        match kept.get(&t) {
            Some(value) if value.to_bits() == sample.v.to_bits() => Ok(()),
            Some(_) => Err(Rejection::Duplicate { t }),
            None if t < newest && newest.abs_diff(t) > window_ms => {
                Err(Rejection::TooOld { t, newest, window_ms })
            }
            None => Ok(()),
        }
    }

    /// Calls `each` with the series that match and have samples in the range.
    fn visit(&self, matchers: &[Matcher], start: i64, end: i64, mut each: impl FnMut(&Labels, Vec<Sample>)) {
        for (labels, kept) in &self.state.lock().series {
            if start <= end && matchers.iter().all(|m| m.matches(labels.get(&m.name).unwrap_or(""))) {
                let samples: Vec<Sample> =
                    kept.range(start..=end).map(|(t, v)| Sample { t: *t, v: *v }).collect();
                if !samples.is_empty() {
                    each(labels, samples);
                }
            }
        }
    }
}

impl SeriesSource for SimTelemetry {
    fn select(&self, selection: &Selection<'_>) -> Result<Vec<Series>, SourceError> {
        let mut found = Vec::new();
        let mut read = 0;
        self.visit(selection.matchers, selection.start, selection.end, |labels, samples| {
            read += samples.len() as u64;
            found.push(Series::new(labels.clone(), samples));
        });
        let limit = selection.max_samples;
        if read > limit { Err(SourceError::TooManySamples { limit }) } else { Ok(found) }
    }

    fn scan(
        &self,
        selection: &Selection<'_>,
        visit: &mut dyn FnMut(Series) -> ControlFlow<()>,
    ) -> Result<(), SourceError> {
        let limit = selection.max_samples;
        for series in self.select(&Selection { max_samples: u64::MAX, ..selection.clone() })? {
            if series.samples.len() as u64 > limit {
                return Err(SourceError::TooManySamples { limit });
            }
            if visit(series).is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl Telemetry for SimTelemetry {
    fn append(&self, batch: &[SeriesBatch], now: Timestamp) -> Result<Appended, StoreError> {
        let limit = self.options.limits.batch_samples;
        let samples: usize = batch.iter().map(|series| series.samples.len()).sum();
        if samples > limit {
            return Err(StoreError::TooLarge(format!(
                "the batch has {samples} samples; one may have {limit}"
            )));
        }
        let mut state = self.state.lock();
        let mut appended = Appended::default();
        for series in batch {
            let mut rejected: Option<Rejected> = None;
            for sample in &series.samples {
                match self.judge(&state, &series.labels, *sample, now) {
                    Ok(()) => {
                        appended.samples += 1;
                        let kept = state.series.entry(series.labels.clone()).or_default();
                        kept.entry(sample.t).or_insert(sample.v);
                    }
                    Err(reason) => match &mut rejected {
                        Some(before) => before.samples += 1,
                        none => *none = Some(Rejected { labels: series.labels.clone(), samples: 1, reason }),
                    },
                }
            }
            appended.rejected.extend(rejected);
        }
        state.appended += appended.samples;
        state.rejected += appended.rejected.iter().map(|rejected| rejected.samples).sum::<u64>();
        Ok(appended)
    }

    fn label_names(
        &self,
        matchers: &[Matcher],
        start: i64,
        end: i64,
        limit: usize,
    ) -> Result<Vec<String>, SourceError> {
        let mut names = BTreeSet::new();
        self.visit(matchers, start, end, |labels, _| {
            names.extend(labels.iter().map(|(name, _)| name.to_owned()))
        });
        Ok(names.into_iter().take(limit).collect())
    }

    fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        start: i64,
        end: i64,
        limit: usize,
    ) -> Result<Vec<String>, SourceError> {
        let mut values = BTreeSet::new();
        self.visit(matchers, start, end, |labels, _| values.extend(labels.get(name).map(str::to_owned)));
        Ok(values.into_iter().take(limit).collect())
    }

    fn series(
        &self,
        matchers: &[Matcher],
        start: i64,
        end: i64,
        limit: usize,
    ) -> Result<Vec<Labels>, SourceError> {
        let mut found = Vec::new();
        self.visit(matchers, start, end, |labels, _| found.push(labels.clone()));
        found.truncate(limit);
        Ok(found)
    }

    fn set_metadata(&self, families: &[FamilyMetadata]) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        state.families.extend(families.iter().map(|family| (family.name.clone(), family.clone())));
        Ok(())
    }

    fn metadata(&self) -> Vec<FamilyMetadata> {
        self.state.lock().families.values().cloned().collect()
    }

    fn stats(&self) -> StoreStats {
        let state = self.state.lock();
        let times = || state.series.values().flat_map(BTreeMap::keys).copied();
        StoreStats {
            series: state.series.len() as u64,
            samples_appended: state.appended,
            samples_rejected: state.rejected,
            head_samples: state.series.values().map(|kept| kept.len() as u64).sum(),
            oldest: times().min(),
            newest: times().max(),
            ..StoreStats::default()
        }
    }

    fn cardinality(&self, limit: usize) -> Cardinality {
        let state = self.state.lock();
        let mut pairs: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for labels in state.series.keys() {
            labels.iter().for_each(|pair| *pairs.entry(pair).or_default() += 1);
        }
        let mut values: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for (name, value) in pairs.keys() {
            let entry = values.entry(name).or_default();
            *entry = (entry.0 + 1, entry.1 + value.len() as u64);
        }
        let top = |mut entries: Vec<(String, u64)>| {
            entries.sort_by(|(a, x), (b, y)| y.cmp(x).then_with(|| a.cmp(b)));
            entries.truncate(limit);
            entries
        };
        let metrics = pairs.iter().filter(|((name, _), _)| *name == METRIC_NAME);
        Cardinality {
            series: state.series.len() as u64,
            label_pairs: pairs.len() as u64,
            series_by_metric: top(metrics.map(|((_, value), count)| ((*value).to_owned(), *count)).collect()),
            values_by_label: top(values
                .iter()
                .map(|(name, (count, _))| ((*name).to_owned(), *count))
                .collect()),
            bytes_by_label: top(values
                .iter()
                .map(|(name, (_, bytes))| ((*name).to_owned(), *bytes))
                .collect()),
            series_by_pair: top(pairs.iter().map(|((n, v), count)| (format!("{n}={v}"), *count)).collect()),
        }
    }

    fn maintain(&self, now: Timestamp) -> Result<Maintained, StoreError> {
        let Some(retention) = self.options.retention else { return Ok(Maintained::default()) };
        let oldest = (now - retention).as_millis();
        let mut state = self.state.lock();
        for kept in state.series.values_mut() {
            *kept = kept.split_off(&oldest);
        }
        state.series.retain(|_, kept| !kept.is_empty());
        Ok(Maintained::default())
    }
}
