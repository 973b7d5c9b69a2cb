//! How far the ledger is: commits, the last fact and its hash, in one row that every commit rewrites.
//!
//! It says the same as the end of the facts, from another page, and it counts the commits that brought no fact; both
//! are held against each other and against the witness when the ledger opens.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::rows::ChainEnd;
use crate::canonical::{FieldHasher, Hash};

const TAG: &[u8] = b"mainstay position 1\n";

/// How far a ledger is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// Commits since the ledger was made.
    pub(super) commits: u64,
    /// The end of the chain.
    pub(super) end: ChainEnd,
}

// === impl Position ===

impl Position {
    /// Of a new ledger.
    pub(super) const START: Self = Self { commits: 0, end: ChainEnd::START };

    /// Writes it.
    pub(super) fn store(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO position(id, commits, seq, hash, checksum) VALUES (1, ?, ?, ?, ?)",
            )?
            .execute(params![
                self.commits.cast_signed(),
                self.end.seq.cast_signed(),
                self.end.hash.as_slice(),
                self.sum().as_slice(),
            ])
            .map(|_| ())
    }

    /// Reads it; the inner error says that it is not as it was written.
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Result<Self, &'static str>> {
        let mut statement =
            connection.prepare("SELECT commits, seq, hash, checksum FROM position WHERE id = 1")?;
        let row: Option<(i64, i64, Vec<u8>, Vec<u8>)> = statement
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .optional()?;
        let Some((commits, seq, hash, checksum)) = row else { return Ok(Err("it is missing")) };
        let Ok(hash) = Hash::try_from(hash) else { return Ok(Err("its hash has the wrong length")) };
        let end = ChainEnd { seq: seq.cast_unsigned(), hash };
        let position = Self { commits: commits.cast_unsigned(), end };
        Ok(if checksum == position.sum() { Ok(position) } else { Err("it does not match its checksum") })
    }

    fn sum(&self) -> Hash {
        let mut fields = FieldHasher::new(TAG);
        fields.integer(self.commits).integer(self.end.seq).bytes(&self.end.hash);
        fields.finish()
    }
}
