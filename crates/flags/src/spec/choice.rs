//! The small choices of a flag's spec: state, default variant, type of values, hash.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// Whether a flag decides anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum FlagState {
    /// It is evaluated.
    #[default]
    Enabled,
    /// Callers get the default of their own code.
    Disabled,
}

/// The variant that is served when targeting has no say. In an environment, `Unset` means "as the flag says".
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum DefaultVariant {
    /// The field is absent.
    #[default]
    Unset,
    /// The field is null: the caller gets the default of its own code.
    Code,
    /// A variant of the flag.
    Named(String),
}

/// Which hash assigns callers to fractions: MurmurHash3 (x86, 32 bits) with the seed `version − 1`, over the same key.
/// Version 1 is therefore what flagd computes, and each further version is an independent assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct HashVersion(pub u32);

/// The type of a flag's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FlagKind {
    /// true or false.
    Boolean,
    /// A text.
    String,
    /// An integer or a float.
    Number,
    /// A JSON object.
    Object,
}

// === impl FlagState ===

impl FlagState {
    /// As written in a resource.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "ENABLED",
            Self::Disabled => "DISABLED",
        }
    }
}

impl fmt::Display for FlagState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

// === impl DefaultVariant ===

impl DefaultVariant {
    /// The variant's name, if one is named.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Named(name) => Some(name),
            Self::Unset | Self::Code => None,
        }
    }

    /// True when the field is absent.
    pub const fn is_unset(&self) -> bool {
        matches!(self, Self::Unset)
    }
}

impl From<&str> for DefaultVariant {
    fn from(name: &str) -> Self {
        Self::Named(name.to_owned())
    }
}

impl Serialize for DefaultVariant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.name().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for DefaultVariant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<String>::deserialize(deserializer)?.map_or(Self::Code, Self::Named))
    }
}

impl JsonSchema for DefaultVariant {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "DefaultVariant".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Option::<String>::json_schema(generator)
    }
    fn inline_schema() -> bool {
        true
    }
}

// === impl HashVersion ===

impl HashVersion {
    /// What flagd computes.
    pub const FLAGD: Self = Self(1);

    /// True for flagd's own hash.
    pub fn is_flagd(&self) -> bool {
        *self == Self::FLAGD
    }

    /// The seed of the hash.
    pub const fn seed(self) -> u32 {
        self.0.saturating_sub(1)
    }
}

impl Default for HashVersion {
    fn default() -> Self {
        Self::FLAGD
    }
}

// === impl FlagKind ===

impl FlagKind {
    /// The type of a value; `None` for null and arrays, which no flag can have.
    pub const fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(_) => Some(Self::Boolean),
            Value::String(_) => Some(Self::String),
            Value::Number(_) => Some(Self::Number),
            Value::Object(_) => Some(Self::Object),
            Value::Null | Value::Array(_) => None,
        }
    }

    /// Its name in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::String => "string",
            Self::Number => "number",
            Self::Object => "object",
        }
    }
}

impl fmt::Display for FlagKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
