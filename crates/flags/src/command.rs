//! What can be asked of the chapter, and why it may refuse.

use std::fmt;

use indexmap::IndexMap;
use kernel::{Fault, Metadata, Problem, ResourceKey};
use serde_json::Value;

use crate::spec::{DefaultVariant, FLAG_KIND, FLAG_SET_KIND, FlagSetSpec, FlagSpec, FlagState};

/// What someone asks for. Where a version is given it must be the resource's current one (0: it must not exist).
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Declares a flag: creates it or replaces its spec, labels and annotations.
    DefineFlag {
        /// Name, labels, annotations and, if any, the version it must have.
        metadata: Metadata,
        /// What is declared.
        spec: Box<FlagSpec>,
        /// How much is checked.
        checks: Checks,
    },
    /// Removes a flag.
    DeleteFlag {
        /// Its name.
        name: String,
        /// The version it must have.
        version: Option<u64>,
    },
    /// Changes parts of a flag.
    SetFlag {
        /// Its name.
        name: String,
        /// What changes.
        patch: Box<FlagPatch>,
        /// The environment that is changed; none: the flag itself.
        environment: Option<String>,
        /// The version it must have.
        version: Option<u64>,
    },
    /// The kill switch: enables or disables a flag.
    SwitchFlag {
        /// Its name.
        name: String,
        /// The state it shall have.
        state: FlagState,
        /// Where; none: everywhere, so environments that state something else are switched too.
        environment: Option<String>,
        /// The version it must have.
        version: Option<u64>,
    },
    /// Records that a flag has outlived its expiry. [`crate::due`] asks for it, once per flag and expiry.
    NoteExpiry {
        /// The flag's name.
        name: String,
    },
    /// Declares a flag set: creates it or replaces its spec, labels and annotations.
    DefineFlagSet {
        /// Name, labels, annotations and, if any, the version it must have.
        metadata: Metadata,
        /// What is declared.
        spec: Box<FlagSetSpec>,
        /// How much is checked.
        checks: Checks,
    },
    /// Removes a flag set.
    DeleteFlagSet {
        /// Its name.
        name: String,
        /// The version it must have.
        version: Option<u64>,
    },
    /// Several commands as one: all or nothing. References need to hold only at the end, so the order of definitions
    /// does not matter.
    Batch(Vec<Command>),
}

/// How much a definition is checked beyond its limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checks {
    /// Everything that cannot work is refused: unknown operators, references to nothing, variants that do not exist.
    #[default]
    Strict,
    /// Rules that flagd loads and fails to evaluate are taken as they are, and fail the same way here.
    AsFlagd,
}

/// Parts of a flag that change; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FlagPatch {
    /// The state.
    pub state: Option<FlagState>,
    /// The default variant. `Unset` removes the field (in an environment: as the flag says).
    pub default_variant: Option<DefaultVariant>,
    /// The targeting rule; null removes it (in an environment: no targeting there).
    pub targeting: Option<Value>,
    /// The variants; not in an environment.
    pub variants: Option<IndexMap<String, Value>>,
}

/// Why not.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// There is no such resource.
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
    /// Others still refer to it.
    Referenced {
        /// The resource, or an evaluator of it.
        what: String,
        /// Who refers.
        by: Vec<ResourceKey>,
    },
    /// Prerequisites that need each other.
    Cycle(Vec<String>),
    /// A limit on the whole chapter is reached.
    Limit {
        /// What there would be too many of.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
}

/// Most referrers a message names.
const NAMED_REFERRERS: usize = 10;

// === impl Command ===

impl Command {
    /// What the command is about; `None` for a batch.
    pub fn subject(&self) -> Option<ResourceKey> {
        match self {
            Self::DefineFlag { metadata, .. } => Some(flag_key(&metadata.name)),
            Self::DefineFlagSet { metadata, .. } => Some(flag_set_key(&metadata.name)),
            Self::DeleteFlag { name, .. }
            | Self::SetFlag { name, .. }
            | Self::SwitchFlag { name, .. }
            | Self::NoteExpiry { name } => Some(flag_key(name)),
            Self::DeleteFlagSet { name, .. } => Some(flag_set_key(name)),
            Self::Batch(_) => None,
        }
    }
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
            Self::Referenced { what, by } => {
                let named: Vec<String> = by.iter().take(NAMED_REFERRERS).map(ToString::to_string).collect();
                write!(f, "{what} is still referred to by {}", named.join(", "))?;
                match by.len().saturating_sub(NAMED_REFERRERS) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
            Self::Cycle(names) => write!(f, "prerequisites form a cycle: {}", names.join(" → ")),
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
            Refusal::Stale { .. } | Refusal::Referenced { .. } => Self::conflict(message),
            Refusal::Invalid { problems, .. } => Self::invalid(message).with_problems(problems),
            Refusal::Cycle(_) | Refusal::Limit { .. } => Self::invalid(message),
        }
    }
}

/// Names a flag.
pub fn flag_key(name: &str) -> ResourceKey {
    ResourceKey { kind: FLAG_KIND.to_owned(), name: name.to_owned() }
}

/// Names a flag set.
pub fn flag_set_key(name: &str) -> ResourceKey {
    ResourceKey { kind: FLAG_SET_KIND.to_owned(), name: name.to_owned() }
}
