//! Turns a rule written as JSON into an [`Expr`], and says what is wrong with it.
//!
//! Three kinds of findings: a [`Severity::Limit`] is always refused; a [`Severity::Broken`] rule cannot be evaluated, as
//! in flagd (PARSE_ERROR); a [`Severity::Doubtful`] part always answers null, as in flagd, which nobody means.

mod assign;

use std::sync::Arc;

use serde_json::{Map, Value};

use super::evaluators::{Evaluators, Known, Lookup};
use super::fractional::Bucket;
use super::operators::{OPERATORS, did_you_mean};
use super::path::Path;
use super::{Arithmetic, Each, Equality, Expr, Order};
use crate::check::depth;
use crate::limits::{MAX_TARGETING_DEPTH, MAX_TARGETING_JSON_DEPTH, MAX_TARGETING_NODES};

/// Something wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Complaint {
    /// Where in the rule, as a JSON pointer.
    pub(crate) path: String,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    pub(crate) severity: Severity,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// It always answers null.
    Doubtful,
    /// The rule cannot be evaluated.
    Broken,
    /// A limit is exceeded, or evaluators refer to each other in a circle.
    Limit,
}

/// A compiled rule and what is wrong with it.
#[derive(Clone, Debug)]
pub(crate) struct Compiled {
    /// The rule, or why it cannot be evaluated.
    pub(crate) rule: Result<Arc<Expr>, String>,
    pub(crate) complaints: Vec<Complaint>,
    nodes: usize,
    depth: usize,
}

/// Compiles a rule that may refer to `evaluators`.
pub(crate) fn compile(rule: &Value, evaluators: &Evaluators) -> Compiled {
    let mut known = Known(evaluators);
    Compiler::new(&mut known).finish(rule)
}

// === impl Compiled ===

impl Compiled {
    /// The texts and truth values that the rule can answer by itself, as variant names. What is computed from the
    /// context is not among them.
    pub(crate) fn outcomes(&self) -> Vec<String> {
        let mut found = Vec::new();
        if let Ok(rule) = &self.rule {
            outcomes(rule, &mut found);
        }
        found
    }
}

/// A rule being compiled.
pub(super) struct Compiler<'l> {
    lookup: &'l mut dyn Lookup,
    nodes: usize,
    deepest: usize,
    path: Vec<String>,
    complaints: Vec<Complaint>,
}

// === impl Compiler ===

impl<'l> Compiler<'l> {
    pub(super) fn new(lookup: &'l mut dyn Lookup) -> Self {
        Self { lookup, nodes: 0, deepest: 0, path: Vec::new(), complaints: Vec::new() }
    }

    pub(super) fn finish(mut self, rule: &Value) -> Compiled {
        let compiled = if depth(rule) > MAX_TARGETING_JSON_DEPTH {
            self.complain(Severity::Limit, too_deep(), None);
            None
        } else {
            self.expr(rule, 1)
        };
        let why = || {
            let worst = self.complaints.iter().max_by_key(|complaint| complaint.severity);
            worst.map_or_else(String::new, |complaint| complaint.message.clone())
        };
        let broken = self.complaints.iter().any(|complaint| complaint.severity >= Severity::Broken);
        let rule = match compiled {
            Some(expr) if !broken => Ok(Arc::new(expr)),
            _ => Err(why()),
        };
        Compiled { rule, complaints: self.complaints, nodes: self.nodes, depth: self.deepest }
    }

    /// `None` when there is nothing to evaluate; then a complaint says why.
    fn expr(&mut self, rule: &Value, depth: usize) -> Option<Expr> {
        self.count(1, depth)?;
        match rule {
            Value::Object(map) => match one_entry(map) {
                Some((operator, operands)) => {
                    self.path.push(operator.clone());
                    let expr = self.operation(operator, operands, depth);
                    self.path.pop();
                    expr
                }
                None => Some(Expr::Literal(rule.clone())),
            },
            Value::Array(items) => {
                let items = self.exprs(items, depth + 1)?;
                Some(if items.iter().all(|item| matches!(item, Expr::Literal(_))) {
                    Expr::Literal(rule.clone())
                } else {
                    Expr::List(items)
                })
            }
            _ => Some(Expr::Literal(rule.clone())),
        }
    }

    fn exprs(&mut self, rules: &[Value], depth: usize) -> Option<Vec<Expr>> {
        let mut compiled = Vec::with_capacity(rules.len());
        let mut whole = true;
        for (at, rule) in rules.iter().enumerate() {
            self.path.push(at.to_string());
            match self.expr(rule, depth) {
                Some(expr) => compiled.push(expr),
                None => whole = false,
            }
            self.path.pop();
            if self.nodes > MAX_TARGETING_NODES {
                return None;
            }
        }
        whole.then_some(compiled)
    }

    fn operation(&mut self, operator: &str, operands: &Value, depth: usize) -> Option<Expr> {
        match operator {
            "var" => return self.var(operands, depth),
            "$ref" => return self.reference(operands, depth),
            "fractional" => return self.fractional(operands, depth),
            _ => {}
        }
        let listed = match operands {
            Value::Array(list) => list.as_slice(),
            single => std::slice::from_ref(single),
        };
        if !OPERATORS.contains(&operator) {
            let hint = did_you_mean(operator, OPERATORS);
            self.complain(Severity::Broken, format!("`{operator}` is not an operator"), Some(hint));
            return None;
        }
        let before = self.nodes;
        let operands = self.exprs(listed, depth + 1)?;
        let cost = (self.nodes - before) as u64;
        let operands = match simple(operator, operands) {
            Ok(expr) => return Some(expr),
            Err(operands) => operands,
        };
        Some(match operator {
            "map" => Expr::Each(Each::Map, exactly(operands), cost),
            "filter" => Expr::Each(Each::Filter, exactly(operands), cost),
            "all" => Expr::Each(Each::All, exactly(operands), cost),
            "none" => Expr::Each(Each::None, exactly(operands), cost),
            "some" => Expr::Each(Each::Some, exactly(operands), cost),
            "reduce" => Expr::Reduce(exactly(operands), cost),
            "sem_ver" => self.sem_ver(operands),
            "starts_with" => {
                self.counted(operator, operands, |operands| Expr::StartsWith(Box::new(operands)))
            }
            "ends_with" => self.counted(operator, operands, |operands| Expr::EndsWith(Box::new(operands))),
            "lower" => self.counted(operator, operands, |[only]: [Expr; 1]| Expr::Lower(Box::new(only))),
            "upper" => self.counted(operator, operands, |[only]: [Expr; 1]| Expr::Upper(Box::new(only))),
            // Only `rollout` is left of the known operators.
            _ => self.rollout(operands),
        })
    }

    fn var(&mut self, operands: &Value, depth: usize) -> Option<Expr> {
        let (path, default) = match operands {
            Value::Array(list) => (list.first().unwrap_or(&Value::Null), list.get(1)),
            single => (single, None),
        };
        let default = match default {
            Some(default) => Some(Box::new(self.expr(default, depth + 1)?)),
            None => None,
        };
        let path = match path {
            Value::String(text) => Path::parse(text),
            Value::Null => Path::Whole,
            Value::Number(index) => Path::parse(&index.to_string()),
            computed => return Some(Expr::ComputedVar(Box::new(self.expr(computed, depth + 1)?), default)),
        };
        self.count(1, depth + 1)?;
        Some(Expr::Var(path, default))
    }

    fn reference(&mut self, operands: &Value, depth: usize) -> Option<Expr> {
        let Some(name) = operands.as_str() else {
            self.complain(Severity::Broken, "`$ref` takes the name of an evaluator".to_owned(), None);
            return None;
        };
        match self.lookup.find(name) {
            Ok(shared) => {
                self.count(shared.nodes, depth + shared.depth)?;
                match shared.rule {
                    Ok(rule) => Some(Expr::Shared(rule)),
                    Err(why) => {
                        let worst = shared.complaints.iter().map(|complaint| complaint.severity).max();
                        let message = format!("the evaluator `{name}` cannot be evaluated: {why}");
                        self.complain(worst.unwrap_or(Severity::Broken), message, None);
                        None
                    }
                }
            }
            Err((severity, message, hint)) => {
                self.complain(severity, message, hint);
                None
            }
        }
    }

    /// An operator of flagd that answers null unless it has `N` operands.
    fn counted<const N: usize>(
        &mut self,
        operator: &str,
        operands: Vec<Expr>,
        build: impl FnOnce([Expr; N]) -> Expr,
    ) -> Expr {
        match <[Expr; N]>::try_from(operands) {
            Ok(operands) => build(operands),
            Err(operands) => self.miscounted(operator, operands.len(), N),
        }
    }

    fn miscounted(&mut self, operator: &str, found: usize, wanted: usize) -> Expr {
        self.doubt(&format!("`{operator}` takes {wanted} operands, here it has {found}"));
        Expr::Literal(Value::Null)
    }

    fn doubt(&mut self, message: &str) {
        self.complain(Severity::Doubtful, format!("{message}; it always answers null"), None);
    }

    fn complain(&mut self, severity: Severity, message: String, hint: Option<String>) {
        let escaped = self.path.iter().map(|key| key.replace('~', "~0").replace('/', "~1"));
        let path = escaped.fold(String::new(), |path, key| path + "/" + &key);
        self.complaints.push(Complaint { path, message, hint, severity });
    }

    fn count(&mut self, nodes: usize, depth: usize) -> Option<()> {
        self.nodes = self.nodes.saturating_add(nodes);
        self.deepest = self.deepest.max(depth);
        let message = if depth > MAX_TARGETING_DEPTH {
            too_deep()
        } else if self.nodes > MAX_TARGETING_NODES {
            format!(
                "the rule has more than {MAX_TARGETING_NODES} nodes, shared evaluators counted at every use"
            )
        } else {
            return Some(());
        };
        if !self.complaints.iter().any(|complaint| complaint.severity == Severity::Limit) {
            let hint = "compute less in the rule, and more in the context".to_owned();
            self.complain(Severity::Limit, message, Some(hint));
        }
        None
    }
}

/// The operators that only gather their operands; those of another operator are handed back.
fn simple(operator: &str, operands: Vec<Expr>) -> Result<Expr, Vec<Expr>> {
    let order =
        |order: Order, operands: Vec<Expr>| Expr::Order(order, operands.into_iter().take(3).collect());
    Ok(match operator {
        "if" | "?:" => Expr::If(operands),
        "and" => Expr::And(operands),
        "or" => Expr::Or(operands),
        "!" => Expr::Not(only(operands)),
        "!!" => Expr::Truthy(only(operands)),
        "==" => Expr::Equal(Equality::Loose, exactly(operands)),
        "===" => Expr::Equal(Equality::Strict, exactly(operands)),
        "!=" => Expr::Equal(Equality::NotLoose, exactly(operands)),
        "!==" => Expr::Equal(Equality::NotStrict, exactly(operands)),
        "<" => order(Order::Less, operands),
        "<=" => order(Order::LessOrEqual, operands),
        ">" => order(Order::Greater, operands),
        ">=" => order(Order::GreaterOrEqual, operands),
        "+" => Expr::Arithmetic(Arithmetic::Add, operands),
        "-" => Expr::Arithmetic(Arithmetic::Subtract, operands),
        "*" => Expr::Arithmetic(Arithmetic::Multiply, operands),
        "/" => Expr::Arithmetic(Arithmetic::Divide, operands),
        "%" => Expr::Arithmetic(Arithmetic::Remainder, operands),
        "min" => Expr::Arithmetic(Arithmetic::Min, operands),
        "max" => Expr::Arithmetic(Arithmetic::Max, operands),
        "merge" => Expr::Merge(operands),
        "in" => Expr::In(exactly(operands)),
        "cat" => Expr::Cat(operands),
        "substr" => Expr::Substr(operands),
        "missing" => Expr::Missing(operands),
        "missing_some" => Expr::MissingSome(exactly(operands)),
        // Nothing is logged: the operator answers its operand.
        "log" => *only(operands),
        _ => return Err(operands),
    })
}

fn only(operands: Vec<Expr>) -> Box<Expr> {
    Box::new(operands.into_iter().next().unwrap_or(Expr::Literal(Value::Null)))
}

/// The first `N` operands; what is missing is null, as in JavaScript.
fn exactly<const N: usize>(operands: Vec<Expr>) -> Box<[Expr; N]> {
    let mut operands = operands.into_iter();
    Box::new(std::array::from_fn(|_| operands.next().unwrap_or(Expr::Literal(Value::Null))))
}

fn one_entry(map: &Map<String, Value>) -> Option<(&String, &Value)> {
    let mut entries = map.iter();
    entries.next().filter(|_| entries.next().is_none())
}

fn outcomes(expr: &Expr, found: &mut Vec<String>) {
    match expr {
        Expr::Literal(Value::String(text)) => found.push(text.clone()),
        Expr::Literal(Value::Bool(truth)) => found.push(truth.to_string()),
        Expr::If(branches) => {
            let (pairs, otherwise) = branches.as_chunks::<2>();
            for then in pairs.iter().map(|[_, then]| then).chain(otherwise) {
                outcomes(then, found);
            }
        }
        Expr::Fractional(fractional) => {
            for bucket in &fractional.buckets {
                if let Bucket::Written(variant, _) = bucket {
                    outcomes(variant, found);
                }
            }
        }
        Expr::Rollout(rollout) => {
            for outcome in rollout.from.iter().chain([&rollout.to]) {
                outcomes(outcome, found);
            }
        }
        Expr::Shared(rule) => outcomes(rule, found),
        _ => {}
    }
}

pub(super) fn too_deep() -> String {
    format!("the rule is nested deeper than {MAX_TARGETING_DEPTH}, shared evaluators included")
}
