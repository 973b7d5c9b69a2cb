//! The ledger on a [`SimDisk`]: the port's second implementation, as plain as it can be.
//!
//! One append-only file of frames (length, CRC-32C, JSON), synced at every commit; everything else is in memory. The
//! chain and the limits are the ledger crate's own. It is what SQLite's adapter is compared with, and what simulations
//! of whole nodes run on. What it is not: quick, or able to tell a damaged frame from a torn one when it opens (the
//! disk here loses writes, it does not corrupt them).

use std::io::BufRead;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kernel::{FactSeq, Timestamp};
use ledger::canonical::{self, Envelope, Hash};
use ledger::limits::{self, CheckedEffect, CheckedFact};
use ledger::{
    AppendWatcher, Appended, Damage, DeadLetter, Effect, ExportLines, FactFilter, FactRecord, ImportError,
    Ledger, LedgerError, LedgerStats, NewEffect, NewFact, OutboxCounts, Place, Settled, Snapshot, Tip,
    Verified, VerifyProgress,
};
use parking_lot::{Condvar, Mutex};

use crate::SimDisk;
use crate::ledger_log::{Entry, LOG, State, StoredEffect, StoredState, frame, replay};

/// A ledger on a simulated disk.
pub struct SimLedger {
    disk: Arc<Mutex<SimDisk>>,
    state: Mutex<State>,
    grown: Condvar,
    watchers: Mutex<Vec<AppendWatcher>>,
    stats: Mutex<LedgerStats>,
}

// === impl SimLedger ===

impl SimLedger {
    /// Opens what is on `disk`, or begins there.
    ///
    /// # Errors
    /// The disk is full or has lost power; the chain does not hold.
    pub fn open(disk: Arc<Mutex<SimDisk>>) -> Result<Self, LedgerError> {
        let state = {
            let mut disk = disk.lock();
            if !disk.list().iter().any(|name| name == LOG) {
                disk.append(LOG, b"").map_err(failure)?;
                disk.sync(LOG).map_err(failure)?;
                disk.sync_folder().map_err(failure)?;
            }
            let log = disk.read(LOG).map_err(failure)?;
            let (state, sound) = replay(&log);
            if sound < log.len() {
                // What power loss tore was never acknowledged.
                disk.truncate(LOG, sound).map_err(failure)?;
            }
            // What is read from now on must not be lost later: a frame may have survived without having been synced.
            disk.sync(LOG).map_err(failure)?;
            state
        };
        let mut damage = Vec::new();
        check_chain(&state.facts, &mut damage);
        if let Some(Damage { place, what }) = damage.into_iter().next() {
            let seq = if let Place::Fact(seq) = place { seq } else { FactSeq(0) };
            return Err(LedgerError::Damaged { seq, what });
        }
        Ok(Self {
            disk,
            state: Mutex::new(state),
            grown: Condvar::new(),
            watchers: Mutex::new(Vec::new()),
            stats: Mutex::new(LedgerStats::default()),
        })
    }

    /// Writes `entry`, durably, and then makes it so in memory.
    fn commit(&self, state: &mut State, entry: Entry) -> Result<(), LedgerError> {
        let started = Instant::now();
        let mut disk = self.disk.lock();
        disk.append(LOG, &frame(&entry)?).map_err(failure)?;
        disk.sync(LOG).map_err(failure)?;
        let before = state.facts.len();
        state.apply(entry);
        let facts = (state.facts.len() - before) as u64;
        self.stats.lock().count_commit(facts, started.elapsed().as_secs_f64());
        Ok(())
    }

    fn commit_facts(
        &self,
        state: &mut State,
        facts: Vec<FactRecord>,
        effects: Vec<StoredEffect>,
    ) -> Result<(), LedgerError> {
        let grows = !facts.is_empty();
        if grows || !effects.is_empty() {
            self.commit(state, Entry::Append { facts, effects })?;
        }
        if grows {
            self.grown.notify_all();
            let seq = state.head();
            for watcher in self.watchers.lock().iter() {
                watcher(seq);
            }
        }
        Ok(())
    }

    fn try_append(
        &self,
        facts: Vec<NewFact>,
        effects: Vec<NewEffect>,
        expected: Option<FactSeq>,
    ) -> Result<Appended, LedgerError> {
        let facts = limits::check_facts(facts)?;
        let effects = limits::check_effects(effects)?;
        let mut state = self.state.lock();
        let actual = state.head();
        if let Some(expected) = expected.filter(|expected| *expected != actual) {
            return Err(LedgerError::Moved { expected, actual });
        }
        let records = chain(facts, actual, state.end_hash());
        let seq = records.last().map_or(actual, |record| record.seq);
        let effects = state.new_effects(effects, seq);
        self.commit_facts(&mut state, records.clone(), effects)?;
        Ok(Appended { facts: records })
    }
}

impl Ledger for SimLedger {
    fn append(
        &self,
        facts: Vec<NewFact>,
        effects: Vec<NewEffect>,
        expected: Option<FactSeq>,
    ) -> Result<Appended, LedgerError> {
        self.try_append(facts, effects, expected).inspect_err(|_| self.stats.lock().failures += 1)
    }

    fn head(&self) -> FactSeq {
        self.state.lock().head()
    }

    fn tip(&self) -> Tip {
        let state = self.state.lock();
        Tip { seq: state.head(), hash: hex::encode(state.end_hash()) }
    }

    fn read(
        &self,
        after: FactSeq,
        limit: usize,
        chapter: Option<&str>,
    ) -> Result<Vec<FactRecord>, LedgerError> {
        self.query(&FactFilter { after, limit, chapter: chapter.map(str::to_owned), ..FactFilter::default() })
    }

    fn fact(&self, seq: FactSeq) -> Result<Option<FactRecord>, LedgerError> {
        Ok(self.state.lock().facts.iter().find(|fact| fact.seq == seq).cloned())
    }

    fn query(&self, filter: &FactFilter) -> Result<Vec<FactRecord>, LedgerError> {
        let state = self.state.lock();
        let mut found: Vec<&FactRecord> = state.facts.iter().filter(|fact| matches(filter, fact)).collect();
        if filter.descending {
            found.reverse();
        }
        Ok(found.into_iter().take(filter.limit).cloned().collect())
    }

    fn wait_beyond(&self, seq: FactSeq, timeout: Duration) -> FactSeq {
        let mut state = self.state.lock();
        self.grown.wait_while_for(&mut state, |state| state.head() <= seq, timeout);
        state.head()
    }

    fn on_append(&self, watcher: AppendWatcher) {
        self.watchers.lock().push(watcher);
    }

    fn snapshot(&self, chapter: &str) -> Result<Option<Snapshot>, LedgerError> {
        let state = self.state.lock();
        let found = state.snapshots.get(chapter).filter(|stored| FactSeq(stored.seq) <= state.head());
        Ok(found.map(|stored| Snapshot {
            chapter: chapter.to_owned(),
            version: stored.version,
            seq: FactSeq(stored.seq),
            state: stored.state.clone(),
        }))
    }

    fn save_snapshot(&self, snapshot: &Snapshot) -> Result<(), LedgerError> {
        let what = format!("the snapshot of {}", snapshot.chapter);
        limits::within(&what, "bytes of state", snapshot.state.len(), limits::MAX_SNAPSHOT_BYTES)?;
        limits::within(&what, "bytes in its chapter's name", snapshot.chapter.len(), limits::MAX_NAME_BYTES)?;
        let entry = Entry::Snapshot {
            chapter: snapshot.chapter.clone(),
            kept: StoredState {
                version: snapshot.version,
                seq: snapshot.seq.0,
                state: snapshot.state.clone(),
            },
        };
        self.commit(&mut self.state.lock(), entry)
    }

    fn lease(
        &self,
        kind: &str,
        limit: usize,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Effect>, LedgerError> {
        let mut state = self.state.lock();
        let leased = state.lease(kind, limit, now, until);
        if leased.is_empty() {
            return Ok(Vec::new());
        }
        let effects = leased.iter().map(|(before, _)| before.effect()).collect();
        self.commit(&mut state, Entry::Effects(leased.into_iter().map(|(_, after)| after).collect()))?;
        Ok(effects)
    }

    fn settle(&self, effect: &Effect, outcome: Settled) -> Result<bool, LedgerError> {
        let mut state = self.state.lock();
        let Some(settled) = state.settled(effect, outcome) else { return Ok(false) };
        self.commit(&mut state, Entry::Effects(vec![settled])).map(|()| true)
    }

    fn outbox(&self) -> Result<OutboxCounts, LedgerError> {
        Ok(self.state.lock().counts())
    }

    fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, LedgerError> {
        Ok(self.state.lock().dead_letters(limit))
    }

    fn revive(&self, id: u64, at: Timestamp) -> Result<bool, LedgerError> {
        let mut state = self.state.lock();
        let Some(revived) = state.revived(id, at) else { return Ok(false) };
        self.commit(&mut state, Entry::Effects(vec![revived])).map(|()| true)
    }

    fn prune_outbox(&self, upto: FactSeq) -> Result<u64, LedgerError> {
        let mut state = self.state.lock();
        let before = state.effects.len();
        self.commit(&mut state, Entry::Prune { upto: upto.0 })?;
        Ok((before - state.effects.len()) as u64)
    }

    fn verify_with(&self, progress: &mut dyn FnMut(VerifyProgress)) -> Result<Verified, LedgerError> {
        let started = Instant::now();
        let state = self.state.lock();
        let log = self.disk.lock().read(LOG).map_err(failure)?;
        let (stored, _) = replay(&log);
        let mut damage = Vec::new();
        let sound = check_chain(&stored.facts, &mut damage);
        if stored != *state {
            let what = "what is on the disk is not what was written".to_owned();
            damage.push(Damage { place: Place::File, what });
        }
        let total = stored.facts.len() as u64;
        progress(VerifyProgress { checked: total, total });
        Ok(Verified { facts: total, tip: sound, damage, seconds: started.elapsed().as_secs_f64() })
    }

    fn import(&self, lines: &mut dyn BufRead) -> Result<Tip, ImportError> {
        let mut state = self.state.lock();
        if state.head() > FactSeq(0) {
            return Err(ImportError::NotEmpty { head: state.head() });
        }
        let facts = ExportLines::new(lines).collect::<Result<Vec<_>, _>>()?;
        let records = chain(facts, FactSeq(0), canonical::NO_FACT);
        self.commit_facts(&mut state, records, Vec::new())?;
        Ok(Tip { seq: state.head(), hash: hex::encode(state.end_hash()) })
    }

    fn stats(&self) -> Result<LedgerStats, LedgerError> {
        let state = self.state.lock();
        let bytes = self.disk.lock().used() as u64;
        Ok(LedgerStats { head: state.head(), bytes, outbox: state.counts(), ..self.stats.lock().clone() })
    }
}

/// The port's error for the disk's.
pub(crate) fn failure(error: crate::DiskError) -> LedgerError {
    match error {
        crate::DiskError::Full => LedgerError::Full(LOG.to_owned()),
        crate::DiskError::Crashed => LedgerError::Io("the machine has lost power".to_owned()),
        crate::DiskError::NotFound => LedgerError::Io(format!("{LOG} is gone")),
    }
}

/// The records of `facts` after fact `seq` with `previous` for its hash.
fn chain(facts: Vec<CheckedFact>, seq: FactSeq, mut previous: Hash) -> Vec<FactRecord> {
    let record = |(index, checked): (usize, CheckedFact)| {
        let CheckedFact { fact, payload } = checked;
        let mut record = FactRecord {
            seq: FactSeq(seq.0 + 1 + index as u64),
            time: fact.time,
            actor: fact.actor,
            reason: fact.reason,
            change: fact.change,
            chapter: fact.chapter,
            kind: fact.kind,
            version: fact.version,
            subject: fact.subject,
            payload: fact.payload,
            previous: hex::encode(previous),
            hash: String::new(),
        };
        previous = hash(&record, &payload, &previous);
        record.hash = hex::encode(previous);
        record
    };
    facts.into_iter().enumerate().map(record).collect()
}

fn hash(record: &FactRecord, payload: &str, previous: &Hash) -> Hash {
    let envelope = Envelope {
        seq: record.seq,
        time: record.time,
        actor: &record.actor,
        reason: &record.reason,
        change: record.change.as_ref(),
        chapter: &record.chapter,
        kind: &record.kind,
        version: record.version,
        subject: &record.subject,
        payload,
    };
    envelope.hash(previous)
}

/// Recomputes the chain; returns the end of its sound part.
fn check_chain(facts: &[FactRecord], damage: &mut Vec<Damage>) -> Tip {
    let mut previous = canonical::NO_FACT;
    let mut tip = Tip { seq: FactSeq(0), hash: hex::encode(previous) };
    for (index, fact) in facts.iter().enumerate() {
        let hash = hash(fact, &canonical::json(&fact.payload), &previous);
        let follows = fact.seq.0 == index as u64 + 1 && fact.previous == tip.hash;
        if !follows || fact.hash != hex::encode(hash) {
            let what = "it does not follow from the fact before it".to_owned();
            damage.push(Damage { place: Place::Fact(fact.seq), what });
            break;
        }
        previous = hash;
        tip = Tip { seq: fact.seq, hash: fact.hash.clone() };
    }
    tip
}

/// What [`FactFilter`] says, word for word.
fn matches(filter: &FactFilter, fact: &FactRecord) -> bool {
    fn wanted<T: PartialEq>(wanted: Option<&T>, actual: &T) -> bool {
        wanted.is_none_or(|wanted| wanted == actual)
    }
    let holds = |text: &String| {
        let part = text.to_ascii_lowercase();
        [&fact.subject, &fact.reason, &canonical::json(&fact.payload)]
            .into_iter()
            .any(|whole| whole.to_ascii_lowercase().contains(&part))
    };
    fact.seq > filter.after
        && filter.before.is_none_or(|before| fact.seq < before)
        && filter.since.is_none_or(|since| fact.time >= since)
        && filter.until.is_none_or(|until| fact.time < until)
        && wanted(filter.chapter.as_ref(), &fact.chapter)
        && wanted(filter.kind.as_ref(), &fact.kind)
        && wanted(filter.subject.as_ref(), &fact.subject)
        && filter
            .actor
            .as_ref()
            .is_none_or(|actor| *actor == fact.actor.to_string() || *actor == fact.actor.name)
        && filter.change.as_ref().is_none_or(|change| fact.change.as_ref() == Some(change))
        && filter.text.as_ref().is_none_or(holds)
}

/// Effects as the outbox keeps them.
impl State {
    fn new_effects(&self, effects: Vec<CheckedEffect>, seq: FactSeq) -> Vec<StoredEffect> {
        let mut added: Vec<StoredEffect> = Vec::new();
        for CheckedEffect { effect, .. } in effects {
            if self.effects.values().chain(&added).any(|known| known.key == effect.key) {
                continue;
            }
            let id = self.effects.keys().last().copied().unwrap_or(0) + 1 + added.len() as u64;
            added.push(StoredEffect::new(id, seq, effect));
        }
        added
    }
}
