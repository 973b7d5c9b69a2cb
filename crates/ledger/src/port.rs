//! The `Ledger` port: what the house asks of a ledger, whatever keeps it.

use kernel::{Actor, ChangeId, FactSeq, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

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
    #[error("the ledger is damaged at fact {seq}: {what}")]
    Damaged {
        /// The first fact that does not verify.
        seq: FactSeq,
        /// What is wrong with it.
        what: String,
    },
    /// Reading or writing failed.
    #[error("{0}")]
    Io(String),
}

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
    fn read(&self, after: FactSeq, limit: usize, chapter: Option<&str>) -> Result<Vec<FactRecord>, LedgerError>;

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

    /// Leases up to `limit` effects of `kind` that are due at `now`, until `until`.
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

    /// Ends a leased effect: delivered (`retry_at` and `dead` absent), to be tried again at `retry_at`, or dead.
    /// A stale lease changes nothing and answers `false`.
    ///
    /// # Errors
    /// IO.
    fn settle(&self, effect: &Effect, outcome: Settled) -> Result<bool, LedgerError>;
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
