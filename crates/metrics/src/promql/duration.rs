//! Durations as Prometheus writes them: `1d2h3m`, units in falling order, each at most once.

const UNITS: [(&str, i64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// Milliseconds of a duration such as `1h30m`; `0` alone needs no unit. `None` when malformed or too large.
pub fn parse_duration(text: &str) -> Option<i64> {
    if text == "0" {
        return Some(0);
    }
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut total: i64 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at_checked(digits)?;
        let unit_end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, next) = after.split_at_checked(unit_end)?;
        let (_, scale) = units.find(|(name, _)| *name == unit)?;
        total = total.checked_add(number.parse::<i64>().ok()?.checked_mul(*scale)?)?;
        rest = next;
    }
    // Go holds durations as nanoseconds in 64 bits.
    (total <= i64::MAX / 1_000_000).then_some(total)
}

/// The shortest text of `ms`: weeks and years only when they divide it, as Prometheus does.
pub fn format_duration(ms: i64) -> String {
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut text = if ms < 0 { "-".to_owned() } else { String::new() };
    let mut rest = ms.unsigned_abs();
    for (unit, scale) in UNITS {
        let scale = scale.unsigned_abs();
        let exact_only = matches!(unit, "y" | "w");
        if exact_only && !rest.is_multiple_of(scale) {
            continue;
        }
        if rest / scale > 0 {
            text.push_str(&format!("{}{unit}", rest / scale));
            rest %= scale;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_print() {
        for (text, ms) in [
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("1d", 86_400_000),
            ("2w", 14 * 86_400_000),
            ("1y", 365 * 86_400_000),
            ("1s500ms", 1500),
            ("8d", 8 * 86_400_000),
        ] {
            assert_eq!(parse_duration(text), Some(ms), "{text}");
            assert_eq!(format_duration(ms), text);
        }
        assert_eq!(format_duration(-60_000), "-1m");
        for bad in ["", "5", "m", "1m1h", "1m1m", "1.5h", "5x", "99999999999y", "-5m"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }
}
