//! Bits in and out of bytes, least significant bit first, and the two integer forms that chunks are made of.

use super::ChunkError;

/// Appends bits to a byte vector. Call [`BitWriter::finish`], or the last bits are lost.
pub(super) struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    /// Bits not yet written, the oldest in the lowest place; fewer than 64.
    held: u64,
    count: u32,
}

/// Reads what a [`BitWriter`] wrote. Past the end it reads zeros and remembers that it did.
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    held: u64,
    count: u32,
    overrun: u32,
}

// === impl BitWriter ===

impl<'a> BitWriter<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, held: 0, count: 0 }
    }

    /// Writes the lowest `bits` bits of `value`, at most 64 of them; the others must be zero.
    pub(super) fn write(&mut self, value: u64, bits: u32) {
        if bits == 0 {
            return;
        }
        self.held |= value << self.count;
        let total = self.count + bits;
        if total < 64 {
            self.count = total;
            return;
        }
        self.out.extend_from_slice(&self.held.to_le_bytes());
        let written = 64 - self.count;
        self.held = if written < 64 { value >> written } else { 0 };
        self.count = total - 64;
    }

    /// Writes the held bits, filled up with zeros to a byte.
    pub(super) fn finish(self) {
        let bytes = self.held.to_le_bytes();
        let used = self.count.div_ceil(8) as usize;
        self.out.extend(bytes.iter().take(used));
    }
}

// === impl BitReader ===

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, held: 0, count: 0, overrun: 0 }
    }

    /// Makes at least 56 bits available, as zeros when there are no more bytes.
    fn refill(&mut self) {
        if let Some((word, _)) = self.bytes.split_first_chunk::<8>() {
            self.held |= u64::from_le_bytes(*word) << self.count;
            let taken = (63 - self.count) / 8;
            self.bytes = self.bytes.get(taken as usize..).unwrap_or_default();
            self.count += taken * 8;
            return;
        }
        while self.count <= 56 {
            match self.bytes.split_first() {
                Some((byte, rest)) => {
                    self.held |= u64::from(*byte) << self.count;
                    self.bytes = rest;
                }
                None => self.overrun += 8,
            }
            self.count += 8;
        }
    }

    /// The next `bits` bits, at most 64.
    pub(super) fn read(&mut self, bits: u32) -> u64 {
        if bits > 56 {
            let low = self.read(32);
            return low | (self.read(bits - 32) << 32);
        }
        if self.count < bits {
            self.refill();
        }
        let value = self.held & ((1 << bits) - 1);
        self.held >>= bits;
        self.count -= bits;
        value
    }

    /// Counts zeros up to the next one bit and consumes both; stops at `most` zeros, at most 32, without a one bit.
    pub(super) fn zeros(&mut self, most: u32) -> u32 {
        if self.count <= most {
            self.refill();
        }
        let zeros = self.held.trailing_zeros().min(most);
        let used = if zeros == most { most } else { zeros + 1 };
        self.held >>= used;
        self.count -= used;
        zeros
    }

    /// Whether only bits that were written have been read, up to the padding of the last byte.
    pub(super) fn end(&self) -> Result<(), ChunkError> {
        // Bits made up and not consumed are still held.
        if self.overrun > self.count { Err(ChunkError::Truncated) } else { Ok(()) }
    }
}

// === public functions ===

/// Small magnitudes of either sign to small unsigned numbers: 0, −1, 1, −2 … to 0, 1, 2, 3 …
pub(super) const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

/// The inverse of [`zigzag`].
pub(super) const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

/// Appends `value` in groups of seven bits, lowest first, the top bit saying that more follow (LEB128).
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Takes a LEB128 number off the front of `bytes`.
pub(super) fn take_varint(bytes: &mut &[u8]) -> Result<u64, ChunkError> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(ChunkError::Truncated)?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(ChunkError::Invalid("a number is longer than 64 bits"))
}

/// Takes `count` bytes off the front of `bytes`.
pub(super) fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8], ChunkError> {
    let (head, rest) = bytes.split_at_checked(count).ok_or(ChunkError::Truncated)?;
    *bytes = rest;
    Ok(head)
}

/// Takes eight bytes, little-endian.
pub(super) fn take_u64(bytes: &mut &[u8]) -> Result<u64, ChunkError> {
    let (head, rest) = bytes.split_first_chunk::<8>().ok_or(ChunkError::Truncated)?;
    *bytes = rest;
    Ok(u64::from_le_bytes(*head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_come_back_in_order() {
        let fields = [(1, 1), (0, 3), (u64::MAX, 64), (5, 3), (0x1234_5678_9abc, 57), (0, 64), (1, 1)];
        let mut out = vec![0xaa];
        let mut writer = BitWriter::new(&mut out);
        for (value, bits) in fields {
            writer.write(value, bits);
        }
        writer.finish();
        let mut reader = BitReader::new(&out[1..]);
        for (value, bits) in fields {
            assert_eq!(reader.read(bits), value, "{bits}");
        }
        assert_eq!(reader.end(), Ok(()));
        let _ = reader.read(32);
        assert_eq!(reader.end(), Err(ChunkError::Truncated));
    }

    #[test]
    fn numbers_keep_their_value() {
        for value in [0, 1, -1, 63, -64, 64, i64::MAX, i64::MIN, 1_795_461_300_250] {
            assert_eq!(unzigzag(zigzag(value)), value);
            let mut out = Vec::new();
            put_varint(&mut out, zigzag(value));
            let mut rest = out.as_slice();
            assert_eq!((take_varint(&mut rest), rest.len()), (Ok(zigzag(value)), 0));
        }
        assert!(take_varint(&mut [0xff_u8; 11].as_slice()).is_err());
        assert_eq!(take_varint(&mut [0x80_u8].as_slice()), Err(ChunkError::Truncated));
    }
}
