//! Aggregations over a window: `sum_over_time` and its like.

use super::super::annotation::{HistogramOperation, Notice};
use super::super::engine::{Cell, Window};
use super::super::error::QueryError;
use super::math::quantile;
use super::summary::{HistogramSum, Mean, Spread, Sum};
use super::{Context, RangeFunction};
use crate::histogram::Histogram;
use crate::sample::Sample;

type Found = Result<Option<Cell>, QueryError>;

/// The function called `name`, if it is one of these.
pub(super) fn function(name: &str) -> Option<RangeFunction> {
    Some(match name {
        "sum_over_time" => sum,
        "avg_over_time" => avg,
        "count_over_time" => |w, _, _| Ok(Some(Cell::Float(samples(w)))),
        "present_over_time" => |_, _, _| Ok(Some(Cell::Float(1.0))),
        "last_over_time" => |w, _, _| Ok(last(w)),
        "first_over_time" => |w, _, _| Ok(first(w)),
        "min_over_time" => |w, _, c| Ok(extreme(w, c, |v, best| v < best).map(|s| Cell::Float(s.v))),
        "max_over_time" => |w, _, c| Ok(extreme(w, c, |v, best| v > best).map(|s| Cell::Float(s.v))),
        "ts_of_min_over_time" => |w, _, c| Ok(extreme(w, c, |v, best| v <= best).map(|s| seconds(s.t))),
        "ts_of_max_over_time" => |w, _, c| Ok(extreme(w, c, |v, best| v >= best).map(|s| seconds(s.t))),
        "ts_of_first_over_time" => |w, _, _| Ok(times(w).min().map(seconds)),
        "ts_of_last_over_time" => |w, _, _| Ok(times(w).max().map(seconds)),
        "stddev_over_time" => |w, _, c| Ok(spread(w, c).map(|s| Cell::Float(s.variance().sqrt()))),
        "stdvar_over_time" => |w, _, c| Ok(spread(w, c).map(|s| Cell::Float(s.variance()))),
        "quantile_over_time" => quantile_over,
        "mad_over_time" => mad,
        _ => return None,
    })
}

/// How many samples, as a number.
#[allow(clippy::cast_precision_loss, reason = "a count of samples in memory")]
fn samples(w: &Window<'_>) -> f64 {
    (w.floats.len() + w.histograms.len()) as f64
}

#[allow(clippy::cast_precision_loss, reason = "times are below 2^53 ms")]
fn seconds(ms: i64) -> Cell {
    Cell::Float(ms as f64 / 1000.0)
}

fn times<'w>(w: &'w Window<'_>) -> impl Iterator<Item = i64> + 'w {
    w.floats.iter().map(|s| s.t).chain(w.histograms.iter().map(|s| s.t))
}

fn last(w: &Window<'_>) -> Option<Cell> {
    match (w.floats.last(), w.histograms.last()) {
        (Some(f), h) if h.is_none_or(|h| h.t < f.t) => Some(Cell::Float(f.v)),
        (_, Some(h)) => Some(Cell::Histogram(h.h.clone())),
        _ => None,
    }
}

fn first(w: &Window<'_>) -> Option<Cell> {
    match (w.floats.first(), w.histograms.first()) {
        (Some(f), h) if h.is_none_or(|h| h.t > f.t) => Some(Cell::Float(f.v)),
        (_, Some(h)) => Some(Cell::Histogram(h.h.clone())),
        _ => None,
    }
}

/// The window's floats; says so when there are histograms besides, which are left out.
fn only_floats<'w>(w: &Window<'w>, context: &mut Context<'_>) -> Option<&'w [Sample]> {
    if w.floats.is_empty() {
        return None;
    }
    if !w.histograms.is_empty() {
        let metric = context.metric;
        context.note(&Notice::HistogramIgnoredInMixedRange { metric });
    }
    Some(w.floats)
}

fn extreme(w: &Window<'_>, context: &mut Context<'_>, better: fn(f64, f64) -> bool) -> Option<Sample> {
    let floats = only_floats(w, context)?;
    let first = *floats.first()?;
    Some(
        floats
            .iter()
            .skip(1)
            .fold(first, |best, s| if better(s.v, best.v) || best.v.is_nan() { *s } else { best }),
    )
}

fn spread(w: &Window<'_>, context: &mut Context<'_>) -> Option<Spread> {
    let floats = only_floats(w, context)?;
    let mut spread = Spread::new(floats.first()?.v);
    floats.iter().skip(1).for_each(|s| spread.add(s.v));
    Some(spread)
}

/// The histograms added up; `None` after saying why they cannot be.
fn histogram_sum(
    w: &Window<'_>,
    context: &mut Context<'_>,
    start: fn(&Histogram) -> HistogramSum,
) -> Option<HistogramSum> {
    let metric = context.metric;
    let mut sum = start(&w.histograms.first()?.h);
    for sample in w.histograms.iter().skip(1) {
        if !sum.add(&sample.h) {
            context.note(&Notice::MixedExponentialCustom { metric });
            return None;
        }
    }
    if sum.conflicts() {
        context.note(&Notice::ResetCollision(HistogramOperation::Aggregation));
    }
    if sum.reconciled() {
        context.note(&Notice::ReconciledBuckets(HistogramOperation::Aggregation));
    }
    Some(sum)
}

/// True, with a word about it, when a window holds both kinds.
fn mixed(w: &Window<'_>, context: &mut Context<'_>) -> bool {
    let mixed = !w.floats.is_empty() && !w.histograms.is_empty();
    if mixed {
        let metric = context.metric;
        context.note(&Notice::MixedFloatsHistograms { metric });
    }
    mixed
}

fn sum(w: &Window<'_>, _: &[f64], context: &mut Context<'_>) -> Found {
    if mixed(w, context) {
        return Ok(None);
    }
    if w.floats.is_empty() {
        return Ok(histogram_sum(w, context, HistogramSum::new).map(|s| Cell::of(s.total())));
    }
    let mut sum = Sum::default();
    w.floats.iter().for_each(|s| sum.add(s.v));
    Ok(Some(Cell::Float(sum.value())))
}

fn avg(w: &Window<'_>, _: &[f64], context: &mut Context<'_>) -> Found {
    if mixed(w, context) {
        return Ok(None);
    }
    let Some(first) = w.floats.first() else {
        return Ok(histogram_sum(w, context, HistogramSum::averaging).map(|s| Cell::of(s.mean())));
    };
    let mut mean = Mean::new(first.v);
    w.floats.iter().skip(1).for_each(|s| mean.add(s.v));
    Ok(Some(Cell::Float(mean.value())))
}

fn quantile_over(w: &Window<'_>, args: &[f64], context: &mut Context<'_>) -> Found {
    let Some(floats) = only_floats(w, context) else { return Ok(None) };
    let q = args.first().copied().unwrap_or(f64::NAN);
    if !(0.0..=1.0).contains(&q) {
        let span = context.scalar_span;
        context.notes.add(span, &Notice::InvalidQuantile(q));
    }
    Ok(Some(Cell::Float(quantile(q, floats.iter().map(|s| s.v).collect()))))
}

/// Median absolute deviation.
fn mad(w: &Window<'_>, _: &[f64], context: &mut Context<'_>) -> Found {
    let Some(floats) = only_floats(w, context) else { return Ok(None) };
    if floats.iter().any(|s| s.v.is_nan()) {
        return Ok(Some(Cell::Float(f64::NAN)));
    }
    let median = quantile(0.5, floats.iter().map(|s| s.v).collect());
    let deviations = floats.iter().map(|s| (s.v - median).abs()).collect();
    Ok(Some(Cell::Float(quantile(0.5, deviations))))
}
