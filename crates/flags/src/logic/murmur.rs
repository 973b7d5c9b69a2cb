//! MurmurHash3, x86, 32 bits, over a key that arrives in pieces. Source: Austin Appleby's public domain MurmurHash3.cpp.

const C1: u32 = 0xcc9e_2d51;
const C2: u32 = 0x1b87_3593;

/// The hash of the pieces written so far, as if they were one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Murmur3 {
    state: u32,
    /// Bytes that do not fill a block yet, lowest first.
    tail: u32,
    tail_len: u32,
    total: u32,
}

// === impl Murmur3 ===

impl Murmur3 {
    /// An empty key with a seed.
    pub(crate) const fn new(seed: u32) -> Self {
        Self { state: seed, tail: 0, tail_len: 0, total: 0 }
    }

    /// Appends bytes to the key.
    pub(crate) fn write(&mut self, mut bytes: &[u8]) {
        // The length enters the hash modulo 2³², as in the reference.
        self.total = self.total.wrapping_add(bytes.len() as u32);
        while self.tail_len != 0 {
            let Some((first, rest)) = bytes.split_first() else { return };
            self.push(*first);
            bytes = rest;
        }
        let (blocks, rest) = bytes.as_chunks::<4>();
        for block in blocks {
            self.block(u32::from_le_bytes(*block));
        }
        for byte in rest {
            self.push(*byte);
        }
    }

    /// The hash.
    pub(crate) const fn finish(self) -> u32 {
        let mut h = self.state;
        if self.tail_len != 0 {
            h ^= scramble(self.tail);
        }
        h ^= self.total;
        h ^= h >> 16;
        h = h.wrapping_mul(0x85eb_ca6b);
        h ^= h >> 13;
        h = h.wrapping_mul(0xc2b2_ae35);
        h ^ (h >> 16)
    }

    fn push(&mut self, byte: u8) {
        self.tail |= u32::from(byte) << (8 * self.tail_len);
        self.tail_len += 1;
        if self.tail_len == 4 {
            let full = self.tail;
            self.tail = 0;
            self.tail_len = 0;
            self.block(full);
        }
    }

    const fn block(&mut self, block: u32) {
        self.state = (self.state ^ scramble(block)).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
}

const fn scramble(k: u32) -> u32 {
    k.wrapping_mul(C1).rotate_left(15).wrapping_mul(C2)
}

#[cfg(test)]
mod tests {
    use super::Murmur3;

    fn check(pieces: &[&str], seed: u32, expected: u32) {
        let mut hash = Murmur3::new(seed);
        for piece in pieces {
            hash.write(piece.as_bytes());
        }
        assert_eq!(hash.finish(), expected, "{pieces:?} seed {seed}");
    }

    #[test]
    fn published_vectors_hold_however_the_key_is_cut() {
        check(&[""], 0, 0);
        check(&[""], 1, 0x514e_28b7);
        check(&["", ""], 0xffff_ffff, 0x81f1_6f39);
        check(&["test"], 0, 0xba6b_d213);
        check(&["te", "st"], 0x9747_b28c, 0x704b_81dc);
        check(&["Hello, world!"], 0, 0xc036_3e43);
        check(&["Hel", "lo, wor", "ld!"], 0, 0xc036_3e43);
        check(&["The quick brown fox", " jumps over the lazy dog"], 0x9747_b28c, 0x2fa8_26cd);
        // The critical values that flagd's own suite names.
        check(&["ejOoVL"], 0, 0);
        check(&["bY9", "fO-"], 0, 1);
        check(&["SI7p-"], 0, 0x7fff_ffff);
        check(&["6LvT0"], 0, 0x8000_0000);
        check(&["ceQdGm"], 0, u32::MAX);
    }
}
