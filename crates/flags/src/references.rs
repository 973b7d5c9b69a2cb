//! Who refers to whom: a flag to its flag set, to the set's evaluators and to the flags it requires.

use std::collections::{BTreeMap, BTreeSet};

use kernel::ResourceKey;
use serde_json::Value;

use crate::command::{flag_key, flag_set_key};
use crate::limits::MAX_PREREQUISITE_EVALUATIONS;
use crate::plan::rules;
use crate::spec::{DEFAULT_FLAG_SET, FlagSetSpec, FlagSpec};
use crate::state::State;

/// Something a flag refers to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// Its flag set.
    FlagSet(String),
    /// An evaluator of its flag set.
    Evaluator {
        /// The flag set.
        flag_set: String,
        /// The evaluator.
        name: String,
    },
    /// A flag it requires.
    Flag(String),
}

/// Everything a flag refers to, each once, in order.
pub fn references(spec: &FlagSpec) -> Vec<Reference> {
    let mut found = BTreeSet::from([Reference::FlagSet(spec.flag_set.clone())]);
    let mut names = BTreeSet::new();
    for (_, rule) in rules(spec) {
        evaluators_in(rule, &mut names);
    }
    let in_set = |name: String| Reference::Evaluator { flag_set: spec.flag_set.clone(), name };
    found.extend(names.into_iter().map(in_set));
    found.extend(spec.prerequisites.iter().map(|prerequisite| Reference::Flag(prerequisite.flag.clone())));
    found.into_iter().collect()
}

/// The evaluators that the evaluators of a set refer to, by name.
pub fn evaluator_references(spec: &FlagSetSpec) -> BTreeMap<&str, BTreeSet<String>> {
    let of = |rule: &Value| {
        let mut names = BTreeSet::new();
        evaluators_in(rule, &mut names);
        names
    };
    spec.evaluators.iter().map(|(name, rule)| (name.as_str(), of(rule))).collect()
}

// === impl Reference ===

impl Reference {
    /// The resource that is referred to: an evaluator is part of its flag set.
    pub fn key(&self) -> ResourceKey {
        match self {
            Self::FlagSet(name) | Self::Evaluator { flag_set: name, .. } => flag_set_key(name),
            Self::Flag(name) => flag_key(name),
        }
    }
}

impl std::fmt::Display for Reference {
    /// `FlagSet/shop`, `FlagSet/shop evaluator is_staff`, `Flag/new-checkout`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::FlagSet(_) | Self::Flag(_) => self.key().fmt(f),
            Self::Evaluator { name, .. } => write!(f, "{} evaluator {name}", self.key()),
        }
    }
}

// === impl State: references ===

impl State {
    /// The flags that refer to a flag or flag set.
    pub fn referrers(&self, key: &ResourceKey) -> Vec<ResourceKey> {
        self.flags_that(|reference| reference.key() == *key)
    }

    /// The flags whose rules use an evaluator of a flag set.
    pub fn users_of_evaluator(&self, flag_set: &str, evaluator: &str) -> Vec<ResourceKey> {
        self.flags_that(|reference| {
            matches!(reference, Reference::Evaluator { flag_set: set, name } if set == flag_set && name == evaluator)
        })
    }

    /// True when there is something to refer to.
    pub(crate) fn resolves(&self, reference: &Reference) -> bool {
        match reference {
            Reference::FlagSet(name) => name == DEFAULT_FLAG_SET || self.flag_set(name).is_some(),
            Reference::Flag(name) => self.flag(name).is_some(),
            Reference::Evaluator { flag_set, name } => {
                self.flag_set(flag_set).is_some_and(|set| set.spec.evaluators.contains_key(name))
            }
        }
    }

    fn flags_that(&self, refers: impl Fn(&Reference) -> bool) -> Vec<ResourceKey> {
        let refers = |spec: &FlagSpec| references(spec).iter().any(&refers);
        self.flags().filter(|flag| refers(&flag.spec)).map(|flag| flag_key(&flag.name)).collect()
    }
}

/// What is wrong with the prerequisites of a whole state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tangle {
    /// These flags require each other, the last one the first.
    Cycle(Vec<String>),
    /// Evaluating this flag would evaluate more than [`MAX_PREREQUISITE_EVALUATIONS`] others.
    TooMany(String),
}

/// Looks for prerequisites that cannot be evaluated. Takes time in proportion to flags and prerequisites.
pub(crate) fn untangle(state: &State) -> Result<(), Tangle> {
    let mut done: BTreeMap<&str, usize> = BTreeMap::new();
    for flag in state.flags().filter(|flag| !flag.spec.prerequisites.is_empty()) {
        visit(state, &flag.name, &mut done, &mut Vec::new())?;
    }
    Ok(())
}

/// How many evaluations the flag's prerequisites take.
fn visit<'s>(
    state: &'s State,
    name: &'s str,
    done: &mut BTreeMap<&'s str, usize>,
    open: &mut Vec<&'s str>,
) -> Result<usize, Tangle> {
    if let Some(count) = done.get(name) {
        return Ok(*count);
    }
    if let Some(start) = open.iter().position(|other| *other == name) {
        let cycle = open.iter().skip(start).chain([&name]).map(|name| (*name).to_owned()).collect();
        return Err(Tangle::Cycle(cycle));
    }
    // A longer chain is too many evaluations as well; this also bounds the recursion.
    if open.len() > MAX_PREREQUISITE_EVALUATIONS {
        return Err(Tangle::TooMany(open.first().map_or(name, |first| *first).to_owned()));
    }
    let mut count = 0_usize;
    if let Some(flag) = state.flag(name) {
        open.push(name);
        for prerequisite in &flag.spec.prerequisites {
            count = count.saturating_add(1).saturating_add(visit(state, &prerequisite.flag, done, open)?);
        }
        open.pop();
    }
    if count > MAX_PREREQUISITE_EVALUATIONS {
        return Err(Tangle::TooMany(name.to_owned()));
    }
    done.insert(name, count);
    Ok(count)
}

/// Every `{"$ref": name}` in a rule. Walks without recursion, since a rule that was not checked yet may be deep.
fn evaluators_in(rule: &Value, found: &mut BTreeSet<String>) {
    let mut open = vec![rule];
    while let Some(value) = open.pop() {
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(map) => {
                if let (1, Some(Value::String(name))) = (map.len(), map.get("$ref")) {
                    found.insert(name.clone());
                }
                open.extend(map.values());
            }
            _ => {}
        }
    }
}
