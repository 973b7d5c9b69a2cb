//! Reading from the source, one series at a time, within the limit on samples.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::super::ast::{Selector, Span};
use super::super::error::{ErrorKind, QueryError};
use super::duration;
use super::eval::Evaluator;
use super::grid::{Frame, histogram_weight};
use crate::histogram::{Histogram, ResetHint};
use crate::source::{Matcher, Selection, Series, SourceError};

// === impl Evaluator ===

impl Evaluator<'_> {
    /// Calls `visit` with each series that satisfies `matchers` and its samples in `start..=end`. A series' samples count
    /// against the limit while it is visited; what `visit` keeps of them it holds itself.
    ///
    /// # Errors
    /// Those of `visit`, a reached limit, a cancelled query, and those of the source, placed at `span`.
    pub(super) fn each_series(
        &mut self,
        matchers: &[Matcher],
        (start, end): (i64, i64),
        span: Span,
        mut visit: impl FnMut(&mut Self, Series) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        self.check_cancelled()?;
        let max_samples = self.options.max_samples.saturating_sub(self.held());
        let selection = Selection { matchers, start, end, max_samples };
        let source = self.source;
        let mut failed = None;
        let scanned = source.scan(&selection, &mut |series| match self.visited(series, &mut visit) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        });
        match (failed, scanned) {
            (Some(error), _) => Err(error),
            (None, Err(error)) => Err(refused(&error).at(span)),
            (None, Ok(())) => Ok(()),
        }
    }

    fn visited(
        &mut self,
        mut series: Series,
        visit: &mut impl FnMut(&mut Self, Series) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        self.check_cancelled()?;
        let histograms: u64 = series.histograms.iter().map(|h| histogram_weight(&h.h)).sum();
        let samples = series.samples.len() as u64 + histograms;
        self.count_series(samples);
        self.hold(samples)?;
        if self.derive_hints {
            derive_hints(&mut series);
        }
        visit(self, series)?;
        self.release(samples);
        Ok(())
    }

    pub(super) fn frame(&self, selector: &Selector) -> Result<Frame, QueryError> {
        let offset = match &selector.offset {
            Some(offset) => duration::signed(offset, &self.bounds)?,
            None => 0,
        };
        Ok(Frame { at: self.bounds.resolve(selector.at), offset })
    }
}

fn refused(error: &SourceError) -> QueryError {
    let kind = match error {
        SourceError::TooManySamples { .. } => ErrorKind::Limit,
        SourceError::Unreadable(_) => ErrorKind::Unreadable,
        SourceError::Cancelled => ErrorKind::Cancelled,
    };
    QueryError { kind, message: error.to_string(), span: None, hint: None }
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
