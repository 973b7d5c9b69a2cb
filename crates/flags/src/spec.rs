//! What people declare: the specs of the resources `Flag` and `FlagSet`.
//!
//! The body of a flag (`state`, `variants`, `defaultVariant`, `targeting`, `metadata`) is flagd's flag definition, word
//! for word: <https://flagd.dev/reference/flag-definitions/>. What Mainstay adds stands beside it. Reading a spec checks
//! its shape only; [`crate::check`] checks what it says.

mod choice;
mod expiry;

use std::collections::BTreeMap;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

pub use choice::{DefaultVariant, FlagKind, FlagState, HashVersion};
pub use expiry::Expiry;

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

/// Labels and annotations, as [`kernel::Metadata`] carries them.
pub type Pairs = BTreeMap<String, String>;

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

    #[test]
    fn the_schema_describes_every_field_and_refuses_others() {
        for schema in [schemars::schema_for!(FlagSpec), schemars::schema_for!(FlagSetSpec)] {
            let schema = schema.to_value();
            assert_eq!(schema["additionalProperties"], json!(false));
            for (name, property) in schema["properties"].as_object().unwrap() {
                assert!(property["description"].is_string(), "{name} has no description: {property}");
            }
        }
        let flag = schemars::schema_for!(FlagSpec).to_value();
        assert_eq!(flag["required"], json!(["variants"]));
    }
}
