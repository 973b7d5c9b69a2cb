//! A column of floats in the smallest of four lossless forms. Bits come back as they went in: NaN payloads, stale markers,
//! signs of zero and subnormals included.
//!
//! Layout: a form byte, then for
//! - [`CONSTANT`]: eight bytes of the one value;
//! - [`DECIMAL`] + e, e in 0..=[`MAX_EXPONENT`]: the exceptions, then an integer column of `value · 10^e`;
//! - [`XOR`]: see [`super::xor`].
//!
//! Exceptions are values that are no decimals, stale markers above all: their number, then for each the distance from the
//! exception before (from −1 for the first) as a varint and eight bytes of value. In the integer column the value before
//! them repeats.
//! Source of the decimal form: Afroozeh et al., "ALP: Adaptive Lossless floating-Point Compression", SIGMOD 2023, where
//! doubles that began as decimals are found to become integers again by one multiplication.

use super::ChunkError;
use super::bits::{put_varint, take, take_u64, take_varint};
use super::{integers, xor};

const CONSTANT: u8 = 0;
const XOR: u8 = 1;
const DECIMAL: u8 = 16;

/// The most decimal places tried.
const MAX_EXPONENT: u8 = 15;
/// Powers of ten that a double holds exactly.
const POWERS: [f64; 16] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
/// Integers up to this are exact in a double.
const EXACT: f64 = 9_007_199_254_740_992.0;
/// Above this many bytes per value the decimal form is compared with the XOR form.
const DOUBTFUL: usize = 5;

/// Appends `values` to `out`.
pub(crate) fn encode(values: &[f64], out: &mut Vec<u8>) {
    let first = values.first().copied().unwrap_or(0.0).to_bits();
    if values.iter().all(|value| value.to_bits() == first) {
        out.push(CONSTANT);
        out.extend_from_slice(&first.to_le_bytes());
        return;
    }
    let start = out.len();
    let decimal = encode_decimal(values, out);
    if decimal && out.len() - start <= values.len() * DOUBTFUL {
        return;
    }
    let mut other = Vec::with_capacity(values.len() * 8);
    xor::encode(values, &mut other);
    if !decimal || other.len() + 1 < out.len() - start {
        out.truncate(start);
        out.push(XOR);
        out.extend_from_slice(&other);
    }
}

/// Decodes `count` values from all of `bytes`, appending to `out`.
pub(crate) fn decode(mut bytes: &[u8], count: usize, out: &mut Vec<f64>) -> Result<(), ChunkError> {
    let (form, rest) = bytes.split_first().ok_or(ChunkError::Truncated)?;
    bytes = rest;
    match *form {
        CONSTANT => {
            let value = f64::from_bits(take_u64(&mut bytes)?);
            out.resize(out.len() + count, value);
            Ok(())
        }
        XOR => xor::decode(bytes, count, out),
        form => {
            let power = form
                .checked_sub(DECIMAL)
                .and_then(|exponent| POWERS.get(usize::from(exponent)))
                .ok_or(ChunkError::Invalid("an unknown form of values"))?;
            decode_decimal(bytes, *power, count, out)
        }
    }
}

/// Appends the decimal form and returns true, or leaves `out` alone when too many values are no decimals.
fn encode_decimal(values: &[f64], out: &mut Vec<u8>) -> bool {
    let allowed = values.len() / 8 + 1;
    let Some(exponent) = exponent(values, allowed) else { return false };
    let power = POWERS.get(usize::from(exponent)).copied().unwrap_or(1.0);
    let mut integers = Vec::with_capacity(values.len());
    let mut exceptions = Vec::new();
    let (mut count, mut last, mut from) = (0_usize, 0, 0_u64);
    for (at, value) in (1_u64..).zip(values) {
        if let Some(integer) = scaled(*value, power) {
            last = integer;
        } else {
            count += 1;
            put_varint(&mut exceptions, at - from);
            exceptions.extend_from_slice(&value.to_bits().to_le_bytes());
            from = at;
        }
        integers.push(last);
    }
    if count > allowed {
        return false;
    }
    // A first exception would otherwise leave a jump from zero.
    if let Some(first) = integers.iter().copied().find(|integer| *integer != 0) {
        let leading = values.iter().take_while(|value| scaled(**value, power).is_none()).count();
        integers.iter_mut().take(leading).for_each(|integer| *integer = first);
    }
    out.push(DECIMAL + exponent);
    put_varint(out, count as u64);
    out.extend_from_slice(&exceptions);
    integers::encode(&integers, out);
    true
}

/// The fewest decimal places with which all values but `allowed` become integers.
fn exponent(values: &[f64], allowed: usize) -> Option<u8> {
    let mut exponent = 0;
    let mut missed = 0;
    for value in values {
        let fits = (exponent..=MAX_EXPONENT)
            .find(|e| POWERS.get(usize::from(*e)).is_some_and(|power| scaled(*value, *power).is_some()));
        match fits {
            Some(e) => exponent = e,
            None => missed += 1,
        }
        if missed > allowed {
            return None;
        }
    }
    Some(exponent)
}

/// `value · power` when it is an integer that divides back to exactly `value`.
fn scaled(value: f64, power: f64) -> Option<i64> {
    let product = (value * power).round();
    // Also false for NaN and the infinities.
    if product.abs() < EXACT {
        // Through the integer, which has no negative zero.
        let integer = product as i64;
        return (integer as f64 / power).to_bits().eq(&value.to_bits()).then_some(integer);
    }
    None
}

fn decode_decimal(mut bytes: &[u8], power: f64, count: usize, out: &mut Vec<f64>) -> Result<(), ChunkError> {
    let exceptions = take_varint(&mut bytes)?;
    if exceptions > count as u64 {
        return Err(ChunkError::Invalid("more exceptions than values"));
    }
    let mut listed = bytes;
    for _ in 0..exceptions {
        take_varint(&mut bytes)?;
        take(&mut bytes, 8)?;
    }
    let mut integers = Vec::with_capacity(count);
    integers::decode(bytes, count, &mut integers)?;
    let start = out.len();
    out.extend(integers.iter().map(|integer| *integer as f64 / power));
    let mut at = 0_u64;
    for _ in 0..exceptions {
        at = at.saturating_add(take_varint(&mut listed)?);
        let bits = take_u64(&mut listed)?;
        let slot = usize::try_from(at).ok().and_then(|at| out.get_mut((start + at).checked_sub(1)?));
        *slot.ok_or(ChunkError::Invalid("an exception is out of range"))? = f64::from_bits(bits);
    }
    Ok(())
}
