//! Asking metrics: PromQL under limits on concurrency, time and samples, and what is known of series.
//!
//! Queries wait their turn in the order they came. A query that takes too long, or whose client has gone, is ended by
//! itself; the process and the other queries do not notice.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ::metrics::promql::{Answer, ErrorKind, ExprKind, Options, Query, QueryError, parse};
use ::metrics::sample::{Family, FamilyMetadata, MetricType};
use ::metrics::source::Matcher;
use kernel::{Fault, Labels, Span};
use parking_lot::{Condvar, Mutex};
use store::Cardinality;

use crate::own::{add, family};
use crate::{Action, Asked, Noun, Operations, Verb};

/// Bounds on queries.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Queries evaluated at once.
    pub concurrent: usize,
    /// Queries that may wait for their turn.
    pub waiting: usize,
    /// Longest a query may wait and run.
    pub timeout: Span,
    /// Most samples one query may hold.
    pub samples: u64,
}

impl Default for Limits {
    /// 4 at once, 64 waiting, two minutes, 50 million samples.
    fn default() -> Self {
        Self {
            concurrent: 4,
            waiting: 64,
            timeout: Span::from_mins(2),
            samples: Options::DEFAULT_MAX_SAMPLES,
        }
    }
}

/// When a query is evaluated, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Once.
    At(i64),
    /// At every step of a range.
    Range {
        /// The first step.
        start: i64,
        /// The last step is at or before this.
        end: i64,
        /// Between steps.
        step: i64,
    },
}

/// A query as asked.
pub struct QueryRequest<'a> {
    /// PromQL.
    pub text: &'a str,
    /// When.
    pub when: When,
    /// Shorter than the limit's, if given.
    pub timeout: Option<Span>,
    /// How far back an instant selector looks, in milliseconds; the default if absent.
    pub lookback_ms: Option<i64>,
    /// Set when the client has gone.
    pub cancelled: &'a AtomicBool,
}

/// Why a query has no answer.
#[derive(Debug)]
pub enum QueryFailure {
    /// Refused before it began.
    Fault(Fault),
    /// It is wrong, or failed.
    Query(QueryError),
    /// It ran out of time.
    TimedOut(Span),
}

/// Where queries wait, and what they cost so far.
pub(crate) struct Desk {
    limits: Limits,
    queue: Mutex<Queue>,
    moved: Condvar,
    spent: Mutex<Spent>,
}

#[derive(Default)]
struct Queue {
    running: usize,
    next: u64,
    waiting: VecDeque<u64>,
}

#[derive(Default)]
struct Spent {
    answered: u64,
    failed: u64,
    refused: u64,
    seconds: f64,
    samples: u64,
}

/// A turn; ends when it is dropped.
struct Turn<'a>(&'a Desk);

// === impl Desk ===

impl Desk {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, queue: Mutex::default(), moved: Condvar::new(), spent: Mutex::default() }
    }

    /// Waits for a turn, first come first served.
    fn turn(&self, timeout: Span, gone: impl Fn() -> bool) -> Result<Turn<'_>, QueryFailure> {
        let mut queue = self.queue.lock();
        if queue.waiting.len() >= self.limits.waiting {
            self.spent.lock().refused += 1;
            return Err(QueryFailure::Fault(Fault::exhausted(
                format!("{} queries are waiting already; try again shortly", self.limits.waiting),
                Span::from_secs(2),
            )));
        }
        let ticket = queue.next;
        queue.next += 1;
        queue.waiting.push_back(ticket);
        // The machine's own clock: being woken for somebody else's turn is not waiting longer.
        let deadline = Instant::now() + timeout.to_std();
        loop {
            if queue.running < self.limits.concurrent && queue.waiting.front() == Some(&ticket) {
                queue.waiting.pop_front();
                queue.running += 1;
                drop(queue);
                // The next in line may have a place too.
                self.moved.notify_all();
                return Ok(Turn(self));
            }
            let slice = Duration::from_millis(100);
            self.moved.wait_for(&mut queue, slice);
            if gone() || Instant::now() >= deadline {
                queue.waiting.retain(|waiting| *waiting != ticket);
                drop(queue);
                self.moved.notify_all();
                self.spent.lock().refused += 1;
                return Err(QueryFailure::TimedOut(timeout));
            }
        }
    }

    /// What queries cost so far, as metrics.
    pub(crate) fn families(&self) -> Vec<Family> {
        let mut queries = family("mainstay_queries_total", MetricType::Counter, "Queries by outcome.");
        let mut seconds =
            family("mainstay_query_seconds_total", MetricType::Counter, "Time spent evaluating queries.");
        let mut samples =
            family("mainstay_query_samples_total", MetricType::Counter, "Samples read by queries.");
        let mut running = family("mainstay_queries_running", MetricType::Gauge, "Queries being evaluated.");
        // Before `spent`, in the order in which a turn takes them.
        let running_now = self.queue.lock().running;
        let spent = self.spent.lock();
        for (outcome, count) in
            [("answered", spent.answered), ("failed", spent.failed), ("refused", spent.refused)]
        {
            add(&mut queries, "", &[("outcome", outcome)], count as f64);
        }
        add(&mut seconds, "", &[], spent.seconds);
        add(&mut samples, "", &[], spent.samples as f64);
        add(&mut running, "", &[], running_now as f64);
        vec![queries, seconds, samples, running]
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.queue.lock().running -= 1;
        self.0.moved.notify_all();
    }
}

// === impl Operations ===

impl Operations {
    /// Evaluates a query.
    ///
    /// # Errors
    /// Denied, the query is wrong or fails, or a limit is reached.
    pub fn query(&self, asked: &Asked, request: &QueryRequest<'_>) -> Result<Answer, QueryFailure> {
        self.authorise(asked, &Action::new(Verb::Read, Noun::Metrics)).map_err(QueryFailure::Fault)?;
        self.evaluate_query(request)
    }

    /// Evaluates a query on Mainstay's own behalf at `now`.
    pub(crate) fn own_query(&self, text: &str) -> Result<Answer, QueryFailure> {
        let cancelled = AtomicBool::new(false);
        let when = When::At(self.now().as_millis());
        self.evaluate_query(&QueryRequest {
            text,
            when,
            timeout: None,
            lookback_ms: None,
            cancelled: &cancelled,
        })
    }

    fn evaluate_query(&self, request: &QueryRequest<'_>) -> Result<Answer, QueryFailure> {
        let options = Options {
            max_samples: self.queries.limits.samples,
            lookback_ms: request.lookback_ms.unwrap_or(Options::DEFAULT_LOOKBACK_MS),
            ..Options::default()
        };
        let query = Query::parse(request.text, &options).map_err(QueryFailure::Query)?;
        let timeout = request.timeout.unwrap_or(self.queries.limits.timeout).min(self.queries.limits.timeout);
        let started = self.now();
        let deadline = started + timeout;
        let gone = || request.cancelled.load(Ordering::Relaxed);
        let _turn = self.queries.turn(timeout, gone)?;
        let cancelled = || gone() || self.now() > deadline;
        let source: &dyn ::metrics::source::SeriesSource = &*self.store;
        let answer = match request.when {
            When::At(at) => query.instant(source, at, &options, &cancelled),
            When::Range { start, end, step } => query.range(source, start, end, step, &options, &cancelled),
        };
        let mut spent = self.queries.spent.lock();
        spent.seconds += self.now().since(started).as_nanos() as f64 / 1e9;
        match answer {
            Ok(answer) => {
                spent.answered += 1;
                spent.samples += answer.stats.total_samples;
                Ok(answer)
            }
            Err(error) => {
                spent.failed += 1;
                if error.kind == ErrorKind::Cancelled && self.now() > deadline {
                    return Err(QueryFailure::TimedOut(timeout));
                }
                Err(QueryFailure::Query(error))
            }
        }
    }

    /// Names of labels on the series that satisfy any of `selectors` (all series when there are none).
    ///
    /// # Errors
    /// Denied, a selector is wrong, or data cannot be read.
    pub fn label_names(
        &self,
        asked: &Asked,
        selectors: &[String],
        range: (i64, i64),
        limit: usize,
    ) -> Result<Vec<String>, QueryFailure> {
        self.union(asked, selectors, limit, |matchers| {
            self.store.label_names(matchers, range.0, range.1, limit)
        })
    }

    /// Values of a label on the series that satisfy any of `selectors`.
    ///
    /// # Errors
    /// As [`Operations::label_names`].
    pub fn label_values(
        &self,
        asked: &Asked,
        name: &str,
        selectors: &[String],
        range: (i64, i64),
        limit: usize,
    ) -> Result<Vec<String>, QueryFailure> {
        self.union(asked, selectors, limit, |matchers| {
            self.store.label_values(name, matchers, range.0, range.1, limit)
        })
    }

    /// The series that satisfy any of `selectors`, of which there must be one.
    ///
    /// # Errors
    /// As [`Operations::label_names`]; also when no selector is given.
    pub fn series(
        &self,
        asked: &Asked,
        selectors: &[String],
        range: (i64, i64),
        limit: usize,
    ) -> Result<Vec<Labels>, QueryFailure> {
        if selectors.is_empty() {
            return Err(QueryFailure::Fault(Fault::invalid("no match[] parameter provided")));
        }
        self.union(asked, selectors, limit, |matchers| self.store.series(matchers, range.0, range.1, limit))
    }

    fn union<T: Ord>(
        &self,
        asked: &Asked,
        selectors: &[String],
        limit: usize,
        read: impl Fn(&[Matcher]) -> Result<Vec<T>, ::metrics::source::SourceError>,
    ) -> Result<Vec<T>, QueryFailure> {
        self.authorise(asked, &Action::new(Verb::Read, Noun::Metrics)).map_err(QueryFailure::Fault)?;
        let unreadable = |error: ::metrics::source::SourceError| {
            let wait = Span::from_secs(1);
            let fault = Fault::unavailable("the store cannot be read just now", wait);
            QueryFailure::Fault(fault.with_internal(error.to_string()))
        };
        if selectors.is_empty() {
            return read(&[]).map_err(unreadable);
        }
        let mut all = Vec::new();
        for text in selectors {
            all.extend(read(&matchers(text).map_err(QueryFailure::Query)?).map_err(unreadable)?);
        }
        all.sort();
        all.dedup();
        all.truncate(limit);
        Ok(all)
    }

    /// What is known of metric families, by name; of one when it is named.
    ///
    /// # Errors
    /// Denied.
    pub fn metric_metadata(&self, asked: &Asked, name: Option<&str>) -> Result<Vec<FamilyMetadata>, Fault> {
        self.authorise(asked, &Action::new(Verb::Read, Noun::Metrics))?;
        let mut all = self.store.metadata();
        all.retain(|family| name.is_none_or(|name| family.name == name));
        Ok(all)
    }

    /// Where series come from.
    ///
    /// # Errors
    /// Denied.
    pub fn cardinality(&self, asked: &Asked, limit: usize) -> Result<Cardinality, Fault> {
        self.authorise(asked, &Action::new(Verb::Read, Noun::Metrics))?;
        Ok(self.store.cardinality(limit))
    }

    /// Flushes, compacts and expires what is due. Failures are said and tried again.
    pub fn maintain_store(&self) {
        if let Err(error) = self.store.maintain(self.now()) {
            eprintln!("mainstay: the telemetry store's maintenance failed and will be tried again: {error}");
        }
    }
}

/// The matchers of a series selector.
fn matchers(text: &str) -> Result<Vec<Matcher>, QueryError> {
    let expr = parse(text, &Options::default().syntax)?;
    match expr.kind {
        ExprKind::Selector(selector) if selector.offset.is_none() && selector.at.is_none() => {
            Ok(selector.matchers)
        }
        _ => Err(QueryError::bad_data(expr.span, format!("{text:?} is not a series selector"))),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use kernel::FaultKind;

    use super::*;

    const NEVER: Span = Span::from_hours(1);

    fn desk(concurrent: usize, waiting: usize) -> Desk {
        Desk::new(Limits { concurrent, waiting, ..Limits::default() })
    }

    /// Waits until so many queries wait at the desk.
    fn until_waiting(desk: &Desk, count: usize) {
        while desk.queue.lock().waiting.len() != count {
            std::thread::yield_now();
        }
    }

    #[test]
    fn turns_are_given_in_order_and_a_full_line_refuses() {
        let desk = desk(1, 2);
        let (said, order) = mpsc::channel();
        std::thread::scope(|scope| {
            let first = desk.turn(NEVER, || false);
            for name in ["second", "third"] {
                let (desk, said) = (&desk, said.clone());
                let already = desk.queue.lock().waiting.len();
                scope.spawn(move || {
                    let turn = desk.turn(NEVER, || false);
                    said.send(name).unwrap();
                    drop(turn);
                });
                until_waiting(desk, already + 1);
            }
            let Err(QueryFailure::Fault(fault)) = desk.turn(NEVER, || false) else {
                panic!("there was a place")
            };
            assert_eq!((fault.kind, fault.retry_after), (FaultKind::Exhausted, Some(Span::from_secs(2))));
            assert!(order.try_recv().is_err(), "nobody has gone before");
            drop(first);
        });
        assert_eq!(order.try_iter().collect::<Vec<_>>(), ["second", "third"]);
        assert_eq!((desk.queue.lock().running, desk.spent.lock().refused), (0, 1));
    }

    #[test]
    fn whoever_waits_too_long_or_has_gone_leaves_the_line() {
        let desk = desk(1, 8);
        let _running = desk.turn(NEVER, || false);
        for (timeout, gone) in [(Span::from_millis(1), false), (NEVER, true)] {
            let left = desk.turn(timeout, || gone);
            assert!(matches!(left, Err(QueryFailure::TimedOut(after)) if after == timeout));
            assert_eq!(desk.queue.lock().waiting.len(), 0);
        }
    }

    #[test]
    fn being_woken_for_somebody_else_is_not_waiting() {
        let desk = desk(1, 8);
        let running = desk.turn(NEVER, || false);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| desk.turn(Span::from_mins(1), || false).is_ok());
            until_waiting(&desk, 1);
            for _ in 0..2_000 {
                desk.moved.notify_all();
                std::thread::yield_now();
            }
            drop(running);
            assert!(waiting.join().unwrap_or(false));
        });
    }

    #[test]
    fn as_many_as_may_run_at_once() {
        let desk = desk(2, 8);
        let _both = [desk.turn(NEVER, || false), desk.turn(NEVER, || false)];
        assert_eq!(desk.queue.lock().running, 2);
        assert!(desk.turn(Span::ZERO, || false).is_err());
    }
}
