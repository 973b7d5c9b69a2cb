//! Targeting rules: JsonLogic with flagd's operators, compiled once into a tree and evaluated without parsing again.
//!
//! Not here: which variant a result means ([`crate::plan`]). Semantics follow <https://jsonlogic.com> (the JavaScript
//! implementation, coercions included) and <https://flagd.dev/reference/custom-operations/>.
//!
//! Invariants: evaluating a compiled rule never panics and ends after at most
//! [`MAX_EVALUATION_STEPS`](crate::limits::MAX_EVALUATION_STEPS); no rule is deeper than
//! [`MAX_TARGETING_DEPTH`](crate::limits::MAX_TARGETING_DEPTH), so recursion over one cannot exhaust the stack.

mod coerce;
mod compile;
mod eval;
mod evaluators;
mod fractional;
mod list;
mod murmur;
mod operators;
mod path;
mod version;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::Value;

pub(crate) use coerce::Val;
pub(crate) use compile::{Complaint, Severity, compile};
pub(crate) use eval::Run;
pub(crate) use evaluators::Evaluators;
pub(crate) use operators::did_you_mean;

use fractional::{Fractional, Rollout};
use path::Path;

/// A compiled rule. Variants name the operators; every child is compiled too.
#[derive(Clone, Debug)]
pub(crate) enum Expr {
    /// A value that stands for itself.
    Literal(Value),
    /// A list whose elements are computed.
    List(Vec<Expr>),
    /// `var` with a path that is written out, and what to answer when there is nothing there.
    Var(Path, Option<Box<Expr>>),
    /// `var` with a computed path.
    ComputedVar(Box<Expr>, Option<Box<Expr>>),
    /// `missing`.
    Missing(Vec<Expr>),
    /// `missing_some`: how many are needed, of which.
    MissingSome(Box<[Expr; 2]>),
    /// `if` and `?:`.
    If(Vec<Expr>),
    /// `and`.
    And(Vec<Expr>),
    /// `or`.
    Or(Vec<Expr>),
    /// `!`.
    Not(Box<Expr>),
    /// `!!`.
    Truthy(Box<Expr>),
    /// `==`, `===`, `!=`, `!==`.
    Equal(Equality, Box<[Expr; 2]>),
    /// `<`, `<=`, `>`, `>=`, with two operands or, as "between", three.
    Order(Order, Vec<Expr>),
    /// `+`, `-`, `*`, `/`, `%`, `min`, `max`.
    Arithmetic(Arithmetic, Vec<Expr>),
    /// `map`, `filter`, `all`, `none`, `some`: a list and what is done with each of its elements.
    Each(Each, Box<[Expr; 2]>, u64),
    /// `reduce`: a list, the step, the start.
    Reduce(Box<[Expr; 3]>, u64),
    /// `merge`.
    Merge(Vec<Expr>),
    /// `in`: a needle, a text or a list.
    In(Box<[Expr; 2]>),
    /// `cat`.
    Cat(Vec<Expr>),
    /// `substr`.
    Substr(Vec<Expr>),
    /// `fractional`.
    Fractional(Box<Fractional>),
    /// `rollout`.
    Rollout(Box<Rollout>),
    /// `sem_ver`: a version, an operator, a version.
    SemVer(Box<[Expr; 3]>),
    /// `starts_with`.
    StartsWith(Box<[Expr; 2]>),
    /// `ends_with`.
    EndsWith(Box<[Expr; 2]>),
    /// `lower`.
    Lower(Box<Expr>),
    /// `upper`.
    Upper(Box<Expr>),
    /// `$ref`: a shared evaluator.
    Shared(Arc<Expr>),
}

/// How equality is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Equality {
    /// With JavaScript's conversions.
    Loose,
    /// Of one type.
    Strict,
    /// Not loosely equal.
    NotLoose,
    /// Not strictly equal.
    NotStrict,
}

/// How order is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// What is computed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Arithmetic {
    /// `+`
    Add,
    /// `-`, also as a sign.
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
    /// `min`
    Min,
    /// `max`
    Max,
}

/// What is done with the elements of a list.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Each {
    /// Compute another.
    Map,
    /// Keep those for which it holds.
    Filter,
    /// It holds for each, and there is one.
    All,
    /// It holds for none.
    None,
    /// It holds for one.
    Some,
}
