//! Export and import: one [`FactRecord`] of JSON per line, from the first fact on. An export is complete in itself: its
//! chain can be verified without the ledger.

use std::io::{self, BufRead, Read as _, Write};

use kernel::FactSeq;

use crate::canonical::{self, Envelope, Hash};
use crate::limits::{self, CheckedFact};
use crate::{FactRecord, ImportError, Ledger, LedgerError, NewFact};

/// Longest line an import reads; a fact within the limits stays below it, however it is escaped.
pub const MAX_LINE_BYTES: u64 = 8 << 20;

/// Facts read at a time while exporting.
const EXPORT_PAGE: usize = 1_000;

/// Why an export stopped.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The ledger could not be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The facts could not be written.
    #[error("cannot write the export: {0}")]
    Write(#[from] io::Error),
}

/// The facts of an export, checked: numbered without gaps from 1, each following from the one before by its hash.
pub struct ExportLines<'a> {
    lines: &'a mut dyn BufRead,
    line: u64,
    seq: u64,
    hash: Hash,
    ended: bool,
}

/// Writes every fact after `after` up to the head at the time of the call. Returns how many.
///
/// # Errors
/// Reading or writing failed; what was written until then is whole lines, save perhaps the last.
pub fn export(ledger: &dyn Ledger, after: FactSeq, out: &mut dyn Write) -> Result<u64, ExportError> {
    let head = ledger.head();
    let mut last = after;
    let mut written = 0;
    while last < head {
        let facts = ledger.read(last, EXPORT_PAGE, None)?;
        if facts.is_empty() {
            break;
        }
        for fact in facts.iter().filter(|fact| fact.seq <= head) {
            serde_json::to_writer(&mut *out, fact).map_err(io::Error::from)?;
            out.write_all(b"\n")?;
            written += 1;
        }
        last = facts.last().map_or(head, |fact| fact.seq);
    }
    out.flush()?;
    Ok(written)
}

/// The hash that `fact` must have after `previous`.
///
/// # Errors
/// [`LedgerError::TooLarge`].
fn checked(what: &str, fact: FactRecord, previous: &Hash) -> Result<(CheckedFact, Hash), LedgerError> {
    let seq = fact.seq;
    let fact = NewFact {
        time: fact.time,
        actor: fact.actor,
        reason: fact.reason,
        change: fact.change,
        chapter: fact.chapter,
        kind: fact.kind,
        version: fact.version,
        subject: fact.subject,
        payload: fact.payload,
    };
    let checked = limits::check_fact(what, fact)?;
    let envelope = Envelope {
        seq,
        time: checked.fact.time,
        actor: &checked.fact.actor,
        reason: &checked.fact.reason,
        change: checked.fact.change.as_ref(),
        chapter: &checked.fact.chapter,
        kind: &checked.fact.kind,
        version: checked.fact.version,
        subject: &checked.fact.subject,
        payload: &checked.payload,
    };
    let hash = envelope.hash(previous);
    Ok((checked, hash))
}

// === impl ExportLines ===

impl<'a> ExportLines<'a> {
    /// Over `lines`.
    pub fn new(lines: &'a mut dyn BufRead) -> Self {
        Self { lines, line: 0, seq: 0, hash: canonical::NO_FACT, ended: false }
    }

    fn wrong(&self, what: impl Into<String>) -> ImportError {
        ImportError::Line { line: self.line, what: what.into() }
    }

    fn next_line(&mut self) -> Result<Option<Vec<u8>>, ImportError> {
        let mut bytes = Vec::new();
        self.line += 1;
        let mut limited = (&mut *self.lines).take(MAX_LINE_BYTES);
        limited
            .read_until(b'\n', &mut bytes)
            .map_err(|error| self.wrong(format!("cannot be read: {error}")))?;
        if bytes.is_empty() {
            return Ok(None);
        }
        if bytes.len() as u64 == MAX_LINE_BYTES && bytes.last() != Some(&b'\n') {
            return Err(self.wrong(format!("it is longer than {MAX_LINE_BYTES} bytes")));
        }
        Ok(Some(bytes))
    }

    fn fact(&mut self, bytes: &[u8]) -> Result<CheckedFact, ImportError> {
        let record: FactRecord = serde_json::from_slice(bytes)
            .map_err(|error| self.wrong(format!("it is not a fact (column {}): {error}", error.column())))?;
        let seq = record.seq;
        if seq.0 != self.seq + 1 {
            return Err(self.wrong(format!("it is fact {seq}; fact {} must come here", self.seq + 1)));
        }
        if canonical::parse_hash(&record.previous) != Some(self.hash) {
            return Err(self.wrong(format!("fact {seq} does not follow from the fact before it")));
        }
        let stated = canonical::parse_hash(&record.hash);
        let (checked, hash) = checked(&format!("fact {seq}"), record, &self.hash)
            .map_err(|error| self.wrong(error.to_string()))?;
        if stated != Some(hash) {
            return Err(self.wrong(format!("the hash of fact {seq} does not match its content")));
        }
        self.seq = seq.0;
        self.hash = hash;
        Ok(checked)
    }
}

impl Iterator for ExportLines<'_> {
    type Item = Result<CheckedFact, ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let item = match self.next_line() {
            Ok(None) => None,
            Ok(Some(bytes)) => Some(self.fact(&bytes)),
            Err(error) => Some(Err(error)),
        };
        self.ended = !matches!(item, Some(Ok(_)));
        item
    }
}
