//! flagd's `fractional` and `rollout`: callers are assigned by a hash of a key, the same way every time.
//!
//! `bucket = (murmur3_32(key) × Σ weights) >> 32`, and the caller gets the variant whose range of weights holds the
//! bucket. The key is the first operand when it is a text, else flag key and targeting key, one after the other.
//! Weights are whole numbers, negative ones count as 0, and their sum is at most 2³¹ − 1. What cannot be assigned
//! (no key, no weight, a bad weight) is null, so the default variant is served.

use super::Expr;
use super::coerce::Val;
use super::eval::{Exhausted, Outcome, Run, Scope};
use super::murmur::Murmur3;

/// The largest weight, and the largest sum of weights.
pub(crate) const MAX_WEIGHT: u64 = i32::MAX as u64;

/// A `fractional`, taken apart.
#[derive(Clone, Debug)]
pub(crate) struct Fractional {
    pub(crate) key: Key,
    pub(crate) buckets: Vec<Bucket>,
    /// The sum of the weights when all are written out and good: then choosing evaluates one variant only.
    pub(crate) total: Option<u64>,
}

/// What is hashed.
#[derive(Clone, Debug)]
pub(crate) enum Key {
    /// Flag key and targeting key.
    Default,
    /// The pieces of a `cat`, hashed one after the other without joining them.
    Pieces(Vec<Expr>),
    /// Anything else; a text or null.
    Computed(Expr),
}

/// One part of the distribution.
#[derive(Clone, Debug)]
pub(crate) enum Bucket {
    /// `[variant, weight]`; the weight when it is written out.
    Written(Expr, Weight),
    /// Computed as a whole: must come out as a list.
    Computed(Expr),
}

/// How large a part is.
#[derive(Clone, Debug)]
pub(crate) enum Weight {
    /// Written out, and good.
    Fixed(u64),
    /// Computed.
    Computed(Expr),
}

/// A `rollout`, taken apart: from one outcome to another between two times.
#[derive(Clone, Debug)]
pub(crate) struct Rollout {
    /// What is hashed instead of flag key and targeting key.
    pub(crate) key: Option<Expr>,
    pub(crate) start: Expr,
    pub(crate) end: Expr,
    /// Before; null without it.
    pub(crate) from: Option<Expr>,
    /// After.
    pub(crate) to: Expr,
}

// === impl Fractional ===

impl Fractional {
    pub(crate) fn eval<'a>(&'a self, run: &Run<'a>, scope: Scope<'_, 'a>) -> Outcome<'a> {
        let Some(hash) = self.hash(run, scope)? else { return Ok(Val::Null) };
        if let Some(total) = self.total {
            let mut bucket = scale(hash, total);
            for part in &self.buckets {
                if let Bucket::Written(variant, Weight::Fixed(weight)) = part {
                    if bucket < *weight {
                        return assignable(run.eval(variant, scope)?);
                    }
                    bucket -= weight;
                }
            }
            return Ok(Val::Null);
        }
        self.eval_computed(run, scope, hash)
    }

    fn eval_computed<'a>(&'a self, run: &Run<'a>, scope: Scope<'_, 'a>, hash: u32) -> Outcome<'a> {
        let mut parts = Vec::with_capacity(self.buckets.len());
        for bucket in &self.buckets {
            match bucket.part(run, scope)? {
                Some(part) => parts.push(part),
                None => return Ok(Val::Null),
            }
        }
        let total: u64 = parts.iter().map(|(_, weight)| weight).sum();
        if total > MAX_WEIGHT {
            return Ok(Val::Null);
        }
        let mut bucket = scale(hash, total);
        for (variant, weight) in parts {
            if bucket < weight {
                return assignable(variant);
            }
            bucket -= weight;
        }
        Ok(Val::Null)
    }

    fn hash<'a>(&'a self, run: &Run<'a>, scope: Scope<'_, 'a>) -> Result<Option<u32>, Exhausted> {
        match &self.key {
            Key::Default => Ok(default_hash(run)),
            Key::Pieces(pieces) => {
                let mut hash = Murmur3::new(run.seed);
                for piece in pieces {
                    let piece = run.eval(piece, scope)?;
                    run.charge(piece.size())?;
                    hash.write(piece.to_text().as_bytes());
                }
                Ok(Some(hash.finish()))
            }
            Key::Computed(key) => Ok(match run.eval(key, scope)? {
                Val::Text(text) => {
                    let mut hash = Murmur3::new(run.seed);
                    hash.write(text.as_bytes());
                    Some(hash.finish())
                }
                Val::Null => default_hash(run),
                _ => None,
            }),
        }
    }
}

// === impl Bucket ===

impl Bucket {
    /// Variant and weight; `None` when it is no good, which spoils the whole distribution.
    fn part<'a>(&'a self, run: &Run<'a>, scope: Scope<'_, 'a>) -> Result<Option<(Val<'a>, u64)>, Exhausted> {
        match self {
            Self::Written(variant, Weight::Fixed(weight)) => Ok(Some((run.eval(variant, scope)?, *weight))),
            Self::Written(variant, Weight::Computed(weight)) => {
                let variant = run.eval(variant, scope)?;
                Ok(weight_of(&run.eval(weight, scope)?).map(|weight| (variant, weight)))
            }
            Self::Computed(expr) => Ok(match run.eval(expr, scope)?.elements().as_deref() {
                Some([variant]) => Some((variant.clone(), 1)),
                Some([variant, weight, ..]) => weight_of(weight).map(|weight| (variant.clone(), weight)),
                Some([]) | None => None,
            }),
        }
    }
}

// === impl Rollout ===

impl Rollout {
    pub(crate) fn eval<'a>(&'a self, run: &Run<'a>, scope: Scope<'_, 'a>) -> Outcome<'a> {
        let hash = match &self.key {
            None => default_hash(run),
            Some(key) => match run.eval(key, scope)? {
                Val::Null => default_hash(run),
                Val::Text(text) => {
                    let mut hash = Murmur3::new(run.seed);
                    hash.write(text.as_bytes());
                    Some(hash.finish())
                }
                _ => None,
            },
        };
        let start = seconds(&run.eval(&self.start, scope)?);
        let end = seconds(&run.eval(&self.end, scope)?);
        let (Some(hash), Some(start), Some(end)) = (hash, start, end) else { return Ok(Val::Null) };
        let Some(duration) = end.checked_sub(start).and_then(|d| u64::try_from(d).ok()).filter(|d| *d > 0)
        else {
            return Ok(Val::Null);
        };
        let elapsed = u64::try_from(run.now.as_secs().saturating_sub(start)).unwrap_or(0).min(duration);
        if scale(hash, duration) < elapsed {
            return run.eval(&self.to, scope);
        }
        self.from.as_ref().map_or(Ok(Val::Null), |from| run.eval(from, scope))
    }
}

/// A weight; `None` when it is not a whole number or too large.
pub(crate) fn weight_of(value: &Val<'_>) -> Option<u64> {
    match value {
        Val::Null => Some(1),
        Val::Number(n) if n.fract() != 0.0 || n.is_nan() => None,
        Val::Number(n) if *n <= 0.0 => Some(0),
        // A whole, positive number: exact up to the limit, and saturating beyond.
        Val::Number(n) => Some(*n as u64).filter(|n| *n <= MAX_WEIGHT),
        _ => None,
    }
}

/// `hash` as a place in `0..total`.
fn scale(hash: u32, total: u64) -> u64 {
    ((u128::from(hash) * u128::from(total)) >> 32) as u64
}

fn default_hash(run: &Run<'_>) -> Option<u32> {
    let targeting_key = run.attributes.get("targetingKey")?.as_str()?;
    let mut hash = Murmur3::new(run.seed);
    hash.write(run.flag_key.as_bytes());
    hash.write(targeting_key.as_bytes());
    Some(hash.finish())
}

/// Only what can name a variant is assigned.
fn assignable(variant: Val<'_>) -> Outcome<'_> {
    Ok(match variant {
        Val::Borrowed(_) | Val::Owned(_) | Val::Object(_) => Val::Null,
        variant => variant,
    })
}

fn seconds(value: &Val<'_>) -> Option<i64> {
    match value {
        // Saturates; times that far away behave as "never".
        Val::Number(n) if !n.is_nan() => Some(*n as i64),
        _ => None,
    }
}
