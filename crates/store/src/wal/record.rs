//! One record of the write-ahead log: 32 bytes of header, then a payload. Byte by byte in docs/formats/wal.md.

use std::borrow::Cow;

use crate::cursor::Cursor;

/// The first four bytes of a record; a reader that lost its place looks for them.
pub(crate) const MAGIC: [u8; 4] = *b"MREC";
/// Bytes of a header.
pub(crate) const HEADER: usize = 32;
/// The longest payload that a reader believes.
pub(crate) const MAX_PAYLOAD: usize = 1 << 30;
/// Payloads shorter than this are not worth compressing.
const COMPRESS_FROM: usize = 128;

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Series and float samples.
    Floats,
    /// The log was closed in order; empty.
    Closed,
}

/// A payload ready to be numbered and written.
pub(crate) struct Prepared {
    kind: Kind,
    compressed: bool,
    payload: Vec<u8>,
    payload_crc: u32,
}

/// A record as read.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    pub kind: Kind,
    pub lsn: u64,
    /// The last number known to be durable when this record was made.
    pub durable: u64,
    pub payload: Cow<'a, [u8]>,
}

/// Why there is no record at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// The bytes end within it.
    Torn,
    /// Its checksum is wrong, or it says something impossible.
    Damaged(&'static str),
}

impl Kind {
    const fn byte(self) -> u8 {
        match self {
            Self::Floats => 1,
            Self::Closed => 255,
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Floats),
            255 => Some(Self::Closed),
            _ => None,
        }
    }
}

impl Prepared {
    /// Compresses and checksums `payload`; the part that needs no lock.
    pub(crate) fn new(kind: Kind, payload: Vec<u8>) -> Self {
        let packed =
            (payload.len() >= COMPRESS_FROM).then(|| lz4_flex::block::compress_prepend_size(&payload));
        let (compressed, payload) = match packed {
            Some(packed) if packed.len() < payload.len() => (true, packed),
            _ => (false, payload),
        };
        let payload_crc = crc32c::crc32c(&payload);
        Self { kind, compressed, payload, payload_crc }
    }

    /// Appends the record to `out`.
    pub(crate) fn write(&self, lsn: u64, durable: u64, out: &mut Vec<u8>) {
        let mut tail = [0_u8; 20];
        let fields = lsn
            .to_le_bytes()
            .into_iter()
            .chain(durable.to_le_bytes())
            .chain([self.kind.byte(), u8::from(self.compressed)]);
        tail.iter_mut().zip(fields).for_each(|(slot, byte)| *slot = byte);
        let crc = crc32c::crc32c_append(self.payload_crc, &tail);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&(self.payload.len() as u32).to_le_bytes());
        out.extend_from_slice(&crc.to_le_bytes());
        out.extend_from_slice(&tail);
        out.extend_from_slice(&self.payload);
    }
}

/// Reads the record at the start of `bytes`; gives it and its length.
pub(crate) fn read(bytes: &[u8]) -> Result<(Record<'_>, usize), Unreadable> {
    let mut cursor = Cursor(bytes);
    let torn = |_| Unreadable::Torn;
    if cursor.bytes(4).map_err(torn)? != MAGIC {
        return Err(Unreadable::Damaged("no record begins here"));
    }
    let length = cursor.u32().map_err(torn)? as usize;
    let crc = cursor.u32().map_err(torn)?;
    let tail = cursor.bytes(20).map_err(torn)?;
    if length > MAX_PAYLOAD {
        return Err(Unreadable::Damaged("the record's length is impossible"));
    }
    let payload = cursor.bytes(length).map_err(torn)?;
    if crc32c::crc32c_append(crc32c::crc32c(payload), tail) != crc {
        return Err(Unreadable::Damaged("the record's checksum is wrong"));
    }
    let mut fields = Cursor(tail);
    let lsn = fields.u64().map_err(torn)?;
    let durable = fields.u64().map_err(torn)?;
    let kind = fields.u8().map_err(torn)?;
    let compressed = fields.u8().map_err(torn)?;
    let kind = Kind::from_byte(kind).ok_or(Unreadable::Damaged("the record's kind is unknown"))?;
    let payload = if compressed == 1 { unpack(payload)? } else { Cow::Borrowed(payload) };
    Ok((Record { kind, lsn, durable, payload }, HEADER + length))
}

fn unpack(payload: &[u8]) -> Result<Cow<'_, [u8]>, Unreadable> {
    let damaged = Unreadable::Damaged("the record does not decompress");
    let size = payload.split_first_chunk::<4>().map(|(size, _)| u32::from_le_bytes(*size) as usize);
    if size.is_none_or(|size| size > MAX_PAYLOAD) {
        return Err(damaged);
    }
    lz4_flex::block::decompress_size_prepended(payload).map(Cow::Owned).map_err(|_| damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_and_no_changed_bit_is_taken() {
        for payload in [Vec::new(), b"short".to_vec(), vec![7; 5000]] {
            let mut bytes = Vec::new();
            Prepared::new(Kind::Floats, payload.clone()).write(42, 41, &mut bytes);
            let (record, length) = read(&bytes).unwrap();
            assert_eq!(
                (record.kind, record.lsn, record.durable, length),
                (Kind::Floats, 42, 41, bytes.len())
            );
            assert_eq!(record.payload.as_ref(), payload);
            for bit in 0..bytes.len() * 8 {
                let mut changed = bytes.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                assert!(read(&changed).is_err(), "bit {bit} of {} bytes", bytes.len());
            }
            for end in 0..bytes.len() {
                assert_eq!(read(&bytes[..end]).err(), Some(Unreadable::Torn), "{end}");
            }
        }
    }
}
