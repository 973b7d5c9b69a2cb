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

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: DigestKey = DigestKey::new([7; 32]);

    #[test]
    fn the_rules() {
        let long = "å".repeat(512);
        for (text, expected) in [
            ("correct horse", None),
            ("åäöåäöåäöå", None),
            ("123456789", Some(WeakPassword::Short)),
            ("ååååååååå", Some(WeakPassword::Short)),
            ("aaaaaaaaaaaa", Some(WeakPassword::Repeated)),
            ("Ada.Lovelace", Some(WeakPassword::UserName)),
            (&format!("{}b", "a".repeat(1023)), None),
            (&format!("{long}b"), Some(WeakPassword::Long)),
        ] {
            assert_eq!(Password::new(text, "ada.lovelace").err(), expected, "{text:.20}");
        }
    }

    #[test]
    fn a_password_verifies_only_as_itself_and_only_with_the_key() {
        let hash = Password::new("correct horse", "ada").unwrap().hash([1; SALT_BYTES], &KEY).unwrap();
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.as_str());
        let other = DigestKey::new([8; 32]);
        let overlong = "correct horse".repeat(100);
        for (stored, attempt, key, expected) in [
            (Some(&hash), "correct horse", &KEY, Verdict::Right),
            (Some(&hash), "correct hors", &KEY, Verdict::Wrong),
            (Some(&hash), "", &KEY, Verdict::Wrong),
            (Some(&hash), "correct horse", &other, Verdict::Wrong),
            (Some(&hash), &overlong, &KEY, Verdict::Wrong),
            (None, "correct horse", &KEY, Verdict::Wrong),
            (Some(&PasswordHash("$argon2id$nonsense".to_owned())), "correct horse", &KEY, Verdict::Wrong),
            (Some(&PasswordHash(String::new())), "", &KEY, Verdict::Wrong),
        ] {
            assert_eq!(PasswordHash::verify(stored, attempt, key), expected, "{stored:?} {attempt:.20}");
        }
    }

    #[test]
    fn a_weaker_hash_verifies_and_asks_to_be_renewed() {
        let pepper = KEY.pepper();
        for (algorithm, memory, passes, expected) in [
            (Algorithm::Argon2id, MEMORY_KIB, PASSES, Verdict::Right),
            (Algorithm::Argon2id, 64, PASSES, Verdict::RightButStale),
            (Algorithm::Argon2id, MEMORY_KIB, 1, Verdict::RightButStale),
            (Algorithm::Argon2i, MEMORY_KIB, PASSES, Verdict::RightButStale),
        ] {
            let params = Params::new(memory, passes, LANES, None).unwrap();
            let argon2 = Argon2::new_with_secret(&pepper, algorithm, Version::V0x13, params).unwrap();
            let stored = argon2.hash_password_with_salt(b"correct horse", &[3; SALT_BYTES]).unwrap();
            let stored = PasswordHash(stored.to_string());
            assert_eq!(
                PasswordHash::verify(Some(&stored), "correct horse", &KEY),
                expected,
                "{memory} {passes}"
            );
            assert_eq!(PasswordHash::verify(Some(&stored), "wrong horse", &KEY), Verdict::Wrong);
        }
    }

    #[test]
    fn hashes_are_hidden_in_debug_output() {
        let password = Password::new("correct horse", "ada").unwrap();
        let hash = PasswordHash("$argon2id$…".to_owned());
        for shown in [format!("{password:?}"), format!("{hash:?}"), format!("{KEY:?}")] {
            assert!(!shown.contains("horse") && !shown.contains("argon2") && !shown.contains('7'), "{shown}");
        }
    }
}
