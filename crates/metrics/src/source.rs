//! Where a query's series come from. The store is one source, a test's table another.

use std::ops::ControlFlow;

use kernel::Labels;

use crate::histogram::HistogramSample;
use crate::pattern;
use crate::sample::Sample;

/// How a matcher compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`, anchored at both ends
    Regex,
    /// `!~`, anchored at both ends
    NotRegex,
}

/// One label matcher. A missing label matches as the empty string.
#[derive(Clone, Debug)]
pub struct Matcher {
    /// The label.
    pub name: String,
    /// The comparison.
    pub op: MatchOp,
    /// The text or pattern as written.
    pub value: String,
    /// The compiled, anchored pattern of a regex matcher.
    pattern: Option<regex::Regex>,
}

/// What a source is asked for: series that satisfy every matcher, with their samples in `start..=end` milliseconds.
#[derive(Clone, Debug)]
pub struct Selection<'a> {
    /// All must hold.
    pub matchers: &'a [Matcher],
    /// First millisecond, included.
    pub start: i64,
    /// Last millisecond, included.
    pub end: i64,
    /// At most this many samples may be given at once (by [`SeriesSource::select`] in all, by [`SeriesSource::scan`] with
    /// one series); beyond it the source answers [`SourceError::TooManySamples`].
    pub max_samples: u64,
}

/// A selected series. Samples ascend in time, stale markers included; a millisecond holds a float or a histogram, not both.
#[derive(Clone, Debug)]
pub struct Series {
    /// The full label set, metric name included.
    pub labels: Labels,
    /// Its floats within the selection.
    pub samples: Vec<Sample>,
    /// Its histograms within the selection.
    pub histograms: Vec<HistogramSample>,
    /// For samples whose counter is known to have started at some time: (sample's time, start time), ascending, both in
    /// milliseconds. Empty when nothing is known, which is the usual case.
    pub starts: Vec<(i64, i64)>,
}

/// Why a selection failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The query would read more than it may.
    #[error("the query reads more than {limit} samples; narrow its selectors or its time range")]
    TooManySamples {
        /// The limit in force.
        limit: u64,
    },
    /// A block could not be read.
    #[error("{0}")]
    Unreadable(String),
    /// The caller gave up, or ran out of time.
    #[error("the query was cancelled")]
    Cancelled,
}

/// Gives series to the engine. Synchronous; it may block on local reads.
pub trait SeriesSource: Send + Sync {
    /// The series that satisfy `selection`, sorted by labels; a series without samples in range may be left out.
    ///
    /// # Errors
    /// A limit is reached, data cannot be read, or the query was cancelled.
    fn select(&self, selection: &Selection<'_>) -> Result<Vec<Series>, SourceError>;

    /// Gives the same series in the same order to `visit`, one at a time, until it breaks off. A source that can decode a series
    /// when its turn comes should do so here: queries then hold one series' samples instead of all.
    ///
    /// # Errors
    /// As [`SeriesSource::select`].
    fn scan(
        &self,
        selection: &Selection<'_>,
        visit: &mut dyn FnMut(Series) -> ControlFlow<()>,
    ) -> Result<(), SourceError> {
        for series in self.select(selection)? {
            if visit(series).is_break() {
                break;
            }
        }
        Ok(())
    }
}

// === impl Series ===

impl Default for Series {
    fn default() -> Self {
        Self::new(Labels::empty(), Vec::new())
    }
}

impl Series {
    /// A series of floats whose start times are unknown.
    pub fn new(labels: Labels, samples: Vec<Sample>) -> Self {
        Self { labels, samples, histograms: Vec::new(), starts: Vec::new() }
    }
}

// === impl Matcher ===

impl Matcher {
    /// A matcher whose pattern, if it is a regex one, has been compiled and anchored.
    ///
    /// # Errors
    /// The pattern does not compile, or compiles to more than 1 MiB.
    pub fn new(name: &str, op: MatchOp, value: &str) -> Result<Self, regex::Error> {
        let pattern = match op {
            MatchOp::Equal | MatchOp::NotEqual => None,
            MatchOp::Regex | MatchOp::NotRegex => Some(pattern::anchored(value)?),
        };
        Ok(Self { name: name.to_owned(), op, value: value.to_owned(), pattern })
    }

    /// Whether `value` (empty when the label is missing) satisfies this matcher.
    pub fn matches(&self, value: &str) -> bool {
        let found = |p: &Option<regex::Regex>| p.as_ref().is_some_and(|p| p.is_match(value));
        match self.op {
            MatchOp::Equal => value == self.value,
            MatchOp::NotEqual => value != self.value,
            MatchOp::Regex => found(&self.pattern),
            MatchOp::NotRegex => !found(&self.pattern),
        }
    }
}
