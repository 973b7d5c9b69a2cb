//! Both adapters of the `Telemetry` port do what every store of metrics must.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use kernel::Timestamp;
use simulation::{SimTelemetry, telemetry_suite};
use store::{Options, Store};

#[test]
fn the_store_holds_the_suite() {
    let dir = tempfile::tempdir().unwrap();
    let count = std::cell::Cell::new(0);
    telemetry_suite::run(&|options| {
        count.set(count.get() + 1);
        let options = Options { dir: dir.path().join(count.get().to_string()), ..options };
        Box::new(Store::open(options, Timestamp::EPOCH).unwrap().0)
    });
}

#[test]
fn the_simulation_holds_the_suite() {
    telemetry_suite::run(&|options| Box::new(SimTelemetry::new(options)));
}
