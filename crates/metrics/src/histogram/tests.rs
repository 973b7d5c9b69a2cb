//! Histograms: layout, arithmetic, estimates.

use super::*;

/// Buckets from an index on.
fn side(offset: i32, counts: &[f64]) -> Buckets {
    Buckets::from_indexed((offset..).zip(counts.iter().copied()))
}

fn exponential(schema: i32, positive: Buckets) -> Histogram {
    let count = positive.counts.iter().sum();
    Histogram { schema, count, sum: count, positive, ..Histogram::default() }
}

fn custom(bounds: &[f64], counts: &[f64]) -> Histogram {
    let positive = side(0, counts);
    let count = positive.counts.iter().sum();
    let custom_bounds = bounds.into();
    Histogram {
        schema: CUSTOM_BUCKETS_SCHEMA,
        count,
        sum: count,
        positive,
        custom_bounds,
        ..Histogram::default()
    }
}

#[test]
fn bounds_follow_the_schema() {
    for (index, schema, expected) in [
        (0, 0, 1.0),
        (1, 0, 2.0),
        (-1, 0, 0.5),
        (1, -1, 4.0),
        (1, 1, std::f64::consts::SQRT_2),
        (3, 1, 2.0 * std::f64::consts::SQRT_2),
        (1024, 0, f64::MAX),
        (1025, 0, f64::INFINITY),
        (-1080, 0, 0.0),
    ] {
        let bound = exponential_bound(index, schema);
        assert!(
            (bound - expected).abs() <= 1e-15 * expected || bound == expected,
            "{index} {schema}: {bound}"
        );
    }
}

#[test]
fn buckets_keep_their_place_whatever_the_spans() {
    let spread = side(-2, &[1.0, 0.0, 0.0, 2.0, 3.0]);
    assert_eq!(spread.spans, [BucketSpan { offset: -2, length: 1 }, BucketSpan { offset: 2, length: 2 }]);
    assert_eq!(spread.iter().collect::<Vec<_>>(), [(-2, 1.0), (1, 2.0), (2, 3.0)]);
    let padded =
        Buckets { spans: vec![BucketSpan { offset: -2, length: 5 }], counts: vec![1.0, 0.0, 0.0, 2.0, 3.0] };
    assert_eq!(padded.compacted(), spread);
}

#[test]
fn operands_meet_at_the_coarser_layout() {
    let mut fine = exponential(1, side(1, &[1.0, 2.0, 3.0, 4.0]));
    let coarse = exponential(0, side(1, &[10.0, 20.0]));
    assert_eq!(fine.add(&coarse), Ok(Combined::default()));
    assert_eq!((fine.schema, fine.positive.iter().collect::<Vec<_>>()), (0, vec![(1, 13.0), (2, 27.0)]));
    assert_eq!(fine.sub(&coarse), Ok(Combined::default()));
    assert_eq!(fine.positive.iter().collect::<Vec<_>>(), [(1, 3.0), (2, 7.0)]);

    let mut wide = Histogram { zero_threshold: 1.5, zero_count: 4.0, ..exponential(0, side(3, &[1.0])) };
    let narrow =
        Histogram { zero_threshold: 0.1, zero_count: 1.0, ..exponential(0, side(0, &[1.0, 2.0, 3.0])) };
    wide.add(&narrow).unwrap();
    // The bucket (1, 2] straddles 1.5, so the zero bucket grows to 2.
    assert_eq!((wide.zero_threshold, wide.zero_count), (2.0, 8.0));
    assert_eq!(wide.positive.iter().collect::<Vec<_>>(), [(2, 3.0), (3, 1.0)]);
}

#[test]
fn custom_bounds_meet_where_both_have_them() {
    let mut a = custom(&[1.0, 2.0, 5.0], &[1.0, 2.0, 3.0, 4.0]);
    let combined = a.add(&custom(&[2.0, 3.0, 5.0], &[10.0, 20.0, 30.0, 40.0])).unwrap();
    assert!(combined.reconciled);
    assert_eq!(
        (&*a.custom_bounds, a.positive.iter().collect::<Vec<_>>()),
        (&[2.0, 5.0][..], vec![(0, 13.0), (1, 53.0), (2, 44.0)])
    );
    assert_eq!(a.add(&exponential(0, side(0, &[1.0]))), Err(IncompatibleSchemas));
}

#[test]
fn resets_are_found_in_any_part() {
    let before = exponential(0, side(0, &[1.0, 2.0]));
    let after = |positive| Histogram { count: 3.0, ..exponential(0, positive) };
    for (now, expected) in [
        (after(side(0, &[1.0, 2.0])), false),
        (after(side(0, &[0.0, 3.0])), true),
        (Histogram { count: 2.0, ..after(side(0, &[1.0, 2.0])) }, true),
        (Histogram { zero_threshold: 1.0, zero_count: 1.0, ..after(side(1, &[2.0])) }, false),
        (Histogram { reset_hint: ResetHint::NotReset, ..after(side(0, &[0.0])) }, false),
        (Histogram { reset_hint: ResetHint::Reset, ..after(side(0, &[5.0, 5.0])) }, true),
        (exponential(1, side(0, &[1.0, 9.0, 9.0])), true),
        (custom(&[1.0], &[9.0]), true),
    ] {
        assert_eq!(now.detect_reset(&before), expected, "{now}");
    }
}

#[test]
fn a_compensated_sum_keeps_what_is_small() {
    let with_sum = |sum| Histogram { sum, ..exponential(0, side(0, &[1.0])) };
    let mut total = CompensatedHistogram { sum: with_sum(1.0), lost: Histogram::default() };
    for sum in [1e100, 1.0, -1e100] {
        total.add(&with_sum(sum)).unwrap();
    }
    assert_eq!((total.value().sum, total.value().count), (2.0, 4.0));
}

#[test]
fn estimates_stay_in_bounds_and_cutting_adds_up() {
    let h = Histogram {
        zero_threshold: 0.5,
        zero_count: 2.0,
        count: 12.0,
        negative: side(1, &[3.0]),
        ..exponential(0, side(1, &[3.0, 4.0]))
    };
    let mut last = f64::NEG_INFINITY;
    for step in 0..=20 {
        let value = h.quantile(f64::from(step) / 20.0).value;
        assert!(value >= last && (-2.0..=4.0).contains(&value), "{step}: {value} after {last}");
        last = value;
    }
    assert_eq!((h.fraction(-10.0, 10.0), h.fraction(1.0, 2.0), h.fraction(2.0, 1.0)), (1.0, 0.25, 0.0));
    assert!(h.fraction(f64::NAN, 1.0).is_nan() && Histogram::default().quantile(0.5).value.is_nan());
    for cut in [-3.0, -1.5, -0.2, 0.0, 0.3, 1.0, 1.7, 3.9, 9.0] {
        let (below, above) = (h.trimmed(cut, true), h.trimmed(cut, false));
        assert!((below.count + above.count - h.count).abs() < 1e-9, "{cut}: {below} and {above}");
    }
}

#[test]
fn printing_shows_which_borders_belong() {
    let h = Histogram {
        zero_threshold: 0.5,
        zero_count: 2.0,
        count: 1e21,
        negative: side(1, &[3.0]),
        ..exponential(0, side(1, &[4.0]))
    };
    assert_eq!(h.to_string(), "{count:1e+21, sum:4, [-2,-1):3, [-0.5,0.5]:2, (1,2]:4}");
    assert_eq!(custom(&[1.0], &[2.0, 3.0]).to_string(), "{count:5, sum:5, [-Inf,1]:2, (1,+Inf]:3}");
}
