//! The real binary, end to end: what a user, a script, a foreign client and a browser see of it.
//!
//! One program, one module a subject; `cargo xtask test --only e2e` and `--only browser` run it. Every test starts a
//! server of its own on a free port of loopback, in a temporary folder.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the helpers of tests fail as tests do"
)]

mod access;
mod browser;
mod commands;
mod flags;
mod openapi;
mod prometheus;
mod start_stop;
mod streams;
mod transcript;
