//! Every form comes back bit by bit, and nothing that is not a chunk makes a decoder panic.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::histogram::{BucketSpan, Buckets, Histogram, HistogramSample, ResetHint};
use crate::sample::STALE_NAN;

/// Encodes and decodes `values` at 15 s, asserts that every bit is back, and gives the bytes taken.
fn check(values: &[f64]) -> usize {
    let samples: Vec<Sample> =
        (0_i64..).zip(values).map(|(i, v)| Sample { t: 1_795_461_300_000 + i * 15_000, v: *v }).collect();
    let mut bytes = Vec::new();
    encode(&samples, &mut bytes).unwrap();
    let mut back = Vec::new();
    decode(&bytes, &mut back).unwrap();
    let bits = |samples: &[Sample]| samples.iter().map(|s| (s.t, s.v.to_bits())).collect::<Vec<_>>();
    assert_eq!(bits(&back), bits(&samples));
    bytes.len()
}

#[test]
fn every_kind_of_value_comes_back_and_usual_ones_are_small() {
    let payload = f64::from_bits(0x7ff8_dead_beef_0001);
    let odd =
        vec![0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, payload, STALE_NAN, 5e-324, f64::MAX];
    let counter: Vec<f64> = (0..120).map(|i| f64::from(1000 + i * 25 + i * i % 7)).collect();
    let seconds: Vec<f64> = (0..120).map(|i| f64::from(123_456 + i * 14 + i % 3) / 100.0).collect();
    let mut ended = counter.clone();
    ended.push(STALE_NAN);
    let mut began = vec![STALE_NAN, f64::NAN];
    began.extend(&counter);
    let thirds: Vec<f64> = (0..120).map(|i| f64::from(i) / 3.0).collect();
    for (name, values, most) in [
        ("nothing", vec![], 16),
        ("one", vec![1.5], 32),
        ("odd", odd, 140),
        ("constant", vec![3.25; 120], 32),
        ("counter", counter, 90),
        ("seconds", seconds, 80),
        ("ended", ended, 110),
        ("began", began, 120),
        ("thirds", thirds, 960),
        ("large", vec![1e300, 2e300, 1e17, 1e18, 123_456_789_012_345_680.0], 64),
        ("negative", vec![-1.0, -2.5, -1000.0, 0.0, 12.75], 40),
    ] {
        let bytes = check(&values);
        assert!(bytes <= most, "{name}: {bytes} bytes");
    }
}

#[test]
fn more_samples_than_a_chunk_holds_are_refused() {
    let samples = vec![Sample { t: 0, v: 0.0 }; MAX_SAMPLES + 1];
    assert_eq!(encode(&samples, &mut Vec::new()), Err(ChunkError::TooMany));
    assert_eq!(decode_values(&[0; 9], MAX_SAMPLES + 1, &mut Vec::new()), Err(ChunkError::TooMany));
    // A count of 2^63 in nine bytes.
    assert_eq!(
        decode(&[1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], &mut Vec::new()),
        Err(ChunkError::TooMany)
    );
}

fn histogram(seed: u32) -> Histogram {
    let counts: Vec<f64> = (0..5).map(|i| f64::from(seed * (i + 1))).collect();
    Histogram {
        schema: 3,
        zero_threshold: 1e-128,
        zero_count: f64::from(seed),
        count: f64::from(seed * 20),
        sum: f64::from(seed) * 0.1,
        positive: Buckets { spans: vec![BucketSpan { offset: -2, length: 5 }], counts },
        negative: Buckets::default(),
        custom_bounds: Arc::from([]),
        reset_hint: ResetHint::NotReset,
    }
}

#[test]
fn histograms_come_back_with_their_layouts() {
    let mut samples: Vec<HistogramSample> =
        (0..60).map(|i| HistogramSample { t: i64::from(i) * 15_000, h: Arc::new(histogram(i)) }).collect();
    let custom = Histogram {
        schema: crate::histogram::CUSTOM_BUCKETS_SCHEMA,
        custom_bounds: Arc::from([0.1, 1.0]),
        positive: Buckets { spans: vec![BucketSpan { offset: 0, length: 3 }], counts: vec![1.0, 2.0, 3.0] },
        reset_hint: ResetHint::Gauge,
        ..Histogram::default()
    };
    samples.push(HistogramSample { t: 900_000, h: Arc::new(custom) });
    samples.push(HistogramSample { t: 915_000, h: Arc::new(histogram(7)) });
    let mut bytes = Vec::new();
    encode_histograms(&samples, &mut bytes).unwrap();
    let mut back = Vec::new();
    decode_histograms(&bytes, &mut back).unwrap();
    assert_eq!(back, samples);
    assert!(bytes.len() < 800, "{} bytes for {} histograms", bytes.len(), samples.len());
    for end in 0..bytes.len() {
        let whole = decode_histograms(&bytes[..end], &mut Vec::new());
        assert!(whole.is_err(), "{end} of {} bytes were taken for the whole", bytes.len());
    }
}

fn any_float() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        any::<i32>().prop_map(f64::from),
        (any::<i32>(), 0_i32..8).prop_map(|(i, e)| f64::from(i) / 10_f64.powi(e)),
        (0.0..1.0),
        Just(STALE_NAN),
        Just(-0.0),
    ]
}

proptest! {
    #[test]
    fn any_floats_come_back(values in prop::collection::vec(any_float(), 0..200)) {
        check(&values);
    }

    #[test]
    fn walks_of_any_form_come_back(
        start in any_float(), steps in prop::collection::vec(-500_i32..500, 0..300), places in 0_i32..6,
        stale in prop::collection::vec(any::<prop::sample::Index>(), 0..3),
    ) {
        let mut at = start;
        let mut values: Vec<f64> = steps.iter().map(|s| { at += f64::from(*s) / 10_f64.powi(places); at }).collect();
        for index in stale {
            if !values.is_empty() {
                let at = index.index(values.len());
                values[at] = STALE_NAN;
            }
        }
        check(&values);
    }

    #[test]
    fn garbage_never_panics(data in prop::collection::vec(any::<u8>(), 0..400)) {
        fuzz_one(&data);
    }

    #[test]
    fn a_changed_bit_never_panics(values in prop::collection::vec(any_float(), 1..100), bit in any::<prop::sample::Index>()) {
        let samples: Vec<Sample> = (0_i64..).zip(&values).map(|(t, v)| Sample { t, v: *v }).collect();
        let mut bytes = Vec::new();
        encode(&samples, &mut bytes).unwrap();
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        fuzz_one(&bytes);
    }
}
