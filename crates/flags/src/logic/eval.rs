//! Evaluates a compiled rule for one caller.

use std::borrow::Cow;
use std::cell::Cell;

use kernel::Timestamp;
use serde_json::{Map, Value};

use super::coerce::{Computed, Val};
use super::{Arithmetic, Equality, Expr, Order, list, path::Path, version};
use crate::limits::{MAX_EVALUATION_STEPS, MAX_TARGETING_DEPTH};

/// Texts and lists up to this size are compared without being counted: the common case costs nothing.
const UNCOUNTED: u64 = 256;

/// The rule took more than [`MAX_EVALUATION_STEPS`], or computed lists within lists too deep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the targeting rule took more than {MAX_EVALUATION_STEPS} steps")]
pub(crate) struct Exhausted;

/// One evaluation: who asks, about which flag, when.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(crate) attributes: &'a Map<String, Value>,
    pub(crate) flag_key: &'a str,
    pub(crate) now: Timestamp,
    /// The seed of the hash that assigns callers to fractions.
    pub(crate) seed: u32,
    steps: Cell<u64>,
}

/// What `var` looks at: the whole context, an element of a list, or a step of `reduce`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scope<'s, 'a> {
    /// The context.
    Root,
    /// An element.
    Item(&'s Val<'a>),
    /// `reduce`.
    Step {
        /// The element.
        current: &'s Val<'a>,
        /// What came out of the step before.
        accumulator: &'s Val<'a>,
    },
}

pub(crate) type Outcome<'a> = Result<Val<'a>, Exhausted>;

// === impl Scope ===

impl<'a> Scope<'_, 'a> {
    /// Everything in scope. The pair of a `reduce` step cannot be had as one value.
    pub(crate) fn whole(self) -> Val<'a> {
        match self {
            Self::Item(item) => item.clone(),
            Self::Root | Self::Step { .. } => Val::Null,
        }
    }
}

// === impl Run ===

impl<'a> Run<'a> {
    pub(crate) const fn new(
        attributes: &'a Map<String, Value>,
        flag_key: &'a str,
        now: Timestamp,
        seed: u32,
    ) -> Self {
        Self { attributes, flag_key, now, seed, steps: Cell::new(MAX_EVALUATION_STEPS) }
    }

    /// Evaluates a whole rule.
    pub(crate) fn evaluate(&self, rule: &'a Expr) -> Outcome<'a> {
        self.eval(rule, Scope::Root)
    }

    /// `$flagd.timestamp`: whole seconds since the epoch.
    #[allow(clippy::cast_precision_loss, reason = "seconds stay far below 2⁵³")]
    pub(crate) fn timestamp_seconds(&self) -> f64 {
        self.now.as_secs() as f64
    }

    /// Takes `steps` off what is left.
    pub(crate) fn charge(&self, steps: u64) -> Result<(), Exhausted> {
        let left = self.steps.get().checked_sub(steps).ok_or(Exhausted)?;
        self.steps.set(left);
        Ok(())
    }

    /// A computed list, counted.
    pub(crate) fn list(&self, items: Vec<Val<'a>>) -> Outcome<'a> {
        let list = Computed::new(items);
        self.charge(list.weight())?;
        if list.depth() as usize > MAX_TARGETING_DEPTH {
            return Err(Exhausted);
        }
        Ok(Val::Owned(list))
    }

    /// A computed text, counted.
    pub(crate) fn text(&self, text: String) -> Outcome<'a> {
        self.charge(text.len() as u64)?;
        Ok(Val::Text(Cow::Owned(text)))
    }

    pub(crate) fn eval(&self, expr: &'a Expr, scope: Scope<'_, 'a>) -> Outcome<'a> {
        // What most rules are made of; the rest stands apart so that the frame of this recursion stays small.
        match expr {
            Expr::Literal(value) => Ok(Val::from(value)),
            Expr::Var(path, None) => Ok(path.look(self, scope)),
            Expr::If(branches) => self.branch(branches, scope),
            Expr::And(operands) => self.first(operands, scope, false),
            Expr::Or(operands) => self.first(operands, scope, true),
            Expr::Equal(how, operands) => self.equal(*how, operands, scope).map(Val::Bool),
            Expr::In(operands) => list::contains(self, operands, scope),
            Expr::Fractional(fractional) => fractional.eval(self, scope),
            Expr::Shared(rule) => self.eval(rule, scope),
            other => self.operate(other, scope),
        }
    }

    #[inline(never)]
    fn operate(&self, expr: &'a Expr, scope: Scope<'_, 'a>) -> Outcome<'a> {
        Ok(match expr {
            Expr::List(items) => self.list(self.all(items, scope)?)?,
            Expr::Var(path, default) => self.or_default(path.look(self, scope), default.as_deref(), scope)?,
            Expr::ComputedVar(path, default) => {
                let path = Path::parse(&self.eval(path, scope)?.to_text());
                self.or_default(path.look(self, scope), default.as_deref(), scope)?
            }
            Expr::Missing(keys) => self.missing(keys, scope)?,
            Expr::MissingSome(arguments) => self.missing_some(arguments, scope)?,
            Expr::Not(operand) => Val::Bool(!self.eval(operand, scope)?.is_truthy()),
            Expr::Truthy(operand) => Val::Bool(self.eval(operand, scope)?.is_truthy()),
            Expr::Order(how, operands) => Val::Bool(self.ordered(*how, operands, scope)?),
            Expr::Arithmetic(what, operands) => self.compute(*what, operands, scope)?,
            Expr::Each(what, arguments, cost) => list::each(self, *what, arguments, *cost, scope)?,
            Expr::Reduce(arguments, cost) => list::reduce(self, arguments, *cost, scope)?,
            Expr::Merge(operands) => list::merge(self, operands, scope)?,
            Expr::Cat(operands) => self.cat(operands, scope)?,
            Expr::Substr(operands) => self.substr(operands, scope)?,
            Expr::Rollout(rollout) => rollout.eval(self, scope)?,
            Expr::SemVer(operands) => {
                let [left, operator, right] = &**operands;
                let (left, operator) = (self.eval(left, scope)?, self.eval(operator, scope)?);
                version::compare(&left, &operator, &self.eval(right, scope)?).map_or(Val::Null, Val::Bool)
            }
            Expr::StartsWith(operands) => self.texts(operands, scope, |text, part| text.starts_with(part))?,
            Expr::EndsWith(operands) => self.texts(operands, scope, |text, part| text.ends_with(part))?,
            Expr::Lower(operand) => self.cased(operand, scope, str::to_ascii_lowercase)?,
            Expr::Upper(operand) => self.cased(operand, scope, str::to_ascii_uppercase)?,
            Expr::Literal(_)
            | Expr::If(_)
            | Expr::And(_)
            | Expr::Or(_)
            | Expr::Equal(..)
            | Expr::In(_)
            | Expr::Fractional(_)
            | Expr::Shared(_) => self.eval(expr, scope)?,
        })
    }

    pub(crate) fn all(&self, items: &'a [Expr], scope: Scope<'_, 'a>) -> Result<Vec<Val<'a>>, Exhausted> {
        items.iter().map(|item| self.eval(item, scope)).collect()
    }

    fn or_default(&self, found: Val<'a>, default: Option<&'a Expr>, scope: Scope<'_, 'a>) -> Outcome<'a> {
        match (found, default) {
            (Val::Null, Some(default)) => self.eval(default, scope),
            (found, _) => Ok(found),
        }
    }

    fn branch(&self, branches: &'a [Expr], scope: Scope<'_, 'a>) -> Outcome<'a> {
        let mut rest = branches;
        loop {
            match rest {
                [] => return Ok(Val::Null),
                [otherwise] => return self.eval(otherwise, scope),
                [condition, then, tail @ ..] => {
                    if self.eval(condition, scope)?.is_truthy() {
                        return self.eval(then, scope);
                    }
                    rest = tail;
                }
            }
        }
    }

    /// The first operand whose truth is `wanted`, or else the last.
    fn first(&self, operands: &'a [Expr], scope: Scope<'_, 'a>, wanted: bool) -> Outcome<'a> {
        let mut last = Val::Null;
        for operand in operands {
            last = self.eval(operand, scope)?;
            if last.is_truthy() == wanted {
                break;
            }
        }
        Ok(last)
    }

    fn equal(&self, how: Equality, operands: &'a [Expr; 2], scope: Scope<'_, 'a>) -> Result<bool, Exhausted> {
        let [left, right] = operands;
        let (left, right) = (self.eval(left, scope)?, self.eval(right, scope)?);
        let size = left.size().min(right.size());
        if size > UNCOUNTED {
            self.charge(size)?;
        }
        Ok(match how {
            Equality::Loose => left.loosely_equals(&right),
            Equality::Strict => left.strictly_equals(&right),
            Equality::NotLoose => !left.loosely_equals(&right),
            Equality::NotStrict => !left.strictly_equals(&right),
        })
    }

    fn ordered(&self, how: Order, operands: &'a [Expr], scope: Scope<'_, 'a>) -> Result<bool, Exhausted> {
        let mut left: Option<Val<'a>> = None;
        for operand in operands {
            let right = self.eval(operand, scope)?;
            if left.as_ref().is_some_and(|left| !in_order(how, left, &right)) {
                return Ok(false);
            }
            left = Some(right);
        }
        Ok(operands.len() > 1)
    }

    fn compute(&self, what: Arithmetic, operands: &'a [Expr], scope: Scope<'_, 'a>) -> Outcome<'a> {
        let values = self.all(operands, scope)?;
        Ok(Val::Number(match (what, values.as_slice()) {
            (Arithmetic::Add, values) => values.iter().map(Val::parse_float).sum(),
            (Arithmetic::Multiply, values) => values.iter().map(Val::parse_float).product(),
            (Arithmetic::Subtract, [only]) => -only.to_number(),
            (Arithmetic::Subtract, [left, right, ..]) => left.to_number() - right.to_number(),
            (Arithmetic::Divide, [left, right, ..]) => left.to_number() / right.to_number(),
            (Arithmetic::Remainder, [left, right, ..]) => left.to_number() % right.to_number(),
            (Arithmetic::Min, [first, rest @ ..]) => rest.iter().fold(first.to_number(), |least, value| {
                let value = value.to_number();
                if value < least || value.is_nan() { value } else { least }
            }),
            (Arithmetic::Max, [first, rest @ ..]) => rest.iter().fold(first.to_number(), |most, value| {
                let value = value.to_number();
                if value > most || value.is_nan() { value } else { most }
            }),
            _ => return Ok(Val::Null),
        }))
    }

    fn cat(&self, operands: &'a [Expr], scope: Scope<'_, 'a>) -> Outcome<'a> {
        let mut text = String::new();
        for operand in operands {
            let piece = self.eval(operand, scope)?;
            self.charge(piece.size())?;
            text.push_str(&piece.to_text());
        }
        self.text(text)
    }

    /// JavaScript's `substr`, with JsonLogic's reading of a negative length: that many fewer from the end. Counts
    /// characters.
    fn substr(&self, operands: &'a [Expr], scope: Scope<'_, 'a>) -> Outcome<'a> {
        let values = self.all(operands, scope)?;
        let [text, start, rest @ ..] = values.as_slice() else { return Ok(Val::Null) };
        let text = text.to_text();
        let count = text.chars().count();
        let whole = |value: &Val<'_>| {
            let n = value.to_number();
            // Saturates; NaN is 0, as in JavaScript.
            n as i64
        };
        let from_end = |n: i64| usize::try_from(n.unsigned_abs()).map_or(0, |n| count.saturating_sub(n));
        let start = match whole(start) {
            n @ ..0 => from_end(n),
            n => usize::try_from(n).unwrap_or(count).min(count),
        };
        let end = match rest.first() {
            None | Some(Val::Null) => count,
            Some(length) => match whole(length) {
                n @ ..0 => from_end(n),
                n => start.saturating_add(usize::try_from(n).unwrap_or(count)).min(count),
            },
        };
        self.text(text.chars().skip(start).take(end.saturating_sub(start)).collect())
    }

    fn missing(&self, keys: &'a [Expr], scope: Scope<'_, 'a>) -> Outcome<'a> {
        let values = self.all(keys, scope)?;
        let keys = values.first().and_then(Val::elements).unwrap_or(values);
        self.list(self.absent(keys, scope)?)
    }

    fn missing_some(&self, arguments: &'a [Expr; 2], scope: Scope<'_, 'a>) -> Outcome<'a> {
        let [needed, keys] = arguments;
        let needed = self.eval(needed, scope)?.to_number();
        let keys = self.eval(keys, scope)?.elements().unwrap_or_default();
        let count = keys.len();
        let absent = self.absent(keys, scope)?;
        let there = u32::try_from(count - absent.len()).map_or(f64::INFINITY, f64::from);
        self.list(if there >= needed { Vec::new() } else { absent })
    }

    /// Those keys where `var` finds nothing, or an empty text.
    fn absent(&self, keys: Vec<Val<'a>>, scope: Scope<'_, 'a>) -> Result<Vec<Val<'a>>, Exhausted> {
        self.charge(keys.len() as u64)?;
        let is_absent = |key: &Val<'a>| {
            let found = Path::parse(&key.to_text()).look(self, scope);
            matches!(&found, Val::Null) || found.as_text() == Some("")
        };
        Ok(keys.into_iter().filter(is_absent).collect())
    }

    fn texts(
        &self,
        operands: &'a [Expr; 2],
        scope: Scope<'_, 'a>,
        test: fn(&str, &str) -> bool,
    ) -> Outcome<'a> {
        let [text, part] = operands;
        let (text, part) = (self.eval(text, scope)?, self.eval(part, scope)?);
        Ok(match (text.as_text(), part.as_text()) {
            (Some(text), Some(part)) => Val::Bool(test(text, part)),
            _ => Val::Null,
        })
    }

    fn cased(&self, operand: &'a Expr, scope: Scope<'_, 'a>, change: fn(&str) -> String) -> Outcome<'a> {
        match self.eval(operand, scope)?.as_text() {
            Some(text) => self.text(change(text)),
            None => Ok(Val::Null),
        }
    }
}

fn in_order(how: Order, left: &Val<'_>, right: &Val<'_>) -> bool {
    if let (Some(left), Some(right)) = (left.as_text(), right.as_text()) {
        return match how {
            Order::Less => left < right,
            Order::LessOrEqual => left <= right,
            Order::Greater => left > right,
            Order::GreaterOrEqual => left >= right,
        };
    }
    let (left, right) = (left.to_number(), right.to_number());
    match how {
        Order::Less => left < right,
        Order::LessOrEqual => left <= right,
        Order::Greater => left > right,
        Order::GreaterOrEqual => left >= right,
    }
}
