//! The shared evaluators of a flag set, compiled once each; where `$ref` looks.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde_json::Value;

use super::compile::{Compiled, Compiler, Severity, too_deep};
use super::operators::did_you_mean;
use crate::limits::MAX_TARGETING_DEPTH;

/// The compiled evaluators of a flag set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evaluators(BTreeMap<String, Compiled>);

// === impl Evaluators ===

impl Evaluators {
    /// Compiles the evaluators of a set, each once, whatever refers to whom.
    pub(crate) fn compile(sources: &IndexMap<String, Value>) -> Self {
        let mut building = Building { sources, done: BTreeMap::new(), open: Vec::new() };
        for name in sources.keys() {
            // What is wrong with it is kept with it.
            let _ = building.find(name);
        }
        Self(building.done)
    }

    /// The evaluators by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Compiled)> {
        self.0.iter().map(|(name, compiled)| (name.as_str(), compiled))
    }
}

/// Where `$ref` looks.
pub(super) trait Lookup {
    /// The evaluator, or the complaint about it.
    fn find(&mut self, name: &str) -> Result<Compiled, (Severity, String, Option<String>)>;
}

/// The evaluators of a set that is compiled.
pub(super) struct Known<'e>(pub(super) &'e Evaluators);

impl Lookup for Known<'_> {
    fn find(&mut self, name: &str) -> Result<Compiled, (Severity, String, Option<String>)> {
        let missing = || unknown_evaluator(name, self.0.0.keys().map(String::as_str));
        self.0.0.get(name).cloned().ok_or_else(missing)
    }
}

/// The evaluators of a set that is being compiled.
struct Building<'s> {
    sources: &'s IndexMap<String, Value>,
    done: BTreeMap<String, Compiled>,
    /// The evaluators that are being compiled, each referred to by the one before.
    open: Vec<String>,
}

impl Lookup for Building<'_> {
    fn find(&mut self, name: &str) -> Result<Compiled, (Severity, String, Option<String>)> {
        if let Some(done) = self.done.get(name) {
            return Ok(done.clone());
        }
        if let Some(start) = self.open.iter().position(|open| open == name) {
            let circle: Vec<&str> = self.open.iter().skip(start).map(String::as_str).chain([name]).collect();
            let message = format!("evaluators refer to each other in a circle: {}", circle.join(" → "));
            return Err((Severity::Limit, message, None));
        }
        if self.open.len() >= MAX_TARGETING_DEPTH {
            return Err((Severity::Limit, too_deep(), None));
        }
        let Some(source) = self.sources.get(name) else {
            return Err(unknown_evaluator(name, self.sources.keys().map(String::as_str)));
        };
        self.open.push(name.to_owned());
        let compiled = Compiler::new(self).finish(source);
        self.open.pop();
        self.done.insert(name.to_owned(), compiled.clone());
        Ok(compiled)
    }
}

fn unknown_evaluator<'a>(
    name: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> (Severity, String, Option<String>) {
    let hint = did_you_mean(name, known);
    (Severity::Broken, format!("there is no evaluator `{name}` in the flag set"), Some(hint))
}
