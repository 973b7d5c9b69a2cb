//! What became of a resource: its facts, each with what it changed.

use kernel::{ChangeId, FactSeq, Fault, Timestamp};
use ledger::{FactFilter, FactRecord};
use serde::Serialize;
use wire::document;

use super::chapters::{Keeps as _, States};
use super::{Kind, yaml_of};
use crate::{Action, Asked, Noun, Operations, Verb, ledger_fault};

/// Most facts of one resource that a history goes through; older ones are left out of it.
const MAX_HISTORY: usize = 10_000;

/// One fact of a resource.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// The fact.
    pub seq: FactSeq,
    /// When.
    pub time: Timestamp,
    /// By whom.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// In which change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change_id: Option<ChangeId>,
    /// Its kind, such as `flag_defined`.
    pub kind: String,
    /// The resource's version afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// What it changed, as a unified diff of the YAML.
    pub diff: String,
}

impl Operations {
    /// Everything that happened to a resource, newest first; also to one that is gone.
    ///
    /// # Errors
    /// Denied, an unknown kind, or nothing ever had that name.
    pub fn history(&self, asked: &Asked, kind: &str, name: &str) -> Result<Vec<Event>, Fault> {
        self.authorise(asked, &Action::new(Verb::Read, Noun::Resources))?;
        let key = Kind::named(kind)?.key(name);
        let filter =
            FactFilter { subject: Some(key.to_string()), limit: MAX_HISTORY, ..FactFilter::default() };
        let facts = self.ledger.query(&filter).map_err(ledger_fault)?;
        if facts.is_empty() {
            return Err(Fault::not_found(format!("{key} does not exist and never did")));
        }
        let mut state = States::default();
        let mut events = Vec::with_capacity(facts.len());
        let mut before = String::new();
        for fact in facts {
            state.fold(&fact).map_err(Fault::bug)?;
            let resource = state.find(&key);
            let after = resource.as_ref().map(yaml_of).unwrap_or_default();
            let version = resource.and_then(|resource| resource.metadata.version);
            events.push(event(fact, version, document::diff(&before, &after)));
            before = after;
        }
        events.reverse();
        Ok(events)
    }
}

fn event(fact: FactRecord, version: Option<u64>, diff: String) -> Event {
    Event {
        seq: fact.seq,
        time: fact.time,
        actor: fact.actor.to_string(),
        reason: fact.reason,
        change_id: fact.change,
        kind: fact.kind,
        version,
        diff,
    }
}
