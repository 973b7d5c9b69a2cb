//! A chapter's state in memory, loaded from its snapshot and the facts after it.

use kernel::{ChangeId, FactSeq, Fault, Timestamp};
use ledger::{FactRecord, Ledger, LedgerError, NewFact, Snapshot};
use security::identity;

use crate::Asked;

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

/// A fact of any chapter, decided and on its way to the ledger, or read back from it.
#[derive(Clone, Debug)]
pub(crate) enum Decided {
    Flags(::flags::Fact),
    Security(identity::Fact),
    Hooks(::hooks::Fact),
}

/// Each chapter with the kinds of its facts.
pub(crate) const VOCABULARY: [(&str, &[&str]); 3] = [
    (::flags::CHAPTER, &::flags::Fact::KINDS),
    (identity::State::CHAPTER, &identity::Fact::KINDS),
    (::hooks::CHAPTER, &::hooks::Fact::KINDS),
];

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

    /// Folds in those of `facts` that are the chapter's own; answers how many they were.
    pub(crate) fn fold_own(&mut self, facts: &[FactRecord]) -> Result<usize, Fault> {
        let own = facts.iter().filter(|fact| fact.chapter == S::CHAPTER);
        own.map(|fact| self.fold(fact).map_err(|error| Fault::bug(error.to_string())))
            .try_fold(0, |count, folded| folded.map(|()| count + 1))
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

// === impl Decided ===

impl Decided {
    /// The chapter that owns it.
    pub(crate) const fn chapter(&self) -> &'static str {
        match self {
            Self::Flags(_) => ::flags::CHAPTER,
            Self::Security(_) => identity::State::CHAPTER,
            Self::Hooks(_) => ::hooks::CHAPTER,
        }
    }

    /// Its kind within the chapter.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Flags(fact) => fact.kind(),
            Self::Security(fact) => fact.kind(),
            Self::Hooks(fact) => fact.kind(),
        }
    }

    /// What it is about.
    pub(crate) fn subject(&self) -> String {
        match self {
            Self::Flags(fact) => fact.subject(),
            Self::Security(fact) => fact.subject(),
            Self::Hooks(fact) => fact.subject(),
        }
    }

    /// As the ledger takes it.
    pub(crate) fn into_new(
        self,
        asked: &Asked,
        change: Option<&ChangeId>,
        time: Timestamp,
    ) -> Result<NewFact, Fault> {
        let (version, payload) = match &self {
            Self::Flags(fact) => (fact.version(), fact.payload()),
            Self::Security(fact) => {
                let payload = serde_json::to_value(fact).map_err(|e| Fault::bug(e.to_string()))?;
                (identity::FACT_VERSION, payload)
            }
            Self::Hooks(fact) => (fact.version(), fact.payload()),
        };
        Ok(NewFact {
            time,
            actor: asked.actor.clone(),
            reason: asked.reason.clone(),
            change: change.cloned(),
            chapter: self.chapter().to_owned(),
            kind: self.kind().to_owned(),
            version,
            subject: self.subject(),
            payload,
        })
    }

    /// As the ledger keeps it.
    pub(crate) fn read(record: &FactRecord) -> Result<Self, String> {
        let payload = record.payload.clone();
        match record.chapter.as_str() {
            ::flags::CHAPTER => ::flags::Fact::decode(&record.kind, record.version, payload)
                .map(Self::Flags)
                .map_err(|error| error.to_string()),
            identity::State::CHAPTER => identity::Fact::read(record.version, payload)
                .map(Self::Security)
                .map_err(|error| error.to_string()),
            ::hooks::CHAPTER => ::hooks::Fact::decode(&record.kind, record.version, payload)
                .map(Self::Hooks)
                .map_err(|error| error.to_string()),
            other => Err(format!("there is no chapter {other:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vocabulary_has_no_word_twice() {
        let mut words: Vec<(&str, &str)> = VOCABULARY
            .iter()
            .flat_map(|(chapter, kinds)| kinds.iter().map(move |kind| (*chapter, *kind)))
            .collect();
        let all = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!((words.len(), all), (22, 22));
    }
}
