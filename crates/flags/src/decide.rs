//! Decisions: what follows from a command, or why nothing does.
//!
//! A command is first carried out on a scratch copy of the state, then the copy is checked as a whole: specs against
//! the evaluators they end up with, references, prerequisites, limits. So the definitions of a batch may refer to each
//! other in any order.

use std::collections::{BTreeMap, BTreeSet};

use kernel::{Metadata, Problem, ResourceKey, Timestamp};

use crate::check::{self, Finding, refused};
use crate::command::{Checks, Command, FlagPatch, Refusal, flag_key, flag_set_key};
use crate::fact::{Deleted, Fact, FlagDefined, FlagExpired, FlagSetDefined, FlagSwitched};
use crate::limits::{MAX_FLAG_SETS, MAX_FLAGS, MAX_METADATA, MAX_PREREQUISITE_EVALUATIONS};
use crate::logic::{Evaluators, did_you_mean};
use crate::references::{Reference, Tangle, references, untangle};
use crate::spec::{
    DEFAULT_FLAG_SET, FLAG_KIND, FLAG_SET_KIND, FlagSetSpec, FlagSpec, FlagState, is_empty_rule,
};
use crate::state::{Flag, State, apply, switch};

/// What follows from `command` at `now`: facts, none when everything already is as asked. Nothing is changed; whoever
/// has made the facts durable folds them in with [`apply`].
///
/// # Errors
/// See [`Refusal`]. A batch is refused as a whole.
pub fn decide(state: &State, command: Command, now: Timestamp) -> Result<Vec<Fact>, Refusal> {
    let mut draft =
        Draft { before: state, after: state.clone(), facts: Vec::new(), touched: Touched::default(), now };
    draft.carry_out(command)?;
    draft.check()?;
    Ok(draft.facts)
}

/// What time itself asks for: to note each flag whose expiry has passed. Nothing is switched off by that; the fact is
/// there for whoever should be told.
pub fn due(state: &State, now: Timestamp) -> Vec<Command> {
    let unnoted = |flag: &&std::sync::Arc<Flag>| {
        let noted = flag.expired.as_deref();
        flag.is_expired(now)
            && flag.spec.expires.as_ref().is_some_and(|expires| noted != Some(expires.as_str()))
    };
    state.flags().filter(unnoted).map(|flag| Command::NoteExpiry { name: flag.name.to_string() }).collect()
}

/// Everything wrong with a flag's spec, as [`decide`] would check it in `state`, with JSON pointers; for editors.
pub fn examine_flag(state: &State, spec: &FlagSpec) -> Vec<Finding> {
    check::flag(spec, state.evaluators(&spec.flag_set).unwrap_or(&Evaluators::default()))
}

/// Everything wrong with a flag set's spec, with JSON pointers; for editors.
pub fn examine_flag_set(spec: &FlagSetSpec) -> Vec<Finding> {
    check::flag_set(spec)
}

/// A command being carried out.
struct Draft<'s> {
    before: &'s State,
    after: State,
    facts: Vec<Fact>,
    touched: Touched,
    now: Timestamp,
}

/// What a command has touched, and how strictly each is checked.
#[derive(Default)]
struct Touched {
    flags: BTreeMap<String, Checks>,
    flag_sets: BTreeMap<String, Checks>,
}

// === impl Draft ===

impl Draft<'_> {
    fn carry_out(&mut self, command: Command) -> Result<(), Refusal> {
        match command {
            Command::Batch(commands) => commands.into_iter().try_for_each(|command| self.carry_out(command)),
            Command::DefineFlag { metadata, spec, checks } => self.define_flag(metadata, *spec, checks),
            Command::DeleteFlag { name, version } => self.delete_flag(name, version),
            Command::SetFlag { name, patch, environment, version } => {
                self.set_flag(&name, *patch, environment, version)
            }
            Command::SwitchFlag { name, state, environment, version } => {
                self.switch_flag(name, state, environment, version)
            }
            Command::NoteExpiry { name } => self.note_expiry(name),
            Command::DefineFlagSet { metadata, spec, checks } => {
                self.define_flag_set(metadata, *spec, checks)
            }
            Command::DeleteFlagSet { name, version } => self.delete_flag_set(name, version),
        }
    }

    fn record(&mut self, fact: Fact) {
        apply(&mut self.after, &fact, self.now);
        self.facts.push(fact);
    }

    fn define_flag(&mut self, metadata: Metadata, spec: FlagSpec, checks: Checks) -> Result<(), Refusal> {
        let current = self.after.flag(&metadata.name);
        expect(&flag_key(&metadata.name), metadata.version, current.map(|flag| flag.version))?;
        let unchanged = current.is_some_and(|flag| {
            flag.spec == spec && flag.labels == metadata.labels && flag.annotations == metadata.annotations
        });
        if unchanged {
            return Ok(());
        }
        check_metadata(FLAG_KIND, &metadata)?;
        let version = current.map_or(0, |flag| flag.version) + 1;
        let Metadata { name, labels, annotations, .. } = metadata;
        touch(&mut self.touched.flags, &name, checks);
        self.record(Fact::FlagDefined(Box::new(FlagDefined { name, version, spec, labels, annotations })));
        Ok(())
    }

    fn delete_flag(&mut self, name: String, version: Option<u64>) -> Result<(), Refusal> {
        let flag = self.flag(&name, version)?;
        let version = flag.version;
        touch(&mut self.touched.flags, &name, Checks::Strict);
        self.record(Fact::FlagDeleted(Deleted { name, version }));
        Ok(())
    }

    fn set_flag(
        &mut self,
        name: &str,
        patch: FlagPatch,
        environment: Option<String>,
        version: Option<u64>,
    ) -> Result<(), Refusal> {
        let flag = self.flag(name, version)?;
        let mut metadata = flag.metadata();
        metadata.version = None;
        let mut spec = flag.spec.clone();
        // A rule that flagd would take stays as it is while only other parts change.
        let checks = match patch.targeting.is_some() || patch.variants.is_some() {
            true => Checks::Strict,
            false => Checks::AsFlagd,
        };
        patch_spec(&mut spec, patch, environment)
            .map_err(|problem| Refusal::Invalid { key: flag_key(name), problems: vec![problem] })?;
        self.define_flag(metadata, spec, checks)
    }

    fn switch_flag(
        &mut self,
        name: String,
        state: FlagState,
        environment: Option<String>,
        version: Option<u64>,
    ) -> Result<(), Refusal> {
        let flag = self.flag(&name, version)?;
        let fact = FlagSwitched { name: name.clone(), version: flag.version + 1, state, environment };
        let mut spec = flag.spec.clone();
        switch(&mut spec, &fact);
        if spec == flag.spec {
            return Ok(());
        }
        // Nothing may stand in the way of a kill switch, not even a limit that the flag would not pass today. Only an
        // environment that is new has to be checked.
        if spec.environments.len() > flag.spec.environments.len() {
            touch(&mut self.touched.flags, &name, Checks::AsFlagd);
        }
        self.record(Fact::FlagSwitched(fact));
        Ok(())
    }

    fn note_expiry(&mut self, name: String) -> Result<(), Refusal> {
        let flag = self.flag(&name, None)?;
        let Some(expires) = flag.spec.expires.as_ref().filter(|_| flag.is_expired(self.now)) else {
            return Ok(());
        };
        let expires = expires.as_str().to_owned();
        if flag.expired.as_ref() != Some(&expires) {
            self.record(Fact::FlagExpired(FlagExpired { name, expires }));
        }
        Ok(())
    }

    fn define_flag_set(
        &mut self,
        metadata: Metadata,
        spec: FlagSetSpec,
        checks: Checks,
    ) -> Result<(), Refusal> {
        let current = self.after.flag_set(&metadata.name);
        let key = flag_set_key(&metadata.name);
        expect(&key, metadata.version, current.map(|set| set.version))?;
        let unchanged = current.is_some_and(|set| {
            set.spec == spec && set.labels == metadata.labels && set.annotations == metadata.annotations
        });
        if unchanged {
            return Ok(());
        }
        check_metadata(FLAG_SET_KIND, &metadata)?;
        let problems = refused(check::flag_set(&spec), checks);
        if !problems.is_empty() {
            return Err(Refusal::Invalid { key, problems });
        }
        let version = current.map_or(0, |set| set.version) + 1;
        let Metadata { name, labels, annotations, .. } = metadata;
        touch(&mut self.touched.flag_sets, &name, checks);
        self.record(Fact::FlagSetDefined(FlagSetDefined { name, version, spec, labels, annotations }));
        Ok(())
    }

    fn delete_flag_set(&mut self, name: String, version: Option<u64>) -> Result<(), Refusal> {
        let key = flag_set_key(&name);
        let actual = self.after.flag_set(&name).map(|set| set.version);
        let current = actual.ok_or_else(|| Refusal::NotFound(key.clone()))?;
        expect(&key, version, actual)?;
        touch(&mut self.touched.flag_sets, &name, Checks::Strict);
        self.record(Fact::FlagSetDeleted(Deleted { name, version: current }));
        Ok(())
    }

    fn flag(&self, name: &str, version: Option<u64>) -> Result<&Flag, Refusal> {
        let key = flag_key(name);
        let flag = self.after.flag(name).ok_or_else(|| Refusal::NotFound(key.clone()))?;
        expect(&key, version, Some(flag.version))?;
        Ok(flag)
    }

    /// The state as it would be, checked as a whole.
    fn check(&self) -> Result<(), Refusal> {
        if self.after.flags().len() > MAX_FLAGS {
            return Err(Refusal::Limit { what: "flags", limit: MAX_FLAGS });
        }
        if self.after.flag_sets().len() > MAX_FLAG_SETS {
            return Err(Refusal::Limit { what: "flag sets", limit: MAX_FLAG_SETS });
        }
        for (name, checks) in &self.touched.flags {
            match self.after.flag(name) {
                Some(flag) => self.check_flag(flag, *checks)?,
                None => refuse_referenced(flag_key(name).to_string(), self.after.referrers(&flag_key(name)))?,
            }
        }
        for (name, checks) in &self.touched.flag_sets {
            self.check_flag_set(name, *checks)?;
        }
        if self.touched.flags.is_empty() {
            return Ok(());
        }
        untangle(&self.after).map_err(|tangle| match tangle {
            Tangle::Cycle(names) => Refusal::Cycle(names),
            Tangle::TooMany(name) => {
                let message = format!(
                    "/prerequisites: evaluating it would evaluate more than {MAX_PREREQUISITE_EVALUATIONS} other flags"
                );
                Refusal::Invalid { key: flag_key(&name), problems: vec![Problem::new(message)] }
            }
        })
    }

    fn check_flag(&self, flag: &Flag, checks: Checks) -> Result<(), Refusal> {
        let mut problems = refused(examine_flag(&self.after, &flag.spec), checks);
        problems.extend(self.dangling(&flag.spec));
        if !problems.is_empty() {
            return Err(Refusal::Invalid { key: flag_key(&flag.name), problems });
        }
        // Variants that are gone may still be required by others.
        let Some(before) = self.before.flag(&flag.name) else { return Ok(()) };
        let gone: BTreeSet<&str> = before
            .spec
            .variants
            .keys()
            .map(String::as_str)
            .filter(|name| !flag.spec.variants.contains_key(*name))
            .collect();
        for name in gone {
            let requires = |other: &&std::sync::Arc<Flag>| {
                let mut prerequisites = other.spec.prerequisites.iter();
                prerequisites
                    .any(|p| *p.flag == *flag.name && p.variants.iter().any(|variant| variant == name))
            };
            let by = self.after.flags().filter(requires).map(|other| flag_key(&other.name)).collect();
            refuse_referenced(format!("{} variant {name}", flag_key(&flag.name)), by)?;
        }
        Ok(())
    }

    /// References of the spec to what does not exist.
    fn dangling(&self, spec: &FlagSpec) -> Vec<Problem> {
        let mut problems = Vec::new();
        for reference in references(spec) {
            match &reference {
                // Evaluators are checked with the rules that use them.
                Reference::Evaluator { .. } => {}
                Reference::FlagSet(name) if !self.after.resolves(&reference) => {
                    let known = self.after.flag_sets().map(|set| &*set.name).chain([DEFAULT_FLAG_SET]);
                    let known: Vec<&str> = known.collect();
                    let problem = Problem::new(format!("/flagSet: there is no flag set `{name}`"));
                    problems.push(problem.hint(did_you_mean(name, known)));
                }
                Reference::Flag(name) if !self.after.resolves(&reference) => {
                    let known: Vec<&str> = self.after.flags().map(|flag| &*flag.name).collect();
                    let problem = Problem::new(format!("/prerequisites: there is no flag `{name}`"));
                    problems.push(problem.hint(did_you_mean(name, known)));
                }
                Reference::FlagSet(_) | Reference::Flag(_) => {}
            }
        }
        for (at, prerequisite) in spec.prerequisites.iter().enumerate() {
            let Some(other) = self.after.flag(&prerequisite.flag) else { continue };
            for variant in prerequisite.variants.iter().filter(|v| !other.spec.variants.contains_key(*v)) {
                let message =
                    format!("/prerequisites/{at}: `{variant}` is not a variant of the flag `{}`", other.name);
                let hint = did_you_mean(variant, other.spec.variants.keys().map(String::as_str));
                problems.push(Problem::new(message).hint(hint));
            }
        }
        problems
    }

    fn check_flag_set(&self, name: &str, checks: Checks) -> Result<(), Refusal> {
        let key = flag_set_key(name);
        let after = self.after.flag_set(name);
        if after.is_none() && name != DEFAULT_FLAG_SET {
            return refuse_referenced(key.to_string(), self.after.referrers(&key));
        }
        let Some(before) = self.before.flag_set(name) else { return Ok(()) };
        let remains = |evaluator: &str| after.is_some_and(|set| set.spec.evaluators.contains_key(evaluator));
        // A flagd file may refer to nothing, but it may not take away what flags outside of it refer to.
        let lenient = |user: &ResourceKey| {
            checks == Checks::AsFlagd && self.touched.flags.get(&user.name) == Some(&Checks::AsFlagd)
        };
        for evaluator in before.spec.evaluators.keys().filter(|evaluator| !remains(evaluator)) {
            let mut users = self.after.users_of_evaluator(name, evaluator);
            users.retain(|user| !lenient(user));
            refuse_referenced(format!("{key} evaluator {evaluator}"), users)?;
        }
        // An evaluator that grew may take a rule that uses it over a limit.
        for flag in self.after.flags().filter(|flag| flag.spec.flag_set == name && has_rules(&flag.spec)) {
            let problems = refused(examine_flag(&self.after, &flag.spec), Checks::AsFlagd);
            if !problems.is_empty() {
                return Err(Refusal::Invalid { key: flag_key(&flag.name), problems });
            }
        }
        Ok(())
    }
}

fn patch_spec(spec: &mut FlagSpec, patch: FlagPatch, environment: Option<String>) -> Result<(), Problem> {
    let FlagPatch { state, default_variant, targeting, variants } = patch;
    let Some(environment) = environment else {
        spec.state = state.unwrap_or(spec.state);
        if let Some(default_variant) = default_variant {
            spec.default_variant = default_variant;
        }
        if let Some(rule) = targeting {
            spec.targeting = Some(rule).filter(|rule| !is_empty_rule(rule));
        }
        if let Some(variants) = variants {
            spec.variants = variants;
        }
        return Ok(());
    };
    if variants.is_some() {
        let problem = Problem::new("/variants: variants are the same in every environment");
        return Err(problem.hint("set them without an environment"));
    }
    let there = spec.environments.entry(environment).or_default();
    there.state = state.or(there.state);
    if let Some(default_variant) = default_variant {
        there.default_variant = default_variant;
    }
    if targeting.is_some() {
        there.targeting = targeting;
    }
    Ok(())
}

/// Within a batch the strictest command counts.
fn touch(touched: &mut BTreeMap<String, Checks>, name: &str, checks: Checks) {
    let strictest = touched.entry(name.to_owned()).or_insert(checks);
    if checks == Checks::Strict {
        *strictest = Checks::Strict;
    }
}

fn has_rules(spec: &FlagSpec) -> bool {
    crate::plan::rules(spec).next().is_some()
}

fn refuse_referenced(what: String, by: Vec<ResourceKey>) -> Result<(), Refusal> {
    if by.is_empty() { Ok(()) } else { Err(Refusal::Referenced { what, by }) }
}

/// The version the caller saw must be the one there is; 0 is "none".
fn expect(key: &ResourceKey, expected: Option<u64>, actual: Option<u64>) -> Result<(), Refusal> {
    match expected {
        Some(expected) if expected != actual.unwrap_or(0) => {
            Err(Refusal::Stale { key: key.clone(), expected, actual })
        }
        _ => Ok(()),
    }
}

fn check_metadata(kind: &str, metadata: &Metadata) -> Result<(), Refusal> {
    let key = ResourceKey { kind: kind.to_owned(), name: metadata.name.clone() };
    let mut problems = Vec::new();
    if let Err(why) = ResourceKey::new(kind, &metadata.name) {
        problems.push(Problem::new(why.to_string()));
    }
    for (what, pairs) in [("labels", &metadata.labels), ("annotations", &metadata.annotations)] {
        if pairs.len() > MAX_METADATA {
            problems.push(Problem::new(format!("there may be at most {MAX_METADATA} {what}")));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Refusal::Invalid { key, problems }) }
}
