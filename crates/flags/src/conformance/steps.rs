//! The step language of the evaluator suites: flagd-testbed's (`evaluator/gherkin`, and what of `gherkin` is about
//! evaluation), its older wording, and the OpenFeature specification's `evaluation.feature`.
//!
//! | step | meaning |
//! |---|---|
//! | `an evaluator`, `a stable flagd provider`, … | the flags of all given files |
//! | `an option "selector" of type … with value "FILE"` | the flags of that file only |
//! | `a TYPE-flag with key "K" and a fallback\|default value "V"` | what is asked for |
//! | `a context containing a targeting key with value "V"` | |
//! | `a context containing a key "K", with type "T" and with value "V"` | |
//! | `a context containing a nested property with outer key "O" and inner key "I", with value "V"` | |
//! | `the flag was evaluated with details` | |
//! | `the resolved details value should be "V"` | the caller's default where there is no value |
//! | `the reason\|variant\|error-code\|flag key should be "X"` | |
//! | `the resolved metadata should contain` + table; `… is empty` | |
//! | `no exception should have been thrown` | it was evaluated at all |

use kernel::Timestamp;
use serde_json::{Map, Value};

use super::gherkin::Step;
use super::pattern::capture;
use crate::evaluate::{Context, Evaluation, TARGETING_KEY, Wanted};
use crate::state::State;

/// Why a scenario ends before its last step.
pub(super) enum Stop {
    /// An expectation does not hold, or a step cannot be read.
    Failed(String),
    /// The step is not about evaluation.
    Unknown,
}

/// What the steps so far have set.
pub(super) struct World<'s> {
    alone: &'s [(String, State)],
    chosen: &'s State,
    now: Timestamp,
    flag: Option<Asked>,
    context: Map<String, Value>,
}

/// The flag that is asked for.
struct Asked {
    key: String,
    wanted: Wanted,
    fallback: Value,
}

// === impl World ===

impl<'s> World<'s> {
    pub(super) fn new(all: &'s State, alone: &'s [(String, State)], now: Timestamp) -> Self {
        Self { alone, chosen: all, now, flag: None, context: Map::new() }
    }

    /// Carries out a step.
    pub(super) fn take(&mut self, step: &Step) -> Result<(), Stop> {
        let text = step.text.trim();
        if self.set_up(text)? || self.ask(text)? || self.expect(text)? || self.expect_older(text)? {
            return Ok(());
        }
        match text {
            "the resolved metadata should contain" => self.metadata_contains(step),
            // An evaluation answers; that it does not panic is what this test itself shows.
            "no exception should have been thrown" => self.evaluation().map(|_| ()),
            "the resolved metadata is empty" => {
                let metadata = self.evaluation()?.metadata;
                same(metadata.is_empty(), format!("the metadata is {}", Value::Object((*metadata).clone())))
            }
            _ => Err(Stop::Unknown),
        }
    }

    /// Which flags there are.
    fn set_up(&mut self, text: &str) -> Result<bool, Stop> {
        match text {
            "an evaluator"
            | "a stable flagd provider"
            | "a stable provider"
            | "a flagd provider is set"
            | "a provider is registered with cache disabled"
            | "a provider is registered" => return Ok(true),
            _ => {}
        }
        match capture("an option {q} of type {q} with value {q}", text).as_deref() {
            Some(["cache", _, _]) => Ok(true),
            Some(["selector", _, file]) => {
                let name = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
                let found = self.alone.iter().find(|(known, _)| name(known) == name(file));
                self.chosen = found.map(|(_, state)| state).ok_or(Stop::Unknown)?;
                Ok(true)
            }
            Some(_) => Err(Stop::Unknown),
            None => Ok(false),
        }
    }

    /// Which flag is asked for, and by whom.
    fn ask(&mut self, text: &str) -> Result<bool, Stop> {
        if let Some([kind, key, _, fallback]) =
            capture("a {w}-flag with key {q} and a {w} value {q}", text).as_deref()
        {
            return self.ask_for(kind, key, fallback);
        }
        for pattern in [
            "a {w} flag with key {q} is evaluated with default value {v}",
            "an {w} flag with key {q} is evaluated with default value {v}",
            "a {w} flag with key {q} is evaluated with details and default value {v}",
            "an {w} flag with key {q} is evaluated with details and default value {v}",
        ] {
            if let Some([kind, key, fallback]) = capture(pattern, text).as_deref() {
                return self.ask_for(kind, key, fallback);
            }
        }
        if let Some([value]) = capture("a context containing a targeting key with value {q}", text).as_deref()
        {
            self.context.insert(TARGETING_KEY.to_owned(), Value::from(*value));
            return Ok(true);
        }
        let typed = "a context containing a key {q}, with type {q} and with value {q}";
        if let Some([key, kind, value]) = capture(typed, text).as_deref() {
            self.context.insert((*key).to_owned(), read(kind, value)?);
            return Ok(true);
        }
        let nested =
            "a context containing a nested property with outer key {q} and inner key {q}, with value {v}";
        if let Some([outer, inner, value]) = capture(nested, text).as_deref() {
            let outer = self.context.entry(*outer).or_insert_with(|| Value::Object(Map::new()));
            if let Some(outer) = outer.as_object_mut() {
                outer.insert((*inner).to_owned(), Value::from(*value));
            }
            return Ok(true);
        }
        if let Some([key, value]) = capture("a context containing a key {q}, with value {v}", text).as_deref()
        {
            let bare = text.ends_with(&format!(" {value}"));
            self.context
                .insert((*key).to_owned(), if bare { bare_value(value) } else { Value::from(*value) });
            return Ok(true);
        }
        Ok(matches!(text, "the flag was evaluated with details" | "the flag was evaluated"))
    }

    fn ask_for(&mut self, kind: &str, key: &str, fallback: &str) -> Result<bool, Stop> {
        let wanted = wanted(kind).ok_or_else(|| Stop::Failed(format!("{kind} is not a type of flags")))?;
        self.flag = Some(Asked { key: key.to_owned(), wanted, fallback: read(kind, fallback)? });
        Ok(true)
    }

    fn expect(&self, text: &str) -> Result<bool, Stop> {
        if let Some([expected]) = capture("the resolved details value should be {q}", text).as_deref() {
            return self.value_is(expected).map(|()| true);
        }
        for (pattern, found) in [
            ("the reason should be {q}", Self::reason as fn(&Self) -> Result<String, Stop>),
            ("the returned reason should be {q}", Self::reason),
            ("the variant should be {q}", Self::variant),
            ("the error-code should be {q}", Self::error_code),
            ("the flag key should be {q}", Self::key),
        ] {
            if let Some([expected]) = capture(pattern, text).as_deref() {
                let found = found(self)?;
                return same(found == *expected, format!("it is {found:?}")).map(|()| true);
            }
        }
        if let Some([part]) = capture("the error message should contain {q}", text).as_deref() {
            let details = self.evaluation()?.error_details.unwrap_or_default();
            return same(details.contains(part), format!("it is {details:?}")).map(|()| true);
        }
        if let Some([key, expected]) =
            capture("the metadata should contain key {q} with value {q}", text).as_deref()
        {
            let metadata = self.evaluation()?.metadata;
            let found =
                metadata.get(*key).map(|value| value.as_str().map_or(value.to_string(), str::to_owned));
            return same(found.as_deref() == Some(expected), format!("it is {found:?}")).map(|()| true);
        }
        Ok(false)
    }

    /// The wording of older suites.
    fn expect_older(&self, text: &str) -> Result<bool, Stop> {
        for pattern in ["the returned value should be {v}", "the resolved {w} value should be {v}"] {
            if let Some([.., expected]) = capture(pattern, text).as_deref() {
                return self.value_is(expected).map(|()| true);
            }
        }
        let details = "the resolved {w} details value should be {v}, the variant should be {q}, and the reason should be {q}";
        if let Some([_, value, variant, reason]) = capture(details, text).as_deref() {
            self.value_is(value)?;
            let found = (self.variant()?, self.reason()?);
            let fits = (found.0.as_str(), found.1.as_str()) == (*variant, *reason);
            return same(fits, format!("it is {found:?}")).map(|()| true);
        }
        Ok(false)
    }

    fn metadata_contains(&self, step: &Step) -> Result<(), Stop> {
        if let Some(text) = &step.docstring {
            let expected: Map<String, Value> =
                serde_json::from_str(text).map_err(|error| Stop::Failed(error.to_string()))?;
            let metadata = self.evaluation()?.metadata;
            let missing = expected.iter().find(|(key, value)| metadata.get(*key) != Some(value));
            return same(missing.is_none(), format!("the metadata lacks {missing:?}"));
        }
        let Some((header, rows)) = step.table.split_first() else {
            return Err(Stop::Failed("the step has no table".to_owned()));
        };
        let column = |name: &str| {
            let at = header.iter().position(|cell| cell == name);
            at.ok_or_else(|| Stop::Failed(format!("the table has no column {name:?}")))
        };
        let (key, kind, value) = (column("key")?, column("metadata_type")?, column("value")?);
        let metadata = self.evaluation()?.metadata;
        for row in rows {
            let (Some(key), Some(kind), Some(value)) = (row.get(key), row.get(kind), row.get(value)) else {
                return Err(Stop::Failed("a row of the table is too short".to_owned()));
            };
            let expected = read(kind, value)?;
            let found = metadata.get(key).unwrap_or(&Value::Null);
            same(equal(found, &expected), format!("{key} is {found}, not {expected}"))?;
        }
        Ok(())
    }

    fn value_is(&self, expected: &str) -> Result<(), Stop> {
        let asked = self.asked()?;
        let evaluation = self.evaluation()?;
        let found = evaluation.value.as_deref().unwrap_or(&asked.fallback);
        let expected = match asked.wanted {
            Wanted::Boolean => read("Boolean", expected)?,
            Wanted::String => read("String", expected)?,
            Wanted::Integer => read("Integer", expected)?,
            Wanted::Float => read("Float", expected)?,
            Wanted::Object => read("Object", expected)?,
        };
        same(equal(found, &expected), format!("it is {found}"))
    }

    fn evaluation(&self) -> Result<Evaluation, Stop> {
        let asked = self.asked()?;
        let context = Context::parse(Value::Object(self.context.clone()));
        let context = context.map_err(|error| Stop::Failed(error.to_string()))?;
        Ok(self.chosen.evaluate(&asked.key, None, &context, self.now).typed(asked.wanted))
    }

    fn asked(&self) -> Result<&Asked, Stop> {
        self.flag.as_ref().ok_or_else(|| Stop::Failed("no step says which flag is asked for".to_owned()))
    }

    fn reason(&self) -> Result<String, Stop> {
        Ok(self.evaluation()?.reason.to_string())
    }

    fn variant(&self) -> Result<String, Stop> {
        Ok(self.evaluation()?.variant.map(|name| name.to_string()).unwrap_or_default())
    }

    fn error_code(&self) -> Result<String, Stop> {
        Ok(self.evaluation()?.error_code.map(|code| code.to_string()).unwrap_or_default())
    }

    fn key(&self) -> Result<String, Stop> {
        Ok(self.asked()?.key.clone())
    }
}

fn same(holds: bool, why: String) -> Result<(), Stop> {
    if holds { Ok(()) } else { Err(Stop::Failed(why)) }
}

/// Equal as a caller sees it: 1 and 1.0 are the same number.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => {
            x == y || (x.is_f64() || y.is_f64()) && x.as_f64().zip(y.as_f64()).is_some_and(|(x, y)| x == y)
        }
        (Value::Object(x), Value::Object(y)) => {
            x.len() == y.len()
                && x.iter().all(|(key, value)| y.get(key).is_some_and(|other| equal(value, other)))
        }
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| equal(x, y)),
        _ => a == b,
    }
}

fn wanted(kind: &str) -> Option<Wanted> {
    Some(match kind.to_ascii_lowercase().as_str() {
        "boolean" => Wanted::Boolean,
        "string" => Wanted::String,
        "integer" => Wanted::Integer,
        "float" => Wanted::Float,
        "object" => Wanted::Object,
        _ => return None,
    })
}

/// A value of a named type, as a suite writes it.
fn read(kind: &str, text: &str) -> Result<Value, Stop> {
    let bad = || Stop::Failed(format!("{text:?} is not of type {kind}"));
    Ok(match wanted(kind).ok_or_else(|| Stop::Failed(format!("{kind} is not a type")))? {
        Wanted::Boolean => Value::Bool(text.parse().map_err(|_| bad())?),
        Wanted::String => Value::from(text),
        Wanted::Integer => Value::from(text.parse::<i64>().map_err(|_| bad())?),
        Wanted::Float => Value::from(text.parse::<f64>().map_err(|_| bad())?),
        Wanted::Object => {
            let value: Value = serde_json::from_str(&text.replace("\\\"", "\"")).map_err(|_| bad())?;
            if value.is_object() { value } else { return Err(bad()) }
        }
    })
}

/// A value without quotes in the older suites.
fn bare_value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}
