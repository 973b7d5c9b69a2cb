//! Reading series: instant selectors, windows over series, windows over subqueries.

use std::sync::Arc;

use super::super::annotation::Notice;
use super::super::ast::{Expr, ExprKind, Extension, Selector, Span, Subquery};
use super::super::error::{ErrorKind, QueryError};
use super::super::functions::{interpolate_floats, interpolate_histograms};
use super::duration;
use super::eval::Evaluator;
use super::grid::{Cell, Frame, Grid, Row};
use super::window::{WindowSeries, Windows};
use crate::histogram::{Histogram, ResetHint};
use crate::sample::is_stale;
use crate::source::{Selection, Series, SourceError};

/// What an instant selector's cells hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// The sample.
    Value,
    /// The sample's time, in seconds.
    Timestamp,
    /// The start time of the sample's counter, in seconds.
    StartTimestamp,
}

// === impl Evaluator ===

impl Evaluator<'_> {
    pub(super) fn select_instant(
        &mut self,
        selector: &Selector,
        span: Span,
        grid: &Grid,
    ) -> Result<Vec<Row>, QueryError> {
        self.read_instant(selector, span, grid, Reading::Value)
    }

    pub(super) fn read_instant(
        &mut self,
        selector: &Selector,
        span: Span,
        grid: &Grid,
        reading: Reading,
    ) -> Result<Vec<Row>, QueryError> {
        if selector.extension == Some(Extension::Anchored) {
            return Err(QueryError::execution("anchored modifier can only be used with range vectors")
                .at(span)
                .hint("give it a window, such as [5m] anchored"));
        }
        let smoothed = selector.extension == Some(Extension::Smoothed);
        let frame = self.frame(selector)?;
        let lookback = self.options.lookback_ms;
        let from = frame.reference(grid.start).saturating_sub(lookback).saturating_add(1);
        let ahead = if smoothed { lookback } else { 0 };
        let to = frame.reference(grid.end()).saturating_add(ahead);
        let held = self.held();
        let found = self.fetch(selector, from, to, span)?;
        let mut rows = Vec::with_capacity(found.len());
        for series in found {
            self.check_cancelled()?;
            let cells = if smoothed {
                self.smoothed_cells(&series, span, &frame, grid)
            } else {
                instant_cells(&series, &frame, grid, lookback, reading)
            };
            let row = Row { labels: series.labels, drop_name: false, cells };
            if !row.is_empty() {
                self.hold(row.weight())?;
                rows.push(row);
            }
        }
        self.release_to(held);
        Ok(rows)
    }

    /// The samples of a smoothed instant selector: interpolated between the neighbours of each time.
    fn smoothed_cells(&mut self, series: &Series, span: Span, frame: &Frame, grid: &Grid) -> Vec<Cell> {
        let lookback = self.options.lookback_ms;
        let metric = series.labels.metric_name().unwrap_or_default();
        grid.times()
            .map(|t| {
                let at = frame.reference(t);
                let (low, high) = (at.saturating_sub(lookback), at.saturating_add(lookback));
                let floats: Vec<_> =
                    series.samples.iter().filter(|s| s.t > low && s.t <= high && !is_stale(s.v)).collect();
                let histograms: Vec<_> = series
                    .histograms
                    .iter()
                    .filter(|s| s.t > low && s.t <= high && !s.h.is_stale())
                    .collect();
                if !floats.is_empty() && !histograms.is_empty() {
                    self.note(span, &Notice::MixedFloatsHistograms { metric });
                    return Cell::Empty;
                }
                let next = floats.partition_point(|s| s.t <= at);
                let before = next.checked_sub(1).and_then(|i| floats.get(i));
                match (before, floats.get(next)) {
                    (Some(a), _) if a.t == at => return Cell::Float(a.v),
                    (Some(a), Some(b)) => return Cell::Float(interpolate_floats(**a, **b, at, false)),
                    (Some(a), None) => return Cell::Float(a.v),
                    _ => {}
                }
                let next = histograms.partition_point(|s| s.t <= at);
                match (next.checked_sub(1).and_then(|i| histograms.get(i)), histograms.get(next)) {
                    (Some(a), _) if a.t == at => Cell::Histogram(a.h.clone()),
                    (Some(a), Some(b)) => interpolate_histograms(a, b, at, span, metric, self.notes())
                        .map_or(Cell::Empty, Cell::of),
                    (Some(a), None) => Cell::Histogram(a.h.clone()),
                    _ => Cell::Empty,
                }
            })
            .collect()
    }

    /// The windows of a range selector or subquery, parentheses allowed.
    pub(super) fn windows(&mut self, expr: &Expr, grid: &Grid) -> Result<Windows, QueryError> {
        match &expr.unwrap_parens().kind {
            ExprKind::Range(range) => {
                let length = duration::positive(&range.range, &self.bounds)?;
                self.series_windows(&range.selector, length, expr.unwrap_parens().span, grid)
            }
            ExprKind::Subquery(subquery) => self.subquery_windows(subquery, grid),
            _ => Err(QueryError::execution("a range vector is needed here").at(expr.span)),
        }
    }

    fn series_windows(
        &mut self,
        selector: &Selector,
        range: i64,
        span: Span,
        grid: &Grid,
    ) -> Result<Windows, QueryError> {
        let frame = self.frame(selector)?;
        let lookback = self.options.lookback_ms;
        let (behind, ahead) = match selector.extension {
            None => (0, 0),
            Some(Extension::Anchored) => (lookback, 0),
            Some(Extension::Smoothed) => (lookback, lookback),
        };
        let from = frame.reference(grid.start).saturating_sub(range).saturating_sub(behind).saturating_add(1);
        let to = frame.reference(grid.end()).saturating_add(ahead);
        let found = self.fetch(selector, from, to, span)?;
        let starts_count = self.options.start_timestamps;
        let series = found
            .into_iter()
            .map(|mut s| {
                s.samples.retain(|sample| !is_stale(sample.v));
                s.histograms.retain(|sample| !sample.h.is_stale());
                if !starts_count {
                    s.starts.clear();
                }
                WindowSeries {
                    labels: s.labels,
                    drop_name: false,
                    floats: s.samples,
                    histograms: s.histograms,
                    starts: s.starts,
                }
            })
            .collect();
        Ok(Windows { series, range, frame, extension: selector.extension, lookback })
    }

    fn subquery_windows(&mut self, subquery: &Subquery, grid: &Grid) -> Result<Windows, QueryError> {
        let range = duration::positive(&subquery.range, &self.bounds)?;
        let step = match &subquery.step {
            Some(step) => duration::positive(step, &self.bounds)?,
            None => self.options.default_subquery_step_ms.max(1),
        };
        let offset = match &subquery.offset {
            Some(offset) => duration::signed(offset, &self.bounds)?,
            None => 0,
        };
        let frame = Frame { at: self.bounds.resolve(subquery.at), offset };
        let low = frame.reference(grid.start).saturating_sub(range);
        let high = frame.reference(grid.end());
        // Steps are multiples of the resolution, so that neighbouring queries see the same samples.
        let start = low.div_euclid(step).saturating_mul(step).saturating_add(step);
        let lookback = self.options.lookback_ms;
        let mut windows = Windows { series: Vec::new(), range, frame, extension: None, lookback };
        if start > high {
            return Ok(windows);
        }
        let count = (high.abs_diff(start) / step.unsigned_abs()).saturating_add(1);
        if count > self.options.max_samples {
            return Err(QueryError::limit(
                "query processing would load too many samples into memory in query execution",
            )
            .at(subquery.range.span)
            .hint("a subquery with fewer steps holds fewer samples"));
        }
        let count = usize::try_from(count).map_err(|_| QueryError::limit("too many subquery steps"))?;
        let inner = Grid { start, step, count };
        let held = self.held();
        let outer = std::mem::replace(&mut self.derive_hints, false);
        let rows = self.vector(&subquery.expr, &inner);
        self.derive_hints = outer;
        windows.series = rows?.into_iter().map(|row| WindowSeries::of_row(row, &inner)).collect();
        self.release_to(held);
        self.hold(windows.weight())?;
        Ok(windows)
    }

    pub(super) fn frame(&self, selector: &Selector) -> Result<Frame, QueryError> {
        let offset = match &selector.offset {
            Some(offset) => duration::signed(offset, &self.bounds)?,
            None => 0,
        };
        Ok(Frame { at: self.bounds.resolve(selector.at), offset })
    }

    fn fetch(
        &mut self,
        selector: &Selector,
        start: i64,
        end: i64,
        span: Span,
    ) -> Result<Vec<Series>, QueryError> {
        self.fetch_matching(&selector.matchers, start, end).map_err(|error| error.at(span))
    }

    /// The series that satisfy `matchers`, with their samples in `start..=end`, counted against the limit.
    pub(super) fn fetch_matching(
        &mut self,
        matchers: &[crate::source::Matcher],
        start: i64,
        end: i64,
    ) -> Result<Vec<Series>, QueryError> {
        self.check_cancelled()?;
        let left = self.options.max_samples.saturating_sub(self.held());
        let selection = Selection { matchers, start, end, max_samples: left };
        let mut found = self.source.select(&selection).map_err(|error| {
            let kind = match error {
                SourceError::TooManySamples { .. } => ErrorKind::Limit,
                SourceError::Unreadable(_) => ErrorKind::Unreadable,
                SourceError::Cancelled => ErrorKind::Cancelled,
            };
            QueryError { kind, message: error.to_string(), span: None, hint: None }
        })?;
        let samples = found
            .iter()
            .map(|s| {
                let histograms: u64 = s.histograms.iter().map(|h| super::grid::histogram_weight(&h.h)).sum();
                s.samples.len() as u64 + histograms
            })
            .sum();
        self.count_series(found.len() as u64, samples);
        self.hold(samples)?;
        if self.derive_hints {
            found.iter_mut().for_each(derive_hints);
        }
        Ok(found)
    }
}

/// Replaces unknown reset hints by comparing each histogram with the one before it.
fn derive_hints(series: &mut Series) {
    let mut previous: Option<Arc<Histogram>> = None;
    for sample in &mut series.histograms {
        if sample.h.is_stale() {
            continue;
        }
        if let (ResetHint::Unknown, Some(before)) = (sample.h.reset_hint, &previous) {
            let hint = if sample.h.detect_reset(before) { ResetHint::Reset } else { ResetHint::NotReset };
            sample.h = Arc::new(Histogram { reset_hint: hint, ..Histogram::clone(&sample.h) });
        }
        previous = Some(Arc::clone(&sample.h));
    }
}

/// The latest sample at each time, unless it is older than the lookback or marks the series' end.
#[allow(clippy::cast_precision_loss, reason = "times are below 2^53 ms")]
fn instant_cells(series: &Series, frame: &Frame, grid: &Grid, lookback: i64, reading: Reading) -> Vec<Cell> {
    let (mut f, mut h) = (0, 0);
    grid.times()
        .map(|t| {
            let at = frame.reference(t);
            while series.samples.get(f).is_some_and(|s| s.t <= at) {
                f += 1;
            }
            while series.histograms.get(h).is_some_and(|s| s.t <= at) {
                h += 1;
            }
            let float = f.checked_sub(1).and_then(|i| series.samples.get(i));
            let histogram = h.checked_sub(1).and_then(|i| series.histograms.get(i));
            let (time, cell) = match (float, histogram) {
                (None, None) => return Cell::Empty,
                (Some(s), other) if other.is_none_or(|o| o.t < s.t) => {
                    if is_stale(s.v) {
                        return Cell::Empty;
                    }
                    (s.t, Cell::Float(s.v))
                }
                (_, Some(s)) => {
                    if s.h.is_stale() {
                        return Cell::Empty;
                    }
                    (s.t, Cell::Histogram(s.h.clone()))
                }
                (Some(_), None) => return Cell::Empty,
            };
            if at.saturating_sub(time) >= lookback {
                return Cell::Empty;
            }
            match reading {
                Reading::Value => cell,
                Reading::Timestamp => Cell::Float(time as f64 / 1000.0),
                Reading::StartTimestamp => {
                    let start = series.starts.binary_search_by_key(&time, |(t, _)| *t).ok();
                    let start = start.and_then(|i| series.starts.get(i)).map_or(0, |(_, start)| *start);
                    Cell::Float(start as f64 / 1000.0)
                }
            }
        })
        .collect()
}
