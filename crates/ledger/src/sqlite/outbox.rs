//! The outbox as rows. A row carries a checksum over all its columns; one whose bytes have changed is never delivered,
//! it becomes a dead letter that says so.

use kernel::{FactSeq, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::writer::Stop;
use crate::canonical::FieldHasher;
use crate::limits::{CheckedEffect, cut_error};
use crate::{DeadLetter, Effect, OutboxCounts, Settled};

/// Says that a dead letter is not what was put into the outbox.
const DAMAGED: &str = "its stored bytes do not match their checksum: it was not delivered";

const TAG: &[u8] = b"mainstay effect 1\n";
const COLUMNS: &str = "id, seq, key, kind, payload, state, due, attempts, lease, error, checksum";

const PENDING: i64 = 0;
const DELIVERED: i64 = 1;
const DEAD: i64 = 2;

/// A row of `outbox`.
#[derive(Clone, Debug)]
pub(super) struct OutboxRow {
    pub(super) id: i64,
    seq: i64,
    key: String,
    kind: String,
    payload: String,
    state: i64,
    /// When a pending one may be leased: at once, after a failure, or when its lease runs out. Nanoseconds.
    due: i64,
    attempts: i64,
    lease: i64,
    error: String,
    checksum: Vec<u8>,
}

// === impl OutboxRow ===

impl OutboxRow {
    /// The checksum that belongs to the row.
    fn sum(&self) -> [u8; 32] {
        let mut fields = FieldHasher::new(TAG);
        for number in [self.id, self.seq, self.state, self.due, self.attempts, self.lease] {
            fields.integer(number.cast_unsigned());
        }
        fields.text(&self.key).text(&self.kind).text(&self.payload).text(&self.error);
        fields.finish()
    }

    /// Whether the row is as it was written.
    pub(super) fn is_sound(&self) -> bool {
        self.checksum == self.sum()
    }

    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            seq: row.get(1)?,
            key: row.get(2)?,
            kind: row.get(3)?,
            payload: row.get(4)?,
            state: row.get(5)?,
            due: row.get(6)?,
            attempts: row.get(7)?,
            lease: row.get(8)?,
            error: row.get(9)?,
            checksum: row.get(10)?,
        })
    }

    fn effect(&self) -> Effect {
        Effect {
            id: self.id.cast_unsigned(),
            seq: FactSeq(self.seq.cast_unsigned()),
            key: self.key.clone(),
            kind: self.kind.clone(),
            payload: serde_json::from_str(&self.payload).unwrap_or_default(),
            attempts: u32::try_from(self.attempts).unwrap_or(u32::MAX),
            lease: self.lease.cast_unsigned(),
        }
    }

    /// Writes the columns that change, and the checksum that belongs to them.
    fn update(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "UPDATE outbox SET payload = ?, state = ?, due = ?, attempts = ?, lease = ?, error = ?, checksum = ? \
                 WHERE id = ?",
            )?
            .execute(params![
                self.payload,
                self.state,
                self.due,
                self.attempts,
                self.lease,
                self.error,
                self.sum().as_slice(),
                self.id,
            ])
            .map(|_| ())
    }
}

/// Puts `checked` into the outbox, caused by fact `seq`; a key that is there already is dropped.
pub(super) fn insert(connection: &Connection, seq: u64, checked: CheckedEffect) -> rusqlite::Result<()> {
    let mut exists = connection.prepare_cached("SELECT 1 FROM outbox WHERE key = ?")?;
    if exists.exists([&checked.effect.key])? {
        return Ok(());
    }
    let id: i64 = connection
        .prepare_cached("SELECT ifnull(max(id), 0) + 1 FROM outbox")?
        .query_row([], |row| row.get(0))?;
    let row = OutboxRow {
        id,
        seq: seq.cast_signed(),
        key: checked.effect.key,
        kind: checked.effect.kind,
        payload: checked.payload,
        state: PENDING,
        // Before every time there is: due at once, whatever the clock says.
        due: i64::MIN,
        attempts: 0,
        lease: 0,
        error: String::new(),
        checksum: Vec::new(),
    };
    connection
        .prepare_cached(
            "INSERT INTO outbox(id, seq, key, kind, payload, state, due, attempts, lease, error, checksum) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            row.id,
            row.seq,
            row.key,
            row.kind,
            row.payload,
            row.state,
            row.due,
            row.attempts,
            row.lease,
            row.error,
            row.sum().as_slice(),
        ])
        .map(|_| ())
}

/// Whether anything of `kind` is due, so that an idle outbox costs no commit.
pub(super) fn any_due(connection: &Connection, kind: &str, now: Timestamp) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM outbox WHERE state = 0 AND kind = ? AND due <= ? LIMIT 1")?
        .exists(params![kind, now.as_nanos()])
}

/// Leases what is due.
pub(super) fn lease(
    connection: &Connection,
    kind: &str,
    limit: usize,
    now: Timestamp,
    until: Timestamp,
) -> Result<Vec<Effect>, Stop> {
    let rows = select(
        connection,
        "WHERE state = 0 AND kind = ? AND due <= ? ORDER BY due, id LIMIT ?",
        params![kind, now.as_nanos(), i64::try_from(limit).unwrap_or(i64::MAX)],
    )?;
    let mut leased = Vec::with_capacity(rows.len());
    for mut row in rows {
        if !row.is_sound() {
            bury_damaged(connection, row.id)?;
            continue;
        }
        row.lease += 1;
        let effect = row.effect();
        row.attempts += 1;
        row.due = until.as_nanos();
        row.update(connection)?;
        leased.push(effect);
    }
    Ok(leased)
}

/// Ends a lease; `false` when it is not the newest of this effect any more.
pub(super) fn settle(connection: &Connection, effect: &Effect, outcome: Settled) -> Result<bool, Stop> {
    // The key as well: a pruned effect's number may have been given to another.
    let found = select(
        connection,
        "WHERE id = ? AND key = ? AND lease = ? AND state = 0",
        params![effect.id.cast_signed(), effect.key, effect.lease.cast_signed()],
    )?;
    let Some(mut row) = found.into_iter().next() else { return Ok(false) };
    if !row.is_sound() {
        bury_damaged(connection, row.id)?;
        return Ok(false);
    }
    match outcome {
        Settled::Delivered => {
            // Only the key is needed from now on.
            row.state = DELIVERED;
            row.payload.clear();
            row.error.clear();
        }
        Settled::Retry { at, error } => {
            row.due = at.as_nanos();
            row.error = cut_error(error);
        }
        Settled::Dead { error } => {
            row.state = DEAD;
            row.error = cut_error(error);
        }
    }
    row.update(connection)?;
    Ok(true)
}

/// Gives a dead letter another try.
pub(super) fn revive(connection: &Connection, id: u64, at: Timestamp) -> Result<bool, Stop> {
    let found = select(connection, "WHERE id = ? AND state = 2", [id.cast_signed()])?;
    let Some(mut row) = found.into_iter().find(OutboxRow::is_sound) else { return Ok(false) };
    row.state = PENDING;
    row.due = at.as_nanos();
    row.attempts = 0;
    row.update(connection)?;
    Ok(true)
}

/// Forgets delivered effects of facts up to `upto`.
pub(super) fn prune(connection: &Connection, upto: FactSeq) -> Result<u64, Stop> {
    let upto = i64::try_from(upto.0).unwrap_or(i64::MAX);
    let gone = connection.execute("DELETE FROM outbox WHERE state = 1 AND seq <= ?", [upto])?;
    Ok(gone as u64)
}

/// How many there are.
pub(super) fn counts(connection: &Connection) -> rusqlite::Result<OutboxCounts> {
    let count = |sql: &str| -> rusqlite::Result<u64> {
        connection.prepare_cached(sql)?.query_row([], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
    };
    Ok(OutboxCounts {
        pending: count("SELECT count(*) FROM outbox WHERE state = 0")?,
        dead: count("SELECT count(*) FROM outbox WHERE state = 2")?,
    })
}

/// Dead letters, newest first.
pub(super) fn dead(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<DeadLetter>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = select(connection, "WHERE state = 2 ORDER BY id DESC LIMIT ?", [limit])?;
    let letter = |row: OutboxRow| DeadLetter {
        effect: row.effect(),
        error: if row.is_sound() { row.error } else { DAMAGED.to_owned() },
    };
    Ok(rows.into_iter().map(letter).collect())
}

/// The row with the least number above `after`.
pub(super) fn next(connection: &Connection, after: i64) -> rusqlite::Result<Option<OutboxRow>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM outbox WHERE id > ? ORDER BY id LIMIT 1"))?
        .query_row([after], OutboxRow::of)
        .optional()
}

/// Takes a damaged row out of the queue and leaves its wrong checksum as it is, for `verify` to find.
fn bury_damaged(connection: &Connection, id: i64) -> rusqlite::Result<()> {
    connection.execute("UPDATE outbox SET state = ? WHERE id = ?", [DEAD, id]).map(|_| ())
}

fn select(
    connection: &Connection,
    rest: &str,
    params: impl rusqlite::Params,
) -> rusqlite::Result<Vec<OutboxRow>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM outbox {rest}"))?;
    statement.query_map(params, OutboxRow::of)?.collect()
}
