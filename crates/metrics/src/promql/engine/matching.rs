//! Operators between two vectors whose series pair up by their labels.

use std::collections::{BTreeMap, HashMap, HashSet};

use kernel::Labels;

use super::super::ast::{Binary, BinaryOp, Cardinality, Matching, Span};
use super::super::error::QueryError;
use super::binary::signature;
use super::eval::Evaluator;
use super::grid::{Cell, Grid, Row, without_metadata};
use super::operator::Applied;

/// The rows of one signature. `many` and `one` are the sides of a grouping; without one, left and right.
#[derive(Default)]
struct Group {
    many: Vec<usize>,
    one: Vec<usize>,
}

struct Pairing<'a> {
    binary: &'a Binary,
    matching: &'a Matching,
    span: Span,
    many: Vec<Row>,
    one: Vec<Row>,
    made: Vec<Row>,
    by_labels: HashMap<(Labels, bool), usize>,
    by_pair: HashMap<(Option<usize>, Option<usize>), usize>,
    steps: usize,
}

// === impl Evaluator ===

impl Evaluator<'_> {
    /// Pairs `left` with `right` and applies the operator to each pair at each step.
    pub(super) fn matched(
        &mut self,
        binary: &Binary,
        matching: &Matching,
        span: Span,
        (left, right): (Vec<Row>, Vec<Row>),
        grid: &Grid,
    ) -> Result<Vec<Row>, QueryError> {
        let swapped = matching.cardinality == Cardinality::OneToMany;
        let (many, one) = if swapped { (right, left) } else { (left, right) };
        let mut groups: BTreeMap<Labels, Group> = BTreeMap::new();
        for (i, row) in many.iter().enumerate() {
            groups.entry(signature(&row.labels, matching)).or_default().many.push(i);
        }
        for (i, row) in one.iter().enumerate() {
            groups.entry(signature(&row.labels, matching)).or_default().one.push(i);
        }
        let mut pairing = Pairing {
            binary,
            matching,
            span,
            many,
            one,
            made: Vec::new(),
            by_labels: HashMap::new(),
            by_pair: HashMap::new(),
            steps: grid.count,
        };
        for (key, group) in &groups {
            self.check_cancelled()?;
            let mut applied =
                Applied { op: binary.op, returns_bool: binary.returns_bool, span, notes: self.notes() };
            for step in 0..grid.count {
                pairing.step(key, group, step, &mut applied)?;
            }
        }
        let found = pairing.made.into_iter().filter(|r| !r.is_empty()).collect();
        self.named(found)
    }
}

// === impl Pairing ===

impl Pairing<'_> {
    fn swapped(&self) -> bool {
        self.matching.cardinality == Cardinality::OneToMany
    }

    fn step(
        &mut self,
        key: &Labels,
        group: &Group,
        step: usize,
        applied: &mut Applied<'_>,
    ) -> Result<(), QueryError> {
        let present = |rows: &[Row], i: &usize| {
            rows.get(*i).and_then(|r| r.cells.get(step)).is_some_and(|c| !c.is_empty())
        };
        let mut ones = group.one.iter().filter(|i| present(&self.one, i)).copied();
        let (one, second) = (ones.next(), ones.next());
        if let (Some(first), Some(second)) = (one, second) {
            return Err(self.ambiguous(key, first, second));
        }
        let manys: Vec<usize> = group.many.iter().filter(|i| present(&self.many, i)).copied().collect();
        // With group_right, Prometheus applies fill_left to the "many" side, which stands on the right: as it does, so do we.
        let (fill_many, fill_one) = (self.matching.fill_left, self.matching.fill_right);
        if manys.len() > 1
            && self.matching.cardinality == Cardinality::OneToOne
            && (one.is_some() || fill_one.is_some())
        {
            // Said even when a comparison would filter all but one away: the query is ambiguous all the same.
            return Err(QueryError::execution(
                "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
            )
            .at(self.span));
        }
        for many in &manys {
            let one_cell = match (one, fill_one) {
                (Some(i), _) => cell(&self.one, i, step),
                (None, Some(value)) => Cell::Float(value),
                (None, None) => continue,
            };
            let many_cell = cell(&self.many, *many, step);
            self.pair(key, (Some(*many), one), (&many_cell, &one_cell), step, applied)?;
        }
        if let (true, Some(i), Some(value)) = (manys.is_empty(), one, fill_many) {
            let one_cell = cell(&self.one, i, step);
            self.pair(key, (None, one), (&Cell::Float(value), &one_cell), step, applied)?;
        }
        Ok(())
    }

    /// Applies the operator to one pair.
    fn pair(
        &mut self,
        key: &Labels,
        (many, one): (Option<usize>, Option<usize>),
        (many_cell, one_cell): (&Cell, &Cell),
        step: usize,
        applied: &mut Applied<'_>,
    ) -> Result<(), QueryError> {
        let result = if self.swapped() {
            applied.cells(one_cell, many_cell)
        } else {
            applied.cells(many_cell, one_cell)
        };
        if result.is_empty() {
            return Ok(());
        }
        let at = self.slot(key, many, one);
        let Some(target) = self.made.get_mut(at).and_then(|r| r.cells.get_mut(step)) else { return Ok(()) };
        if !target.is_empty() {
            let message = if self.matching.cardinality == Cardinality::OneToOne {
                "vector cannot contain metrics with the same labelset"
            } else {
                "multiple matches for labels: grouping labels must ensure unique matches"
            };
            return Err(QueryError::execution(message).at(self.span));
        }
        *target = result;
        Ok(())
    }

    /// The result row of a pair. Pairs whose results have the same labels share one.
    fn slot(&mut self, key: &Labels, many: Option<usize>, one: Option<usize>) -> usize {
        if let Some(at) = self.by_pair.get(&(many, one)) {
            return *at;
        }
        let (labels, drop_name) = self.result_labels(key, many, one);
        let next = self.made.len();
        let at = *self.by_labels.entry((labels.clone(), drop_name)).or_insert(next);
        if at == next {
            self.made.push(Row { labels, drop_name, cells: vec![Cell::Empty; self.steps] });
        }
        self.by_pair.insert((many, one), at);
        at
    }

    /// The labels of a pair's result, and whether its name is to be dropped.
    fn result_labels(&self, key: &Labels, many: Option<usize>, one: Option<usize>) -> (Labels, bool) {
        let base = many.and_then(|i| self.many.get(i));
        let keeps_name = self.binary.op.is_comparison()
            || matches!(self.binary.op, BinaryOp::TrimLower | BinaryOp::TrimUpper);
        let labels = base.map_or_else(|| key.clone(), |r| r.labels.clone());
        let labels = if keeps_name { labels } else { without_metadata(&labels) };
        let mut builder = labels.to_builder();
        if self.matching.cardinality == Cardinality::OneToOne {
            let listed: HashSet<&str> = self.matching.labels.iter().map(String::as_str).collect();
            builder.retain(|name| listed.contains(name) == self.matching.on);
        }
        let source = one.and_then(|i| self.one.get(i));
        for name in &self.matching.include {
            builder.set(name, source.and_then(|r| r.labels.get(name)).unwrap_or_default());
        }
        let drop_name = self.binary.returns_bool || base.is_some_and(|r| r.drop_name && keeps_name);
        (builder.build(), drop_name)
    }

    fn ambiguous(&self, key: &Labels, first: usize, second: usize) -> QueryError {
        let side = if self.swapped() { "left" } else { "right" };
        let name = |i: usize| self.one.get(i).map(|r| braces(&r.labels)).unwrap_or_default();
        QueryError::execution(format!(
            "found duplicate series for the match group {} on the {side} hand-side of the operation: [{}, {}];many-to-many matching not allowed: matching labels must be unique on one side",
            braces(key),
            name(first),
            name(second),
        ))
        .at(self.span)
    }
}

fn cell(rows: &[Row], i: usize, step: usize) -> Cell {
    rows.get(i).and_then(|r| r.cells.get(step)).cloned().unwrap_or_default()
}

/// `{__name__="up", job="x"}`
pub(super) fn braces(labels: &Labels) -> String {
    let pairs: Vec<_> = labels.iter().map(|(n, v)| format!("{n}={}", super::super::quote(v))).collect();
    format!("{{{}}}", pairs.join(", "))
}
