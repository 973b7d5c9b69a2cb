//! Workloads and comparisons.
