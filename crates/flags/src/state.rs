//! The chapter's state: a fold over facts. Cheap to clone; rules are compiled at their first use.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Place;
use std::sync::{Arc, OnceLock};

use kernel::{Metadata, Timestamp};
use serde::{Deserialize, Serialize};

use crate::fact::{Fact, FlagDefined, FlagSetDefined, FlagSwitched};
use crate::logic::Evaluators;
use crate::plan::Plan;
use crate::spec::{FlagSetSpec, FlagSpec, Pairs};

/// The version of the format that [`State`] is written in as JSON, for snapshots.
pub const STATE_VERSION: u16 = 1;

/// Every flag and flag set.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct State {
    flags: BTreeMap<Arc<str>, FlagEntry>,
    flag_sets: BTreeMap<Arc<str>, FlagSetEntry>,
}

/// A flag as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Flag {
    /// Its key.
    pub name: Arc<str>,
    /// For selection.
    #[serde(default, skip_serializing_if = "Pairs::is_empty")]
    pub labels: Pairs,
    /// For people and tools.
    #[serde(default, skip_serializing_if = "Pairs::is_empty")]
    pub annotations: Pairs,
    /// What is declared.
    pub spec: FlagSpec,
    /// Counts its changes, from 1.
    pub version: u64,
    /// When it was first defined.
    pub created: Timestamp,
    /// When it last changed.
    pub changed: Timestamp,
    /// The expiry that has been noted as passed, as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired: Option<String>,
}

/// A flag set as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FlagSet {
    /// Its name.
    pub name: Arc<str>,
    /// For selection.
    #[serde(default, skip_serializing_if = "Pairs::is_empty")]
    pub labels: Pairs,
    /// For people and tools.
    #[serde(default, skip_serializing_if = "Pairs::is_empty")]
    pub annotations: Pairs,
    /// What is declared.
    pub spec: FlagSetSpec,
    /// Counts its changes, from 1.
    pub version: u64,
    /// When it was first defined.
    pub created: Timestamp,
    /// When it last changed.
    pub changed: Timestamp,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
struct FlagEntry {
    flag: Arc<Flag>,
    #[serde(skip)]
    plan: Arc<OnceLock<Plan>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
struct FlagSetEntry {
    flag_set: Arc<FlagSet>,
    #[serde(skip)]
    evaluators: Arc<OnceLock<Evaluators>>,
}

/// Folds a fact, which happened at `time`, into the state. Facts of an unknown flag or flag set change nothing: they can
/// only come from a ledger whose beginning is missing, and a fold must not fail.
pub fn apply(state: &mut State, fact: &Fact, time: Timestamp) {
    match fact {
        Fact::FlagDefined(fact) => state.define_flag(fact, time),
        Fact::FlagDeleted(fact) => {
            state.flags.remove(fact.name.as_str());
        }
        Fact::FlagSwitched(fact) => state.switch_flag(fact, time),
        Fact::FlagExpired(fact) => {
            if let Some(entry) = state.flags.get_mut(fact.name.as_str()) {
                Arc::make_mut(&mut entry.flag).expired = Some(fact.expires.clone());
            }
        }
        Fact::FlagSetDefined(fact) => state.define_flag_set(fact, time),
        Fact::FlagSetDeleted(fact) => {
            state.flag_sets.remove(fact.name.as_str());
            state.forget_plans_of(&fact.name);
        }
    }
}

// === impl State ===

impl State {
    /// The flag of that key.
    pub fn flag(&self, name: &str) -> Option<&Arc<Flag>> {
        self.flags.get(name).map(|entry| &entry.flag)
    }

    /// Every flag, in order of key.
    pub fn flags(&self) -> impl ExactSizeIterator<Item = &Arc<Flag>> + DoubleEndedIterator {
        self.flags.values().map(|entry| &entry.flag)
    }

    /// The flag set of that name, if it is declared. The set `default` exists even when it is not.
    pub fn flag_set(&self, name: &str) -> Option<&Arc<FlagSet>> {
        self.flag_sets.get(name).map(|entry| &entry.flag_set)
    }

    /// Every declared flag set, in order of name.
    pub fn flag_sets(&self) -> impl ExactSizeIterator<Item = &Arc<FlagSet>> + DoubleEndedIterator {
        self.flag_sets.values().map(|entry| &entry.flag_set)
    }

    /// Compiles every rule that is not compiled yet, so that no evaluation has to. Not needed for correctness: a rule
    /// is compiled at its first use, also after reading a snapshot.
    pub fn rebuild(&self) {
        for name in self.flags.keys() {
            self.plan(name);
        }
    }

    pub(crate) fn plan(&self, name: &str) -> Option<&Plan> {
        let entry = self.flags.get(name)?;
        Some(entry.plan.get_or_init(|| {
            let flag = &entry.flag;
            let set = self.flag_sets.get(flag.spec.flag_set.as_str());
            let metadata = set.map(|set| &set.flag_set.spec.metadata);
            match set {
                Some(set) => Plan::new(&flag.name, &flag.spec, metadata, set.evaluators()),
                None => Plan::new(&flag.name, &flag.spec, metadata, &Evaluators::default()),
            }
        }))
    }

    /// The evaluators of a flag set; none where it is not declared.
    pub(crate) fn evaluators(&self, flag_set: &str) -> Option<&Evaluators> {
        self.flag_sets.get(flag_set).map(FlagSetEntry::evaluators)
    }

    fn define_flag(&mut self, fact: &FlagDefined, time: Timestamp) {
        let name: Arc<str> = fact.name.as_str().into();
        let kept = self.flags.get(&name).map(|entry| (entry.flag.created, entry.flag.expired.clone()));
        let (created, expired) = kept.unwrap_or((time, None));
        let flag = Flag {
            name: name.clone(),
            labels: fact.labels.clone(),
            annotations: fact.annotations.clone(),
            spec: fact.spec.clone(),
            version: fact.version,
            created,
            changed: time,
            expired,
        };
        self.flags.insert(name, FlagEntry { flag: Arc::new(flag), plan: Arc::default() });
    }

    fn switch_flag(&mut self, fact: &FlagSwitched, time: Timestamp) {
        let Some(entry) = self.flags.get_mut(fact.name.as_str()) else { return };
        let flag = Arc::make_mut(&mut entry.flag);
        switch(&mut flag.spec, fact);
        flag.version = fact.version;
        flag.changed = time;
        entry.plan = Arc::default();
    }

    fn define_flag_set(&mut self, fact: &FlagSetDefined, time: Timestamp) {
        let name: Arc<str> = fact.name.as_str().into();
        let mut flag_set = FlagSet {
            name: name.clone(),
            labels: fact.labels.clone(),
            annotations: fact.annotations.clone(),
            spec: fact.spec.clone(),
            version: fact.version,
            created: time,
            changed: time,
        };
        match self.flag_sets.entry(name) {
            Place::Vacant(place) => {
                place.insert(FlagSetEntry { flag_set: Arc::new(flag_set), evaluators: Arc::default() });
            }
            Place::Occupied(mut place) => {
                flag_set.created = place.get().flag_set.created;
                place.insert(FlagSetEntry { flag_set: Arc::new(flag_set), evaluators: Arc::default() });
            }
        }
        self.forget_plans_of(&fact.name);
    }

    /// The set's metadata and evaluators are part of its flags' plans.
    fn forget_plans_of(&mut self, flag_set: &str) {
        for entry in self.flags.values_mut().filter(|entry| entry.flag.spec.flag_set == flag_set) {
            entry.plan = Arc::default();
        }
    }
}

impl PartialEq for State {
    /// Equal when every flag and flag set is; what is compiled follows from that.
    fn eq(&self, other: &Self) -> bool {
        self.flags().eq(other.flags()) && self.flag_sets().eq(other.flag_sets())
    }
}

// === impl Flag ===

impl Flag {
    /// Name, labels, annotations and version, as the resource carries them.
    pub fn metadata(&self) -> Metadata {
        Metadata {
            name: self.name.to_string(),
            labels: self.labels.clone(),
            annotations: self.annotations.clone(),
            version: Some(self.version),
        }
    }

    /// Whether its expiry has passed at `now`.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.spec.expires.as_ref().is_some_and(|expires| expires.at() <= now)
    }
}

// === impl FlagSet ===

impl FlagSet {
    /// Name, labels, annotations and version, as the resource carries them.
    pub fn metadata(&self) -> Metadata {
        Metadata {
            name: self.name.to_string(),
            labels: self.labels.clone(),
            annotations: self.annotations.clone(),
            version: Some(self.version),
        }
    }
}

// === impl FlagSetEntry ===

impl FlagSetEntry {
    fn evaluators(&self) -> &Evaluators {
        self.evaluators.get_or_init(|| Evaluators::compile(&self.flag_set.spec.evaluators))
    }
}

/// What a turn of the kill switch does to a spec.
pub(crate) fn switch(spec: &mut FlagSpec, fact: &FlagSwitched) {
    match &fact.environment {
        Some(name) => spec.environments.entry(name.clone()).or_default().state = Some(fact.state),
        None => {
            spec.state = fact.state;
            for state in spec.environments.values_mut().filter_map(|environment| environment.state.as_mut()) {
                *state = fact.state;
            }
        }
    }
}
