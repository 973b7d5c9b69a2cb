//! A column of 64-bit integers, such as times or scaled values: predicted, divided, Rice-coded. Exact for every input; all
//! arithmetic wraps.
//!
//! Layout: a head byte (bits 0–1 the order of prediction, bit 2 signed residuals, bit 3 a divisor follows), then as zigzag
//! varints the first value (order ≥ 1), the first difference (order 2), and the centre; the divisor as a varint; then for
//! each 64 residuals six bits of Rice parameter ([`ALL_ZERO`]: all residuals are 0) and the residuals. A residual `r`
//! with parameter `k` is `r >> k` zeros, a one, and the `k` low bits; [`ESCAPE`] zeros announce six bits of length − 1
//! and the residual itself.
//!
//! Why Rice and not bit packing or bytes for a general compressor: see docs/adr/0010.

use super::ChunkError;
use super::bits::{BitReader, BitWriter, put_varint, take_varint, unzigzag, zigzag};

/// Residuals that share a Rice parameter.
const GROUP: usize = 64;
/// The parameter that says "all residuals of this group are 0".
const ALL_ZERO: u32 = 63;
/// The largest parameter.
const MAX_PARAMETER: u32 = 62;
/// This many zeros say "written out in full".
const ESCAPE: u32 = 20;

const SIGNED: u8 = 1 << 2;
const DIVIDED: u8 = 1 << 3;

/// How residuals come from values: differences taken, centre subtracted, signed or not.
#[derive(Clone, Copy)]
struct Plan {
    order: u8,
    signed: bool,
    centre: i64,
}

/// Appends `values` to `out`.
pub(super) fn encode(values: &[i64], out: &mut Vec<u8>) {
    let (plan, mut residuals) = plan(values);
    let divisor = common_divisor(&residuals, plan.signed);
    let mut head = plan.order | if plan.signed { SIGNED } else { 0 };
    if divisor > 1 {
        head |= DIVIDED;
        divide(&mut residuals, divisor, plan.signed);
    }
    out.push(head);
    let first = values.first().copied().unwrap_or(0);
    if plan.order >= 1 {
        put_varint(out, zigzag(first));
    }
    if plan.order == 2 {
        put_varint(out, zigzag(values.get(1).map_or(0, |second| second.wrapping_sub(first))));
    }
    put_varint(out, zigzag(plan.centre));
    if divisor > 1 {
        put_varint(out, divisor);
    }
    let mut writer = BitWriter::new(out);
    for group in residuals.chunks(GROUP) {
        write_group(group, &mut writer);
    }
    writer.finish();
}

/// Decodes `count` values from all of `bytes`, appending to `out`.
pub(super) fn decode(mut bytes: &[u8], count: usize, out: &mut Vec<i64>) -> Result<(), ChunkError> {
    let (head, rest) = bytes.split_first().ok_or(ChunkError::Truncated)?;
    bytes = rest;
    let order = usize::from(head & 3);
    let signed = head & SIGNED != 0;
    if order == 3 || head & !(3 | SIGNED | DIVIDED) != 0 {
        return Err(ChunkError::Invalid("an unknown kind of integer column"));
    }
    let first = if order >= 1 { unzigzag(take_varint(&mut bytes)?) } else { 0 };
    let step = if order == 2 { unzigzag(take_varint(&mut bytes)?) } else { 0 };
    let centre = unzigzag(take_varint(&mut bytes)?);
    let divisor = if head & DIVIDED != 0 { take_varint(&mut bytes)? } else { 1 }.cast_signed();

    let mut reader = BitReader::new(bytes);
    let difference = |residual: u64| {
        let residual = if signed { unzigzag(residual) } else { residual.cast_signed() };
        residual.wrapping_mul(divisor).wrapping_add(centre)
    };
    let start = out.len();
    let mut last = first;
    let mut slope = step;
    match order {
        0 => read_residuals(&mut reader, count, |r| out.push(difference(r))),
        1 => {
            out.extend((count > 0).then_some(first));
            read_residuals(&mut reader, count.saturating_sub(1), |r| {
                last = last.wrapping_add(difference(r));
                out.push(last);
            });
        }
        _ => {
            last = first.wrapping_add(step);
            out.extend([first, last].into_iter().take(count));
            read_residuals(&mut reader, count.saturating_sub(2), |r| {
                slope = slope.wrapping_add(difference(r));
                last = last.wrapping_add(slope);
                out.push(last);
            });
        }
    }
    if let Err(error) = reader.end() {
        out.truncate(start);
        return Err(error);
    }
    Ok(())
}

// === planning ===

/// The prediction whose residuals have the fewest bits, and those residuals.
fn plan(values: &[i64]) -> (Plan, Vec<u64>) {
    let deltas = differences(values);
    let candidates = [
        (Plan { order: 0, signed: false, centre: values.iter().copied().min().unwrap_or(0) }, values),
        (Plan { order: 1, signed: false, centre: deltas.iter().copied().min().unwrap_or(0) }, &deltas),
        (Plan { order: 1, signed: true, centre: median(&deltas) }, &deltas),
    ];
    let mut best: Option<(u64, Plan, &[i64])> = None;
    for (plan, column) in candidates {
        let bits = plan.bits(column);
        if best.is_none_or(|(least, ..)| bits < least) {
            best = Some((bits, plan, column));
        }
    }
    let second = differences(&deltas);
    let curve = Plan { order: 2, signed: true, centre: 0 };
    match best {
        Some((bits, plan, column)) if values.len() < 3 || bits <= curve.bits(&second) => {
            (plan, plan.residuals(column))
        }
        _ => (curve, curve.residuals(&second)),
    }
}

impl Plan {
    fn residual(self, value: i64) -> u64 {
        let offset = value.wrapping_sub(self.centre);
        if self.signed { zigzag(offset) } else { offset.cast_unsigned() }
    }

    fn residuals(self, column: &[i64]) -> Vec<u64> {
        column.iter().map(|value| self.residual(*value)).collect()
    }

    /// About how many bits the residuals of `column` take.
    fn bits(self, column: &[i64]) -> u64 {
        column.iter().map(|value| u64::from(u64::BITS - self.residual(*value).leading_zeros())).sum()
    }
}

fn differences(values: &[i64]) -> Vec<i64> {
    values.iter().zip(values.iter().skip(1)).map(|(a, b)| b.wrapping_sub(*a)).collect()
}

/// The median of up to 33 values spread over the column.
fn median(values: &[i64]) -> i64 {
    let mut picked: Vec<i64> = values.iter().step_by(values.len() / 32 + 1).copied().collect();
    picked.sort_unstable();
    picked.get(picked.len() / 2).copied().unwrap_or(0)
}

/// The greatest number that divides every residual; 1 when there is none worth writing.
fn common_divisor(residuals: &[u64], signed: bool) -> u64 {
    let mut divisor = 0;
    for residual in residuals {
        let magnitude = if signed { unzigzag(*residual).unsigned_abs() } else { *residual };
        divisor = greatest_common_divisor(magnitude, divisor);
        if divisor == 1 {
            return 1;
        }
    }
    // A divisor beyond the signed range would not come back through the decoder's signed arithmetic.
    if i64::try_from(divisor).is_ok() { divisor.max(1) } else { 1 }
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn divide(residuals: &mut [u64], divisor: u64, signed: bool) {
    for residual in residuals {
        *residual =
            if signed { zigzag(unzigzag(*residual) / divisor.cast_signed()) } else { *residual / divisor };
    }
}

// === Rice groups ===

fn write_group(group: &[u64], writer: &mut BitWriter<'_>) {
    let all = group.iter().fold(0, |all, residual| all | residual);
    if all == 0 {
        writer.write(u64::from(ALL_ZERO), 6);
        return;
    }
    let k = parameter(group);
    writer.write(u64::from(k), 6);
    let low = (1_u64 << k) - 1;
    for residual in group {
        let high = residual >> k;
        if high < u64::from(ESCAPE) {
            writer.write(1 << high, high as u32 + 1);
            writer.write(residual & low, k);
        } else {
            let length = u64::BITS - residual.leading_zeros();
            writer.write(0, ESCAPE);
            writer.write(u64::from(length - 1), 6);
            writer.write(*residual, length);
        }
    }
}

/// The Rice parameter that makes `group` smallest, looked for around its median length.
fn parameter(group: &[u64]) -> u32 {
    let mut lengths = [0_u8; 65];
    for residual in group {
        if let Some(count) = lengths.get_mut((u64::BITS - residual.leading_zeros()) as usize) {
            *count += 1;
        }
    }
    let mut seen = 0;
    let mut median = 0;
    for (length, count) in (0_u32..).zip(lengths) {
        seen += usize::from(count);
        if seen * 2 >= group.len() {
            median = length;
            break;
        }
    }
    (median.saturating_sub(3)..=median + 1)
        .filter(|k| *k <= MAX_PARAMETER)
        .min_by_key(|k| group.iter().map(|residual| cost(*residual, *k)).sum::<u64>())
        .unwrap_or(MAX_PARAMETER)
}

/// Bits of `residual` with parameter `k`.
fn cost(residual: u64, k: u32) -> u64 {
    let high = residual >> k;
    if high < u64::from(ESCAPE) {
        high + 1 + u64::from(k)
    } else {
        u64::from(ESCAPE + 6 + u64::BITS - residual.leading_zeros())
    }
}

fn read_residuals(reader: &mut BitReader<'_>, count: usize, mut each: impl FnMut(u64)) {
    let mut left = count;
    while left > 0 {
        let group = left.min(GROUP);
        left -= group;
        let k = reader.read(6) as u32;
        if k == ALL_ZERO {
            (0..group).for_each(|_| each(0));
            continue;
        }
        for _ in 0..group {
            let high = reader.zeros(ESCAPE);
            let residual = if high < ESCAPE {
                (u64::from(high) << k) | reader.read(k)
            } else {
                let length = reader.read(6) as u32 + 1;
                reader.read(length)
            };
            each(residual);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(values: &[i64]) -> usize {
        let mut bytes = Vec::new();
        encode(values, &mut bytes);
        let mut back = Vec::new();
        decode(&bytes, values.len(), &mut back).unwrap();
        assert_eq!(back, values);
        bytes.len()
    }

    #[test]
    fn columns_come_back_and_simple_ones_are_small() {
        let steady: Vec<i64> = (0..120).map(|i| 1_795_461_300_000 + i * 15_000).collect();
        let pages: Vec<i64> = (0..120).map(|i| 8_000_000_000 + (i * 7919 % 13) * 4096).collect();
        let counter: Vec<i64> = (0..120).map(|i| i * i % 11 + 10 * i).collect();
        for (values, most) in [
            (vec![], 2),
            (vec![5], 8),
            (vec![i64::MIN, i64::MAX, 0, -1, i64::MIN], 60),
            (vec![0, i64::MAX, i64::MIN, 7, i64::MAX - 3], 60),
            (steady, 14),
            (pages, 80),
            (counter, 90),
            (vec![3; 1000], 18),
        ] {
            let bytes = check(&values);
            assert!(bytes <= most, "{bytes} > {most}: {:?}…", values.get(..5));
        }
    }

    proptest! {
        #[test]
        fn any_column_comes_back(values in prop::collection::vec(any::<i64>(), 0..300)) {
            check(&values);
        }

        #[test]
        fn walks_come_back(start in any::<i64>(), steps in prop::collection::vec(-3000_i64..3000, 0..300), scale in 1_i64..5000) {
            let mut at = start;
            let values: Vec<i64> = steps.iter().map(|s| { at = at.wrapping_add(s.wrapping_mul(scale)); at }).collect();
            check(&values);
        }

        #[test]
        fn garbage_is_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..200), count in 0_usize..500) {
            let mut out = Vec::new();
            if decode(&bytes, count, &mut out).is_ok() {
                prop_assert_eq!(out.len(), count);
            }
        }
    }
}
