//! Connections, and what is checked when a ledger opens.

use std::path::Path;
use std::time::Duration;

use kernel::FactSeq;
use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags};

use super::position::Position;
use super::rows::{COLUMNS, ChainEnd, RawFact};
use super::{LedgerOptions, schema};
use crate::witness::{self, Reached};
use crate::{LedgerError, Place};

/// How long a statement waits for another program that has the file open, such as the `sqlite3` shell.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// What a write-ahead log that grew (an import is one transaction) is cut to once it is folded into the database.
const LOG_BYTES_KEPT: i64 = 64 << 20;
/// Most reading connections kept for reuse.
const MAX_IDLE_READERS: usize = 8;
/// Different statements a connection keeps prepared.
const PREPARED_STATEMENTS: usize = 64;

/// Connections that only read, beside the writer.
pub(super) struct Readers {
    place: String,
    idle: Mutex<Vec<Connection>>,
}

// === impl Readers ===

impl Readers {
    /// Of the database at `place`, which must exist by the first use.
    pub(super) fn new(place: String) -> Self {
        Self { place, idle: Mutex::new(Vec::new()) }
    }

    /// Lends a connection to `work`.
    pub(super) fn with<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let idle = self.idle.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => reading(&self.place).map_err(|error| schema::failure(&self.place, &error))?,
        };
        let outcome = work(&connection);
        let mut idle = self.idle.lock();
        if idle.len() < MAX_IDLE_READERS {
            idle.push(connection);
        }
        outcome
    }

    /// [`Readers::with`] for work that fails as SQLite does.
    pub(super) fn sql<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        self.with(|connection| work(connection).map_err(|error| schema::failure(&self.place, &error)))
    }

    /// The database's path.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Closes what is idle.
    pub(super) fn close(&self) {
        self.idle.lock().clear();
    }
}

/// The writing connection to the database at `path`, made with its tables if it is not there.
pub(super) fn writing(path: &Path, options: &LedgerOptions) -> rusqlite::Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    settle_in(&connection)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT)?;
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

/// What every connection wants: wait for others, distrust the file, check every page that is read.
pub(super) fn settle_in(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(PREPARED_STATEMENTS);
    connection.pragma_update(None, "trusted_schema", "OFF")?;
    connection.pragma_update(None, "cell_size_check", "ON")
}

/// Checks the schema, the position, the last fact and the witness.
///
/// # Errors
/// [`LedgerError::Damaged`], IO.
pub(super) fn check(connection: &Connection, folder: &Path, place: &str) -> Result<Position, LedgerError> {
    let failed = |error: rusqlite::Error| schema::failure(place, &error);
    let damaged = |what: String| LedgerError::Damaged { seq: FactSeq(0), what: format!("{place}: {what}") };
    schema::check(connection).map_err(failed)?.map_err(damaged)?;
    let position = Position::load(connection)
        .map_err(failed)?
        .map_err(|what| damaged(format!("the record of its position: {what}")))?;
    let end = last_fact(connection, place)?;
    if let Some((seq, what)) = position_against_facts(&position, end) {
        return Err(LedgerError::Damaged { seq: FactSeq(seq), what });
    }
    let testimony = witness::read(folder).map_err(|error| io_failure(folder, &error))?;
    let Some(reached) = testimony.reached else { return Ok(position) };
    match against_witness(connection, &position, &reached).map_err(failed)? {
        None => Ok(position),
        Some((Place::Fact(seq), what)) => Err(LedgerError::Damaged { seq, what }),
        Some((_, what)) => Err(damaged(what)),
    }
}

/// What differs between the recorded position and the end of the facts: the fact, and what is wrong.
pub(super) fn position_against_facts(position: &Position, end: ChainEnd) -> Option<(u64, String)> {
    if end == position.end {
        return None;
    }
    let at = end.seq.min(position.end.seq) + u64::from(end.seq != position.end.seq);
    Some((at, format!("the facts end with {}, the recorded position is {}", end.seq, position.end.seq)))
}

/// What a ledger at `position` lacks of what it had reached.
pub(super) fn against_witness(
    connection: &Connection,
    position: &Position,
    reached: &Reached,
) -> rusqlite::Result<Option<(Place, String)>> {
    let advice = format!(
        "the database or its write-ahead log was cut, changed or replaced by an older copy (after restoring an older \
         copy on purpose, delete {})",
        witness::WITNESS_FILE
    );
    if position.end.seq < reached.seq {
        let first = position.end.seq + 1;
        let what = format!("facts {first} to {} were acknowledged and are missing: {advice}", reached.seq);
        return Ok(Some((Place::Fact(FactSeq(first)), what)));
    }
    if position.commits < reached.commits {
        let what = format!(
            "commits {} to {} were acknowledged and are missing, facts are not among them: {advice}",
            position.commits + 1,
            reached.commits
        );
        return Ok(Some((Place::Table("outbox".to_owned()), what)));
    }
    if reached.seq == 0 {
        return Ok(None);
    }
    let stored: Vec<u8> =
        connection.query_row("SELECT hash FROM facts WHERE seq = ?", [reached.seq.cast_signed()], |row| {
            row.get(0)
        })?;
    if stored == reached.hash {
        return Ok(None);
    }
    let what = format!("it is not the fact that was acknowledged: {advice}");
    Ok(Some((Place::Fact(FactSeq(reached.seq)), what)))
}

/// A failure of the file system in `folder`.
pub(super) fn io_failure(folder: &Path, error: &std::io::Error) -> LedgerError {
    match error.kind() {
        std::io::ErrorKind::StorageFull => LedgerError::Full(folder.display().to_string()),
        _ => LedgerError::Io(format!("{}: {error}", folder.display())),
    }
}

fn reading(place: &str) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(place, flags)?;
    settle_in(&connection)?;
    Ok(connection)
}

/// The last fact, held against its own hash.
fn last_fact(connection: &Connection, place: &str) -> Result<ChainEnd, LedgerError> {
    let failed = |error: rusqlite::Error| schema::failure(place, &error);
    let statement = format!("SELECT {COLUMNS} FROM facts ORDER BY seq DESC LIMIT 1");
    let mut statement = connection.prepare(&statement).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    let Some(row) = rows.next().map_err(failed)? else { return Ok(ChainEnd::START) };
    let last = RawFact::of(row)?;
    last.check()?;
    Ok(ChainEnd { seq: last.seq, hash: last.hash })
}
