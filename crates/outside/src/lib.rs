//! Everything that touches the world outside: the machine itself first.
//!
//! Invariants: IO stays at the edges of each module; what interprets text or decides is pure and tested on fixtures.

pub mod host;
