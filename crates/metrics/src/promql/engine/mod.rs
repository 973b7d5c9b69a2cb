//! Evaluates queries over a source of series.
//!
//! Every expression is evaluated once for all steps: a selector asks the source once for the whole time range, a function
//! runs over its argument's rows. Parts that do not depend on the step (constants, selectors pinned with `@`) are evaluated
//! for one step and repeated.

mod aggregate;
mod binary;
mod call;
mod duration;
mod eval;
mod grid;
mod histogram_pairs;
mod info;
mod matching;
mod operator;
mod ranges;
mod ranking;
mod read;
mod rows;
mod select;
mod window;

use std::sync::Arc;

use kernel::Labels;

use super::annotation::Annotation;
use super::ast::{Expr, ValueType};
use super::error::{ErrorKind, QueryError};
use super::options::Options;
use crate::histogram::{Histogram, HistogramSample};
use crate::sample::Sample;
use crate::source::SeriesSource;

pub(super) use eval::Evaluator;
pub(super) use grid::{Bounds, Cell, Grid, Row};
pub(super) use window::{Window, counter_reset_by_start, start_overlaps};

/// A parsed query, ready to be evaluated any number of times.
#[derive(Clone, Debug)]
pub struct Query {
    text: String,
    expr: Expr,
}

/// An evaluated query.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The result.
    pub value: Value,
    /// What may be wrong with it, each with its place in the query.
    pub warnings: Vec<Annotation>,
    /// What is worth knowing about it.
    pub infos: Vec<Annotation>,
    /// What it cost.
    pub stats: Stats,
}

/// A result. Times are milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number at a time.
    Scalar {
        /// When.
        t: i64,
        /// The number.
        v: f64,
    },
    /// A text at a time.
    String {
        /// When.
        t: i64,
        /// The text.
        s: String,
    },
    /// Series with one sample each; in the query's order where it has one (`sort`, `topk`).
    Vector(Vec<InstantSample>),
    /// Series with samples over time, sorted by labels.
    Matrix(Vec<RangeSeries>),
}

/// A series' sample at the query's time.
#[derive(Clone, Debug, PartialEq)]
pub struct InstantSample {
    /// Which series.
    pub labels: Labels,
    /// The query's time.
    pub t: i64,
    /// The value.
    pub value: SampleValue,
}

/// A float or a histogram.
#[derive(Clone, Debug, PartialEq)]
pub enum SampleValue {
    /// A float.
    Float(f64),
    /// A native histogram.
    Histogram(Arc<Histogram>),
}

/// A series over time. Both lists ascend; no time is in both.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeSeries {
    /// Which series.
    pub labels: Labels,
    /// Its floats.
    pub floats: Vec<Sample>,
    /// Its histograms.
    pub histograms: Vec<HistogramSample>,
}

/// What a query cost. Samples are 16 bytes; a histogram counts as several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Series read from the source.
    pub series: u64,
    /// Samples read from the source.
    pub total_samples: u64,
    /// The most samples held at once.
    pub peak_samples: u64,
    /// Steps evaluated.
    pub steps: u64,
}

// === impl Query ===

impl Query {
    /// Parses and type-checks `text` with the language features of `options`.
    ///
    /// # Errors
    /// The text is not a valid query: what, where, and what to do.
    pub fn parse(text: &str, options: &Options) -> Result<Self, QueryError> {
        Ok(Self { text: text.to_owned(), expr: super::parse(text, &options.syntax)? })
    }

    /// The text it was parsed from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its syntax tree.
    pub fn expr(&self) -> &Expr {
        &self.expr
    }

    /// Evaluates it at one time, in milliseconds. `cancelled` is asked now and then; once it says yes the query ends.
    ///
    /// # Errors
    /// The evaluation failed, a limit was reached, data could not be read, or it was cancelled.
    pub fn instant(
        &self,
        source: &dyn SeriesSource,
        at_ms: i64,
        options: &Options,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Answer, QueryError> {
        let bounds = Bounds { start: at_ms, end: at_ms, step: 0 };
        let mut evaluator = Evaluator::new(source, options, cancelled, bounds);
        let value = evaluator.instant(&self.expr, at_ms)?;
        Ok(evaluator.answer(value, 1))
    }

    /// Evaluates it at `start_ms`, `start_ms + step_ms`, … up to `end_ms`, included when a step falls on it.
    ///
    /// # Errors
    /// As [`Query::instant`]; also when the range is backwards, the step is not positive, the steps are too many, or the
    /// query yields neither a scalar nor an instant vector.
    pub fn range(
        &self,
        source: &dyn SeriesSource,
        start_ms: i64,
        end_ms: i64,
        step_ms: i64,
        options: &Options,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Answer, QueryError> {
        let grid = self.grid(start_ms, end_ms, step_ms, options)?;
        let bounds = Bounds { start: start_ms, end: end_ms, step: step_ms };
        let mut evaluator = Evaluator::new(source, options, cancelled, bounds);
        let value = evaluator.range(&self.expr, &grid)?;
        Ok(evaluator.answer(value, grid.count as u64))
    }

    fn grid(&self, start: i64, end: i64, step: i64, options: &Options) -> Result<Grid, QueryError> {
        let refuse =
            |message: String| QueryError { kind: ErrorKind::BadData, message, span: None, hint: None };
        let kind = self.expr.value_type();
        if !matches!(kind, ValueType::Scalar | ValueType::Vector) {
            return Err(refuse(format!(
                "invalid expression type {:?} for range query, must be Scalar or instant Vector",
                kind.documented()
            ))
            .at(self.expr.span));
        }
        if end < start {
            return Err(refuse("end timestamp must not be before start time".to_owned()));
        }
        if step <= 0 {
            return Err(refuse(
                "zero or negative query resolution step widths are not accepted. Try a positive integer"
                    .to_owned(),
            ));
        }
        let count = (end.abs_diff(start) / step.unsigned_abs()).saturating_add(1);
        if count > options.max_steps {
            return Err(refuse(format!(
                "exceeded maximum resolution of {} points per timeseries. Try decreasing the query resolution (?step=XX)",
                options.max_steps
            )));
        }
        let count = usize::try_from(count).map_err(|_| refuse("too many steps".to_owned()))?;
        Ok(Grid { start, step, count })
    }
}
