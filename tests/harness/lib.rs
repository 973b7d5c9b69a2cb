//! What the end-to-end tests share: the real binary, HTTP, the command line, a real browser, real clients.
//!
//! Invariants: every process started here is ended by its own id when its value is dropped; every server listens on a
//! free port of loopback and writes to its own temporary folder; a part that is missing is noted by [`skip`], so that
//! `cargo xtask test` can count it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure of the harness is the failure of the test that uses it"
)]

mod browser;
mod http;
mod mainstay;
mod parts;
mod transcript;
mod wait;

pub use browser::{Browser, Locator, Look};
pub use http::{Answer, Event, Http};
pub use mainstay::{Ended, Mainstay, Ran, binary};
pub use parts::{clients, node, promtool, python, shared, skip, target, workspace};
pub use transcript::{Step, play, read_transcript, transcripts_of_page};
pub use wait::{until, until_async};
