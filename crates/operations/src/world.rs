//! Where time and randomness come from.

use std::sync::Arc;

use kernel::Timestamp;

type Clock = dyn Fn() -> Timestamp + Send + Sync;
type Random = dyn Fn(&mut [u8]) + Send + Sync;

/// The clock and the source of random bytes, held by a test or by the machine.
#[derive(Clone)]
pub struct World {
    now: Arc<Clock>,
    random: Arc<Random>,
}

impl World {
    /// From a clock and a source of random bytes.
    pub fn new(
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
        random: impl Fn(&mut [u8]) + Send + Sync + 'static,
    ) -> Self {
        Self { now: Arc::new(now), random: Arc::new(random) }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        (self.now)()
    }

    /// Thirty-two random bytes.
    pub fn random(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        (self.random)(&mut bytes);
        bytes
    }

    /// A short identifier: 80 random bits, in lower-case Crockford base 32 (16 characters).
    pub fn id(&self) -> String {
        const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
        let mut bytes = [0; 16];
        (self.random)(&mut bytes);
        bytes.iter().filter_map(|b| ALPHABET.get(usize::from(b & 31))).map(|c| char::from(*c)).collect()
    }
}
