//! What can be asked of the chapter, and why it may refuse.

use std::fmt;

use kernel::{Fault, Metadata, Problem, ResourceKey};

use crate::spec::{WEBHOOK_KIND, WebhookSpec};

/// What someone asks for. Where a version is given it must be the resource's current one (0: it must not exist).
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Declares a webhook: creates it or replaces its spec, labels and annotations.
    Define {
        /// Name, labels, annotations and, if any, the version it must have.
        metadata: Metadata,
        /// What is declared.
        spec: Box<WebhookSpec>,
    },
    /// Removes a webhook.
    Delete {
        /// Its name.
        name: String,
        /// The version it must have.
        version: Option<u64>,
    },
    /// Several commands as one: all or nothing.
    Batch(Vec<Command>),
}

/// Why not.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// There is no such webhook.
    NotFound(ResourceKey),
    /// The caller's picture is out of date.
    Stale {
        /// The resource.
        key: ResourceKey,
        /// The version the caller saw.
        expected: u64,
        /// The version it has; `None` when it does not exist.
        actual: Option<u64>,
    },
    /// It can never work as written.
    Invalid {
        /// The resource.
        key: ResourceKey,
        /// What is wrong; every finding, and each names its place in the spec.
        problems: Vec<Problem>,
    },
    /// A limit on the whole chapter is reached.
    Limit {
        /// What there would be too many of.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
}

// === impl Refusal ===

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(key) => write!(f, "{key} does not exist"),
            Self::Stale { key, expected: 0, actual: Some(actual) } => {
                write!(f, "{key} already exists, at version {actual}")
            }
            Self::Stale { key, expected, actual: Some(actual) } => write!(
                f,
                "{key} has changed: version {expected} was expected and it is at {actual}; read it again and repeat"
            ),
            Self::Stale { key, expected, actual: None } => {
                write!(f, "{key} does not exist; version {expected} was expected")
            }
            Self::Invalid { key, problems } => match problems.as_slice() {
                [only] => write!(f, "{key} is refused: {only}"),
                several => write!(f, "{key} is refused for {} reasons", several.len()),
            },
            Self::Limit { what, limit } => write!(f, "there may be at most {limit} {what}"),
        }
    }
}

impl std::error::Error for Refusal {}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.to_string();
        match refusal {
            Refusal::NotFound(_) => Self::not_found(message),
            Refusal::Stale { .. } => Self::conflict(message),
            Refusal::Invalid { problems, .. } => Self::invalid(message).with_problems(problems),
            Refusal::Limit { .. } => Self::invalid(message),
        }
    }
}

/// Names a webhook.
pub fn webhook_key(name: &str) -> ResourceKey {
    ResourceKey { kind: WEBHOOK_KIND.to_owned(), name: name.to_owned() }
}
