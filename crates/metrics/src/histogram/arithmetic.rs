//! Adding, subtracting, scaling, comparing. Operands of different resolution meet at the coarser one; custom bounds that
//! differ meet at the bounds both have.

use std::borrow::Cow;
use std::sync::Arc;

use super::bounds::coarser_index;
use super::{Buckets, Histogram, ResetHint};

/// One operand has exponential buckets, the other custom ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot apply this operation on histograms with a mix of exponential and custom bucket schemas")]
pub struct IncompatibleSchemas;

/// What happened besides the result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Combined {
    /// One operand was known to follow a reset and the other known not to.
    pub reset_conflict: bool,
    /// The operands' custom bounds differed.
    pub reconciled: bool,
}

// === impl Histogram ===

impl Histogram {
    /// Adds `other`.
    ///
    /// # Errors
    /// One has custom buckets and the other has not; `self` is unchanged then.
    pub fn add(&mut self, other: &Self) -> Result<Combined, IncompatibleSchemas> {
        self.combine(other, |a, b| a + b)
    }

    /// Subtracts `other`; counts may become negative.
    ///
    /// # Errors
    /// One has custom buckets and the other has not; `self` is unchanged then.
    pub fn sub(&mut self, other: &Self) -> Result<Combined, IncompatibleSchemas> {
        self.combine(other, |a, b| a - b)
    }

    fn combine(
        &mut self,
        other: &Self,
        f: impl Fn(f64, f64) -> f64 + Copy,
    ) -> Result<Combined, IncompatibleSchemas> {
        let (left, right, reconciled) = aligned(self, other)?;
        let (hint, reset_conflict) = self.reset_hint.with(other.reset_hint);
        let combined = Self {
            schema: left.schema,
            zero_threshold: left.zero_threshold,
            zero_count: f(left.zero_count, right.zero_count),
            count: f(left.count, right.count),
            sum: f(left.sum, right.sum),
            positive: left.positive.merged(&right.positive, f),
            negative: left.negative.merged(&right.negative, f),
            custom_bounds: Arc::clone(&left.custom_bounds),
            reset_hint: hint,
        };
        *self = combined;
        Ok(Combined { reset_conflict, reconciled })
    }

    /// All counts and the sum times `factor`. A negative factor makes it a gauge.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        self.map_counts(factor < 0.0, |v| v * factor)
    }

    /// All counts and the sum over `divisor`. Division by zero leaves no buckets.
    #[must_use]
    pub fn divided(&self, divisor: f64) -> Self {
        let mut result = self.map_counts(divisor < 0.0, |v| v / divisor);
        if divisor == 0.0 {
            (result.positive, result.negative) = (Buckets::default(), Buckets::default());
        }
        result
    }

    fn map_counts(&self, gauge: bool, f: impl Fn(f64) -> f64 + Copy) -> Self {
        Self {
            zero_count: f(self.zero_count),
            count: f(self.count),
            sum: f(self.sum),
            positive: self.positive.map(f),
            negative: self.negative.map(f),
            reset_hint: if gauge { ResetHint::Gauge } else { self.reset_hint },
            custom_bounds: Arc::clone(&self.custom_bounds),
            ..*self
        }
    }

    /// At a coarser resolution; finer than it is, or custom, it is returned as it is.
    #[must_use]
    pub fn at_schema(&self, schema: i32) -> Self {
        if self.is_custom() || schema >= self.schema {
            return self.clone();
        }
        let coarser = |index| coarser_index(index, self.schema, schema);
        Self {
            schema,
            positive: self.positive.reindexed(coarser),
            negative: self.negative.reindexed(coarser),
            custom_bounds: Arc::clone(&self.custom_bounds),
            ..*self
        }
    }

    /// Without empty buckets.
    #[must_use]
    pub fn compacted(&self) -> Self {
        Self {
            positive: self.positive.compacted(),
            negative: self.negative.compacted(),
            custom_bounds: Arc::clone(&self.custom_bounds),
            ..*self
        }
    }

    /// Whether this counter started anew after `previous`: it says so, or something in it fell.
    pub fn detect_reset(&self, previous: &Self) -> bool {
        match self.reset_hint {
            ResetHint::Reset => return true,
            ResetHint::NotReset => return false,
            ResetHint::Unknown | ResetHint::Gauge => {}
        }
        if self.count < previous.count || self.is_custom() != previous.is_custom() {
            return true;
        }
        if self.is_custom() {
            let Ok((now, before, _)) = aligned(self, previous) else { return true };
            return fell(&now.positive, &before.positive);
        }
        if self.schema > previous.schema || self.zero_threshold < previous.zero_threshold {
            return true;
        }
        let before = if self.schema == previous.schema && self.zero_threshold <= previous.zero_threshold {
            Cow::Borrowed(previous)
        } else {
            Cow::Owned(previous.at_schema(self.schema).with_zero_threshold(self.zero_threshold))
        };
        before.zero_threshold > self.zero_threshold
            || self.zero_count < before.zero_count
            || fell(&self.positive, &before.positive)
            || fell(&self.negative, &before.negative)
    }

    /// With a zero bucket at least as wide as `threshold`; wider when a populated bucket straddles it.
    pub(super) fn with_zero_threshold(&self, threshold: f64) -> Self {
        if threshold <= self.zero_threshold {
            return self.clone();
        }
        let mut threshold = threshold;
        loop {
            let straddling = self.positive.iter().chain(self.negative.iter()).find_map(|(index, count)| {
                let (lower, upper) = self.bucket_borders(index);
                (count != 0.0 && lower < threshold && upper > threshold).then_some(upper)
            });
            match straddling {
                Some(upper) => threshold = upper,
                None => break,
            }
        }
        let mut zero_count = self.zero_count;
        let mut outside = |buckets: &Buckets| {
            let kept: Vec<_> = buckets
                .iter()
                .filter(|(index, count)| {
                    let inside = self.bucket_borders(*index).0 < threshold;
                    if inside {
                        zero_count += count;
                    }
                    !inside
                })
                .collect();
            Buckets::from_indexed(kept)
        };
        let (positive, negative) = (outside(&self.positive), outside(&self.negative));
        Self {
            zero_threshold: threshold,
            zero_count,
            positive,
            negative,
            custom_bounds: Arc::clone(&self.custom_bounds),
            ..*self
        }
    }

    /// With the buckets of `bounds`, all of which must be bounds of this one.
    pub(super) fn with_bounds(&self, bounds: &Arc<[f64]>) -> Self {
        let positive = self.positive.reindexed(|index| {
            let (_, upper) = self.bucket_borders(index);
            i32::try_from(bounds.partition_point(|b| *b < upper)).unwrap_or(i32::MAX)
        });
        Self { positive, negative: self.negative.clone(), custom_bounds: Arc::clone(bounds), ..*self }
    }

    /// Same layout and counts, whatever the way spans are written. NaN equals NaN.
    pub fn same_as(&self, other: &Self) -> bool {
        let same = |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan());
        let buckets = |a: &Buckets, b: &Buckets| a.compacted() == b.compacted();
        self.schema == other.schema
            && same(self.count, other.count)
            && same(self.sum, other.sum)
            && same(self.zero_count, other.zero_count)
            && (self.is_custom() || same(self.zero_threshold, other.zero_threshold))
            && self.custom_bounds == other.custom_bounds
            && buckets(&self.positive, &other.positive)
            && buckets(&self.negative, &other.negative)
    }
}

// === impl ResetHint ===

impl ResetHint {
    /// What is known of a sum of two: gauge wins over all, unknown over known; a reset with its opposite is a conflict
    /// (true).
    pub(super) fn with(self, other: Self) -> (Self, bool) {
        match (self, other) {
            (a, b) if a == b => (a, false),
            (Self::Gauge, _) | (_, Self::Gauge) => (Self::Gauge, false),
            (Self::Unknown, _) | (_, Self::Unknown) => (Self::Unknown, false),
            _ => (Self::Unknown, true),
        }
    }
}

/// Both operands with the same layout, copied only where theirs is another, and whether custom bounds had to be reconciled.
pub(super) fn aligned<'h>(
    a: &'h Histogram,
    b: &'h Histogram,
) -> Result<(Cow<'h, Histogram>, Cow<'h, Histogram>, bool), IncompatibleSchemas> {
    match (a.is_custom(), b.is_custom()) {
        (true, true) if a.custom_bounds == b.custom_bounds => Ok((Cow::Borrowed(a), Cow::Borrowed(b), false)),
        (true, true) => {
            let shared: Arc<[f64]> =
                a.custom_bounds.iter().copied().filter(|bound| b.custom_bounds.contains(bound)).collect();
            Ok((Cow::Owned(a.with_bounds(&shared)), Cow::Owned(b.with_bounds(&shared)), true))
        }
        (false, false) => {
            let schema = a.schema.min(b.schema);
            let (mut a, mut b) = (coarser(a, schema), coarser(b, schema));
            // Widening one may overshoot the other; each round widens to a bucket's border, so this ends.
            while a.zero_threshold != b.zero_threshold {
                if a.zero_threshold < b.zero_threshold {
                    a = Cow::Owned(a.with_zero_threshold(b.zero_threshold));
                } else if b.zero_threshold < a.zero_threshold {
                    b = Cow::Owned(b.with_zero_threshold(a.zero_threshold));
                } else {
                    break;
                }
            }
            Ok((a, b, false))
        }
        _ => Err(IncompatibleSchemas),
    }
}

fn coarser(h: &Histogram, schema: i32) -> Cow<'_, Histogram> {
    if h.schema == schema { Cow::Borrowed(h) } else { Cow::Owned(h.at_schema(schema)) }
}

/// Whether a bucket of `now` counts less than the same bucket `before`.
fn fell(now: &Buckets, before: &Buckets) -> bool {
    let mut current = now.iter().peekable();
    before.iter().any(|(index, count)| {
        while current.next_if(|(i, _)| *i < index).is_some() {}
        let here = current.peek().filter(|(i, _)| *i == index).map_or(0.0, |(_, c)| *c);
        here < count
    })
}
