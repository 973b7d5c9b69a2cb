//! Charts for the terminal: one line of blocks per series.

/// From least to most.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Values as a line of blocks from the least to the most of them; a gap where there is no value.
pub(crate) fn sparkline(values: &[Option<f64>]) -> String {
    let finite = || values.iter().flatten().copied().filter(|v| v.is_finite());
    let (low, high) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    let block = |v: f64| {
        // A flat line stands at the bottom: there is nothing to see.
        let share = if high > low { (v - low) / (high - low) } else { 0.0 };
        let at = (share * (BLOCKS.len() - 1) as f64).round() as usize;
        BLOCKS.get(at).copied().unwrap_or(' ')
    };
    values.iter().map(|value| value.filter(|v| v.is_finite()).map_or(' ', block)).collect()
}

/// A number with four significant digits, and a suffix where it is large.
pub(crate) fn figure(v: f64) -> String {
    if v.is_nan() {
        return "NaN".to_owned();
    }
    if v.is_infinite() {
        return if v > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let (scaled, suffix) = match v.abs() {
        n if n >= 1e12 => (v / 1e12, "T"),
        n if n >= 1e9 => (v / 1e9, "G"),
        n if n >= 1e6 => (v / 1e6, "M"),
        n if n >= 1e4 => (v / 1e3, "k"),
        _ => (v, ""),
    };
    let digits = match scaled.abs() {
        n if n >= 100.0 || n == 0.0 => 0,
        n if n >= 10.0 => 1,
        n if n >= 1.0 => 2,
        _ => 4,
    };
    let text = format!("{scaled:.digits$}");
    let text = if digits > 0 { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_span_from_least_to_most_and_keep_gaps() {
        let values = [Some(0.0), Some(1.0), None, Some(0.5), Some(f64::NAN)];
        assert_eq!(sparkline(&values), "▁█ ▅ ");
        assert_eq!(sparkline(&[Some(3.0), Some(3.0)]), "▁▁");
        assert_eq!(sparkline(&[]), "");
    }

    #[test]
    fn figures_are_short() {
        for (v, text) in [
            (0.0, "0"),
            (0.12345, "0.1235"),
            (3.0, "3"),
            (12.34, "12.3"),
            (123_456.0, "123k"),
            (2.5e9, "2.5G"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(figure(v), text);
        }
    }
}
