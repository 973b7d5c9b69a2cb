//! A flag, ready to be evaluated: its rules compiled, its names and values shared.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::check::pointer;
use crate::logic::{Evaluators, Expr, compile};
use crate::spec::{FlagSpec, FlagState, Prerequisite, is_empty_rule};

/// A flag, ready to be evaluated.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) key: Arc<str>,
    pub(crate) seed: u32,
    /// The flag set's metadata with the flag's on top.
    pub(crate) metadata: Arc<Map<String, Value>>,
    pub(crate) prerequisites: Vec<Prerequisite>,
    /// Sorted by name.
    variants: Vec<(Arc<str>, Arc<Value>)>,
    base: Setting,
    environments: Vec<(String, Setting)>,
}

/// What holds in one environment.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) state: FlagState,
    /// The default variant's name, which need not be a variant where flagd lets that pass.
    pub(crate) default: Option<Arc<str>>,
    pub(crate) rule: Rule,
}

/// A targeting rule.
#[derive(Clone, Debug)]
pub(crate) enum Rule {
    /// There is none.
    None,
    /// It can be evaluated.
    Compiled(Arc<Expr>),
    /// It cannot, and why.
    Broken(Arc<str>),
}

// === impl Plan ===

impl Plan {
    pub(crate) fn new(
        key: &str,
        spec: &FlagSpec,
        set_metadata: Option<&Map<String, Value>>,
        evaluators: &Evaluators,
    ) -> Self {
        let mut metadata = set_metadata.cloned().unwrap_or_default();
        metadata.extend(spec.metadata.clone());
        let mut variants: Vec<(Arc<str>, Arc<Value>)> = spec
            .variants
            .iter()
            .map(|(name, value)| (name.as_str().into(), Arc::new(value.clone())))
            .collect();
        variants.sort_by(|(a, _), (b, _)| a.cmp(b));
        let setting = |environment: Option<&str>| Setting {
            state: spec.state_in(environment),
            default: spec.default_variant_in(environment).map(Arc::from),
            rule: Rule::new(spec.targeting_in(environment), evaluators),
        };
        Self {
            key: key.into(),
            seed: spec.hash_version.seed(),
            metadata: Arc::new(metadata),
            prerequisites: spec.prerequisites.clone(),
            variants,
            base: setting(None),
            environments: spec.environments.keys().map(|name| (name.clone(), setting(Some(name)))).collect(),
        }
    }

    /// What holds in `environment`; the flag's own setting where it has nothing to say.
    pub(crate) fn setting(&self, environment: Option<&str>) -> &Setting {
        let named = environment.and_then(|name| self.environments.iter().find(|(known, _)| known == name));
        named.map_or(&self.base, |(_, setting)| setting)
    }

    /// The variant of that name.
    pub(crate) fn variant(&self, name: &str) -> Option<(&Arc<str>, &Arc<Value>)> {
        let at = self.variants.binary_search_by(|(known, _)| known.as_ref().cmp(name)).ok()?;
        self.variants.get(at).map(|(name, value)| (name, value))
    }
}

// === impl Rule ===

impl Rule {
    fn new(rule: Option<&Value>, evaluators: &Evaluators) -> Self {
        match rule.map(|rule| compile(rule, evaluators).rule) {
            None => Self::None,
            Some(Ok(expr)) => Self::Compiled(expr),
            Some(Err(why)) => Self::Broken(why.into()),
        }
    }
}

/// Every targeting rule of a flag that says something, with its place in the spec.
pub(crate) fn rules(spec: &FlagSpec) -> impl Iterator<Item = (String, &Value)> {
    let own = spec.targeting.iter().map(|rule| ("/targeting".to_owned(), rule));
    let there = spec.environments.iter().filter_map(|(name, environment)| {
        let rule = environment.targeting.as_ref()?;
        Some((pointer(&["environments", name, "targeting"]), rule))
    });
    own.chain(there).filter(|(_, rule)| !is_empty_rule(rule))
}
