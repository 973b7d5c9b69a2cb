//! Compiles flagd's operators that assign callers or compare versions, and says what in them always answers null.

use serde_json::Value;

use super::super::coerce::Val;
use super::super::fractional::{Bucket, Fractional, Key, MAX_WEIGHT, Rollout, Weight, weight_of};
use super::super::{Expr, version};
use super::Compiler;

impl Compiler<'_> {
    pub(super) fn fractional(&mut self, operands: &Value, depth: usize) -> Option<Expr> {
        let Some(list) = operands.as_array() else {
            self.doubt("`fractional` takes a list of parts, such as [\"on\", 25]");
            return Some(Expr::Literal(Value::Null));
        };
        let (key, parts, first) = match list.split_first() {
            Some((key, parts)) if !key.is_array() => (self.key(key, depth + 1)?, parts, 1),
            _ => (Key::Default, list.as_slice(), 0),
        };
        let mut buckets = Vec::with_capacity(parts.len());
        for (at, part) in parts.iter().enumerate() {
            self.path.push((at + first).to_string());
            let bucket = self.bucket(part, depth + 1);
            self.path.pop();
            buckets.push(bucket?);
        }
        if buckets.is_empty() {
            self.doubt("`fractional` has no parts");
        }
        let weights: Option<Vec<u64>> = buckets
            .iter()
            .map(|bucket| match bucket {
                Bucket::Written(_, Weight::Fixed(weight)) => Some(*weight),
                _ => None,
            })
            .collect();
        let total = weights.map(|weights| weights.iter().sum::<u64>());
        match total {
            Some(0) if !buckets.is_empty() => self.doubt("the weights of `fractional` are all zero"),
            Some(total) if total > MAX_WEIGHT => {
                self.doubt(&format!(
                    "the weights of `fractional` add up to {total}; at most {MAX_WEIGHT} is possible"
                ));
            }
            _ => {}
        }
        let total = total.filter(|total| *total <= MAX_WEIGHT);
        Some(Expr::Fractional(Box::new(Fractional { key, buckets, total })))
    }

    fn key(&mut self, key: &Value, depth: usize) -> Option<Key> {
        self.path.push("0".to_owned());
        let key = self.expr(key, depth);
        self.path.pop();
        Some(match key? {
            Expr::Cat(pieces) => Key::Pieces(pieces),
            Expr::Literal(Value::Null) => Key::Default,
            Expr::Literal(value) if !value.is_string() => {
                self.doubt("the key of `fractional` must be a text");
                Key::Computed(Expr::Literal(value))
            }
            key => Key::Computed(key),
        })
    }

    fn bucket(&mut self, part: &Value, depth: usize) -> Option<Bucket> {
        let Value::Array(pair) = part else {
            if !part.is_object() {
                self.doubt(
                    "a part of `fractional` is a list of a variant and a weight, such as [\"on\", 25]",
                );
            }
            return Some(Bucket::Computed(self.expr(part, depth)?));
        };
        self.count(1, depth)?;
        let mut pair = self.exprs(pair, depth + 1)?.into_iter();
        let Some(variant) = pair.next() else {
            self.doubt("a part of `fractional` is a list of a variant and a weight, such as [\"on\", 25]");
            return Some(Bucket::Computed(Expr::Literal(Value::Null)));
        };
        let weight = match pair.next() {
            None => Weight::Fixed(1),
            Some(Expr::Literal(value)) => match weight_of(&Val::from(&value)) {
                Some(weight) => Weight::Fixed(weight),
                None => {
                    self.doubt(&format!("{value} is not a weight: whole numbers up to {MAX_WEIGHT} are"));
                    Weight::Computed(Expr::Literal(value))
                }
            },
            Some(computed) => Weight::Computed(computed),
        };
        Some(Bucket::Written(variant, weight))
    }

    pub(super) fn sem_ver(&mut self, operands: Vec<Expr>) -> Expr {
        let operands = match <[Expr; 3]>::try_from(operands) {
            Ok(operands) => operands,
            Err(operands) => return self.miscounted("sem_ver", operands.len(), 3),
        };
        let [left, operator, right] = &operands;
        if let Expr::Literal(operator) = operator
            && !operator.as_str().is_some_and(|operator| version::OPERATORS.contains(&operator))
        {
            let known = version::OPERATORS.join(" ");
            self.doubt(&format!("{operator} is not an operator of `sem_ver`: {known} are"));
        }
        for side in [left, right] {
            if let Expr::Literal(Value::String(text)) = side
                && !version::is_version(text)
            {
                self.doubt(&format!("{text:?} is not a semantic version such as 1.2.3"));
            }
        }
        Expr::SemVer(Box::new(operands))
    }

    /// `[key,] start, end, [from,] to`.
    pub(super) fn rollout(&mut self, mut operands: Vec<Expr>) -> Expr {
        let is_time = |expr: &Expr| matches!(expr, Expr::Literal(Value::Number(_)));
        let key = match operands.first() {
            Some(first) if !is_time(first) && operands.len() > 3 => Some(operands.remove(0)),
            _ => None,
        };
        let count = operands.len();
        let mut operands = operands.into_iter();
        match (operands.next(), operands.next(), operands.next(), operands.next(), count) {
            (Some(start), Some(end), Some(to), None, _) => {
                Expr::Rollout(Box::new(Rollout { key, start, end, from: None, to }))
            }
            (Some(start), Some(end), Some(from), Some(to), 4) => {
                Expr::Rollout(Box::new(Rollout { key, start, end, from: Some(from), to }))
            }
            _ => {
                self.doubt("`rollout` takes start, end and one or two outcomes, after an optional key");
                Expr::Literal(Value::Null)
            }
        }
    }
}
