//! Who is who, and who may do what.
//!
//! - [`identity`]: users, passwords, tokens, sessions and one-time sign-in links, as a fold over facts.
//! - [`access`]: the one function that says whether an actor may do something.
//! - [`rate`]: how fast one address or one user may try to sign in.
//!
//! Not here: reading a request's credentials and setting cookies (`api`), making random bytes and keeping the key
//! on disk (`operations`). Invariants: pure and synchronous; time, random bytes and the key are arguments; no secret
//! is ever part of a fact or of the state, only its keyed digest.

pub mod access;
pub mod identity;
pub mod rate;
