//! Users, passwords, tokens, sessions and one-time sign-in links.
//!
//! Someone proves who they are by a password, a one-time link, a session cookie or a bearer token. Whoever answers
//! the request makes the random bytes and asks [`decide`]; only digests ([`secret`]) and password hashes
//! ([`password`]) become facts.
//!
//! Invariants, held by the property tests in `tests/folding.rs`:
//! - From the first start on there is always an enabled admin.
//! - Nothing that has expired authenticates, whether or not a fact has recorded the expiry yet.
//! - A token never has a role above the one its owner has *now*, and never outlives the token that made it.
//! - A one-time link opens one session.

mod decide;
mod fact;
mod name;
pub mod password;
mod refusal;
pub mod secret;
mod state;

pub use decide::{Command, Credential, Proof, decide, due};
pub use fact::{Ended, FACT_VERSION, Fact, Opening, UnreadableFact, redact};
pub use name::{InvalidName, MAX_NAME, Name};
pub use password::{HashingFailed, Password, PasswordHash, Verdict, WeakPassword};
pub use refusal::Refusal;
pub use secret::{Digest, DigestKey, InvalidSecret, Secret, SecretKind, SessionId, TokenId};
pub use state::{Link, Session, SessionInfo, State, Token, TokenInfo, User, UserInfo, apply};

use kernel::Span;

/// The user that the first start makes.
pub const FIRST_ADMIN: &str = "admin";
/// How long a one-time sign-in link is good for.
pub const LINK_LIFETIME: Span = Span::from_mins(10);
/// How long a session lasts without being used.
pub const SESSION_IDLE: Span = Span::from_hours(24);
/// How long a session lasts however much it is used.
pub const SESSION_LIFETIME: Span = Span::from_days(14);
/// How old the recorded last use of a session or a token may become before a use is recorded again. Because a use
/// is a fact, this bounds what a busy client adds to the ledger; a session may end this much before its idle time.
pub const USE_GRAIN: Span = Span::from_mins(30);
/// The shortest life a token may be given.
pub const MIN_TOKEN_TTL: Span = Span::from_mins(1);
/// The longest life a token may be given.
pub const MAX_TOKEN_TTL: Span = Span::from_days(366);
/// How long an expired token stays listed, so that its owner sees why it stopped working.
pub const EXPIRED_TOKEN_KEPT: Span = Span::from_days(30);
/// How many users there may be.
pub const MAX_USERS: usize = 10_000;
/// How many tokens there may be, expired ones included.
pub const MAX_TOKENS: usize = 10_000;
/// How many sessions a user may have open; opening one more closes the one used longest ago.
pub const MAX_SESSIONS_PER_USER: usize = 32;
