//! Floats that are not decimals: each is XORed with the one before it and the non-zero middle written.
//!
//! The first value takes 64 bits. Then per value: `0`, the same as before; `10`, the middle fits the previous window and is
//! written in its width; `11`, five bits of leading zeros (at most 31), six of width − 1, and the middle.
//! Source: Pelkonen et al., "Gorilla: A Fast, Scalable, In-Memory Time Series Database", VLDB 2015, §4.1.3.

use super::ChunkError;
use super::bits::{BitReader, BitWriter};

/// The most leading zeros that a window states.
const MAX_LEADING: u32 = 31;

/// Appends `values` to `out`.
pub(super) fn encode(values: &[f64], out: &mut Vec<u8>) {
    let mut writer = BitWriter::new(out);
    let mut previous: Option<u64> = None;
    let (mut leading, mut width) = (0, 64);
    let mut window = false;
    for value in values {
        let bits = value.to_bits();
        let Some(before) = previous.replace(bits) else {
            writer.write(bits, 64);
            continue;
        };
        let changed = bits ^ before;
        if changed == 0 {
            writer.write(0, 1);
            continue;
        }
        let first = changed.leading_zeros().min(MAX_LEADING);
        let trailing = changed.trailing_zeros();
        let needed = 64 - first - trailing;
        let shift = 64 - leading - width;
        // A much wider window than needed costs more than stating a new one does.
        if window && first >= leading && trailing >= shift && width <= needed + 11 {
            writer.write(0b01, 2);
            writer.write(changed >> shift, width);
        } else {
            (leading, width, window) = (first, needed, true);
            writer.write(0b11, 2);
            writer.write(u64::from(leading), 5);
            writer.write(u64::from(width - 1), 6);
            writer.write(changed >> trailing, width);
        }
    }
    writer.finish();
}

/// Decodes `count` values from all of `bytes`, appending to `out`.
pub(super) fn decode(bytes: &[u8], count: usize, out: &mut Vec<f64>) -> Result<(), ChunkError> {
    if count == 0 {
        return Ok(());
    }
    let mut reader = BitReader::new(bytes);
    let start = out.len();
    let mut bits = reader.read(64);
    let (mut leading, mut width) = (0_u32, 64_u32);
    out.push(f64::from_bits(bits));
    for _ in 1..count {
        if reader.read(1) == 1 {
            if reader.read(1) == 1 {
                leading = reader.read(5) as u32;
                width = reader.read(6) as u32 + 1;
            }
            let Some(shift) = 64_u32.checked_sub(leading + width) else {
                out.truncate(start);
                return Err(ChunkError::Invalid("a window is wider than a float"));
            };
            bits ^= reader.read(width) << shift;
        }
        out.push(f64::from_bits(bits));
    }
    if let Err(error) = reader.end() {
        out.truncate(start);
        return Err(error);
    }
    Ok(())
}
