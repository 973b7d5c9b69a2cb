//! Secrets that Mainstay hands out (tokens, session ids, one-time links), and what it keeps of them.
//!
//! A secret is written `mst_…`, `mss_…` or `msl_…`: the kind, then 27 bytes in base64url, of which 24 are random
//! (192 bits) and 3 are a check over kind and random part. The check lets a truncated or mistyped secret be told from
//! a revoked one and lets secret scanners recognise ours offline; it proves nothing.
//!
//! Only HMAC-SHA256 of a secret under the installation's key is kept. Looking one up is a search by that digest:
//! since nobody without the key can choose or predict digests, how long the search takes tells nothing about others.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Random bytes in a secret.
pub const SECRET_BYTES: usize = 24;
/// Bytes of check after the random ones.
const CHECK_BYTES: usize = 3;
/// Characters of a written secret after its prefix.
const BODY_CHARS: usize = (SECRET_BYTES + CHECK_BYTES) * 4 / 3;

/// What a secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretKind {
    /// A bearer token: `mst_…`.
    Token,
    /// A session id, in a cookie: `mss_…`.
    Session,
    /// A one-time sign-in link: `msl_…`.
    Link,
}

/// A secret, known only to whoever it was shown to. Its `Debug` form hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    kind: SecretKind,
    text: String,
}

/// What is kept of a secret: HMAC-SHA256 under the installation's key. Written as hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

/// The installation's key for digests and password hashes: 32 random bytes, kept beside the ledger, never in it.
/// Without it no token, session or password verifies.
#[derive(Clone)]
pub struct DigestKey([u8; 32]);

/// Names a token in commands and lists; not secret. Written `tok_` and 16 hex digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenId(pub String);

/// Names a session in commands and lists; not secret. Written `ses_` and 16 hex digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(pub String);

/// Text that is not a secret of the wanted kind. Says why without repeating the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSecret {
    /// It does not start as this kind does.
    #[error("this is not a {what}: it should start with {prefix:?}")]
    Prefix {
        /// What was wanted, in words.
        what: &'static str,
        /// How it starts.
        prefix: &'static str,
    },
    /// Too short or too long.
    #[error("this {what} has {found} characters instead of {wanted}; was it copied whole?")]
    Length {
        /// What was wanted, in words.
        what: &'static str,
        /// Characters found.
        found: usize,
        /// Characters a whole one has.
        wanted: usize,
    },
    /// Right length, but not ours: a character was changed.
    #[error("this {what} is mistyped: its check does not match")]
    Check {
        /// What was wanted, in words.
        what: &'static str,
    },
}

// === impl SecretKind ===

impl SecretKind {
    /// How a secret of this kind starts.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Token => "mst_",
            Self::Session => "mss_",
            Self::Link => "msl_",
        }
    }

    const fn what(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Session => "session id",
            Self::Link => "sign-in link",
        }
    }
}

// === impl Secret ===

impl Secret {
    /// A new secret from random bytes, which must come from the operating system's generator.
    pub fn mint(kind: SecretKind, random: [u8; SECRET_BYTES]) -> Self {
        let mut body = [0; SECRET_BYTES + CHECK_BYTES];
        let (left, right) = body.split_at_mut(SECRET_BYTES);
        left.copy_from_slice(&random);
        right.copy_from_slice(&check(kind, &random));
        Self { kind, text: format!("{}{}", kind.prefix(), URL_SAFE_NO_PAD.encode(body)) }
    }

    /// Reads a secret somebody sent. White space around it is dropped.
    ///
    /// # Errors
    /// Another kind's prefix, not whole, or mistyped. A secret that parses need not exist.
    pub fn parse(kind: SecretKind, text: &str) -> Result<Self, InvalidSecret> {
        let (text, what) = (text.trim(), kind.what());
        let prefix = kind.prefix();
        let body = text.strip_prefix(prefix).ok_or(InvalidSecret::Prefix { what, prefix })?;
        let found = body.chars().count();
        if found != BODY_CHARS {
            let written = prefix.len();
            return Err(InvalidSecret::Length { what, found: found + written, wanted: BODY_CHARS + written });
        }
        let bytes = URL_SAFE_NO_PAD.decode(body).map_err(|_| InvalidSecret::Check { what })?;
        match bytes.split_at_checked(SECRET_BYTES) {
            Some((random, sum)) if sum == check(kind, random) => Ok(Self { kind, text: text.to_owned() }),
            _ => Err(InvalidSecret::Check { what }),
        }
    }

    /// What it is for.
    pub fn kind(&self) -> SecretKind {
        self.kind
    }

    /// The secret itself, for the one who is to have it. Never log it.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// What is kept of it. The prefix is part of what is digested, so that a token never passes for a session.
    pub fn digest(&self, key: &DigestKey) -> Digest {
        Digest(key.mac(b"mainstay secret\0", self.text.as_bytes()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", self.kind.prefix())
    }
}

/// Over kind and random part; base64url of 27 bytes has no spare bits, so every text has one reading.
fn check(kind: SecretKind, random: &[u8]) -> [u8; CHECK_BYTES] {
    let sum = Sha256::new().chain_update(kind.prefix()).chain_update(random).finalize();
    let mut out = [0; CHECK_BYTES];
    for (to, from) in out.iter_mut().zip(sum.iter()) {
        *to = *from;
    }
    out
}

// === impl Digest ===

impl Digest {
    /// Names the token with this digest.
    pub fn token_id(&self) -> TokenId {
        TokenId(format!("tok_{}", self.short()))
    }

    /// Names the session with this digest.
    pub fn session_id(&self) -> SessionId {
        SessionId(format!("ses_{}", self.short()))
    }

    /// Equality that takes the same time wherever the two differ.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    fn short(&self) -> String {
        self.0.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", self.short())
    }
}

impl TryFrom<String> for Digest {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(&text, &mut bytes)
            .map_err(|_| "a digest is 64 hexadecimal digits".to_owned())?;
        Ok(Self(bytes))
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        hex::encode(digest.0)
    }
}

// === impl DigestKey ===

impl DigestKey {
    /// From 32 bytes of the operating system's generator, kept by the caller.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Mixed into every password hash, so that hashes without the key cannot be tried against a word list.
    pub(super) fn pepper(&self) -> [u8; 32] {
        self.mac(b"mainstay password\0", b"")
    }

    fn mac(&self, purpose: &[u8], text: &[u8]) -> [u8; 32] {
        // HMAC pads a short key with zeros to a block of 64 bytes; doing it here leaves no length to fail on.
        let mut block = [0; 64];
        for (to, from) in block.iter_mut().zip(self.0) {
            *to = from;
        }
        let mut mac = Hmac::<Sha256>::new(&block.into());
        mac.update(purpose);
        mac.update(text);
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestKey(…)")
    }
}

// === impl TokenId, SessionId ===

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: DigestKey = DigestKey::new([7; 32]);
    const KINDS: [SecretKind; 3] = [SecretKind::Token, SecretKind::Session, SecretKind::Link];

    #[test]
    fn a_secret_is_written_as_documented() {
        let secret = Secret::mint(SecretKind::Token, [0xA5; SECRET_BYTES]);
        assert_eq!(secret.expose(), "mst_paWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlKQTl");
        assert_eq!(format!("{secret:?}"), "mst_…");
        let digest = secret.digest(&KEY);
        assert_eq!(digest.token_id().to_string().len(), 20);
        assert_eq!(
            String::from(digest),
            "f0d4a1bc900b661bc4d79250c62a5c5d8daafe2774594724b535e29d07467efd",
            "as Python's hmac module computes it"
        );
    }

    #[test]
    fn what_is_wrong_with_a_secret_is_said_without_repeating_it() {
        let good = Secret::mint(SecretKind::Token, [1; SECRET_BYTES]).expose().to_owned();
        let mut mistyped = good.clone();
        mistyped.replace_range(10..11, "Z");
        for (text, expected) in [
            ("", "should start with \"mst_\""),
            ("hunter2", "should start with \"mst_\""),
            (&good.replace("mst_", "mss_"), "should start with \"mst_\""),
            (&good[..30], "30 characters instead of 40"),
            (&format!("{good}A"), "41 characters instead of 40"),
            (&mistyped, "mistyped"),
            (&good.replace(&good[8..9], "="), "mistyped"),
        ] {
            let error = Secret::parse(SecretKind::Token, text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
            assert!(text.len() < 10 || !error.contains(text), "{error}");
        }
        assert!(Secret::parse(SecretKind::Token, &format!(" {good}\n")).is_ok(), "pasted with white space");
    }

    #[test]
    fn a_key_or_a_kind_changes_the_digest() {
        let mut digests: Vec<Digest> = KINDS
            .iter()
            .flat_map(|kind| {
                let secret = Secret::mint(*kind, [2; SECRET_BYTES]);
                [secret.digest(&KEY), secret.digest(&DigestKey::new([8; 32]))]
            })
            .collect();
        digests.sort();
        digests.dedup();
        assert_eq!(digests.len(), 6);
    }

    proptest! {
        #[test]
        fn minted_secrets_parse_back(random: [u8; SECRET_BYTES], kind in 0..3_usize) {
            let secret = Secret::mint(KINDS[kind], random);
            prop_assert_eq!(Secret::parse(KINDS[kind], secret.expose()), Ok(secret.clone()));
            let other = KINDS[(kind + 1) % 3];
            prop_assert!(Secret::parse(other, secret.expose()).is_err());
        }

        #[test]
        fn any_one_character_changed_is_noticed(
            random: [u8; SECRET_BYTES], at in 4..40_usize, to in "[A-Za-z0-9_-]",
        ) {
            let secret = Secret::mint(SecretKind::Token, random);
            let mut text = secret.expose().to_owned();
            text.replace_range(at..=at, &to);
            let parsed = Secret::parse(SecretKind::Token, &text);
            // The check has 24 bits: a change slips through once in 16 million, never unseen as the same secret.
            prop_assert_eq!(parsed.is_ok(), text == secret.expose());
        }

        #[test]
        fn parsing_never_panics_and_accepts_one_spelling(text in "\\PC{0,60}") {
            if let Ok(secret) = Secret::parse(SecretKind::Token, &text) {
                prop_assert_eq!(secret.expose(), text.trim());
            }
        }

        #[test]
        fn digests_round_trip(bytes: [u8; 32]) {
            let text = String::from(Digest(bytes));
            prop_assert_eq!(Digest::try_from(text), Ok(Digest(bytes)));
        }
    }
}
