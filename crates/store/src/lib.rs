//! The telemetry store: write-ahead log, head, blocks, catalogue. See docs/formats for every byte it writes.
//!
//! Invariants: what was acknowledged is readable after a crash or a power loss; nothing damaged is served silently; time is
//! an argument and there are no threads of its own: the caller's threads do the work.

mod catalogue;
mod cursor;
mod disk;
mod head;
mod matching;
mod options;
mod port;
mod recover;
mod select;
mod store;
mod telemetry;
mod upkeep;
mod wal;

pub use options::{Durability, INGEST_SHARE, Limits, Options};
pub use port::{Appended, Cardinality, Maintained, Rejected, Rejection, StoreError, StoreStats, Telemetry};
pub use recover::Recovery;
pub use store::Store;
pub use wal::replay::Damage;
