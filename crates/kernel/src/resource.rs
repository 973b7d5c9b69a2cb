//! What people declare: `apiVersion`, `kind`, `metadata`, `spec`.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version every resource states.
pub const API_VERSION: &str = "mainstay/v1";

/// Longest resource name, in bytes.
const MAX_NAME: usize = 253;

/// Names a resource: its kind and its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ResourceKey {
    /// Such as `Flag`.
    pub kind: String,
    /// Unique within the kind.
    pub name: String,
}

/// What every resource carries beside its spec.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// Unique within the kind.
    pub name: String,
    /// For selection.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// For people and tools; never decides anything.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Counts the changes of this resource, from 1; given back on apply it must match (optimistic concurrency).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
}

/// A declared thing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resource {
    /// Always [`API_VERSION`].
    pub api_version: String,
    /// Such as `Flag`.
    pub kind: String,
    /// Name, labels, annotations, version.
    pub metadata: Metadata,
    /// What is wanted; its shape belongs to the kind.
    #[serde(default)]
    pub spec: Value,
}

/// Why a resource name was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} cannot name a resource: {why}")]
pub struct InvalidName {
    name: String,
    why: &'static str,
}

impl ResourceKey {
    /// A key whose name has been checked.
    ///
    /// # Errors
    /// The name is empty, over 253 bytes, holds a control character, or starts or ends with white space. Nothing
    /// else is refused: names also come from files of other systems, which are taken as they are.
    pub fn new(kind: &str, name: &str) -> Result<Self, InvalidName> {
        let bad = |why| Err(InvalidName { name: name.to_owned(), why });
        if name.is_empty() {
            return bad("it is empty");
        }
        if name.len() > MAX_NAME {
            return bad("it is longer than 253 bytes");
        }
        if name.chars().any(char::is_control) {
            return bad("it holds a control character");
        }
        if name.trim() != name {
            return bad("it starts or ends with white space");
        }
        Ok(Self { kind: kind.to_owned(), name: name.to_owned() })
    }
}

impl fmt::Display for ResourceKey {
    /// `Flag/new-checkout`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

impl Resource {
    /// What names it.
    pub fn key(&self) -> ResourceKey {
        ResourceKey { kind: self.kind.clone(), name: self.metadata.name.clone() }
    }
}
