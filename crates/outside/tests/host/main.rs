//! The host collector on fixture trees, on this machine, and beside node_exporter.

mod beside;
mod fixtures;
mod live;
