//! Numbers as Prometheus reads and writes them: Go's `strconv.ParseFloat`/`ParseInt` in, `FormatFloat(v, 'f', -1, 64)` out.

/// `v` as Prometheus prints sample values: shortest decimal digits that read back the same, never an exponent; `+Inf`,
/// `-Inf`, `NaN`.
pub fn format_value(v: f64) -> String {
    if v.is_nan() {
        return "NaN".to_owned();
    }
    if v.is_infinite() {
        return if v > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    format!("{v}")
}

/// `v` as Go's `%g` prints it: an exponent below 1e-4 and from 1e21 on.
pub(crate) fn format_g(v: f64) -> String {
    let exponent = if v == 0.0 { 0 } else { v.abs().log10().floor() as i64 };
    if !v.is_finite() || (-4..21).contains(&exponent) {
        return format_value(v);
    }
    let text = format!("{v:e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => {
            let (sign, digits) = match exponent.strip_prefix('-') {
                Some(digits) => ('-', digits),
                None => ('+', exponent),
            };
            format!("{mantissa}e{sign}{digits:0>2}")
        }
        None => text,
    }
}

/// A PromQL number literal: decimal, hexadecimal (`0x1f`, `0x1p-2`), octal (`0755`, `0o17`), binary, with `_` between
/// digits, `Inf` or `NaN` in any case. Too large is infinite. `None` when it is none of these.
pub fn parse_number(text: &str) -> Option<f64> {
    let (negative, body) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let magnitude = parse_unsigned(body)?;
    Some(if negative { -magnitude } else { magnitude })
}

fn parse_unsigned(text: &str) -> Option<f64> {
    let lower = text.to_ascii_lowercase();
    match lower.as_str() {
        "inf" | "infinity" => return Some(f64::INFINITY),
        "nan" => return Some(f64::NAN),
        _ => {}
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = lower.strip_prefix(prefix) {
            let digits = digits.strip_prefix('_').unwrap_or(digits);
            let digits = without_underscores(digits)?;
            if radix == 16 && digits.contains(['p', '.']) {
                return parse_hex_float(&digits);
            }
            return parse_radix(&digits, radix);
        }
    }
    let digits = without_underscores(&lower)?;
    let octal =
        digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| (b'0'..=b'7').contains(&b));
    if octal {
        return parse_radix(digits.get(1..)?, 8);
    }
    let shaped = digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'+' | b'-'))
        && digits.bytes().any(|b| b.is_ascii_digit());
    if shaped { digits.parse().ok() } else { None }
}

fn without_underscores(digits: &str) -> Option<String> {
    if digits.starts_with('_') || digits.ends_with('_') || digits.contains("__") {
        return None;
    }
    Some(digits.replace('_', ""))
}

fn parse_radix(digits: &str, radix: u32) -> Option<f64> {
    if digits.is_empty() {
        return None;
    }
    digits.chars().try_fold(0.0, |sum, c| Some(sum * f64::from(radix) + f64::from(c.to_digit(radix)?)))
}

/// The part after `0x` of a hexadecimal float such as `1.8p-2`.
fn parse_hex_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once('p')?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let exponent: i32 = exponent.parse().ok()?;
    let digits = format!("{whole}{fraction}");
    let value = parse_radix(&digits, 16)?;
    let shift = exponent.checked_sub(i32::try_from(fraction.len()).ok()?.checked_mul(4)?)?;
    Some(value * 2f64.powi(shift))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_print_as_prometheus_prints_them() {
        for (value, expected) in [
            (1.0, "1"),
            (-0.0, "-0"),
            (0.1, "0.1"),
            (1e21, "1000000000000000000000"),
            (1e-7, "0.0000001"),
            (1.0 / 3.0, "0.3333333333333333"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(format_value(value), expected);
        }
        for (value, expected) in
            [(1.1, "1.1"), (1e21, "1e+21"), (1.5e-7, "1.5e-07"), (100.0, "100"), (0.0, "0")]
        {
            assert_eq!(format_g(value), expected);
        }
    }

    #[test]
    fn literals_read_as_go_reads_them() {
        for (text, expected) in [
            ("0x1F", Some(31.0)),
            ("0755", Some(493.0)),
            ("0o17", Some(15.0)),
            ("0b101", Some(5.0)),
            ("1_000", Some(1000.0)),
            ("0x1p-2", Some(0.25)),
            (".5", Some(0.5)),
            ("2.", Some(2.0)),
            ("-1e3", Some(-1000.0)),
            ("1e400", Some(f64::INFINITY)),
            ("inF", Some(f64::INFINITY)),
            ("089", Some(89.0)),
            ("1e", None),
            ("0x", None),
            ("_1", None),
            ("", None),
            ("-", None),
            (".", None),
        ] {
            assert_eq!(parse_number(text), expected, "{text}");
        }
        assert!(parse_number("NaN").is_some_and(f64::is_nan));
    }
}
