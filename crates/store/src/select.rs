//! Reading: the head first, then the blocks, merged. Of two samples of a series at one time the older block's is served,
//! and a block's before the head's: the one accepted first.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use kernel::Labels;
use metrics::sample::Sample;
use metrics::source::{Matcher, Selection, Series, SeriesSource, SourceError};

use crate::block::ChunkRef;
use crate::block::walk::{self, Walk};
use crate::matching;
use crate::port::StoreError;
use crate::store::Store;

/// Bytes of samples that a query fetches at once.
const READ_AHEAD: usize = 16 << 10;

/// A series' samples as they come in, each run ascending; earlier runs win.
type Runs = Vec<Vec<Sample>>;

impl SeriesSource for Store {
    fn select(&self, selection: &Selection<'_>) -> Result<Vec<Series>, SourceError> {
        let mut found = Vec::new();
        self.walk(selection, Budget::of_all(selection), &mut |series| {
            found.push(series);
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    fn scan(
        &self,
        selection: &Selection<'_>,
        visit: &mut dyn FnMut(Series) -> ControlFlow<()>,
    ) -> Result<(), SourceError> {
        self.walk(selection, Budget::of_each(selection), visit)
    }
}

fn unreadable(error: StoreError) -> SourceError {
    SourceError::Unreadable(error.to_string())
}

impl Store {
    /// Gives the selected series to `visit` in order of labels. What lies in blocks is decoded when its turn comes.
    fn walk(
        &self,
        selection: &Selection<'_>,
        mut budget: Budget,
        visit: &mut dyn FnMut(Series) -> ControlFlow<()>,
    ) -> Result<(), SourceError> {
        let range = (selection.start, selection.end);
        // The head first: what a flush moves meanwhile is then seen twice at worst, never missed.
        let mut recent = self.recent(selection, &mut budget)?.into_iter().peekable();
        let set = self.blocks.set();
        let mut walks = Vec::new();
        for block in set.overlapping(range.0, range.1).map_err(unreadable)? {
            let numbers = matching::resolve(block.as_ref(), selection.matchers).map_err(unreadable)?;
            walks.push(Walk::new(block, numbers, range, READ_AHEAD).map_err(unreadable)?);
        }
        loop {
            let next = walk::least(&walks).into_iter().chain(recent.peek().map(|(labels, _)| labels)).min();
            let Some(labels) = next.cloned() else { return Ok(()) };
            budget.next_series();
            let mut runs = Vec::with_capacity(walks.len() + 1);
            for walk in &mut walks {
                if let Some(chunks) = walk.take(&labels).map_err(unreadable)? {
                    runs.push(read_chunks(walk, &chunks, range, &mut budget)?);
                }
            }
            if let Some((_, samples)) = recent.next_if(|(other, _)| *other == labels) {
                runs.push(samples);
            }
            let samples = merge(runs);
            if !samples.is_empty() && visit(Series::new(labels, samples)).is_break() {
                return Ok(());
            }
        }
    }

    /// What the head has of the selection, sorted by labels.
    fn recent(
        &self,
        selection: &Selection<'_>,
        budget: &mut Budget,
    ) -> Result<Vec<(Labels, Vec<Sample>)>, SourceError> {
        let mut recent: Vec<(Labels, Vec<Sample>)> = Vec::new();
        let mut spent = Ok(());
        self.head.select(selection.matchers, selection.start, selection.end, |labels, samples| {
            budget.next_series();
            spent = budget.spend(samples.len());
            recent.push((labels.clone(), samples));
            spent.is_ok()
        });
        spent?;
        recent.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        Ok(recent)
    }

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
struct Budget {
    left: u64,
    limit: u64,
    /// Whether each series has the limit to itself.
    each: bool,
}

impl Budget {
    fn of_all(selection: &Selection<'_>) -> Self {
        Self { left: selection.max_samples, limit: selection.max_samples, each: false }
    }

    fn of_each(selection: &Selection<'_>) -> Self {
        Self { each: true, ..Self::of_all(selection) }
    }

    fn next_series(&mut self) {
        if self.each {
            self.left = self.limit;
        }
    }

    fn spend(&mut self, samples: usize) -> Result<(), SourceError> {
        match self.left.checked_sub(samples as u64) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(SourceError::TooManySamples { limit: self.limit }),
        }
    }
}

/// The samples of `chunks` within `start..=end`.
fn read_chunks(
    walk: &mut Walk<'_>,
    chunks: &[ChunkRef],
    (start, end): (i64, i64),
    budget: &mut Budget,
) -> Result<Vec<Sample>, SourceError> {
    let mut run = Vec::new();
    for chunk in chunks {
        let before = run.len();
        if start <= chunk.first && chunk.last <= end {
            // Before they are decoded: a query over its limit should not get to fill the memory.
            budget.spend(chunk.count as usize)?;
            walk.reader.samples(chunk, &mut run).map_err(unreadable)?;
            continue;
        }
        walk.reader.samples(chunk, &mut run).map_err(unreadable)?;
        let decoded = run.get(before..).unwrap_or_default();
        let from = before + decoded.partition_point(|sample| sample.t < start);
        let until = before + decoded.partition_point(|sample| sample.t <= end);
        run.truncate(until);
        run.drain(before..from.min(until));
        budget.spend(run.len() - before)?;
    }
    Ok(run)
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
