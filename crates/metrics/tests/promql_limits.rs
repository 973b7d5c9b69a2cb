//! Limits, cancellation and statistics of queries.

#![allow(clippy::unwrap_used, reason = "fixed input")]

use std::sync::atomic::{AtomicU32, Ordering};

use kernel::Labels;
use metrics::promql::{ErrorKind, Options, Query};
use metrics::sample::Sample;
use metrics::source::{Selection, Series, SeriesSource, SourceError};

/// Ten series of 100 samples, one a second, whatever is asked for.
struct Ten;

impl SeriesSource for Ten {
    fn select(&self, selection: &Selection<'_>) -> Result<Vec<Series>, SourceError> {
        if selection.max_samples < 1000 {
            return Err(SourceError::TooManySamples { limit: selection.max_samples });
        }
        Ok((0..10)
            .map(|i| {
                let labels = Labels::new([("__name__", "m".to_owned()), ("i", i.to_string())]).unwrap();
                Series::new(labels, (0..100).map(|s| Sample { t: s * 1000, v: 1.0 }).collect())
            })
            .collect())
    }
}

fn never() -> bool {
    false
}

fn run(text: &str, steps: i64, options: &Options) -> Result<metrics::promql::Answer, ErrorKind> {
    let query = Query::parse(text, options).unwrap();
    query.range(&Ten, 0, (steps - 1) * 1000, 1000, options, &never).map_err(|e| e.kind)
}

#[test]
fn a_query_that_holds_too_much_is_ended_before_it_does() {
    let options = Options { max_samples: 2100, ..Options::default() };
    assert!(run("sum(m)", 100, &options).is_ok());
    for (text, steps) in [
        ("m", 500),
        ("m + m", 100),
        ("sum_over_time(vector(1)[1h:1s])", 10),
        ("max_over_time(m[100y:1s])", 1),
        ("m or (m offset 1s) or (m offset 2s)", 100),
    ] {
        assert_eq!(run(text, steps, &options).map(|_| ()), Err(ErrorKind::Limit), "{text}");
    }
    let starved = Options { max_samples: 900, ..Options::default() };
    assert_eq!(run("m", 1, &starved).map(|_| ()), Err(ErrorKind::Limit), "the source itself refuses");
}

#[test]
fn steps_times_and_types_are_checked() {
    let options = Options { max_steps: 10, ..Options::default() };
    assert!(run("m", 10, &options).is_ok());
    assert_eq!(run("m", 11, &options).map(|_| ()), Err(ErrorKind::BadData));
    let query = Query::parse("m", &options).unwrap();
    for (start, end, step) in [(10, 0, 1), (0, 10, 0), (0, 10, -5), (i64::MIN, i64::MAX, 1)] {
        let error = query.range(&Ten, start, end, step, &options, &never).unwrap_err();
        assert_eq!(error.kind, ErrorKind::BadData, "{start} {end} {step}");
    }
    let window = Query::parse("m[1m]", &options).unwrap();
    let error = window.range(&Ten, 0, 10, 1, &options, &never).unwrap_err();
    assert!(error.message.contains("invalid expression type \"range vector\""), "{error}");
}

#[test]
fn a_cancelled_query_ends_soon() {
    let query = Query::parse("sum(rate(m[1m])) + count(m)", &Options::default()).unwrap();
    let asked = AtomicU32::new(0);
    let give_up = || asked.fetch_add(1, Ordering::Relaxed) >= 5;
    let error = query.range(&Ten, 0, 60_000, 1000, &Options::default(), &give_up).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cancelled);
    assert_eq!(asked.load(Ordering::Relaxed), 6, "nothing was done after the answer was yes");
}

#[test]
fn what_a_query_cost_is_told() {
    let stats = run("sum(m)", 50, &Options::default()).unwrap().stats;
    assert_eq!((stats.series, stats.total_samples, stats.steps), (10, 1000, 50));
    // The rows of ten series over 50 steps, and the samples of one series at a time.
    assert!((600..1000).contains(&stats.peak_samples), "{stats:?}");
}

#[test]
fn times_at_the_edge_of_the_calendar_are_only_far_away() {
    let options = Options { syntax: metrics::promql::Syntax::all(), ..Options::default() };
    for text in [
        "m",
        "m offset 100y",
        "m offset -100y",
        "m @ -8999999999999",
        "m @ 8999999999999 offset -200y",
        "rate(m[100y])",
        "sum_over_time(m[1m:1s] @ 8999999999999)",
        "max_over_time(rate(m[5m] smoothed)[1m:7s] offset 250y)",
        "changes(m[200y] anchored)",
        "predict_linear(m[5m], 1e300)",
        "timestamp(m) + time() + year(vector(1e300)) + day_of_year(vector(-1e300)) + hour(m * NaN)",
        "info(m)",
        "m[1m]",
        "histogram_quantile(0.5, m)",
    ] {
        let query = Query::parse(text, &options).unwrap();
        for t in [i64::MIN, i64::MIN + 1, -1, 0, 50_000, i64::MAX - 1, i64::MAX] {
            let _ = query.instant(&Ten, t, &options, &never);
            let _ = query.range(&Ten, t, t.saturating_add(1000), 500, &options, &never);
        }
    }
}

/// One error of each kind that only shows while evaluating, and the part of the query it points at.
#[test]
fn errors_of_evaluation_point_at_their_part() {
    let options = Options { syntax: metrics::promql::Syntax::all(), ..Options::default() };
    for (text, part, message) in [
        (
            "1 + rate({__name__=~\"m|n\", i=\"1\"}[1m]) + sum(m + on() m)",
            "m + on() m",
            "found duplicate series",
        ),
        (
            "abs(label_replace(m, \"i\", \"same\", \"i\", \".*\"))",
            "label_replace(m, \"i\", \"same\", \"i\", \".*\")",
            "same labelset",
        ),
        (
            "count(label_replace(m, \"x\", \"y\", \"i\", \"(\"))",
            "label_replace(m, \"x\", \"y\", \"i\", \"(\")",
            "invalid regular expression",
        ),
        ("topk(NaN, m)", "NaN", "Parameter value is NaN"),
        ("sum(sum_over_time(m[step() - 5]))", "step() - 5", "duration must be greater than 0"),
        ("m offset (1 % 0)", "1 % 0", "modulo by zero"),
        ("1 + sum(m anchored)", "m anchored", "anchored modifier"),
        ("sum(double_exponential_smoothing(m[1m], 2, 0.5))", "m[1m]", "invalid smoothing factor"),
        ("count_values(\"\", m)", "\"\"", "invalid label name"),
    ] {
        let query = Query::parse(text, &options).unwrap();
        let error = query.instant(&Ten, 50_000, &options, &never).unwrap_err();
        assert_eq!(error.span.map(|s| s.of(text)), Some(part), "{text}: {error}");
        assert!(error.message.contains(message), "{text}: {error}");
    }
}
