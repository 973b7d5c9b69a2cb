//! Verification: every fact against its own hash and the one before it, the end against the witness, snapshots and
//! effects against their checksums, and what lies between the rows (pages, indexes) by SQLite's own integrity check.
//!
//! It reads in one transaction, beside a running writer.

use std::path::Path;
use std::time::Instant;

use kernel::FactSeq;
use rusqlite::Connection;

use super::position::Position;
use super::rows::{COLUMNS, ChainEnd, RawFact};
use super::{opening, outbox, schema, snapshots};
use crate::report::MAX_DAMAGE;
use crate::witness::{self, Reached};
use crate::{Damage, LedgerError, Place, Verified, VerifyProgress};

/// Facts between two reports of progress.
const PROGRESS_EVERY: u64 = 10_000;

struct Findings {
    place: String,
    damage: Vec<Damage>,
}

/// Verifies the database at `path` in the ledger's `folder`.
pub(super) fn run(
    path: &Path,
    folder: &Path,
    progress: &mut dyn FnMut(VerifyProgress),
) -> Result<Verified, LedgerError> {
    let started = Instant::now();
    let mut found = Findings { place: path.display().to_string(), damage: Vec::new() };
    // Read before the facts: what it says now is there by then.
    let testimony = witness::read(folder).map_err(|error| opening::io_failure(folder, &error))?;
    let connection = match open(path) {
        Ok(connection) => connection,
        Err(error) => {
            found.sql(Place::File, &error)?;
            return Ok(Verified {
                facts: 0,
                tip: super::tip(ChainEnd::START),
                damage: found.damage,
                seconds: started.elapsed().as_secs_f64(),
            });
        }
    };
    match schema::check(&connection) {
        Ok(Ok(())) => {}
        Ok(Err(what)) => found.add(Place::File, what),
        Err(error) => found.sql(Place::File, &error)?,
    }
    let walk = found.facts(&connection, progress)?;
    if testimony.damaged {
        found.add(
            Place::Witness,
            "a slot does not match its checksum; the next commits write it anew".to_owned(),
        );
    }
    found.position(&connection, &walk, testimony.reached)?;
    found.snapshots(&connection)?;
    found.effects(&connection)?;
    found.integrity(&connection)?;
    let seconds = started.elapsed().as_secs_f64();
    Ok(Verified { facts: walk.checked, tip: super::tip(walk.end), damage: found.damage, seconds })
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        // Not read-only: a write-ahead log that a crash left behind must be recovered to be read.
        rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    opening::settle_in(&connection)?;
    connection.execute_batch("BEGIN")?;
    Ok(connection)
}

// === impl Findings ===

impl Findings {
    fn add(&mut self, place: Place, what: String) {
        if self.damage.len() < MAX_DAMAGE {
            self.damage.push(Damage { place, what });
        }
    }

    /// Takes a failure of SQLite as a finding if it means damage.
    fn sql(&mut self, place: Place, error: &rusqlite::Error) -> Result<(), LedgerError> {
        match schema::failure(&self.place, error) {
            LedgerError::Damaged { what, .. } => self.add(place, what),
            other => return Err(other),
        }
        Ok(())
    }

    /// Walks the chain.
    fn facts(
        &mut self,
        connection: &Connection,
        progress: &mut dyn FnMut(VerifyProgress),
    ) -> Result<Walk, LedgerError> {
        let mut walk = Walk { end: ChainEnd::START, last: ChainEnd::START, checked: 0, broken: false };
        if let Err(error) = self.walk(connection, &mut walk, progress) {
            // Where the tree cannot be followed any further. The pages are named by the integrity check.
            walk.broken = true;
            self.sql(Place::Fact(FactSeq(walk.last.seq + 1)), &error)?;
        }
        Ok(walk)
    }

    /// Holds the recorded position against the facts and the witness.
    fn position(
        &mut self,
        connection: &Connection,
        walk: &Walk,
        reached: Option<Reached>,
    ) -> Result<(), LedgerError> {
        let table = || Place::Table("position".to_owned());
        let position = match Position::load(connection) {
            Ok(Ok(position)) => position,
            Ok(Err(what)) => {
                self.add(table(), what.to_owned());
                return Ok(());
            }
            Err(error) => return self.sql(table(), &error),
        };
        // A chain that is broken has been reported; its end says nothing new.
        if let Some((seq, what)) =
            opening::position_against_facts(&position, walk.last).filter(|_| !walk.broken)
        {
            self.add(Place::Fact(FactSeq(seq)), what);
        }
        let Some(reached) = reached else { return Ok(()) };
        match opening::against_witness(connection, &position, &reached) {
            Ok(None) => Ok(()),
            Ok(Some((place, what))) => {
                self.add(place, what);
                Ok(())
            }
            Err(rusqlite::Error::QueryReturnedNoRows) if walk.broken => Ok(()),
            Err(error) => self.sql(Place::Fact(FactSeq(reached.seq)), &error),
        }
    }

    fn walk(
        &mut self,
        connection: &Connection,
        walk: &mut Walk,
        progress: &mut dyn FnMut(VerifyProgress),
    ) -> rusqlite::Result<()> {
        let total: i64 =
            connection.query_row("SELECT ifnull(max(seq), 0) FROM facts", [], |row| row.get(0))?;
        let total = total.cast_unsigned();
        let mut statement = connection.prepare(&format!("SELECT {COLUMNS} FROM facts ORDER BY seq"))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            walk.checked += 1;
            match RawFact::of(row) {
                Ok(fact) => walk.step(&fact, self),
                Err(error) => walk.unreadable(error, self),
            }
            if walk.checked.is_multiple_of(PROGRESS_EVERY) {
                progress(VerifyProgress { checked: walk.checked, total });
            }
        }
        progress(VerifyProgress { checked: walk.checked, total });
        Ok(())
    }

    fn snapshots(&mut self, connection: &Connection) -> Result<(), LedgerError> {
        match snapshots::unsound(connection) {
            Ok(chapters) => {
                for chapter in chapters {
                    let what = "it does not match its checksum; it is ignored, and the next one replaces it";
                    self.add(Place::Snapshot(chapter), what.to_owned());
                }
                Ok(())
            }
            Err(error) => self.sql(Place::Table("snapshots".to_owned()), &error),
        }
    }

    fn effects(&mut self, connection: &Connection) -> Result<(), LedgerError> {
        let mut last = i64::MIN;
        loop {
            match outbox::next(connection, last) {
                Ok(None) => return Ok(()),
                Ok(Some(row)) => {
                    last = row.id;
                    if !row.is_sound() {
                        let what = "it does not match its checksum; it is not delivered";
                        self.add(Place::Effect(row.id.cast_unsigned()), what.to_owned());
                    }
                }
                Err(error) => return self.sql(Place::Table("outbox".to_owned()), &error),
            }
        }
    }

    /// SQLite's own check: every page reachable once, every index complete.
    fn integrity(&mut self, connection: &Connection) -> Result<(), LedgerError> {
        let check = || -> rusqlite::Result<Vec<String>> {
            let mut statement = connection.prepare(&format!("PRAGMA integrity_check({MAX_DAMAGE})"))?;
            statement.query_map([], |row| row.get(0))?.collect()
        };
        match check() {
            Ok(lines) => {
                for line in lines.iter().flat_map(|line| line.lines()).filter(|line| *line != "ok") {
                    if !line.starts_with("***") {
                        self.add(place_of(line), line.to_owned());
                    }
                }
                Ok(())
            }
            Err(error) => self.sql(Place::File, &error),
        }
    }
}

/// The place a line of the integrity check is about: `Tree 5 page 12 cell 3: …`, `row 7 missing from index facts_by_time`.
fn place_of(line: &str) -> Place {
    let mut words = line.split([' ', ':', ',']);
    while let Some(word) = words.next() {
        match word.to_ascii_lowercase().as_str() {
            "page" => {
                if let Some(number) = words.next().and_then(|word| word.parse().ok()) {
                    return Place::Page(number);
                }
            }
            "index" => {
                if let Some(name) = words.next() {
                    return Place::Table(name.to_owned());
                }
            }
            _ => {}
        }
    }
    Place::File
}

/// The state of walking the chain.
struct Walk {
    /// The end of the part that has no break.
    end: ChainEnd,
    /// The fact before, as stored.
    last: ChainEnd,
    checked: u64,
    broken: bool,
}

// === impl Walk ===

impl Walk {
    fn step(&mut self, fact: &RawFact<'_>, found: &mut Findings) {
        let expected = self.last.seq.saturating_add(1);
        let what = if fact.seq != expected {
            Some((expected, format!("it is missing: fact {} comes instead", fact.seq)))
        } else if let Err(LedgerError::Damaged { what, .. }) = fact.check() {
            Some((fact.seq, what))
        } else if fact.previous != self.last.hash {
            Some((fact.seq, "it does not follow from the fact before it".to_owned()))
        } else {
            None
        };
        self.last = ChainEnd { seq: fact.seq, hash: fact.hash };
        match what {
            Some((seq, what)) => self.damage(seq, what, found),
            None if !self.broken => self.end = self.last,
            None => {}
        }
    }

    fn unreadable(&mut self, error: LedgerError, found: &mut Findings) {
        let seq = self.last.seq.saturating_add(1);
        // Its own hash is unknown: the next fact is held against its own content only.
        self.last.seq = seq;
        match error {
            LedgerError::Damaged { what, .. } => self.damage(seq, what, found),
            other => self.damage(seq, other.to_string(), found),
        }
    }

    fn damage(&mut self, seq: u64, what: String, found: &mut Findings) {
        self.broken = true;
        found.add(Place::Fact(FactSeq(seq)), what);
    }
}
