//! Instant selectors: the newest sample of each series at each step.

use super::super::annotation::Notice;
use super::super::ast::{Extension, Selector, Span};
use super::super::error::QueryError;
use super::super::functions::{interpolate_floats, interpolate_histograms};
use super::eval::Evaluator;
use super::grid::{Cell, Frame, Grid, Row};
use crate::sample::is_stale;
use crate::source::Series;

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
        let mut rows = Vec::new();
        self.each_series(&selector.matchers, (from, to), span, |this, series| {
            let cells = if smoothed {
                this.smoothed_cells(&series, span, &frame, grid)
            } else {
                instant_cells(&series, &frame, grid, lookback, reading)
            };
            let row = Row { labels: series.labels, drop_name: false, cells };
            if !row.is_empty() {
                this.hold(row.weight())?;
                rows.push(row);
            }
            Ok(())
        })?;
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
