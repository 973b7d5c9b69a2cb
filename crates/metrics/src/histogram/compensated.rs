//! A sum of histograms that keeps what rounding would lose (Neumaier's variant of Kahan's summation, in every field).

use std::sync::Arc;

use super::arithmetic::{Combined, IncompatibleSchemas, aligned};
use super::{Buckets, Histogram};

/// A running sum and what it lost so far. `lost` has the layout of `sum`.
#[derive(Clone, Debug)]
pub struct CompensatedHistogram {
    /// The plain sum.
    pub sum: Histogram,
    /// What rounding took from it.
    pub lost: Histogram,
}

// === impl CompensatedHistogram ===

impl CompensatedHistogram {
    /// Adds `h`.
    ///
    /// # Errors
    /// One has custom buckets and the other has not; `self` is unchanged then.
    pub fn add(&mut self, h: &Histogram) -> Result<Combined, IncompatibleSchemas> {
        let (a, b, reconciled) = aligned(&self.sum, h)?;
        let lost = self.lost.laid_out_as(&self.sum, &a);
        let (reset_hint, reset_conflict) = self.sum.reset_hint.with(h.reset_hint);
        let (positive, positive_lost) = add_buckets(&a.positive, &lost.positive, &b.positive);
        let (negative, negative_lost) = add_buckets(&a.negative, &lost.negative, &b.negative);
        let zero = neumaier(a.zero_count, lost.zero_count, b.zero_count);
        let count = neumaier(a.count, lost.count, b.count);
        let sum = neumaier(a.sum, lost.sum, b.sum);
        let (schema, zero_threshold, custom_bounds) =
            (a.schema, a.zero_threshold, Arc::clone(&a.custom_bounds));
        self.lost = Histogram {
            schema,
            zero_threshold,
            zero_count: zero.1,
            count: count.1,
            sum: sum.1,
            positive: positive_lost,
            negative: negative_lost,
            custom_bounds: Arc::clone(&custom_bounds),
            reset_hint,
        };
        self.sum = Histogram {
            schema,
            zero_threshold,
            zero_count: zero.0,
            count: count.0,
            sum: sum.0,
            positive,
            negative,
            custom_bounds,
            reset_hint,
        };
        Ok(Combined { reset_conflict, reconciled })
    }

    /// Both parts times `factor`.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        Self { sum: self.sum.scaled(factor), lost: self.lost.scaled(factor) }
    }

    /// The sum with what was lost.
    pub fn value(&self) -> Histogram {
        let (a, b) = (&self.sum, &self.lost);
        Histogram {
            zero_count: a.zero_count + b.zero_count,
            count: a.count + b.count,
            sum: a.sum + b.sum,
            positive: a.positive.merged(&b.positive, |x, y| x + y),
            negative: a.negative.merged(&b.negative, |x, y| x + y),
            custom_bounds: Arc::clone(&a.custom_bounds),
            ..*a
        }
    }
}

// === impl Histogram ===

impl Histogram {
    /// Whether any of its numbers is infinite.
    pub fn overflows(&self) -> bool {
        let buckets = |b: &Buckets| b.counts.iter().any(|c| c.is_infinite());
        [self.count, self.sum, self.zero_count].iter().any(|v| v.is_infinite())
            || buckets(&self.positive)
            || buckets(&self.negative)
    }

    /// This, whose layout is that of `from`, moved to the layout of `to`, which is coarser or the same.
    fn laid_out_as(&self, from: &Self, to: &Self) -> Self {
        if from.is_custom() {
            if from.custom_bounds == to.custom_bounds {
                return self.clone();
            }
            return Self {
                schema: from.schema,
                custom_bounds: Arc::clone(&from.custom_bounds),
                ..self.clone()
            }
            .with_bounds(&to.custom_bounds);
        }
        let mut moved = Self { schema: from.schema, zero_threshold: from.zero_threshold, ..self.clone() };
        moved = moved.at_schema(to.schema);
        if to.zero_threshold > from.zero_threshold {
            moved = moved.with_zero_threshold(to.zero_threshold);
        }
        moved
    }
}

/// The sum of two bucket lists and what was lost so far, and what is lost now.
fn add_buckets(sum: &Buckets, lost: &Buckets, other: &Buckets) -> (Buckets, Buckets) {
    let (mut a, mut l, mut b) = (sum.iter().peekable(), lost.iter().peekable(), other.iter().peekable());
    let (mut sums, mut losses) = (Vec::new(), Vec::new());
    while let Some(index) =
        [a.peek(), l.peek(), b.peek()].into_iter().flatten().map(|(index, _)| *index).min()
    {
        let x = a.next_if(|(i, _)| *i == index).map_or(0.0, |(_, v)| v);
        let y = l.next_if(|(i, _)| *i == index).map_or(0.0, |(_, v)| v);
        let z = b.next_if(|(i, _)| *i == index).map_or(0.0, |(_, v)| v);
        let (total, rest) = neumaier(x, y, z);
        sums.push((index, total));
        losses.push((index, rest));
    }
    (Buckets::from_indexed(sums), Buckets::from_indexed(losses))
}

/// `sum + v`, and what is lost with `lost` so far.
fn neumaier(sum: f64, lost: f64, v: f64) -> (f64, f64) {
    let total = sum + v;
    let lost = if total.is_infinite() {
        0.0
    } else if sum.abs() >= v.abs() {
        lost + ((sum - total) + v)
    } else {
        lost + ((v - total) + sum)
    };
    (total, lost)
}
