//! Use cases against a simulated ledger, store and outside, in simulated time.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and what it calls is part of it"
)]

mod access;
mod flags;
mod folder;
mod house;
mod outbox;
mod queries;
mod resources;
