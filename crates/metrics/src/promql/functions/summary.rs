//! Sums, means and variances that lose little to rounding.

use crate::histogram::{CompensatedHistogram, Histogram, ResetHint};

/// A compensated sum (Neumaier's variant of Kahan's).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sum {
    sum: f64,
    lost: f64,
}

/// A mean: a compensated sum over a count, or an incremental mean once the sum would overflow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Mean {
    sum: Sum,
    count: f64,
    incremental: bool,
}

/// A variance (Welford's method, compensated).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    count: f64,
    mean: Sum,
    squares: Sum,
}

/// A sum of histograms, or their mean: the same way as [`Sum`] and [`Mean`], field by field.
#[derive(Clone, Debug)]
pub(crate) struct HistogramSum {
    total: CompensatedHistogram,
    count: f64,
    averaging: bool,
    incremental: bool,
    /// A histogram known to follow a reset, and one known not to, were added.
    resets: (bool, bool),
    reconciled: bool,
}

// === impl Sum ===

impl Sum {
    pub(crate) fn new(v: f64) -> Self {
        Self { sum: v, lost: 0.0 }
    }

    pub(crate) fn add(&mut self, v: f64) {
        let total = self.sum + v;
        if total.is_infinite() {
            self.lost = 0.0;
        } else if self.sum.abs() >= v.abs() {
            self.lost += (self.sum - total) + v;
        } else {
            self.lost += (v - total) + self.sum;
        }
        self.sum = total;
    }

    pub(crate) fn value(self) -> f64 {
        self.sum + self.lost
    }

    fn scaled(self, factor: f64) -> Self {
        Self { sum: self.sum * factor, lost: self.lost * factor }
    }
}

// === impl Mean ===

impl Mean {
    pub(crate) fn new(v: f64) -> Self {
        Self { sum: Sum::new(v), count: 1.0, incremental: false }
    }

    pub(crate) fn add(&mut self, v: f64) {
        let before = self.count;
        self.count += 1.0;
        if !self.incremental {
            let mut sum = self.sum;
            sum.add(v);
            if !sum.sum.is_infinite() {
                self.sum = sum;
                return;
            }
            self.incremental = true;
            self.sum = self.sum.scaled(1.0 / before);
        }
        let share = before / self.count;
        self.sum = self.sum.scaled(share);
        self.sum.add(v / self.count);
    }

    pub(crate) fn value(self) -> f64 {
        if self.incremental {
            return self.sum.value();
        }
        self.sum.sum / self.count + self.sum.lost / self.count
    }
}

// === impl Spread ===

impl Spread {
    pub(crate) fn new(v: f64) -> Self {
        let squares = if v.is_finite() { 0.0 } else { f64::NAN };
        Self { count: 1.0, mean: Sum::new(v), squares: Sum::new(squares) }
    }

    pub(crate) fn add(&mut self, v: f64) {
        self.count += 1.0;
        let delta = v - self.mean.value();
        self.mean.add(delta / self.count);
        self.squares.add(delta * (v - self.mean.value()));
    }

    pub(crate) fn variance(self) -> f64 {
        self.squares.value() / self.count
    }
}

// === impl HistogramSum ===

impl HistogramSum {
    /// A sum that is to be read with [`HistogramSum::total`].
    pub(crate) fn new(h: &Histogram) -> Self {
        Self::start(h, false)
    }

    /// A sum that is to be read with [`HistogramSum::mean`].
    pub(crate) fn averaging(h: &Histogram) -> Self {
        Self::start(h, true)
    }

    fn start(h: &Histogram, averaging: bool) -> Self {
        let lost = Histogram::default();
        let mut sum = Self {
            total: CompensatedHistogram { sum: h.clone(), lost },
            count: 1.0,
            averaging,
            incremental: false,
            resets: (false, false),
            reconciled: false,
        };
        sum.see_hint(h);
        sum
    }

    /// Adds a histogram; false when one has custom buckets and the other has not.
    pub(crate) fn add(&mut self, h: &Histogram) -> bool {
        self.see_hint(h);
        let before = self.count;
        self.count += 1.0;
        if !self.incremental {
            let mut total = self.total.clone();
            let Ok(combined) = total.add(h) else { return false };
            if !(self.averaging && total.sum.overflows()) {
                self.reconciled |= combined.reconciled;
                self.total = total;
                return true;
            }
            self.incremental = true;
            self.total = self.total.scaled(1.0 / before);
        }
        self.total = self.total.scaled(before / self.count);
        match self.total.add(&h.divided(self.count)) {
            Ok(combined) => {
                self.reconciled |= combined.reconciled;
                true
            }
            Err(_) => false,
        }
    }

    pub(crate) fn total(&self) -> Histogram {
        self.total.value()
    }

    pub(crate) fn mean(&self) -> Histogram {
        if self.incremental { self.total.value() } else { self.total.value().divided(self.count) }
    }

    pub(crate) fn conflicts(&self) -> bool {
        self.resets == (true, true)
    }

    pub(crate) fn reconciled(&self) -> bool {
        self.reconciled
    }

    fn see_hint(&mut self, h: &Histogram) {
        match h.reset_hint {
            ResetHint::Reset => self.resets.0 = true,
            ResetHint::NotReset => self.resets.1 = true,
            _ => {}
        }
    }
}
