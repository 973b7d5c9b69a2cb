//! The steps a query is evaluated at, and the vectors evaluated over them.

use std::sync::Arc;

use kernel::{Labels, METRIC_NAME};

use super::super::ast::At;
use crate::histogram::Histogram;

/// Labels that name or describe a metric rather than tell its series apart; functions drop them together.
const METADATA_LABELS: [&str; 3] = [METRIC_NAME, "__type__", "__unit__"];

/// Evenly spaced times, in milliseconds. `count` is at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    pub start: i64,
    pub step: i64,
    pub count: usize,
}

/// A series' value at one step.
#[derive(Clone, Debug, Default)]
pub(crate) enum Cell {
    #[default]
    Empty,
    Float(f64),
    Histogram(Arc<Histogram>),
}

/// A series over all steps of a grid.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub labels: Labels,
    /// The metric's name goes at the end of the query (delayed name removal).
    pub drop_name: bool,
    /// One per step.
    pub cells: Vec<Cell>,
}

/// What an expression evaluates to over a grid.
#[derive(Clone, Debug)]
pub(crate) enum Out {
    /// One per step.
    Scalar(Vec<f64>),
    Vector(Vec<Row>),
    Text(String),
}

/// Where a selector or subquery looks: `@` and `offset` resolved to milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub at: Option<i64>,
    pub offset: i64,
}

/// The times of the whole query, for `start()`, `@ end()`, `step()` and their like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub start: i64,
    pub end: i64,
    /// Zero for an instant query.
    pub step: i64,
}

// === impl Grid ===

impl Grid {
    pub fn instant(at: i64) -> Self {
        Self { start: at, step: 1, count: 1 }
    }

    /// The time of step `i`.
    pub fn time(&self, i: usize) -> i64 {
        self.start.saturating_add(self.step.saturating_mul(i64::try_from(i).unwrap_or(i64::MAX)))
    }

    pub fn end(&self) -> i64 {
        self.time(self.count.saturating_sub(1))
    }

    pub fn times(&self) -> impl ExactSizeIterator<Item = i64> + '_ {
        (0..self.count).map(|i| self.time(i))
    }
}

// === impl Frame ===

impl Frame {
    /// The time that is looked at from step time `t`.
    pub fn reference(&self, t: i64) -> i64 {
        self.at.unwrap_or(t).saturating_sub(self.offset)
    }
}

// === impl Bounds ===

impl Bounds {
    pub fn resolve(&self, at: Option<At>) -> Option<i64> {
        at.map(|at| match at {
            At::Time(ms) => ms,
            At::Start => self.start,
            At::End => self.end,
        })
    }
}

// === impl Cell ===

impl Cell {
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    pub fn float(&self) -> Option<f64> {
        match self {
            Self::Float(v) => Some(*v),
            _ => None,
        }
    }

    pub fn histogram(&self) -> Option<&Arc<Histogram>> {
        match self {
            Self::Histogram(h) => Some(h),
            _ => None,
        }
    }

    /// From a histogram made here.
    pub fn of(histogram: Histogram) -> Self {
        Self::Histogram(Arc::new(histogram))
    }
}

// === impl Row ===

impl Row {
    /// The metric's name, unless it is to be dropped.
    pub fn metric_name(&self) -> &str {
        self.labels.metric_name().unwrap_or_default()
    }

    pub fn is_empty(&self) -> bool {
        self.cells.iter().all(Cell::is_empty)
    }

    /// How many samples of 16 bytes it takes: one per step, whether it has a value there or not, and histograms as they are.
    pub fn weight(&self) -> u64 {
        let histograms: u64 =
            self.cells.iter().filter_map(Cell::histogram).map(|h| histogram_weight(h)).sum();
        self.cells.len() as u64 + histograms
    }
}

// === impl Out ===

impl Out {
    pub fn weight(&self) -> u64 {
        match self {
            Self::Scalar(values) => values.len() as u64,
            Self::Vector(rows) => rows.iter().map(Row::weight).sum(),
            Self::Text(_) => 0,
        }
    }
}

/// How many samples of 16 bytes a histogram takes.
pub(crate) fn histogram_weight(h: &Histogram) -> u64 {
    let spans = h.positive.spans.len() + h.negative.spans.len();
    let counts = h.positive.counts.len() + h.negative.counts.len() + h.custom_bounds.len();
    (112 + 8 * (spans + counts) as u64).div_ceil(16)
}

/// `labels` without the metric's name, type and unit.
pub(crate) fn without_metadata(labels: &Labels) -> Labels {
    if labels.iter().all(|(name, _)| !METADATA_LABELS.contains(&name)) {
        return labels.clone();
    }
    let mut builder = labels.to_builder();
    builder.retain(|name| !METADATA_LABELS.contains(&name));
    builder.build()
}
