//! The `Ledger` port: what the house asks of a ledger, whatever keeps it.
//!
//! Invariants of every adapter: facts are numbered from 1 without gaps; an answered append survives a crash and a
//! loss of power; a fact that is read is byte for byte the fact that was appended, or the read fails.

use std::io::BufRead;
use std::time::Duration;

use kernel::{Actor, ChangeId, FactSeq, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{DeadLetter, FactFilter, ImportError, LedgerStats, OutboxCounts, Tip, Verified, VerifyProgress};

/// A fact on its way in: the ledger adds number, hash and place in the chain.
#[derive(Clone, Debug, PartialEq)]
pub struct NewFact {
    /// When it happened.
    pub time: Timestamp,
    /// Who made it happen.
    pub actor: Actor,
    /// Why, in the actor's words; may be empty.
    pub reason: String,
    /// The alteration of production it belongs to, if any.
    pub change: Option<ChangeId>,
    /// The chapter that owns it, such as `flags`.
    pub chapter: String,
    /// Its kind within the chapter, such as `flag_defined`.
    pub kind: String,
    /// The version of the payload's format.
    pub version: u16,
    /// What it is about, such as `Flag/new-checkout`; for history and search. May be empty.
    pub subject: String,
    /// The chapter's own words.
    pub payload: Value,
}

/// A fact in the ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FactRecord {
    /// Its number, from 1, without gaps.
    pub seq: FactSeq,
    /// When it happened.
    pub time: Timestamp,
    /// Who made it happen.
    pub actor: Actor,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// The alteration it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeId>,
    /// The chapter that owns it.
    pub chapter: String,
    /// Its kind within the chapter.
    pub kind: String,
    /// The version of the payload's format.
    pub version: u16,
    /// What it is about.
    #[serde(default)]
    pub subject: String,
    /// The chapter's own words.
    pub payload: Value,
    /// SHA-256 of the fact before it, hex; 64 zeros for the first.
    pub previous: String,
    /// SHA-256 over `previous` and every field above, hex.
    pub hash: String,
}

/// An effect on the outside, committed together with the facts that cause it (transactional outbox).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEffect {
    /// Idempotency key: a second effect with the same key is dropped.
    pub key: String,
    /// Which deliverer takes it, such as `webhook`.
    pub kind: String,
    /// What it needs.
    pub payload: Value,
}

/// An effect leased for delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// Its number in the outbox.
    pub id: u64,
    /// The fact that caused it.
    pub seq: FactSeq,
    /// Idempotency key, passed outward.
    pub key: String,
    /// Which deliverer takes it.
    pub kind: String,
    /// What it needs.
    pub payload: Value,
    /// Deliveries tried before this one.
    pub attempts: u32,
    /// Fencing: grows with every lease of this effect.
    pub lease: u64,
}

/// What an append did.
#[derive(Clone, Debug, PartialEq)]
pub struct Appended {
    /// The facts as they stand in the ledger, durable.
    pub facts: Vec<FactRecord>,
}

/// A chapter's folded state, as of a fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The chapter.
    pub chapter: String,
    /// The version of the state's format; a reader that does not know it folds from the start.
    pub version: u16,
    /// The last fact folded in.
    pub seq: FactSeq,
    /// The state.
    pub state: Vec<u8>,
}

/// Why the ledger refused or failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// `expected` was not the head any more; nothing was written.
    #[error("the ledger has moved on: expected fact {expected} to be the last, it is {actual}")]
    Moved {
        /// What the caller thought.
        expected: FactSeq,
        /// What is.
        actual: FactSeq,
    },
    /// A fact or a batch exceeds a named limit; nothing was written.
    #[error("{0}")]
    TooLarge(String),
    /// The disk is full; nothing was written, and a later try may succeed.
    #[error("no space left for the ledger at {0}")]
    Full(String),
    /// Another process has the ledger open.
    #[error("{0}")]
    Locked(String),
    /// The chain is broken, or a stored value cannot be read.
    #[error("the ledger is damaged{}: {what}", at_fact(*seq))]
    Damaged {
        /// The first fact that does not verify; 0 when the damage lies outside the facts.
        seq: FactSeq,
        /// What is wrong with it.
        what: String,
    },
    /// Reading or writing failed. When a commit fails like this it is unknown whether the disk kept it: the ledger
    /// takes nothing more until it is opened again, and what it then holds is the truth.
    #[error("{0}")]
    Io(String),
}

/// What happens after an append, given the number of the last fact.
pub type AppendWatcher = Box<dyn Fn(FactSeq) + Send + Sync>;

/// A ledger. Calls block until the answer is durable; they may be made from many threads at once and are
/// committed in batches.
pub trait Ledger: Send + Sync {
    /// Appends `facts` and `effects` in one transaction, in order, all or nothing, and returns once they are
    /// durable. With `expected`, only if that is still the number of the last fact.
    ///
    /// # Errors
    /// See [`LedgerError`]; on every error nothing was written.
    fn append(
        &self,
        facts: Vec<NewFact>,
        effects: Vec<NewEffect>,
        expected: Option<FactSeq>,
    ) -> Result<Appended, LedgerError>;

    /// The number of the last fact; 0 when there is none.
    fn head(&self) -> FactSeq;

    /// Up to `limit` facts after `after`, ascending; of one chapter when it is named.
    ///
    /// # Errors
    /// Damage or IO.
    fn read(
        &self,
        after: FactSeq,
        limit: usize,
        chapter: Option<&str>,
    ) -> Result<Vec<FactRecord>, LedgerError>;

    /// The newest snapshot of `chapter`.
    ///
    /// # Errors
    /// IO. A damaged snapshot is `None`: the facts are the truth.
    fn snapshot(&self, chapter: &str) -> Result<Option<Snapshot>, LedgerError>;

    /// Keeps a snapshot, in place of the chapter's older one.
    ///
    /// # Errors
    /// IO.
    fn save_snapshot(&self, snapshot: &Snapshot) -> Result<(), LedgerError>;

    /// Leases up to `limit` effects of `kind` that are due at `now`, until `until`, longest due first. An effect whose
    /// lease ran out is due again.
    ///
    /// # Errors
    /// IO.
    fn lease(
        &self,
        kind: &str,
        limit: usize,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Effect>, LedgerError>;

    /// Ends a leased effect: delivered, to be tried again, or dead. A stale lease changes nothing and answers `false`.
    ///
    /// # Errors
    /// IO.
    fn settle(&self, effect: &Effect, outcome: Settled) -> Result<bool, LedgerError>;

    /// How many effects the outbox holds.
    ///
    /// # Errors
    /// IO.
    fn outbox(&self) -> Result<OutboxCounts, LedgerError>;

    /// Up to `limit` effects that were given up, newest first.
    ///
    /// # Errors
    /// IO.
    fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, LedgerError>;

    /// Gives a dead letter another try, due at `at` and with its attempts counted from 0; `false` when `id` is not a
    /// dead letter, or one whose stored bytes are damaged.
    ///
    /// # Errors
    /// IO.
    fn revive(&self, id: u64, at: Timestamp) -> Result<bool, LedgerError>;

    /// Forgets delivered effects of facts up to and including `upto`, and with them their idempotency keys. Returns
    /// how many.
    ///
    /// # Errors
    /// IO.
    fn prune_outbox(&self, upto: FactSeq) -> Result<u64, LedgerError>;

    /// The number and hash of the last fact.
    fn tip(&self) -> Tip;

    /// One fact.
    ///
    /// # Errors
    /// Damage or IO.
    fn fact(&self, seq: FactSeq) -> Result<Option<FactRecord>, LedgerError>;

    /// The facts that satisfy `filter`, in its order.
    ///
    /// # Errors
    /// Damage or IO.
    fn query(&self, filter: &FactFilter) -> Result<Vec<FactRecord>, LedgerError>;

    /// Blocks until there is a fact after `seq` or `timeout` has passed; returns the number of the last fact.
    fn wait_beyond(&self, seq: FactSeq, timeout: Duration) -> FactSeq;

    /// Calls `watcher` after every commit that added facts, in order, on the thread that commits: it must be quick and
    /// must not append.
    fn on_append(&self, watcher: AppendWatcher);

    /// Reads everything that is stored and recomputes the whole chain. Damage is an answer, not an error.
    ///
    /// # Errors
    /// IO.
    fn verify(&self) -> Result<Verified, LedgerError> {
        self.verify_with(&mut |_| {})
    }

    /// [`Ledger::verify`] that tells `progress` how far it is, at least every 10,000 facts.
    ///
    /// # Errors
    /// IO.
    fn verify_with(&self, progress: &mut dyn FnMut(VerifyProgress)) -> Result<Verified, LedgerError>;

    /// Fills an empty ledger with facts as [`crate::export`] writes them: all or nothing, and only if the chain holds.
    ///
    /// # Errors
    /// See [`ImportError`]; on every error the ledger is still empty.
    fn import(&self, lines: &mut dyn BufRead) -> Result<Tip, ImportError>;

    /// What it holds and has done since it was opened.
    ///
    /// # Errors
    /// IO.
    fn stats(&self) -> Result<LedgerStats, LedgerError>;
}

/// How a delivery ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It was taken.
    Delivered,
    /// It failed; try again then.
    Retry {
        /// When.
        at: Timestamp,
        /// What went wrong.
        error: String,
    },
    /// It failed for good; kept as a dead letter.
    Dead {
        /// What went wrong.
        error: String,
    },
}

fn at_fact(seq: FactSeq) -> String {
    if seq == FactSeq(0) { String::new() } else { format!(" at fact {seq}") }
}
