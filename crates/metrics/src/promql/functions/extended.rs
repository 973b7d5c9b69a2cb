//! `anchored` and `smoothed` windows: the value at a window's border is taken from the samples around it.
//!
//! Anchored takes the last sample at or before the start; smoothed interpolates at both borders. Across a counter reset,
//! interpolation starts from zero.

use std::sync::Arc;

use super::super::annotation::{Annotations, Notice};
use super::super::ast::{Extension, Span};
use super::super::engine::{Cell, Window};
use super::Context;
use super::rate::{Kind, add, seconds, subtract};
use crate::histogram::{Histogram, HistogramSample, ResetHint};
use crate::sample::Sample;

/// The value at `t` on the line between two samples.
#[allow(clippy::cast_precision_loss, reason = "differences of times in ms")]
pub(crate) fn interpolate_floats(a: Sample, b: Sample, t: i64, is_counter: bool) -> f64 {
    let from = if is_counter && b.v < a.v { 0.0 } else { a.v };
    from + (b.v - from) * (t - a.t) as f64 / (b.t - a.t) as f64
}

/// The histogram at `t` between two samples; counters only unless both are gauges. `None`, with a word about it, when
/// layouts do not fit.
pub(crate) fn interpolate_histograms(
    a: &HistogramSample,
    b: &HistogramSample,
    t: i64,
    span: Span,
    metric: &str,
    notes: &mut Annotations,
) -> Option<Histogram> {
    let is_counter = a.h.reset_hint != ResetHint::Gauge && b.h.reset_hint != ResetHint::Gauge;
    let mut context = Context { notes, span, scalar_span: span, metric };
    between(a, b, t, is_counter, &mut context)
}

#[allow(clippy::cast_precision_loss, reason = "differences of times in ms")]
fn between(
    a: &HistogramSample,
    b: &HistogramSample,
    t: i64,
    is_counter: bool,
    context: &mut Context<'_>,
) -> Option<Histogram> {
    if t == a.t {
        return Some(Histogram::clone(&a.h));
    }
    if t == b.t {
        return Some(Histogram::clone(&b.h));
    }
    let share = (t - a.t) as f64 / (b.t - a.t) as f64;
    if a.h.is_custom() != b.h.is_custom() {
        let metric = context.metric;
        context.note(&Notice::MixedExponentialCustom { metric });
        return None;
    }
    if is_counter && b.h.detect_reset(&a.h) {
        return Some(b.h.scaled(share));
    }
    let mut rise = Histogram::clone(&b.h);
    subtract(&mut rise, &a.h, context)?;
    let mut result = rise.scaled(share);
    add(&mut result, &a.h, context)?;
    Some(result)
}

/// The floats of an extended window as a range vector shows them: with values at its borders.
pub(crate) fn extended_floats(floats: &[Sample], start: i64, end: i64, kind: Extension) -> Vec<Sample> {
    let smoothed = kind == Extension::Smoothed;
    let Some((first, last)) = bounds(floats, start, end, smoothed, |s| s.t) else { return Vec::new() };
    let (Some(left), Some(right)) = (
        border_left(floats, first, start, smoothed, false),
        border_right(floats, last, end, smoothed, false),
    ) else {
        return Vec::new();
    };
    let inner =
        floats.iter().enumerate().filter(|(i, s)| *i >= first && *i <= last && s.t > start && s.t < end);
    let mut made = vec![Sample { t: start, v: left }];
    made.extend(inner.map(|(_, s)| *s));
    made.push(Sample { t: end, v: right });
    made
}

/// For functions that compare neighbours: the samples of an anchored window, from the one that anchors it on. `None`
/// when nothing lies inside the window.
pub(super) fn with_anchor<T>(w: &Window<'_>, mut all: Vec<T>, time: impl Fn(&T) -> i64) -> Option<Vec<T>> {
    if w.extension.is_none() {
        return Some(all);
    }
    let (first, last) = bounds(&all, w.start, w.end, false, time)?;
    all.truncate(last + 1);
    all.drain(..first);
    Some(all)
}

pub(super) fn extended_rate(w: &Window<'_>, context: &mut Context<'_>, kind: Kind) -> Option<Cell> {
    if w.floats.is_empty() { histogram_rate(w, context, kind) } else { float_rate(w, kind) }
}

/// The indices of the sample at or before the start and of the last one of use; `None` when none is inside.
fn bounds<T>(
    samples: &[T],
    start: i64,
    end: i64,
    smoothed: bool,
    time: impl Fn(&T) -> i64,
) -> Option<(usize, usize)> {
    let last = samples.len().checked_sub(1)?;
    let head = samples.get(..last).unwrap_or_default();
    let first = head.partition_point(|s| time(s) <= start).saturating_sub(1);
    let last = if smoothed { head.partition_point(|s| time(s) < end) } else { last };
    if samples.get(last).is_none_or(|s| time(s) <= start) {
        return None;
    }
    if smoothed && samples.get(first).is_none_or(|s| time(s) > end) {
        return None;
    }
    Some((first, last))
}

fn border_left(floats: &[Sample], first: usize, start: i64, smoothed: bool, is_counter: bool) -> Option<f64> {
    let sample = *floats.get(first)?;
    if smoothed && sample.t < start {
        return Some(interpolate_floats(sample, *floats.get(first + 1)?, start, is_counter));
    }
    Some(sample.v)
}

fn border_right(floats: &[Sample], last: usize, end: i64, smoothed: bool, is_counter: bool) -> Option<f64> {
    let sample = *floats.get(last)?;
    if smoothed && last > 0 && sample.t > end {
        return Some(interpolate_floats(*floats.get(last - 1)?, sample, end, is_counter));
    }
    Some(sample.v)
}

fn float_rate(w: &Window<'_>, kind: Kind) -> Option<Cell> {
    let smoothed = w.extension == Some(Extension::Smoothed);
    let floats = w.floats;
    let (first, last) = bounds(floats, w.start, w.end, smoothed, |s| s.t)?;
    let left = border_left(floats, first, w.start, smoothed, kind.is_counter())?;
    let right = border_right(floats, last, w.end, smoothed, kind.is_counter())?;
    let mut rise = right - left;
    if kind.is_counter() {
        // Interpolation at the borders has handled resets there; only samples strictly inside are looked at.
        let inside = |i: usize, s: &Sample| {
            i >= first && i <= last && (s.t > w.start || i > first) && (s.t < w.end || i < last)
        };
        let mut previous = left;
        for (_, s) in floats.iter().enumerate().filter(|(i, s)| inside(*i, s)) {
            if s.v < previous {
                rise += previous;
            }
            previous = s.v;
        }
        if right < previous {
            rise += previous;
        }
    }
    if kind == Kind::Rate {
        rise /= seconds(w.range);
    }
    Some(Cell::Float(rise))
}

fn histogram_rate(w: &Window<'_>, context: &mut Context<'_>, kind: Kind) -> Option<Cell> {
    let metric = context.metric;
    let smoothed = w.extension == Some(Extension::Smoothed);
    let all = w.histograms;
    let (first, last) = bounds(all, w.start, w.end, smoothed, |s| s.t)?;
    let used = all.get(first..=last)?;
    let custom = used.first()?.h.is_custom();
    for sample in used {
        if sample.h.is_custom() != custom {
            context.note(&Notice::MixedExponentialCustom { metric });
            return None;
        }
        if kind.is_counter() && sample.h.reset_hint == ResetHint::Gauge {
            context.note(&Notice::NotCounter { metric });
        }
    }
    let (start, end) = (all.get(first)?, all.get(last)?);
    let left = if smoothed && start.t < w.start {
        between(start, all.get(first + 1)?, w.start, kind.is_counter(), context)?
    } else {
        Histogram::clone(&start.h)
    };
    let right = if smoothed && last > 0 && end.t > w.end {
        between(all.get(last - 1)?, end, w.end, kind.is_counter(), context)?
    } else {
        Histogram::clone(&end.h)
    };
    let gauges = [&left, &right].iter().all(|h| h.reset_hint == ResetHint::Gauge);
    if !kind.is_counter() && !gauges {
        context.note(&Notice::NotGauge { metric });
    }
    let mut rise = right.clone();
    subtract(&mut rise, &left, context)?;
    if kind.is_counter()
        && let Some(lost) = lost_at_resets(w, (first, last), (&left, &right), smoothed, context)?
    {
        add(&mut rise, &lost, context)?;
    }
    if kind == Kind::Rate {
        rise = rise.divided(seconds(w.range));
    }
    rise.reset_hint = ResetHint::Gauge;
    Some(Cell::of(rise.compacted()))
}

/// What the counter had at each reset between the borders. Outer `None` when layouts do not fit.
#[allow(
    clippy::option_option,
    reason = "the outer one ends the calculation, the inner one says there was no reset"
)]
fn lost_at_resets(
    w: &Window<'_>,
    (first, last): (usize, usize),
    (left, right): (&Histogram, &Histogram),
    smoothed: bool,
    context: &mut Context<'_>,
) -> Option<Option<Histogram>> {
    let all = w.histograms;
    let (mut from, mut previous) = (first + 1, left);
    if smoothed
        && let (Some(a), Some(b)) = (all.get(first), all.get(first + 1))
        && a.t < w.start
        && b.h.detect_reset(&a.h)
    {
        // The left border was interpolated across this reset, which is accounted for.
        previous = &b.h;
        from += 1;
    }
    if from > last {
        return Some(None);
    }
    let mut lost: Option<Histogram> = None;
    // The last sample is what the right border comes from; it is compared below.
    let inner = all.get(from..last).unwrap_or_default().iter().map(|s| Arc::as_ref(&s.h));
    for h in inner.chain([right]) {
        if h.detect_reset(previous) {
            match &mut lost {
                None => lost = Some(previous.clone()),
                Some(sum) => add(sum, previous, context)?,
            }
        }
        previous = h;
    }
    Some(lost)
}
