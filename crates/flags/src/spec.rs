//! What people declare: the specs of the resources `Flag` and `FlagSet`.
//!
//! The body of a flag (`state`, `variants`, `defaultVariant`, `targeting`, `metadata`) is flagd's flag definition, word
//! for word: <https://flagd.dev/reference/flag-definitions/>. What Mainstay adds stands beside it. Reading a spec checks
//! its shape only; [`crate::check`] checks what it says.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use indexmap::IndexMap;
use kernel::{Span, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// The kind of the resource that declares a flag.
pub const FLAG_KIND: &str = "Flag";

/// The kind of the resource that declares a flag set.
pub const FLAG_SET_KIND: &str = "FlagSet";

/// The flag set that exists without being declared.
pub const DEFAULT_FLAG_SET: &str = "default";

/// A feature flag: a named decision that is made again for every request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FlagSpec {
    /// The flag set it belongs to: shared evaluators and metadata come from there. The set `default` always exists.
    #[serde(default = "default_flag_set")]
    pub flag_set: String,
    /// `ENABLED`, or `DISABLED`: then every caller gets the default of its own code.
    #[serde(default)]
    pub state: FlagState,
    /// The values the flag can take, by variant name. All are of one type: boolean, string, number or object.
    pub variants: IndexMap<String, Value>,
    /// The variant that is served when there is no targeting, or targeting answers null. Absent or null: the caller
    /// gets the default of its own code.
    #[serde(default, skip_serializing_if = "DefaultVariant::is_unset")]
    pub default_variant: DefaultVariant,
    /// The targeting rule: JsonLogic with flagd's operators `fractional`, `sem_ver`, `starts_with`, `ends_with`, `lower`,
    /// `upper`, `rollout` and `$ref`. It answers the name of a variant, or null for the default variant.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub targeting: Option<Value>,
    /// Handed to the caller with every evaluation; strings, numbers and booleans. Wins over the flag set's.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// Who answers for the flag: a person, team or address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// When the flag should be gone: a date (2026-12-31, to its end in UTC) or an RFC 3339 time. Nothing is switched then;
    /// the flag is reported as debt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Expiry>,
    /// What the flag is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What differs in an environment, by its name.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub environments: IndexMap<String, Environment>,
    /// Flags that must resolve to given variants for the same caller; otherwise this flag answers as if disabled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prerequisites: Vec<Prerequisite>,
    /// Which hash assigns callers to fractions, from 1. Version 1 is flagd's. Raising it assigns every caller anew.
    #[serde(default, skip_serializing_if = "HashVersion::is_flagd")]
    pub hash_version: HashVersion,
    /// The SLO that turns the flag off when its error budget burns. Reserved: kept and shown, not yet acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<Guard>,
}

/// A set of flags that share metadata and evaluators, as one flagd file does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FlagSetSpec {
    /// Handed to the caller with every evaluation of the set's flags; strings, numbers and booleans.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// Targeting rules by name, used as `{"$ref": "name"}`; flagd calls this `$evaluators`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub evaluators: IndexMap<String, Value>,
    /// What the set is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

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

/// What differs in one environment. What is absent is as the flag says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Environment {
    /// The state there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<FlagState>,
    /// The default variant there; null: the default of the caller's own code.
    #[serde(default, skip_serializing_if = "DefaultVariant::is_unset")]
    pub default_variant: DefaultVariant,
    /// The targeting rule there; null or {}: none.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub targeting: Option<Value>,
}

/// A flag that must resolve to one of some variants.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Prerequisite {
    /// The other flag.
    pub flag: String,
    /// The variants that satisfy the prerequisite; at least one.
    pub variants: Vec<String>,
}

/// What turns a flag off by itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Guard {
    /// The SLO's name.
    pub slo: String,
}

/// Which hash assigns callers to fractions: MurmurHash3 (x86, 32 bits) with the seed `version − 1`, over the same key.
/// Version 1 is therefore what flagd computes, and each further version is an independent assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct HashVersion(pub u32);

/// When a flag should be gone. Keeps the text as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Expiry {
    text: String,
    at: Timestamp,
}

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

// === impl FlagSpec ===

impl FlagSpec {
    /// A flag with these variants and nothing else: enabled, in the default set, serving the caller's default.
    pub fn new<N: Into<String>>(variants: impl IntoIterator<Item = (N, Value)>) -> Self {
        Self {
            flag_set: default_flag_set(),
            state: FlagState::Enabled,
            variants: variants.into_iter().map(|(name, value)| (name.into(), value)).collect(),
            default_variant: DefaultVariant::Unset,
            targeting: None,
            metadata: Map::new(),
            owner: None,
            expires: None,
            description: None,
            environments: IndexMap::new(),
            prerequisites: Vec::new(),
            hash_version: HashVersion::default(),
            guard: None,
        }
    }

    /// The type of its values: that of the first variant, since all are alike; `None` without variants.
    pub fn kind(&self) -> Option<FlagKind> {
        self.variants.values().next().and_then(FlagKind::of)
    }

    /// The state in `environment`, or the flag's own when it has nothing to say there.
    pub fn state_in(&self, environment: Option<&str>) -> FlagState {
        self.override_in(environment).and_then(|e| e.state).unwrap_or(self.state)
    }

    /// The default variant in `environment`; `None` is the caller's own default.
    pub fn default_variant_in(&self, environment: Option<&str>) -> Option<&str> {
        match self.override_in(environment).map(|e| &e.default_variant) {
            None | Some(DefaultVariant::Unset) => self.default_variant.name(),
            Some(chosen) => chosen.name(),
        }
    }

    /// The targeting rule in `environment`, if there is one that says anything.
    pub fn targeting_in(&self, environment: Option<&str>) -> Option<&Value> {
        let rule =
            self.override_in(environment).and_then(|e| e.targeting.as_ref()).or(self.targeting.as_ref());
        rule.filter(|rule| !is_empty_rule(rule))
    }

    fn override_in(&self, environment: Option<&str>) -> Option<&Environment> {
        environment.and_then(|name| self.environments.get(name))
    }
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

// === impl Expiry ===

impl Expiry {
    /// The instant from which the flag is overdue.
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Expiry {
    type Err = String;
    /// A date, which lasts to its end in UTC, or an RFC 3339 time.
    fn from_str(text: &str) -> Result<Self, String> {
        let day: Option<Timestamp> =
            if text.len() == 10 { format!("{text}T00:00:00Z").parse().ok() } else { None };
        let at = match day {
            Some(start) => start + Span::from_days(1),
            None => text.parse().map_err(|_| {
                format!(
                    "{text:?} is neither a date such as 2026-12-31 nor a time such as 2026-12-31T18:00:00Z"
                )
            })?,
        };
        Ok(Self { text: text.to_owned(), at })
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl Serialize for Expiry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Expiry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Expiry {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Expiry".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "anyOf": [{"format": "date"}, {"format": "date-time"}],
            "examples": ["2026-12-31", "2026-12-31T18:00:00Z"],
        })
    }
    fn inline_schema() -> bool {
        true
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

/// Labels and annotations, as [`kernel::Metadata`] carries them.
pub type Pairs = BTreeMap<String, String>;

/// A rule that says nothing: null or `{}`.
pub(crate) fn is_empty_rule(rule: &Value) -> bool {
    rule.is_null() || rule.as_object().is_some_and(Map::is_empty)
}

fn default_flag_set() -> String {
    DEFAULT_FLAG_SET.to_owned()
}

/// Tells a field that is null from one that is absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_written_is_what_is_read_back() {
        for spec in [
            json!({"flagSet": "default", "state": "ENABLED", "variants": {"on": true}}),
            json!({"flagSet": "shop", "state": "DISABLED", "variants": {"a": 1, "b": 2.5}, "defaultVariant": null,
                   "targeting": null, "metadata": {"team": "pay"}, "owner": "ada", "expires": "2026-12-31",
                   "description": "x", "environments": {"prod": {"state": "DISABLED", "defaultVariant": null,
                   "targeting": {}}, "dev": {}}, "prerequisites": [{"flag": "f", "variants": ["on"]}],
                   "hashVersion": 2, "guard": {"slo": "checkout"}}),
        ] {
            let read: FlagSpec = serde_json::from_value(spec.clone()).unwrap();
            assert_eq!(serde_json::to_value(&read).unwrap(), spec);
        }
    }

    #[test]
    fn unknown_fields_and_states_are_refused() {
        for spec in [
            json!({"variants": {}, "stat": "ENABLED"}),
            json!({"variants": {}, "state": "enabled"}),
            json!({"variants": {}, "environments": {"p": {"variants": {}}}}),
            json!({"state": "ENABLED"}),
            json!({"variants": {}, "expires": "soon"}),
        ] {
            assert!(serde_json::from_value::<FlagSpec>(spec.clone()).is_err(), "{spec}");
        }
    }

    #[test]
    fn an_expiry_is_a_date_to_its_end_or_a_time() {
        for (text, at) in [
            ("2026-12-31", "2027-01-01T00:00:00Z"),
            ("2026-12-31T18:00:00Z", "2026-12-31T18:00:00Z"),
            ("2026-12-31T18:00:00+02:00", "2026-12-31T16:00:00Z"),
        ] {
            assert_eq!(text.parse::<Expiry>().unwrap().at(), at.parse().unwrap(), "{text}");
        }
        for text in ["", "2026", "2026-13-01", "31.12.2026", "2026-12-31T18:00"] {
            assert!(text.parse::<Expiry>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_environment_overrides_only_what_it_states() {
        let spec: FlagSpec = serde_json::from_value(json!({
            "variants": {"on": true, "off": false}, "defaultVariant": "on", "targeting": {"if": [true, "on"]},
            "environments": {"dev": {"defaultVariant": "off", "targeting": null}, "prod": {"state": "DISABLED"}}
        }))
        .unwrap();
        assert_eq!(
            (spec.default_variant_in(Some("dev")), spec.targeting_in(Some("dev"))),
            (Some("off"), None)
        );
        assert_eq!(spec.state_in(Some("prod")), FlagState::Disabled);
        assert_eq!(
            (spec.state_in(Some("elsewhere")), spec.state_in(None)),
            (FlagState::Enabled, FlagState::Enabled)
        );
        assert!(spec.targeting_in(Some("prod")).is_some());
    }
}
