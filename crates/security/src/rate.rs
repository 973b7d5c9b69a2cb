//! How fast sign-ins may be tried: one bucket for each address and one for each user name.
//!
//! A bucket is kept as the time at which it would be full again (the generic cell rate algorithm, ITU-T I.371), so
//! that a full bucket needs no entry and memory is bounded: beyond [`MAX_BUCKETS`] the bucket nearest to full is
//! forgotten, which is never one that is holding somebody off while there are others.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use kernel::{Fault, Span, Timestamp};

/// How many buckets of one kind are remembered.
pub const MAX_BUCKETS: usize = 10_000;
/// Attempts an address may make at once.
pub const ADDRESS_BURST: u32 = 10;
/// How long until an address may make one more.
pub const ADDRESS_REFILL: Span = Span::from_secs(6);
/// Attempts on one user name that may be made at once, from wherever. Wider than an address's, so that one address
/// alone cannot keep a user out.
pub const USER_BURST: u32 = 30;
/// How long until one more attempt on a user name may be made.
pub const USER_REFILL: Span = Span::from_secs(4);

/// Token buckets by key.
#[derive(Clone, Debug)]
pub struct Limiter {
    burst: u32,
    refill: Span,
    capacity: usize,
    full_at: BTreeMap<String, Timestamp>,
    by_fullness: BTreeSet<(Timestamp, String)>,
}

/// The limits on signing in.
#[derive(Clone, Debug)]
pub struct SignInLimits {
    addresses: Limiter,
    users: Limiter,
}

/// Too fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many sign-in attempts; try again in {retry_after}")]
pub struct Limited {
    /// How long until the next attempt is taken. Whole seconds, rounded up.
    pub retry_after: Span,
}

// === impl Limiter ===

impl Limiter {
    /// Buckets that hold `burst` tokens and gain one every `refill`; at most `capacity` of them are remembered.
    pub fn new(burst: u32, refill: Span, capacity: usize) -> Self {
        let (full_at, by_fullness) = (BTreeMap::new(), BTreeSet::new());
        Self { burst: burst.max(1), refill, capacity: capacity.max(1), full_at, by_fullness }
    }

    /// How long until `key` has a token; zero when it has one now. Takes none.
    pub fn wait(&self, key: &str, now: Timestamp) -> Span {
        let Some(full_at) = self.full_at.get(key) else { return Span::ZERO };
        // After one more token is taken, the bucket is full `refill` later; that may be `burst * refill` away at most.
        let room = Span::from_nanos(self.refill.as_nanos().saturating_mul(u64::from(self.burst - 1)));
        full_at.since(now + room)
    }

    /// Takes a token of `key` if there is one.
    ///
    /// # Errors
    /// There is none; says when there will be.
    pub fn take(&mut self, key: &str, now: Timestamp) -> Result<(), Limited> {
        let wait = self.wait(key, now);
        if wait > Span::ZERO {
            return Err(Limited { retry_after: Span::from_secs(wait.as_nanos().div_ceil(1_000_000_000)) });
        }
        let full_at = self.full_at.get(key).map_or(now, |full_at| (*full_at).max(now)) + self.refill;
        self.forget(key);
        self.make_room(now);
        self.full_at.insert(key.to_owned(), full_at);
        self.by_fullness.insert((full_at, key.to_owned()));
        Ok(())
    }

    /// Fills `key`'s bucket.
    pub fn forget(&mut self, key: &str) {
        if let Some((key, full_at)) = self.full_at.remove_entry(key) {
            self.by_fullness.remove(&(full_at, key));
        }
    }

    /// How many buckets are remembered.
    pub fn len(&self) -> usize {
        self.full_at.len()
    }

    /// True when every bucket is full.
    pub fn is_empty(&self) -> bool {
        self.full_at.is_empty()
    }

    /// Drops every full bucket, and the fullest one if that is not enough for one more.
    fn make_room(&mut self, now: Timestamp) {
        while let Some((full_at, _)) = self.by_fullness.first() {
            if *full_at > now && self.full_at.len() < self.capacity {
                return;
            }
            if let Some((_, key)) = self.by_fullness.pop_first() {
                self.full_at.remove(&key);
            }
        }
    }
}

// === impl SignInLimits ===

impl Default for SignInLimits {
    fn default() -> Self {
        Self {
            addresses: Limiter::new(ADDRESS_BURST, ADDRESS_REFILL, MAX_BUCKETS),
            users: Limiter::new(USER_BURST, USER_REFILL, MAX_BUCKETS),
        }
    }
}

impl SignInLimits {
    /// Counts an attempt from `address` on `user` (none for a link), before the password is looked at.
    ///
    /// # Errors
    /// Either has made too many; nothing is counted then.
    pub fn attempt(&mut self, address: IpAddr, user: Option<&str>, now: Timestamp) -> Result<(), Limited> {
        let address = address_key(address);
        // An address that is held off anyway does not spend the user's tokens.
        if let Some(user) = user
            && self.addresses.wait(&address, now) == Span::ZERO
        {
            self.users.take(user_key(user), now)?;
        }
        self.addresses.take(&address, now)
    }

    /// The attempt was right: the address has its tokens back, so that many people behind one address do not hold
    /// each other off. The user's stay spent, because others may be trying meanwhile.
    pub fn succeeded(&mut self, address: IpAddr) {
        self.addresses.forget(&address_key(address));
    }
}

impl From<Limited> for Fault {
    fn from(limited: Limited) -> Self {
        Self::exhausted(limited.to_string(), limited.retry_after)
    }
}

/// IPv6 clients own whole /64 networks, so that is what counts as one address there.
fn address_key(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

/// Names that cannot be users' share one bucket, whatever their length.
fn user_key(user: &str) -> &str {
    if user.parse::<crate::identity::Name>().is_ok() { user } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_secs(1_000_000);

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn a_bucket_gives_its_burst_then_one_token_a_refill() {
        let mut limiter = Limiter::new(3, Span::from_secs(10), 100);
        let mut given = Vec::new();
        for second in 0..60 {
            while limiter.take("a", START + Span::from_secs(second)).is_ok() {
                given.push(second);
            }
        }
        assert_eq!(given, [0, 0, 0, 10, 20, 30, 40, 50]);
        // After a rest it is full again, and no fuller.
        let rested = START + Span::from_hours(1);
        assert_eq!((0..9).filter(|_| limiter.take("a", rested).is_ok()).count(), 3);
    }

    #[test]
    fn a_refusal_says_when_and_is_right() {
        let mut limiter = Limiter::new(1, Span::from_millis(2_500), 100);
        limiter.take("a", START).unwrap();
        let limited = limiter.take("a", START + Span::from_millis(200)).unwrap_err();
        assert_eq!(limited.retry_after, Span::from_secs(3), "2.3 s rounded up");
        assert!(limiter.take("a", START + Span::from_millis(200) + limited.retry_after).is_ok());
        let fault = Fault::from(limited);
        assert_eq!(fault.kind, kernel::FaultKind::Exhausted);
        assert_eq!(fault.retry_after, Some(Span::from_secs(3)));
    }

    #[test]
    fn memory_is_bounded_and_a_flood_of_names_frees_nobody() {
        let mut limiter = Limiter::new(5, Span::from_secs(10), 50);
        while limiter.take("admin", START).is_ok() {}
        for i in 0..10_000 {
            limiter.take(&format!("made-up-{i}"), START + Span::from_millis(i)).unwrap();
            assert!(limiter.len() <= 50);
        }
        assert!(limiter.take("admin", START + Span::from_secs(9)).is_err(), "still held off");
        // Full buckets are dropped as time goes on.
        limiter.take("late", START + Span::from_hours(1)).unwrap();
        assert_eq!(limiter.len(), 1);
        limiter.forget("late");
        assert!(limiter.is_empty());
    }

    #[test]
    fn one_address_cannot_keep_a_user_out() {
        let mut limits = SignInLimits::default();
        let tried = (0..1_000).filter(|_| limits.attempt(address(1), Some("ada"), START).is_ok()).count();
        assert_eq!(tried, ADDRESS_BURST as usize);
        assert_eq!(limits.attempt(address(2), Some("ada"), START), Ok(()));
        // Many addresses together are stopped by the user's bucket, and links do not count there.
        let spread = (3..200).filter(|i| limits.attempt(address(*i), Some("ada"), START).is_ok()).count();
        assert_eq!(spread, USER_BURST as usize - tried - 1);
        assert_eq!(limits.attempt(address(201), None, START), Ok(()));
        assert_eq!(limits.attempt(address(201), Some("grace"), START), Ok(()));
    }

    #[test]
    fn success_gives_the_address_its_tokens_back() {
        let mut limits = SignInLimits::default();
        for user in 0..100 {
            limits.attempt(address(1), Some(&format!("user-{user}")), START).unwrap();
            limits.succeeded(address(1));
        }
    }

    #[test]
    fn what_counts_as_one_address() {
        for (one, other, same) in [
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true),
            ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
        ] {
            let key = |text: &str| address_key(text.parse().unwrap());
            assert_eq!(key(one) == key(other), same, "{one} {other}");
        }
        assert_eq!(user_key(&"x".repeat(10_000)), user_key("Not A Name"));
    }
}
