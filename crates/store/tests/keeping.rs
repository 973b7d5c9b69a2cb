//! What is taken, what is refused and why; what is kept, merged, forgotten and expired, and when.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use kernel::{Labels, Span, Timestamp};
use metrics::source::{MatchOp, SourceError};
use store::{Durability, Limits, Options, Rejection, Store, StoreError};
use world::{DAY, HOUR, MINUTE, all, at, batch, labels, matcher, named, pairs, select};

fn open(options: Options) -> Store {
    Store::open(options, at(DAY)).unwrap().0
}

fn quick(dir: &std::path::Path) -> Options {
    Options { durability: Durability::Os, retention: None, ..Options::new(dir) }
}

/// Appends one sample and gives the reason when it is refused.
fn offer(store: &Store, labels: Labels, t: i64, v: f64, now: Timestamp) -> Option<Rejection> {
    let appended = store.append(&[batch(labels, &[(t, v)])], now).unwrap();
    let rejected: u64 = appended.rejected.iter().map(|rejected| rejected.samples).sum();
    assert_eq!(appended.samples + rejected, 1);
    appended.rejected.into_iter().next().map(|rejected| rejected.reason)
}

#[test]
fn refusals_name_their_limit() {
    let dir = tempfile::tempdir().unwrap();
    let limits =
        Limits { series: 3, labels_per_series: 4, name_bytes: 10, value_bytes: 20, ..Limits::default() };
    let store = open(Options { limits, retention: Some(Span::from_days(1)), ..quick(dir.path()) });
    let now = at(DAY);
    let offer = |labels: Labels, t: i64, v: f64| offer(&store, labels, t, v, now);
    let of = |pairs: &[(&str, &str)]| Labels::new(pairs.iter().map(|(n, v)| (*n, *v))).unwrap();
    assert_eq!(offer(labels("m", 0), DAY, 1.0), None);
    let older = DAY - HOUR;
    assert_eq!(offer(labels("m", 0), older, 1.0), None, "within the window");
    assert_eq!(offer(labels("m", 0), DAY, 1.0), None, "a repeat");
    assert_eq!(offer(labels("m", 0), DAY, 2.0), Some(Rejection::Duplicate { t: DAY }));
    assert_eq!(offer(labels("m", 0), older, 2.0), Some(Rejection::Duplicate { t: older }));
    let (t, newest, window_ms) = (older - 1, DAY, 3_600_000);
    assert_eq!(offer(labels("m", 0), t, 1.0), Some(Rejection::TooOld { t, newest, window_ms }));
    let (t, oldest) = (DAY - 24 * HOUR - 1, DAY - 24 * HOUR);
    assert_eq!(offer(labels("m", 1), t, 1.0), Some(Rejection::BeyondRetention { t, oldest }));
    let t = DAY + 10 * MINUTE + 1;
    assert_eq!(offer(labels("m", 1), t, 1.0), Some(Rejection::TooFarAhead { t, allowed_ms: 600_000 }));
    assert_eq!(offer(of(&[]), DAY, 1.0), Some(Rejection::NoLabels));
    let five = of(&[("a", "1"), ("b", "1"), ("c", "1"), ("d", "1"), ("e", "1")]);
    assert_eq!(offer(five, DAY, 1.0), Some(Rejection::TooManyLabels { labels: 5, limit: 4 }));
    let long = Rejection::NameTooLong { name: "abcdefghijk".to_owned(), bytes: 11, limit: 10 };
    assert_eq!(offer(of(&[("abcdefghijk", "1")]), DAY, 1.0), Some(long));
    let long = Rejection::ValueTooLong { name: "a".to_owned(), bytes: 21, limit: 20 };
    assert_eq!(offer(of(&[("a", "123456789012345678901")]), DAY, 1.0), Some(long));
    assert_eq!(store.stats().series, 1, "nothing that was refused became active");
    assert_eq!((offer(labels("m", 1), DAY, 1.0), offer(labels("m", 2), DAY, 1.0)), (None, None));
    assert_eq!(offer(labels("m", 3), DAY, 1.0), Some(Rejection::TooManySeries { limit: 3 }));
    let stats = store.stats();
    assert_eq!((stats.samples_appended, stats.samples_rejected), (5, 10));
}

#[test]
fn a_batch_beyond_its_limit_is_refused_as_a_whole() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits { batch_samples: 2, ..Limits::default() };
    let store = open(Options { limits, ..quick(dir.path()) });
    let three = batch(labels("m", 0), &[(DAY, 1.0), (DAY + 1, 1.0), (DAY + 2, 1.0)]);
    assert!(matches!(store.append(&[three], at(DAY)), Err(StoreError::TooLarge(_))));
    assert_eq!(all(&store, &[]).len(), 0);
}

#[test]
fn memory_is_bounded_first_by_flushing_then_by_refusing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(Options { memory_limit: 4 << 20, ..quick(dir.path()) });
    let budget = (4 << 20) / 100 * 40;
    // Few series, many samples: flushes make room, nothing is refused.
    for n in 0..1500 {
        let t = DAY + n * 15_000;
        let series: Vec<_> =
            (0..200).map(|id| batch(labels("m", id), &[(t, (n * 7919 % 1013) as f64 / 3.0)])).collect();
        store.append(&series, at(t)).unwrap();
        assert!(store.memory_bytes() < budget * 3 / 2, "{} bytes", store.memory_bytes());
    }
    let stats = store.stats();
    assert!(stats.flushes > 0 && stats.blocks > 0, "{stats:?}");
    assert_eq!(all(&store, &named("m")).iter().map(|s| s.samples.len()).sum::<usize>(), 300_000);
    // Ever more series: flushing cannot help, and appending is refused in time.
    let mut refused = None;
    for id in 0..20_000 {
        let t = DAY + 6 * HOUR;
        if let Err(error) = store.append(&[batch(labels("churn", id), &[(t, 1.0)])], at(t)) {
            refused = Some(error);
            break;
        }
    }
    assert!(
        matches!(refused, Some(StoreError::OverMemory { budget: named, .. }) if named == budget),
        "{refused:?}"
    );
    assert!(store.memory_bytes() < budget * 2);
    // Those series end; once they are forgotten, appending works again.
    let later = DAY + 8 * HOUR;
    store.maintain(at(later)).unwrap();
    store.append(&[batch(labels("m", 0), &[(later, 1.0)])], at(later)).unwrap();
}

#[test]
fn time_flushes_merges_forgets_and_expires() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(Options { retention: Some(Span::from_days(3)), ..quick(dir.path()) });
    let mut blocks = Vec::new();
    for minute in 0..(2 * 24 * 60) {
        let t = DAY + minute * MINUTE;
        store.append(&[batch(labels("m", 0), &[(t, minute as f64)])], at(t)).unwrap();
        if minute < 10 {
            store.append(&[batch(labels("short", 0), &[(t, 1.0)])], at(t)).unwrap();
        }
        store.maintain(at(t)).unwrap();
        if minute % 60 == 59 {
            blocks.push(store.stats().blocks);
        }
    }
    // At most a window's eight, those that wait for stragglers, eleven of the day, and a day before.
    assert!(*blocks.iter().max().unwrap() <= 32, "{blocks:?}");
    let stats = store.stats();
    assert_eq!((stats.series, stats.flushes), (1, 191), "the short one is forgotten");
    assert!(stats.compactions >= 20, "{stats:?}");
    let series = all(&store, &named("m"));
    assert_eq!((series.len(), series[0].samples.len()), (1, 2880));
    assert_eq!(all(&store, &named("short"))[0].samples.len(), 10);
    // The first day becomes one block, and goes as a whole when its newest sample is too old.
    let kept = |days: i64, hours: i64| {
        store.maintain(at(DAY + days * 24 * HOUR + hours * HOUR)).unwrap();
        all(&store, &named("m")).first().map_or(0, |series| series.samples.len())
    };
    assert_eq!((kept(3, 0), kept(3, 23), kept(4, 0)), (2880, 2880, 1440));
    assert_eq!(kept(5, 0), 0);
    assert_eq!(store.stats().blocks, 0);
    assert_eq!(store.series(&[], i64::MIN, i64::MAX, 10).unwrap(), vec![]);
}

#[test]
fn size_expires_the_oldest_first() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(quick(dir.path()));
    for hour in 0..12 {
        let samples: Vec<_> =
            (0..500).map(|i| (DAY + hour * HOUR + i * 1000, (i * 7919 % 1013) as f64 / 3.0)).collect();
        store.append(&[batch(labels("m", 0), &samples)], at(DAY + hour * HOUR)).unwrap();
        store.flush(at(DAY + hour * HOUR)).unwrap();
    }
    let bytes = store.stats().block_bytes;
    drop(store);
    let store = open(Options { retention_bytes: Some(bytes / 2), ..quick(dir.path()) });
    let maintained = store.maintain(at(DAY + 2 * HOUR)).unwrap();
    assert!(maintained.expired >= 6, "{maintained:?}");
    let stats = store.stats();
    assert!(stats.block_bytes <= bytes / 2 && stats.block_bytes > bytes / 4, "{stats:?}");
    assert_eq!(pairs(&all(&store, &[])[0]).last().unwrap().0, DAY + 11 * HOUR + 499_000, "the newest stays");
}

#[test]
fn queries_are_bounded_and_select_what_matches() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(quick(dir.path()));
    for flushed in [true, false] {
        let base = DAY + if flushed { 0 } else { HOUR };
        for n in 0..100 {
            let series: Vec<_> = (0..12)
                .map(|id| batch(labels(["a", "b", "c"][id % 3], id), &[(base + n * 1000, n as f64)]))
                .collect();
            store.append(&series, at(base + n * 1000)).unwrap();
        }
        if flushed {
            store.flush(at(base)).unwrap();
        }
    }
    let count = |matchers: &[(&str, MatchOp, &str)]| {
        let matchers: Vec<_> = matchers.iter().map(|(n, op, v)| matcher(n, *op, v)).collect();
        let found = select(&store, &matchers, DAY + 50_000, DAY + HOUR + 49_000).unwrap();
        assert!(found.iter().all(|series| series.samples.len() == 100));
        assert!(found.is_sorted_by(|a, b| a.labels < b.labels));
        assert_eq!(store.series(&matchers, DAY, DAY + HOUR, usize::MAX).unwrap().len(), found.len());
        found.len()
    };
    use MatchOp::{Equal, NotEqual, NotRegex, Regex};
    for (matchers, wanted) in [
        (&[][..], 12),
        (&[("__name__", Equal, "a")], 4),
        (&[("__name__", Regex, "a|b")], 8),
        (&[("__name__", Regex, "[ab]")], 8),
        (&[("__name__", NotEqual, "a")], 8),
        (&[("__name__", NotRegex, "a|b")], 4),
        (&[("id", Regex, "1.*")], 3),
        (&[("__name__", Equal, "a"), ("id", NotRegex, "0|3")], 2),
        (&[("missing", Equal, "")], 12),
        (&[("missing", NotEqual, "")], 0),
        (&[("missing", Equal, "x")], 0),
        (&[("id", Equal, "")], 0),
        (&[("id", NotEqual, "")], 12),
        (&[("job", Equal, "test"), ("id", Regex, ".*")], 12),
        (&[("id", Regex, ".+"), ("missing", NotRegex, ".+")], 12),
    ] {
        assert_eq!(count(matchers), wanted, "{matchers:?}");
    }
    let values = |name: &str, limit| store.label_values(name, &named("a"), DAY, DAY + HOUR, limit).unwrap();
    assert_eq!(
        (values("id", 99), values("id", 2), values("x", 9)),
        (["0", "3", "6", "9"].map(str::to_owned).to_vec(), ["0", "3"].map(str::to_owned).to_vec(), vec![])
    );
    assert_eq!(store.label_names(&[], DAY, DAY + HOUR, 9).unwrap(), ["__name__", "id", "job"]);
    assert_eq!(store.label_names(&[], DAY - HOUR, DAY - 1, 9).unwrap(), Vec::<String>::new());
    let selection =
        |max_samples| metrics::source::Selection { matchers: &[], start: DAY, end: i64::MAX, max_samples };
    let read = |max| metrics::source::SeriesSource::select(&store, &selection(max));
    assert!(read(2400).is_ok());
    assert_eq!(read(2399).err(), Some(SourceError::TooManySamples { limit: 2399 }));
    let top = store.cardinality(2);
    assert_eq!((top.series, top.label_pairs), (12, 16));
    assert_eq!(top.values_by_label, [("id".to_owned(), 12), ("__name__".to_owned(), 3)]);
    assert_eq!(top.series_by_pair, [("job=test".to_owned(), 12), ("__name__=a".to_owned(), 4)]);
}

#[test]
fn a_clock_set_back_delays_no_flush_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(quick(dir.path()));
    let take = |t: i64| offer(&store, labels("m", 0), t, 1.0, at(t));
    assert_eq!(take(DAY), None);
    assert_eq!(store.maintain(at(DAY + 20 * MINUTE)).unwrap().flushed, 1);
    // Five minutes back: late, within the window. A day back: refused, and it says why.
    assert_eq!(take(DAY - 5 * MINUTE), None);
    assert!(matches!(take(DAY - 24 * HOUR), Some(Rejection::TooOld { .. })));
    assert_eq!(store.maintain(at(DAY - 24 * HOUR)).unwrap().flushed, 0);
    assert_eq!(store.maintain(at(DAY - 24 * HOUR + 15 * MINUTE)).unwrap().flushed, 1);
    // Set right again.
    assert_eq!(take(DAY + MINUTE), None);
    let times: Vec<i64> = pairs(&all(&store, &[])[0]).iter().map(|(t, _)| t - DAY).collect();
    assert_eq!(times, [-5 * MINUTE, 0, MINUTE]);
}

#[test]
fn metadata_stays() {
    let dir = tempfile::tempdir().unwrap();
    let family = |name: &str, help: &str| metrics::sample::FamilyMetadata {
        name: name.to_owned(),
        kind: metrics::sample::MetricType::Counter,
        help: help.to_owned(),
        unit: "seconds".to_owned(),
    };
    let store = open(quick(dir.path()));
    store.set_metadata(&[family("b", "old"), family("a", "A")]).unwrap();
    store.set_metadata(&[family("b", "new")]).unwrap();
    let wanted = vec![family("a", "A"), family("b", "new")];
    assert_eq!(store.metadata(), wanted);
    drop(store);
    assert_eq!(open(quick(dir.path())).metadata(), wanted);
}

#[test]
fn a_log_larger_than_the_budget_is_replayed_within_it() {
    let dir = tempfile::tempdir().unwrap();
    let large = Options { memory_limit: 1 << 30, ..quick(dir.path()) };
    let store = open(large);
    for n in 0..1500 {
        let t = DAY + n * 15_000;
        let series: Vec<_> =
            (0..200).map(|id| batch(labels("m", id), &[(t, (n * 7919 % 1013) as f64 / 3.0)])).collect();
        store.append(&series, at(t)).unwrap();
    }
    assert_eq!(store.stats().blocks, 0);
    drop(store);
    for _ in 0..2 {
        let (store, recovery) =
            Store::open(Options { memory_limit: 4 << 20, ..quick(dir.path()) }, at(DAY)).unwrap();
        assert_eq!(recovery.unnamed_samples, 0);
        assert!(store.stats().blocks > 0);
        assert!(store.memory_bytes() < 2 << 20, "{} bytes", store.memory_bytes());
        let series = all(&store, &named("m"));
        assert_eq!(series.iter().map(|s| s.samples.len()).sum::<usize>(), 300_000);
    }
}

#[test]
fn a_closed_store_takes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(quick(dir.path()));
    store.close().unwrap();
    let refused = store.append(&[batch(labels("m", 0), &[(DAY, 1.0)])], at(DAY));
    assert_eq!(refused.err(), Some(StoreError::Closed));
    assert_eq!(store.maintain(at(DAY)).err(), Some(StoreError::Closed));
    assert_eq!(store.close(), Ok(()));
}
