//! Reading small files below a root: the only IO of most collectors.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Longest file read, in bytes. `/proc/stat` of a large machine is the longest of them, at some 200 KiB.
pub const MAX_FILE_BYTES: u64 = 8 << 20;

/// Why a collector has nothing to say.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// A file could not be read.
    #[error("/{path}: {source}")]
    Unreadable {
        /// Below the root.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// A file is not what the kernel documents.
    #[error("/{path}: {what}")]
    Malformed {
        /// Below the root.
        path: String,
        /// What is wrong.
        what: String,
    },
}

/// Text that is not what the kernel documents.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed(pub String);

/// The files below one root.
#[derive(Debug)]
pub(super) struct Files {
    root: PathBuf,
}

impl Trouble {
    /// True when the kernel or the machine just does not have this: no pressure figures, no sensors.
    pub fn is_absence(&self) -> bool {
        let Self::Unreadable { source, .. } = self else { return false };
        matches!(
            source.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::Unsupported | io::ErrorKind::NotADirectory
        )
    }

    pub(super) fn malformed(path: &str, Malformed(what): Malformed) -> Self {
        Self::Malformed { path: path.to_owned(), what }
    }
}

impl Malformed {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl Files {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Where `path` is for the system.
    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// A whole file, bytes that are not UTF-8 replaced.
    pub(super) fn read(&self, path: &str) -> Result<String, Trouble> {
        let mut bytes = Vec::new();
        self.read_into(path, &mut bytes)?;
        Ok(String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
    }

    /// A whole file into a buffer, which is cleared first.
    pub(super) fn read_into(&self, path: &str, buffer: &mut Vec<u8>) -> Result<(), Trouble> {
        buffer.clear();
        let file = File::open(self.at(path));
        let read = file.and_then(|file| file.take(MAX_FILE_BYTES).read_to_end(buffer));
        match read {
            Ok(_) => Ok(()),
            Err(source) => Err(Trouble::Unreadable { path: path.to_owned(), source }),
        }
    }

    /// A file read and parsed.
    pub(super) fn parse<T>(
        &self,
        path: &str,
        parse: impl FnOnce(&str) -> Result<T, Malformed>,
    ) -> Result<T, Trouble> {
        parse(&self.read(path)?).map_err(|wrong| Trouble::malformed(path, wrong))
    }

    /// A file that holds one word or line; `None` when it cannot be read, as many files of `/sys` cannot.
    pub(super) fn word(&self, path: &str) -> Option<String> {
        Some(self.read(path).ok()?.trim().to_owned())
    }

    /// A file that holds one number.
    pub(super) fn number(&self, path: &str) -> Option<f64> {
        self.word(path)?.parse().ok()
    }

    /// The names in a folder, sorted.
    pub(super) fn list(&self, path: &str) -> Result<Vec<String>, Trouble> {
        let unreadable = |source| Trouble::Unreadable { path: path.to_owned(), source };
        let entries = std::fs::read_dir(self.at(path)).map_err(unreadable)?;
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.sort();
        Ok(names)
    }
}
