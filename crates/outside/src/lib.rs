//! Everything that touches the world outside: the machine itself, and receivers of webhooks.
//!
//! Invariants: IO stays at the edges of each module; what interprets text or decides is pure and tested on fixtures.

pub mod host;
pub mod notifier;
pub mod webhook;
