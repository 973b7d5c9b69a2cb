//! Aggregations that choose samples of a group: topk, bottomk, limitk, limit_ratio.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use kernel::Labels;

use super::super::annotation::Notice;
use super::super::ast::{Aggregate, AggregateOp, Expr};
use super::super::error::QueryError;
use super::aggregate::{Group, groups};
use super::eval::Evaluator;
use super::grid::{Cell, Grid, Row};

/// The best so far, the worst of them first: a heap that treats ties as Prometheus' does, so that both choose the same.
struct Best {
    top: bool,
    most: usize,
    /// Row and value.
    heap: Vec<(usize, f64)>,
}

// === impl Evaluator ===

impl Evaluator<'_> {
    pub(super) fn rank(&mut self, aggregate: &Aggregate, grid: &Grid) -> Result<Vec<Row>, QueryError> {
        let Some(parameter) = &aggregate.parameter else { return Ok(Vec::new()) };
        let wanted = self.scalar(parameter, grid)?;
        let rows = self.vector(&aggregate.expr, grid)?;
        let limits = self.limits(aggregate.op, parameter, &wanted)?;
        let mut chosen: Vec<Row> = rows
            .iter()
            .map(|r| Row {
                labels: r.labels.clone(),
                drop_name: r.drop_name,
                cells: vec![Cell::Empty; grid.count],
            })
            .collect();
        let mut order = Vec::with_capacity(rows.len());
        for group in groups(&rows, aggregate) {
            self.check_cancelled()?;
            for (step, limit) in limits.iter().enumerate() {
                let picked = match aggregate.op {
                    AggregateOp::LimitRatio => by_ratio(&rows, &group, step, *limit),
                    AggregateOp::LimitK => first(&rows, &group, step, *limit),
                    _ => self.extremes(aggregate, &rows, &group, step, *limit),
                };
                for i in &picked {
                    let source = rows.get(*i).and_then(|r| r.cells.get(step));
                    if let (Some(from), Some(to)) =
                        (source, chosen.get_mut(*i).and_then(|r| r.cells.get_mut(step)))
                    {
                        *to = from.clone();
                    }
                }
                if grid.count == 1 {
                    order.extend(picked);
                }
            }
        }
        if grid.count == 1 {
            let mut slots: Vec<Option<Row>> = chosen.into_iter().map(Some).collect();
            return Ok(order.into_iter().filter_map(|i| slots.get_mut(i)?.take()).collect());
        }
        chosen.retain(|r| !r.is_empty());
        Ok(chosen)
    }

    /// The parameter at each step, checked: a count that fits 64 bits, or a ratio capped to −1…1.
    fn limits(&mut self, op: AggregateOp, parameter: &Expr, wanted: &[f64]) -> Result<Vec<f64>, QueryError> {
        let ratio = op == AggregateOp::LimitRatio;
        let mut limits = Vec::with_capacity(wanted.len());
        for value in wanted {
            if value.is_nan() {
                let message = if ratio { "Ratio value is NaN" } else { "Parameter value is NaN" };
                return Err(QueryError::execution(message).at(parameter.span));
            }
            if ratio {
                let capped = value.clamp(-1.0, 1.0);
                if capped != *value {
                    self.note(parameter.span, &Notice::InvalidRatio { got: *value, capped });
                }
                limits.push(capped);
                continue;
            }
            if *value >= 9_223_372_036_854_775_807.0 {
                return Err(QueryError::execution(format!(
                    "Scalar value {} overflows int64",
                    crate::number::format_g(*value)
                ))
                .at(parameter.span));
            }
            if *value <= -9_223_372_036_854_775_808.0 {
                return Err(QueryError::execution(format!(
                    "Scalar value {} underflows int64",
                    crate::number::format_g(*value)
                ))
                .at(parameter.span));
            }
            limits.push(value.trunc());
        }
        Ok(limits)
    }

    /// The `k` greatest or smallest floats, best first; NaN is worse than any number.
    fn extremes(
        &mut self,
        aggregate: &Aggregate,
        rows: &[Row],
        group: &Group,
        step: usize,
        k: f64,
    ) -> Vec<usize> {
        let mut best = Best { top: aggregate.op == AggregateOp::TopK, most: count(k), heap: Vec::new() };
        for i in &group.rows {
            match rows.get(*i).and_then(|r| r.cells.get(step)) {
                Some(Cell::Float(v)) => best.offer(*i, *v),
                Some(Cell::Histogram(_)) if k >= 1.0 => {
                    self.note(
                        aggregate.expr.span,
                        &Notice::HistogramIgnoredInAggregation(aggregate.op.name()),
                    );
                }
                _ => {}
            }
        }
        best.in_order()
    }
}

// === impl Best ===

impl Best {
    /// Takes the sample in when there is room, or when it is better than the worst so far.
    fn offer(&mut self, row: usize, v: f64) {
        if self.heap.len() < self.most {
            self.heap.push((row, v));
            self.rise();
            return;
        }
        if let Some((at, worst)) = self.heap.first_mut()
            && better(v, *worst, self.top) == Ordering::Less
        {
            (*at, *worst) = (row, v);
            self.sink();
        }
    }

    /// Moves the last element up to its place.
    fn rise(&mut self) {
        let mut at = self.heap.len().saturating_sub(1);
        while at > 0 {
            let parent = (at - 1) / 2;
            if !self.is_worse(at, parent) {
                return;
            }
            self.heap.swap(at, parent);
            at = parent;
        }
    }

    /// Moves the first element down to its place.
    fn sink(&mut self) {
        let mut at = 0;
        loop {
            let left = 2 * at + 1;
            if left >= self.heap.len() {
                return;
            }
            let child = if self.is_worse(left + 1, left) { left + 1 } else { left };
            if !self.is_worse(child, at) {
                return;
            }
            self.heap.swap(at, child);
            at = child;
        }
    }

    fn is_worse(&self, i: usize, j: usize) -> bool {
        match (self.heap.get(i), self.heap.get(j)) {
            (Some((_, a)), Some((_, b))) => a.is_nan() || better(*a, *b, self.top) == Ordering::Greater,
            _ => false,
        }
    }

    /// The rows, best first.
    fn in_order(mut self) -> Vec<usize> {
        let top = self.top;
        self.heap.sort_by(|(_, a), (_, b)| better(*a, *b, top));
        self.heap.into_iter().map(|(row, _)| row).collect()
    }
}

/// Best first, NaN last.
fn better(a: f64, b: f64, top: bool) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => {
            let order = a.partial_cmp(&b).unwrap_or(Ordering::Equal);
            if top { order.reverse() } else { order }
        }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates, and negatives become zero"
)]
fn count(k: f64) -> usize {
    k.max(0.0) as usize
}

fn first(rows: &[Row], group: &Group, step: usize, k: f64) -> Vec<usize> {
    let present = |i: &&usize| rows.get(**i).and_then(|r| r.cells.get(step)).is_some_and(|c| !c.is_empty());
    group.rows.iter().filter(present).take(count(k)).copied().collect()
}

/// The samples whose hash falls below the ratio; a negative ratio chooses the others of its complement.
fn by_ratio(rows: &[Row], group: &Group, step: usize, ratio: f64) -> Vec<usize> {
    let chosen = |labels: &Labels| {
        let place = place(labels);
        if ratio >= 0.0 { place < ratio } else { place >= 1.0 + ratio }
    };
    let present = |i: &&usize| {
        rows.get(**i).is_some_and(|r| r.cells.get(step).is_some_and(|c| !c.is_empty()) && chosen(&r.labels))
    };
    group.rows.iter().filter(present).copied().collect()
}

/// A number in `[0, 1)` that depends on the labels alone, evenly spread, the same in every process.
#[allow(clippy::cast_precision_loss, reason = "53 bits are kept")]
fn place(labels: &Labels) -> f64 {
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    for (name, value) in labels.iter() {
        name.hash(&mut hasher);
        value.hash(&mut hasher);
    }
    // Finish with a mix: FNV alone leaves the high bits of short inputs uneven.
    let mut h = hasher.0;
    h ^= h >> 33;
    h = h.wrapping_mul(0xff51_afd7_ed55_8ccd);
    h ^= h >> 33;
    h = h.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    h ^= h >> 33;
    (h >> 11) as f64 / (1u64 << 53) as f64
}

/// FNV-1a: stable across processes and versions, unlike the standard library's hasher.
struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
