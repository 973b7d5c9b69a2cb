//! The host collector on fixture trees, on this machine, and beside node_exporter.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should stop"
)]

mod beside;
mod fixtures;
mod live;
