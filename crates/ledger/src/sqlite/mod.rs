//! The ledger on SQLite: one file in WAL mode, full sync, one writing thread, readers beside it.
//!
//! What is where: `schema` (tables), `opening` (connections and first checks), `writer` (group commit), `rows` (a
//! fact as a row), `position`, `snapshots`, `query`, `outbox`, `verify`.
//! The format of the folder: `docs/formats/ledger.md`.

mod opening;
mod outbox;
mod position;
mod query;
mod rows;
mod schema;
mod snapshots;
mod verify;
mod writer;

use std::fs::File;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use kernel::{FactSeq, Timestamp};
use parking_lot::{Condvar, Mutex};
use rusqlite::types::Value as Sql;

use self::opening::Readers;
use self::rows::{COLUMNS, ChainEnd};
use self::writer::{Batch, Shared, Stop, Task, Writer, task};
use crate::limits::{self, CheckedFact};
use crate::transfer::ExportLines;
use crate::witness::Witness;
use crate::{
    AppendWatcher, Appended, DeadLetter, Effect, FactFilter, FactRecord, FolderLock, ImportError, Ledger,
    LedgerError, LedgerStats, NewEffect, NewFact, OutboxCounts, Settled, Snapshot, Tip, Verified,
    VerifyProgress, lock_folder,
};

pub use self::writer::{MAX_BATCH_FACTS, MAX_WAITING};

/// The database in the ledger's folder.
pub const DATABASE_FILE: &str = "ledger.db";

/// Facts per message while importing.
const IMPORT_CHUNK: usize = 1_000;
/// How a ledger is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerOptions {
    /// Most bytes the database may grow to; reaching it is answered like a full disk. Unset: as much as the disk holds.
    pub max_bytes: Option<u64>,
}

/// A ledger on SQLite. Dropping it ends the writer once everything that waits is written.
pub struct SqliteLedger {
    // Fields drop in this order: readers first, so that the writer's connection is the last one and folds the
    // write-ahead log into the database; the lock goes last.
    readers: Readers,
    tasks: Option<SyncSender<Box<dyn Task>>>,
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
    folder: PathBuf,
    _lock: FolderLock,
}

// === impl SqliteLedger ===

impl SqliteLedger {
    /// Opens the ledger in `folder`, or makes one there. Checks the header, the schema, the last fact, and that nothing
    /// that was acknowledged is missing at the end; [`Ledger::verify`] checks the rest.
    ///
    /// # Errors
    /// [`LedgerError::Locked`] when another process has it open, [`LedgerError::Damaged`], [`LedgerError::Full`], IO.
    pub fn open(folder: &Path, options: &LedgerOptions) -> Result<Self, LedgerError> {
        let lock = lock_folder(folder)?;
        let path = folder.join(DATABASE_FILE);
        let place = path.display().to_string();
        let connection = opening::writing(&path, options).map_err(|error| schema::failure(&place, &error))?;
        File::open(folder)
            .and_then(|dir| dir.sync_all())
            .map_err(|error| opening::io_failure(folder, &error))?;
        let position = opening::check(&connection, folder, &place)?;
        let witness = Witness::open(folder).map_err(|error| opening::io_failure(folder, &error))?;
        let shared = Arc::new(Shared {
            end: Mutex::new(position.end),
            grown: Condvar::new(),
            watchers: Mutex::new(Vec::new()),
            stats: Mutex::new(LedgerStats::default()),
        });
        let readers = Readers::new(place.clone());
        let writer =
            Writer { connection, place, position, witness, shared: Arc::clone(&shared), stopped: None };
        let (tasks, receiver) = sync_channel(MAX_WAITING);
        let thread = std::thread::Builder::new()
            .name("ledger-writer".to_owned())
            .spawn(move || writer.run(&receiver))
            .map_err(|error| LedgerError::Io(format!("cannot start the ledger's writer: {error}")))?;
        Ok(Self {
            readers,
            tasks: Some(tasks),
            thread: Some(thread),
            shared,
            folder: folder.to_owned(),
            _lock: lock,
        })
    }

    /// Verifies a ledger that is not open, also one that [`SqliteLedger::open`] refuses.
    ///
    /// # Errors
    /// It is locked, or there is none, or it cannot be read at all. Damage is an answer, not an error.
    pub fn verify_folder(
        folder: &Path,
        progress: &mut dyn FnMut(VerifyProgress),
    ) -> Result<Verified, LedgerError> {
        let path = folder.join(DATABASE_FILE);
        if !path.exists() {
            return Err(LedgerError::Io(format!("there is no ledger at {}", path.display())));
        }
        let _lock = lock_folder(folder)?;
        verify::run(&path, folder, progress)
    }

    fn submit<T: Send + 'static>(
        &self,
        facts: usize,
        work: impl FnOnce(&mut Batch<'_>) -> Result<T, Stop> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (task, answer) = task(facts, false, work);
        self.post(task)?;
        answer.recv().unwrap_or_else(|_| Err(writer_gone()))
    }

    fn post(&self, task: Box<dyn Task>) -> Result<(), LedgerError> {
        self.tasks.as_ref().and_then(|tasks| tasks.send(task).ok()).ok_or_else(writer_gone)
    }
}

impl Ledger for SqliteLedger {
    fn append(
        &self,
        facts: Vec<NewFact>,
        effects: Vec<NewEffect>,
        expected: Option<FactSeq>,
    ) -> Result<Appended, LedgerError> {
        let outcome = limits::check_facts(facts).and_then(|facts| {
            let effects = limits::check_effects(effects)?;
            self.submit(facts.len(), move |batch| {
                let actual = FactSeq(batch.end.seq);
                if let Some(expected) = expected.filter(|expected| *expected != actual) {
                    return Err(Stop::Refused(LedgerError::Moved { expected, actual }));
                }
                let insert = |fact| batch.end.insert(batch.connection, fact);
                let facts = facts.into_iter().map(insert).collect::<Result<Vec<_>, _>>()?;
                for effect in effects {
                    outbox::insert(batch.connection, batch.end.seq, effect)?;
                }
                Ok(Appended { facts })
            })
        });
        if outcome.is_err() {
            let mut stats = self.shared.stats.lock();
            stats.failures = stats.failures.saturating_add(1);
        }
        outcome
    }

    fn head(&self) -> FactSeq {
        FactSeq(self.shared.end.lock().seq)
    }

    fn tip(&self) -> Tip {
        tip(*self.shared.end.lock())
    }

    fn read(
        &self,
        after: FactSeq,
        limit: usize,
        chapter: Option<&str>,
    ) -> Result<Vec<FactRecord>, LedgerError> {
        let filter =
            FactFilter { after, limit, chapter: chapter.map(str::to_owned), ..FactFilter::default() };
        let facts = self.query(&filter)?;
        if chapter.is_none() {
            check_unbroken(after, &facts)?;
        }
        Ok(facts)
    }

    fn fact(&self, seq: FactSeq) -> Result<Option<FactRecord>, LedgerError> {
        let Ok(number) = i64::try_from(seq.0) else { return Ok(None) };
        let statement = format!("SELECT {COLUMNS} FROM facts WHERE seq = ?");
        let (place, values) = (self.readers.place(), vec![Sql::Integer(number)]);
        let found = self.readers.with(|connection| query::fetch(connection, place, &statement, values))?;
        Ok(found.into_iter().next())
    }

    fn query(&self, filter: &FactFilter) -> Result<Vec<FactRecord>, LedgerError> {
        self.readers.with(|connection| query::run(connection, self.readers.place(), filter))
    }

    fn wait_beyond(&self, seq: FactSeq, timeout: Duration) -> FactSeq {
        let deadline = Instant::now().checked_add(timeout);
        let mut end = self.shared.end.lock();
        while end.seq <= seq.0 {
            let timed_out = match deadline {
                Some(deadline) => self.shared.grown.wait_until(&mut end, deadline).timed_out(),
                None => {
                    self.shared.grown.wait(&mut end);
                    false
                }
            };
            if timed_out {
                break;
            }
        }
        FactSeq(end.seq)
    }

    fn on_append(&self, watcher: AppendWatcher) {
        self.shared.watchers.lock().push(watcher);
    }

    fn snapshot(&self, chapter: &str) -> Result<Option<Snapshot>, LedgerError> {
        let head = self.head();
        match self.readers.sql(|connection| snapshots::load(connection, chapter)) {
            Ok(found) => Ok(found.filter(|snapshot| snapshot.seq <= head)),
            // The facts are the truth, so what cannot be read is not there.
            Err(LedgerError::Damaged { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn save_snapshot(&self, snapshot: &Snapshot) -> Result<(), LedgerError> {
        let what = format!("the snapshot of {}", snapshot.chapter);
        limits::within(&what, "bytes of state", snapshot.state.len(), limits::MAX_SNAPSHOT_BYTES)?;
        limits::within(&what, "bytes in its chapter's name", snapshot.chapter.len(), limits::MAX_NAME_BYTES)?;
        let snapshot = snapshot.clone();
        self.submit(0, move |batch| Ok(snapshots::store(batch.connection, &snapshot)?))
    }

    fn lease(
        &self,
        kind: &str,
        limit: usize,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Effect>, LedgerError> {
        if !self.readers.sql(|connection| outbox::any_due(connection, kind, now))? {
            return Ok(Vec::new());
        }
        let kind = kind.to_owned();
        self.submit(0, move |batch| outbox::lease(batch.connection, &kind, limit, now, until))
    }

    fn settle(&self, effect: &Effect, outcome: Settled) -> Result<bool, LedgerError> {
        let effect = effect.clone();
        self.submit(0, move |batch| outbox::settle(batch.connection, &effect, outcome))
    }

    fn outbox(&self) -> Result<OutboxCounts, LedgerError> {
        self.readers.sql(outbox::counts)
    }

    fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, LedgerError> {
        self.readers.sql(|connection| outbox::dead(connection, limit))
    }

    fn revive(&self, id: u64, at: Timestamp) -> Result<bool, LedgerError> {
        self.submit(0, move |batch| outbox::revive(batch.connection, id, at))
    }

    fn prune_outbox(&self, upto: FactSeq) -> Result<u64, LedgerError> {
        self.submit(0, move |batch| outbox::prune(batch.connection, upto))
    }

    fn verify_with(&self, progress: &mut dyn FnMut(VerifyProgress)) -> Result<Verified, LedgerError> {
        verify::run(&self.folder.join(DATABASE_FILE), &self.folder, progress)
    }

    fn import(&self, lines: &mut dyn BufRead) -> Result<Tip, ImportError> {
        let (chunks, received) = sync_channel::<Option<Vec<CheckedFact>>>(2);
        let work = move |batch: &mut Batch<'_>| {
            if batch.end.seq > 0 {
                let head = FactSeq(batch.end.seq);
                return Err(Stop::Refused(LedgerError::Moved { expected: FactSeq(0), actual: head }));
            }
            // The sender ends with `None`; when it vanishes without, a line was wrong and everything is undone.
            while let Some(chunk) = received.recv().map_err(|_| Stop::Broken(writer_gone()))? {
                for fact in chunk {
                    batch.end.insert(batch.connection, fact)?;
                }
            }
            Ok(tip(batch.end))
        };
        let (task, answer) = task(0, true, work);
        self.post(task)?;
        let fed = feed(lines, chunks);
        let imported = answer.recv().unwrap_or_else(|_| Err(writer_gone()));
        match (fed, imported) {
            (_, Err(LedgerError::Moved { actual, .. })) => Err(ImportError::NotEmpty { head: actual }),
            (Err(error), _) => Err(error),
            (Ok(()), imported) => Ok(imported?),
        }
    }

    fn stats(&self) -> Result<LedgerStats, LedgerError> {
        let mut stats = self.shared.stats.lock().clone();
        stats.head = self.head();
        stats.outbox = self.outbox()?;
        let size = |suffix: &str| {
            let name = self.folder.join(format!("{DATABASE_FILE}{suffix}"));
            std::fs::metadata(name).map_or(0, |metadata| metadata.len())
        };
        stats.bytes = size("") + size("-wal");
        Ok(stats)
    }
}

impl Drop for SqliteLedger {
    fn drop(&mut self) {
        self.readers.close();
        self.tasks = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the writer has been printed; every caller got an error.
            let _ = thread.join();
        }
    }
}

/// Whether `facts` follow `after` and one another.
fn check_unbroken(after: FactSeq, facts: &[FactRecord]) -> Result<(), LedgerError> {
    let mut before: Option<&FactRecord> = None;
    for fact in facts {
        let expected = before.map_or(after.0, |before| before.seq.0).saturating_add(1);
        if fact.seq.0 != expected {
            return Err(rows::damaged(expected, format!("it is missing: fact {} comes instead", fact.seq)));
        }
        if before.is_some_and(|before| before.hash != fact.previous) {
            return Err(rows::damaged(fact.seq.0, "it does not follow from the fact before it".to_owned()));
        }
        before = Some(fact);
    }
    Ok(())
}

/// Parses and checks `lines` and sends them in chunks; ends with `None` only if every line was right.
fn feed(lines: &mut dyn BufRead, chunks: SyncSender<Option<Vec<CheckedFact>>>) -> Result<(), ImportError> {
    let mut chunk = Vec::with_capacity(IMPORT_CHUNK);
    for fact in ExportLines::new(lines) {
        chunk.push(fact?);
        if chunk.len() == IMPORT_CHUNK && chunks.send(Some(std::mem::take(&mut chunk))).is_err() {
            // The writer has refused, and says why in its answer.
            return Ok(());
        }
    }
    let _ = chunks.send(Some(chunk)).and_then(|()| chunks.send(None));
    Ok(())
}

fn tip(end: ChainEnd) -> Tip {
    Tip { seq: FactSeq(end.seq), hash: hex::encode(end.hash) }
}

fn writer_gone() -> LedgerError {
    LedgerError::Io("the ledger's writer has ended".to_owned())
}
