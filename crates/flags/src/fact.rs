//! What happened. The on-disk format of the chapter: a kind, a version, and a JSON payload.
//!
//! Facts already written stay readable for ever: a new field gets a default, and a changed meaning gets a new version
//! and a conversion in [`Fact::decode`]. `tests/facts/` keeps a sample of every kind and version.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::command::{flag_key, flag_set_key};
use crate::spec::{FlagSetSpec, FlagSpec, FlagState, Pairs};

/// The chapter's name in the ledger.
pub const CHAPTER: &str = "flags";

/// The version of the payloads that [`Fact::payload`] writes.
pub const FACT_VERSION: u16 = 1;

/// What happened to a flag or a flag set. Each carries all that a replay needs, and the version the resource then has.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Fact {
    /// A flag was created or its spec, labels or annotations replaced.
    FlagDefined(Box<FlagDefined>),
    /// A flag was removed.
    FlagDeleted(Deleted),
    /// A flag was enabled or disabled.
    FlagSwitched(FlagSwitched),
    /// A flag outlived its expiry.
    FlagExpired(FlagExpired),
    /// A flag set was created or its spec, labels or annotations replaced.
    FlagSetDefined(FlagSetDefined),
    /// A flag set was removed.
    FlagSetDeleted(Deleted),
}

/// A flag's new shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FlagDefined {
    /// The flag.
    pub name: String,
    /// Its version from now on.
    pub version: u64,
    /// Its spec from now on.
    pub spec: FlagSpec,
    /// Its labels from now on.
    #[serde(default, skip_serializing_if = "Pairs::is_empty")]
    pub labels: Pairs,
    /// Its annotations from now on.
    #[serde(default, skip_serializing_if = "Pairs::is_empty")]
    pub annotations: Pairs,
}

/// A flag set's new shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FlagSetDefined {
    /// The flag set.
    pub name: String,
    /// Its version from now on.
    pub version: u64,
    /// Its spec from now on.
    pub spec: FlagSetSpec,
    /// Its labels from now on.
    #[serde(default, skip_serializing_if = "Pairs::is_empty")]
    pub labels: Pairs,
    /// Its annotations from now on.
    #[serde(default, skip_serializing_if = "Pairs::is_empty")]
    pub annotations: Pairs,
}

/// A removal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deleted {
    /// What was removed.
    pub name: String,
    /// The version it had.
    pub version: u64,
}

/// A turn of the kill switch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FlagSwitched {
    /// The flag.
    pub name: String,
    /// Its version from now on.
    pub version: u64,
    /// Its state from now on.
    pub state: FlagState,
    /// Where; absent: everywhere, environments that stated something else included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
}

/// An expiry that has passed. Changes nothing about the flag, so it has no version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FlagExpired {
    /// The flag.
    pub name: String,
    /// The expiry, as written.
    pub expires: String,
}

/// A fact this version of Mainstay cannot read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableFact {
    /// The kind is not known.
    #[error("flags know no fact of kind {0:?}")]
    Kind(String),
    /// The version is not known.
    #[error(
        "a fact {kind} of version {version} was written by a newer Mainstay; this one reads up to {FACT_VERSION}"
    )]
    Version {
        /// The fact's kind.
        kind: String,
        /// Its version.
        version: u16,
    },
    /// The payload is not what the kind and version promise.
    #[error("the payload of a fact {kind} cannot be read: {why}")]
    Payload {
        /// The fact's kind.
        kind: String,
        /// What is wrong with it.
        why: String,
    },
}

// === impl Fact ===

impl Fact {
    /// The kinds of facts, as [`Fact::kind`] names them.
    pub const KINDS: [&'static str; 6] = [
        "flag_defined",
        "flag_deleted",
        "flag_switched",
        "flag_expired",
        "flag_set_defined",
        "flag_set_deleted",
    ];

    /// The kind, for the ledger.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::FlagDefined(_) => "flag_defined",
            Self::FlagDeleted(_) => "flag_deleted",
            Self::FlagSwitched(_) => "flag_switched",
            Self::FlagExpired(_) => "flag_expired",
            Self::FlagSetDefined(_) => "flag_set_defined",
            Self::FlagSetDeleted(_) => "flag_set_deleted",
        }
    }

    /// The version of the payload, for the ledger.
    pub const fn version(&self) -> u16 {
        FACT_VERSION
    }

    /// What it is about, for the ledger: `Flag/new-checkout`, `FlagSet/shop`.
    pub fn subject(&self) -> String {
        match self {
            Self::FlagDefined(fact) => flag_key(&fact.name),
            Self::FlagDeleted(fact) => flag_key(&fact.name),
            Self::FlagSwitched(fact) => flag_key(&fact.name),
            Self::FlagExpired(fact) => flag_key(&fact.name),
            Self::FlagSetDefined(fact) => flag_set_key(&fact.name),
            Self::FlagSetDeleted(fact) => flag_set_key(&fact.name),
        }
        .to_string()
    }

    /// The resource's version after the fact; `None` for a fact that changes none.
    pub const fn resource_version(&self) -> Option<u64> {
        match self {
            Self::FlagDefined(fact) => Some(fact.version),
            Self::FlagSwitched(fact) => Some(fact.version),
            Self::FlagSetDefined(fact) => Some(fact.version),
            Self::FlagDeleted(fact) | Self::FlagSetDeleted(fact) => Some(fact.version),
            Self::FlagExpired(_) => None,
        }
    }

    /// The payload, for the ledger.
    pub fn payload(&self) -> Value {
        // Every field is a string, a number or JSON already, so nothing here can fail to become JSON.
        serde_json::to_value(self).unwrap_or(Value::Null)
    }

    /// Reads a fact back.
    ///
    /// # Errors
    /// The kind or the version is not known, or the payload is not theirs.
    pub fn decode(kind: &str, version: u16, payload: Value) -> Result<Self, UnreadableFact> {
        if !(1..=FACT_VERSION).contains(&version) {
            return Err(UnreadableFact::Version { kind: kind.to_owned(), version });
        }
        let read = match kind {
            "flag_defined" => serde_json::from_value(payload).map(Self::FlagDefined),
            "flag_deleted" => serde_json::from_value(payload).map(Self::FlagDeleted),
            "flag_switched" => serde_json::from_value(payload).map(Self::FlagSwitched),
            "flag_expired" => serde_json::from_value(payload).map(Self::FlagExpired),
            "flag_set_defined" => serde_json::from_value(payload).map(Self::FlagSetDefined),
            "flag_set_deleted" => serde_json::from_value(payload).map(Self::FlagSetDeleted),
            other => return Err(UnreadableFact::Kind(other.to_owned())),
        };
        read.map_err(|error| UnreadableFact::Payload { kind: kind.to_owned(), why: error.to_string() })
    }
}
