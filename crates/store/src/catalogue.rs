//! The catalogue: which blocks exist, how far the log is in them, what awaits deletion, and what is known of families.
//! SQLite; a block exists from the transaction that adds its row until the one that removes it. See docs/formats/catalogue.md.
//!
//! Every row carries a checksum over its columns, and one row a sum over all blocks' checksums, so that a changed or a
//! vanished row is found at opening, not served.

use std::path::{Path, PathBuf};

use metrics::sample::{FamilyMetadata, MetricType};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::port::StoreError;

/// The file's name in the store's folder.
pub(crate) const FILE: &str = "catalogue.db";
/// The schema's version, kept as SQLite's `user_version`.
const VERSION: i64 = 1;
/// "MSTC", kept as SQLite's `application_id`.
const APPLICATION: i64 = 0x4d53_5443;

const SCHEMA: &str = "
CREATE TABLE state (key TEXT PRIMARY KEY, value INTEGER NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE blocks (
  id TEXT PRIMARY KEY, seq INTEGER NOT NULL, tenant TEXT NOT NULL, signal TEXT NOT NULL, partition TEXT NOT NULL,
  level INTEGER NOT NULL, window_start INTEGER NOT NULL, window_end INTEGER NOT NULL,
  min_time INTEGER NOT NULL, max_time INTEGER NOT NULL, series INTEGER NOT NULL, samples INTEGER NOT NULL,
  bytes INTEGER NOT NULL, index_crc INTEGER NOT NULL, chunks_crc INTEGER NOT NULL, crc INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE garbage (path TEXT PRIMARY KEY, since INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE families (
  name TEXT PRIMARY KEY, type TEXT NOT NULL, help TEXT NOT NULL, unit TEXT NOT NULL, crc INTEGER NOT NULL
) WITHOUT ROWID;
";

const BLOCK_COLUMNS: &str = "id, seq, tenant, signal, partition, level, window_start, window_end, min_time, max_time, \
                             series, samples, bytes, index_crc, chunks_crc, crc";

/// A published block, as the catalogue knows it. Times are milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BlockMeta {
    /// A ULID; the name of the block's folder.
    pub id: String,
    /// Rises with every flush; where two blocks have the same series and time, the lower one's sample is served.
    pub seq: u64,
    pub tenant: String,
    /// The day it belongs to, such as `2026-11-23`; the name of the folder above.
    pub partition: String,
    /// 0 from the head, 1 two hours, 2 a day.
    pub level: u8,
    /// The window it belongs to: `window_start..window_end`.
    pub window_start: i64,
    pub window_end: i64,
    pub min_time: i64,
    pub max_time: i64,
    pub series: u64,
    pub samples: u64,
    pub bytes: u64,
    /// CRC32C of the whole of `index.bin`.
    pub index_crc: u32,
    /// CRC32C of the whole of `chunks.bin`.
    pub chunks_crc: u32,
}

/// A folder of a block that no longer exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Garbage {
    /// Relative to the store's folder.
    pub path: String,
    /// Since when, in milliseconds.
    pub since: i64,
}

/// Changes that become true together.
#[derive(Debug, Default)]
pub(crate) struct Change {
    pub add: Vec<BlockMeta>,
    pub remove: Vec<BlockMeta>,
    /// Everything in the log up to here is in blocks.
    pub flushed_lsn: Option<u64>,
    /// Now, in milliseconds.
    pub at: i64,
}

/// The open catalogue.
pub(crate) struct Catalogue {
    connection: Connection,
    path: PathBuf,
}

// === impl BlockMeta ===

impl BlockMeta {
    /// The block's folder, relative to the store's.
    pub(crate) fn path(&self) -> String {
        format!("metrics/{}/{}/{}", self.tenant, self.partition, self.id)
    }

    fn crc(&self) -> u32 {
        let numbers = [
            self.seq.cast_signed(),
            i64::from(self.level),
            self.window_start,
            self.window_end,
            self.min_time,
            self.max_time,
            self.series.cast_signed(),
            self.samples.cast_signed(),
            self.bytes.cast_signed(),
            i64::from(self.index_crc),
            i64::from(self.chunks_crc),
        ];
        row_crc(&[&self.id, &self.tenant, "metrics", &self.partition], &numbers)
    }
}

// === impl Catalogue ===

impl Catalogue {
    /// Opens the catalogue in `dir`, creating it when absent, and checks every row of it.
    pub(crate) fn open(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(FILE);
        let connection = Connection::open(&path).map_err(|e| sql_failed(&path, &e))?;
        let catalogue = Self { connection, path };
        catalogue.prepare().map_err(|e| catalogue.failed(&e))?;
        catalogue.verify()?;
        Ok(catalogue)
    }

    fn prepare(&self) -> rusqlite::Result<()> {
        let c = &self.connection;
        c.pragma_update(None, "journal_mode", "WAL")?;
        c.pragma_update(None, "synchronous", "FULL")?;
        c.pragma_update(None, "cache_size", -512)?;
        let version: i64 = c.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let tables: i64 = c.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if tables == 0 && version == 0 {
            let sum = row_crc(&["blocks_sum"], &[0]);
            let lsn = row_crc(&["flushed_lsn"], &[0]);
            c.execute_batch(&format!(
                "BEGIN; PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; {SCHEMA}
                 INSERT INTO state VALUES ('blocks_sum', 0, {sum}), ('flushed_lsn', 0, {lsn}); COMMIT;"
            ))?;
        }
        Ok(())
    }

    /// Checks SQLite's own structure and every row's checksum.
    pub(crate) fn verify(&self) -> Result<(), StoreError> {
        let version: i64 = self
            .connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(|e| self.failed(&e))?;
        if version != VERSION {
            return Err(self.damaged(&format!("its version is {version}; this program knows {VERSION}")));
        }
        let found: String = self
            .connection
            .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
            .map_err(|e| self.failed(&e))?;
        if found != "ok" {
            return Err(self.damaged(&found));
        }
        let blocks = self.blocks()?;
        let sum = blocks.iter().fold(0_i64, |sum, block| sum.wrapping_add(i64::from(block.crc())));
        if self.state("blocks_sum")? != sum {
            return Err(
                self.damaged("the list of blocks does not have its sum: rows are missing or too many")
            );
        }
        self.flushed_lsn()?;
        self.families().map(|_| ())
    }

    /// Every published block, in order of `seq`.
    pub(crate) fn blocks(&self) -> Result<Vec<BlockMeta>, StoreError> {
        let read = || -> rusqlite::Result<Vec<(BlockMeta, u32)>> {
            let sql = format!("SELECT {BLOCK_COLUMNS} FROM blocks WHERE signal = 'metrics' ORDER BY seq, id");
            let mut statement = self.connection.prepare_cached(&sql)?;
            let rows = statement.query_map([], |row| {
                let meta = BlockMeta {
                    id: row.get(0)?,
                    seq: row.get::<_, i64>(1)?.cast_unsigned(),
                    tenant: row.get(2)?,
                    partition: row.get(4)?,
                    level: row.get(5)?,
                    window_start: row.get(6)?,
                    window_end: row.get(7)?,
                    min_time: row.get(8)?,
                    max_time: row.get(9)?,
                    series: row.get::<_, i64>(10)?.cast_unsigned(),
                    samples: row.get::<_, i64>(11)?.cast_unsigned(),
                    bytes: row.get::<_, i64>(12)?.cast_unsigned(),
                    index_crc: row.get(13)?,
                    chunks_crc: row.get(14)?,
                };
                Ok((meta, row.get(15)?))
            })?;
            rows.collect()
        };
        let rows = read().map_err(|e| self.failed(&e))?;
        if let Some((block, _)) = rows.iter().find(|(block, crc)| block.crc() != *crc) {
            return Err(self.damaged(&format!("the row of block {:?} does not have its checksum", block.id)));
        }
        Ok(rows.into_iter().map(|(block, _)| block).collect())
    }

    /// The last number of the log whose record is in blocks.
    pub(crate) fn flushed_lsn(&self) -> Result<u64, StoreError> {
        self.state("flushed_lsn").map(i64::cast_unsigned)
    }

    /// Makes `change` true, durably.
    pub(crate) fn publish(&mut self, change: &Change) -> Result<(), StoreError> {
        let mut sum = self.state("blocks_sum")?;
        for block in &change.add {
            sum = sum.wrapping_add(i64::from(block.crc()));
        }
        for block in &change.remove {
            sum = sum.wrapping_sub(i64::from(block.crc()));
        }
        let path = self.path.clone();
        let apply = |transaction: Transaction<'_>| -> rusqlite::Result<()> {
            for block in &change.add {
                insert_block(&transaction, block)?;
            }
            for block in &change.remove {
                transaction.execute("DELETE FROM blocks WHERE id = ?1", [&block.id])?;
                transaction.execute(
                    "INSERT OR REPLACE INTO garbage VALUES (?1, ?2)",
                    params![block.path(), change.at],
                )?;
            }
            set_state(&transaction, "blocks_sum", sum)?;
            if let Some(lsn) = change.flushed_lsn {
                set_state(&transaction, "flushed_lsn", lsn.cast_signed())?;
            }
            transaction.commit()
        };
        self.connection.transaction().and_then(apply).map_err(|e| sql_failed(&path, &e))
    }

    /// Folders that await deletion.
    pub(crate) fn garbage(&self) -> Result<Vec<Garbage>, StoreError> {
        let read = || -> rusqlite::Result<Vec<Garbage>> {
            let mut statement =
                self.connection.prepare_cached("SELECT path, since FROM garbage ORDER BY path")?;
            let rows =
                statement.query_map([], |row| Ok(Garbage { path: row.get(0)?, since: row.get(1)? }))?;
            rows.collect()
        };
        read().map_err(|e| self.failed(&e))
    }

    /// Notes that a folder is gone.
    pub(crate) fn swept(&self, path: &str) -> Result<(), StoreError> {
        self.connection
            .execute("DELETE FROM garbage WHERE path = ?1", [path])
            .map(|_| ())
            .map_err(|e| self.failed(&e))
    }

    /// Adds or replaces families.
    pub(crate) fn put_families(&mut self, families: &[FamilyMetadata]) -> Result<(), StoreError> {
        let path = self.path.clone();
        let apply = |transaction: Transaction<'_>| -> rusqlite::Result<()> {
            for family in families {
                transaction.execute(
                    "INSERT OR REPLACE INTO families VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![
                        family.name,
                        kind_name(family.kind),
                        family.help,
                        family.unit,
                        family_crc(family)
                    ],
                )?;
            }
            transaction.commit()
        };
        self.connection.transaction().and_then(apply).map_err(|e| sql_failed(&path, &e))
    }

    /// Every family, sorted by name.
    pub(crate) fn families(&self) -> Result<Vec<FamilyMetadata>, StoreError> {
        let read = || -> rusqlite::Result<Vec<(FamilyMetadata, String, u32)>> {
            let sql = "SELECT name, type, help, unit, crc FROM families ORDER BY name";
            let mut statement = self.connection.prepare_cached(sql)?;
            let rows = statement.query_map([], |row| {
                let kind: String = row.get(1)?;
                let family = FamilyMetadata {
                    name: row.get(0)?,
                    kind: kind_from(&kind),
                    help: row.get(2)?,
                    unit: row.get(3)?,
                };
                Ok((family, kind, row.get(4)?))
            })?;
            rows.collect()
        };
        let rows = read().map_err(|e| self.failed(&e))?;
        let wrong = |(family, kind, crc): &&(FamilyMetadata, String, u32)| {
            family_crc(family) != *crc || kind_name(family.kind) != kind
        };
        if let Some((family, ..)) = rows.iter().find(wrong) {
            return Err(
                self.damaged(&format!("the row of family {:?} does not have its checksum", family.name))
            );
        }
        Ok(rows.into_iter().map(|(family, ..)| family).collect())
    }

    fn state(&self, key: &str) -> Result<i64, StoreError> {
        let row: Option<(i64, u32)> = self
            .connection
            .query_row("SELECT value, crc FROM state WHERE key = ?1", [key], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()
            .map_err(|e| self.failed(&e))?;
        match row {
            Some((value, crc)) if row_crc(&[key], &[value]) == crc => Ok(value),
            Some(_) => Err(self.damaged(&format!("the row {key:?} does not have its checksum"))),
            None => Err(self.damaged(&format!("the row {key:?} is missing"))),
        }
    }

    fn failed(&self, error: &rusqlite::Error) -> StoreError {
        sql_failed(&self.path, error)
    }

    fn damaged(&self, what: &str) -> StoreError {
        StoreError::Damaged { file: FILE.to_owned(), offset: 0, what: what.to_owned() }
    }
}

// === private functions ===

fn insert_block(transaction: &Transaction<'_>, block: &BlockMeta) -> rusqlite::Result<()> {
    let sql = format!(
        "INSERT INTO blocks ({BLOCK_COLUMNS}) VALUES (?1, ?2, ?3, 'metrics', ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
    );
    transaction.prepare_cached(&sql)?.execute(params![
        block.id,
        block.seq.cast_signed(),
        block.tenant,
        block.partition,
        block.level,
        block.window_start,
        block.window_end,
        block.min_time,
        block.max_time,
        block.series.cast_signed(),
        block.samples.cast_signed(),
        block.bytes.cast_signed(),
        block.index_crc,
        block.chunks_crc,
        block.crc(),
    ])?;
    Ok(())
}

fn set_state(transaction: &Transaction<'_>, key: &str, value: i64) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT OR REPLACE INTO state VALUES (?1, ?2, ?3)",
        params![key, value, row_crc(&[key], &[value])],
    )?;
    Ok(())
}

/// CRC32C over the texts, each followed by a zero byte, and the numbers, little-endian.
fn row_crc(texts: &[&str], numbers: &[i64]) -> u32 {
    let crc = texts
        .iter()
        .fold(0, |crc, text| crc32c::crc32c_append(crc32c::crc32c_append(crc, text.as_bytes()), &[0]));
    numbers.iter().fold(crc, |crc, number| crc32c::crc32c_append(crc, &number.to_le_bytes()))
}

fn family_crc(family: &FamilyMetadata) -> u32 {
    row_crc(&[&family.name, kind_name(family.kind), &family.help, &family.unit], &[])
}

const KINDS: [(MetricType, &str); 8] = [
    (MetricType::Counter, "counter"),
    (MetricType::Gauge, "gauge"),
    (MetricType::Histogram, "histogram"),
    (MetricType::GaugeHistogram, "gaugehistogram"),
    (MetricType::Summary, "summary"),
    (MetricType::Info, "info"),
    (MetricType::StateSet, "stateset"),
    (MetricType::Unknown, "unknown"),
];

fn kind_name(kind: MetricType) -> &'static str {
    KINDS.iter().find(|(known, _)| *known == kind).map_or("unknown", |(_, name)| name)
}

fn kind_from(name: &str) -> MetricType {
    KINDS.iter().find(|(_, known)| *known == name).map_or(MetricType::Unknown, |(kind, _)| *kind)
}

/// A SQLite failure in the store's words. What is neither the disk's, the lock's nor the system's is the file's: the
/// statements are fixed, so that a missing table or a value of another type means damage.
fn sql_failed(path: &Path, error: &rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, OutOfMemory, PermissionDenied, ReadOnly,
        SystemIoFailure,
    };
    match error.sqlite_error_code() {
        Some(DiskFull) => StoreError::Full(path.display().to_string()),
        Some(DatabaseBusy | DatabaseLocked) => {
            StoreError::Locked(format!("{} is open in another program: {error}", path.display()))
        }
        Some(CannotOpen | OutOfMemory | PermissionDenied | ReadOnly | SystemIoFailure) => {
            StoreError::Io(format!("{}: {error}", path.display()))
        }
        _ => StoreError::Damaged { file: FILE.to_owned(), offset: 0, what: error.to_string() },
    }
}
