//! Functions of one number, and quantiles of several.

use std::cmp::Ordering;

/// The function called `name` of `v`, with its scalar arguments.
pub(crate) fn float_function(name: &str, v: f64, args: &[f64]) -> Option<f64> {
    let first = args.first().copied();
    Some(match name {
        "abs" => v.abs(),
        "ceil" => v.ceil(),
        "floor" => v.floor(),
        "exp" => v.exp(),
        "sqrt" => v.sqrt(),
        "ln" => v.ln(),
        "log2" => v.log2(),
        "log10" => v.log10(),
        "sin" => v.sin(),
        "cos" => v.cos(),
        "tan" => v.tan(),
        "asin" => v.asin(),
        "acos" => v.acos(),
        "atan" => v.atan(),
        "sinh" => v.sinh(),
        "cosh" => v.cosh(),
        "tanh" => v.tanh(),
        "asinh" => v.asinh(),
        "acosh" => v.acosh(),
        "atanh" => v.atanh(),
        "rad" => v * std::f64::consts::PI / 180.0,
        "deg" => v * 180.0 / std::f64::consts::PI,
        "sgn" if v == 0.0 || v.is_nan() => v,
        "sgn" => v.signum(),
        "round" => {
            let inverse = 1.0 / first.unwrap_or(1.0);
            (v * inverse + 0.5).floor() / inverse
        }
        "clamp" => return clamp(v, first?, args.get(1).copied()?),
        "clamp_min" => return clamp(v, first?, f64::INFINITY),
        "clamp_max" => return clamp(v, f64::NEG_INFINITY, first?),
        _ => return None,
    })
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
