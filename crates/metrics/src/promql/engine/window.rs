//! Windows of samples sliding over a series.

use std::sync::Arc;

use kernel::Labels;

use super::super::ast::Extension;
use super::super::error::QueryError;
use super::RangeSeries;
use super::grid::{Cell, Frame, Grid, Row, without_metadata};
use crate::histogram::{Histogram, HistogramSample, ResetHint};
use crate::sample::Sample;

/// How windows lie over series.
#[derive(Clone, Copy, Debug)]
pub(super) struct Panes {
    /// Length of a window, milliseconds.
    pub range: i64,
    pub frame: Frame,
    pub extension: Option<Extension>,
    /// How far beyond its borders an extended window looks.
    pub lookback: i64,
}

/// A series with the samples that any window over it needs, stale markers removed.
#[derive(Debug)]
pub(super) struct WindowSeries {
    pub labels: Labels,
    pub drop_name: bool,
    pub floats: Vec<Sample>,
    pub histograms: Vec<HistogramSample>,
    /// (time, start time), ascending.
    pub starts: Vec<(i64, i64)>,
}

/// What a function sees: the samples in `(start, end]`, or some around it for extended selectors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window<'a> {
    pub floats: &'a [Sample],
    pub histograms: &'a [HistogramSample],
    starts: &'a [(i64, i64)],
    /// Excluded, milliseconds.
    pub start: i64,
    /// Included, milliseconds.
    pub end: i64,
    pub range: i64,
    /// The step's own time.
    pub t: i64,
    pub extension: Option<Extension>,
}

/// A range of indices that only moves forward.
#[derive(Clone, Copy, Default)]
struct Cursor {
    from: usize,
    to: usize,
}

// === impl Panes ===

impl Panes {
    /// The cell that `f` makes of each window of `series`.
    pub fn scan(
        &self,
        series: &WindowSeries,
        grid: &Grid,
        mut f: impl FnMut(usize, &Window<'_>) -> Result<Cell, QueryError>,
    ) -> Result<Vec<Cell>, QueryError> {
        let (mut floats, mut histograms) = (Cursor::default(), Cursor::default());
        let mut cells = Vec::with_capacity(grid.count);
        for (i, t) in grid.times().enumerate() {
            let end = self.frame.reference(t);
            let start = end.saturating_sub(self.range);
            let (low, high) = self.reach(start, end);
            let window = Window {
                floats: floats.slice(&series.floats, low, high, |s| s.t),
                histograms: histograms.slice(&series.histograms, low, high, |s| s.t),
                starts: &series.starts,
                start,
                end,
                range: self.range,
                t,
                extension: self.extension,
            };
            cells.push(if window.is_empty() { Cell::Empty } else { f(i, &window)? });
        }
        Ok(cells)
    }

    /// The borders within which samples are of use: start excluded, end included.
    fn reach(&self, start: i64, end: i64) -> (i64, i64) {
        match self.extension {
            None => (start, end),
            Some(Extension::Anchored) => (start.saturating_sub(self.lookback), end),
            Some(Extension::Smoothed) => {
                (start.saturating_sub(self.lookback), end.saturating_add(self.lookback))
            }
        }
    }

    /// The samples of a series in the window at `at`.
    pub fn at(&self, series: WindowSeries, at: i64, delayed: bool) -> RangeSeries {
        let end = self.frame.reference(at);
        let start = end.saturating_sub(self.range);
        let (low, high) = self.reach(start, end);
        let keep = |t: i64| t > low && t <= high;
        let floats: Vec<_> = series.floats.into_iter().filter(|s| keep(s.t)).collect();
        let floats = match self.extension {
            None => floats,
            Some(kind) => super::super::functions::extended_floats(&floats, start, end, kind),
        };
        RangeSeries {
            labels: if delayed && series.drop_name {
                without_metadata(&series.labels)
            } else {
                series.labels
            },
            floats,
            histograms: series.histograms.into_iter().filter(|s| keep(s.t)).collect(),
        }
    }
}

// === impl WindowSeries ===

impl WindowSeries {
    /// The samples of a row evaluated over a subquery's grid. The steps may skip samples, so what a histogram knew of the
    /// one before it no longer holds.
    pub fn of_row(row: Row, grid: &Grid) -> Self {
        let (mut floats, mut histograms) = (Vec::new(), Vec::new());
        for (t, cell) in grid.times().zip(row.cells) {
            match cell {
                Cell::Empty => {}
                Cell::Float(v) => floats.push(Sample { t, v }),
                Cell::Histogram(h) => histograms.push(HistogramSample { t, h: without_reset_hint(h) }),
            }
        }
        Self { labels: row.labels, drop_name: row.drop_name, floats, histograms, starts: Vec::new() }
    }

    pub fn metric_name(&self) -> &str {
        self.labels.metric_name().unwrap_or_default()
    }

    /// How many samples of 16 bytes it takes.
    pub fn weight(&self) -> u64 {
        let histograms: u64 = self.histograms.iter().map(|h| super::grid::histogram_weight(&h.h)).sum();
        self.floats.len() as u64 + histograms
    }
}

// === impl Window ===

impl Window<'_> {
    pub fn is_empty(&self) -> bool {
        self.floats.is_empty() && self.histograms.is_empty()
    }

    /// The known start time of the sample at `t`; zero when unknown.
    pub fn start_of(&self, t: i64) -> i64 {
        if self.starts.is_empty() {
            return 0;
        }
        self.starts
            .binary_search_by_key(&t, |(time, _)| *time)
            .ok()
            .and_then(|i| self.starts.get(i))
            .map_or(0, |(_, start)| *start)
    }

    pub fn has_starts(&self) -> bool {
        !self.starts.is_empty()
    }
}

// === impl Cursor ===

impl Cursor {
    /// The items in `(low, high]`; both borders only ever rise.
    fn slice<'s, T>(&mut self, items: &'s [T], low: i64, high: i64, time: impl Fn(&T) -> i64) -> &'s [T] {
        while items.get(self.from).is_some_and(|s| time(s) <= low) {
            self.from += 1;
        }
        self.to = self.to.max(self.from);
        while items.get(self.to).is_some_and(|s| time(s) <= high) {
            self.to += 1;
        }
        items.get(self.from..self.to).unwrap_or_default()
    }
}

/// Series with samples, sorted by labels.
///
/// # Errors
/// Two have the same labels.
pub(super) fn sorted(mut found: Vec<RangeSeries>) -> Result<Vec<RangeSeries>, QueryError> {
    found.retain(|s| !(s.floats.is_empty() && s.histograms.is_empty()));
    found.sort_by(|a, b| a.labels.cmp(&b.labels));
    if found.is_sorted_by(|a, b| a.labels < b.labels) {
        return Ok(found);
    }
    Err(QueryError::execution("vector cannot contain metrics with the same labelset"))
}

fn without_reset_hint(h: Arc<Histogram>) -> Arc<Histogram> {
    match h.reset_hint {
        ResetHint::Unknown | ResetHint::Gauge => h,
        _ => Arc::new(Histogram { reset_hint: ResetHint::Unknown, ..Histogram::clone(&h) }),
    }
}

/// Whether known start times say that a counter restarted between two samples, given as (time, start time). A start at the
/// previous sample's time is a delta's, unless the previous start is unknown: then it is a cumulative series whose first
/// start was unknown.
pub(crate) fn counter_reset_by_start(previous: (i64, i64), current: (i64, i64)) -> bool {
    let ((before, before_start), (now, start)) = (previous, current);
    if start == 0 || start >= now || start < before {
        return false;
    }
    if start > before {
        return true;
    }
    before_start <= before && before_start != 0 && before_start != before
}

/// Whether a sample's start time lies before the previous sample without being the previous one's start.
pub(crate) fn start_overlaps(previous: (i64, i64), current: (i64, i64)) -> bool {
    current.1 != 0 && current.1 < previous.0 && current.1 != previous.1
}
