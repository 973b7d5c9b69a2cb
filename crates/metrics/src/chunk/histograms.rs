//! Chunks of native histograms: runs of histograms with the same layout, each run as columns.
//!
//! Layout: [`HISTOGRAMS`], the number of histograms, the column of times with its length, then runs until all are read. A
//! run: its number of histograms; the schema as a zigzag varint; the zero threshold in eight bytes; the custom bounds, the
//! positive and the negative spans, each a number and the items; one byte of reset hint per histogram; then columns of
//! values with their lengths: count, zero count, sum, each positive bucket, each negative bucket.
//! Bucket counts are absolute, so that each column is a counter, which the value codec predicts well.

use std::sync::Arc;

use super::bits::{put_varint, take, take_u64, take_varint, unzigzag, zigzag};
use super::{ChunkError, integers, limit, take_count, values};
use crate::histogram::{BucketSpan, Buckets, Histogram, HistogramSample, ResetHint};

/// The first byte of a chunk of histograms.
const HISTOGRAMS: u8 = 2;
/// The most buckets on one side, spans, or bounds that a decoder accepts.
const MAX_BUCKETS: usize = 65_536;
/// The most bucket counts and spans of all histograms in a chunk; 32 MiB of them.
const MAX_COUNTS: usize = 1 << 22;

/// Appends one chunk that holds `histograms` to `out`.
///
/// # Errors
/// More than [`super::MAX_SAMPLES`], or more than 65,536 buckets, spans or bounds in one.
pub fn encode_histograms(histograms: &[HistogramSample], out: &mut Vec<u8>) -> Result<(), ChunkError> {
    limit(histograms.len())?;
    let mut cells = 0;
    for sample in histograms {
        let h = &sample.h;
        let sizes = [&h.positive, &h.negative].map(|side| side.counts.len().max(side.spans.len()));
        if sizes.into_iter().chain([h.custom_bounds.len()]).any(|size| size > MAX_BUCKETS) {
            return Err(ChunkError::Invalid("a histogram has more than 65,536 buckets"));
        }
        cells += weight(h);
    }
    if cells > MAX_COUNTS {
        return Err(ChunkError::TooMany);
    }
    let times: Vec<i64> = histograms.iter().map(|sample| sample.t).collect();
    out.push(HISTOGRAMS);
    put_varint(out, histograms.len() as u64);
    put_column(out, |column| integers::encode(&times, column));
    for run in histograms.chunk_by(|a, b| same_layout(&a.h, &b.h)) {
        if let Some(first) = run.first() {
            put_varint(out, run.len() as u64);
            put_layout(&first.h, out);
            put_run(run, out);
        }
    }
    Ok(())
}

/// Decodes the chunk that is all of `bytes`, appending to `out`; on an error `out` may hold part of it.
///
/// # Errors
/// `bytes` are no chunk of histograms.
pub fn decode_histograms(mut bytes: &[u8], out: &mut Vec<HistogramSample>) -> Result<(), ChunkError> {
    if take(&mut bytes, 1)? != [HISTOGRAMS] {
        return Err(ChunkError::Invalid("not a chunk of histograms"));
    }
    let count = take_count(&mut bytes)?;
    let mut times = Vec::with_capacity(count);
    integers::decode(take_column(&mut bytes)?, count, &mut times)?;
    let mut times = times.as_slice();
    let mut cells = 0;
    while !times.is_empty() {
        let run = take_count(&mut bytes)?;
        let (now, later) =
            times.split_at_checked(run).ok_or(ChunkError::Invalid("a run is longer than its chunk"))?;
        if run == 0 {
            return Err(ChunkError::Invalid("a run is empty"));
        }
        times = later;
        let layout = take_layout(&mut bytes)?;
        cells += weight(&layout) * run;
        if cells > MAX_COUNTS {
            return Err(ChunkError::TooMany);
        }
        take_run(&mut bytes, now, layout, out)?;
    }
    Ok(())
}

// === layout ===

/// What a histogram takes of [`MAX_COUNTS`].
fn weight(histogram: &Histogram) -> usize {
    let side = |buckets: &Buckets| buckets.counts.len() + buckets.spans.len();
    side(&histogram.positive) + side(&histogram.negative)
}

fn same_layout(a: &Histogram, b: &Histogram) -> bool {
    let same_bits = |a: &[f64], b: &[f64]| a.iter().map(|v| v.to_bits()).eq(b.iter().map(|v| v.to_bits()));
    a.schema == b.schema
        && a.zero_threshold.to_bits() == b.zero_threshold.to_bits()
        && a.positive.spans == b.positive.spans
        && a.negative.spans == b.negative.spans
        && a.positive.counts.len() == b.positive.counts.len()
        && a.negative.counts.len() == b.negative.counts.len()
        && same_bits(&a.custom_bounds, &b.custom_bounds)
}

fn put_layout(histogram: &Histogram, out: &mut Vec<u8>) {
    put_varint(out, zigzag(i64::from(histogram.schema)));
    out.extend_from_slice(&histogram.zero_threshold.to_bits().to_le_bytes());
    put_varint(out, histogram.custom_bounds.len() as u64);
    for bound in histogram.custom_bounds.iter() {
        out.extend_from_slice(&bound.to_bits().to_le_bytes());
    }
    for side in [&histogram.positive, &histogram.negative] {
        put_varint(out, side.spans.len() as u64);
        for span in &side.spans {
            put_varint(out, zigzag(i64::from(span.offset)));
            put_varint(out, u64::from(span.length));
        }
        put_varint(out, side.counts.len() as u64);
    }
}

/// A histogram with everything but its numbers; the counts are zeros.
fn take_layout(bytes: &mut &[u8]) -> Result<Histogram, ChunkError> {
    let wide = |_| ChunkError::Invalid("a number of a layout is out of range");
    let schema = i32::try_from(unzigzag(take_varint(bytes)?)).map_err(wide)?;
    let zero_threshold = f64::from_bits(take_u64(bytes)?);
    let bounds = (0..take_size(bytes)?).map(|_| Ok(f64::from_bits(take_u64(bytes)?)));
    let custom_bounds: Arc<[f64]> = bounds.collect::<Result<Vec<f64>, ChunkError>>()?.into();
    let mut side = || -> Result<Buckets, ChunkError> {
        let spans = (0..take_size(bytes)?)
            .map(|_| {
                let offset = i32::try_from(unzigzag(take_varint(bytes)?)).map_err(wide)?;
                let length = u32::try_from(take_varint(bytes)?).map_err(wide)?;
                Ok(BucketSpan { offset, length })
            })
            .collect::<Result<Vec<_>, ChunkError>>()?;
        Ok(Buckets { spans, counts: vec![0.0; take_size(bytes)?] })
    };
    let (positive, negative) = (side()?, side()?);
    Ok(Histogram { schema, zero_threshold, positive, negative, custom_bounds, ..Histogram::default() })
}

fn take_size(bytes: &mut &[u8]) -> Result<usize, ChunkError> {
    let size = usize::try_from(take_varint(bytes)?).unwrap_or(usize::MAX);
    if size > MAX_BUCKETS { Err(ChunkError::Invalid("a layout is too large")) } else { Ok(size) }
}

// === columns ===

/// The numbers of a histogram in the order of their columns.
fn numbers(histogram: &mut Histogram) -> impl Iterator<Item = &mut f64> {
    [&mut histogram.count, &mut histogram.zero_count, &mut histogram.sum]
        .into_iter()
        .chain(&mut histogram.positive.counts)
        .chain(&mut histogram.negative.counts)
}

fn put_run(run: &[HistogramSample], out: &mut Vec<u8>) {
    out.extend(run.iter().map(|sample| hint_byte(sample.h.reset_hint)));
    let mut column = Vec::with_capacity(run.len());
    let mut put = |number: &dyn Fn(&Histogram) -> f64| {
        column.clear();
        column.extend(run.iter().map(|sample| number(&sample.h)));
        put_column(out, |bytes| values::encode(&column, bytes));
    };
    put(&|h| h.count);
    put(&|h| h.zero_count);
    put(&|h| h.sum);
    let Some(first) = run.first() else { return };
    for bucket in 0..first.h.positive.counts.len() {
        put(&|h| h.positive.counts.get(bucket).copied().unwrap_or(0.0));
    }
    for bucket in 0..first.h.negative.counts.len() {
        put(&|h| h.negative.counts.get(bucket).copied().unwrap_or(0.0));
    }
}

fn take_run(
    bytes: &mut &[u8],
    times: &[i64],
    mut layout: Histogram,
    out: &mut Vec<HistogramSample>,
) -> Result<(), ChunkError> {
    let hints = take(bytes, times.len())?;
    let columns = numbers(&mut layout).count();
    let mut histograms = vec![layout; times.len()];
    let mut flat = Vec::with_capacity(columns * times.len());
    for _ in 0..columns {
        values::decode(take_column(bytes)?, times.len(), &mut flat)?;
    }
    for (at, histogram) in histograms.iter_mut().enumerate() {
        for (number, value) in numbers(histogram).zip(flat.iter().skip(at).step_by(times.len())) {
            *number = *value;
        }
    }
    for ((t, hint), mut h) in times.iter().zip(hints).zip(histograms) {
        h.reset_hint = reset_hint(*hint)?;
        out.push(HistogramSample { t: *t, h: Arc::new(h) });
    }
    Ok(())
}

fn put_column(out: &mut Vec<u8>, encode: impl FnOnce(&mut Vec<u8>)) {
    let mut column = Vec::new();
    encode(&mut column);
    put_varint(out, column.len() as u64);
    out.extend_from_slice(&column);
}

fn take_column<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], ChunkError> {
    let length = usize::try_from(take_varint(bytes)?).map_err(|_| ChunkError::Truncated)?;
    take(bytes, length)
}

const fn hint_byte(hint: ResetHint) -> u8 {
    match hint {
        ResetHint::Unknown => 0,
        ResetHint::Reset => 1,
        ResetHint::NotReset => 2,
        ResetHint::Gauge => 3,
    }
}

const fn reset_hint(byte: u8) -> Result<ResetHint, ChunkError> {
    match byte {
        0 => Ok(ResetHint::Unknown),
        1 => Ok(ResetHint::Reset),
        2 => Ok(ResetHint::NotReset),
        3 => Ok(ResetHint::Gauge),
        _ => Err(ChunkError::Invalid("an unknown reset hint")),
    }
}
