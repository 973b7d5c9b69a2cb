//! The binary: configuration, wiring, shutdown.
fn main() {}
