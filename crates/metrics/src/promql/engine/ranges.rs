//! Windows over series and over subqueries.

use super::super::ast::{Expr, ExprKind, Extension, RangeSelector, Span, Subquery};
use super::super::error::QueryError;
use super::duration;
use super::eval::Evaluator;
use super::grid::{Frame, Grid};
use super::window::{Panes, WindowSeries};
use super::{RangeSeries, window};
use crate::sample::is_stale;

// === impl Evaluator ===

impl Evaluator<'_> {
    /// Calls `visit` with each series of a range selector or subquery (parentheses allowed) and how windows lie over it.
    ///
    /// # Errors
    /// Those of `visit`, of reading, and of the subquery's expression.
    pub(super) fn each_windowed(
        &mut self,
        expr: &Expr,
        grid: &Grid,
        mut visit: impl FnMut(&mut Self, &Panes, WindowSeries) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        let inner = expr.unwrap_parens();
        match &inner.kind {
            ExprKind::Range(range) => self.each_selected(range, inner.span, grid, visit),
            ExprKind::Subquery(subquery) => {
                let (panes, series) = self.subquery(subquery, grid)?;
                series.into_iter().try_for_each(|s| {
                    self.check_cancelled()?;
                    visit(self, &panes, s)
                })
            }
            _ => Err(QueryError::execution("a range vector is needed here").at(expr.span)),
        }
    }

    /// The samples of the window at `at`, as an instant query of a range vector answers them.
    pub(super) fn window_at(&mut self, expr: &Expr, at: i64) -> Result<Vec<RangeSeries>, QueryError> {
        let delayed = self.options.delayed_name_removal;
        let mut found = Vec::new();
        self.each_windowed(expr, &Grid::instant(at), |this, panes, series| {
            let series = panes.at(series, at, delayed);
            this.hold(series.floats.len() as u64)?;
            found.push(series);
            Ok(())
        })?;
        window::sorted(found)
    }

    fn each_selected(
        &mut self,
        range: &RangeSelector,
        span: Span,
        grid: &Grid,
        mut visit: impl FnMut(&mut Self, &Panes, WindowSeries) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        let length = duration::positive(&range.range, &self.bounds)?;
        let selector = &range.selector;
        let frame = self.frame(selector)?;
        let lookback = self.options.lookback_ms;
        let panes = Panes { range: length, frame, extension: selector.extension, lookback };
        let (behind, ahead) = match selector.extension {
            None => (0, 0),
            Some(Extension::Anchored) => (lookback, 0),
            Some(Extension::Smoothed) => (lookback, lookback),
        };
        let from =
            frame.reference(grid.start).saturating_sub(length).saturating_sub(behind).saturating_add(1);
        let to = frame.reference(grid.end()).saturating_add(ahead);
        let starts_count = self.options.start_timestamps;
        self.each_series(&selector.matchers, (from, to), span, |this, mut s| {
            s.samples.retain(|sample| !is_stale(sample.v));
            s.histograms.retain(|sample| !sample.h.is_stale());
            if !starts_count {
                s.starts.clear();
            }
            let series = WindowSeries {
                labels: s.labels,
                drop_name: false,
                floats: s.samples,
                histograms: s.histograms,
                starts: s.starts,
            };
            visit(this, &panes, series)
        })
    }

    fn subquery(
        &mut self,
        subquery: &Subquery,
        grid: &Grid,
    ) -> Result<(Panes, Vec<WindowSeries>), QueryError> {
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
        let panes = Panes { range, frame, extension: None, lookback: self.options.lookback_ms };
        let low = frame.reference(grid.start).saturating_sub(range);
        let high = frame.reference(grid.end());
        // Steps are multiples of the resolution, so that neighbouring queries see the same samples.
        let start = low.div_euclid(step).saturating_mul(step).saturating_add(step);
        if start > high {
            return Ok((panes, Vec::new()));
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
        let series: Vec<_> = rows?.into_iter().map(|row| WindowSeries::of_row(row, &inner)).collect();
        self.release_to(held);
        self.hold(series.iter().map(WindowSeries::weight).sum())?;
        Ok((panes, series))
    }
}
