//! What a scalar means: YAML 1.2.2, section 10.3.2 (core schema), narrowed to what JSON numbers can hold.

use serde_json::{Number, Value};

/// Why a scalar has no JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// An integer outside of -2^63 to 2^64-1.
    Integer,
    /// A float that is infinite, or too large.
    Infinite,
    /// Not a number.
    NotANumber,
}

/// The value of a plain (unquoted) scalar without a tag.
pub(super) fn plain(text: &str) -> Result<Value, Refusal> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        ".nan" | ".NaN" | ".NAN" => return Err(Refusal::NotANumber),
        _ => {}
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return Ok(Value::String(text.to_owned()));
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Err(Refusal::Infinite);
    }
    if let Some(found) = integer(text) {
        return found.map(Value::Number).ok_or(Refusal::Integer);
    }
    if is_float(unsigned) {
        return float(text);
    }
    Ok(Value::String(text.to_owned()))
}

/// `Some(None)` is an integer that does not fit.
fn integer(text: &str) -> Option<Option<Number>> {
    let all = |digits: &str, radix| !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix).filter(|d| all(d, radix)) {
            return Some(u64::from_str_radix(digits, radix).ok().map(Number::from));
        }
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !all(unsigned, 10) {
        return None;
    }
    let signed = text.strip_prefix('+').unwrap_or(text);
    let number = signed.parse::<u64>().map(Number::from).or_else(|_| signed.parse::<i64>().map(Number::from));
    Some(number.ok())
}

/// `( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`, the sign already taken off.
fn is_float(text: &str) -> bool {
    let digits = |s: &str| s.chars().all(|c| c.is_ascii_digit());
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (text, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let some_digit = !whole.is_empty() || !fraction.is_empty();
    some_digit && digits(whole) && digits(fraction) && exponent.is_none_or(|e| !e.is_empty() && digits(e))
}

pub(super) fn float(text: &str) -> Result<Value, Refusal> {
    let number: f64 = text.parse().map_err(|_| Refusal::NotANumber)?;
    Number::from_f64(number).map(Value::Number).ok_or(Refusal::Infinite)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        for (text, expected) in [
            ("", Ok(json!(null))),
            ("~", Ok(json!(null))),
            ("no", Ok(json!("no"))),
            ("On", Ok(json!("On"))),
            ("True", Ok(json!(true))),
            ("tRue", Ok(json!("tRue"))),
            ("0o17", Ok(json!(15))),
            ("0xfF", Ok(json!(255))),
            ("017", Ok(json!(17))),
            ("+12", Ok(json!(12))),
            ("-0", Ok(json!(0))),
            ("1_000", Ok(json!("1_000"))),
            ("18446744073709551615", Ok(json!(u64::MAX))),
            ("-9223372036854775808", Ok(json!(i64::MIN))),
            ("18446744073709551616", Err(Refusal::Integer)),
            ("1.5", Ok(json!(1.5))),
            (".5", Ok(json!(0.5))),
            ("5.", Ok(json!(5.0))),
            ("1e3", Ok(json!(1000.0))),
            ("1e999", Err(Refusal::Infinite)),
            ("-.inf", Err(Refusal::Infinite)),
            (".nan", Err(Refusal::NotANumber)),
            (".", Ok(json!("."))),
            ("-", Ok(json!("-"))),
            ("1.2.3", Ok(json!("1.2.3"))),
            ("12:30:45", Ok(json!("12:30:45"))),
            ("2026-11-23", Ok(json!("2026-11-23"))),
            ("1e", Ok(json!("1e"))),
            ("infinity", Ok(json!("infinity"))),
        ] {
            assert_eq!(plain(text), expected, "{text:?}");
        }
    }
}
