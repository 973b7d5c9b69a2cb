//! Flags: listing, changing, evaluating, counting, debt, and flagd's files.

use std::collections::BTreeMap;
use std::sync::Arc;

use ::flags::{
    CHAPTER, Command, Context, Evaluation, Fact, Flag, FlagPatch, FlagState, InvalidContext, Refusal,
    STATE_VERSION, State, flag_key,
};
use kernel::{ChangeId, FactSeq, Fault, Problem, ResourceKey, Timestamp};
use ledger::FactRecord;
use metrics::sample::{Family, MetricType};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::chapter::{Decided, Folded};
use crate::own::{add, family};
use crate::resources::{ApplyReport, compare};
use crate::{Action, Asked, Noun, Operations, Verb};

/// Counts of evaluations since the start, by flag.
#[derive(Default)]
pub(crate) struct Usage(Mutex<BTreeMap<Arc<str>, FlagUsage>>);

/// How one flag was evaluated since the start.
#[derive(Clone, Debug, Default)]
pub struct FlagUsage {
    /// Evaluations by variant (empty where there was no value) and reason.
    pub counts: BTreeMap<(String, &'static str), u64>,
    /// The last one.
    pub last: Option<Timestamp>,
}

/// A flag changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlagChanged {
    /// Names the change; absent when everything already was as asked.
    pub change: Option<ChangeId>,
    /// The flag's version now.
    pub version: u64,
}

// === impl Folded for the flags chapter ===

impl Folded for State {
    const CHAPTER: &'static str = CHAPTER;
    const SNAPSHOT_VERSION: u16 = STATE_VERSION;

    fn fold(&mut self, record: &FactRecord) -> Result<(), String> {
        let fact =
            Fact::decode(&record.kind, record.version, record.payload.clone()).map_err(|e| e.to_string())?;
        ::flags::apply(self, &fact, record.time);
        Ok(())
    }

    fn freeze(&self) -> Result<Vec<u8>, String> {
        serde_json::to_vec(self).map_err(|e| e.to_string())
    }

    fn thaw(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|e| e.to_string())
    }
}

/// The chapter's decision.
pub(crate) fn decide_flags(state: &State, command: Command, now: Timestamp) -> Result<Vec<Fact>, Refusal> {
    ::flags::decide(state, command, now)
}

// === changing ===

impl Operations {
    /// Appends and applies facts that were decided under the deciding lock.
    pub(crate) fn record_flags(
        &self,
        asked: &Asked,
        change: Option<&ChangeId>,
        facts: &[Fact],
    ) -> Result<(), Fault> {
        self.record(asked, change, facts.iter().cloned().map(Decided::Flags).collect())
    }

    /// Wakes whenever flags changed; holds the last fact about flags and when it was.
    ///
    /// # Errors
    /// Denied.
    pub fn watch_flags(&self, asked: &Asked) -> Result<watch::Receiver<(FactSeq, Timestamp)>, Fault> {
        self.authorise(asked, &Action::new(Verb::Read, Noun::Evaluations))?;
        Ok(self.flags_changed.subscribe())
    }

    /// Changes parts of a flag, in one environment or everywhere.
    ///
    /// # Errors
    /// Denied, no such flag, its version is another, or the result cannot work.
    pub fn set_flag(
        &self,
        asked: &Asked,
        name: &str,
        patch: FlagPatch,
        environment: Option<String>,
        version: Option<u64>,
    ) -> Result<FlagChanged, Fault> {
        self.authorise(asked, &Action::new(Verb::Write, Noun::Flags).on(flag_key(name).to_string()))?;
        let command =
            Command::SetFlag { name: name.to_owned(), patch: Box::new(patch), environment, version };
        self.change_flag(asked, name, command)
    }

    /// The kill switch.
    ///
    /// # Errors
    /// Denied, or no such flag.
    pub fn switch_flag(
        &self,
        asked: &Asked,
        name: &str,
        state: FlagState,
        environment: Option<String>,
    ) -> Result<FlagChanged, Fault> {
        self.authorise(asked, &Action::new(Verb::Act, Noun::Flags).on(flag_key(name).to_string()))?;
        let command = Command::SwitchFlag { name: name.to_owned(), state, environment, version: None };
        self.change_flag(asked, name, command)
    }

    fn change_flag(&self, asked: &Asked, name: &str, command: Command) -> Result<FlagChanged, Fault> {
        if asked.reason.trim().is_empty() {
            return Err(Fault::invalid("say why: every change of a flag has a reason, give it as `reason`"));
        }
        let _deciding = self.deciding.lock();
        let facts = decide_flags(&self.flags.read().state, command, self.now())?;
        let change = (!facts.is_empty()).then(|| self.new_change());
        self.record_flags(asked, change.as_ref(), &facts)?;
        let version = self.flags.read().state.flag(name).map_or(0, |flag| flag.version);
        Ok(FlagChanged { change, version })
    }

    /// What time itself asks of every chapter: expiries are noted, sessions end.
    pub fn do_what_is_due(&self) {
        let asked = Asked::by_system("timer", "due");
        let due = ::flags::due(&self.flags.read().state, self.now());
        if !due.is_empty() {
            let done = || -> Result<(), Fault> {
                let _deciding = self.deciding.lock();
                let facts = decide_flags(&self.flags.read().state, Command::Batch(due), self.now())?;
                self.record_flags(&asked, None, &facts)
            };
            if let Err(fault) = done() {
                eprintln!("mainstay: expired flags were not noted: {fault}");
            }
        }
        let due = security::identity::due(&self.security.read().state, self.now());
        for command in due {
            if let Err(fault) = self.change_access(&asked, command) {
                eprintln!("mainstay: what expired was not recorded: {fault}");
            }
        }
    }
}

// === flagd's files ===

/// What an import did, or would do.
#[derive(Clone, Debug)]
pub struct Imported {
    /// What became of each resource.
    pub report: ApplyReport,
    /// What flagd ignores or fails to evaluate, with places.
    pub warnings: Vec<Problem>,
}

impl Operations {
    /// Takes a flagd file into a flag set. What it cannot say about flags that are there already stays as it is.
    ///
    /// # Errors
    /// Denied, or whatever is wrong with the file, each finding with its place. Nothing has changed then.
    pub fn import_flags(
        &self,
        asked: &Asked,
        flag_set: &str,
        text: &str,
        dry_run: bool,
    ) -> Result<Imported, Fault> {
        let verb = if dry_run { Verb::Read } else { Verb::Write };
        self.authorise(asked, &Action::new(verb, Noun::Flags))?;
        let refused = |problems: Vec<Problem>| {
            Fault::invalid("the flagd file is refused; nothing was changed").with_problems(problems)
        };
        let import = ::flags::flagd::import(text).map_err(refused)?;
        let warnings = import.warnings.clone();
        let _deciding = self.deciding.lock();
        let before = self.flags.read().state.clone();
        let facts = decide_flags(&before, import.into_command(&before, flag_set), self.now())?;
        let mut after = before.clone();
        for fact in &facts {
            ::flags::apply(&mut after, fact, self.now());
        }
        let mut results = Vec::with_capacity(facts.len());
        for fact in &facts {
            let subject = fact.subject();
            if let Some((kind, name)) = subject.split_once('/') {
                let key = ResourceKey { kind: kind.to_owned(), name: name.to_owned() };
                results.push(compare(&before, &after, &key));
            }
        }
        if dry_run || facts.is_empty() {
            return Ok(Imported { report: ApplyReport { change: None, results }, warnings });
        }
        let change = self.new_change();
        self.record_flags(asked, Some(&change), &facts)?;
        Ok(Imported { report: ApplyReport { change: Some(change), results }, warnings })
    }

    /// A flag set as a flagd file; with an environment, what holds there.
    ///
    /// # Errors
    /// Denied, or there is no such flag set.
    pub fn export_flags(
        &self,
        asked: &Asked,
        flag_set: &str,
        environment: Option<&str>,
    ) -> Result<serde_json::Value, Fault> {
        self.authorise(asked, &Action::new(Verb::Read, Noun::Flags))?;
        let flags = self.flags.read();
        let set = flags.state.flag_set(flag_set);
        if set.is_none() && flag_set != ::flags::DEFAULT_FLAG_SET {
            return Err(crate::resources::missing(&flags.state, &::flags::flag_set_key(flag_set)));
        }
        let members = flags.state.flags().filter(|flag| flag.spec.flag_set == flag_set);
        let members = members.map(|flag| (flag.name.as_ref(), &flag.spec));
        Ok(::flags::flagd::export(set.map(|set| &set.spec), members, environment))
    }
}

// === reading and evaluating ===

impl Operations {
    /// Every flag, by key.
    ///
    /// # Errors
    /// Denied.
    pub fn flags(&self, asked: &Asked) -> Result<Vec<Arc<Flag>>, Fault> {
        self.authorise(asked, &Action::new(Verb::Read, Noun::Flags))?;
        Ok(self.flags.read().state.flags().cloned().collect())
    }

    /// One flag and who requires it.
    ///
    /// # Errors
    /// Denied, or no such flag; the nearest is named.
    pub fn flag(&self, asked: &Asked, name: &str) -> Result<(Arc<Flag>, Vec<ResourceKey>), Fault> {
        self.authorise(asked, &Action::new(Verb::Read, Noun::Flags))?;
        let flags = self.flags.read();
        let Some(flag) = flags.state.flag(name) else {
            return Err(crate::resources::missing(&flags.state, &flag_key(name)));
        };
        Ok((Arc::clone(flag), flags.state.referrers(&flag_key(name))))
    }

    /// What a context gets from a flag. `counted` says whether this is a use, or someone only asking.
    ///
    /// # Errors
    /// Denied. A flag that does not exist or cannot be evaluated is an answer, not an error.
    pub fn evaluate(
        &self,
        asked: &Asked,
        name: &str,
        environment: Option<&str>,
        context: &Context,
        counted: bool,
    ) -> Result<Evaluation, Fault> {
        let verb = if counted { Verb::Act } else { Verb::Read };
        self.authorise(asked, &Action::new(verb, Noun::Evaluations))?;
        let now = self.now();
        let evaluation = self.flags.read().state.evaluate(name, environment, context, now);
        if counted && evaluation.error_code != Some(::flags::ErrorCode::FlagNotFound) {
            self.usage.count(std::iter::once((name, &evaluation)), now);
        }
        Ok(evaluation)
    }

    /// What a context gets from every flag, and the number of the last fact of the chapter, for ETags.
    ///
    /// # Errors
    /// Denied.
    pub fn evaluate_all(
        &self,
        asked: &Asked,
        environment: Option<&str>,
        context: &Context,
    ) -> Result<Vec<(String, Evaluation)>, Fault> {
        self.authorise(asked, &Action::new(Verb::Act, Noun::Evaluations))?;
        let now = self.now();
        let all: Vec<(String, Evaluation)> = {
            let flags = self.flags.read();
            let all = flags.state.evaluate_all(environment, context, now);
            all.map(|(name, evaluation)| (name.to_owned(), evaluation)).collect()
        };
        self.usage.count(all.iter().map(|(name, evaluation)| (name.as_str(), evaluation)), now);
        Ok(all)
    }

    /// How flags were evaluated since the start.
    ///
    /// # Errors
    /// Denied.
    pub fn flag_usage(&self, asked: &Asked) -> Result<BTreeMap<Arc<str>, FlagUsage>, Fault> {
        self.authorise(asked, &Action::new(Verb::Read, Noun::Flags))?;
        Ok(self.usage.0.lock().clone())
    }
}

/// A context that is not one.
pub fn context_fault(invalid: &InvalidContext) -> Fault {
    Fault::invalid(invalid.to_string())
}

// === impl Usage ===

impl Usage {
    fn count<'a>(&self, evaluations: impl Iterator<Item = (&'a str, &'a Evaluation)>, now: Timestamp) {
        let mut usage = self.0.lock();
        for (name, evaluation) in evaluations {
            let variant = evaluation.variant.as_deref().unwrap_or_default();
            let key = (variant.to_owned(), evaluation.reason.as_str());
            let entry = match usage.get_mut(name) {
                Some(entry) => entry,
                None => usage.entry(name.into()).or_default(),
            };
            *entry.counts.entry(key).or_default() += 1;
            entry.last = Some(now);
        }
    }

    /// The counts as metrics.
    pub(crate) fn families(&self) -> Vec<Family> {
        let usage = self.0.lock();
        let mut counts = family(
            "mainstay_flag_evaluations_total",
            MetricType::Counter,
            "Flag evaluations by variant and reason.",
        );
        let mut last = family(
            "mainstay_flag_last_evaluation_timestamp_seconds",
            MetricType::Gauge,
            "When the flag was last evaluated.",
        );
        for (name, flag) in usage.iter() {
            for ((variant, reason), count) in &flag.counts {
                let labels = [("flag", name.as_ref()), ("variant", variant.as_str()), ("reason", reason)];
                add(&mut counts, "", &labels, *count as f64);
            }
            if let Some(at) = flag.last {
                add(&mut last, "", &[("flag", name.as_ref())], at.as_millis() as f64 / 1_000.0);
            }
        }
        vec![counts, last]
    }
}
