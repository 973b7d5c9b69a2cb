//! Facts as rows: written with every column that is hashed, read only if the hash still matches.

use kernel::{Actor, ChangeId, FactSeq, Role, Timestamp};
use rusqlite::{Connection, Row, params};

use crate::canonical::{self, Envelope, Hash};
use crate::limits::CheckedFact;
use crate::{FactRecord, LedgerError, NewFact};

/// The columns that [`RawFact::of`] expects, in its order.
pub(super) const COLUMNS: &str = "seq, time, actor_kind, actor_name, actor_role, reason, change, chapter, kind, \
                                  version, subject, payload, previous, hash";

const INSERT: &str = "INSERT INTO facts(seq, time, actor_kind, actor_name, actor_role, reason, change, chapter, kind, \
                      version, subject, payload, previous, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// The end of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChainEnd {
    pub(super) seq: u64,
    pub(super) hash: Hash,
}

/// A row of `facts`, still in SQLite's memory where it can be.
#[derive(Debug)]
pub(super) struct RawFact<'r> {
    pub(super) seq: u64,
    time: Timestamp,
    actor: Actor,
    reason: &'r str,
    change: Option<ChangeId>,
    chapter: &'r str,
    kind: &'r str,
    version: u16,
    subject: &'r str,
    payload: &'r str,
    pub(super) previous: Hash,
    pub(super) hash: Hash,
}

// === impl ChainEnd ===

impl ChainEnd {
    /// Before every fact.
    pub(super) const START: Self = Self { seq: 0, hash: canonical::NO_FACT };

    /// Inserts `checked` as the next fact and moves the end.
    pub(super) fn insert(
        &mut self,
        connection: &Connection,
        checked: CheckedFact,
    ) -> rusqlite::Result<FactRecord> {
        let CheckedFact { fact, payload } = checked;
        let seq = self.seq + 1;
        let envelope = Envelope {
            seq: FactSeq(seq),
            time: fact.time,
            actor: &fact.actor,
            reason: &fact.reason,
            change: fact.change.as_ref(),
            chapter: &fact.chapter,
            kind: &fact.kind,
            version: fact.version,
            subject: &fact.subject,
            payload: &payload,
        };
        let previous = self.hash;
        let hash = envelope.hash(&previous);
        connection.prepare_cached(INSERT)?.execute(params![
            seq.cast_signed(),
            fact.time.as_nanos(),
            canonical::actor_kind(fact.actor.kind),
            fact.actor.name,
            fact.actor.role.map(Role::as_str),
            fact.reason,
            fact.change.as_ref().map(|change| change.0.as_str()),
            fact.chapter,
            fact.kind,
            fact.version,
            fact.subject,
            payload,
            previous.as_slice(),
            hash.as_slice(),
        ])?;
        *self = Self { seq, hash };
        Ok(record(FactSeq(seq), fact, &previous, &hash))
    }
}

// === impl RawFact ===

impl<'r> RawFact<'r> {
    /// The row, if its columns have the right types and values.
    ///
    /// # Errors
    /// The number of the fact as far as it can be read, and what is wrong.
    pub(super) fn of(row: &'r Row<'_>) -> Result<Self, LedgerError> {
        let seq = integer(row, 0).map(i64::cast_unsigned).map_err(|what| damaged(0, what))?;
        Self::columns(row, seq).map_err(|what| damaged(seq, what))
    }

    /// Holds the row against its own hash.
    ///
    /// # Errors
    /// [`LedgerError::Damaged`].
    pub(super) fn check(&self) -> Result<(), LedgerError> {
        let envelope = Envelope {
            seq: FactSeq(self.seq),
            time: self.time,
            actor: &self.actor,
            reason: self.reason,
            change: self.change.as_ref(),
            chapter: self.chapter,
            kind: self.kind,
            version: self.version,
            subject: self.subject,
            payload: self.payload,
        };
        if envelope.hash(&self.previous) == self.hash {
            Ok(())
        } else {
            Err(damaged(self.seq, "its hash does not match its content".to_owned()))
        }
    }

    /// The fact, after [`RawFact::check`].
    ///
    /// # Errors
    /// [`LedgerError::Damaged`].
    pub(super) fn record(self) -> Result<FactRecord, LedgerError> {
        self.check()?;
        let payload = serde_json::from_str(self.payload)
            .map_err(|error| damaged(self.seq, format!("its payload is not JSON: {error}")))?;
        let fact = NewFact {
            time: self.time,
            actor: self.actor,
            reason: self.reason.to_owned(),
            change: self.change,
            chapter: self.chapter.to_owned(),
            kind: self.kind.to_owned(),
            version: self.version,
            subject: self.subject.to_owned(),
            payload,
        };
        Ok(record(FactSeq(self.seq), fact, &self.previous, &self.hash))
    }

    fn columns(row: &'r Row<'_>, seq: u64) -> Result<Self, String> {
        let kind = text(row, 2)?;
        let role = optional_text(row, 4)?;
        Ok(Self {
            seq,
            time: Timestamp::from_nanos(integer(row, 1)?),
            actor: Actor {
                kind: canonical::parse_actor_kind(kind)
                    .ok_or_else(|| format!("{kind:?} is no kind of actor"))?,
                name: text(row, 3)?.to_owned(),
                role: role.map(str::parse).transpose()?,
            },
            reason: text(row, 5)?,
            change: optional_text(row, 6)?.map(|change| ChangeId(change.to_owned())),
            chapter: text(row, 7)?,
            kind: text(row, 8)?,
            version: u16::try_from(integer(row, 9)?).map_err(|_| "its version is out of range".to_owned())?,
            subject: text(row, 10)?,
            payload: text(row, 11)?,
            previous: hash(row, 12)?,
            hash: hash(row, 13)?,
        })
    }
}

/// Damage at a fact.
pub(super) fn damaged(seq: u64, what: String) -> LedgerError {
    LedgerError::Damaged { seq: FactSeq(seq), what }
}

fn record(seq: FactSeq, fact: NewFact, previous: &Hash, hash: &Hash) -> FactRecord {
    FactRecord {
        seq,
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
        hash: hex::encode(hash),
    }
}

fn column_name(column: usize) -> &'static str {
    COLUMNS.split(", ").nth(column).unwrap_or("a column")
}

fn integer(row: &Row<'_>, column: usize) -> Result<i64, String> {
    let value = row.get_ref(column).map_err(|error| error.to_string())?;
    value.as_i64().map_err(|_| format!("its {} is not an integer", column_name(column)))
}

fn optional_text<'r>(row: &'r Row<'_>, column: usize) -> Result<Option<&'r str>, String> {
    let value = row.get_ref(column).map_err(|error| error.to_string())?;
    value.as_str_or_null().map_err(|_| format!("its {} is not text", column_name(column)))
}

fn text<'r>(row: &'r Row<'_>, column: usize) -> Result<&'r str, String> {
    optional_text(row, column)?.ok_or_else(|| format!("its {} is missing", column_name(column)))
}

fn hash(row: &Row<'_>, column: usize) -> Result<Hash, String> {
    let value = row.get_ref(column).map_err(|error| error.to_string())?;
    let bytes = value.as_blob().map_err(|_| format!("its {} is not bytes", column_name(column)))?;
    bytes
        .try_into()
        .map_err(|_| format!("its {} has {} bytes instead of 32", column_name(column), bytes.len()))
}
