//! Mutations of inputs: what a fuzz loop feeds to a parser. A function of the seed, so that a run can be repeated.

/// A small generator of pseudo-random numbers (splitmix64; Steele, Lea and Flood, 2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

// === impl Random ===

impl Random {
    /// The sequence that belongs to a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.number() % bound).unwrap_or(0)
    }

    /// One of the items.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }
}

/// Bytes that parsers stumble over.
const SPICE: &[&[u8]] = &[
    b"\0",
    b"\n",
    b"\r\n",
    b"\"",
    b"'",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b"((((((((",
    b"))))))))",
    b"{{{{{{{{",
    b"- - - -",
    b": ",
    b"#",
    b"&a",
    b"*a",
    b"<<: ",
    b"0x",
    b"1e999",
    b"-0",
    b"NaN",
    b"Inf",
    b"9223372036854775808",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    "\u{feff}".as_bytes(),
    "\u{202e}".as_bytes(),
    b"null",
    b"$ref",
    b"5m",
    b"@",
    b" by ",
    b" offset ",
];

/// Longest input that is made.
const LONGEST: usize = 16 * 1024;

/// A new input: one of the corpus, changed at one to eight places.
pub fn mutate(random: &mut Random, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut input = random.pick(corpus).cloned().unwrap_or_default();
    for _ in 0..=random.below(8) {
        change(random, &mut input, corpus);
    }
    input.truncate(LONGEST);
    input
}

fn change(random: &mut Random, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
    let at = random.below(input.len() + 1);
    let end = at + random.below((input.len() - at).min(32) + 1);
    match random.below(7) {
        0 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        1 => {
            input.drain(at..end);
        }
        2 => {
            let copy: Vec<u8> = input.get(at..end).unwrap_or_default().to_vec();
            let times = 1 + random.below(64);
            input.splice(at..at, copy.repeat(times));
        }
        3 => {
            let spice = random.pick(SPICE).copied().unwrap_or_default();
            input.splice(at..at, spice.iter().copied());
        }
        4 => {
            let spice = random.pick(SPICE).copied().unwrap_or_default();
            input.splice(at..end, spice.iter().copied());
        }
        5 => {
            let other = random.pick(corpus).map(Vec::as_slice).unwrap_or_default();
            let from = random.below(other.len() + 1);
            input.truncate(at);
            input.extend_from_slice(other.get(from..).unwrap_or_default());
        }
        _ => input.truncate(at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_run_and_another_differs() {
        let corpus = vec![b"sum(rate(x[5m]))".to_vec(), b"flag: on".to_vec()];
        let run = |seed| {
            let mut random = Random::new(seed);
            (0..100).map(|_| mutate(&mut random, &corpus)).collect::<Vec<_>>()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
        assert!(run(3).iter().all(|input| input.len() <= LONGEST));
    }
}
