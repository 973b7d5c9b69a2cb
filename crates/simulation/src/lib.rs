//! A deterministic world for tests: what would be chance, time, network or disk follows from a printed seed.

mod random;

pub use random::{RUNS_VARIABLE, Random, SEED_VARIABLE, for_seeds};
