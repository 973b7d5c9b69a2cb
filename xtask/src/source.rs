//! The project's own files: those git tracks or would track.

use std::process::Command;

use crate::workspace::root;

/// One text file of the project.
#[derive(Clone, Debug)]
pub struct Source {
    /// Path from the workspace's root, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl Source {
    /// Whether the file is Rust.
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether the whole file is tests: in a `tests` folder, or named `tests.rs`.
    pub fn is_test(&self) -> bool {
        self.path.starts_with("tests/")
            || self.path.contains("/tests/")
            || self.path.ends_with("/tests.rs")
            || self.path.ends_with("_tests.rs")
    }

    /// Whether the file was made elsewhere and is kept as it came.
    pub fn is_vendored(&self) -> bool {
        self.path.contains("/vendor/")
    }

    /// The crate's name, for a file of `crates/`.
    pub fn house_crate(&self) -> Option<&str> {
        self.path.strip_prefix("crates/")?.split('/').next()
    }
}

/// Every text file that git tracks, or would if it were added. Binary files are left out.
pub fn all() -> Result<Vec<Source>, String> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .map_err(|error| format!("git cannot be started: {error}"))?;
    if !output.status.success() {
        return Err(format!("git ls-files failed: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let mut paths: Vec<&str> = Vec::new();
    let listing = String::from_utf8_lossy(&output.stdout);
    paths.extend(listing.split('\0').filter(|path| !path.is_empty()));
    paths.sort_unstable();
    paths.dedup();
    let mut sources = Vec::new();
    for path in paths {
        // A path that git knows and that is gone from the tree is a deletion not yet committed.
        let Ok(bytes) = std::fs::read(root().join(path)) else { continue };
        if let Ok(text) = String::from_utf8(bytes)
            && !text.contains('\0')
        {
            sources.push(Source { path: path.to_owned(), text });
        }
    }
    Ok(sources)
}
