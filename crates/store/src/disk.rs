//! What the store asks of the file system, with errors in the store's words.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use crate::port::StoreError;

/// Turns an IO error at `path` into the store's word for it. A quota or a file size limit counts as a full disk.
pub(crate) fn failed(path: &Path, error: &io::Error) -> StoreError {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    match error.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => StoreError::Full(path.display().to_string()),
        _ => StoreError::Io(format!("{}: {error}", path.display())),
    }
}

/// Creates a folder and those above it.
pub(crate) fn create_dir(path: &Path) -> Result<(), StoreError> {
    fs::create_dir_all(path).map_err(|e| failed(path, &e))
}

/// Makes the entries of a folder durable.
pub(crate) fn sync_dir(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(|e| failed(path, &e))
}

/// Creates a file that must not exist yet, for reading and writing.
pub(crate) fn create_new(path: &Path) -> Result<File, StoreError> {
    OpenOptions::new().read(true).write(true).create_new(true).open(path).map_err(|e| failed(path, &e))
}

/// Takes the store's lock, which is given back when the file is closed.
pub(crate) fn lock(path: &Path) -> Result<File, StoreError> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(|e| failed(path, &e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(StoreError::Locked(format!(
            "another process has the telemetry store at {} open; stop it, or use another folder",
            path.parent().unwrap_or(path).display()
        ))),
        Err(fs::TryLockError::Error(e)) => Err(failed(path, &e)),
    }
}

/// The names in a folder, sorted; none when it does not exist. Names that are not UTF-8 are not ours and left out.
pub(crate) fn names(path: &Path) -> Result<Vec<String>, StoreError> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(failed(path, &e)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| failed(path, &e))?;
        names.extend(entry.file_name().into_string().ok());
    }
    names.sort();
    Ok(names)
}
