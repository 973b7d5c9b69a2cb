//! The ledger on SQLite: one file in WAL mode, full sync, one writing thread, readers beside it.
//!
//! What is where: `schema` (tables), `rows` (a fact as a row), `writer` (group commit), `query`, `outbox`, `verify`.
//! The format of the folder: `docs/formats/ledger.md`.

mod outbox;
mod query;
mod rows;
mod schema;
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
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use self::rows::{COLUMNS, ChainEnd, RawFact};
use self::writer::{Batch, Shared, Stop, Task, Writer, task};
use crate::canonical::{FieldHasher, Hash};
use crate::limits::{self, CheckedFact};
use crate::transfer::ExportLines;
use crate::witness::{self, Witness};
use crate::{
    AppendWatcher, Appended, DeadLetter, Effect, FactFilter, FactRecord, FolderLock, ImportError, Ledger,
    LedgerError, LedgerStats, NewEffect, NewFact, OutboxCounts, Settled, Snapshot, Tip, Verified,
    VerifyProgress, lock_folder,
};

pub use self::writer::{MAX_BATCH_FACTS, MAX_WAITING};

/// The database in the ledger's folder.
pub const DATABASE_FILE: &str = "ledger.db";

/// How long a statement waits for another program that has the file open, such as the `sqlite3` shell.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Most reading connections kept for reuse.
const MAX_IDLE_READERS: usize = 8;
/// Facts per message while importing.
const IMPORT_CHUNK: usize = 1_000;
/// Different statements a connection keeps prepared.
const PREPARED_STATEMENTS: usize = 64;
const SNAPSHOT_TAG: &[u8] = b"mainstay snapshot 1\n";

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

struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
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
        let connection = connect(&path, options).map_err(|error| schema::failure(&place, &error))?;
        check_schema(&connection, &place)?;
        File::open(folder).and_then(|dir| dir.sync_all()).map_err(|error| io_failure(folder, &error))?;
        let end = chain_end(&connection, &place)?;
        check_witness(&connection, folder, &place, end)?;
        let witness = Witness::open(folder).map_err(|error| io_failure(folder, &error))?;
        let shared = Arc::new(Shared {
            end: Mutex::new(end),
            grown: Condvar::new(),
            watchers: Mutex::new(Vec::new()),
            stats: Mutex::new(LedgerStats::default()),
        });
        let writer = Writer { connection, place, end, witness, shared: Arc::clone(&shared), stopped: None };
        let (tasks, receiver) = sync_channel(MAX_WAITING);
        let thread = std::thread::Builder::new()
            .name("ledger-writer".to_owned())
            .spawn(move || writer.run(&receiver))
            .map_err(|error| LedgerError::Io(format!("cannot start the ledger's writer: {error}")))?;
        let readers = Readers { path, idle: Mutex::new(Vec::new()) };
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

    fn place(&self) -> String {
        self.readers.path.display().to_string()
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
        let place = self.place();
        let found = self
            .readers
            .with(|connection| query::fetch(connection, &place, &statement, vec![Sql::Integer(number)]))?;
        Ok(found.into_iter().next())
    }

    fn query(&self, filter: &FactFilter) -> Result<Vec<FactRecord>, LedgerError> {
        let place = self.place();
        self.readers.with(|connection| query::run(connection, &place, filter))
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
        let found = self.readers.sql(|connection| {
            connection
                .prepare_cached("SELECT version, seq, state, checksum FROM snapshots WHERE chapter = ?")?
                .query_row([chapter], |row| read_snapshot(chapter.to_owned(), row, 0))
                .optional()
        });
        match found {
            Ok(found) => Ok(found.flatten().filter(|snapshot| snapshot.seq <= head)),
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
        self.submit(0, move |batch| {
            batch
                .connection
                .prepare_cached("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?, ?)")?
                .execute(params![
                    snapshot.chapter,
                    snapshot.version,
                    snapshot.seq.0.cast_signed(),
                    snapshot.state,
                    snapshot_sum(&snapshot).as_slice(),
                ])?;
            Ok(())
        })
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
        verify::run(&self.readers.path, &self.folder, progress)
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
        self.readers.idle.lock().clear();
        self.tasks = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the writer has been printed; every caller got an error.
            let _ = thread.join();
        }
    }
}

// === impl Readers ===

impl Readers {
    fn with<T>(&self, work: impl FnOnce(&Connection) -> Result<T, LedgerError>) -> Result<T, LedgerError> {
        let idle = self.idle.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => reading(&self.path).map_err(|error| self.failure(&error))?,
        };
        let outcome = work(&connection);
        let mut idle = self.idle.lock();
        if idle.len() < MAX_IDLE_READERS {
            idle.push(connection);
        }
        outcome
    }

    fn sql<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, LedgerError> {
        self.with(|connection| work(connection).map_err(|error| self.failure(&error)))
    }

    fn failure(&self, error: &rusqlite::Error) -> LedgerError {
        schema::failure(&self.path.display().to_string(), error)
    }
}

fn connect(path: &Path, options: &LedgerOptions) -> rusqlite::Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    settle_in(&connection)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    if let Some(bytes) = options.max_bytes {
        let page: i64 = connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
        let pages = i64::try_from(bytes).unwrap_or(i64::MAX) / page.max(1);
        connection.pragma_update(None, "max_page_count", pages.max(1))?;
    }
    if schema::is_empty(&connection)? {
        schema::create(&connection)?;
    }
    Ok(connection)
}

fn reading(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    settle_in(&connection)?;
    Ok(connection)
}

/// What every connection wants: wait for others, distrust the file, check every page that is read.
fn settle_in(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(PREPARED_STATEMENTS);
    connection.pragma_update(None, "trusted_schema", "OFF")?;
    connection.pragma_update(None, "cell_size_check", "ON")
}

fn check_schema(connection: &Connection, place: &str) -> Result<(), LedgerError> {
    let found = schema::check(connection).map_err(|error| schema::failure(place, &error))?;
    found.map_err(|what| LedgerError::Damaged { seq: FactSeq(0), what: format!("{place}: {what}") })
}

/// The last fact, held against its own hash.
fn chain_end(connection: &Connection, place: &str) -> Result<ChainEnd, LedgerError> {
    let failed = |error: rusqlite::Error| schema::failure(place, &error);
    let statement = format!("SELECT {COLUMNS} FROM facts ORDER BY seq DESC LIMIT 1");
    let mut statement = connection.prepare(&statement).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    let Some(row) = rows.next().map_err(failed)? else { return Ok(ChainEnd::START) };
    let last = RawFact::of(row)?;
    last.check()?;
    Ok(ChainEnd { seq: last.seq, hash: last.hash })
}

/// Holds what was reached against what is there.
fn check_witness(
    connection: &Connection,
    folder: &Path,
    place: &str,
    end: ChainEnd,
) -> Result<(), LedgerError> {
    let testimony = witness::read(folder).map_err(|error| io_failure(folder, &error))?;
    let Some((seq, hash)) = testimony.reached else { return Ok(()) };
    verify::against_witness(connection, end, seq, &hash)
        .map_err(|error| schema::failure(place, &error))?
        .map_err(|(seq, what)| LedgerError::Damaged { seq: FactSeq(seq), what })
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

/// A snapshot from `version, seq, state, checksum` in the columns from `first`; `None` when its checksum does not match.
fn read_snapshot(
    chapter: String,
    row: &rusqlite::Row<'_>,
    first: usize,
) -> rusqlite::Result<Option<Snapshot>> {
    let snapshot = Snapshot {
        chapter,
        version: row.get(first)?,
        seq: FactSeq(row.get::<_, i64>(first + 1)?.cast_unsigned()),
        state: row.get(first + 2)?,
    };
    let checksum: Vec<u8> = row.get(first + 3)?;
    Ok((checksum == snapshot_sum(&snapshot)).then_some(snapshot))
}

fn snapshot_sum(snapshot: &Snapshot) -> Hash {
    let mut fields = FieldHasher::new(SNAPSHOT_TAG);
    fields.text(&snapshot.chapter).integer(u64::from(snapshot.version)).integer(snapshot.seq.0);
    fields.bytes(&snapshot.state);
    fields.finish()
}

fn tip(end: ChainEnd) -> Tip {
    Tip { seq: FactSeq(end.seq), hash: hex::encode(end.hash) }
}

fn writer_gone() -> LedgerError {
    LedgerError::Io("the ledger's writer has ended".to_owned())
}

fn io_failure(folder: &Path, error: &std::io::Error) -> LedgerError {
    match error.kind() {
        std::io::ErrorKind::StorageFull => LedgerError::Full(folder.display().to_string()),
        _ => LedgerError::Io(format!("{}: {error}", folder.display())),
    }
}
