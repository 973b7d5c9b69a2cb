//! Runs scripts of Prometheus' test language (`.test` files) against the engine and any store.
//!
//! The language: `load` and `load_with_nhcb` add series, `clear` removes them, `eval instant` and `eval range` run a query
//! and say what it must answer. Its source: Prometheus, `promql/promqltest/README.md`. An instant query is also run as a
//! range query around its time, which must agree.

mod compare;
mod expect;
mod nhcb;
mod notation;
mod script;
mod table;

use std::sync::Arc;

use kernel::Labels;

use crate::histogram::{Histogram, HistogramSample, ResetHint};
use crate::promql::{Options, Query, QueryError, Syntax};
use crate::source::{Series, SeriesSource};

pub use table::Table;

use expect::Expected;
use script::{Command, Eval};

/// A store that scripts load into.
pub trait Loader {
    /// Adds samples; they become visible to [`Loader::source`].
    ///
    /// # Errors
    /// What the store refused.
    fn load(&mut self, series: Vec<Series>) -> Result<(), String>;

    /// Removes everything.
    ///
    /// # Errors
    /// What the store refused.
    fn clear(&mut self) -> Result<(), String>;

    /// What queries read from.
    fn source(&self) -> &dyn SeriesSource;
}

/// How a script went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Evals that answered as expected.
    pub passed: usize,
    /// Evals that did not.
    pub failed: Vec<Finding>,
    /// What could not be run.
    pub skipped: Vec<Finding>,
}

/// One eval that failed or was skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Line in the script, from 1.
    pub line: usize,
    /// The query or command.
    pub text: String,
    /// Why.
    pub reason: String,
}

/// The options Prometheus' own suite runs with: every feature on, except that `__type__` is not trusted to tell counters.
pub fn suite_options() -> Options {
    Options {
        syntax: Syntax::all(),
        delayed_name_removal: true,
        start_timestamps: true,
        ..Options::default()
    }
}

/// Runs `script`, loading into `loader`, which should be empty.
pub fn run(script: &str, loader: &mut dyn Loader, options: &Options) -> Report {
    let mut report = Report::default();
    let mut hints = Hints::default();
    for (line, command) in script::commands(script) {
        let outcome = match command {
            Err(reason) => Err((String::new(), reason, true)),
            Ok(Command::Clear) => {
                hints = Hints::default();
                loader.clear().map_err(|reason| ("clear".to_owned(), reason, true))
            }
            Ok(Command::Load(series)) => {
                let series = series.into_iter().map(|s| hints.apply(s)).collect();
                loader.load(series).map_err(|reason| ("load".to_owned(), reason, true))
            }
            Ok(Command::Eval(eval)) => match check(&eval, loader.source(), options) {
                Ok(()) => {
                    report.passed += 1;
                    Ok(())
                }
                Err(reason) => Err((eval.query, reason, false)),
            },
        };
        if let Err((text, reason, skipped)) = outcome {
            let list = if skipped { &mut report.skipped } else { &mut report.failed };
            list.push(Finding { line, text, reason });
        }
    }
    report
}

/// Runs one eval; says what was not as expected.
fn check(eval: &Eval, source: &dyn SeriesSource, options: &Options) -> Result<(), String> {
    let expected = &eval.expected;
    let parsed = Query::parse(&eval.query, options);
    let answered = parsed.and_then(|query| run_query(&query, eval, source, options));
    let answer = match answered {
        Err(error) => return expected.check_failure(&error, &eval.query),
        Ok(_) if expected.fails() => return Err("expected a failure, got an answer".to_owned()),
        Ok(answer) => answer,
    };
    expected.check_annotations(&answer, &eval.query)?;
    compare::answer(&answer.value, eval)?;
    around(eval, expected, source, options)
}

fn run_query(
    query: &Query,
    eval: &Eval,
    source: &dyn SeriesSource,
    options: &Options,
) -> Result<crate::promql::Answer, QueryError> {
    match eval.step {
        None => query.instant(source, eval.start, options, &|| false),
        Some(step) => query.range(source, eval.start, eval.end, step, options, &|| false),
    }
}

/// An instant query must answer the same as the middle step of a range query around it. Queries that depend on the range
/// itself, and those whose order matters, are left out.
fn around(
    eval: &Eval,
    expected: &Expected,
    source: &dyn SeriesSource,
    options: &Options,
) -> Result<(), String> {
    let text = eval.query.to_ascii_lowercase();
    let ranged = ["step()", "range()", "start()", "end()"].iter().any(|f| text.contains(f));
    if eval.step.is_some() || ranged || !expected.is_plain() {
        return Ok(());
    }
    let Ok(query) = Query::parse(&eval.query, options) else { return Ok(()) };
    let minute = 60_000;
    let range =
        Eval { start: eval.start - minute, end: eval.start + minute, step: Some(minute), ..eval.clone() };
    match query.range(source, range.start, range.end, minute, options, &|| false) {
        Ok(answer) => compare::middle(&answer.value, eval).map_err(|e| format!("as a range query: {e}")),
        // Strings and range vectors have no range form; neighbouring steps may fail where this one does not.
        Err(_) => Ok(()),
    }
}

/// What Prometheus' store knows of counter resets when samples are read back: a reset starts a new chunk, whose first
/// histogram it says nothing about; all others in a chunk follow no reset. Gauges stay gauges.
#[derive(Default)]
struct Hints {
    last: std::collections::HashMap<Labels, Option<Arc<Histogram>>>,
}

// === impl Hints ===

impl Hints {
    fn apply(&mut self, mut series: Series) -> Series {
        let last = self.last.entry(series.labels.clone()).or_default();
        let mut floats = series.samples.iter().map(|s| s.t).peekable();
        for sample in &mut series.histograms {
            let mut float_between = false;
            while floats.next_if(|t| *t < sample.t).is_some() {
                float_between = true;
            }
            if float_between {
                *last = None;
            }
            let hint = match (sample.h.reset_hint, last.as_ref()) {
                (ResetHint::Gauge, _) => ResetHint::Gauge,
                (_, Some(previous)) if previous.reset_hint != ResetHint::Gauge => {
                    let restarted =
                        sample.h.reset_hint == ResetHint::Reset || counts_fell(&sample.h, previous);
                    if restarted { ResetHint::Unknown } else { ResetHint::NotReset }
                }
                _ => ResetHint::Unknown,
            };
            let h = Arc::new(Histogram { reset_hint: hint, ..Histogram::clone(&sample.h) });
            *last = if h.is_stale() { None } else { Some(Arc::clone(&h)) };
            *sample = HistogramSample { t: sample.t, h };
        }
        if floats.next().is_some() {
            *last = None;
        }
        series
    }
}

/// Whether the counts say that there was a reset, whatever the hint.
fn counts_fell(now: &Histogram, before: &Histogram) -> bool {
    Histogram { reset_hint: ResetHint::Unknown, ..now.clone() }.detect_reset(before)
}
