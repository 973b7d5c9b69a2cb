//! Declared things: reading their text, applying, comparing, deleting, and what became of them.
//!
//! Applying is all or nothing: every document of a request is read and checked first, then each chapter
//! decides its own as one batch, and one transaction of the ledger holds the facts of all of them.

pub(crate) mod chapters;
mod history;
mod kinds;
mod read;

pub use history::Event;
pub use kinds::{KINDS, Kind};
pub use read::Source;

use std::collections::BTreeSet;

use kernel::{ChangeId, FactSeq, Fault, Problem, Resource, ResourceKey, Timestamp};
use ledger::FactFilter;
use serde::Serialize;
use wire::document;

use crate::chapter::Decided;
use crate::{Action, Asked, Noun, Operations, Verb};
pub(crate) use chapters::Keeps;
use chapters::{ChapterCommand, Commands, States};
pub(crate) use read::Declared;
pub(crate) use read::read as read_declared;

/// The annotation that names what keeps a resource applied, such as `folder`.
pub const MANAGED_BY: &str = "mainstay.dev/managed-by";
/// The annotation that holds the digest of the text a resource was last applied from.
pub const APPLIED: &str = "mainstay.dev/applied";

/// What became of one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was not there before.
    Created,
    /// It was different before.
    Updated,
    /// It already was as declared.
    Unchanged,
    /// It was removed.
    Deleted,
}

/// One resource of an apply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Applied {
    /// `Flag/new-checkout`.
    pub key: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Its version afterwards; that it had, when it was deleted.
    pub version: u64,
    /// What changed, as a unified diff of the YAML; empty when nothing did.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub diff: String,
    /// What works and should be known all the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Problem>,
}

/// What an apply did, or would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplyReport {
    /// Names the change; absent when nothing changed or it was only tried.
    pub change: Option<ChangeId>,
    /// One per document, in the order given.
    pub results: Vec<Applied>,
}

/// How to apply.
#[derive(Clone, Debug, Default)]
pub struct ApplyOptions {
    /// Decide and compare, and change nothing.
    pub dry_run: bool,
    /// Also delete what the same manager applied before and these documents no longer declare.
    pub prune: bool,
    /// Who keeps these resources applied; kept as an annotation.
    pub managed_by: Option<String>,
    /// Resources that pruning leaves alone although these documents do not declare them.
    pub keep: Vec<ResourceKey>,
}

/// A resource and what is known of its last change.
#[derive(Clone, Debug, Serialize)]
pub struct View {
    /// As declared, with its version.
    #[serde(flatten)]
    pub resource: Resource,
    /// Its last change.
    pub status: ViewStatus,
}

/// What is known of a resource's last change.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ViewStatus {
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<Timestamp>,
    /// By whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed_by: Option<String>,
    /// By which fact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<FactSeq>,
    /// In which change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change_id: Option<ChangeId>,
    /// What keeps it applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<String>,
}

/// Which resources a list wants.
#[derive(Clone, Debug, Default)]
pub struct ListFilter {
    /// Of this kind, in any of its spellings.
    pub kind: Option<String>,
    /// With these labels.
    pub labels: Vec<(String, String)>,
    /// With this text in their name.
    pub text: Option<String>,
}

impl Operations {
    /// Every resource that satisfies `filter`, by kind and name.
    ///
    /// # Errors
    /// Denied, or an unknown kind.
    pub fn resources(&self, asked: &Asked, filter: &ListFilter) -> Result<Vec<Resource>, Fault> {
        self.authorise(asked, &Action::new(Verb::Read, Noun::Resources))?;
        let kind = filter.kind.as_deref().map(Kind::named).transpose()?;
        let mut all = self.states().all();
        all.retain(|resource| {
            kind.is_none_or(|kind| resource.kind == kind.name)
                && filter.text.as_ref().is_none_or(|text| resource.metadata.name.contains(text.as_str()))
                && filter.labels.iter().all(|(name, value)| resource.metadata.labels.get(name) == Some(value))
        });
        Ok(all)
    }

    /// The resource with what is known of its last change.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn view(&self, resource: Resource) -> Result<View, Fault> {
        let filter = FactFilter {
            subject: Some(resource.key().to_string()),
            descending: true,
            limit: 1,
            ..FactFilter::default()
        };
        let last = self.ledger.query(&filter).map_err(crate::ledger_fault)?.pop();
        let managed_by = resource.metadata.annotations.get(MANAGED_BY).cloned();
        let status = match last {
            Some(fact) => ViewStatus {
                changed: Some(fact.time),
                changed_by: Some(fact.actor.to_string()),
                seq: Some(fact.seq),
                change_id: fact.change,
                managed_by,
            },
            None => ViewStatus { managed_by, ..ViewStatus::default() },
        };
        Ok(View { resource, status })
    }

    /// One resource.
    ///
    /// # Errors
    /// Denied, an unknown kind, or there is none of that name.
    pub fn resource(&self, asked: &Asked, kind: &str, name: &str) -> Result<Resource, Fault> {
        self.authorise(asked, &Action::new(Verb::Read, Noun::Resources))?;
        let key = Kind::named(kind)?.key(name);
        self.find_resource(&key).ok_or_else(|| missing(&self.states(), &key))
    }

    /// The resource of this key, wherever it is kept.
    pub(crate) fn find_resource(&self, key: &ResourceKey) -> Option<Resource> {
        let flag = self.flags.read().state.find(key);
        flag.or_else(|| self.hooks.read().state.find(key))
    }

    /// Reads and checks documents without deciding anything: names the resources they declare.
    ///
    /// # Errors
    /// Denied, or whatever is wrong with them, each with its place.
    pub fn validate(&self, asked: &Asked, sources: &[Source]) -> Result<Vec<ResourceKey>, Fault> {
        self.authorise(asked, &Action::new(Verb::Read, Noun::Resources))?;
        let declared = read::read(sources)?;
        // The chapters' own rules count too: a targeting rule that cannot work is not valid.
        let keys = declared.iter().map(Declared::key).collect();
        self.decide_all(&self.states(), declared, &ApplyOptions::default())?;
        Ok(keys)
    }

    /// Applies documents.
    ///
    /// # Errors
    /// Denied, whatever is wrong with them, a version that is not the current one, or the ledger cannot be written.
    /// Nothing has changed then.
    pub fn apply(
        &self,
        asked: &Asked,
        sources: &[Source],
        options: &ApplyOptions,
    ) -> Result<ApplyReport, Fault> {
        // Trying something out changes nothing, so whoever may read may try.
        let verb = if options.dry_run { Verb::Read } else { Verb::Write };
        self.authorise(asked, &Action::new(verb, Noun::Resources))?;
        let declared = read::read(sources)?;
        self.apply_declared(asked, declared, options)
    }

    pub(crate) fn apply_declared(
        &self,
        asked: &Asked,
        declared: Vec<Declared>,
        options: &ApplyOptions,
    ) -> Result<ApplyReport, Fault> {
        let _deciding = self.deciding.lock();
        let before = self.states();
        let keys: Vec<ResourceKey> = declared.iter().map(Declared::key).collect();
        let warnings: Vec<Vec<Problem>> = declared.iter().map(Declared::warnings).collect();
        let (facts, pruned) = self.decide_all(&before, declared, options)?;
        let after = before.after(&facts, self.now());
        let mut results: Vec<Applied> =
            keys.iter().chain(&pruned).map(|key| compare(&before, &after, key)).collect();
        for (result, warnings) in results.iter_mut().zip(warnings) {
            result.warnings = warnings;
        }
        if options.dry_run || facts.is_empty() {
            return Ok(ApplyReport { change: None, results });
        }
        let change = self.new_change();
        self.record(asked, Some(&change), facts)?;
        Ok(ApplyReport { change: Some(change), results })
    }

    /// The facts that make `declared` so, and what is deleted with them.
    fn decide_all(
        &self,
        states: &States,
        declared: Vec<Declared>,
        options: &ApplyOptions,
    ) -> Result<(Vec<Decided>, Vec<ResourceKey>), Fault> {
        let mut keep: BTreeSet<ResourceKey> = declared.iter().map(Declared::key).collect();
        keep.extend(options.keep.iter().cloned());
        let pruned: Vec<ResourceKey> = match (&options.managed_by, options.prune) {
            (Some(manager), true) => managed(states, manager).filter(|key| !keep.contains(key)).collect(),
            _ => Vec::new(),
        };
        let places = read::Places::of(&declared);
        let mut commands = Commands::default();
        for one in declared {
            commands.push(one.into_command(options.managed_by.as_deref()));
        }
        for deletion in pruned.iter().filter_map(|key| ChapterCommand::deletion(key, None)) {
            commands.push(deletion);
        }
        Ok((states.decide(commands, &places, self.now())?, pruned))
    }

    /// Removes a resource.
    ///
    /// # Errors
    /// Denied, there is none, its version is another, or something still refers to it.
    pub fn delete(
        &self,
        asked: &Asked,
        kind: &str,
        name: &str,
        version: Option<u64>,
        dry_run: bool,
    ) -> Result<Option<ChangeId>, Fault> {
        let verb = if dry_run { Verb::Read } else { Verb::Write };
        self.authorise(asked, &Action::new(verb, Noun::Resources).on(format!("{kind}/{name}")))?;
        let key = Kind::named(kind)?.key(name);
        let _deciding = self.deciding.lock();
        let states = self.states();
        let deletion = ChapterCommand::deletion(&key, version).filter(|_| states.find(&key).is_some());
        let deletion = deletion.ok_or_else(|| missing(&states, &key))?;
        let mut commands = Commands::default();
        commands.push(deletion);
        let facts = states.decide(commands, &read::Places::default(), self.now())?;
        if dry_run {
            return Ok(None);
        }
        let change = self.new_change();
        self.record(asked, Some(&change), facts)?;
        Ok(Some(change))
    }
}

/// The YAML that people compare: without the version, which every change changes, and without our own annotations.
pub(crate) fn yaml_of(resource: &Resource) -> String {
    let mut shown = resource.clone();
    shown.metadata.version = None;
    shown.metadata.annotations.remove(APPLIED);
    document::to_yaml(&serde_json::to_value(&shown).unwrap_or_default())
}

/// What became of a resource.
pub(crate) fn compare(before: &impl Keeps, after: &impl Keeps, key: &ResourceKey) -> Applied {
    let (old, new) = (before.find(key), after.find(key));
    let text = |side: &Option<Resource>| side.as_ref().map(yaml_of).unwrap_or_default();
    let version = |side: &Option<Resource>| side.as_ref().and_then(|r| r.metadata.version);
    let outcome = match (&old, &new) {
        (None, _) => Outcome::Created,
        (Some(_), None) => Outcome::Deleted,
        (Some(_), Some(_)) if version(&old) == version(&new) => Outcome::Unchanged,
        (Some(_), Some(_)) => Outcome::Updated,
    };
    Applied {
        key: key.to_string(),
        outcome,
        version: version(&new).or_else(|| version(&old)).unwrap_or_default(),
        diff: document::diff(&text(&old), &text(&new)),
        warnings: Vec::new(),
    }
}

fn managed(states: &States, manager: &str) -> impl Iterator<Item = ResourceKey> {
    states
        .all()
        .into_iter()
        .filter(move |resource| resource.metadata.annotations.get(MANAGED_BY).is_some_and(|by| by == manager))
        .map(|resource| resource.key())
}

/// There is no such resource; names the nearest that is there.
pub(crate) fn missing(kept: &impl Keeps, key: &ResourceKey) -> Fault {
    let names: Vec<String> =
        kept.all().into_iter().filter(|r| r.kind == key.kind).map(|r| r.metadata.name).collect();
    let near = kernel::did_you_mean(&key.name, names.iter().map(String::as_str));
    let hint = near.map(|name| format!("; did you mean {name:?}?")).unwrap_or_default();
    Fault::not_found(format!("{key} does not exist{hint}"))
}
