//! Operators on single values.

use std::sync::Arc;

use super::super::annotation::{Annotations, HistogramOperation, Notice};
use super::super::ast::{BinaryOp, Span};
use super::grid::Cell;
use crate::histogram::Histogram;

/// The result of an operator on two numbers; comparisons give the left one when they hold.
pub(super) fn floats(op: BinaryOp, a: f64, b: f64) -> Option<f64> {
    let keep = |holds: bool| holds.then_some(a);
    match op {
        BinaryOp::Add => Some(a + b),
        BinaryOp::Sub => Some(a - b),
        BinaryOp::Mul => Some(a * b),
        BinaryOp::Div => Some(a / b),
        BinaryOp::Mod => Some(a % b),
        BinaryOp::Pow => Some(a.powf(b)),
        BinaryOp::Atan2 => Some(a.atan2(b)),
        #[allow(clippy::float_cmp, reason = "PromQL compares exactly")]
        BinaryOp::Equal => keep(a == b),
        #[allow(clippy::float_cmp, reason = "PromQL compares exactly")]
        BinaryOp::NotEqual => keep(a != b),
        BinaryOp::Less => keep(a < b),
        BinaryOp::LessEqual => keep(a <= b),
        BinaryOp::Greater => keep(a > b),
        BinaryOp::GreaterEqual => keep(a >= b),
        BinaryOp::And | BinaryOp::Or | BinaryOp::Unless | BinaryOp::TrimUpper | BinaryOp::TrimLower => None,
    }
}

/// An operator at a place, with where to note what it cannot do.
pub(super) struct Applied<'a> {
    pub op: BinaryOp,
    pub returns_bool: bool,
    pub span: Span,
    pub notes: &'a mut Annotations,
}

// === impl Applied ===

impl Applied<'_> {
    /// The result on two samples: empty when a comparison fails or the types do not fit. A comparison that holds gives
    /// `a`, or with `bool` 1 and otherwise 0.
    pub fn cells(&mut self, a: &Cell, b: &Cell) -> Cell {
        let result = match (a, b) {
            (Cell::Empty, _) | (_, Cell::Empty) => return Cell::Empty,
            (Cell::Float(a), Cell::Float(b)) => match (floats(self.op, *a, *b), self.op) {
                (None, BinaryOp::TrimUpper | BinaryOp::TrimLower) => {
                    return self.incompatible("float", "float");
                }
                (found, _) => found.map(Cell::Float),
            },
            (Cell::Float(a), Cell::Histogram(b)) => match self.op {
                BinaryOp::Mul => Some(Cell::of(b.scaled(*a).compacted())),
                _ => return self.incompatible("float", "histogram"),
            },
            (Cell::Histogram(a), Cell::Float(b)) => match self.op {
                BinaryOp::Mul => Some(Cell::of(a.scaled(*b).compacted())),
                BinaryOp::Div => Some(Cell::of(a.divided(*b).compacted())),
                BinaryOp::TrimUpper => Some(Cell::of(a.trimmed(*b, true))),
                BinaryOp::TrimLower => Some(Cell::of(a.trimmed(*b, false))),
                _ => return self.incompatible("histogram", "float"),
            },
            (Cell::Histogram(a), Cell::Histogram(b)) => match self.histograms(a, b) {
                Ok(found) => found,
                Err(()) => return Cell::Empty,
            },
        };
        if self.returns_bool {
            return Cell::Float(if result.is_some() { 1.0 } else { 0.0 });
        }
        result.unwrap_or_default()
    }

    fn histograms(&mut self, a: &Arc<Histogram>, b: &Arc<Histogram>) -> Result<Option<Cell>, ()> {
        let (operation, name) = match self.op {
            BinaryOp::Add => (HistogramOperation::Addition, "+"),
            BinaryOp::Sub => (HistogramOperation::Subtraction, "-"),
            BinaryOp::Equal => return Ok(a.same_as(b).then(|| Cell::Histogram(Arc::clone(a)))),
            BinaryOp::NotEqual => return Ok((!a.same_as(b)).then(|| Cell::Histogram(Arc::clone(a)))),
            _ => {
                self.incompatible("histogram", "histogram");
                return Err(());
            }
        };
        let mut result = Histogram::clone(a);
        let combined = if operation == HistogramOperation::Addition { result.add(b) } else { result.sub(b) };
        let Ok(combined) = combined else {
            self.notes.add(self.span, &Notice::IncompatibleBuckets { operator: name });
            return Err(());
        };
        if combined.reset_conflict {
            self.notes.add(self.span, &Notice::ResetCollision(operation));
        }
        if combined.reconciled {
            self.notes.add(self.span, &Notice::ReconciledBuckets(operation));
        }
        if operation == HistogramOperation::Subtraction {
            // What is left after subtracting is no counter any more.
            result.reset_hint = crate::histogram::ResetHint::Gauge;
        }
        Ok(Some(Cell::of(result.compacted())))
    }

    fn incompatible(&mut self, left: &str, right: &str) -> Cell {
        self.notes.add(self.span, &Notice::IncompatibleTypes { left, operator: self.op.symbol(), right });
        Cell::Empty
    }
}
