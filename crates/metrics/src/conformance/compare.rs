//! Whether an answer is the expected one. Floats may differ by a millionth part.

use std::collections::BTreeMap;

use kernel::Labels;

use super::notation::Point;
use super::script::Eval;
use crate::histogram::{Buckets, Histogram};
use crate::promql::{SampleValue, Value};

/// Relative difference that passes for equal, as in the original suite.
const EPSILON: f64 = 1e-6;

/// A found value.
#[derive(Clone, Debug)]
enum Found {
    Float(f64),
    Histogram(Histogram),
}

/// Compares the answer of `eval`.
pub(super) fn answer(value: &Value, eval: &Eval) -> Result<(), String> {
    let expected = &eval.expected;
    if let Some(wanted) = &expected.text {
        return match value {
            Value::String { s, .. } if s == wanted => Ok(()),
            other => Err(format!("expected the string {wanted:?}, got {other:?}")),
        };
    }
    match value {
        Value::Scalar { v, .. } => scalar(*v, eval),
        Value::String { s, .. } => Err(format!("unexpected string {s:?}")),
        Value::Vector(samples) => {
            if let Some(wanted) = expected.scalar {
                return Err(format!("expected the scalar {wanted}, got {} series", samples.len()));
            }
            let found: Vec<_> = samples
                .iter()
                .map(|s| {
                    (
                        s.labels.clone(),
                        match &s.value {
                            SampleValue::Float(v) => Found::Float(*v),
                            SampleValue::Histogram(h) => Found::Histogram(Histogram::clone(h)),
                        },
                    )
                })
                .collect();
            vector(&found, eval)
        }
        Value::Matrix(series) => match (eval.step, expected.window) {
            (Some(step), _) => matrix(&by_time(series), eval, step),
            (None, Some((start, end, step))) => {
                matrix(&by_time(series), &Eval { start, end, ..eval.clone() }, step)
            }
            (None, None) => Err("unexpected range vector".to_owned()),
        },
    }
}

/// Compares the middle step of a range answer with what an instant eval expects.
pub(super) fn middle(value: &Value, eval: &Eval) -> Result<(), String> {
    let Value::Matrix(series) = value else { return Ok(()) };
    let found: Vec<(Labels, Found)> = by_time(series)
        .into_iter()
        .filter_map(|(labels, mut points)| Some((labels, points.remove(&eval.start)?)))
        .collect();
    if eval.expected.scalar.is_some() {
        return match found.as_slice() {
            [(_, Found::Float(v))] => scalar(*v, eval),
            other => Err(format!("expected a scalar, got {} series", other.len())),
        };
    }
    vector(&found, eval)
}

fn by_time(series: &[crate::promql::RangeSeries]) -> Vec<(Labels, BTreeMap<i64, Found>)> {
    series
        .iter()
        .map(|s| {
            let floats = s.floats.iter().map(|p| (p.t, Found::Float(p.v)));
            let histograms = s.histograms.iter().map(|p| (p.t, Found::Histogram(Histogram::clone(&p.h))));
            (s.labels.clone(), floats.chain(histograms).collect())
        })
        .collect()
}

fn scalar(v: f64, eval: &Eval) -> Result<(), String> {
    let wanted = eval.expected.scalar.or_else(|| match eval.expected.points().next() {
        Some((labels, [Point::Float(v)])) if labels.is_empty() => Some(*v),
        _ => None,
    });
    match wanted {
        Some(wanted) if equal(wanted, v) => Ok(()),
        other => Err(format!("expected {other:?}, got the scalar {v}")),
    }
}

fn vector(found: &[(Labels, Found)], eval: &Eval) -> Result<(), String> {
    let expected: Vec<_> = eval.expected.points().collect();
    if eval.expected.ordered {
        for (i, ((wanted, _), (got, _))) in expected.iter().zip(found).enumerate() {
            if *wanted != got {
                return Err(format!("at position {i} expected {wanted}, got {got}"));
            }
        }
    }
    for (labels, value) in found {
        let Some((_, points)) = expected.iter().find(|(wanted, _)| *wanted == labels) else {
            return Err(format!("unexpected series {labels} = {}", show(value)));
        };
        let point = points.first().unwrap_or(&Point::Missing);
        compare(point, Some(value)).map_err(|e| format!("{labels}: {e}"))?;
    }
    match expected.iter().find(|(wanted, _)| !found.iter().any(|(labels, _)| labels == *wanted)) {
        Some((missing, _)) => Err(format!("missing series {missing}")),
        None => Ok(()),
    }
}

fn matrix(found: &[(Labels, BTreeMap<i64, Found>)], eval: &Eval, step: i64) -> Result<(), String> {
    let expected: Vec<_> = eval.expected.points().collect();
    for (labels, points) in found {
        let Some((_, wanted)) = expected.iter().find(|(wanted, _)| *wanted == labels) else {
            return Err(format!("unexpected series {labels} with {} points", points.len()));
        };
        let mut t = eval.start;
        let mut wanted = wanted.iter();
        while t <= eval.end {
            let point = wanted.next().unwrap_or(&Point::Missing);
            compare(point, points.get(&t)).map_err(|e| format!("{labels} at {t} ms: {e}"))?;
            t += step;
        }
    }
    let absent = |wanted: &&(&Labels, &[Point])| {
        !found.iter().any(|(labels, _)| labels == wanted.0) && wanted.1.iter().any(|p| *p != Point::Missing)
    };
    match expected.iter().find(absent) {
        Some((missing, _)) => Err(format!("missing series {missing}")),
        None => Ok(()),
    }
}

fn compare(wanted: &Point, got: Option<&Found>) -> Result<(), String> {
    match (wanted, got) {
        (Point::Missing, None) => Ok(()),
        (Point::Float(a), Some(Found::Float(b))) if equal(*a, *b) => Ok(()),
        (Point::Histogram(a, hinted), Some(Found::Histogram(b))) => histogram(a, b, *hinted),
        (wanted, got) => {
            let wanted = match wanted {
                Point::Missing => "nothing".to_owned(),
                Point::Float(v) => v.to_string(),
                Point::Histogram(h, _) => h.to_string(),
            };
            Err(format!("expected {wanted}, got {}", got.map_or("nothing".to_owned(), show)))
        }
    }
}

fn show(found: &Found) -> String {
    match found {
        Found::Float(v) => v.to_string(),
        Found::Histogram(h) => h.to_string(),
    }
}

fn histogram(wanted: &Histogram, got: &Histogram, hinted: bool) -> Result<(), String> {
    let (a, b) = (wanted.compacted(), got.compacted());
    let buckets = |a: &Buckets, b: &Buckets| {
        a.spans == b.spans && a.counts.iter().zip(&b.counts).all(|(x, y)| equal(*x, *y))
    };
    let bounds = a.custom_bounds.len() == b.custom_bounds.len()
        && a.custom_bounds.iter().zip(b.custom_bounds.iter()).all(|(x, y)| x == y);
    let problem = if a.schema != b.schema {
        "schema"
    } else if !equal(a.count, b.count) {
        "count"
    } else if !equal(a.sum, b.sum) {
        "sum"
    } else if !equal(a.zero_count, b.zero_count) {
        "zero bucket"
    } else if !equal(a.zero_threshold, b.zero_threshold) {
        "zero bucket's width"
    } else if !bounds {
        "custom bounds"
    } else if !buckets(&a.positive, &b.positive) || !buckets(&a.negative, &b.negative) {
        "buckets"
    } else if hinted && a.reset_hint != b.reset_hint {
        "reset hint"
    } else {
        return Ok(());
    };
    Err(format!("{problem} differs: expected {a:?}, got {b:?}"))
}

fn equal(a: f64, b: f64) -> bool {
    if a == b || (a.is_nan() && b.is_nan()) {
        return true;
    }
    let (difference, sum) = ((a - b).abs(), a.abs() + b.abs());
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < EPSILON * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < EPSILON
}
