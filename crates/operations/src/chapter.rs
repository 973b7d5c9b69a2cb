//! A chapter's state in memory, loaded from its snapshot and the facts after it.

use kernel::FactSeq;
use ledger::{FactRecord, Ledger, LedgerError, Snapshot};
use serde_json::Value;

/// Facts read at a time while loading.
const LOAD_BATCH: usize = 10_000;

/// A state that is folded from facts of one chapter.
pub(crate) trait Folded: Default + Send + Sync {
    /// The chapter's name in the ledger.
    const CHAPTER: &'static str;
    /// The version of the snapshot's format.
    const SNAPSHOT_VERSION: u16;

    /// Folds one fact in.
    ///
    /// # Errors
    /// The fact's kind or version is not known, or its payload cannot be read.
    fn fold(&mut self, record: &FactRecord) -> Result<(), String>;

    /// Writes the state.
    fn freeze(&self) -> Result<Vec<u8>, String>;

    /// Reads a state written by [`Folded::freeze`].
    fn thaw(bytes: &[u8]) -> Result<Self, String>;
}

/// A chapter's state and the last fact folded into it.
pub(crate) struct Chapter<S> {
    pub(crate) state: S,
    pub(crate) seq: FactSeq,
}

/// A decided fact on its way to the ledger.
pub(crate) struct Pending {
    pub(crate) chapter: &'static str,
    pub(crate) kind: String,
    pub(crate) version: u16,
    pub(crate) subject: String,
    pub(crate) payload: Value,
}

/// Why a chapter could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A fact is not understood.
    #[error("fact {seq} of chapter {chapter} cannot be read by this version of Mainstay: {why}")]
    Fact {
        /// Which.
        seq: FactSeq,
        /// Whose.
        chapter: &'static str,
        /// Why.
        why: String,
    },
}

impl<S: Folded> Chapter<S> {
    /// Snapshot, then the facts after it. A snapshot that cannot be read is left aside: the facts are the truth.
    pub(crate) fn load(ledger: &dyn Ledger) -> Result<Self, OpenError> {
        let kept = ledger.snapshot(S::CHAPTER)?.filter(|s| s.version == S::SNAPSHOT_VERSION);
        let thawed = kept.and_then(|s| S::thaw(&s.state).ok().map(|state| Self { state, seq: s.seq }));
        let mut chapter = thawed.unwrap_or_else(|| Self { state: S::default(), seq: FactSeq(0) });
        loop {
            let facts = ledger.read(chapter.seq, LOAD_BATCH, Some(S::CHAPTER))?;
            for fact in &facts {
                chapter.fold(fact)?;
            }
            if facts.len() < LOAD_BATCH {
                return Ok(chapter);
            }
        }
    }

    /// Folds one fact in.
    pub(crate) fn fold(&mut self, fact: &FactRecord) -> Result<(), OpenError> {
        self.state.fold(fact).map_err(|why| OpenError::Fact { seq: fact.seq, chapter: S::CHAPTER, why })?;
        self.seq = fact.seq;
        Ok(())
    }

    /// Keeps the state as of the last fact.
    pub(crate) fn save(&self, ledger: &dyn Ledger) -> Result<(), LedgerError> {
        let state = self.state.freeze().map_err(LedgerError::Io)?;
        ledger.save_snapshot(&Snapshot {
            chapter: S::CHAPTER.to_owned(),
            version: S::SNAPSHOT_VERSION,
            seq: self.seq,
            state,
        })
    }
}
