//! Why a query failed, where, and what to do.

use std::fmt;

use super::ast::Span;

/// The class of a failure; the API maps it to Prometheus' `errorType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The text is not a valid query, or a parameter is out of bounds.
    BadData,
    /// The query is valid and its evaluation failed on this data.
    Execution,
    /// A named limit on samples or steps is reached.
    Limit,
    /// The caller gave up, or the deadline passed.
    Cancelled,
    /// Data could not be read.
    Unreadable,
}

/// A failed query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryError {
    /// The class.
    pub kind: ErrorKind,
    /// What is wrong, worded as Prometheus does where it has a wording.
    pub message: String,
    /// Where in the query text, in bytes.
    pub span: Option<Span>,
    /// What to do, such as "did you mean `rate`?".
    pub hint: Option<String>,
}

// === impl QueryError ===

impl QueryError {
    /// The text is not a valid query.
    pub fn bad_data(span: Span, message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::BadData, message: message.into(), span: Some(span), hint: None }
    }

    /// The evaluation failed.
    pub fn execution(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Execution, message: message.into(), span: None, hint: None }
    }

    /// A limit is reached.
    pub fn limit(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Limit, message: message.into(), span: None, hint: None }
    }

    /// The same error with a place.
    #[must_use]
    pub fn at(mut self, span: Span) -> Self {
        self.span.get_or_insert(span);
        self
    }

    /// The same error with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The message with its position in `query`, as Prometheus words it: `1:5: parse error: …`.
    pub fn render(&self, query: &str) -> String {
        match (self.kind, self.span) {
            (ErrorKind::BadData, Some(span)) => {
                let (line, column) = span.line_column(query);
                format!("{line}:{column}: parse error: {}", self.message)
            }
            _ => self.message.clone(),
        }
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for QueryError {}
