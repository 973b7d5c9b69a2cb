//! The telemetry store: write-ahead log, head, blocks, catalogue. See docs/formats for every byte it writes.
//!
//! Invariants: what was acknowledged is readable after a crash or a power loss; nothing damaged is served silently; time is
//! an argument and there are no threads of its own: the caller's threads do the work.

mod options;
mod port;

pub use options::{Durability, INGEST_SHARE, Limits, Options};
pub use port::{
    Appended, Cardinality, Maintained, Rejected, Rejection, StoreError, StoreStats, Telemetry,
};
