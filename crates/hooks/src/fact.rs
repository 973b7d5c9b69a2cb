//! What happened. The on-disk format of the chapter: a kind, a version, and a JSON payload.
//!
//! Facts already written stay readable for ever: a new field gets a default, and a changed meaning gets a new version
//! and a conversion in [`Fact::decode`]. `tests/facts/` keeps a sample of every kind and version.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::command::webhook_key;
use crate::spec::{Pairs, WebhookSpec};

/// The chapter's name in the ledger.
pub const CHAPTER: &str = "hooks";

/// The version of the payloads that [`Fact::payload`] writes.
pub const FACT_VERSION: u16 = 1;

/// What happened to a webhook. Each carries all that a replay needs, and the version the resource then has.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Fact {
    /// A webhook was created or its spec, labels or annotations replaced.
    WebhookDefined(Box<WebhookDefined>),
    /// A webhook was removed.
    WebhookDeleted(WebhookDeleted),
}

/// A webhook's new shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookDefined {
    /// The webhook.
    pub name: String,
    /// Its version from now on.
    pub version: u64,
    /// Its spec from now on.
    pub spec: WebhookSpec,
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
pub struct WebhookDeleted {
    /// What was removed.
    pub name: String,
    /// The version it had.
    pub version: u64,
}

/// A fact this version of Mainstay cannot read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableFact {
    /// The kind is not known.
    #[error("webhooks know no fact of kind {0:?}")]
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
    pub const KINDS: [&'static str; 2] = ["webhook_defined", "webhook_deleted"];

    /// The kind, for the ledger.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::WebhookDefined(_) => "webhook_defined",
            Self::WebhookDeleted(_) => "webhook_deleted",
        }
    }

    /// The version of the payload, for the ledger.
    pub const fn version(&self) -> u16 {
        FACT_VERSION
    }

    /// What it is about, for the ledger: `Webhook/team-chat`.
    pub fn subject(&self) -> String {
        match self {
            Self::WebhookDefined(fact) => webhook_key(&fact.name),
            Self::WebhookDeleted(fact) => webhook_key(&fact.name),
        }
        .to_string()
    }

    /// The payload, for the ledger.
    pub fn payload(&self) -> Value {
        // Every field is a string or a number already, so nothing here can fail to become JSON.
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
            "webhook_defined" => serde_json::from_value(payload).map(Self::WebhookDefined),
            "webhook_deleted" => serde_json::from_value(payload).map(Self::WebhookDeleted),
            other => return Err(UnreadableFact::Kind(other.to_owned())),
        };
        read.map_err(|error| UnreadableFact::Payload { kind: kind.to_owned(), why: error.to_string() })
    }
}
