//! The chapter's state: a fold over facts.

use std::collections::BTreeMap;
use std::sync::Arc;

use kernel::{Metadata, Timestamp};
use serde::{Deserialize, Serialize};

use crate::fact::{Fact, WebhookDefined};
use crate::spec::{Pairs, WebhookSpec};

/// The version of the format that [`State`] is written in as JSON, for snapshots.
pub const STATE_VERSION: u16 = 1;

/// Every webhook. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    webhooks: BTreeMap<Arc<str>, Arc<Webhook>>,
}

/// A webhook as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// Its name.
    pub name: Arc<str>,
    /// For selection.
    #[serde(default, skip_serializing_if = "Pairs::is_empty")]
    pub labels: Pairs,
    /// For people and tools.
    #[serde(default, skip_serializing_if = "Pairs::is_empty")]
    pub annotations: Pairs,
    /// What is declared.
    pub spec: WebhookSpec,
    /// Counts its changes, from 1.
    pub version: u64,
    /// When it was first defined.
    pub created: Timestamp,
    /// When it last changed.
    pub changed: Timestamp,
}

/// Folds a fact, which happened at `time`, into the state. Facts of an unknown webhook change nothing: they can only come
/// from a ledger whose beginning is missing, and a fold must not fail.
pub fn apply(state: &mut State, fact: &Fact, time: Timestamp) {
    match fact {
        Fact::WebhookDefined(fact) => state.define(fact, time),
        Fact::WebhookDeleted(fact) => {
            state.webhooks.remove(fact.name.as_str());
        }
    }
}

/// The names of the webhooks that are to be told of a fact, in order. A disabled one is told nothing.
pub fn matching<'s>(
    state: &'s State,
    chapter: &str,
    kind: &str,
    subject: &str,
) -> impl Iterator<Item = &'s str> {
    let wants =
        move |webhook: &&Arc<Webhook>| !webhook.spec.disabled && webhook.spec.wants(chapter, kind, subject);
    state.webhooks.values().filter(wants).map(|webhook| &*webhook.name)
}

// === impl State ===

impl State {
    /// A webhook.
    pub fn webhook(&self, name: &str) -> Option<&Arc<Webhook>> {
        self.webhooks.get(name)
    }

    /// Every webhook, in order of name.
    pub fn webhooks(&self) -> impl ExactSizeIterator<Item = &Arc<Webhook>> + DoubleEndedIterator {
        self.webhooks.values()
    }

    fn define(&mut self, fact: &WebhookDefined, time: Timestamp) {
        let name: Arc<str> = fact.name.as_str().into();
        let created = self.webhooks.get(&name).map_or(time, |webhook| webhook.created);
        let webhook = Webhook {
            name: Arc::clone(&name),
            labels: fact.labels.clone(),
            annotations: fact.annotations.clone(),
            spec: fact.spec.clone(),
            version: fact.version,
            created,
            changed: time,
        };
        self.webhooks.insert(name, Arc::new(webhook));
    }
}

// === impl Webhook ===

impl Webhook {
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
