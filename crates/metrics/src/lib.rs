//! Metrics: samples and series, and PromQL over them. Pure: no IO, no clock; a query's time is an argument.

pub mod chunk;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod histogram;
mod number;
pub mod pattern;
pub mod promql;
pub mod sample;
pub mod source;
