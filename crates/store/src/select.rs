//! Reading: the head first, then the blocks, merged. Of two samples of a series at one time the older block's is served,
//! and a block's before the head's: the one accepted first.

use std::collections::{BTreeMap, BTreeSet};

use kernel::Labels;
use metrics::sample::Sample;
use metrics::source::{Matcher, Selection, Series, SeriesSource, SourceError};

use crate::store::Store;

/// A series' samples as they come in, each run ascending; earlier runs win.
type Runs = Vec<Vec<Sample>>;

impl SeriesSource for Store {
    fn select(&self, selection: &Selection<'_>) -> Result<Vec<Series>, SourceError> {
        let mut budget = Budget { left: selection.max_samples, limit: selection.max_samples };
        let mut found: BTreeMap<Labels, Runs> = BTreeMap::new();
        let mut exceeded = None;
        self.head.select(selection.matchers, selection.start, selection.end, |labels, samples| {
            exceeded = budget.spend(samples.len()).err();
            found.entry(labels.clone()).or_default().push(samples);
            exceeded.is_none()
        });
        if let Some(error) = exceeded {
            return Err(error);
        }
        Ok(found.into_iter().map(|(labels, runs)| Series::new(labels, merge(runs))).collect())
    }
}

impl Store {
    /// The series that satisfy `matchers` and may have samples within `start..=end`, sorted, at most `limit`.
    ///
    /// # Errors
    /// A block cannot be read.
    pub fn series(
        &self,
        matchers: &[Matcher],
        start: i64,
        end: i64,
        limit: usize,
    ) -> Result<Vec<Labels>, SourceError> {
        let mut found = BTreeSet::new();
        self.visit_series(matchers, start, end, |labels| {
            if !found.contains(labels) {
                found.insert(labels.clone());
            }
        })?;
        Ok(found.into_iter().take(limit).collect())
    }

    /// Names of labels on the series that satisfy `matchers` and may have samples within `start..=end`.
    ///
    /// # Errors
    /// A block cannot be read.
    pub fn label_names(
        &self,
        matchers: &[Matcher],
        start: i64,
        end: i64,
        limit: usize,
    ) -> Result<Vec<String>, SourceError> {
        let mut found: BTreeSet<String> = BTreeSet::new();
        self.visit_series(matchers, start, end, |labels| {
            for (name, _) in labels.iter() {
                if !found.contains(name) {
                    found.insert(name.to_owned());
                }
            }
        })?;
        Ok(found.into_iter().take(limit).collect())
    }

    /// Values of the label `name` on the series that satisfy `matchers` and may have samples within `start..=end`.
    ///
    /// # Errors
    /// A block cannot be read.
    pub fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        start: i64,
        end: i64,
        limit: usize,
    ) -> Result<Vec<String>, SourceError> {
        let mut found: BTreeSet<String> = BTreeSet::new();
        self.visit_series(matchers, start, end, |labels| {
            if let Some(value) = labels.get(name)
                && !found.contains(value)
            {
                found.insert(value.to_owned());
            }
        })?;
        Ok(found.into_iter().take(limit).collect())
    }

    /// Calls `each` with every series that satisfies `matchers` and may have samples within `start..=end`, possibly twice.
    fn visit_series(
        &self,
        matchers: &[Matcher],
        start: i64,
        end: i64,
        mut each: impl FnMut(&Labels),
    ) -> Result<(), SourceError> {
        self.head.series_matching(matchers, start, end, &mut each);
        Ok(())
    }
}

/// How many samples a selection may still read.
pub(crate) struct Budget {
    left: u64,
    limit: u64,
}

impl Budget {
    pub(crate) fn spend(&mut self, samples: usize) -> Result<(), SourceError> {
        match self.left.checked_sub(samples as u64) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(SourceError::TooManySamples { limit: self.limit }),
        }
    }
}

/// One ascending run, one sample a time; of several at a time the earliest run's.
pub(crate) fn merge(runs: Runs) -> Vec<Sample> {
    let mut runs = runs.into_iter();
    let Some(mut merged) = runs.next() else { return Vec::new() };
    for run in runs {
        let follows = match (merged.last(), run.first()) {
            (Some(last), Some(first)) => last.t < first.t,
            _ => true,
        };
        if follows {
            merged.extend(run);
        } else {
            merged.extend(run);
            // Stable, so that of equal times the earlier run's comes first, and stays.
            merged.sort_by_key(|sample| sample.t);
            merged.dedup_by_key(|sample| sample.t);
        }
    }
    merged
}
