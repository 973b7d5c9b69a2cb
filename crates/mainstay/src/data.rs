//! The data folder: made on the first start, locked by one process, holding the keys.
//!
//! ```text
//! mainstay-data/
//!   lock            held while a process has the folder open
//!   ledger/         facts (SQLite)
//!   telemetry/      write-ahead log, blocks, catalogue
//!   keys/token.key  32 random bytes that key the digests of tokens, sessions and links
//!   tls/            the self-signed certificate of a trial
//!   mainstay.sock   the unix socket
//! ```

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use cli::{Exit, Failure};
use ledger::{FolderLock, LedgerError};

/// An open, locked data folder.
pub(crate) struct DataFolder {
    path: PathBuf,
    _lock: FolderLock,
}

impl DataFolder {
    /// Makes the folder where it is missing, readable by its owner only, and locks it.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        make_private(path)?;
        let path = path.canonicalize().map_err(|e| disk(path, "opened", &e))?;
        let lock = ledger::lock_folder(&path).map_err(|error| ledger_failure(&path, &error))?;
        Ok(Self { path, _lock: lock })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A subfolder, made where it is missing.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf, Failure> {
        let path = self.path.join(name);
        make_private(&path)?;
        Ok(path)
    }

    /// The key of the token digests; made on the first start.
    pub(crate) fn token_key(&self) -> Result<[u8; 32], Failure> {
        let path = self.folder("keys")?.join("token.key");
        match fs::read(&path) {
            Ok(bytes) => bytes.try_into().map_err(|bytes: Vec<u8>| {
                Failure::new(
                    Exit::Damaged,
                    format!(
                        "{} holds {} bytes instead of 32: restore it from a backup, or delete it and every session \
                         and token becomes invalid",
                        path.display(),
                        bytes.len()
                    ),
                )
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let mut key = [0; 32];
                getrandom::fill(&mut key)
                    .map_err(|e| Failure::new(Exit::Bug, format!("the system gives no random bytes: {e}")))?;
                write_private(&path, &key)?;
                Ok(key)
            }
            Err(error) => Err(disk(&path, "read", &error)),
        }
    }
}

/// Makes a folder that only its owner may enter.
fn make_private(path: &Path) -> Result<(), Failure> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|e| disk(path, "made", &e))
}

/// Writes a file that only its owner may read, whole or not at all.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let temporary = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        match path.parent() {
            Some(parent) => fs::File::open(parent)?.sync_all(),
            None => Ok(()),
        }
    };
    write().map_err(|e| disk(path, "written", &e))
}

/// A failure of the disk, with what to do about it.
pub(crate) fn disk(path: &Path, what: &str, error: &std::io::Error) -> Failure {
    let advice = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "free some space, or choose another folder with --data-dir"
        }
        ErrorKind::PermissionDenied => {
            "choose a folder this user may write with --data-dir, or change its owner"
        }
        ErrorKind::ReadOnlyFilesystem => {
            "the file system is read-only: choose another folder with --data-dir"
        }
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            "something that is not a folder is in the way: move it, or choose another folder with --data-dir"
        }
        _ => "choose another folder with --data-dir, or repair this one",
    };
    Failure::new(Exit::Disk, format!("{} cannot be {what}: {error}\n  {advice}", path.display()))
}

/// A failure of the ledger at start.
pub(crate) fn ledger_failure(path: &Path, error: &LedgerError) -> Failure {
    match error {
        LedgerError::Locked(who) => Failure::new(
            Exit::Locked,
            format!("{who}\n  stop that process, or choose another folder with --data-dir"),
        ),
        LedgerError::Full(_) => Failure::new(
            Exit::Disk,
            format!("{error}\n  free some space, or choose another folder with --data-dir; nothing is lost"),
        ),
        LedgerError::Damaged { .. } => Failure::new(
            Exit::Damaged,
            format!(
                "{error}\n  `mainstay ledger verify --offline` says what is whole; restore {} from a backup",
                path.display()
            ),
        ),
        LedgerError::Moved { .. } | LedgerError::TooLarge(_) | LedgerError::Io(_) => {
            Failure::new(Exit::Disk, format!("the ledger in {} cannot be opened: {error}", path.display()))
        }
    }
}
