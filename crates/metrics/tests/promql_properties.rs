//! Properties of the parser and the engine over generated input.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "generated input and its helpers"
)]

use proptest::prelude::*;

use kernel::Labels;
use metrics::histogram::{Buckets, Histogram, HistogramSample};
use metrics::promql::{
    MAX_DEPTH, MAX_HEIGHT, MAX_QUERY_BYTES, Options, Query, Syntax, format_query, fuzz_one, parse,
};
use metrics::sample::Sample;
use metrics::source::{Selection, Series, SeriesSource, SourceError};

/// Fixed series, whatever the range: a source may give only what was asked, so it filters.
struct Fixed(Vec<Series>);

impl SeriesSource for Fixed {
    fn select(&self, selection: &Selection<'_>) -> Result<Vec<Series>, SourceError> {
        let inside = |t: i64| t >= selection.start && t <= selection.end;
        let matches = |s: &&Series| {
            selection.matchers.iter().all(|m| m.matches(s.labels.get(&m.name).unwrap_or_default()))
        };
        Ok(self
            .0
            .iter()
            .filter(matches)
            .map(|s| Series {
                labels: s.labels.clone(),
                samples: s.samples.iter().copied().filter(|p| inside(p.t)).collect(),
                histograms: s.histograms.iter().filter(|p| inside(p.t)).cloned().collect(),
                starts: s.starts.iter().copied().filter(|(t, _)| inside(*t)).collect(),
            })
            .collect())
    }
}

fn all_features() -> Options {
    Options {
        syntax: Syntax::all(),
        delayed_name_removal: true,
        start_timestamps: true,
        ..Options::default()
    }
}

fn word(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(words).prop_map(str::to_owned)
}

fn selector() -> impl Strategy<Value = String> {
    let name = word(&[
        "a",
        "b",
        "c_total",
        "h",
        "{\"a\"}",
        "{__name__=~\"a|b|h\"}",
        "a{x=\"1\"}",
        "b{x!=\"2\",y=~\"p.*\"}",
    ]);
    let tail = word(&["", "", "", " offset 1m", " @ 120", " offset -30s", " @ end()", " offset step()"]);
    (name, tail).prop_map(|(name, tail)| name + &tail)
}

fn window() -> impl Strategy<Value = String> {
    let name = word(&["a", "b", "c_total", "h", "{__name__=~\"a|h\"}"]);
    let range = word(&[
        "[1m]",
        "[5m]",
        "[30s] offset 1m",
        "[2m] @ 200",
        "[4m] anchored",
        "[3m] smoothed",
        "[5m:30s]",
        "[2m:]",
        "[1m+step()]",
    ]);
    (name, range).prop_map(|(name, range)| name + &range)
}

/// Queries that mostly type-check.
#[allow(clippy::too_many_lines, reason = "mostly lists of words")]
fn query() -> impl Strategy<Value = String> {
    let range_functions = word(&[
        "rate",
        "increase",
        "delta",
        "irate",
        "idelta",
        "changes",
        "resets",
        "sum_over_time",
        "avg_over_time",
        "min_over_time",
        "max_over_time",
        "count_over_time",
        "last_over_time",
        "first_over_time",
        "stddev_over_time",
        "mad_over_time",
        "deriv",
        "absent_over_time",
        "present_over_time",
        "ts_of_max_over_time",
    ]);
    let leaf = prop_oneof![
        selector(),
        (range_functions, window()).prop_map(|(f, w)| format!("{f}({w})")),
        word(&[
            "1",
            "-2.5",
            "NaN",
            "Inf",
            "time()",
            "vector(3)",
            "5m",
            "scalar(a)",
            "predict_linear(a[5m], 60)"
        ]),
        word(&[
            "quantile_over_time(0.5, b[5m])",
            "histogram_quantile(0.9, h)",
            "histogram_fraction(0, 2, h)",
            "info(a)"
        ]),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let operator = word(&[
            "+",
            "-",
            "*",
            "/",
            "%",
            "^",
            "atan2",
            "==",
            "!= bool",
            "<",
            ">= bool",
            "and",
            "or",
            "unless",
            "</",
            ">/",
            "+ on(x)",
            "* ignoring(y) group_left",
            "- on(x) group_right(y)",
            "+ fill(0)",
            "/ fill_left(1)",
            "== on(x) group_left(y) fill_right(2)",
        ]);
        let aggregate = word(&[
            "sum",
            "avg",
            "min",
            "max",
            "count",
            "group",
            "stddev",
            "stdvar",
            "sum by (x)",
            "avg without (y)",
            "topk by (x) (2,",
            "bottomk(1,",
            "quantile(0.3,",
            "count_values(\"v\",",
            "limitk(1,",
            "limit_ratio(0.5,",
        ]);
        let function = word(&[
            "abs",
            "ceil",
            "ln",
            "sgn",
            "sort",
            "sort_desc",
            "absent",
            "timestamp",
            "hour",
            "histogram_count",
            "histogram_sum",
            "histogram_avg",
            "histogram_stddev",
            "round",
            "scalar",
            "-",
            "deg",
        ]);
        prop_oneof![
            (inner.clone(), operator, inner.clone()).prop_map(|(a, op, b)| format!("({a}) {op} ({b})")),
            (aggregate, inner.clone()).prop_map(|(op, e)| {
                let open = if op.ends_with(',') { " " } else { "(" };
                format!("{op}{open}{e})")
            }),
            (function, inner.clone()).prop_map(|(f, e)| format!("{f}({e})")),
            inner.clone().prop_map(|e| format!("max_over_time(({e})[4m:30s])")),
            inner.clone().prop_map(|e| format!("label_replace({e}, \"x\", \"$1-z\", \"y\", \"(.).*\")")),
            inner.prop_map(|e| format!("clamp({e}, -1, 4)")),
        ]
    })
}

fn histogram() -> impl Strategy<Value = Histogram> {
    let counts = prop::collection::vec(0u8..9, 0..6);
    (-4i32..9, counts.clone(), counts, 0u8..5, any::<bool>()).prop_map(|(schema, up, down, zero, custom)| {
        let side =
            |counts: Vec<u8>| Buckets::from_indexed((-2i32..).zip(counts).map(|(i, c)| (i, f64::from(c))));
        let total: f64 = up.iter().chain(&down).map(|c| f64::from(*c)).sum();
        if custom {
            let positive = Buckets::from_indexed((0i32..4).zip(up).map(|(i, c)| (i, f64::from(c))));
            let count = positive.counts.iter().sum();
            return Histogram {
                schema: -53,
                count,
                sum: 1.0,
                positive,
                custom_bounds: [1.0, 2.0, 5.0].into(),
                ..Histogram::default()
            };
        }
        Histogram {
            schema,
            zero_threshold: f64::from(zero) / 8.0,
            zero_count: f64::from(zero),
            count: total + f64::from(zero),
            sum: total,
            positive: side(up),
            negative: side(down),
            ..Histogram::default()
        }
    })
}

fn floats() -> impl Strategy<Value = Vec<Sample>> {
    let value = prop_oneof![
        4 => (-5i32..50).prop_map(f64::from),
        1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, 1e308, -1e308, metrics::sample::STALE_NAN]),
    ];
    prop::collection::vec((1i64..40_000, value), 0..24).prop_map(|steps| {
        let mut t = 0;
        steps
            .into_iter()
            .map(|(gap, v)| {
                t += gap;
                Sample { t, v }
            })
            .collect()
    })
}

fn series() -> impl Strategy<Value = Vec<Series>> {
    let histograms = prop::collection::vec((1i64..40_000, histogram()), 0..16).prop_map(|steps| {
        let mut t = 500;
        steps
            .into_iter()
            .map(|(gap, h)| {
                t += gap;
                HistogramSample { t, h: h.into() }
            })
            .collect::<Vec<_>>()
    });
    (prop::collection::vec(floats(), 5), histograms).prop_map(|(floats, histograms)| {
        let names =
            [("a", "1", "p"), ("a", "2", "q"), ("b", "1", "p"), ("c_total", "1", ""), ("h", "1", "p")];
        let mut made: Vec<Series> = names
            .into_iter()
            .zip(floats)
            .map(|((name, x, y), samples)| {
                Series::new(Labels::new([("__name__", name), ("x", x), ("y", y)]).unwrap(), samples)
            })
            .collect();
        if let Some(last) = made.last_mut() {
            // Some milliseconds may hold both kinds; a source must not do that, and still nothing may break.
            last.histograms = histograms;
        }
        made
    })
}

proptest! {
    #[test]
    fn any_text_parses_or_is_refused(text in "\\PC{0,60}") {
        prop_assert!(fuzz_one(text.as_bytes()).1);
    }

    #[test]
    fn query_like_text_parses_or_is_refused_and_prints_the_same(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "a", "sum", "by", "(", ")", "{", "}", "[", "]", "5m", "1", ":", ",", "=", "=~", "\"x\"", "+", "-", "*", "^", "and",
            "offset", "@", "start()", "on", "group_left", "bool", "fill", "rate", "topk", "anchored", "smoothed", "step()",
            "1e3", "inf", "'\\n'", "`r`", "#c\n", "</", "min_of", "without", "ignoring", "atan2", "unless", "or", "==", " ",
        ]), 0..14)
    ) {
        prop_assert!(fuzz_one(pieces.join(" ").as_bytes()).1, "{}", pieces.join(" "));
    }

    #[test]
    fn bytes_do_not_break_the_lexer(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        prop_assert!(fuzz_one(&bytes).1);
    }

    #[test]
    fn any_pattern_compiles_or_is_refused(text in "[\\[\\]{}()\\\\^$*+?|.,:&~<>QEdwsbx0-9a-cé-]{0,16}") {
        let _ = metrics::pattern::anchored(&text);
        let quoted = metrics::pattern::anchored(&format!("\\Q{}\\E", text.replace("\\E", "")));
        prop_assert!(quoted.unwrap().is_match(&text.replace("\\E", "")));
    }

    #[test]
    fn printing_and_formatting_keep_the_query(text in query()) {
        let (_, same) = fuzz_one(text.as_bytes());
        prop_assert!(same, "{text}");
        if let Ok(formatted) = format_query(&text, &Syntax::all()) {
            let again = format_query(&formatted, &Syntax::all());
            prop_assert_eq!(again.as_deref(), Ok(formatted.as_str()), "formatting settles");
        }
    }

    #[test]
    fn no_query_over_any_series_panics(text in query(), series in series(), start in -100_000i64..300_000, step in 1i64..100_000) {
        let options = all_features();
        let Ok(query) = Query::parse(&text, &options) else { return Ok(()) };
        let source = Fixed(series);
        let _ = query.instant(&source, start, &options, &|| false);
        let _ = query.range(&source, start, start + 7 * step, step, &options, &|| false);
        let plain = Options { delayed_name_removal: false, start_timestamps: false, ..options };
        let _ = query.range(&source, start, start + 3 * step, step, &plain, &|| false);
    }

    #[test]
    fn a_range_query_is_its_instant_queries(text in query(), series in series(), start in 0i64..300_000) {
        // Apart from what depends on the range itself, and on order.
        if ["step()", "end()", "start()", "sort", "topk", "bottomk", "limit"].iter().any(|w| text.contains(w)) {
            return Ok(());
        }
        let options = all_features();
        let Ok(query) = Query::parse(&text, &options) else { return Ok(()) };
        let source = Fixed(series);
        let step = 45_000;
        let Ok(range) = query.range(&source, start, start + 2 * step, step, &options, &|| false) else { return Ok(()) };
        for i in 0..3 {
            let t = start + i * step;
            let Ok(instant) = query.instant(&source, t, &options, &|| false) else { continue };
            prop_assert_eq!(at_time(&range.value, t), at_time(&instant.value, t), "{} at {}", text, t);
        }
    }
}

/// The samples at one time, as text, sorted.
fn at_time(value: &metrics::promql::Value, at: i64) -> Vec<String> {
    use metrics::promql::{SampleValue, Value};
    let mut found: Vec<String> = match value {
        Value::Scalar { v, .. } => vec![format!("{{}} {v}")],
        Value::String { s, .. } => vec![s.clone()],
        Value::Vector(samples) => samples
            .iter()
            .map(|s| match &s.value {
                SampleValue::Float(v) => format!("{} {v}", s.labels),
                SampleValue::Histogram(h) => format!("{} {h:?}", s.labels),
            })
            .collect(),
        Value::Matrix(series) => series
            .iter()
            .flat_map(|s| {
                let floats = s.floats.iter().filter(|p| p.t == at).map(|p| format!("{} {}", s.labels, p.v));
                let histograms =
                    s.histograms.iter().filter(|p| p.t == at).map(|p| format!("{} {:?}", s.labels, p.h));
                floats.chain(histograms).collect::<Vec<_>>()
            })
            .collect(),
    };
    found.sort();
    found
}

#[test]
fn deep_and_long_queries_are_refused() {
    let deep = MAX_HEIGHT * 50;
    for bomb in [
        "(".repeat(deep),
        "-".repeat(deep) + "1",
        "sum(".repeat(deep),
        "1+".repeat(deep) + "1",
        "1^".repeat(deep) + "1",
        "a[".repeat(deep),
        format!("a{}", "[1m:]".repeat(deep)),
        format!("a[{}1{}]", "(".repeat(deep), ")".repeat(deep)),
        format!("a[{}1]", "-".repeat(deep)),
        format!("a[{}1]", "1+".repeat(deep)),
        format!("a[{}", "min_of(".repeat(deep)),
    ] {
        let error = parse(&bomb, &Syntax::all()).unwrap_err();
        assert!(error.span.is_some(), "{}…", &bomb[..20]);
    }
    let long = format!("\"{}\"", "x".repeat(MAX_QUERY_BYTES));
    assert!(parse(&long, &Syntax::all()).unwrap_err().message.contains("longer than"));
}

/// As deep and as high as allowed must fit the smallest stack that evaluates queries: 2 MiB, in a debug build.
#[test]
fn the_deepest_allowed_queries_fit_the_stack() {
    let options = all_features();
    let source =
        Fixed(vec![Series::new(Labels::new([("__name__", "a")]).unwrap(), vec![Sample { t: 0, v: 1.0 }])]);
    let d = MAX_DEPTH - 2;
    for text in [
        format!("{}a{}", "(".repeat(d), ")".repeat(d)),
        format!("{}a{}", "abs(".repeat(d), ")".repeat(d)),
        format!("{}a{}", "sum(".repeat(d), ")".repeat(d)),
        format!("{}a", "-".repeat(d)),
        format!("{}a{}", "max_over_time((".repeat(d / 2), ")[1m:])".repeat(d / 2)),
        format!("a{}", " + a".repeat(MAX_HEIGHT - 2)),
        format!("a{}", " or a".repeat(MAX_HEIGHT - 2)),
        format!("{}a", "1 ^ ".repeat(d)),
        format!("a offset {}1{}", "(".repeat(d), ")".repeat(d)),
    ] {
        let query = Query::parse(&text, &options).unwrap_or_else(|e| panic!("{}…: {e}", &text[..30]));
        query.range(&source, 0, 120_000, 60_000, &options, &|| false).unwrap();
        format_query(&text, &Syntax::all()).unwrap();
    }
}

/// The properties above would hold for nothing if the generated queries did not parse or found nothing.
#[test]
fn generated_queries_mostly_parse_and_find_something() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let options = all_features();
    let (mut parsed, mut answered, mut found) = (0, 0, 0);
    for _ in 0..400 {
        let text = query().new_tree(&mut runner).unwrap().current();
        let source = Fixed(series().new_tree(&mut runner).unwrap().current());
        let Ok(query) = Query::parse(&text, &options) else { continue };
        parsed += 1;
        let Ok(answer) = query.range(&source, 60_000, 240_000, 30_000, &options, &|| false) else { continue };
        answered += 1;
        found += usize::from(!matches!(&answer.value, metrics::promql::Value::Matrix(m) if m.is_empty()));
    }
    assert!(
        parsed > 240 && answered > 180 && found > 100,
        "{parsed} parsed, {answered} answered, {found} found"
    );
}
