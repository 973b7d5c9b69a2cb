//! The ledger: numbered, hash-chained facts, and the state folded from them.

mod port;

pub use port::{Appended, Effect, FactRecord, Ledger, LedgerError, NewEffect, NewFact, Settled, Snapshot};
