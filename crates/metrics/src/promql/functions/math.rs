//! Functions of one number, and quantiles of several.

use std::cmp::Ordering;

/// A function of a number and scalar arguments; `None` when it has no value there.
pub(crate) type FloatFunction = fn(f64, &[f64]) -> Option<f64>;

/// The function of one number called `name`, if it is one of these.
pub(crate) fn float_function(name: &str) -> Option<FloatFunction> {
    let function: FloatFunction = match name {
        "abs" => |v, _| Some(v.abs()),
        "ceil" => |v, _| Some(v.ceil()),
        "floor" => |v, _| Some(v.floor()),
        "exp" => |v, _| Some(v.exp()),
        "sqrt" => |v, _| Some(v.sqrt()),
        "ln" => |v, _| Some(v.ln()),
        "log2" => |v, _| Some(v.log2()),
        "log10" => |v, _| Some(v.log10()),
        "sin" => |v, _| Some(v.sin()),
        "cos" => |v, _| Some(v.cos()),
        "tan" => |v, _| Some(v.tan()),
        "asin" => |v, _| Some(v.asin()),
        "acos" => |v, _| Some(v.acos()),
        "atan" => |v, _| Some(v.atan()),
        "sinh" => |v, _| Some(v.sinh()),
        "cosh" => |v, _| Some(v.cosh()),
        "tanh" => |v, _| Some(v.tanh()),
        "asinh" => |v, _| Some(v.asinh()),
        "acosh" => |v, _| Some(v.acosh()),
        "atanh" => |v, _| Some(v.atanh()),
        "rad" => |v, _| Some(v * std::f64::consts::PI / 180.0),
        "deg" => |v, _| Some(v * 180.0 / std::f64::consts::PI),
        "sgn" => |v, _| Some(if v == 0.0 || v.is_nan() { v } else { v.signum() }),
        "round" => |v, args| {
            let inverse = 1.0 / args.first().copied().unwrap_or(1.0);
            Some((v * inverse + 0.5).floor() / inverse)
        },
        "clamp" => |v, args| clamp(v, *args.first()?, *args.get(1)?),
        "clamp_min" => |v, args| clamp(v, *args.first()?, f64::INFINITY),
        "clamp_max" => |v, args| clamp(v, f64::NEG_INFINITY, *args.first()?),
        _ => return None,
    };
    Some(function)
}

/// The `q`-quantile of `values`, interpolated between neighbours: below 0 −∞, above 1 +∞, NaN for NaN or no values. NaN
/// sorts below all numbers.
pub(crate) fn quantile(q: f64, mut values: Vec<f64>) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    values.sort_by(|a, b| match (a.is_nan(), b.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
    });
    #[allow(clippy::cast_precision_loss, reason = "a count of samples in memory")]
    let rank = q * (values.len() - 1) as f64;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the count")]
    let lower = rank.floor().max(0.0) as usize;
    let upper = (lower + 1).min(values.len() - 1);
    let weight = rank - rank.floor();
    let at = |i: usize| values.get(i).copied().unwrap_or(f64::NAN);
    at(lower) * (1.0 - weight) + at(upper) * weight
}

fn clamp(v: f64, low: f64, high: f64) -> Option<f64> {
    if high < low {
        return None;
    }
    // NaN bounds and values make NaN, unlike Rust's min and max.
    if v.is_nan() || low.is_nan() || high.is_nan() {
        return Some(f64::NAN);
    }
    Some(v.min(high).max(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate_and_edges_hold() {
        for (q, expected) in
            [(0.0, 1.0), (0.5, 2.5), (1.0, 4.0), (-1.0, f64::NEG_INFINITY), (2.0, f64::INFINITY)]
        {
            assert_eq!(quantile(q, vec![4.0, 1.0, 3.0, 2.0]), expected);
        }
        assert!(quantile(0.5, vec![]).is_nan());
        assert_eq!(clamp(5.0, 1.0, 3.0), Some(3.0));
        assert_eq!(clamp(5.0, 3.0, 1.0), None);
    }
}
