//! Exit codes. They are part of the interface: scripts decide by them, and docs/exit-codes.md lists them.

use std::fmt;
use std::process::ExitCode;

/// How the process ends when it does not end well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The request was refused, or what was checked is not in order.
    Refused = 1,
    /// The command line is wrong (clap's own code).
    Usage = 2,
    /// Mainstay cannot be reached.
    Unreachable = 3,
    /// The caller is not known, or may not.
    Denied = 4,
    /// The configuration cannot be read or is wrong.
    Configuration = 10,
    /// An address cannot be listened on.
    Address = 11,
    /// Another process has the data folder open.
    Locked = 12,
    /// The disk is full, or the data folder cannot be written.
    Disk = 13,
    /// What is stored is damaged.
    Damaged = 14,
    /// A fault of Mainstay's own.
    Bug = 70,
}

/// A failure with what to print and how to end.
#[derive(Debug)]
pub struct Failure {
    /// How to end.
    pub exit: Exit,
    /// What is wrong, where, and what to do; one or more lines.
    pub message: String,
}

// === impl Exit ===

impl Exit {
    /// Every code with its meaning, for the documentation.
    pub const ALL: [(Self, &'static str); 10] = [
        (Self::Refused, "the request was refused, or what was checked is not in order"),
        (Self::Usage, "the command line is wrong"),
        (Self::Unreachable, "Mainstay cannot be reached"),
        (Self::Denied, "the caller is not known, or may not"),
        (Self::Configuration, "the configuration cannot be read or is wrong"),
        (Self::Address, "an address cannot be listened on"),
        (Self::Locked, "another process has the data folder open"),
        (Self::Disk, "the disk is full, or the data folder cannot be written"),
        (Self::Damaged, "what is stored is damaged"),
        (Self::Bug, "a fault of Mainstay's own"),
    ];
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

// === impl Failure ===

impl Failure {
    /// A failure that ends with `exit`.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mainstay: {}", crate::print::harmless(&self.message))
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_lists_every_code() {
        let page = include_str!("../../../docs/exit-codes.md");
        for (exit, meaning) in Exit::ALL {
            let row = format!("| {} | {meaning} |", exit as u8);
            assert!(page.contains(&row), "docs/exit-codes.md has no row that begins `{row}`");
        }
    }
}
