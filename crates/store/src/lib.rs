//! The telemetry store: write-ahead log, head, blocks, catalogue. See docs/formats for every byte it writes.
//!
//! Invariants: what was acknowledged is readable after a crash or a power loss; nothing damaged is served silently; time is
//! an argument and there are no threads of its own: the caller's threads do the work.

mod block;
mod blocks;
mod catalogue;
mod compact;
mod cursor;
mod disk;
mod flush;
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

/// For fuzzers: reads `data` as every unit of the store's formats; it must neither panic nor allocate beyond reason.
pub fn fuzz_one(data: &[u8]) {
    wal::batch::fuzz_one(data);
    block::index::fuzz_one(data);
    let _ = wal::record::read(data);
}
