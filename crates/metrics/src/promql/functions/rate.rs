//! `rate`, `increase`, `delta`, `irate`, `idelta`, `changes`, `resets`.
//!
//! A counter that falls has been reset: what it had before is added. The rate is extrapolated to the window's borders when
//! samples come close to them. A counter whose start time is known counts from zero at that time.

use super::super::annotation::{HistogramOperation, Notice};
use super::super::engine::{Cell, Window, counter_reset_by_start, start_overlaps};
use super::super::error::QueryError;
use super::extended::{extended_rate, with_anchor};
use super::{Context, RangeFunction};
use crate::histogram::{Histogram, HistogramSample, ResetHint};

type Found = Result<Option<Cell>, QueryError>;

/// Which of the three rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Rate,
    Increase,
    Delta,
}

/// A sample of either kind, with its start time.
struct Point<'a> {
    t: i64,
    start: i64,
    value: Value<'a>,
}

#[derive(Clone, Copy)]
enum Value<'a> {
    Float(f64),
    Histogram(&'a Histogram),
}

/// The function called `name`, if it is one of these.
pub(super) fn function(name: &str) -> Option<RangeFunction> {
    Some(match name {
        "rate" => |w, _, c| rate(w, c, Kind::Rate),
        "increase" => |w, _, c| rate(w, c, Kind::Increase),
        "delta" => |w, _, c| rate(w, c, Kind::Delta),
        "irate" => |w, _, c| Ok(instant(w, c, true)),
        "idelta" => |w, _, c| Ok(instant(w, c, false)),
        "changes" => |w, _, _| Ok(changes(w)),
        "resets" => |w, _, _| Ok(resets(w)),
        _ => return None,
    })
}

// === impl Kind ===

impl Kind {
    pub(super) fn is_counter(self) -> bool {
        self != Self::Delta
    }
}

#[allow(clippy::cast_precision_loss, reason = "differences of times in ms")]
pub(super) fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

fn rate(w: &Window<'_>, context: &mut Context<'_>, kind: Kind) -> Found {
    if !w.floats.is_empty() && !w.histograms.is_empty() {
        let metric = context.metric;
        context.note(&Notice::MixedFloatsHistograms { metric });
        return Ok(None);
    }
    if w.extension.is_some() {
        return Ok(extended_rate(w, context, kind));
    }
    Ok(if w.floats.is_empty() { histogram_rate(w, context, kind) } else { float_rate(w, context, kind) })
}

fn float_rate(w: &Window<'_>, context: &mut Context<'_>, kind: Kind) -> Option<Cell> {
    let (first, last) = (w.floats.first()?, w.floats.last()?);
    let mut rise = last.v - first.v;
    if kind.is_counter() {
        let pairs = || w.floats.iter().zip(w.floats.iter().skip(1));
        if w.has_starts() {
            let mut overlap = false;
            for (a, b) in pairs() {
                let (before, now) = ((a.t, w.start_of(a.t)), (b.t, w.start_of(b.t)));
                overlap |= start_overlaps(before, now);
                if b.v < a.v || counter_reset_by_start(before, now) {
                    rise += a.v;
                }
            }
            note_overlap(overlap, context);
        } else {
            for (a, b) in pairs() {
                if b.v < a.v {
                    rise += a.v;
                }
            }
        }
    }
    let extent = Extent { first: first.t, last: last.t, count: w.floats.len() };
    let known_start = known_start(w, &extent, kind);
    if known_start.is_some() {
        rise += first.v;
    }
    let zero_share = (rise > 0.0 && first.v >= 0.0).then(|| first.v / rise);
    let factor = factor(w, &extent, kind, known_start, zero_share)?;
    Some(Cell::Float(rise * factor))
}

fn note_overlap(overlap: bool, context: &mut Context<'_>) {
    if overlap {
        let metric = context.metric;
        context.note(&Notice::StartOverlap { metric });
    }
}

/// Where a window's samples lie.
struct Extent {
    first: i64,
    last: i64,
    count: usize,
}

/// The start time of the first sample's counter, when it lies in the window before the sample.
fn known_start(w: &Window<'_>, extent: &Extent, kind: Kind) -> Option<i64> {
    let start = w.start_of(extent.first);
    (kind.is_counter() && start != 0 && start > w.start && start < extent.first).then_some(start)
}

/// By what the rise between the samples is to be multiplied. `zero_share` is the first value as a share of the rise: a
/// counter is not extrapolated below zero. `None` when one sample must do and its start is not known.
#[allow(clippy::cast_precision_loss, reason = "a count of samples in memory")]
fn factor(
    w: &Window<'_>,
    extent: &Extent,
    kind: Kind,
    known_start: Option<i64>,
    zero_share: Option<f64>,
) -> Option<f64> {
    let mut sampled = seconds(extent.last - extent.first);
    let gaps = extent.count.saturating_sub(1) as f64;
    let average = if gaps > 0.0 { sampled / gaps } else { 0.0 };
    let threshold = average * 1.1;
    let mut to_start = seconds(extent.first - w.start);
    let mut to_end = seconds(w.end - extent.last);
    if let Some(start) = known_start {
        to_start = 0.0;
        sampled = seconds(extent.last - start);
    } else if extent.count < 2 {
        return None;
    } else {
        if to_start >= threshold {
            to_start = average / 2.0;
        }
        if let (true, Some(share)) = (kind.is_counter(), zero_share) {
            to_start = to_start.min(sampled * share);
        }
    }
    if to_end >= threshold {
        to_end = average / 2.0;
    }
    let mut factor = if sampled == 0.0 { 1.0 } else { (sampled + to_start + to_end) / sampled };
    if kind == Kind::Rate {
        factor /= seconds(w.range);
    }
    Some(factor)
}

fn histogram_rate(w: &Window<'_>, context: &mut Context<'_>, kind: Kind) -> Option<Cell> {
    let (first, last) = (w.histograms.first()?, w.histograms.last()?);
    let mut rise = if w.histograms.len() > 1 { Some(histogram_rise(w, context, kind)?) } else { None };
    let extent = Extent { first: first.t, last: last.t, count: w.histograms.len() };
    let known_start = known_start(w, &extent, kind);
    if known_start.is_some() {
        rise = Some(match rise {
            None => Histogram::clone(&first.h),
            Some(mut sum) => {
                add(&mut sum, &first.h, context)?;
                sum
            }
        });
    }
    let zero_share =
        rise.as_ref().filter(|r| r.count > 0.0 && first.h.count >= 0.0).map(|r| first.h.count / r.count);
    let factor = factor(w, &extent, kind, known_start, zero_share)?;
    let mut result = rise?.scaled(factor).compacted();
    result.reset_hint = ResetHint::Gauge;
    Some(Cell::of(result))
}

/// Last minus first, plus what was lost at each reset. `None`, with a word about it, when layouts do not fit.
fn histogram_rise(w: &Window<'_>, context: &mut Context<'_>, kind: Kind) -> Option<Histogram> {
    let metric = context.metric;
    let (first, last) = (w.histograms.first()?, w.histograms.last()?);
    let gauge = |s: &HistogramSample| s.h.reset_hint == ResetHint::Gauge;
    if kind.is_counter() && w.histograms.iter().any(gauge) {
        context.note(&Notice::NotCounter { metric });
    }
    let gauges = gauge(first) && gauge(last);
    if !kind.is_counter() && !gauges {
        context.note(&Notice::NotGauge { metric });
    }
    let reset = |a: &HistogramSample, b: &HistogramSample| {
        (w.has_starts() && counter_reset_by_start((a.t, w.start_of(a.t)), (b.t, w.start_of(b.t))))
            || b.h.detect_reset(&a.h)
    };
    // When the second sample already is after a reset, the first one's layout does not matter.
    let second = w.histograms.get(1)?;
    let skip_first = kind.is_counter() && reset(first, second);
    let base = if skip_first { empty_like(&second.h) } else { Histogram::clone(&first.h) };
    let relevant = if kind.is_counter() { w.histograms } else { std::slice::from_ref(last) };
    if relevant.iter().skip(usize::from(kind.is_counter())).any(|s| s.h.is_custom() != base.is_custom()) {
        context.note(&Notice::MixedExponentialCustom { metric });
        return None;
    }
    let coarsest = relevant
        .iter()
        .skip(usize::from(kind.is_counter()))
        .map(|s| s.h.schema)
        .chain([base.schema])
        .min()?;
    let mut rise = last.h.at_schema(coarsest);
    subtract(&mut rise, &base, context)?;
    if kind.is_counter() {
        let mut overlap = false;
        for (i, (a, b)) in w.histograms.iter().zip(w.histograms.iter().skip(1)).enumerate() {
            overlap |= w.has_starts() && start_overlaps((a.t, w.start_of(a.t)), (b.t, w.start_of(b.t)));
            // A reset between the first two is in the base already.
            if !(i == 0 && skip_first) && reset(a, b) {
                add(&mut rise, &a.h, context)?;
            }
        }
        note_overlap(overlap, context);
    }
    Some(rise)
}

fn empty_like(h: &Histogram) -> Histogram {
    Histogram { schema: h.schema, custom_bounds: h.custom_bounds.clone(), ..Histogram::default() }
}

/// Adds, noting what happened; `None` when layouts do not fit.
pub(super) fn add(sum: &mut Histogram, h: &Histogram, context: &mut Context<'_>) -> Option<()> {
    combine(sum.add(h).map(|c| c.reconciled).ok(), HistogramOperation::Addition, context)
}

/// Subtracts, noting what happened; `None` when layouts do not fit.
pub(super) fn subtract(from: &mut Histogram, h: &Histogram, context: &mut Context<'_>) -> Option<()> {
    combine(from.sub(h).map(|c| c.reconciled).ok(), HistogramOperation::Subtraction, context)
}

fn combine(reconciled: Option<bool>, operation: HistogramOperation, context: &mut Context<'_>) -> Option<()> {
    match reconciled {
        None => {
            let metric = context.metric;
            context.note(&Notice::MixedExponentialCustom { metric });
            None
        }
        Some(true) => {
            context.note(&Notice::ReconciledBuckets(operation));
            Some(())
        }
        Some(false) => Some(()),
    }
}

/// All samples of the window in order of time.
fn points<'w>(w: &'w Window<'_>) -> Vec<Point<'w>> {
    let starts = w.has_starts();
    let start = |t: i64| if starts { w.start_of(t) } else { 0 };
    let floats = w.floats.iter().map(|s| Point { t: s.t, start: start(s.t), value: Value::Float(s.v) });
    let histograms =
        w.histograms.iter().map(|s| Point { t: s.t, start: start(s.t), value: Value::Histogram(&s.h) });
    let mut all: Vec<_> = floats.chain(histograms).collect();
    if !w.histograms.is_empty() {
        all.sort_by_key(|p| p.t);
    }
    all
}

/// The difference of the last two samples, per second for `irate`.
fn instant(w: &Window<'_>, context: &mut Context<'_>, is_rate: bool) -> Option<Cell> {
    let all = if w.histograms.is_empty() {
        let from = w.floats.len().checked_sub(2)?;
        w.floats
            .get(from..)?
            .iter()
            .map(|s| Point { t: s.t, start: w.start_of(s.t), value: Value::Float(s.v) })
            .collect()
    } else {
        points(w)
    };
    let last = all.last()?;
    let previous = all.len().checked_sub(2).and_then(|i| all.get(i))?;
    let interval = seconds(last.t - previous.t);
    if interval == 0.0 {
        return None;
    }
    let metric = context.metric;
    let reset_by_start = counter_reset_by_start((previous.t, previous.start), (last.t, last.start));
    match (previous.value, last.value) {
        (Value::Float(a), Value::Float(b)) => {
            let rise = if is_rate && (b < a || reset_by_start) { b } else { b - a };
            Some(Cell::Float(if is_rate { rise / interval } else { rise }))
        }
        (Value::Histogram(a), Value::Histogram(b)) => {
            let gauges = [a, b].iter().filter(|h| h.reset_hint == ResetHint::Gauge).count();
            if is_rate && gauges > 0 {
                context.note(&Notice::NotCounter { metric });
            }
            if !is_rate && gauges < 2 {
                context.note(&Notice::NotGauge { metric });
            }
            let mut rise = b.clone();
            if !is_rate || !(reset_by_start || b.detect_reset(a)) {
                subtract(&mut rise, a, context)?;
            }
            rise.reset_hint = ResetHint::Gauge;
            let rise = if is_rate { rise.divided(interval) } else { rise };
            Some(Cell::of(rise.compacted()))
        }
        _ => {
            context.note(&Notice::MixedFloatsHistograms { metric });
            None
        }
    }
}

/// How often the value changed. NaN after NaN is no change; a change of kind is one.
fn changes(w: &Window<'_>) -> Option<Cell> {
    count_pairs(w, |a, b| match (a.value, b.value) {
        (Value::Float(a), Value::Float(b)) => a != b && !(a.is_nan() && b.is_nan()),
        (Value::Histogram(a), Value::Histogram(b)) => !a.same_as(b),
        _ => true,
    })
}

/// How often the counter was reset. A change of kind is a reset.
fn resets(w: &Window<'_>) -> Option<Cell> {
    count_pairs(w, |a, b| {
        counter_reset_by_start((a.t, a.start), (b.t, b.start))
            || match (a.value, b.value) {
                (Value::Float(a), Value::Float(b)) => b < a,
                (Value::Histogram(a), Value::Histogram(b)) => b.detect_reset(a),
                _ => true,
            }
    })
}

#[allow(clippy::cast_precision_loss, reason = "a count of samples in memory")]
fn count_pairs(w: &Window<'_>, holds: impl Fn(&Point<'_>, &Point<'_>) -> bool) -> Option<Cell> {
    let all = with_anchor(w, points(w), |p| p.t)?;
    let count = all.iter().zip(all.iter().skip(1)).filter(|(a, b)| holds(a, b)).count();
    Some(Cell::Float(count as f64))
}
