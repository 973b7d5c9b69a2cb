//! The outside face of every failure. Chapters return small enums; whoever answers the outside turns them into a
//! [`Fault`], which knows its class, what the client may read, what the operator should read, and whether a retry helps.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Span;

/// The class of a failure, independent of HTTP or gRPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The thing named does not exist.
    NotFound,
    /// The caller's picture is out of date, or the thing is still in use.
    Conflict,
    /// The request can never succeed as written.
    Invalid,
    /// Nobody has proved who they are.
    Unauthenticated,
    /// The caller is known and may not.
    Denied,
    /// A named limit is reached.
    Exhausted,
    /// Something needed is away; the same request may succeed later.
    Unavailable,
    /// Our mistake.
    Bug,
}

/// A place in something that was parsed. Lines and columns count from 1; columns count characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The file's name as the caller gave it; empty for a query string or a request body.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// One thing that is wrong, where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What is wrong.
    pub message: String,
    /// Where, for anything that was parsed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Position>,
    /// What to do, such as "did you mean `targeting`?".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// A failure as the outside sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The class.
    pub kind: FaultKind,
    /// For the client: what was wrong and what to do. Never holds secrets or inner paths.
    pub message: String,
    /// For the operator's log, where it differs.
    pub internal: Option<String>,
    /// The single findings, where there are several or they have a place.
    pub problems: Vec<Problem>,
    /// When a retry may help, how long to wait first.
    pub retry_after: Option<Span>,
}

// === impl Fault ===

impl Fault {
    /// A fault of `kind` with a message for the client.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), internal: None, problems: Vec::new(), retry_after: None }
    }
    /// The thing named does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(FaultKind::NotFound, message)
    }
    /// Out of date, or still in use.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Conflict, message)
    }
    /// Wrong as written.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Invalid, message)
    }
    /// Known, and may not.
    pub fn denied(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Denied, message)
    }
    /// Not known.
    pub fn unauthenticated(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Unauthenticated, message)
    }
    /// A limit is reached; retry after `wait`.
    pub fn exhausted(message: impl Into<String>, wait: Span) -> Self {
        Self { retry_after: Some(wait), ..Self::new(FaultKind::Exhausted, message) }
    }
    /// Something needed is away; retry after `wait`.
    pub fn unavailable(message: impl Into<String>, wait: Span) -> Self {
        Self { retry_after: Some(wait), ..Self::new(FaultKind::Unavailable, message) }
    }
    /// Our mistake: the client reads that it is ours, the operator reads what it is.
    pub fn bug(internal: impl Into<String>) -> Self {
        Self {
            internal: Some(internal.into()),
            ..Self::new(FaultKind::Bug, "Mainstay failed to do this; the reason is in its log")
        }
    }
    /// Adds what only the operator should read.
    #[must_use]
    pub fn with_internal(mut self, internal: impl Into<String>) -> Self {
        self.internal = Some(internal.into());
        self
    }
    /// Adds single findings.
    #[must_use]
    pub fn with_problems(mut self, problems: Vec<Problem>) -> Self {
        self.problems = problems;
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for problem in &self.problems {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}

// === impl Problem ===

impl Problem {
    /// A finding without a place.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), at: None, hint: None }
    }
    /// Sets the place.
    #[must_use]
    pub fn at(mut self, at: Position) -> Self {
        self.at = Some(at);
        self
    }
    /// Sets what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    /// `flags.yaml:12:5: unknown field "stat" (did you mean "state"?)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = &self.at {
            write!(f, "{at}: ")?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.is_empty() {
            write!(f, "{}:", self.file)?;
        }
        write!(f, "{}:{}", self.line, self.column)
    }
}
