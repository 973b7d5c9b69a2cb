//! The tables, word for word: what stands in the file is compared with what is written here, so that a changed byte in
//! the schema is found when the ledger opens. Described in `docs/formats/ledger.md`.

use kernel::FactSeq;
use rusqlite::Connection;

use super::position::Position;
use crate::LedgerError;

/// In the file's header, so that `file` and SQLite know whose it is: "MsLg".
const APPLICATION_ID: i64 = 0x4d73_4c67;
/// The version of this schema, in the file's header. A later one migrates from it.
const SCHEMA_VERSION: i64 = 1;

/// Name and definition of every table and index, in the order they are made.
const SCHEMA: [(&str, &str); 12] = [
    (
        "facts",
        "CREATE TABLE facts(seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, actor_kind TEXT NOT NULL, \
         actor_name TEXT NOT NULL, actor_role TEXT, reason TEXT NOT NULL, change TEXT, chapter TEXT NOT NULL, \
         kind TEXT NOT NULL, version INTEGER NOT NULL, subject TEXT NOT NULL, payload TEXT NOT NULL, \
         previous BLOB NOT NULL, hash BLOB NOT NULL) STRICT",
    ),
    ("facts_by_time", "CREATE INDEX facts_by_time ON facts(time)"),
    ("facts_by_chapter", "CREATE INDEX facts_by_chapter ON facts(chapter)"),
    ("facts_by_subject", "CREATE INDEX facts_by_subject ON facts(subject)"),
    ("facts_by_actor", "CREATE INDEX facts_by_actor ON facts(actor_name)"),
    ("facts_by_change", "CREATE INDEX facts_by_change ON facts(change) WHERE change IS NOT NULL"),
    (
        "position",
        "CREATE TABLE position(id INTEGER PRIMARY KEY, commits INTEGER NOT NULL, seq INTEGER NOT NULL, \
         hash BLOB NOT NULL, checksum BLOB NOT NULL) STRICT",
    ),
    (
        "snapshots",
        "CREATE TABLE snapshots(chapter TEXT NOT NULL PRIMARY KEY, version INTEGER NOT NULL, seq INTEGER NOT NULL, \
         state BLOB NOT NULL, checksum BLOB NOT NULL) STRICT",
    ),
    (
        "outbox",
        "CREATE TABLE outbox(id INTEGER PRIMARY KEY, seq INTEGER NOT NULL, key TEXT NOT NULL, kind TEXT NOT NULL, \
         payload TEXT NOT NULL, state INTEGER NOT NULL, due INTEGER NOT NULL, attempts INTEGER NOT NULL, \
         lease INTEGER NOT NULL, error TEXT NOT NULL, checksum BLOB NOT NULL) STRICT",
    ),
    ("outbox_by_key", "CREATE UNIQUE INDEX outbox_by_key ON outbox(key)"),
    ("outbox_by_due", "CREATE INDEX outbox_by_due ON outbox(kind, due) WHERE state = 0"),
    ("outbox_dead", "CREATE INDEX outbox_dead ON outbox(id) WHERE state = 2"),
];

/// Makes the tables in an empty file.
pub(super) fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let mut script = String::new();
    for (_, definition) in SCHEMA {
        script.push_str(definition);
        script.push(';');
    }
    script.push_str(&format!(
        "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION};"
    ));
    connection.execute_batch(&script)?;
    Position::START.store(connection)?;
    connection.execute_batch("COMMIT")
}

/// Whether nothing was ever made in the file.
pub(super) fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(tables == 0 && header(connection, "user_version")? == 0 && header(connection, "application_id")? == 0)
}

/// Says what is wrong with the file's header and tables.
///
/// # Errors
/// The outer one: SQLite cannot read them.
pub(super) fn check(connection: &Connection) -> rusqlite::Result<Result<(), String>> {
    let application = header(connection, "application_id")?;
    if application != APPLICATION_ID {
        return Ok(Err(format!("its application id is {application:#x}: it is not a ledger of Mainstay")));
    }
    let version = header(connection, "user_version")?;
    if version != SCHEMA_VERSION {
        return Ok(Err(format!(
            "its format has version {version}, this program knows {SCHEMA_VERSION}: use the program that wrote it"
        )));
    }
    let mut statement = connection.prepare(
        "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_stat%'",
    )?;
    let stored: Vec<(String, String)> =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    for (name, definition) in SCHEMA {
        if !stored.iter().any(|(n, d)| n == name && d == definition) {
            return Ok(Err(format!("the definition of {name} is not the one it was made with")));
        }
    }
    if stored.len() > SCHEMA.len() {
        return Ok(Err("it holds a table that is not part of a ledger".to_owned()));
    }
    Ok(Ok(()))
}

/// Turns a failure of SQLite into the port's error. `place` is the database's path.
pub(super) fn failure(place: &str, error: &rusqlite::Error) -> LedgerError {
    use rusqlite::ErrorCode;
    /// `SQLITE_IOERR_SHMSIZE`: the index of the write-ahead log cannot grow, which only lack of space prevents.
    const SHM_SIZE: i32 = 10 | (19 << 8);
    let damaged = |what: String| LedgerError::Damaged { seq: FactSeq(0), what };
    match error {
        rusqlite::Error::SqliteFailure(inner, _) => match inner.code {
            ErrorCode::DiskFull => LedgerError::Full(place.to_owned()),
            ErrorCode::SystemIoFailure if inner.extended_code == SHM_SIZE => {
                LedgerError::Full(place.to_owned())
            }
            // The plain SQLITE_ERROR as well: the statements are constant, so it is the tables that are not as expected.
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown => {
                damaged(format!("{place}: {error}"))
            }
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
                LedgerError::Io(format!("{place} is held by another program that has it open: {error}"))
            }
            _ => LedgerError::Io(format!("{place}: {error}")),
        },
        // A value of another type than the schema's, or an index or table that cannot be found.
        _ => damaged(format!("{place}: {error}")),
    }
}

fn header(connection: &Connection, field: &str) -> rusqlite::Result<i64> {
    connection.query_row(&format!("PRAGMA {field}"), [], |row| row.get(0))
}
