//! What a ledger answers about itself: where it ends, what a search asks, what verification found, what it has done.

use std::fmt;

use kernel::{ChangeId, FactSeq, Timestamp};
use serde::Serialize;

use crate::{Effect, LedgerError};

/// Most findings one verification lists; it goes on counting facts after that.
pub const MAX_DAMAGE: usize = 100;

/// Upper bounds of [`LedgerStats::batch_sizes`], in facts; a last bucket holds what is above.
pub const BATCH_BOUNDS: [u64; 8] = [1, 2, 5, 10, 50, 100, 500, 1_000];

/// Where a ledger ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tip {
    /// The last fact; 0 when there is none.
    pub seq: FactSeq,
    /// Its SHA-256, hex; 64 zeros when there is none.
    pub hash: String,
}

/// Which facts a search wants. What is absent does not restrict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactFilter {
    /// Only facts after this one.
    pub after: FactSeq,
    /// Only facts before this one.
    pub before: Option<FactSeq>,
    /// Only facts at or after this time.
    pub since: Option<Timestamp>,
    /// Only facts before this time.
    pub until: Option<Timestamp>,
    /// The chapter that owns it.
    pub chapter: Option<String>,
    /// Its kind.
    pub kind: Option<String>,
    /// Its subject, entirely.
    pub subject: Option<String>,
    /// Who: as actors are shown (`user:ada`, `anonymous`), or the bare name.
    pub actor: Option<String>,
    /// The alteration it belongs to.
    pub change: Option<ChangeId>,
    /// A part of its subject, reason or payload text; ASCII letters match in either case. Reads every fact that the
    /// other fields leave.
    pub text: Option<String>,
    /// Newest first.
    pub descending: bool,
    /// Most facts returned.
    pub limit: usize,
}

/// How many effects an outbox holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize)]
pub struct OutboxCounts {
    /// Due now or later, or leased.
    pub pending: u64,
    /// Given up.
    pub dead: u64,
}

/// An effect that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The effect.
    pub effect: Effect,
    /// What went wrong last.
    pub error: String,
}

/// How far a verification is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifyProgress {
    /// Facts read.
    pub checked: u64,
    /// Facts there are.
    pub total: u64,
}

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verified {
    /// Facts read.
    pub facts: u64,
    /// The last fact that was read and follows from the first without a break.
    pub tip: Tip,
    /// What is wrong, facts first; at most [`MAX_DAMAGE`] findings. Empty: every stored byte that means anything is as
    /// it was written.
    pub damage: Vec<Damage>,
    /// How long it took.
    pub seconds: f64,
}

/// One thing that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub what: String,
}

/// Where damage lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// A fact.
    Fact(FactSeq),
    /// A chapter's snapshot; it is ignored and folded anew.
    Snapshot(String),
    /// An effect in the outbox, by its number.
    Effect(u64),
    /// A page of the database file, from 1.
    Page(u64),
    /// An index or table.
    Table(String),
    /// The file as a whole: its header, its schema.
    File,
    /// The record beside the database of how far it reached.
    Witness,
}

/// Figures of a ledger since it was opened; counters never fall.
#[derive(Clone, Debug, PartialEq, Default, Serialize)]
pub struct LedgerStats {
    /// The last fact.
    pub head: FactSeq,
    /// Bytes on disk, write-ahead log included.
    pub bytes: u64,
    /// Facts appended.
    pub facts: u64,
    /// Commits, each made durable by one sync.
    pub commits: u64,
    /// Seconds spent making commits durable.
    pub commit_seconds: f64,
    /// The longest commit, in seconds.
    pub commit_seconds_max: f64,
    /// Commits by the number of facts in them, see [`BATCH_BOUNDS`]; commits without facts are not in it.
    pub batch_sizes: [u64; BATCH_BOUNDS.len() + 1],
    /// Appends refused or failed.
    pub failures: u64,
    /// The outbox.
    pub outbox: OutboxCounts,
}

/// Why an import was refused; the ledger is as empty as before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// The ledger already holds facts.
    #[error("the ledger already holds {head} facts; an import needs an empty one, such as a new data folder")]
    NotEmpty {
        /// Its last fact.
        head: FactSeq,
    },
    /// A line is not the next fact of the chain.
    #[error("line {line}: {what}")]
    Line {
        /// From 1.
        line: u64,
        /// What is wrong.
        what: String,
    },
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

// === impl FactFilter ===

impl FactFilter {
    /// Facts returned unless the filter says otherwise.
    pub const DEFAULT_LIMIT: usize = 100;
}

impl Default for FactFilter {
    fn default() -> Self {
        Self {
            after: FactSeq(0),
            before: None,
            since: None,
            until: None,
            chapter: None,
            kind: None,
            subject: None,
            actor: None,
            change: None,
            text: None,
            descending: false,
            limit: Self::DEFAULT_LIMIT,
        }
    }
}

// === impl Verified ===

impl Verified {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.damage.is_empty()
    }
}

// === impl Damage ===

impl fmt::Display for Damage {
    /// `fact 12: its hash does not match its content`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fact(seq) => write!(f, "fact {seq}"),
            Self::Snapshot(chapter) => write!(f, "the snapshot of {chapter}"),
            Self::Effect(id) => write!(f, "effect {id}"),
            Self::Page(number) => write!(f, "page {number}"),
            Self::Table(name) => f.write_str(name),
            Self::File => f.write_str("the file"),
            Self::Witness => f.write_str("the witness"),
        }
    }
}

// === impl LedgerStats ===

impl LedgerStats {
    /// Counts a commit of `facts` facts that took `seconds` to become durable.
    pub fn count_commit(&mut self, facts: u64, seconds: f64) {
        self.commits = self.commits.saturating_add(1);
        self.commit_seconds += seconds;
        self.commit_seconds_max = self.commit_seconds_max.max(seconds);
        self.facts = self.facts.saturating_add(facts);
        if facts > 0 {
            let bucket = BATCH_BOUNDS.iter().position(|bound| facts <= *bound).unwrap_or(BATCH_BOUNDS.len());
            if let Some(count) = self.batch_sizes.get_mut(bucket) {
                *count = count.saturating_add(1);
            }
        }
    }
}
