//! The chapters that keep resources: which of them holds a kind, what it takes to change one, and all of them together
//! as one transaction. No chapter knows another; what holds between their resources is checked here.

use ::flags::{Command as FlagCommand, Refusal as FlagRefusal, State as Flags};
use ::hooks::{Command as HookCommand, Refusal as HookRefusal, State as Hooks};
use kernel::{Fault, Metadata, Resource, ResourceKey, Timestamp};
use ledger::FactRecord;
use serde::Serialize;

use super::read::Places;
use crate::Operations;
use crate::chapter::{Decided, Folded, VOCABULARY};

/// Something that keeps resources.
pub(crate) trait Keeps {
    /// Every resource, by kind and name.
    fn all(&self) -> Vec<Resource>;

    /// The resource of this key.
    fn find(&self, key: &ResourceKey) -> Option<Resource>;
}

/// Every chapter that keeps resources, as of one moment.
#[derive(Clone, Default)]
pub(crate) struct States {
    flags: Flags,
    hooks: Hooks,
}

/// What is asked of each of them.
#[derive(Default)]
pub(crate) struct Commands {
    flags: Vec<FlagCommand>,
    hooks: Vec<HookCommand>,
}

/// A command of one of them.
pub(crate) enum ChapterCommand {
    Flags(FlagCommand),
    Hooks(HookCommand),
}

impl Operations {
    /// The chapters as they stand. Appending goes on meanwhile unless the deciding lock is held.
    pub(crate) fn states(&self) -> States {
        States { flags: self.flags.read().state.clone(), hooks: self.hooks.read().state.clone() }
    }
}

// === impl Keeps ===

impl Keeps for Flags {
    fn all(&self) -> Vec<Resource> {
        let sets = self.flag_sets().filter_map(|set| self.find(&::flags::flag_set_key(&set.name)));
        let flags = self.flags().filter_map(|flag| self.find(&::flags::flag_key(&flag.name)));
        flags.chain(sets).collect()
    }

    fn find(&self, key: &ResourceKey) -> Option<Resource> {
        match key.kind.as_str() {
            ::flags::FLAG_KIND => self.flag(&key.name).map(|flag| resource(key, flag.metadata(), &flag.spec)),
            ::flags::FLAG_SET_KIND => {
                self.flag_set(&key.name).map(|set| resource(key, set.metadata(), &set.spec))
            }
            _ => None,
        }
    }
}

impl Keeps for Hooks {
    fn all(&self) -> Vec<Resource> {
        self.webhooks().filter_map(|webhook| self.find(&::hooks::webhook_key(&webhook.name))).collect()
    }

    fn find(&self, key: &ResourceKey) -> Option<Resource> {
        let webhook = (key.kind == ::hooks::WEBHOOK_KIND).then(|| self.webhook(&key.name)).flatten()?;
        Some(resource(key, webhook.metadata(), &webhook.spec))
    }
}

impl Keeps for States {
    fn all(&self) -> Vec<Resource> {
        let mut all = self.flags.all();
        all.extend(self.hooks.all());
        all
    }

    fn find(&self, key: &ResourceKey) -> Option<Resource> {
        self.flags.find(key).or_else(|| self.hooks.find(key))
    }
}

fn resource(key: &ResourceKey, metadata: Metadata, spec: &impl Serialize) -> Resource {
    Resource {
        api_version: kernel::API_VERSION.to_owned(),
        kind: key.kind.clone(),
        metadata,
        spec: serde_json::to_value(spec).unwrap_or_default(),
    }
}

// === impl States ===

impl States {
    /// What follows from `commands`, all or nothing: the facts of every chapter, for one transaction. What each chapter
    /// and what holds between them has to say against it is said together.
    pub(crate) fn decide(
        &self,
        commands: Commands,
        places: &Places,
        now: Timestamp,
    ) -> Result<Vec<Decided>, Fault> {
        let mut faults: Vec<Fault> =
            between(&commands).into_iter().map(|(key, fault)| places.place(Some(&key), fault)).collect();
        let mut decided = Vec::new();
        match ::flags::decide(&self.flags, FlagCommand::Batch(commands.flags), now) {
            Ok(facts) => decided.extend(facts.into_iter().map(Decided::Flags)),
            Err(refusal) => {
                let key = flag_about(&refusal);
                faults.push(places.place(key.as_ref(), refusal.into()));
            }
        }
        match ::hooks::decide(&self.hooks, HookCommand::Batch(commands.hooks), now) {
            Ok(facts) => decided.extend(facts.into_iter().map(Decided::Hooks)),
            Err(refusal) => {
                let key = hook_about(&refusal);
                faults.push(places.place(key.as_ref(), refusal.into()));
            }
        }
        joined(faults).map_or(Ok(decided), Err)
    }

    /// The chapters as they are after `facts`.
    pub(crate) fn after(&self, facts: &[Decided], time: Timestamp) -> Self {
        let mut after = self.clone();
        for fact in facts {
            match fact {
                Decided::Flags(fact) => ::flags::apply(&mut after.flags, fact, time),
                Decided::Hooks(fact) => ::hooks::apply(&mut after.hooks, fact, time),
                // Users and tokens are not declared.
                Decided::Security(_) => {}
            }
        }
        after
    }

    /// Folds a fact from the ledger.
    pub(crate) fn fold(&mut self, fact: &FactRecord) -> Result<(), String> {
        match fact.chapter.as_str() {
            ::flags::CHAPTER => self.flags.fold(fact),
            ::hooks::CHAPTER => self.hooks.fold(fact),
            _ => Ok(()),
        }
    }
}

/// What holds between the resources of different chapters: a webhook names chapters and kinds of fact that there are.
fn between(commands: &Commands) -> Vec<(ResourceKey, Fault)> {
    let mut faults = Vec::new();
    for command in &commands.hooks {
        let HookCommand::Define { metadata, spec } = command else { continue };
        let problems: Vec<_> = ::hooks::unknown_words(spec, &VOCABULARY)
            .into_iter()
            .map(::hooks::Finding::into_problem)
            .collect();
        if !problems.is_empty() {
            let key = ::hooks::webhook_key(&metadata.name);
            faults.push((key.clone(), Fault::from(HookRefusal::Invalid { key, problems })));
        }
    }
    faults
}

/// Several refusals as one; a conflict among them makes it a conflict no longer, since reading again does not help.
fn joined(mut faults: Vec<Fault>) -> Option<Fault> {
    if faults.len() < 2 {
        return faults.pop();
    }
    let problems = faults.into_iter().flat_map(|fault| {
        let alone = fault.problems.is_empty().then(|| kernel::Problem::new(fault.message));
        fault.problems.into_iter().chain(alone)
    });
    let problems: Vec<_> = problems.collect();
    let message = format!("the resources are refused for {} reasons", problems.len());
    Some(Fault::invalid(message).with_problems(problems))
}

fn flag_about(refusal: &FlagRefusal) -> Option<ResourceKey> {
    match refusal {
        FlagRefusal::NotFound(key) | FlagRefusal::Stale { key, .. } | FlagRefusal::Invalid { key, .. } => {
            Some(key.clone())
        }
        FlagRefusal::Referenced { .. } | FlagRefusal::Cycle(_) | FlagRefusal::Limit { .. } => None,
    }
}

fn hook_about(refusal: &HookRefusal) -> Option<ResourceKey> {
    match refusal {
        HookRefusal::NotFound(key) | HookRefusal::Stale { key, .. } | HookRefusal::Invalid { key, .. } => {
            Some(key.clone())
        }
        HookRefusal::Limit { .. } => None,
    }
}

// === impl Commands ===

impl Commands {
    /// Adds a command, in its chapter's order.
    pub(crate) fn push(&mut self, command: ChapterCommand) {
        match command {
            ChapterCommand::Flags(command) => self.flags.push(command),
            ChapterCommand::Hooks(command) => self.hooks.push(command),
        }
    }
}

impl ChapterCommand {
    /// The removal of a resource; `None` when no chapter keeps its kind.
    pub(crate) fn deletion(key: &ResourceKey, version: Option<u64>) -> Option<Self> {
        let name = key.name.clone();
        match key.kind.as_str() {
            ::flags::FLAG_KIND => Some(Self::Flags(FlagCommand::DeleteFlag { name, version })),
            ::flags::FLAG_SET_KIND => Some(Self::Flags(FlagCommand::DeleteFlagSet { name, version })),
            ::hooks::WEBHOOK_KIND => Some(Self::Hooks(HookCommand::Delete { name, version })),
            _ => None,
        }
    }
}
