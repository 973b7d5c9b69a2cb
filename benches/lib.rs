//! Workloads and comparisons.

pub mod node_exporter;
