//! What a query may use and how far it may go.

/// Language features that Prometheus keeps behind `--enable-feature`. All off by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Syntax {
    /// `promql-experimental-functions`: experimental functions, `limitk` and `limit_ratio`.
    pub experimental_functions: bool,
    /// `promql-duration-expr`: arithmetic, `step()` and `range()` in durations.
    pub duration_expressions: bool,
    /// `promql-extended-range-selectors`: `anchored` and `smoothed`.
    pub extended_selectors: bool,
    /// `promql-binop-fill-modifiers`: `fill`, `fill_left`, `fill_right`.
    pub fill_modifiers: bool,
}

/// How queries are evaluated. Times are milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Language features.
    pub syntax: Syntax,
    /// How far back an instant selector looks for a sample. The window is open at its start.
    pub lookback_ms: i64,
    /// At most this many samples may be held at once; a histogram counts by its size, 16 bytes a sample.
    pub max_samples: u64,
    /// At most this many steps in a range query.
    pub max_steps: u64,
    /// The step of a subquery that names none.
    pub default_subquery_step_ms: i64,
    /// `promql-delayed-name-removal`: metric names are dropped at the end of the query, not by each function.
    pub delayed_name_removal: bool,
    /// `type-and-unit-labels`: `__type__` is trusted to tell counters.
    pub type_and_unit_labels: bool,
    /// `use-start-timestamps`: known start times of counters count as resets.
    pub start_timestamps: bool,
}

// === impl Syntax ===

impl Syntax {
    /// Every feature on.
    pub const fn all() -> Self {
        Self {
            experimental_functions: true,
            duration_expressions: true,
            extended_selectors: true,
            fill_modifiers: true,
        }
    }
}

// === impl Options ===

impl Options {
    /// Prometheus' default lookback: five minutes.
    pub const DEFAULT_LOOKBACK_MS: i64 = 300_000;
    /// Prometheus' default limit on samples in memory.
    pub const DEFAULT_MAX_SAMPLES: u64 = 50_000_000;
    /// Prometheus' limit on points per series in a range query.
    pub const DEFAULT_MAX_STEPS: u64 = 11_000;
}

impl Default for Options {
    fn default() -> Self {
        Self {
            syntax: Syntax::default(),
            lookback_ms: Self::DEFAULT_LOOKBACK_MS,
            max_samples: Self::DEFAULT_MAX_SAMPLES,
            max_steps: Self::DEFAULT_MAX_STEPS,
            default_subquery_step_ms: 60_000,
            delayed_name_removal: false,
            type_and_unit_labels: false,
            start_timestamps: false,
        }
    }
}
