//! `histogram_quantile(s)` and `histogram_fraction` over native histograms and over classic ones, whose buckets are series.

use std::collections::BTreeMap;

use kernel::Labels;

use super::super::annotation::Notice;
use super::super::ast::{Call, Expr, Span, ValueType};
use super::super::error::QueryError;
use super::super::functions::classic::{self, Bucket};
use super::call::arg;
use super::eval::Evaluator;
use super::grid::{Cell, Grid, Out, Row};
use super::rows;
use crate::histogram::Histogram;
use crate::number::{format_g, parse_number};

/// The label that holds a classic bucket's upper bound.
const BUCKET_LABEL: &str = "le";

/// One histogram: either kind, or by mistake both.
#[derive(Default)]
struct Paired {
    native: Option<usize>,
    /// Row and upper bound.
    buckets: Vec<(usize, f64)>,
    drop_name: bool,
    /// With the name, for messages and for delayed removal.
    labels: Option<Labels>,
}

/// What is asked of each histogram.
enum Asked<'a> {
    Quantile(&'a [f64]),
    Fraction { lower: &'a [f64], upper: &'a [f64] },
}

// === impl Evaluator ===

impl Evaluator<'_> {
    pub(super) fn histogram_quantiles(&mut self, call: &Call, grid: &Grid) -> Result<Out, QueryError> {
        let several = call.function.name == "histogram_quantiles";
        let vector = arg(call, usize::from(!several))?;
        let mut wanted = Vec::new();
        for a in call.args.iter().filter(|a| a.value_type() == ValueType::Scalar) {
            wanted.push((a.span, self.scalar(a, grid)?));
        }
        let label = if several { Some(self.text(arg(call, 1)?)?) } else { None };
        if label.as_deref() == Some("") {
            return Err(QueryError::execution("invalid label name \"\"").at(arg(call, 1)?.span));
        }
        let (found, paired) = self.pair_up(vector, grid)?;
        let mut made = Vec::new();
        for (span, values) in &wanted {
            for q in values {
                if q.is_nan() || !(0.0..=1.0).contains(q) {
                    self.note(*span, &Notice::InvalidQuantile(*q));
                }
            }
            let mut rows = self.ask(&found, &paired, &Asked::Quantile(values), vector, grid)?;
            if let Some(label) = &label {
                let q = values.first().copied().unwrap_or(f64::NAN);
                for row in &mut rows {
                    row.labels = row.labels.with(label, &quantile_label(q));
                }
            }
            made.extend(rows);
        }
        let made = self.named(made)?;
        Ok(Out::Vector(if several { rows::merge_equal(made)? } else { made }))
    }

    pub(super) fn histogram_fraction(&mut self, call: &Call, grid: &Grid) -> Result<Out, QueryError> {
        let lower = self.scalar(arg(call, 0)?, grid)?;
        let upper = self.scalar(arg(call, 1)?, grid)?;
        let vector = arg(call, 2)?;
        let (found, paired) = self.pair_up(vector, grid)?;
        let asked = Asked::Fraction { lower: &lower, upper: &upper };
        let made = self.ask(&found, &paired, &asked, vector, grid)?;
        Ok(Out::Vector(self.named(made)?))
    }

    /// Finds which rows make up one histogram each.
    fn pair_up(&mut self, vector: &Expr, grid: &Grid) -> Result<(Vec<Row>, Vec<Paired>), QueryError> {
        let found = self.vector(vector, grid)?;
        let mut paired: BTreeMap<Labels, Paired> = BTreeMap::new();
        for (i, row) in found.iter().enumerate() {
            let (has_floats, has_histograms) = row
                .cells
                .iter()
                .fold((false, false), |(f, h), c| (f || c.float().is_some(), h || c.histogram().is_some()));
            if has_histograms {
                let entry = paired.entry(row.labels.clone()).or_default();
                entry.native = Some(i);
                entry.drop_name |= row.drop_name;
                entry.labels = Some(row.labels.clone());
            }
            if !has_floats {
                continue;
            }
            let text = row.labels.get(BUCKET_LABEL).unwrap_or_default();
            let Some(bound) = parse_number(text) else {
                let metric = row.metric_name();
                self.note(vector.span, &Notice::BadBucketLabel { metric, label: text });
                continue;
            };
            let labels = row.labels.with(BUCKET_LABEL, "");
            let entry = paired.entry(labels.clone()).or_default();
            entry.buckets.push((i, bound));
            entry.drop_name |= row.drop_name;
            entry.labels = Some(labels);
        }
        Ok((found, paired.into_values().collect()))
    }

    fn ask(
        &mut self,
        found: &[Row],
        paired: &[Paired],
        asked: &Asked<'_>,
        vector: &Expr,
        grid: &Grid,
    ) -> Result<Vec<Row>, QueryError> {
        let mut made = Vec::new();
        for histogram in paired {
            self.check_cancelled()?;
            let labels = histogram.labels.clone().unwrap_or_else(Labels::empty);
            let metric = labels.metric_name().unwrap_or_default().to_owned();
            let cells = (0..grid.count)
                .map(|step| {
                    self.ask_step(found, histogram, asked, step, grid.time(step), (&metric, vector.span))
                })
                .collect();
            let row = Row { labels, drop_name: true, cells };
            if !row.is_empty() {
                made.push(row);
            }
        }
        Ok(made)
    }

    fn ask_step(
        &mut self,
        found: &[Row],
        histogram: &Paired,
        asked: &Asked<'_>,
        step: usize,
        t: i64,
        (metric, span): (&str, Span),
    ) -> Cell {
        let cell = |i: usize| found.get(i).and_then(|r| r.cells.get(step));
        let native = histogram.native.and_then(cell).and_then(Cell::histogram);
        let buckets: Vec<Bucket> = histogram
            .buckets
            .iter()
            .filter_map(|(i, upper)| Some(Bucket { upper: *upper, count: cell(*i)?.float()? }))
            .collect();
        match (native, buckets.is_empty()) {
            (None, true) => Cell::Empty,
            (Some(_), false) => {
                self.note(span, &Notice::MixedClassicNative { metric });
                Cell::Empty
            }
            (Some(h), true) => Cell::Float(self.ask_native(h, asked, step, (metric, span))),
            (None, false) => match self.ask_classic(buckets, asked, step, t, (metric, span)) {
                Some(value) => Cell::Float(value),
                None => Cell::Empty,
            },
        }
    }

    fn ask_native(
        &mut self,
        h: &Histogram,
        asked: &Asked<'_>,
        step: usize,
        (metric, span): (&str, Span),
    ) -> f64 {
        match asked {
            Asked::Quantile(values) => {
                let found = h.quantile(values.get(step).copied().unwrap_or(f64::NAN));
                if found.nan_result {
                    self.note(span, &Notice::QuantileNan { metric });
                } else if found.nan_skew {
                    self.note(span, &Notice::QuantileNanSkew { metric });
                }
                found.value
            }
            Asked::Fraction { lower, upper } => {
                if h.sum.is_nan() {
                    self.note(span, &Notice::FractionNan { metric });
                }
                let at = |values: &[f64]| values.get(step).copied().unwrap_or(f64::NAN);
                h.fraction(at(lower), at(upper))
            }
        }
    }

    fn ask_classic(
        &mut self,
        buckets: Vec<Bucket>,
        asked: &Asked<'_>,
        step: usize,
        t: i64,
        (metric, span): (&str, Span),
    ) -> Option<f64> {
        match asked {
            Asked::Quantile(values) => {
                let (value, forced) = classic::quantile(values.get(step).copied()?, buckets);
                if let Some(forced) = forced {
                    self.notes().force_monotonicity(span, metric, t, forced);
                }
                Some(value)
            }
            Asked::Fraction { lower, upper } => {
                Some(classic::fraction(lower.get(step).copied()?, upper.get(step).copied()?, buckets))
            }
        }
    }
}

/// A quantile as a label's value, as OpenMetrics writes numbers: always with a point or an exponent.
fn quantile_label(q: f64) -> String {
    let text = format_g(q);
    if text.contains(['.', 'e']) || !q.is_finite() { text } else { text + ".0" }
}
