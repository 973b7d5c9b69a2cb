//! What the functions compute, free of how they are called.

pub(super) mod classic;
mod date;
mod extended;
pub(super) mod label;
mod math;
mod over_time;
mod rate;
pub(super) mod sort;
mod summary;
mod trend;

use super::annotation::{Annotations, Notice};
use super::ast::Span;
use super::engine::{Cell, Window};
use super::error::QueryError;
use crate::histogram::Histogram;

pub(super) use date::{rfc3339, time_function};
pub(super) use extended::{extended_floats, interpolate_floats, interpolate_histograms};
pub(super) use math::{float_function, quantile};
pub(super) use summary::{HistogramSum, Mean, Spread, Sum};

/// Where a function is called, and where to note what it finds.
pub(super) struct Context<'a> {
    pub notes: &'a mut Annotations,
    /// The range vector.
    pub span: Span,
    /// The first argument.
    pub scalar_span: Span,
    /// The series' metric name.
    pub metric: &'a str,
}

/// A function of a window; `None` when it has no value there.
pub(super) type RangeFunction = fn(&Window<'_>, &[f64], &mut Context<'_>) -> Result<Option<Cell>, QueryError>;

// === impl Context ===

impl Context<'_> {
    pub(super) fn note(&mut self, notice: &Notice<'_>) {
        self.notes.add(self.span, notice);
    }
}

/// The function of windows called `name`.
pub(super) fn range_function(name: &str) -> Option<RangeFunction> {
    rate::function(name).or_else(|| over_time::function(name)).or_else(|| trend::function(name))
}

/// What is read off a native histogram by the function called `name`.
pub(super) fn histogram_function(name: &str, h: &Histogram) -> Option<f64> {
    Some(match name {
        "histogram_count" => h.count,
        "histogram_sum" => h.sum,
        "histogram_avg" => h.sum / h.count,
        "histogram_stddev" => h.variance().sqrt(),
        "histogram_stdvar" => h.variance(),
        _ => return None,
    })
}
