//! Passwords: what may be one, how it is kept, how one is checked.
//!
//! Kept as Argon2id in PHC string form with m = 19 MiB, t = 2, p = 1 (the OWASP Password Storage Cheat Sheet's
//! minimum), keyed with the installation's key: whoever reads a hash without the key cannot try words against it.
//! One hash takes some tens of milliseconds and 19 MiB, so callers bound how many run at once and hold no lock.

use std::fmt;

use argon2::password_hash::{CustomizedPasswordHasher as _, PasswordHasher as _, phc};
use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use super::secret::DigestKey;

/// Shortest password, in characters.
pub const MIN_PASSWORD: usize = 10;
/// Longest password, in bytes. Bounds what a sign-in attempt can make us read.
pub const MAX_PASSWORD: usize = 1024;
/// Argon2id memory, in KiB.
pub const MEMORY_KIB: u32 = 19 * 1024;
/// Argon2id passes.
pub const PASSES: u32 = 2;
/// Argon2id lanes.
pub const LANES: u32 = 1;
/// Bytes of salt.
pub const SALT_BYTES: usize = 16;

/// A password that follows the rules. Its `Debug` form hides it.
pub struct Password(String);

/// What is kept of a password: an Argon2id PHC string.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PasswordHash(String);

/// Why a password was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// Under [`MIN_PASSWORD`] characters.
    #[error("a password has at least 10 characters; a few words are good")]
    Short,
    /// Over [`MAX_PASSWORD`] bytes.
    #[error("a password has at most 1024 bytes")]
    Long,
    /// The user's name, or hardly more than it.
    #[error("the password must not be the user's name")]
    UserName,
    /// One character again and again.
    #[error("a password is more than one character repeated")]
    Repeated,
}

/// What checking a password found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the one.
    Right,
    /// It is the one, but its hash is weaker than today's settings: make a new one while the password is at hand.
    RightButStale,
    /// It is not, or nobody has such a password.
    Wrong,
}

/// Argon2 refused its parameters; they are constants, so this is our mistake.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("hashing a password failed: {0}")]
pub struct HashingFailed(String);

// === impl Password ===

impl Password {
    /// Checks the rules: length, not `user`, not one character repeated.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn new(text: impl Into<String>, user: &str) -> Result<Self, WeakPassword> {
        let text = text.into();
        if text.len() > MAX_PASSWORD {
            return Err(WeakPassword::Long);
        }
        let mut characters = text.chars();
        let first = characters.next();
        if text.chars().count() < MIN_PASSWORD {
            return Err(WeakPassword::Short);
        }
        if characters.all(|c| Some(c) == first) {
            return Err(WeakPassword::Repeated);
        }
        if text.trim().eq_ignore_ascii_case(user) {
            return Err(WeakPassword::UserName);
        }
        Ok(Self(text))
    }

    /// What to keep of it. `salt` is random.
    ///
    /// # Errors
    /// Argon2 refused its parameters.
    pub fn hash(&self, salt: [u8; SALT_BYTES], key: &DigestKey) -> Result<PasswordHash, HashingFailed> {
        let pepper = key.pepper();
        let hash = argon2(&pepper)
            .and_then(|argon2| argon2.hash_password_with_salt(self.0.as_bytes(), &salt))
            .map_err(|error| HashingFailed(error.to_string()))?;
        Ok(PasswordHash(hash.to_string()))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

// === impl PasswordHash ===

impl PasswordHash {
    /// Whether `attempt` is the password kept as `stored`. With nothing stored the answer is [`Verdict::Wrong`] after
    /// the same work, so that how long it takes does not tell which users exist.
    pub fn verify(stored: Option<&Self>, attempt: &str, key: &DigestKey) -> Verdict {
        if attempt.len() > MAX_PASSWORD {
            return Verdict::Wrong;
        }
        let pepper = key.pepper();
        let Ok(argon2) = argon2(&pepper) else { return Verdict::Wrong };
        let Some(stored) = stored.and_then(|hash| phc::PasswordHash::new(&hash.0).ok()) else {
            let spent = argon2.hash_password_with_salt(attempt.as_bytes(), &[0; SALT_BYTES]);
            std::hint::black_box(spent.is_ok());
            return Verdict::Wrong;
        };
        let (Some(salt), Some(expected), Ok(params)) = (stored.salt, stored.hash, Params::try_from(&stored))
        else {
            return Verdict::Wrong;
        };
        let current = Some(stored.algorithm) == phc::Ident::new("argon2id").ok()
            && params.m_cost() >= MEMORY_KIB
            && params.t_cost() >= PASSES;
        let computed = argon2.hash_password_customized(
            attempt.as_bytes(),
            &salt,
            Some(stored.algorithm.as_str()),
            stored.version,
            params,
        );
        match computed.ok().and_then(|hash| hash.hash) {
            Some(found) if bool::from(found.as_bytes().ct_eq(expected.as_bytes())) => {
                if current {
                    Verdict::Right
                } else {
                    Verdict::RightButStale
                }
            }
            _ => Verdict::Wrong,
        }
    }

    /// The PHC string, as it is kept.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

fn argon2(pepper: &[u8]) -> Result<Argon2<'_>, argon2::password_hash::Error> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)?;
    Ok(Argon2::new_with_secret(pepper, Algorithm::Argon2id, Version::V0x13, params)?)
}
