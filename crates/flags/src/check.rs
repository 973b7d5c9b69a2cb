//! What a spec says, checked: limits, types, names, rules. References between resources are checked in
//! [`crate::references`], since they need the others.
//!
//! Every finding names its place in the spec as a JSON pointer, such as `/targeting/if/0`, at the start of its message;
//! whoever knows the source text turns that into a line and a column.

use indexmap::IndexMap;
use kernel::Problem;
use serde_json::{Map, Value};

use crate::command::Checks;
use crate::limits::{
    MAX_ENVIRONMENTS, MAX_EVALUATORS, MAX_METADATA, MAX_NAME_BYTES, MAX_PREREQUISITES, MAX_TEXT_BYTES,
    MAX_VALUE_BYTES, MAX_VALUE_DEPTH, MAX_VARIANTS,
};
use crate::logic::{Complaint, Evaluators, Severity, compile, did_you_mean};
use crate::plan::rules;
use crate::spec::{FlagKind, FlagSetSpec, FlagSpec};

/// Something wrong with a spec, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The place in the spec, as a JSON pointer; empty for the whole.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// True when even a lenient reader must refuse it; false for what flagd would load and fail to evaluate.
    pub fatal: bool,
}

/// Everything wrong with a flag's spec, given the evaluators of its set.
pub(crate) fn flag(spec: &FlagSpec, evaluators: &Evaluators) -> Vec<Finding> {
    let mut findings = Findings::default();
    findings.variants(&spec.variants);
    findings.metadata("/metadata", &spec.metadata);
    findings.text("/owner", spec.owner.as_deref());
    findings.text("/description", spec.description.as_deref());
    findings.count("/environments", "environments", spec.environments.len(), MAX_ENVIRONMENTS);
    findings.count("/prerequisites", "prerequisites", spec.prerequisites.len(), MAX_PREREQUISITES);
    for name in spec.environments.keys() {
        findings.name(&pointer(&["environments", name]), "environment", name);
    }
    if spec.hash_version.0 == 0 {
        findings.fatal("/hashVersion", "hash versions count from 1", None);
    }
    let defaults = std::iter::once(("/defaultVariant".to_owned(), &spec.default_variant));
    let there = spec.environments.iter().map(|(name, environment)| {
        (pointer(&["environments", name, "defaultVariant"]), &environment.default_variant)
    });
    for (place, default) in defaults.chain(there) {
        if let Some(name) = default.name() {
            findings.variant(&place, name, spec, true);
        }
    }
    for (at, prerequisite) in spec.prerequisites.iter().enumerate() {
        if prerequisite.variants.is_empty() {
            let place = format!("/prerequisites/{at}/variants");
            findings.fatal(&place, "a prerequisite names at least one variant", None);
        }
    }
    for (place, rule) in rules(spec) {
        if !rule.is_object() {
            findings.lenient(&place, "a targeting rule is a JSON object", None);
        }
        let compiled = compile(rule, evaluators);
        for outcome in compiled.outcomes() {
            findings.variant(&place, &outcome, spec, false);
        }
        findings.complaints(&place, compiled.complaints);
    }
    findings.0
}

/// Everything wrong with a flag set's spec.
pub(crate) fn flag_set(spec: &FlagSetSpec) -> Vec<Finding> {
    let mut findings = Findings::default();
    findings.metadata("/metadata", &spec.metadata);
    findings.text("/description", spec.description.as_deref());
    findings.count("/evaluators", "evaluators", spec.evaluators.len(), MAX_EVALUATORS);
    for (name, rule) in &spec.evaluators {
        let place = pointer(&["evaluators", name]);
        findings.name(&place, "evaluator", name);
        if rule.as_object().is_none_or(Map::is_empty) {
            findings.fatal(&place, "an evaluator is a targeting rule: a JSON object that is not empty", None);
        }
    }
    if spec.evaluators.len() <= MAX_EVALUATORS {
        for (name, compiled) in Evaluators::compile(&spec.evaluators).iter() {
            findings.complaints(&pointer(&["evaluators", name]), compiled.complaints.clone());
        }
    }
    findings.0
}

/// The findings that count under `checks`.
pub(crate) fn refused(findings: Vec<Finding>, checks: Checks) -> Vec<Problem> {
    findings
        .into_iter()
        .filter(|finding| finding.fatal || checks == Checks::Strict)
        .map(|finding| finding.problem())
        .collect()
}

/// A JSON pointer from its keys.
pub(crate) fn pointer(keys: &[&str]) -> String {
    keys.iter().fold(String::new(), |path, key| path + "/" + &key.replace('~', "~0").replace('/', "~1"))
}

// === impl Finding ===

impl Finding {
    /// As a problem without a position: the pointer stands in the message.
    pub fn problem(&self) -> Problem {
        let message = match self.pointer.as_str() {
            "" => self.message.clone(),
            place => format!("{place}: {}", self.message),
        };
        let problem = Problem::new(message);
        match &self.hint {
            Some(hint) => problem.hint(hint.clone()),
            None => problem,
        }
    }
}

#[derive(Default)]
struct Findings(Vec<Finding>);

// === impl Findings ===

impl Findings {
    fn fatal(&mut self, place: &str, message: impl Into<String>, hint: Option<String>) {
        self.0.push(Finding { pointer: place.to_owned(), message: message.into(), hint, fatal: true });
    }

    fn lenient(&mut self, place: &str, message: impl Into<String>, hint: Option<String>) {
        self.0.push(Finding { pointer: place.to_owned(), message: message.into(), hint, fatal: false });
    }

    fn count(&mut self, place: &str, what: &str, found: usize, limit: usize) {
        if found > limit {
            self.fatal(place, format!("there are {found} {what}; at most {limit} are allowed"), None);
        }
    }

    fn text(&mut self, place: &str, text: Option<&str>) {
        if text.is_some_and(|text| text.len() > MAX_TEXT_BYTES) {
            self.fatal(place, format!("it is longer than {MAX_TEXT_BYTES} bytes"), None);
        }
    }

    fn name(&mut self, place: &str, what: &str, name: &str) {
        let problem = match name {
            "" => "is empty".to_owned(),
            _ if name.len() > MAX_NAME_BYTES => format!("is longer than {MAX_NAME_BYTES} bytes"),
            _ if name.chars().any(char::is_control) => "holds a control character".to_owned(),
            _ => return,
        };
        self.fatal(place, format!("the {what}'s name {problem}"), None);
    }

    fn variants(&mut self, variants: &IndexMap<String, Value>) {
        self.count("/variants", "variants", variants.len(), MAX_VARIANTS);
        if variants.is_empty() {
            let hint = "a switch has {\"on\": true, \"off\": false}".to_owned();
            self.fatal("/variants", "a flag has at least one variant", Some(hint));
        }
        let mut first: Option<(&str, FlagKind)> = None;
        for (name, value) in variants {
            let place = pointer(&["variants", name]);
            self.name(&place, "variant", name);
            match (FlagKind::of(value), first) {
                (None, _) => {
                    let hint = "wrap it in an object".to_owned();
                    self.fatal(&place, "a value is a boolean, a string, a number or an object", Some(hint));
                }
                (Some(kind), Some((other, wanted))) if kind != wanted => {
                    let message = format!(
                        "the variants are of one type: `{other}` is a {wanted}, and this is a {kind}"
                    );
                    self.fatal(&place, message, None);
                }
                (Some(kind), None) => first = Some((name, kind)),
                (Some(_), Some(_)) => {}
            }
            if depth(value) > MAX_VALUE_DEPTH {
                self.fatal(&place, format!("the value is nested deeper than {MAX_VALUE_DEPTH}"), None);
            } else if json_bytes(value) > MAX_VALUE_BYTES {
                self.fatal(&place, format!("the value is larger than {MAX_VALUE_BYTES} bytes"), None);
            }
        }
    }

    fn metadata(&mut self, place: &str, metadata: &Map<String, Value>) {
        self.count(place, "entries", metadata.len(), MAX_METADATA);
        for (name, value) in metadata {
            let place = format!("{place}{}", pointer(&[name]));
            match value {
                Value::String(text) if text.len() > MAX_TEXT_BYTES => {
                    self.fatal(&place, format!("it is longer than {MAX_TEXT_BYTES} bytes"), None);
                }
                Value::String(_) | Value::Number(_) | Value::Bool(_) => {}
                _ => self.fatal(&place, "metadata are strings, numbers and booleans", None),
            }
        }
    }

    fn variant(&mut self, place: &str, name: &str, spec: &FlagSpec, fatal: bool) {
        if !spec.variants.contains_key(name) {
            let hint = Some(did_you_mean(name, spec.variants.keys().map(String::as_str)));
            let message = format!("`{name}` is not a variant of the flag");
            self.0.push(Finding { pointer: place.to_owned(), message, hint, fatal });
        }
    }

    fn complaints(&mut self, place: &str, complaints: Vec<Complaint>) {
        for Complaint { path, message, hint, severity } in complaints {
            let fatal = severity == Severity::Limit;
            self.0.push(Finding { pointer: format!("{place}{path}"), message, hint, fatal });
        }
    }
}

/// How deep objects and lists are nested in the value. Walks without recursion: nothing was checked yet.
pub(crate) fn depth(value: &Value) -> usize {
    let mut deepest = 0;
    let mut open = vec![(value, 1)];
    while let Some((value, depth)) = open.pop() {
        match value {
            Value::Array(items) => open.extend(items.iter().map(|item| (item, depth + 1))),
            Value::Object(map) => open.extend(map.values().map(|item| (item, depth + 1))),
            _ => continue,
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// How many bytes the value takes as JSON, without writing it anywhere.
fn json_bytes(value: &Value) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Counting cannot fail.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}
