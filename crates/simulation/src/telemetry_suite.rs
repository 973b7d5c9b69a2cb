//! What every store of metrics must do, as one suite over the `Telemetry` port. An adapter's test calls [`run`].
#![allow(clippy::unwrap_used, reason = "tests say what is wrong by failing")]

use std::ops::ControlFlow;

use kernel::{Labels, Span, Timestamp};
use metrics::sample::{FamilyMetadata, MetricType, STALE_NAN, Sample, SeriesBatch};
use metrics::source::{MatchOp, Matcher, Selection, SourceError};
use store::{Cardinality, Limits, Options, Rejection, StoreError, Telemetry};

/// 2026-11-23T00:00:00Z in milliseconds.
const NOW: i64 = 1_795_392_000_000;

/// Makes an adapter with these options; the folder is the adapter's to choose.
pub type Make<'a> = &'a dyn Fn(Options) -> Box<dyn Telemetry>;

/// Runs every case against fresh stores.
pub fn run(make: Make<'_>) {
    what_is_appended_is_served(make(options()).as_ref());
    the_first_value_of_a_time_stays(make(options()).as_ref());
    refusals_are_told(make(Options { limits: tight(), ..options() }).as_ref());
    matchers_choose(make(options()).as_ref());
    labels_are_listed(make(options()).as_ref());
    reading_is_bounded(make(options()).as_ref());
    families_are_kept(make(options()).as_ref());
    cardinality_is_counted(make(options()).as_ref());
    many_threads_append(make(options()).as_ref());
}

fn options() -> Options {
    Options { retention: Some(Span::from_days(2)), ..Options::new("unused") }
}

fn tight() -> Limits {
    Limits {
        series: 2,
        labels_per_series: 3,
        name_bytes: 8,
        value_bytes: 8,
        batch_samples: 10,
        ..Limits::default()
    }
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::new(pairs.iter().map(|(name, value)| (*name, *value))).unwrap()
}

fn batch(labels: &Labels, samples: &[(i64, f64)]) -> SeriesBatch {
    let samples = samples.iter().map(|(t, v)| Sample { t: NOW + t, v: *v }).collect();
    SeriesBatch { labels: labels.clone(), samples }
}

fn append(telemetry: &dyn Telemetry, labels: &Labels, samples: &[(i64, f64)]) -> (u64, Vec<Rejection>) {
    let appended = telemetry.append(&[batch(labels, samples)], Timestamp::from_millis(NOW)).unwrap();
    (appended.samples, appended.rejected.into_iter().map(|rejected| rejected.reason).collect())
}

fn matchers(texts: &[(&str, MatchOp, &str)]) -> Vec<Matcher> {
    texts.iter().map(|(name, op, value)| Matcher::new(name, *op, value).unwrap()).collect()
}

/// The samples of every series that matches, times relative to [`NOW`], values as bits.
fn served(
    telemetry: &dyn Telemetry,
    matchers: &[Matcher],
    start: i64,
    end: i64,
) -> Vec<(String, Vec<(i64, u64)>)> {
    let selection = Selection { matchers, start: NOW + start, end: NOW + end, max_samples: 1_000_000 };
    let series = telemetry.select(&selection).unwrap();
    let pairs = |samples: &[Sample]| samples.iter().map(|s| (s.t - NOW, s.v.to_bits())).collect();
    series.iter().map(|series| (series.labels.to_string(), pairs(&series.samples))).collect()
}

fn what_is_appended_is_served(telemetry: &dyn Telemetry) {
    let odd = [f64::NAN, STALE_NAN, -0.0, 0.0, f64::INFINITY, f64::NEG_INFINITY, 5e-324, 0.1];
    let samples: Vec<(i64, f64)> = (0_i64..).zip(odd).map(|(t, v)| (t * 1000, v)).collect();
    let up = labels(&[("__name__", "up"), ("job", "a")]);
    assert_eq!(append(telemetry, &up, &samples), (8, vec![]));
    let wanted: Vec<(i64, u64)> = samples.iter().map(|(t, v)| (*t, v.to_bits())).collect();
    assert_eq!(served(telemetry, &[], 0, 7000), vec![(up.to_string(), wanted.clone())]);
    assert_eq!(
        served(telemetry, &[], 1000, 2000),
        vec![(up.to_string(), wanted.get(1..3).unwrap().to_vec())]
    );
    assert_eq!(served(telemetry, &[], 7001, 9000), vec![]);
    assert_eq!(append(telemetry, &up, &[]), (0, vec![]));
    let stats = telemetry.stats();
    assert_eq!(
        (stats.series, stats.samples_appended, stats.oldest, stats.newest),
        (1, 8, Some(NOW), Some(NOW + 7000))
    );
}

fn the_first_value_of_a_time_stays(telemetry: &dyn Telemetry) {
    let up = labels(&[("__name__", "up")]);
    let minute = 60_000;
    assert_eq!(append(telemetry, &up, &[(0, 1.0), (2000, 2.0)]), (2, vec![]));
    assert_eq!(append(telemetry, &up, &[(1000, 1.5), (0, 1.0)]), (2, vec![]), "late, and a repeat");
    assert_eq!(append(telemetry, &up, &[(0, 9.0)]), (0, vec![Rejection::Duplicate { t: NOW }]));
    assert_eq!(append(telemetry, &up, &[(2000 - 60 * minute, 0.5)]), (1, vec![]));
    let t = NOW + 1999 - 60 * minute;
    let too_old = Rejection::TooOld { t, newest: NOW + 2000, window_ms: 3_600_000 };
    assert_eq!(append(telemetry, &up, &[(1999 - 60 * minute, 0.5)]), (0, vec![too_old]));
    let times = [(2000 - 60 * minute, 0.5_f64), (0, 1.0), (1000, 1.5), (2000, 2.0)];
    let wanted: Vec<(i64, u64)> = times.iter().map(|(t, v)| (*t, v.to_bits())).collect();
    assert_eq!(served(telemetry, &[], -100 * minute, minute), vec![("up".to_owned(), wanted)]);
}

fn refusals_are_told(telemetry: &dyn Telemetry) {
    let of = |pairs: &[(&str, &str)], t: i64| append(telemetry, &labels(pairs), &[(t, 1.0)]).1;
    let day = 86_400_000;
    let (t, oldest) = (NOW - 3 * day, NOW - 2 * day);
    for (pairs, t, wanted) in [
        (&[][..], 0, Rejection::NoLabels),
        (
            &[("a", "1"), ("b", "1"), ("c", "1"), ("d", "1")],
            0,
            Rejection::TooManyLabels { labels: 4, limit: 3 },
        ),
        (
            &[("123456789", "1")],
            0,
            Rejection::NameTooLong { name: "123456789".to_owned(), bytes: 9, limit: 8 },
        ),
        (&[("a", "123456789")], 0, Rejection::ValueTooLong { name: "a".to_owned(), bytes: 9, limit: 8 }),
        (&[("a", "1")], -3 * day, Rejection::BeyondRetention { t, oldest }),
        (&[("a", "1")], 600_001, Rejection::TooFarAhead { t: NOW + 600_001, allowed_ms: 600_000 }),
    ] {
        assert_eq!(of(pairs, t), vec![wanted]);
    }
    assert_eq!((of(&[("a", "1")], 0), of(&[("a", "2")], 0)), (vec![], vec![]));
    assert_eq!(of(&[("a", "3")], 0), vec![Rejection::TooManySeries { limit: 2 }]);
    let eleven: Vec<(i64, f64)> = (0..11).map(|t| (t, 1.0)).collect();
    let large = telemetry.append(&[batch(&labels(&[("a", "1")]), &eleven)], Timestamp::from_millis(NOW));
    assert!(matches!(large, Err(StoreError::TooLarge(_))), "{large:?}");
    // The good part of a batch is kept.
    let mixed =
        [batch(&labels(&[("a", "3")]), &[(1, 1.0)]), batch(&labels(&[("a", "1")]), &[(1, 1.0), (2, 1.0)])];
    let appended = telemetry.append(&mixed, Timestamp::from_millis(NOW)).unwrap();
    assert_eq!((appended.samples, appended.rejected.len()), (2, 1));
}

fn fill(telemetry: &dyn Telemetry) {
    for (name, job, zone) in
        [("up", "a", "x"), ("up", "b", "y"), ("up", "c", ""), ("down", "a", "x"), ("up", "a", "z")]
    {
        let labels = labels(&[("__name__", name), ("job", job), ("zone", zone)]);
        assert_eq!(append(telemetry, &labels, &[(0, 1.0), (1000, 2.0)]), (2, vec![]));
    }
}

fn matchers_choose(telemetry: &dyn Telemetry) {
    use MatchOp::{Equal, NotEqual, NotRegex, Regex};
    fill(telemetry);
    for (texts, wanted) in [
        (&[][..], "down/a/x up/a/x up/a/z up/b/y up/c/"),
        (&[("__name__", Equal, "up")], "up/a/x up/a/z up/b/y up/c/"),
        (&[("__name__", Equal, "up"), ("job", NotEqual, "a")], "up/b/y up/c/"),
        (&[("job", Regex, "a|b"), ("zone", Regex, "[xy]")], "down/a/x up/a/x up/b/y"),
        (&[("zone", Equal, "")], "up/c/"),
        (&[("zone", NotEqual, "")], "down/a/x up/a/x up/a/z up/b/y"),
        (&[("zone", NotRegex, "x|y")], "up/a/z up/c/"),
        (&[("zone", Regex, "z|")], "up/a/z up/c/"),
        (&[("job", Regex, ".+"), ("__name__", NotRegex, "do.*")], "up/a/x up/a/z up/b/y up/c/"),
        (&[("job", Equal, "nobody")], ""),
        (&[("nothing", NotEqual, "x"), ("job", Equal, "b")], "up/b/y"),
    ] {
        let matchers = matchers(texts);
        let found = telemetry.series(&matchers, NOW, NOW, usize::MAX).unwrap();
        let get = |labels: &Labels, name| labels.get(name).unwrap_or("").to_owned();
        let shown: Vec<String> =
            found.iter().map(|l| [get(l, "__name__"), get(l, "job"), get(l, "zone")].join("/")).collect();
        assert_eq!(shown.join(" "), wanted, "{texts:?}");
        let selected: Vec<String> =
            served(telemetry, &matchers, 0, 1000).into_iter().map(|(name, _)| name).collect();
        assert_eq!(selected, found.iter().map(ToString::to_string).collect::<Vec<_>>(), "{texts:?}");
    }
}

fn labels_are_listed(telemetry: &dyn Telemetry) {
    fill(telemetry);
    let up = matchers(&[("__name__", MatchOp::Equal, "up")]);
    let down = matchers(&[("__name__", MatchOp::Equal, "down")]);
    assert_eq!(telemetry.label_names(&[], NOW, NOW, 9).unwrap(), ["__name__", "job", "zone"]);
    assert_eq!(telemetry.label_names(&[], NOW, NOW, 2).unwrap(), ["__name__", "job"]);
    assert_eq!(telemetry.label_values("job", &up, NOW, NOW, 9).unwrap(), ["a", "b", "c"]);
    assert_eq!(telemetry.label_values("job", &down, NOW, NOW, 9).unwrap(), ["a"]);
    assert_eq!(telemetry.label_values("job", &[], NOW, NOW, 1).unwrap(), ["a"]);
    assert_eq!(telemetry.series(&up, NOW, NOW, 2).unwrap().len(), 2);
    let nowhere = (NOW - 9_000_000, NOW - 8_000_000);
    assert_eq!(telemetry.label_names(&[], nowhere.0, nowhere.1, 9).unwrap(), Vec::<String>::new());
}

fn reading_is_bounded(telemetry: &dyn Telemetry) {
    fill(telemetry);
    let read = |max_samples| {
        telemetry.select(&Selection { matchers: &[], start: NOW, end: NOW + 1000, max_samples })
    };
    assert_eq!(read(10).unwrap().len(), 5);
    assert_eq!(read(9).err(), Some(SourceError::TooManySamples { limit: 9 }));
    // One at a time, the bound is each one's own, and the reader may stop.
    let scan = |max_samples, most| {
        let mut seen = Vec::new();
        let selection = Selection { matchers: &[], start: NOW, end: NOW + 1000, max_samples };
        telemetry.scan(&selection, &mut |series| {
            seen.push(series.labels);
            if seen.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok::<_, SourceError>(seen)
    };
    let all = telemetry.series(&[], NOW, NOW + 1000, usize::MAX).unwrap();
    assert_eq!(scan(2, 9).unwrap(), all);
    assert_eq!(scan(2, 3).unwrap(), all.get(..3).unwrap());
    assert_eq!(scan(1, 9).err(), Some(SourceError::TooManySamples { limit: 1 }));
}

fn families_are_kept(telemetry: &dyn Telemetry) {
    let family = |name: &str, help: &str| FamilyMetadata {
        name: name.to_owned(),
        kind: MetricType::GaugeHistogram,
        help: help.to_owned(),
        unit: "bytes".to_owned(),
    };
    telemetry.set_metadata(&[family("b", "1"), family("a", "2")]).unwrap();
    telemetry.set_metadata(&[family("b", "3")]).unwrap();
    assert_eq!(telemetry.metadata(), vec![family("a", "2"), family("b", "3")]);
}

fn cardinality_is_counted(telemetry: &dyn Telemetry) {
    fill(telemetry);
    let list =
        |entries: &[(&str, u64)]| entries.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    let wanted = Cardinality {
        series: 5,
        label_pairs: 8,
        series_by_metric: list(&[("up", 4), ("down", 1)]),
        values_by_label: list(&[("job", 3), ("zone", 3)]),
        bytes_by_label: list(&[("__name__", 6), ("job", 3)]),
        series_by_pair: list(&[("__name__=up", 4), ("job=a", 3)]),
    };
    assert_eq!(telemetry.cardinality(2), wanted);
}

fn many_threads_append(telemetry: &dyn Telemetry) {
    let name = |thread: usize| labels(&[("__name__", "up"), ("thread", &thread.to_string())]);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let name = &name;
            scope.spawn(move || {
                for n in 0..50 {
                    assert_eq!(
                        append(telemetry, &name(thread), &[(n * 10, 1.0), (n * 10 + 1, 2.0)]),
                        (2, vec![])
                    );
                    // One that all of them write, with the same value.
                    assert_eq!(append(telemetry, &name(9), &[(n, n as f64)]), (1, vec![]));
                }
            });
        }
    });
    let lengths: Vec<usize> =
        served(telemetry, &[], 0, 1000).iter().map(|(_, samples)| samples.len()).collect();
    assert_eq!(lengths, [100, 100, 100, 100, 50]);
}
