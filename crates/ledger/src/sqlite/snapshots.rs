//! Snapshots as rows, each with a checksum. One that cannot be read or does not match is not there: the facts are the
//! truth, and the next snapshot takes its place.

use kernel::FactSeq;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::Snapshot;
use crate::canonical::{FieldHasher, Hash};

const TAG: &[u8] = b"mainstay snapshot 1\n";

/// The snapshot of `chapter`, if there is a sound one.
pub(super) fn load(connection: &Connection, chapter: &str) -> rusqlite::Result<Option<Snapshot>> {
    connection
        .prepare_cached("SELECT chapter, version, seq, state, checksum FROM snapshots WHERE chapter = ?")?
        .query_row([chapter], |row| of(row).map(|(snapshot, sound)| sound.then_some(snapshot)))
        .optional()
        .map(Option::flatten)
}

/// Keeps `snapshot` in place of the chapter's older one.
pub(super) fn store(connection: &Connection, snapshot: &Snapshot) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO snapshots(chapter, version, seq, state, checksum) VALUES (?, ?, ?, ?, ?)",
        )?
        .execute(params![
            snapshot.chapter,
            snapshot.version,
            snapshot.seq.0.cast_signed(),
            snapshot.state,
            sum(snapshot).as_slice(),
        ])
        .map(|_| ())
}

/// The chapters whose snapshots do not match their checksums.
pub(super) fn unsound(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare("SELECT chapter, version, seq, state, checksum FROM snapshots")?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (snapshot, sound) = of(row)?;
        if !sound {
            found.push(snapshot.chapter);
        }
    }
    Ok(found)
}

/// A row and whether it matches its checksum.
fn of(row: &Row<'_>) -> rusqlite::Result<(Snapshot, bool)> {
    let snapshot = Snapshot {
        chapter: row.get(0)?,
        version: row.get(1)?,
        seq: FactSeq(row.get::<_, i64>(2)?.cast_unsigned()),
        state: row.get(3)?,
    };
    let checksum: Vec<u8> = row.get(4)?;
    let sound = checksum == sum(&snapshot);
    Ok((snapshot, sound))
}

fn sum(snapshot: &Snapshot) -> Hash {
    let mut fields = FieldHasher::new(TAG);
    fields.text(&snapshot.chapter).integer(u64::from(snapshot.version)).integer(snapshot.seq.0);
    fields.bytes(&snapshot.state);
    fields.finish()
}
