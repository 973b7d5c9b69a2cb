//! Operators between expressions: scalars, a vector and a scalar, set operators. Pairs of vectors are in `matching`.

use std::collections::HashMap;

use kernel::{Labels, METRIC_NAME};

use super::super::ast::{Binary, BinaryOp, Matching, Span};
use super::super::error::QueryError;
use super::eval::Evaluator;
use super::grid::{Cell, Grid, Out, Row};
use super::operator::{Applied, floats};
use super::rows;

// === impl Evaluator ===

impl Evaluator<'_> {
    pub(super) fn binary(&mut self, binary: &Binary, span: Span, grid: &Grid) -> Result<Out, QueryError> {
        let held = self.held();
        let outer = self.derive_hints;
        if matches!(binary.op, BinaryOp::TrimLower | BinaryOp::TrimUpper) {
            self.derive_hints = false;
        }
        let left = self.eval(&binary.left, grid);
        let right = left.and_then(|left| Ok((left, self.eval(&binary.right, grid)?)));
        self.derive_hints = outer;
        let (left, right) = right?;
        let out = match (left, right) {
            (Out::Scalar(a), Out::Scalar(b)) => Out::Scalar(scalars(binary, &a, &b)),
            (Out::Vector(found), Out::Scalar(values)) => {
                Out::Vector(self.with_scalar(binary, span, found, &values, false)?)
            }
            (Out::Scalar(values), Out::Vector(found)) => {
                Out::Vector(self.with_scalar(binary, span, found, &values, true)?)
            }
            (Out::Vector(a), Out::Vector(b)) => {
                let fallback = Matching::default();
                let matching = binary.matching.as_ref().unwrap_or(&fallback);
                Out::Vector(match binary.op {
                    BinaryOp::And => keep_where(a, &b, matching, grid.count, true),
                    BinaryOp::Unless => keep_where(a, &b, matching, grid.count, false),
                    BinaryOp::Or => either(a, b, matching, grid.count)?,
                    _ => self.matched(binary, matching, span, (a, b), grid)?,
                })
            }
            _ => return Err(QueryError::execution("strings have no operators").at(span)),
        };
        self.release_to(held);
        Ok(out)
    }

    fn with_scalar(
        &mut self,
        binary: &Binary,
        span: Span,
        mut found: Vec<Row>,
        values: &[f64],
        scalar_left: bool,
    ) -> Result<Vec<Row>, QueryError> {
        let keeps_name = binary.op.is_comparison() && !binary.returns_bool
            || matches!(binary.op, BinaryOp::TrimUpper | BinaryOp::TrimLower);
        let filters = binary.op.is_comparison() && !binary.returns_bool;
        let mut applied =
            Applied { op: binary.op, returns_bool: binary.returns_bool, span, notes: self.notes() };
        for row in &mut found {
            for (cell, value) in row.cells.iter_mut().zip(values) {
                if cell.is_empty() {
                    continue;
                }
                let number = Cell::Float(*value);
                let result =
                    if scalar_left { applied.cells(&number, cell) } else { applied.cells(cell, &number) };
                // A comparison that filters keeps the vector's sample, whichever side it is on.
                let keep = filters && !result.is_empty();
                if !keep {
                    *cell = result;
                }
            }
            row.drop_name |= !keeps_name;
        }
        found.retain(|r| !r.is_empty());
        self.named(found)
    }
}

fn scalars(binary: &Binary, a: &[f64], b: &[f64]) -> Vec<f64> {
    let apply = |(a, b): (&f64, &f64)| match floats(binary.op, *a, *b) {
        Some(_) if binary.op.is_comparison() => 1.0,
        Some(v) => v,
        None => 0.0,
    };
    a.iter().zip(b).map(apply).collect()
}

/// The labels that pair series up.
pub(super) fn signature(labels: &Labels, matching: &Matching) -> Labels {
    let mut builder = labels.to_builder();
    if matching.on {
        builder.retain(|name| matching.labels.iter().any(|l| l == name));
    } else {
        builder.retain(|name| name != METRIC_NAME && !matching.labels.iter().any(|l| l == name));
    }
    builder.build()
}

/// At which steps each signature has a sample.
fn presence(found: &[Row], matching: &Matching, count: usize) -> HashMap<Labels, Vec<bool>> {
    let mut present: HashMap<Labels, Vec<bool>> = HashMap::new();
    for row in found {
        let flags = present.entry(signature(&row.labels, matching)).or_insert_with(|| vec![false; count]);
        for (flag, cell) in flags.iter_mut().zip(&row.cells) {
            *flag |= !cell.is_empty();
        }
    }
    present
}

/// The samples of `left` where `right` has a partner (`and`), or has none (`unless`).
fn keep_where(left: Vec<Row>, right: &[Row], matching: &Matching, count: usize, wanted: bool) -> Vec<Row> {
    let present = presence(right, matching, count);
    left.into_iter()
        .filter_map(|mut row| {
            let flags = present.get(&signature(&row.labels, matching));
            for (i, cell) in row.cells.iter_mut().enumerate() {
                let partner = flags.and_then(|f| f.get(i)).copied().unwrap_or(false);
                if partner != wanted {
                    *cell = Cell::Empty;
                }
            }
            (!row.is_empty()).then_some(row)
        })
        .collect()
}

/// All of `left`, and the samples of `right` without a partner there.
fn either(
    left: Vec<Row>,
    right: Vec<Row>,
    matching: &Matching,
    count: usize,
) -> Result<Vec<Row>, QueryError> {
    let present = presence(&left, matching, count);
    let mut all = left;
    let unpartnered = right.into_iter().filter_map(|mut row| {
        let flags = present.get(&signature(&row.labels, matching));
        for (i, cell) in row.cells.iter_mut().enumerate() {
            if flags.and_then(|f| f.get(i)).copied().unwrap_or(false) {
                *cell = Cell::Empty;
            }
        }
        (!row.is_empty()).then_some(row)
    });
    all.extend(unpartnered);
    rows::merge_equal(all)
}
