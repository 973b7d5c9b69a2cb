//! Numbers that look random and follow from a seed, and the seeds themselves.
//!
//! Not for secrets. The generator is xoshiro256** (Blackman and Vigna, 2018), seeded through SplitMix64.

/// A generator; the same seed gives the same numbers on every machine.
#[derive(Clone, Debug)]
pub struct Random {
    state: [u64; 4],
}

/// The environment variable that names the one seed to run.
pub const SEED_VARIABLE: &str = "SIMULATION_SEED";
/// The environment variable that says how many seeds to run instead of a test's own number.
pub const RUNS_VARIABLE: &str = "SIMULATION_RUNS";

/// Calls `run` with `runs` different seeds and prints each before it is used, so that a failure shows the seed last.
/// `SIMULATION_SEED=n` runs that one only, `SIMULATION_RUNS=n` runs more or fewer.
pub fn for_seeds(name: &str, runs: u64, mut run: impl FnMut(u64)) {
    let variable = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match variable(SEED_VARIABLE) {
        Some(seed) => seed..seed.saturating_add(1),
        None => 0..variable(RUNS_VARIABLE).unwrap_or(runs),
    };
    for seed in seeds {
        println!("{name}: {SEED_VARIABLE}={seed}");
        run(seed);
    }
}

// === impl Random ===

impl Random {
    /// The generator of `seed`.
    pub fn new(seed: u64) -> Self {
        let mut mixed = seed;
        let mut next = || {
            mixed = mixed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        Self { state: [next(), next(), next(), next()] }
    }

    /// Sixty-four bits.
    pub fn bits(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        result
    }

    /// From 0 up to but not including `end`; 0 when `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        // The high half of a product is uniform but for a bias of end / 2^64.
        let product = u128::from(self.bits()) * u128::from(end);
        u64::try_from(product >> 64).unwrap_or(0)
    }

    /// From `low` up to and including `high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// [`Random::below`] for indexes.
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or(0)
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        // 53 bits are what a double can tell apart.
        const UNIT: f64 = 1.0 / (1_u64 << 53) as f64;
        ((self.bits() >> 11) as f64) * UNIT < p
    }

    /// One of `items`; nothing from an empty slice.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.index(items.len()))
    }

    /// Another generator whose numbers are independent of what this one gives later.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self::new(self.bits())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_for_ever() {
        let mut random = Random::new(42);
        let first: Vec<u64> = (0..4).map(|_| random.below(1_000)).collect();
        let mut again = Random::new(42);
        assert_eq!((0..4).map(|_| again.below(1_000)).collect::<Vec<_>>(), first);
        assert_ne!((0..4).map(|_| Random::new(43).below(1_000)).collect::<Vec<_>>(), first);
    }

    #[test]
    fn numbers_stay_in_bounds_and_cover_them() {
        let mut random = Random::new(7);
        let mut seen = [0_u32; 6];
        for _ in 0..6_000 {
            seen[random.index(6)] += 1;
            assert!((3..=5).contains(&random.between(3, 5)));
        }
        assert!(seen.iter().all(|count| (800..1_200).contains(count)), "{seen:?}");
        let heads = (0..10_000).filter(|_| random.chance(0.25)).count();
        assert!((2_300..2_700).contains(&heads), "{heads}");
        assert_eq!((random.below(0), random.pick::<u8>(&[])), (0, None));
        assert!(!random.chance(0.0) && random.chance(1.0));
    }
}
