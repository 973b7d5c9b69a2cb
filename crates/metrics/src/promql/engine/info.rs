//! `info()`: adds to each series the labels of the info series that describe the same instance.
//!
//! Info series are matched by `instance` and `job`. Of several info series of one name, the one with the newest sample
//! counts. Source: <https://prometheus.io/docs/prometheus/latest/querying/functions/#info>.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kernel::{Labels, METRIC_NAME};

use super::super::ast::{Call, Expr, ExprKind, Span};
use super::super::error::QueryError;
use super::duration;
use super::eval::Evaluator;
use super::grid::{Cell, Frame, Grid, Out, Row};
use crate::source::{MatchOp, Matcher, Series};

/// The labels that tell which instance a series is about.
const IDENTIFYING: [&str; 2] = ["instance", "job"];
/// The info metric that is used when none is named.
const DEFAULT_INFO: &str = "target_info";

/// What the second argument asks for.
struct Wanted {
    /// Matchers of the info metrics' names.
    names: Vec<Matcher>,
    /// Matchers of data labels, by label. Empty means all labels.
    data: BTreeMap<String, Vec<Matcher>>,
}

// === impl Evaluator ===

impl Evaluator<'_> {
    pub(super) fn info(&mut self, call: &Call, span: Span, grid: &Grid) -> Result<Out, QueryError> {
        let base = super::call::arg(call, 0)?;
        let rows = self.vector(base, grid)?;
        let wanted = wanted(call.args.get(1)).map_err(|e| e.at(span))?;
        let (enriched, info_rows): (Vec<Row>, Vec<Row>) =
            rows.into_iter().partition(|r| !wanted.is_info(&r.labels));
        let frame = self.reference_frame(base)?;
        let infos = self.info_series(&wanted, &enriched, &frame, grid, span)?;
        let by_instance = by_identity(&infos);
        let mut made: BTreeMap<(Labels, bool), Row> = BTreeMap::new();
        for row in &enriched {
            self.check_cancelled()?;
            for (step, cell) in row.cells.iter().enumerate() {
                if cell.is_empty() {
                    continue;
                }
                let at = frame.reference(grid.time(step));
                let current = self.current(&infos, &by_instance, row, at);
                let Some(labels) = wanted.enrich(&row.labels, &current).map_err(|e| e.at(span))? else {
                    continue;
                };
                let key = (labels.clone(), row.drop_name);
                let target = made.entry(key).or_insert_with(|| Row {
                    labels,
                    drop_name: row.drop_name,
                    cells: vec![Cell::Empty; grid.count],
                });
                if let Some(target) = target.cells.get_mut(step) {
                    if !target.is_empty() {
                        return Err(QueryError::execution(
                            "vector cannot contain metrics with the same labelset",
                        )
                        .at(span));
                    }
                    *target = cell.clone();
                }
            }
        }
        let mut all: Vec<Row> = made.into_values().collect();
        all.extend(info_rows);
        Ok(Out::Vector(all))
    }

    /// The info series about the instances of `rows`.
    fn info_series(
        &mut self,
        wanted: &Wanted,
        rows: &[Row],
        frame: &Frame,
        grid: &Grid,
        span: Span,
    ) -> Result<Vec<Series>, QueryError> {
        let mut matchers = wanted.names.clone();
        for label in IDENTIFYING {
            let values: BTreeSet<&str> = rows.iter().filter_map(|r| r.labels.get(label)).collect();
            if values.is_empty() {
                continue;
            }
            let missing = rows.iter().any(|r| r.labels.get(label).is_none());
            let mut pattern = values.iter().map(|v| regex::escape(v)).collect::<Vec<_>>().join("|");
            if missing {
                pattern.push('|');
            }
            if let Ok(matcher) = Matcher::new(label, MatchOp::Regex, &pattern) {
                matchers.push(matcher);
            }
        }
        matchers.extend(wanted.data.values().flatten().cloned());
        let identified = rows.iter().any(|r| IDENTIFYING.iter().any(|l| r.labels.get(l).is_some()));
        if !identified {
            return Ok(Vec::new());
        }
        let from = frame.reference(grid.start).saturating_sub(self.options.lookback_ms).saturating_add(1);
        let mut found = Vec::new();
        self.each_series(&matchers, (from, frame.reference(grid.end())), span, |this, series| {
            this.hold(series.samples.len() as u64)?;
            found.push(series);
            Ok(())
        })?;
        if let Some(series) = found.iter().find(|s| !s.histograms.is_empty()) {
            return Err(QueryError::execution(format!(
                "info series should be float type, got a histogram in {}",
                series.labels
            ))
            .at(span));
        }
        Ok(found)
    }

    /// The newest info series of each name for `row` at `at`.
    fn current<'s>(
        &self,
        infos: &'s [Series],
        by_instance: &HashMap<Vec<String>, Vec<usize>>,
        row: &Row,
        at: i64,
    ) -> BTreeMap<&'s str, &'s Series> {
        let mut newest: BTreeMap<&str, (i64, &Series)> = BTreeMap::new();
        for i in by_instance.get(&identity(&row.labels)).into_iter().flatten() {
            let Some(series) = infos.get(*i) else { continue };
            let next = series.samples.partition_point(|s| s.t <= at);
            let Some(sample) = next.checked_sub(1).and_then(|i| series.samples.get(i)) else { continue };
            if crate::sample::is_stale(sample.v) || at.saturating_sub(sample.t) >= self.options.lookback_ms {
                continue;
            }
            let name = series.labels.metric_name().unwrap_or_default();
            let entry = newest.entry(name).or_insert((sample.t, series));
            if sample.t > entry.0 {
                *entry = (sample.t, series);
            }
        }
        newest.into_iter().map(|(name, (_, series))| (name, series)).collect()
    }

    /// At what time the base expression looks, so that info series are looked up at the same time.
    fn reference_frame(&self, base: &Expr) -> Result<Frame, QueryError> {
        let (mut at, mut offset) = (None, 0i64);
        let mut pending = vec![base];
        while let Some(expr) = pending.pop() {
            let (own_offset, own_at) = match &expr.kind {
                ExprKind::Selector(selector) => (selector.offset.as_ref(), selector.at),
                ExprKind::Range(range) => (range.selector.offset.as_ref(), range.selector.at),
                ExprKind::Subquery(subquery) => (subquery.offset.as_ref(), subquery.at),
                _ => (None, None),
            };
            if let Some(own) = own_offset {
                offset = offset.saturating_add(duration::signed(own, &self.bounds)?);
            }
            if own_at.is_some() {
                // An inner pin decides alone: what is outside it only repeats its value.
                at = self.bounds.resolve(own_at);
                offset = match own_offset {
                    Some(own) => duration::signed(own, &self.bounds)?,
                    None => 0,
                };
            }
            // Only a chain of single operands has one reference time; other expressions keep the step's.
            match expr.children().as_slice() {
                [only] => pending.push(only),
                children => {
                    let vectors: Vec<_> = children
                        .iter()
                        .filter(|c| !matches!(c.kind, ExprKind::Number(_) | ExprKind::String(_)))
                        .collect();
                    if let [only] = vectors.as_slice() {
                        pending.push(only);
                    }
                }
            }
        }
        Ok(Frame { at, offset })
    }
}

// === impl Wanted ===

impl Wanted {
    /// Whether a series is itself one of the info series asked for.
    fn is_info(&self, labels: &Labels) -> bool {
        let name = labels.metric_name().unwrap_or_default();
        self.names.iter().all(|m| m.matches(name))
    }

    /// `base` with the data labels of `infos`; `None` when a matcher demands a label that no info series gave.
    fn enrich(&self, base: &Labels, infos: &BTreeMap<&str, &Series>) -> Result<Option<Labels>, QueryError> {
        let mut added: BTreeMap<&str, &str> = BTreeMap::new();
        for series in infos.values() {
            for (name, value) in series.labels.iter() {
                let identifying = IDENTIFYING.contains(&name) || name == METRIC_NAME;
                if identifying || !(self.data.is_empty() || self.data.contains_key(name)) {
                    continue;
                }
                match added.insert(name, value) {
                    Some(other) if other != value => {
                        return Err(QueryError::execution(format!("conflicting label: {name}"))
                            .hint("two info metrics give this label different values; name one of them with {__name__=\"…\"}"));
                    }
                    _ => {}
                }
            }
        }
        if infos.is_empty() && self.data.values().flatten().any(|m| !m.matches("")) {
            return Ok(None);
        }
        let mut builder = base.to_builder();
        for (name, value) in added {
            if base.get(name).is_none() {
                builder.set(name, value);
            }
        }
        Ok(Some(builder.build()))
    }
}

fn wanted(second: Option<&Expr>) -> Result<Wanted, QueryError> {
    let mut wanted = Wanted { names: Vec::new(), data: BTreeMap::new() };
    if let Some(ExprKind::Selector(selector)) = second.map(|e| &e.unwrap_parens().kind) {
        for matcher in &selector.matchers {
            if matcher.name == METRIC_NAME {
                wanted.names.push(matcher.clone());
            } else {
                wanted.data.entry(matcher.name.clone()).or_default().push(matcher.clone());
            }
        }
    }
    let positive = wanted.names.iter().any(|m| matches!(m.op, MatchOp::Equal | MatchOp::Regex));
    if !positive {
        // Without a name to look for, every metric called *_info that is not excluded counts.
        let (op, value) = if wanted.names.is_empty() {
            (MatchOp::Equal, DEFAULT_INFO)
        } else {
            (MatchOp::Regex, ".+_info")
        };
        let matcher =
            Matcher::new(METRIC_NAME, op, value).map_err(|error| QueryError::execution(error.to_string()))?;
        wanted.names.push(matcher);
    }
    Ok(wanted)
}

fn identity(labels: &Labels) -> Vec<String> {
    IDENTIFYING.iter().map(|l| labels.get(l).unwrap_or_default().to_owned()).collect()
}

fn by_identity(infos: &[Series]) -> HashMap<Vec<String>, Vec<usize>> {
    let mut found: HashMap<Vec<String>, Vec<usize>> = HashMap::new();
    for (i, series) in infos.iter().enumerate() {
        found.entry(identity(&series.labels)).or_default().push(i);
    }
    found
}
