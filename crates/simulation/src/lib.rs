//! A deterministic world for tests: what would be chance, time, network or disk follows from a printed seed.
//!
//! `random` (dice and seeds), `world` (time and network), `disk` (lost writes, no space, crash at any step), `scenario`
//! (plain text cases), `ledger` (the ledger on the simulated disk), `ledger_suite` (what every ledger must do), `telemetry`
//! (metrics in memory), `telemetry_suite` (what every store of metrics must do), `notifier` (receivers that fail in arranged
//! ways). A dev-dependency only.

mod disk;
mod ledger;
mod ledger_log;
pub mod ledger_suite;
mod notifier;
mod random;
pub mod scenario;
mod telemetry;
pub mod telemetry_suite;
mod world;

pub use self::ledger::SimLedger;
pub use self::notifier::{Fate, SimReceivers};
pub use self::telemetry::SimTelemetry;
pub use disk::{DiskError, SECTOR, SimDisk};
pub use random::{RUNS_VARIABLE, Random, SEED_VARIABLE, for_seeds};
pub use world::{Happening, Link, Node, TimerId, Traffic, World};
