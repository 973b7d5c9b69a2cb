//! The ledger: numbered, hash-chained facts, and the state folded from them.
//!
//! `port` is what every ledger offers; `sqlite` is the one that is used. `canonical` says which bytes are hashed and
//! `limits` what is refused, for every adapter alike. Knows no chapter: payloads are JSON to it.

pub mod canonical;
pub mod limits;
mod lock;
mod port;
mod report;
mod sqlite;
mod transfer;
mod witness;

pub use lock::{FolderLock, LOCK_FILE, lock_folder};
pub use port::{
    AppendWatcher, Appended, Effect, FactRecord, Ledger, LedgerError, NewEffect, NewFact, Settled, Snapshot,
};
pub use report::{
    BATCH_BOUNDS, Damage, DeadLetter, FactFilter, ImportError, LedgerStats, MAX_DAMAGE, OutboxCounts, Place,
    Tip, Verified, VerifyProgress,
};
pub use sqlite::{DATABASE_FILE, LedgerOptions, MAX_BATCH_FACTS, MAX_WAITING, SqliteLedger};
pub use transfer::{ExportError, ExportLines, MAX_LINE_BYTES, export};
