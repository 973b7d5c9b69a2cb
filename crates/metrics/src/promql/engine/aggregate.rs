//! Aggregations that fold a group's samples into one: sum, avg, count, min, max, group, stddev, stdvar, quantile,
//! count_values. Those that choose samples are in `ranking`.

use std::collections::{BTreeMap, HashMap};

use kernel::{Labels, METRIC_NAME};

use super::super::annotation::{HistogramOperation, Notice};
use super::super::ast::{Aggregate, AggregateOp, ExprKind, Span};
use super::super::error::QueryError;
use super::super::format_value;
use super::super::functions::{HistogramSum, Mean, Spread, Sum, quantile};
use super::super::quote::quote_bytes;
use super::eval::Evaluator;
use super::grid::{Cell, Grid, Out, Row};

/// Rows that aggregate together.
pub(super) struct Group {
    pub labels: Labels,
    pub rows: Vec<usize>,
}

/// A group's fold at one step.
#[derive(Clone)]
enum Fold {
    Empty,
    Sum(Sum),
    Mean(Mean),
    Histograms(Box<HistogramSum>),
    Count(f64),
    Extreme(f64),
    Spread(Spread),
    /// Floats and histograms met: no result.
    Mixed,
    /// Exponential and custom histograms met: no result.
    Incompatible,
}

// === impl Evaluator ===

impl Evaluator<'_> {
    pub(super) fn aggregate(&mut self, aggregate: &Aggregate, grid: &Grid) -> Result<Out, QueryError> {
        let held = self.held();
        let out = match aggregate.op {
            AggregateOp::TopK | AggregateOp::BottomK | AggregateOp::LimitK | AggregateOp::LimitRatio => {
                self.rank(aggregate, grid)?
            }
            AggregateOp::CountValues => self.count_values(aggregate, grid)?,
            AggregateOp::Quantile => self.quantile_aggregate(aggregate, grid)?,
            _ => self.fold(aggregate, grid)?,
        };
        self.release_to(held);
        Ok(Out::Vector(out))
    }

    fn fold(&mut self, aggregate: &Aggregate, grid: &Grid) -> Result<Vec<Row>, QueryError> {
        let rows = self.vector(&aggregate.expr, grid)?;
        let span = aggregate.expr.span;
        let mut made = Vec::new();
        for group in groups(&rows, aggregate) {
            self.check_cancelled()?;
            let mut folds = vec![Fold::Empty; grid.count];
            for row in group.rows.iter().filter_map(|i| rows.get(*i)) {
                for (fold, cell) in folds.iter_mut().zip(&row.cells) {
                    self.fold_cell(aggregate.op, fold, cell, span);
                }
            }
            let cells = folds.into_iter().map(|fold| self.finish(aggregate.op, fold, span)).collect();
            let drop_name = all_dropped(&rows, &group);
            made.push(Row { labels: group.labels, drop_name, cells });
        }
        made.retain(|r| !r.is_empty());
        Ok(made)
    }

    fn fold_cell(&mut self, op: AggregateOp, fold: &mut Fold, cell: &Cell, span: Span) {
        let v = match cell {
            Cell::Empty => return,
            Cell::Float(v) => *v,
            Cell::Histogram(h) => match op {
                AggregateOp::Sum | AggregateOp::Avg => {
                    *fold = match std::mem::replace(fold, Fold::Empty) {
                        Fold::Empty if op == AggregateOp::Avg => {
                            Fold::Histograms(Box::new(HistogramSum::averaging(h)))
                        }
                        Fold::Empty => Fold::Histograms(Box::new(HistogramSum::new(h))),
                        Fold::Histograms(mut sum) => {
                            if sum.add(h) {
                                Fold::Histograms(sum)
                            } else {
                                Fold::Incompatible
                            }
                        }
                        Fold::Incompatible => Fold::Incompatible,
                        _ => Fold::Mixed,
                    };
                    return;
                }
                AggregateOp::Count | AggregateOp::Group => 0.0,
                _ => {
                    self.note(span, &Notice::HistogramIgnoredInAggregation(op.name()));
                    return;
                }
            },
        };
        fold_float(op, fold, v);
    }

    fn finish(&mut self, op: AggregateOp, fold: Fold, span: Span) -> Cell {
        match fold {
            Fold::Empty => Cell::Empty,
            Fold::Sum(sum) => Cell::Float(sum.value()),
            Fold::Mean(mean) => Cell::Float(mean.value()),
            Fold::Count(n) => Cell::Float(if op == AggregateOp::Group { 1.0 } else { n }),
            Fold::Extreme(v) => Cell::Float(v),
            Fold::Spread(spread) if op == AggregateOp::Stddev => Cell::Float(spread.variance().sqrt()),
            Fold::Spread(spread) => Cell::Float(spread.variance()),
            Fold::Mixed => {
                self.note(span, &Notice::MixedFloatsHistogramsAggregation);
                Cell::Empty
            }
            Fold::Incompatible => {
                self.note(span, &Notice::MixedExponentialCustom { metric: "" });
                Cell::Empty
            }
            Fold::Histograms(sum) => {
                if sum.conflicts() {
                    self.note(span, &Notice::ResetCollision(HistogramOperation::Aggregation));
                }
                if sum.reconciled() {
                    self.note(span, &Notice::ReconciledBuckets(HistogramOperation::Aggregation));
                }
                Cell::of(if op == AggregateOp::Avg { sum.mean() } else { sum.total() })
            }
        }
    }

    fn quantile_aggregate(&mut self, aggregate: &Aggregate, grid: &Grid) -> Result<Vec<Row>, QueryError> {
        let Some(parameter) = &aggregate.parameter else { return Ok(Vec::new()) };
        let wanted = self.scalar(parameter, grid)?;
        let rows = self.vector(&aggregate.expr, grid)?;
        let mut made = Vec::new();
        for q in &wanted {
            if !(0.0..=1.0).contains(q) {
                self.note(parameter.span, &Notice::InvalidQuantile(*q));
            }
        }
        for group in groups(&rows, aggregate) {
            let mut cells = Vec::with_capacity(grid.count);
            for (step, q) in wanted.iter().enumerate() {
                let mut values = Vec::new();
                for cell in group_cells(&rows, &group, step) {
                    match cell {
                        Cell::Float(v) => values.push(*v),
                        Cell::Histogram(_) => {
                            self.note(
                                aggregate.expr.span,
                                &Notice::HistogramIgnoredInAggregation("quantile"),
                            );
                        }
                        Cell::Empty => {}
                    }
                }
                cells.push(if values.is_empty() { Cell::Empty } else { Cell::Float(quantile(*q, values)) });
            }
            let drop_name = all_dropped(&rows, &group);
            made.push(Row { labels: group.labels, drop_name, cells });
        }
        made.retain(|r| !r.is_empty());
        Ok(made)
    }

    fn count_values(&mut self, aggregate: &Aggregate, grid: &Grid) -> Result<Vec<Row>, QueryError> {
        let Some(parameter) = &aggregate.parameter else { return Ok(Vec::new()) };
        let label = self.text(parameter)?;
        if let ExprKind::String(literal) = &parameter.unwrap_parens().kind
            && let Some(raw) = &literal.raw
        {
            return Err(
                QueryError::execution(format!("invalid label name {}", quote_bytes(raw))).at(parameter.span)
            );
        }
        if label.is_empty() {
            return Err(QueryError::execution("invalid label name \"\"").at(parameter.span));
        }
        let rows = self.vector(&aggregate.expr, grid)?;
        let mut counts: BTreeMap<Labels, Row> = BTreeMap::new();
        for group in groups(&rows, aggregate) {
            let drop_name = all_dropped(&rows, &group);
            for step in 0..grid.count {
                for cell in group_cells(&rows, &group, step) {
                    let text = match cell {
                        Cell::Empty => continue,
                        Cell::Float(v) => format_value(*v),
                        Cell::Histogram(h) => h.to_string(),
                    };
                    let labels = group.labels.with(&label, &text);
                    let row = counts.entry(labels.clone()).or_insert_with(|| Row {
                        labels,
                        drop_name,
                        cells: vec![Cell::Empty; grid.count],
                    });
                    if let Some(cell) = row.cells.get_mut(step) {
                        *cell = Cell::Float(cell.float().unwrap_or(0.0) + 1.0);
                    }
                }
            }
        }
        Ok(counts.into_values().collect())
    }
}

fn fold_float(op: AggregateOp, fold: &mut Fold, v: f64) {
    match fold {
        Fold::Empty => {
            *fold = match op {
                AggregateOp::Sum => Fold::Sum(Sum::new(v)),
                AggregateOp::Avg => Fold::Mean(Mean::new(v)),
                AggregateOp::Count | AggregateOp::Group => Fold::Count(1.0),
                AggregateOp::Min | AggregateOp::Max => Fold::Extreme(v),
                _ => Fold::Spread(Spread::new(v)),
            }
        }
        Fold::Sum(sum) => sum.add(v),
        Fold::Mean(mean) => mean.add(v),
        Fold::Count(n) => *n += 1.0,
        Fold::Spread(spread) => spread.add(v),
        Fold::Extreme(best) => {
            let better = if op == AggregateOp::Min { v < *best } else { v > *best };
            if better || best.is_nan() {
                *best = v;
            }
        }
        Fold::Histograms(_) => *fold = Fold::Mixed,
        Fold::Mixed | Fold::Incompatible => {}
    }
}

/// The rows grouped by what `by` or `without` leaves of their labels, in order of first row.
pub(super) fn groups(rows: &[Row], aggregate: &Aggregate) -> Vec<Group> {
    let mut index: HashMap<Labels, usize> = HashMap::new();
    let mut found: Vec<Group> = Vec::new();
    for (i, row) in rows.iter().enumerate() {
        let labels = group_labels(&row.labels, aggregate);
        let next = found.len();
        let at = *index.entry(labels.clone()).or_insert(next);
        match found.get_mut(at) {
            Some(group) => group.rows.push(i),
            None => found.push(Group { labels, rows: vec![i] }),
        }
    }
    found
}

fn group_labels(labels: &Labels, aggregate: &Aggregate) -> Labels {
    if !aggregate.without && aggregate.grouping.is_empty() {
        return Labels::empty();
    }
    let mut builder = labels.to_builder();
    let listed = |name: &str| aggregate.grouping.iter().any(|l| l == name);
    if aggregate.without {
        builder.retain(|name| name != METRIC_NAME && !listed(name));
    } else {
        builder.retain(listed);
    }
    builder.build()
}

/// Whether every row of the group has its name marked for dropping.
pub(super) fn all_dropped(rows: &[Row], group: &Group) -> bool {
    group.rows.iter().filter_map(|i| rows.get(*i)).all(|r| r.drop_name)
}

/// The group's cells at one step.
pub(super) fn group_cells<'r>(
    rows: &'r [Row],
    group: &'r Group,
    step: usize,
) -> impl Iterator<Item = &'r Cell> + 'r {
    group.rows.iter().filter_map(move |i| rows.get(*i)?.cells.get(step))
}
