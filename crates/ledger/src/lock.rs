//! One process per folder: an advisory lock that dies with its holder, and says who holds it.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::LedgerError;

/// The file in the folder that is locked; it holds the process id of the last holder and stays when it ends.
pub const LOCK_FILE: &str = "lock";

/// Held while the folder is this process's own; the kernel releases it when the process ends, however it ends.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

/// Makes `folder` (for its owner only) if it is not there, and locks it.
///
/// # Errors
/// [`LedgerError::Locked`] names the process that holds it; otherwise IO.
pub fn lock_folder(folder: &Path) -> Result<FolderLock, LedgerError> {
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::StorageFull => LedgerError::Full(folder.display().to_string()),
        _ => LedgerError::Io(format!("cannot lock the folder {}: {error}", folder.display())),
    };
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let path = folder.join(LOCK_FILE);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Err(LedgerError::Locked(held_by(folder, &mut file))),
        Err(error) => return Err(failed(error.into())),
    }
    // The pid only serves the message above: a full disk must not keep anyone from starting to read.
    let _ =
        file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
    Ok(FolderLock { _file: file })
}

fn held_by(folder: &Path, file: &mut File) -> String {
    let mut text = String::new();
    let _ = file.read_to_string(&mut text);
    let who = match text.trim() {
        "" => "another process".to_owned(),
        pid => format!("process {pid}"),
    };
    format!("{} is in use by {who}", folder.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_to_come_reads_who_was_first() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        let lock = lock_folder(&inner).unwrap();
        let expected = format!("{} is in use by process {}", inner.display(), std::process::id());
        assert_eq!(lock_folder(&inner).unwrap_err(), LedgerError::Locked(expected));
        drop(lock);
        lock_folder(&inner).unwrap();
    }

    #[test]
    fn what_is_not_a_folder_cannot_be_locked() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(matches!(lock_folder(file.path()).unwrap_err(), LedgerError::Io(_)));
    }
}
