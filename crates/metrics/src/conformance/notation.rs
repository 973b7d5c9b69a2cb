//! How scripts write series: `name{a="b"} 1+2x3 _ stale {{schema:0 count:3}}`.

use std::sync::Arc;

use kernel::Labels;

use crate::histogram::{BucketSpan, Buckets, CUSTOM_BUCKETS_SCHEMA, Histogram, ResetHint};
use crate::promql::{parse_duration, parse_metric, parse_number};
use crate::sample::STALE_NAN;

/// One position of a series: nothing, a float or a histogram.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Point {
    Missing,
    Float(f64),
    /// The histogram, and whether its reset hint was written.
    Histogram(Arc<Histogram>, bool),
}

/// A line of a `load` or of an expectation.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub labels: Labels,
    pub values: Values,
}

/// What the line gives.
#[derive(Clone, Debug)]
pub(super) enum Values {
    Points(Vec<Point>),
    /// Start times relative to the samples' times, milliseconds (`@st`).
    Starts(Vec<Option<i64>>),
}

/// Longest run that `xN` may write.
const MAX_REPEAT: usize = 1_000_000;

/// A series line.
pub(super) fn line(text: &str) -> Result<Line, String> {
    let (name, rest) = split_name(text)?;
    let labels =
        if name.is_empty() { Labels::empty() } else { parse_metric(name).map_err(|e| e.to_string())? };
    if let Some(starts) = rest.strip_prefix("@st") {
        return Ok(Line { labels, values: Values::Starts(start_points(starts)?) });
    }
    Ok(Line { labels, values: Values::Points(points(rest)?) })
}

/// Splits `name{labels}` off; braces and quotes may hold blanks.
fn split_name(text: &str) -> Result<(&str, &str), String> {
    let mut quote = None;
    let mut escaped = false;
    let mut braces = 0;
    for (i, c) in text.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some('"' | '\'') if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None => match c {
                '"' | '\'' | '`' if braces > 0 => quote = Some(c),
                '{' => braces += 1,
                '}' => {
                    braces -= 1;
                    if braces == 0 {
                        return Ok((
                            text.get(..=i).unwrap_or_default(),
                            text.get(i + 1..).unwrap_or_default(),
                        ));
                    }
                }
                // A name without labels may be followed by labels after blanks.
                c if braces == 0 && (c.is_whitespace() || c == '@') => {
                    let rest = text.get(i..).unwrap_or_default();
                    if rest.trim_start().starts_with('{') && !rest.trim_start().starts_with("{{") {
                        continue;
                    }
                    return Ok((text.get(..i).unwrap_or_default(), rest));
                }
                _ => {}
            },
        }
    }
    if braces > 0 || quote.is_some() {
        return Err(format!("unfinished series name: {text}"));
    }
    Ok((text, ""))
}

/// The points after the name.
pub(super) fn points(text: &str) -> Result<Vec<Point>, String> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = if rest.starts_with("{{") || rest.starts_with("-{{") {
            histogram_end(rest)?
        } else {
            blank(rest)
        };
        let (item, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        item_points(item, &mut found)?;
        rest = after.trim_start();
    }
    Ok(found)
}

fn blank(text: &str) -> usize {
    text.find(char::is_whitespace).unwrap_or(text.len())
}

/// Where `{{…}}`, `{{…}}+{{…}}x3` or `{{…}}x3` ends.
fn histogram_end(text: &str) -> Result<usize, String> {
    let close = |from: usize| {
        text.get(from..)
            .and_then(|t| t.find("}}"))
            .map(|i| from + i + 2)
            .ok_or_else(|| format!("unfinished histogram: {text}"))
    };
    let mut end = close(0)?;
    let tail = text.get(end..).unwrap_or_default();
    if tail.starts_with("+{{") || tail.starts_with("-{{") {
        end = close(end)?;
    }
    Ok(end + blank(text.get(end..).unwrap_or_default()))
}

fn item_points(item: &str, found: &mut Vec<Point>) -> Result<(), String> {
    if let Some(count) = item.strip_prefix("_x") {
        found.extend(std::iter::repeat_n(Point::Missing, repeat(count)?));
        return Ok(());
    }
    match item {
        "_" => found.push(Point::Missing),
        "stale" => found.push(Point::Float(STALE_NAN)),
        _ if item.contains("{{") => histogram_points(item, found)?,
        _ => float_points(item, found)?,
    }
    Ok(())
}

fn repeat(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n <= MAX_REPEAT).ok_or_else(|| format!("bad repetition {text:?}"))
}

/// `5`, `5x3`, `1+2x3`, `1-2x3`
fn float_points(item: &str, found: &mut Vec<Point>) -> Result<(), String> {
    let bad = || format!("bad value {item:?}");
    // `0x8` is zero nine times over, not eight: repetition comes first.
    let Some((start, count)) = item.rsplit_once('x') else {
        found.push(Point::Float(parse_number(item).ok_or_else(bad)?));
        return Ok(());
    };
    let count = repeat(count)?;
    let (first, increment) = match parse_number(start) {
        Some(first) => (first, 0.0),
        None => start_and_increment(start, parse_number).ok_or_else(bad)?,
    };
    let mut value = first;
    for _ in 0..=count {
        found.push(Point::Float(value));
        value += increment;
    }
    Ok(())
}

/// Splits `1+2` or `-3-1` where both halves read.
fn start_and_increment<T>(text: &str, read: impl Fn(&str) -> Option<T>) -> Option<(T, T)> {
    text.char_indices().skip(1).filter(|(_, c)| matches!(c, '+' | '-')).find_map(|(i, _)| {
        let (first, increment) = text.split_at_checked(i)?;
        Some((read(first)?, read(increment)?))
    })
}

/// `-30s`, `-1mx2`, `-30s-1mx2`, `_`
fn start_points(text: &str) -> Result<Vec<Option<i64>>, String> {
    let signed = |text: &str| match text.as_bytes().first()? {
        b'-' => parse_duration(text.get(1..)?).map(|ms| -ms),
        b'+' => parse_duration(text.get(1..)?),
        _ => parse_duration(text),
    };
    let mut found = Vec::new();
    for item in text.split_whitespace() {
        if let Some(count) = item.strip_prefix("_x") {
            found.extend(std::iter::repeat_n(None, repeat(count)?));
            continue;
        }
        if item == "_" {
            found.push(None);
            continue;
        }
        if let Some(ms) = signed(item) {
            found.push(Some(ms));
            continue;
        }
        let bad = || format!("bad start time {item:?}");
        let (start, count) = item.rsplit_once('x').ok_or_else(bad)?;
        let (first, increment) = match signed(start) {
            Some(first) => (first, 0),
            None => start_and_increment(start, signed).ok_or_else(bad)?,
        };
        let mut value = first;
        for _ in 0..=repeat(count)? {
            found.push(Some(value));
            value += increment;
        }
    }
    Ok(found)
}

fn histogram_points(item: &str, found: &mut Vec<Point>) -> Result<(), String> {
    let bad = || format!("bad histogram {item:?}");
    let close = item.find("}}").ok_or_else(bad)? + 2;
    let (first, rest) = item.split_at_checked(close).ok_or_else(bad)?;
    let (first, hinted) = histogram(first)?;
    if rest.is_empty() {
        found.push(Point::Histogram(Arc::new(first), hinted));
        return Ok(());
    }
    if let Some(count) = rest.strip_prefix('x') {
        let h = Arc::new(first);
        found.extend(std::iter::repeat_n(Point::Histogram(h, hinted), repeat(count)? + 1));
        return Ok(());
    }
    let negative = rest.starts_with('-');
    let close = rest.find("}}").ok_or_else(bad)? + 2;
    let (increment, count) = rest.split_at_checked(close).ok_or_else(bad)?;
    let (increment, _) = histogram(increment.get(1..).unwrap_or_default())?;
    let count = repeat(count.strip_prefix('x').ok_or_else(bad)?)?;
    let mut h = first;
    for _ in 0..=count {
        found.push(Point::Histogram(Arc::new(h.clone()), hinted));
        let next = if negative { h.sub(&increment) } else { h.add(&increment) };
        next.map_err(|e| e.to_string())?;
    }
    Ok(())
}

/// `{{schema:1 sum:3 count:22 buckets:[5 10 7]}}`, and whether a reset hint was written.
pub(super) fn histogram(text: &str) -> Result<(Histogram, bool), String> {
    let bad = |what: &str| format!("bad {what} in histogram {text:?}");
    let body = text.strip_prefix("{{").and_then(|t| t.strip_suffix("}}")).ok_or_else(|| bad("braces"))?;
    let mut h = Histogram::default();
    let (mut offset, mut negative_offset, mut hinted) = (0, 0, false);
    let (mut positive, mut negative) = (Vec::new(), Vec::new());
    let mut rest = body.trim();
    while !rest.is_empty() {
        let (key, after) = rest.split_once(':').ok_or_else(|| bad("field"))?;
        let after = after.trim_start();
        let end = if after.starts_with('[') { after.find(']').map(|i| i + 1) } else { Some(blank(after)) };
        let (value, next) = end.and_then(|e| after.split_at_checked(e)).ok_or_else(|| bad(key))?;
        let number = || parse_number(value).ok_or_else(|| bad(key));
        let integer = || value.parse::<i32>().map_err(|_| bad(key));
        match key {
            "schema" => h.schema = integer()?,
            "sum" => h.sum = number()?,
            "count" => h.count = number()?,
            "z_bucket" => h.zero_count = number()?,
            "z_bucket_w" => h.zero_threshold = number()?,
            "offset" => offset = integer()?,
            "n_offset" => negative_offset = integer()?,
            "buckets" => positive = numbers(value).ok_or_else(|| bad(key))?,
            "n_buckets" => negative = numbers(value).ok_or_else(|| bad(key))?,
            "custom_values" => h.custom_bounds = numbers(value).ok_or_else(|| bad(key))?.into(),
            "counter_reset_hint" => {
                hinted = true;
                h.reset_hint = match value {
                    "unknown" => ResetHint::Unknown,
                    "reset" => ResetHint::Reset,
                    "not_reset" => ResetHint::NotReset,
                    "gauge" => ResetHint::Gauge,
                    _ => return Err(bad(key)),
                };
            }
            _ => return Err(bad(key)),
        }
        rest = next.trim_start();
    }
    if h.schema != CUSTOM_BUCKETS_SCHEMA && !h.custom_bounds.is_empty() {
        return Err(bad("custom_values"));
    }
    h.positive = run(offset, positive);
    h.negative = run(negative_offset, negative);
    Ok((h, hinted))
}

/// A time such as `5m`, `-30s` or `0`, in milliseconds; a bare number is seconds.
#[allow(clippy::cast_possible_truncation, reason = "saturates")]
pub(super) fn time(text: &str) -> Result<i64, String> {
    let (negative, body) = match text.strip_prefix('-') {
        Some(body) => (true, body),
        None => (false, text),
    };
    let ms = parse_duration(body)
        .or_else(|| parse_number(body).map(|s| (s * 1000.0).round() as i64))
        .ok_or_else(|| format!("bad time {text:?}"))?;
    Ok(if negative { -ms } else { ms })
}

fn numbers(text: &str) -> Option<Vec<f64>> {
    text.strip_prefix('[')?.strip_suffix(']')?.split_whitespace().map(parse_number).collect()
}

fn run(offset: i32, counts: Vec<f64>) -> Buckets {
    if counts.is_empty() {
        return Buckets::default();
    }
    let length = u32::try_from(counts.len()).unwrap_or(u32::MAX);
    Buckets { spans: vec![BucketSpan { offset, length }], counts }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_expand() {
        let floats = |text: &str| {
            points(text).map(|p| {
                p.into_iter()
                    .map(|p| match p {
                        Point::Float(v) => Some(v),
                        _ => None,
                    })
                    .collect::<Vec<_>>()
            })
        };
        for (text, expected) in [
            ("1 _ 2.5", vec![Some(1.0), None, Some(2.5)]),
            ("0+10x2", vec![Some(0.0), Some(10.0), Some(20.0)]),
            ("-1-2x1 5x1 _x2", vec![Some(-1.0), Some(-3.0), Some(5.0), Some(5.0), None, None]),
            ("1e3+1x1", vec![Some(1000.0), Some(1001.0)]),
        ] {
            assert_eq!(floats(text), Ok(expected), "{text}");
        }
        assert!(floats("abc").is_err());
        assert_eq!(
            start_points("_ -30s-1mx1 +1m"),
            Ok(vec![None, Some(-30_000), Some(-90_000), Some(60_000)])
        );
    }

    #[test]
    fn histograms_read() {
        let (h, hinted) =
            histogram("{{schema:1 sum:-0.3 count:4 z_bucket:1 buckets:[1 2] n_offset:-3 n_buckets:[7]}}")
                .unwrap();
        assert!(!hinted);
        assert_eq!(h.positive.iter().collect::<Vec<_>>(), [(0, 1.0), (1, 2.0)]);
        assert_eq!(h.negative.iter().collect::<Vec<_>>(), [(-3, 7.0)]);
        assert!(histogram("{{schema:x}}").is_err());
    }
}
