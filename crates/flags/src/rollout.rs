//! How far a flag is out, in a few words for lists: `25% on, 75% off`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::spec::{FlagSpec, FlagState};

/// Longest summary, in characters.
const MAX_SUMMARY: usize = 120;

/// What decides who gets what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RolloutKind {
    /// Everybody gets the default variant.
    Static,
    /// A rule looks at the caller.
    Targeted,
    /// Callers are assigned to fractions.
    Fractional,
    /// Nobody gets anything but the default of their own code.
    Disabled,
}

/// How far a flag is out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// What decides.
    pub kind: RolloutKind,
    /// In words.
    pub summary: String,
}

/// How far the flag is out in `environment`.
pub fn rollout(spec: &FlagSpec, environment: Option<&str>) -> Rollout {
    if spec.state_in(environment) == FlagState::Disabled {
        return Rollout { kind: RolloutKind::Disabled, summary: "disabled".to_owned() };
    }
    let default = spec.default_variant_in(environment).unwrap_or("code default");
    let Some(rule) = spec.targeting_in(environment) else {
        return Rollout { kind: RolloutKind::Static, summary: format!("100% {default}") };
    };
    let kind = if rule.get("fractional").is_some() { RolloutKind::Fractional } else { RolloutKind::Targeted };
    let mut summary = describe(rule, default);
    if summary.chars().count() > MAX_SUMMARY {
        summary = summary.chars().take(MAX_SUMMARY - 1).chain(['…']).collect();
    }
    Rollout { kind, summary }
}

/// What an outcome of a rule is, in words. Only the shapes that people write are taken apart, and one level of them
/// within each other.
fn describe(outcome: &Value, default: &str) -> String {
    match outcome {
        Value::Null => default.to_owned(),
        Value::String(name) => name.clone(),
        Value::Bool(truth) => truth.to_string(),
        Value::Object(map) => match (map.get("fractional"), map.get("if").or_else(|| map.get("?:"))) {
            (Some(Value::Array(parts)), _) => {
                fractions(parts).unwrap_or_else(|| "computed fractions".to_owned())
            }
            (_, Some(Value::Array(branches))) => choices(branches, default),
            _ => match map.keys().next().map(String::as_str) {
                Some("rollout") => "rolling out over time".to_owned(),
                _ => "computed".to_owned(),
            },
        },
        Value::Number(_) | Value::Array(_) => "computed".to_owned(),
    }
}

/// `on for a match, else 25% on, 75% off`.
fn choices(branches: &[Value], default: &str) -> String {
    let (pairs, otherwise) = branches.as_chunks::<2>();
    let shallow = |value: &Value| match value.get("if").or_else(|| value.get("?:")) {
        Some(_) => "more rules".to_owned(),
        None => describe(value, default),
    };
    let mut matched: Vec<String> = Vec::new();
    for [_, then] in pairs {
        let then = shallow(then);
        if !matched.contains(&then) {
            matched.push(then);
        }
    }
    let otherwise = otherwise.first().map_or_else(|| default.to_owned(), shallow);
    if matched.is_empty() {
        otherwise
    } else {
        format!("{} for matches, else {otherwise}", matched.join(" or "))
    }
}

/// `25% on, 75% off`; `None` when a part is computed.
fn fractions(parts: &[Value]) -> Option<String> {
    let buckets: Option<Vec<(String, f64)>> = parts
        .iter()
        // The key that is hashed stands in front and is no list.
        .skip_while(|part| !part.is_array())
        .map(|part| {
            let name = match part.get(0)? {
                Value::String(name) => name.clone(),
                Value::Bool(truth) => truth.to_string(),
                _ => return None,
            };
            let weight = part.get(1).map_or(Some(1.0), Value::as_f64)?;
            Some((name, weight.max(0.0)))
        })
        .collect();
    let buckets = buckets?;
    let total: f64 = buckets.iter().map(|(_, weight)| weight).sum();
    if total <= 0.0 {
        return None;
    }
    let share = |(name, weight): &(String, f64)| {
        let percent = (weight / total * 100_000.0).round() / 1_000.0;
        format!("{percent}% {name}")
    };
    Some(buckets.iter().map(share).collect::<Vec<_>>().join(", "))
}
