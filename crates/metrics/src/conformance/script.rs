//! From a script's text to commands. A command starts on a line of its own and ends at an empty line or a comment.

use std::collections::HashMap;
use std::sync::Arc;

use kernel::Labels;

use super::expect::Expected;
use super::nhcb;
use super::notation::{Line, Point, Values, line, time};
use crate::histogram::HistogramSample;
use crate::promql::parse_duration;
use crate::sample::Sample;
use crate::source::Series;

/// What a script asks for.
#[derive(Clone, Debug)]
pub(super) enum Command {
    Clear,
    Load(Vec<Series>),
    Eval(Box<Eval>),
}

/// A query and what it must answer. Times are milliseconds.
#[derive(Clone, Debug)]
pub(super) struct Eval {
    pub query: String,
    pub start: i64,
    pub end: i64,
    /// `None` for an instant query.
    pub step: Option<i64>,
    pub expected: Expected,
}

/// The commands with the lines they start on, from 1. One that cannot be read says why.
pub(super) fn commands(script: &str) -> Vec<(usize, Result<Command, String>)> {
    let lines: Vec<&str> =
        script.lines().map(str::trim).map(|l| if l.starts_with('#') { "" } else { l }).collect();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(head) = lines.get(at) {
        let start = at + 1;
        at += 1;
        if head.is_empty() {
            continue;
        }
        let mut body = Vec::new();
        if *head != "clear" {
            while let Some(next) = lines.get(at).filter(|l| !l.is_empty()) {
                body.push(*next);
                at += 1;
            }
        }
        found.push((start, command(head, &body)));
    }
    found
}

fn command(head: &str, body: &[&str]) -> Result<Command, String> {
    let (word, rest) = head.split_once(char::is_whitespace).unwrap_or((head, ""));
    match word {
        "clear" => Ok(Command::Clear),
        "load" => Ok(Command::Load(load(rest, body, false)?)),
        "load_with_nhcb" => Ok(Command::Load(load(rest, body, true)?)),
        _ => match word.strip_prefix("eval") {
            Some(kind) => Ok(Command::Eval(Box::new(eval(kind.trim_start_matches('_'), rest.trim(), body)?))),
            None => Err(format!("unknown command {head:?}")),
        },
    }
}

fn load(step: &str, body: &[&str], with_nhcb: bool) -> Result<Vec<Series>, String> {
    let step = parse_duration(step.trim()).ok_or_else(|| format!("bad interval {step:?}"))?;
    let mut order: Vec<Labels> = Vec::new();
    let mut series: HashMap<Labels, Series> = HashMap::new();
    let mut starts: HashMap<Labels, Vec<Option<i64>>> = HashMap::new();
    for text in body {
        let Line { labels, values } = line(text)?;
        match values {
            Values::Starts(offsets) => {
                starts.insert(labels, offsets);
            }
            Values::Points(points) => {
                let made = series.entry(labels.clone()).or_insert_with(|| {
                    order.push(labels.clone());
                    Series { labels, ..Series::default() }
                });
                add_points(made, points, step)?;
            }
        }
    }
    for (labels, offsets) in starts {
        let Some(made) = series.get_mut(&labels) else { continue };
        let times = (0i64..).map(|i| i * step).zip(offsets);
        made.starts = times.filter_map(|(t, offset)| Some((t, t + offset?))).collect();
    }
    let mut loaded: Vec<Series> = order.iter().filter_map(|l| series.remove(l)).collect();
    if with_nhcb {
        loaded.extend(nhcb::convert(&loaded));
    }
    Ok(loaded)
}

fn add_points(series: &mut Series, points: Vec<Point>, step: i64) -> Result<(), String> {
    for (i, point) in points.into_iter().enumerate() {
        let t = i64::try_from(i).map_err(|e| e.to_string())? * step;
        match point {
            Point::Missing => {}
            Point::Float(v) => series.samples.push(Sample { t, v }),
            Point::Histogram(h, _) => series.histograms.push(HistogramSample { t, h: Arc::clone(&h) }),
        }
    }
    Ok(())
}

fn eval(kind: &str, rest: &str, body: &[&str]) -> Result<Eval, String> {
    let (word, rest) = rest.split_once(char::is_whitespace).ok_or("an eval without a query")?;
    let rest = rest.trim();
    let (start, end, step, query) = match word {
        "instant" => {
            let rest = rest.strip_prefix("at").map_or(rest, str::trim_start);
            let (at, query) = rest.split_once(char::is_whitespace).ok_or("an eval without a query")?;
            let at = time(at)?;
            (at, at, None, query)
        }
        "range" => {
            let mut words = rest.splitn(7, char::is_whitespace);
            let mut keyword = |wanted: &str| match words.next() {
                Some(word) if word == wanted => words.next().ok_or_else(|| format!("no time after {wanted}")),
                other => Err(format!("expected {wanted:?}, got {other:?}")),
            };
            let (start, end) = (time(keyword("from")?)?, time(keyword("to")?)?);
            let step = time(keyword("step")?)?;
            (start, end, Some(step), words.next().ok_or("an eval without a query")?)
        }
        _ => return Err(format!("expected instant or range, got {word:?}")),
    };
    let expected = Expected::parse(kind, body)?;
    let (start, end, step) = match (expected.window, step) {
        (None, _) => (start, end, step),
        // A range vector is looked at from its last sample; a range query's own times are replaced.
        (Some((_, to, _)), None) => (to, to, None),
        (Some((from, to, every)), Some(_)) => (from, to, Some(every)),
    };
    Ok(Eval { query: query.trim().to_owned(), start, end, step, expected })
}
