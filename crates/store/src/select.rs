//! Reading: the head first, then the blocks, merged. Of two samples of a series at one time the older block's is served,
//! and a block's before the head's: the one accepted first.

use std::collections::{BTreeSet, HashMap};

use kernel::Labels;
use metrics::sample::Sample;
use metrics::source::{Matcher, Selection, Series, SeriesSource, SourceError};

use crate::block::reader::Block;
use crate::matching;
use crate::port::StoreError;
use crate::store::Store;

/// Bytes of samples that a query fetches at once.
const READ_AHEAD: usize = 16 << 10;

/// A series' samples as they come in, each run ascending; earlier runs win.
type Runs = Vec<Vec<Sample>>;

impl SeriesSource for Store {
    fn select(&self, selection: &Selection<'_>) -> Result<Vec<Series>, SourceError> {
        let mut budget = Budget { left: selection.max_samples, limit: selection.max_samples };
        let mut found = Found::default();
        // The head first: what a flush moves meanwhile is then seen twice at worst, never missed.
        let mut recent: Vec<(Labels, Vec<Sample>)> = Vec::new();
        let mut spent = Ok(());
        self.head.select(selection.matchers, selection.start, selection.end, |labels, samples| {
            spent = budget.spend(samples.len());
            recent.push((labels.clone(), samples));
            spent.is_ok()
        });
        spent?;
        let set = self.blocks.set();
        for block in set.overlapping(selection.start, selection.end).map_err(unreadable)? {
            read_block(block, selection, &mut budget, &mut found)?;
        }
        for (labels, samples) in recent {
            found.add(labels, samples);
        }
        Ok(found.finish())
    }
}

/// Series by labels, each with its runs.
#[derive(Default)]
struct Found {
    at: HashMap<Labels, usize, foldhash::fast::RandomState>,
    series: Vec<(Labels, Runs)>,
}

impl Found {
    fn add(&mut self, labels: Labels, run: Vec<Sample>) {
        match self.at.get(&labels).and_then(|at| self.series.get_mut(*at)) {
            Some((_, runs)) => runs.push(run),
            None => {
                self.at.insert(labels.clone(), self.series.len());
                self.series.push((labels, vec![run]));
            }
        }
    }

    fn finish(mut self) -> Vec<Series> {
        // Stable sorting makes use of the order that each block brings along.
        self.series.sort_by(|(a, _), (b, _)| a.cmp(b));
        self.series.into_iter().map(|(labels, runs)| Series::new(labels, merge(runs))).collect()
    }
}

fn read_block(
    block: &Block,
    selection: &Selection<'_>,
    budget: &mut Budget,
    found: &mut Found,
) -> Result<(), SourceError> {
    let numbers = matching::resolve(block, selection.matchers).map_err(unreadable)?;
    let mut reader = block.series_reader(READ_AHEAD);
    for number in numbers {
        let (labels, chunks) = reader.series(number).map_err(unreadable)?;
        let mut run = Vec::new();
        for chunk in chunks.iter().filter(|c| c.first <= selection.end && selection.start <= c.last) {
            let whole = selection.start <= chunk.first && chunk.last <= selection.end;
            if whole {
                // Before they are decoded: a query over its limit should not get to fill the memory.
                budget.spend(chunk.count as usize)?;
            }
            let before = run.len();
            reader.samples(chunk, &mut run).map_err(unreadable)?;
            if !whole {
                let mut at = 0;
                run.retain(|sample: &Sample| {
                    at += 1;
                    at <= before || (selection.start <= sample.t && sample.t <= selection.end)
                });
                budget.spend(run.len() - before)?;
            }
        }
        if !run.is_empty() {
            found.add(labels, run);
        }
    }
    Ok(())
}

fn unreadable(error: StoreError) -> SourceError {
    SourceError::Unreadable(error.to_string())
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
        if matchers.is_empty() {
            self.visit_values(name, start, end, |value| {
                if !found.contains(value) {
                    found.insert(value.to_owned());
                }
            })?;
            return Ok(found.into_iter().take(limit).collect());
        }
        self.visit_series(matchers, start, end, |labels| {
            if let Some(value) = labels.get(name)
                && !found.contains(value)
            {
                found.insert(value.to_owned());
            }
        })?;
        Ok(found.into_iter().take(limit).collect())
    }

    /// Calls `each` with every value of `name` in the head, when it may have samples within `start..=end`, and in the blocks
    /// that may, possibly twice. Reads dictionaries only.
    fn visit_values(
        &self,
        name: &str,
        start: i64,
        end: i64,
        mut each: impl FnMut(&str),
    ) -> Result<(), SourceError> {
        self.head.visit_values(name, start, end, &mut each);
        let set = self.blocks.set();
        for block in set.overlapping(start, end).map_err(unreadable)? {
            block.visit_values(name, &mut each).map_err(unreadable)?;
        }
        Ok(())
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
        let set = self.blocks.set();
        for block in set.overlapping(start, end).map_err(unreadable)? {
            let numbers = matching::resolve(block.as_ref(), matchers).map_err(unreadable)?;
            let mut reader = block.series_reader(0);
            for number in numbers {
                let (labels, chunks) = reader.series(number).map_err(unreadable)?;
                if chunks.iter().any(|chunk| chunk.first <= end && start <= chunk.last) {
                    each(&labels);
                }
            }
        }
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
