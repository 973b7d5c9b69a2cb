//! How far the ledger reached, kept beside the database.
//!
//! A write-ahead log that was cut or has a flipped byte looks to SQLite like one whose last commits never happened: it
//! drops them in silence. So after every commit, and before anyone is told of it, what was reached is written here.
//! The write is not synced: after a crash of the process it is there, after a loss of power it may be an older one, and
//! it is never ahead of what was durable. A database that ends before its witness has therefore lost facts.
//!
//! Two slots, written in turn, so that a torn write leaves the other. Format: `docs/formats/ledger.md`.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::canonical::{FieldHasher, Hash};

/// The file's name.
pub(crate) const WITNESS_FILE: &str = "ledger.witness";

const TAG: &[u8] = b"mainstay witness 1\n";
const SLOT_BYTES: usize = 56;
/// Slots lie in different sectors.
const SLOT_OFFSETS: [u64; 2] = [0, 512];

/// An open witness.
#[derive(Debug)]
pub(crate) struct Witness {
    file: File,
    turn: usize,
}

/// How far a ledger was seen to be; compares by commits first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reached {
    /// Commits since it was made.
    pub(crate) commits: u64,
    /// Its last fact.
    pub(crate) seq: u64,
    /// That fact's hash.
    pub(crate) hash: Hash,
}

/// What a witness said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Testimony {
    /// The furthest it knows.
    pub(crate) reached: Option<Reached>,
    /// Whether a slot holds bytes that are not its own.
    pub(crate) damaged: bool,
}

// === impl Witness ===

impl Witness {
    /// Opens or makes the witness in `folder`.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join(WITNESS_FILE);
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        // The next write must not overwrite the slot that reached further.
        let [first, second] = SLOT_OFFSETS.map(|offset| read_slot(&file, offset).ok().flatten());
        Ok(Self { file, turn: usize::from(first > second) })
    }

    /// Records how far the ledger is.
    pub(crate) fn record(&mut self, reached: &Reached) -> io::Result<()> {
        let mut slot = [0; SLOT_BYTES];
        let (commits, rest) = slot.split_at_mut(8);
        let (seq, rest) = rest.split_at_mut(8);
        let (hash, check) = rest.split_at_mut(32);
        commits.copy_from_slice(&reached.commits.to_be_bytes());
        seq.copy_from_slice(&reached.seq.to_be_bytes());
        hash.copy_from_slice(&reached.hash);
        check.copy_from_slice(&checksum(reached));
        let offset = SLOT_OFFSETS.get(self.turn % 2).copied().unwrap_or(0);
        self.turn = (self.turn + 1) % 2;
        self.file.write_all_at(&slot, offset)
    }

    /// Makes it durable; done when the ledger closes.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// What the witness in `folder` says; nothing when there is none.
pub(crate) fn read(folder: &Path) -> io::Result<Testimony> {
    let file = match File::open(folder.join(WITNESS_FILE)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Testimony { reached: None, damaged: false });
        }
        Err(error) => return Err(error),
    };
    let mut testimony = Testimony { reached: None, damaged: false };
    for offset in SLOT_OFFSETS {
        match read_slot(&file, offset) {
            Ok(slot) => testimony.reached = testimony.reached.max(slot),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => testimony.damaged = true,
            Err(error) => return Err(error),
        }
    }
    Ok(testimony)
}

/// A slot: `None` when it was never written, [`io::ErrorKind::InvalidData`] when its checksum does not match.
fn read_slot(file: &File, offset: u64) -> io::Result<Option<Reached>> {
    let mut slot = [0; SLOT_BYTES];
    match file.read_exact_at(&mut slot, offset) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    if slot == [0; SLOT_BYTES] {
        return Ok(None);
    }
    let (mut commits, mut seq, mut hash) = ([0; 8], [0; 8], [0; 32]);
    let (first, rest) = slot.split_at(8);
    let (second, rest) = rest.split_at(8);
    let (third, check) = rest.split_at(32);
    commits.copy_from_slice(first);
    seq.copy_from_slice(second);
    hash.copy_from_slice(third);
    let reached = Reached { commits: u64::from_be_bytes(commits), seq: u64::from_be_bytes(seq), hash };
    if check == checksum(&reached) { Ok(Some(reached)) } else { Err(io::ErrorKind::InvalidData.into()) }
}

fn checksum(reached: &Reached) -> [u8; 8] {
    let mut fields = FieldHasher::new(TAG);
    fields.integer(reached.commits).integer(reached.seq).bytes(&reached.hash);
    let [a, b, c, d, e, f, g, h, ..] = fields.finish();
    [a, b, c, d, e, f, g, h]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_further_slot_counts_and_a_torn_one_leaves_the_other() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap(), Testimony { reached: None, damaged: false });
        let mut witness = Witness::open(folder.path()).unwrap();
        let reached = |commits: u8| Reached { commits: commits.into(), seq: 3, hash: [commits; 32] };
        witness.record(&reached(5)).unwrap();
        witness.record(&reached(9)).unwrap();
        drop(witness);
        assert_eq!(read(folder.path()).unwrap().reached, Some(reached(9)));
        // Opened again it spares the slot that holds 9.
        Witness::open(folder.path()).unwrap().record(&reached(10)).unwrap();
        let path = folder.path().join(WITNESS_FILE);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[3] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(read(folder.path()).unwrap(), Testimony { reached: Some(reached(9)), damaged: true });
    }
}
