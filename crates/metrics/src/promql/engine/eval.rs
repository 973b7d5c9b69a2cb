//! The walk over the syntax tree.

use super::super::annotation::{Annotations, Notice};
use super::super::ast::{Expr, ExprKind, Span, ValueType};
use super::super::error::{ErrorKind, QueryError};
use super::super::options::Options;
use super::grid::{Bounds, Cell, Grid, Out, Row};
use super::{Answer, Stats, Value, rows};
use crate::source::SeriesSource;

/// The state of one evaluation.
pub(crate) struct Evaluator<'a> {
    pub(super) source: &'a dyn SeriesSource,
    pub(crate) options: &'a Options,
    cancelled: &'a dyn Fn() -> bool,
    pub(crate) bounds: Bounds,
    notes: Annotations,
    stats: Stats,
    /// Samples held by results that are still needed.
    held: u64,
    /// Only counts and sums of histograms are looked at, so reset hints are derived while reading. This is what tells
    /// conflicting resets apart in an aggregation.
    pub(super) derive_hints: bool,
}

/// Functions whose value depends on the step they are evaluated at, whatever their arguments.
const STEP_DEPENDENT: [&str; 12] = [
    "time",
    "timestamp",
    "predict_linear",
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "hour",
    "minute",
    "month",
    "year",
    "info",
];

// === impl Evaluator ===

impl<'a> Evaluator<'a> {
    pub(super) fn new(
        source: &'a dyn SeriesSource,
        options: &'a Options,
        cancelled: &'a dyn Fn() -> bool,
        bounds: Bounds,
    ) -> Self {
        Self {
            source,
            options,
            cancelled,
            bounds,
            notes: Annotations::default(),
            stats: Stats::default(),
            held: 0,
            derive_hints: false,
        }
    }

    pub(super) fn instant(&mut self, expr: &Expr, at: i64) -> Result<Value, QueryError> {
        let grid = Grid::instant(at);
        if expr.value_type() == ValueType::Matrix {
            return Ok(Value::Matrix(self.window_at(expr, at).map_err(|error| error.at(expr.span))?));
        }
        Ok(match self.eval(expr, &grid)? {
            Out::Scalar(values) => Value::Scalar { t: at, v: values.first().copied().unwrap_or(f64::NAN) },
            Out::Text(s) => Value::String { t: at, s },
            Out::Vector(mut found) => {
                rows::drop_names(&mut found);
                let merged = rows::merge_equal(found).map_err(|error| error.at(expr.span))?;
                Value::Vector(rows::instant_samples(merged, at))
            }
        })
    }

    pub(super) fn range(&mut self, expr: &Expr, grid: &Grid) -> Result<Value, QueryError> {
        let mut found = match self.eval(expr, grid)? {
            Out::Vector(found) => found,
            Out::Scalar(values) => vec![Row {
                labels: kernel::Labels::empty(),
                drop_name: false,
                cells: values.into_iter().map(Cell::Float).collect(),
            }],
            Out::Text(_) => Vec::new(),
        };
        rows::drop_names(&mut found);
        let merged = rows::merge_equal(found).map_err(|error| error.at(expr.span))?;
        Ok(Value::Matrix(rows::range_series(merged, grid)))
    }

    pub(super) fn answer(self, value: Value, steps: u64) -> Answer {
        let (warnings, infos) = self.notes.into_lists();
        Answer { value, warnings, infos, stats: Stats { steps, ..self.stats } }
    }

    /// Evaluates `expr` at every step of `grid`.
    pub(super) fn eval(&mut self, expr: &Expr, grid: &Grid) -> Result<Out, QueryError> {
        self.check_cancelled()?;
        let held = self.held;
        // The least any result takes; asked for before it is made.
        self.hold(grid.count as u64)?;
        let evaluated = if grid.count > 1 && step_invariant(expr) {
            self.eval_node(expr, &Grid::instant(grid.start)).map(|once| repeat(once, grid.count))
        } else {
            self.eval_node(expr, grid)
        };
        // The innermost part that knows better has placed the error already.
        let out = evaluated.map_err(|error| error.at(expr.span))?;
        self.held = held;
        self.hold(out.weight())?;
        Ok(out)
    }

    fn eval_node(&mut self, expr: &Expr, grid: &Grid) -> Result<Out, QueryError> {
        match &expr.kind {
            ExprKind::Number(number) => Ok(Out::Scalar(vec![number.value; grid.count])),
            ExprKind::String(literal) => Ok(Out::Text(literal.value.clone())),
            ExprKind::Paren(inner) => self.eval(inner, grid),
            ExprKind::Selector(selector) => Ok(Out::Vector(self.select_instant(selector, expr.span, grid)?)),
            ExprKind::Unary(unary) => {
                let out = self.eval(&unary.expr, grid)?;
                if unary.negative { self.negate(out) } else { Ok(out) }
            }
            ExprKind::Binary(binary) => self.binary(binary, expr.span, grid),
            ExprKind::Aggregate(aggregate) => self.aggregate(aggregate, grid),
            ExprKind::Call(call) => self.call(call, expr.span, grid),
            ExprKind::Range(_) | ExprKind::Subquery(_) => {
                Err(QueryError::execution("a range vector needs a function that reduces it").at(expr.span))
            }
        }
    }

    fn negate(&mut self, out: Out) -> Result<Out, QueryError> {
        Ok(match out {
            Out::Scalar(values) => Out::Scalar(values.into_iter().map(|v| -v).collect()),
            Out::Text(text) => Out::Text(text),
            Out::Vector(mut found) => {
                for row in &mut found {
                    for cell in &mut row.cells {
                        *cell = match std::mem::take(cell) {
                            Cell::Float(v) => Cell::Float(-v),
                            Cell::Histogram(h) => Cell::of(h.scaled(-1.0)),
                            Cell::Empty => Cell::Empty,
                        };
                    }
                    row.drop_name = true;
                }
                Out::Vector(self.named(found)?)
            }
        })
    }

    /// A vector-valued expression's rows.
    pub(crate) fn vector(&mut self, expr: &Expr, grid: &Grid) -> Result<Vec<Row>, QueryError> {
        match self.eval(expr, grid)? {
            Out::Vector(found) => Ok(found),
            _ => Err(QueryError::execution("an instant vector is needed here").at(expr.span)),
        }
    }

    /// A scalar expression's values.
    pub(crate) fn scalar(&mut self, expr: &Expr, grid: &Grid) -> Result<Vec<f64>, QueryError> {
        match self.eval(expr, grid)? {
            Out::Scalar(values) => Ok(values),
            _ => Err(QueryError::execution("a scalar is needed here").at(expr.span)),
        }
    }

    /// A string expression's text.
    pub(crate) fn text(&mut self, expr: &Expr) -> Result<String, QueryError> {
        match self.eval(expr, &Grid::instant(self.bounds.start))? {
            Out::Text(text) => Ok(text),
            _ => Err(QueryError::execution("a string is needed here").at(expr.span)),
        }
    }

    /// Rows whose names are to be dropped: at once, or at the end of the query when that is delayed.
    pub(crate) fn named(&self, mut found: Vec<Row>) -> Result<Vec<Row>, QueryError> {
        if self.options.delayed_name_removal || found.iter().all(|r| !r.drop_name) {
            return Ok(found);
        }
        rows::drop_names(&mut found);
        rows::merge_equal(found)
    }

    /// Says something about the data under `span`.
    pub(crate) fn note(&mut self, span: Span, notice: &Notice<'_>) {
        self.notes.add(span, notice);
    }

    pub(crate) fn notes(&mut self) -> &mut Annotations {
        &mut self.notes
    }

    pub(super) fn count_series(&mut self, samples: u64) {
        self.stats.series += 1;
        self.stats.total_samples += samples;
    }

    /// Adds `samples` to what is held.
    ///
    /// # Errors
    /// More is held than allowed.
    pub(super) fn hold(&mut self, samples: u64) -> Result<(), QueryError> {
        self.held = self.held.saturating_add(samples);
        self.stats.peak_samples = self.stats.peak_samples.max(self.held);
        if self.held > self.options.max_samples {
            return Err(QueryError::limit(
                "query processing would load too many samples into memory in query execution",
            )
            .hint(format!(
                "the limit is {} samples; narrow the selectors or the time range",
                self.options.max_samples
            )));
        }
        Ok(())
    }

    pub(super) fn held(&self) -> u64 {
        self.held
    }

    pub(super) fn release(&mut self, samples: u64) {
        self.held = self.held.saturating_sub(samples);
    }

    pub(super) fn release_to(&mut self, held: u64) {
        self.held = held;
    }

    pub(crate) fn check_cancelled(&self) -> Result<(), QueryError> {
        if !(self.cancelled)() {
            return Ok(());
        }
        Err(QueryError {
            kind: ErrorKind::Cancelled,
            message: "query timed out or was cancelled in expression evaluation".to_owned(),
            span: None,
            hint: Some("narrow the query, or allow it more time".to_owned()),
        })
    }
}

/// Whether the value is the same at every step.
fn step_invariant(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Number(_) | ExprKind::String(_) => true,
        ExprKind::Selector(selector) => selector.at.is_some(),
        ExprKind::Range(range) => range.selector.at.is_some(),
        ExprKind::Subquery(subquery) => subquery.at.is_some(),
        ExprKind::Call(call) if STEP_DEPENDENT.contains(&call.function.name) => false,
        _ => expr.children().into_iter().all(step_invariant),
    }
}

fn repeat(out: Out, count: usize) -> Out {
    match out {
        Out::Scalar(values) => Out::Scalar(vec![values.first().copied().unwrap_or(f64::NAN); count]),
        Out::Text(text) => Out::Text(text),
        Out::Vector(found) => Out::Vector(
            found
                .into_iter()
                .map(|row| {
                    let cell = row.cells.into_iter().next().unwrap_or_default();
                    Row { cells: vec![cell; count], ..row }
                })
                .collect(),
        ),
    }
}
