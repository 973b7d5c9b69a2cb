//! What the simulated ledger keeps, and how it is written: frames of length, CRC-32C and JSON.

use std::collections::BTreeMap;

use kernel::{FactSeq, Timestamp};
use ledger::canonical::{self, Hash};
use ledger::limits::cut_error;
use ledger::{DeadLetter, Effect, FactRecord, LedgerError, NewEffect, OutboxCounts, Settled};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The file.
pub(crate) const LOG: &str = "ledger.log";

/// Length and checksum before an entry, little-endian.
const HEADER: usize = 8;

/// One commit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Entry {
    /// Facts, and the effects they cause.
    Append { facts: Vec<FactRecord>, effects: Vec<StoredEffect> },
    /// Effects as they are from now on.
    Effects(Vec<StoredEffect>),
    /// Delivered effects of facts up to this one are forgotten.
    Prune { upto: u64 },
    /// A chapter's state.
    Snapshot { chapter: String, kept: StoredState },
}

/// An effect and where its delivery stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StoredEffect {
    id: u64,
    seq: u64,
    pub(crate) key: String,
    kind: String,
    payload: Value,
    stand: Stand,
    /// When a pending one may be leased, nanoseconds.
    due: i64,
    attempts: u32,
    lease: u64,
    error: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Stand {
    Pending,
    Delivered,
    Dead,
}

/// A snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StoredState {
    pub(crate) version: u16,
    pub(crate) seq: u64,
    pub(crate) state: Vec<u8>,
}

/// Everything a ledger holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct State {
    pub(crate) facts: Vec<FactRecord>,
    pub(crate) effects: BTreeMap<u64, StoredEffect>,
    pub(crate) snapshots: BTreeMap<String, StoredState>,
}

/// An entry as it is written.
pub(crate) fn frame(entry: &Entry) -> Result<Vec<u8>, LedgerError> {
    let body = serde_json::to_vec(entry).map_err(|error| LedgerError::Io(error.to_string()))?;
    let length =
        u32::try_from(body.len()).map_err(|_| LedgerError::TooLarge("a commit over 4 GiB".to_owned()))?;
    let mut frame = Vec::with_capacity(HEADER + body.len());
    frame.extend(length.to_le_bytes());
    frame.extend(crc32c::crc32c(&body).to_le_bytes());
    frame.extend(body);
    Ok(frame)
}

/// What the frames of `log` add up to, and where the first one begins that is not whole.
pub(crate) fn replay(log: &[u8]) -> (State, usize) {
    let mut state = State::default();
    let mut at = 0;
    while let Some((entry, end)) = log.get(at..).and_then(first_entry) {
        state.apply(entry);
        at += end;
    }
    (state, at)
}

fn first_entry(log: &[u8]) -> Option<(Entry, usize)> {
    let (length, rest) = log.split_first_chunk::<4>()?;
    let (checksum, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let body = rest.get(..length)?;
    if crc32c::crc32c(body) != u32::from_le_bytes(*checksum) {
        return None;
    }
    Some((serde_json::from_slice(body).ok()?, HEADER + length))
}

// === impl State ===

impl State {
    /// The last fact.
    pub(crate) fn head(&self) -> FactSeq {
        self.facts.last().map_or(FactSeq(0), |fact| fact.seq)
    }

    /// Its hash.
    pub(crate) fn end_hash(&self) -> Hash {
        self.facts.last().and_then(|fact| canonical::parse_hash(&fact.hash)).unwrap_or(canonical::NO_FACT)
    }

    /// Makes a commit so.
    pub(crate) fn apply(&mut self, entry: Entry) {
        match entry {
            Entry::Append { facts, effects } => {
                self.facts.extend(facts);
                self.effects.extend(effects.into_iter().map(|effect| (effect.id, effect)));
            }
            Entry::Effects(effects) => {
                self.effects.extend(effects.into_iter().map(|effect| (effect.id, effect)));
            }
            Entry::Prune { upto } => {
                self.effects.retain(|_, effect| effect.stand != Stand::Delivered || effect.seq > upto);
            }
            Entry::Snapshot { chapter, kept } => {
                self.snapshots.insert(chapter, kept);
            }
        }
    }

    /// What a lease takes: each effect before and after.
    pub(crate) fn lease(
        &self,
        kind: &str,
        limit: usize,
        now: Timestamp,
        until: Timestamp,
    ) -> Vec<(StoredEffect, StoredEffect)> {
        let mut due: Vec<&StoredEffect> = self
            .effects
            .values()
            .filter(|effect| {
                effect.stand == Stand::Pending && effect.kind == kind && effect.due <= now.as_nanos()
            })
            .collect();
        due.sort_by_key(|effect| (effect.due, effect.id));
        let lease = |effect: &StoredEffect| {
            let before = StoredEffect { lease: effect.lease + 1, ..effect.clone() };
            let after =
                StoredEffect { attempts: effect.attempts + 1, due: until.as_nanos(), ..before.clone() };
            (before, after)
        };
        due.into_iter().take(limit).map(lease).collect()
    }

    /// The effect after `outcome`, unless its lease is stale.
    pub(crate) fn settled(&self, effect: &Effect, outcome: Settled) -> Option<StoredEffect> {
        let mut stored = self
            .effects
            .get(&effect.id)
            .filter(|stored| {
                stored.key == effect.key && stored.lease == effect.lease && stored.stand == Stand::Pending
            })?
            .clone();
        match outcome {
            Settled::Delivered => {
                stored.stand = Stand::Delivered;
                stored.payload = Value::Null;
                stored.error.clear();
            }
            Settled::Retry { at, error } => {
                stored.due = at.as_nanos();
                stored.error = cut_error(error);
            }
            Settled::Dead { error } => {
                stored.stand = Stand::Dead;
                stored.error = cut_error(error);
            }
        }
        Some(stored)
    }

    /// The dead letter `id`, given another try.
    pub(crate) fn revived(&self, id: u64, at: Timestamp) -> Option<StoredEffect> {
        let stored = self.effects.get(&id).filter(|stored| stored.stand == Stand::Dead)?;
        Some(StoredEffect { stand: Stand::Pending, due: at.as_nanos(), attempts: 0, ..stored.clone() })
    }

    /// How many effects there are.
    pub(crate) fn counts(&self) -> OutboxCounts {
        let count = |stand| self.effects.values().filter(|effect| effect.stand == stand).count() as u64;
        OutboxCounts { pending: count(Stand::Pending), dead: count(Stand::Dead) }
    }

    /// Dead letters, newest first.
    pub(crate) fn dead_letters(&self, limit: usize) -> Vec<DeadLetter> {
        let dead = self.effects.values().rev().filter(|effect| effect.stand == Stand::Dead);
        dead.take(limit)
            .map(|effect| DeadLetter { effect: effect.effect(), error: effect.error.clone() })
            .collect()
    }
}

// === impl StoredEffect ===

impl StoredEffect {
    /// A new one, due at once.
    pub(crate) fn new(id: u64, seq: FactSeq, effect: NewEffect) -> Self {
        Self {
            id,
            seq: seq.0,
            key: effect.key,
            kind: effect.kind,
            payload: effect.payload,
            stand: Stand::Pending,
            due: i64::MIN,
            attempts: 0,
            lease: 0,
            error: String::new(),
        }
    }

    /// As the port shows it.
    pub(crate) fn effect(&self) -> Effect {
        Effect {
            id: self.id,
            seq: FactSeq(self.seq),
            key: self.key.clone(),
            kind: self.kind.clone(),
            payload: self.payload.clone(),
            attempts: self.attempts,
            lease: self.lease,
        }
    }
}
