//! Chunk codecs: samples of one series to few bytes and back, exactly. Pure functions over byte slices; checksums, files and
//! where a chunk lies are the store's business.
//!
//! A column of times and a column of values are coded apart, so that series scraped together share one column of times
//! ([`encode_times`], [`encode_values`]); [`encode`] joins both for a chunk that stands alone. A decoder never panics, never
//! allocates for more than [`MAX_SAMPLES`], and either gives what was encoded or an error.
//!
//! Layout of a chunk: [`FLOATS`], the number of samples, the length of the times (varints), the times, the values.
//! The choice of forms and their figures: docs/adr/0010; byte by byte: docs/formats/block.md.

mod bits;
mod histograms;
mod integers;
mod values;
mod xor;

#[cfg(test)]
mod tests;

use crate::sample::Sample;

pub use histograms::{decode_histograms, encode_histograms};

/// The most samples one chunk or column may hold.
pub const MAX_SAMPLES: usize = 8192;

/// The first byte of a chunk of floats.
const FLOATS: u8 = 1;

/// Why bytes are not a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// They end too early.
    #[error("the chunk ends too early")]
    Truncated,
    /// They say something impossible.
    #[error("the chunk is malformed: {0}")]
    Invalid(&'static str),
    /// They claim, or were given, more than [`MAX_SAMPLES`].
    #[error("a chunk holds at most {MAX_SAMPLES} samples")]
    TooMany,
}

/// Appends a column of times in milliseconds to `out`.
///
/// # Errors
/// More than [`MAX_SAMPLES`].
pub fn encode_times(times: &[i64], out: &mut Vec<u8>) -> Result<(), ChunkError> {
    limit(times.len())?;
    integers::encode(times, out);
    Ok(())
}

/// Decodes `count` times from all of `bytes`, appending to `out`; on an error `out` is as before.
///
/// # Errors
/// `bytes` are no such column.
pub fn decode_times(bytes: &[u8], count: usize, out: &mut Vec<i64>) -> Result<(), ChunkError> {
    limit(count)?;
    integers::decode(bytes, count, out)
}

/// Appends a column of values to `out`.
///
/// # Errors
/// More than [`MAX_SAMPLES`].
pub fn encode_values(values: &[f64], out: &mut Vec<u8>) -> Result<(), ChunkError> {
    limit(values.len())?;
    values::encode(values, out);
    Ok(())
}

/// Decodes `count` values from all of `bytes`, appending to `out`.
///
/// # Errors
/// `bytes` are no such column.
pub fn decode_values(bytes: &[u8], count: usize, out: &mut Vec<f64>) -> Result<(), ChunkError> {
    limit(count)?;
    values::decode(bytes, count, out)
}

/// Appends one chunk that holds `samples` to `out`.
///
/// # Errors
/// More than [`MAX_SAMPLES`].
pub fn encode(samples: &[Sample], out: &mut Vec<u8>) -> Result<(), ChunkError> {
    limit(samples.len())?;
    let times: Vec<i64> = samples.iter().map(|sample| sample.t).collect();
    let floats: Vec<f64> = samples.iter().map(|sample| sample.v).collect();
    let mut column = Vec::with_capacity(16);
    integers::encode(&times, &mut column);
    out.push(FLOATS);
    bits::put_varint(out, samples.len() as u64);
    bits::put_varint(out, column.len() as u64);
    out.extend_from_slice(&column);
    values::encode(&floats, out);
    Ok(())
}

/// Decodes the chunk that is all of `bytes`, appending to `out`.
///
/// # Errors
/// `bytes` are no chunk of floats.
pub fn decode(mut bytes: &[u8], out: &mut Vec<Sample>) -> Result<(), ChunkError> {
    if bits::take(&mut bytes, 1)? != [FLOATS] {
        return Err(ChunkError::Invalid("not a chunk of floats"));
    }
    let count = take_count(&mut bytes)?;
    let length = bits::take_varint(&mut bytes)?;
    let column = bits::take(&mut bytes, usize::try_from(length).map_err(|_| ChunkError::Truncated)?)?;
    let mut times = Vec::with_capacity(count);
    integers::decode(column, count, &mut times)?;
    let mut floats = Vec::with_capacity(count);
    values::decode(bytes, count, &mut floats)?;
    out.extend(times.into_iter().zip(floats).map(|(t, v)| Sample { t, v }));
    Ok(())
}

/// For fuzzers: decodes `data` in every way, and checks that what decodes survives another round.
///
/// # Panics
/// When a decoded chunk does not come back the same, which is the bug being looked for.
#[allow(clippy::panic, reason = "a fuzzer is told of a finding by a panic")]
pub fn fuzz_one(data: &[u8]) {
    let mut samples = Vec::new();
    if decode(data, &mut samples).is_ok() {
        let mut again = Vec::new();
        let mut back = Vec::new();
        let round = encode(&samples, &mut again).and_then(|()| decode(&again, &mut back));
        let same = samples.len() == back.len()
            && samples.iter().zip(&back).all(|(a, b)| a.t == b.t && a.v.to_bits() == b.v.to_bits());
        if round.is_err() || !same {
            panic!("a chunk did not survive a second round: {data:?}");
        }
    }
    let mut histograms = Vec::new();
    let _ = decode_histograms(data, &mut histograms);
    for count in [0, 1, 2, 63, 64, 65, MAX_SAMPLES] {
        let _ = decode_times(data, count, &mut Vec::new());
        let _ = decode_values(data, count, &mut Vec::new());
    }
}

fn limit(count: usize) -> Result<(), ChunkError> {
    if count > MAX_SAMPLES { Err(ChunkError::TooMany) } else { Ok(()) }
}

/// A number of samples, within [`MAX_SAMPLES`].
fn take_count(bytes: &mut &[u8]) -> Result<usize, ChunkError> {
    let count = usize::try_from(bits::take_varint(bytes)?).map_err(|_| ChunkError::TooMany)?;
    limit(count)?;
    Ok(count)
}
