//! What a check found: where, what, and what to do instead.

use std::fmt;

/// One thing that a check refuses. Shown as `file:line: what; instead: …`, which terminals and editors can follow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Path from the workspace's root.
    pub file: String,
    /// Line from 1; 0 where the whole file is meant.
    pub line: usize,
    /// What is wrong, and what to do about it.
    pub what: String,
}

impl Finding {
    /// A finding at one line.
    pub fn at(file: impl Into<String>, line: usize, what: impl Into<String>) -> Self {
        Self { file: file.into(), line, what: what.into() }
    }

    /// A finding about a whole file.
    pub fn file(file: impl Into<String>, what: impl Into<String>) -> Self {
        Self::at(file, 0, what)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.what),
            line => write!(f, "{}:{line}: {}", self.file, self.what),
        }
    }
}

/// Prints the findings in order and turns them into a command's result. `looked_at` says what a clean run covered.
pub fn conclude(mut findings: Vec<Finding>, looked_at: &str) -> Result<(), String> {
    findings.sort();
    findings.dedup();
    for finding in &findings {
        eprintln!("{finding}");
    }
    match findings.len() {
        0 => {
            println!("{looked_at}: nothing found");
            Ok(())
        }
        1 => Err(format!("{looked_at}: 1 finding")),
        n => Err(format!("{looked_at}: {n} findings")),
    }
}
