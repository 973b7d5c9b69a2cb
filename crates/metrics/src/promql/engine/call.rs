//! Function calls: which kind each is, and what it is given.

use kernel::Labels;

use super::super::annotation::Notice;
use super::super::ast::{Call, Expr, ExprKind, Span, StringLiteral, ValueType};
use super::super::error::QueryError;
use super::super::functions::{
    Context, float_function, histogram_function, label, range_function, sort, time_function,
};
use super::super::quote::quote_bytes;
use super::eval::Evaluator;
use super::grid::{Cell, Grid, Out, Row};
use super::rows;
use super::select::Reading;
use crate::source::{MatchOp, Matcher};

/// Range functions whose result is one of the samples, and so keeps its name.
const NAME_KEEPING: [&str; 2] = ["last_over_time", "first_over_time"];

// === impl Evaluator ===

impl Evaluator<'_> {
    pub(super) fn call(&mut self, call: &Call, span: Span, grid: &Grid) -> Result<Out, QueryError> {
        let held = self.held();
        let outer = self.derive_hints;
        match call.function.name {
            "histogram_count" | "histogram_sum" | "histogram_avg" => self.derive_hints = true,
            "histogram_quantile" | "histogram_quantiles" | "histogram_fraction" => self.derive_hints = false,
            _ => {}
        }
        let out = self.call_node(call, span, grid);
        self.derive_hints = outer;
        self.release_to(held);
        out
    }

    #[allow(clippy::cast_precision_loss, reason = "times are below 2^53 ms")]
    fn call_node(&mut self, call: &Call, span: Span, grid: &Grid) -> Result<Out, QueryError> {
        let seconds = |ms: i64| ms as f64 / 1000.0;
        let all = |value: f64| Ok(Out::Scalar(vec![value; grid.count]));
        match call.function.name {
            "time" => Ok(Out::Scalar(grid.times().map(seconds).collect())),
            "pi" => all(std::f64::consts::PI),
            "start" => all(seconds(self.bounds.start)),
            "end" => all(seconds(self.bounds.end)),
            "step" => all(seconds(self.bounds.step)),
            "range" => all(seconds(self.bounds.end.saturating_sub(self.bounds.start))),
            "min_of" => self.two_scalars(call, grid, f64::min),
            "max_of" => self.two_scalars(call, grid, f64::max),
            "vector" => {
                let cells = self.scalar(arg(call, 0)?, grid)?.into_iter().map(Cell::Float).collect();
                Ok(Out::Vector(vec![Row { labels: Labels::empty(), drop_name: false, cells }]))
            }
            "scalar" => {
                let found = self.vector(arg(call, 0)?, grid)?;
                Ok(Out::Scalar((0..grid.count).map(|i| only_float(&found, i)).collect()))
            }
            "absent" => self.absent(call, grid),
            "absent_over_time" => self.absent_over_time(call, grid),
            "label_replace" => {
                let found = self.vector(arg(call, 0)?, grid)?;
                let texts = self.texts(call)?;
                Ok(Out::Vector(rows::merge_equal(label::replace(found, &texts).map_err(|e| e.at(span))?)?))
            }
            "label_join" => {
                let found = self.vector(arg(call, 0)?, grid)?;
                let texts = self.texts(call)?;
                Ok(Out::Vector(rows::merge_equal(label::join(found, &texts).map_err(|e| e.at(span))?)?))
            }
            "sort" | "sort_desc" | "sort_by_label" | "sort_by_label_desc" => {
                let found = self.vector(arg(call, 0)?, grid)?;
                let texts = self.texts(call)?;
                Ok(Out::Vector(sort::sorted(call.function.name, found, &texts, grid.count == 1)))
            }
            "timestamp" => self.timestamps(call, grid, Reading::Timestamp),
            "start_timestamp" => self.timestamps(call, grid, Reading::StartTimestamp),
            "info" => self.info(call, span, grid),
            "histogram_quantile" | "histogram_quantiles" => self.histogram_quantiles(call, grid),
            "histogram_fraction" => self.histogram_fraction(call, grid),
            _ if call.function.args.contains(&ValueType::Matrix) => self.range_call(call, grid),
            _ => self.row_call(call, grid),
        }
    }

    fn two_scalars(&mut self, call: &Call, grid: &Grid, f: fn(f64, f64) -> f64) -> Result<Out, QueryError> {
        let (a, b) = (self.scalar(arg(call, 0)?, grid)?, self.scalar(arg(call, 1)?, grid)?);
        let pick = |(a, b): (f64, f64)| if a.is_nan() || b.is_nan() { f64::NAN } else { f(a, b) };
        Ok(Out::Scalar(a.into_iter().zip(b).map(pick).collect()))
    }

    /// The string arguments, in order.
    fn texts(&mut self, call: &Call) -> Result<Vec<String>, QueryError> {
        let mut texts = Vec::new();
        for a in call.args.iter().filter(|a| a.value_type() == ValueType::String) {
            if let ExprKind::String(StringLiteral { raw: Some(raw), .. }) = &a.unwrap_parens().kind {
                let message = format!("{} is not valid UTF-8, in {}()", quote_bytes(raw), call.function.name);
                return Err(QueryError::execution(message).at(a.span));
            }
            texts.push(self.text(a)?);
        }
        Ok(texts)
    }

    /// Functions of one sample at a time.
    fn row_call(&mut self, call: &Call, grid: &Grid) -> Result<Out, QueryError> {
        let name = call.function.name;
        let mut scalars = Vec::new();
        for a in call.args.iter().filter(|a| a.value_type() == ValueType::Scalar) {
            scalars.push(self.scalar(a, grid)?);
        }
        let mut found = match call.args.first() {
            Some(first) => self.vector(first, grid)?,
            None => {
                // Date functions default to the step's time.
                #[allow(clippy::cast_precision_loss, reason = "times are below 2^53 ms")]
                let cells = grid.times().map(|t| Cell::Float(t as f64 / 1000.0)).collect();
                vec![Row { labels: Labels::empty(), drop_name: false, cells }]
            }
        };
        let function = float_function(name).or_else(|| time_function(name));
        let mut args = Vec::with_capacity(scalars.len());
        for row in &mut found {
            self.check_cancelled()?;
            for (i, cell) in row.cells.iter_mut().enumerate() {
                args.clear();
                args.extend(scalars.iter().filter_map(|s| s.get(i).copied()));
                let result = match std::mem::take(cell) {
                    Cell::Empty => continue,
                    Cell::Float(v) => function.and_then(|f| f(v, &args)),
                    Cell::Histogram(h) => histogram_function(name, &h),
                };
                if let Some(v) = result {
                    *cell = Cell::Float(v);
                }
            }
            row.drop_name = true;
        }
        found.retain(|r| !r.is_empty());
        Ok(Out::Vector(self.named(found)?))
    }

    fn range_call(&mut self, call: &Call, grid: &Grid) -> Result<Out, QueryError> {
        let name = call.function.name;
        let mut scalars = Vec::new();
        let mut matrix = None;
        for a in &call.args {
            match a.value_type() {
                ValueType::Scalar => scalars.push(self.scalar(a, grid)?),
                _ => matrix = Some(a),
            }
        }
        let matrix = matrix.ok_or_else(|| QueryError::execution("a range vector is needed here"))?;
        let function = range_function(name)
            .ok_or_else(|| QueryError::execution(format!("{name} is not a range function")))?;
        let span = matrix.unwrap_parens().span;
        let scalar_span = call.args.first().map_or(span, |a| a.span);
        let mut found = Vec::new();
        let mut args = Vec::with_capacity(scalars.len());
        self.each_windowed(matrix, grid, |this, panes, series| {
            let mut context =
                Context { notes: this.notes(), span, scalar_span, metric: series.metric_name() };
            let cells = panes.scan(&series, grid, |i, window| {
                args.clear();
                args.extend(scalars.iter().filter_map(|s| s.get(i).copied()));
                Ok(function(window, &args, &mut context)?.unwrap_or_default())
            })?;
            let drop_name = series.drop_name || !NAME_KEEPING.contains(&name);
            let row = Row { labels: series.labels, drop_name, cells };
            if row.is_empty() {
                return Ok(());
            }
            this.hold(row.weight())?;
            if matches!(name, "rate" | "increase") && row.cells.iter().any(|c| c.float().is_some()) {
                this.note_counter(&row, span);
            }
            found.push(row);
            Ok(())
        })?;
        Ok(Out::Vector(self.named(found)?))
    }

    /// Says so when a counter function is applied to what seems no counter.
    fn note_counter(&mut self, row: &Row, span: Span) {
        let metric = row.metric_name();
        if metric.is_empty() {
            return;
        }
        if self.options.type_and_unit_labels {
            let kind = row.labels.get("__type__").unwrap_or_default();
            if !matches!(kind, "counter" | "histogram") {
                self.note(span, &Notice::PossibleNonCounterLabel { metric, kind });
            }
        } else if !["_total", "_sum", "_count", "_bucket"].iter().any(|s| metric.ends_with(s)) {
            self.note(span, &Notice::PossibleNonCounter { metric });
        }
    }

    fn absent(&mut self, call: &Call, grid: &Grid) -> Result<Out, QueryError> {
        let inner = arg(call, 0)?;
        let found = self.vector(inner, grid)?;
        let present = presence(&found, grid.count);
        Ok(Out::Vector(absent_row(inner, &present)))
    }

    fn absent_over_time(&mut self, call: &Call, grid: &Grid) -> Result<Out, QueryError> {
        let inner = arg(call, 0)?;
        let mut present = vec![false; grid.count];
        self.each_windowed(inner, grid, |_, panes, series| {
            let cells = panes.scan(&series, grid, |_, _| Ok(Cell::Float(1.0)))?;
            for (flag, cell) in present.iter_mut().zip(&cells) {
                *flag |= !cell.is_empty();
            }
            Ok(())
        })?;
        Ok(Out::Vector(absent_row(inner, &present)))
    }

    fn timestamps(&mut self, call: &Call, grid: &Grid, reading: Reading) -> Result<Out, QueryError> {
        let inner = arg(call, 0)?;
        let mut found = match &inner.unwrap_parens().kind {
            ExprKind::Selector(selector) => self.read_instant(selector, inner.span, grid, reading)?,
            _ if reading == Reading::StartTimestamp => Vec::new(),
            _ => {
                let mut found = self.vector(inner, grid)?;
                for row in &mut found {
                    for (t, cell) in grid.times().zip(&mut row.cells) {
                        if !cell.is_empty() {
                            #[allow(clippy::cast_precision_loss, reason = "times are below 2^53 ms")]
                            let seconds = t as f64 / 1000.0;
                            *cell = Cell::Float(seconds);
                        }
                    }
                }
                found
            }
        };
        for row in &mut found {
            row.drop_name = true;
        }
        Ok(Out::Vector(self.named(found)?))
    }
}

/// The `i`-th argument.
pub(super) fn arg(call: &Call, i: usize) -> Result<&Expr, QueryError> {
    call.args.get(i).ok_or_else(|| {
        QueryError::execution(format!("argument {} of {} is missing", i + 1, call.function.name))
    })
}

/// The single float at step `i`, or NaN.
fn only_float(found: &[Row], i: usize) -> f64 {
    let mut floats = found.iter().filter_map(|r| r.cells.get(i).and_then(Cell::float));
    match (floats.next(), floats.next()) {
        (Some(v), None) => v,
        _ => f64::NAN,
    }
}

/// At which steps there is any sample.
fn presence(found: &[Row], count: usize) -> Vec<bool> {
    let mut present = vec![false; count];
    for row in found {
        for (flag, cell) in present.iter_mut().zip(&row.cells) {
            *flag |= !cell.is_empty();
        }
    }
    present
}

/// One at each step without a sample, labelled with what the selector pins.
fn absent_row(inner: &Expr, present: &[bool]) -> Vec<Row> {
    let matchers = match &inner.kind {
        ExprKind::Selector(selector) => selector.matchers.as_slice(),
        ExprKind::Range(range) => range.selector.matchers.as_slice(),
        _ => &[],
    };
    let cells = present.iter().map(|p| if *p { Cell::Empty } else { Cell::Float(1.0) }).collect();
    let row = Row { labels: pinned_labels(matchers), drop_name: false, cells };
    if row.is_empty() { Vec::new() } else { vec![row] }
}

/// The labels that matchers pin to one value: an `=` matcher whose label no other matcher mentions.
fn pinned_labels(matchers: &[Matcher]) -> Labels {
    let mut builder = kernel::LabelsBuilder::new();
    for matcher in matchers.iter().filter(|m| m.name != kernel::METRIC_NAME) {
        let alone = matchers.iter().filter(|m| m.name == matcher.name).count() == 1;
        if alone && matcher.op == MatchOp::Equal {
            builder.set(&matcher.name, &matcher.value);
        }
    }
    builder.build()
}
