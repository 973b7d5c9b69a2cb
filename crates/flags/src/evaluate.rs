//! Evaluation: which variant a caller gets, and why. As flagd answers, word for word, where flagd has an answer:
//! <https://flagd.dev/reference/specifications/providers/>, <https://openfeature.dev/specification/types>.
//!
//! | case | reason | value |
//! |---|---|---|
//! | no such flag | ERROR, FLAG_NOT_FOUND | none |
//! | disabled, or a prerequisite does not hold | DISABLED | none: the caller's own default |
//! | no targeting | STATIC | the default variant's |
//! | no targeting and no default variant | DEFAULT | none: the caller's own default |
//! | targeting answers null | DEFAULT | the default variant's, if there is one |
//! | targeting answers a variant | TARGETING_MATCH | that variant's |
//! | targeting answers something else | ERROR, GENERAL | none |
//! | the rule cannot be read | ERROR, PARSE_ERROR | none |
//!
//! A fractional assignment is a TARGETING_MATCH, as in flagd; SPLIT is never answered.

use std::fmt;
use std::sync::Arc;

use kernel::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::logic::{Run, Val};
use crate::plan::{Plan, Rule, Setting};
use crate::spec::FlagState;
use crate::state::State;

/// The attribute of the context that names the caller.
pub const TARGETING_KEY: &str = "targetingKey";

/// Who asks: the attributes that rules look at. Prepared once, used for any number of evaluations.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Context {
    attributes: Map<String, Value>,
}

/// What a caller gets.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// The value; `None`: the caller uses the default of its own code.
    pub value: Option<Arc<Value>>,
    /// The variant, where there is a value.
    pub variant: Option<Arc<str>>,
    /// Why.
    pub reason: Reason,
    /// What went wrong; only with [`Reason::Error`].
    pub error_code: Option<ErrorCode>,
    /// More words on what went wrong, or on which prerequisite does not hold.
    pub error_details: Option<Arc<str>>,
    /// The flag set's metadata with the flag's on top.
    pub metadata: Arc<Map<String, Value>>,
}

/// OpenFeature's resolution reasons, as far as they are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    /// The flag has no targeting.
    Static,
    /// Targeting had no say.
    Default,
    /// Targeting chose.
    TargetingMatch,
    /// The flag is disabled.
    Disabled,
    /// It could not be evaluated.
    Error,
}

/// OpenFeature's error codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorCode {
    /// There is no such flag.
    FlagNotFound,
    /// The value is not of the type that was asked for.
    TypeMismatch,
    /// The targeting rule cannot be read.
    ParseError,
    /// The request lacks a targeting key where one is needed.
    TargetingKeyMissing,
    /// The context is not one.
    InvalidContext,
    /// Something else, such as a rule that answers no variant.
    General,
}

/// The type a caller asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// true or false.
    Boolean,
    /// A text.
    String,
    /// A number without a fraction.
    Integer,
    /// Any number.
    Float,
    /// A JSON object.
    Object,
}

/// A context that is not one. Answered as [`ErrorCode::InvalidContext`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidContext(String);

// === impl Context ===

impl Context {
    /// A context with these attributes.
    pub const fn new(attributes: Map<String, Value>) -> Self {
        Self { attributes }
    }

    /// Reads a context as callers send it.
    ///
    /// # Errors
    /// It is not an object, or its `targetingKey` is there and not a text.
    pub fn parse(value: Value) -> Result<Self, InvalidContext> {
        match value {
            Value::Object(attributes) => match attributes.get(TARGETING_KEY) {
                None | Some(Value::String(_) | Value::Null) => Ok(Self { attributes }),
                Some(other) => Err(InvalidContext(format!("targetingKey is a text, not {other}"))),
            },
            _ => Err(InvalidContext("the context is a JSON object".to_owned())),
        }
    }

    /// The same context with one more attribute.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.attributes.insert(name.into(), value.into());
        self
    }

    /// Who the caller is, for assignment to fractions.
    pub fn targeting_key(&self) -> Option<&str> {
        self.attributes.get(TARGETING_KEY).and_then(Value::as_str)
    }

    /// Every attribute.
    pub const fn attributes(&self) -> &Map<String, Value> {
        &self.attributes
    }
}

// === impl State: evaluation ===

impl State {
    /// What `context` gets from the flag `key` in `environment` at `now`. An environment that the flag has nothing to
    /// say about is served the flag as it stands.
    pub fn evaluate(
        &self,
        key: &str,
        environment: Option<&str>,
        context: &Context,
        now: Timestamp,
    ) -> Evaluation {
        match self.plan(key) {
            Some(plan) => self.evaluate_plan(plan, environment, context, now),
            None => {
                let details = format!("there is no flag `{key}`");
                Evaluation::error(ErrorCode::FlagNotFound, details.into(), Arc::default())
            }
        }
    }

    /// What `context` gets from every flag, in order of key.
    pub fn evaluate_all<'s>(
        &'s self,
        environment: Option<&'s str>,
        context: &'s Context,
        now: Timestamp,
    ) -> impl Iterator<Item = (&'s str, Evaluation)> {
        self.flags().filter_map(move |flag| {
            let plan = self.plan(&flag.name)?;
            Some((&*flag.name, self.evaluate_plan(plan, environment, context, now)))
        })
    }

    fn evaluate_plan(
        &self,
        plan: &Plan,
        environment: Option<&str>,
        context: &Context,
        now: Timestamp,
    ) -> Evaluation {
        let setting = plan.setting(environment);
        if setting.state == FlagState::Disabled {
            return Evaluation::empty(Reason::Disabled, None, plan);
        }
        for prerequisite in &plan.prerequisites {
            // Prerequisites form no cycle, and how many there are in all is limited when a flag is defined.
            let other = self.evaluate(&prerequisite.flag, environment, context, now);
            let holds = other
                .variant
                .is_some_and(|found| prerequisite.variants.iter().any(|wanted| wanted.as_str() == &*found));
            if !holds {
                let details = format!("the prerequisite `{}` does not hold", prerequisite.flag);
                return Evaluation::empty(Reason::Disabled, Some(details.into()), plan);
            }
        }
        match &setting.rule {
            Rule::None => Evaluation::by_default(Reason::Static, setting, plan),
            Rule::Broken(why) => Evaluation::error(ErrorCode::ParseError, why.clone(), plan.metadata.clone()),
            Rule::Compiled(rule) => {
                let run = Run::new(&context.attributes, &plan.key, now, plan.seed);
                match run.evaluate(rule) {
                    Ok(answer) => Evaluation::answered(&answer, setting, plan),
                    Err(exhausted) => Evaluation::error(
                        ErrorCode::General,
                        exhausted.to_string().into(),
                        plan.metadata.clone(),
                    ),
                }
            }
        }
    }
}

// === impl Evaluation ===

impl Evaluation {
    /// The same evaluation for a caller that asks for a type: a value of another type is a TYPE_MISMATCH.
    #[must_use]
    pub fn typed(self, wanted: Wanted) -> Self {
        match &self.value {
            Some(value) if !wanted.admits(value) => {
                let details = format!("the value {value} is not {wanted}");
                Self::error(ErrorCode::TypeMismatch, details.into(), self.metadata)
            }
            _ => self,
        }
    }

    fn answered(answer: &Val<'_>, setting: &Setting, plan: &Plan) -> Self {
        let found = match answer {
            Val::Null => return Self::by_default(Reason::Default, setting, plan),
            // What JSON cannot say is null, in JavaScript as in flagd.
            Val::Number(n) if !n.is_finite() => return Self::by_default(Reason::Default, setting, plan),
            Val::Text(name) => plan.variant(name),
            Val::Bool(_) | Val::Number(_) => plan.variant(&answer.to_text()),
            Val::Borrowed(_) | Val::Owned(_) | Val::Object(_) => None,
        };
        match found {
            Some((name, value)) => Self {
                value: Some(value.clone()),
                variant: Some(name.clone()),
                ..Self::empty(Reason::TargetingMatch, None, plan)
            },
            None => {
                let details = format!("targeting answered `{}`, which is not a variant", answer.to_text());
                Self::error(ErrorCode::General, details.into(), plan.metadata.clone())
            }
        }
    }

    fn by_default(reason: Reason, setting: &Setting, plan: &Plan) -> Self {
        match setting.default.as_deref().and_then(|name| plan.variant(name)) {
            Some((name, value)) => Self {
                value: Some(value.clone()),
                variant: Some(name.clone()),
                ..Self::empty(reason, None, plan)
            },
            None => Self::empty(Reason::Default, None, plan),
        }
    }

    fn empty(reason: Reason, details: Option<Arc<str>>, plan: &Plan) -> Self {
        Self {
            value: None,
            variant: None,
            reason,
            error_code: None,
            error_details: details,
            metadata: plan.metadata.clone(),
        }
    }

    fn error(code: ErrorCode, details: Arc<str>, metadata: Arc<Map<String, Value>>) -> Self {
        Self {
            value: None,
            variant: None,
            reason: Reason::Error,
            error_code: Some(code),
            error_details: Some(details),
            metadata,
        }
    }
}

// === impl Reason ===

impl Reason {
    /// As OpenFeature writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Static => "STATIC",
            Self::Default => "DEFAULT",
            Self::TargetingMatch => "TARGETING_MATCH",
            Self::Disabled => "DISABLED",
            Self::Error => "ERROR",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

// === impl ErrorCode ===

impl ErrorCode {
    /// As OpenFeature writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FlagNotFound => "FLAG_NOT_FOUND",
            Self::TypeMismatch => "TYPE_MISMATCH",
            Self::ParseError => "PARSE_ERROR",
            Self::TargetingKeyMissing => "TARGETING_KEY_MISSING",
            Self::InvalidContext => "INVALID_CONTEXT",
            Self::General => "GENERAL",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

// === impl Wanted ===

impl Wanted {
    fn admits(self, value: &Value) -> bool {
        match self {
            Self::Boolean => value.is_boolean(),
            Self::String => value.is_string(),
            Self::Integer => value.as_f64().is_some_and(|n| n.fract() == 0.0),
            Self::Float => value.is_number(),
            Self::Object => value.is_object(),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Boolean => "a boolean",
            Self::String => "a string",
            Self::Integer => "an integer",
            Self::Float => "a number",
            Self::Object => "an object",
        })
    }
}
