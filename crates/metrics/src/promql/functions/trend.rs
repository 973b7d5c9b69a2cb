//! `deriv`, `predict_linear`, `double_exponential_smoothing`.

use super::super::annotation::Notice;
use super::super::engine::{Cell, Window};
use super::super::error::QueryError;
use super::summary::Sum;
use super::{Context, RangeFunction};
use crate::sample::Sample;

type Found = Result<Option<Cell>, QueryError>;

/// The function called `name`, if it is one of these.
pub(super) fn function(name: &str) -> Option<RangeFunction> {
    Some(match name {
        "deriv" => deriv,
        "predict_linear" => predict_linear,
        "double_exponential_smoothing" => smoothing,
        _ => return None,
    })
}

/// At least two floats; says so when histograms are left out.
fn floats<'w>(w: &Window<'w>, context: &mut Context<'_>) -> Option<&'w [Sample]> {
    if !w.histograms.is_empty() && !w.floats.is_empty() {
        let metric = context.metric;
        context.note(&Notice::HistogramIgnoredInMixedRange { metric });
    }
    (w.floats.len() >= 2).then_some(w.floats)
}

fn deriv(w: &Window<'_>, _: &[f64], context: &mut Context<'_>) -> Found {
    let Some(floats) = floats(w, context) else { return Ok(None) };
    // Around the first sample's time, to keep precision.
    let origin = floats.first().map_or(0, |s| s.t);
    Ok(Some(Cell::Float(regression(floats, origin).0)))
}

fn predict_linear(w: &Window<'_>, args: &[f64], context: &mut Context<'_>) -> Found {
    let Some(floats) = floats(w, context) else { return Ok(None) };
    let (slope, intercept) = regression(floats, w.t);
    let ahead = args.first().copied().unwrap_or(f64::NAN);
    Ok(Some(Cell::Float(slope * ahead + intercept)))
}

/// Least squares: slope per second, and the value at `origin`. Equal values give a flat line exactly.
#[allow(clippy::cast_precision_loss, reason = "differences of times, and counts of samples")]
fn regression(samples: &[Sample], origin: i64) -> (f64, f64) {
    let first = samples.first().map_or(f64::NAN, |s| s.v);
    if samples.iter().all(|s| s.v == first) {
        return if first.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, first) };
    }
    let (mut sx, mut sy, mut sxy, mut sxx) = (Sum::default(), Sum::default(), Sum::default(), Sum::default());
    for s in samples {
        let x = s.t.saturating_sub(origin) as f64 / 1000.0;
        sx.add(x);
        sy.add(s.v);
        sxy.add(x * s.v);
        sxx.add(x * x);
    }
    let n = samples.len() as f64;
    let (sx, sy, sxy, sxx) = (sx.value(), sy.value(), sxy.value(), sxx.value());
    let covariance = sxy - sx * sy / n;
    let variance = sxx - sx * sx / n;
    let slope = covariance / variance;
    (slope, sy / n - slope * sx / n)
}

fn smoothing(w: &Window<'_>, args: &[f64], context: &mut Context<'_>) -> Found {
    let (factor, trend) =
        (args.first().copied().unwrap_or(f64::NAN), args.get(1).copied().unwrap_or(f64::NAN));
    for (name, value) in [("smoothing", factor), ("trend", trend)] {
        if value <= 0.0 || value >= 1.0 {
            let short = if name == "smoothing" { "sf" } else { "tf" };
            return Err(QueryError::execution(format!(
                "invalid {name} factor. Expected: 0 < {short} < 1, got: {value:.6}"
            ))
            .at(context.span));
        }
    }
    let Some(floats) = floats(w, context) else { return Ok(None) };
    let mut values = floats.iter().map(|s| s.v);
    let (Some(first), Some(second)) = (values.next(), values.next()) else { return Ok(None) };
    let (mut before, mut level, mut slope) = (0.0, first, second - first);
    for (i, v) in std::iter::once(second).chain(values).enumerate() {
        if i > 0 {
            slope = trend * (level - before) + (1.0 - trend) * slope;
        }
        (before, level) = (level, factor * v + (1.0 - factor) * (level + slope));
    }
    Ok(Some(Cell::Float(level)))
}
