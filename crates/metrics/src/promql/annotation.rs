//! Warnings and infos about a query's data, worded and placed as Prometheus words and places them.

use std::collections::BTreeMap;

use super::ast::Span;
use super::functions::classic::Forced;
use super::functions::rfc3339;
use super::quote::quote;
use crate::number::format_g;

/// How serious an annotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The answer may be wrong or incomplete.
    Warning,
    /// Something to know.
    Info,
}

/// A warning or info.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// How serious.
    pub severity: Severity,
    /// The text, without its position.
    pub message: String,
    /// Where in the query.
    pub span: Span,
}

/// What a histogram operation was part of, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HistogramOperation {
    Addition,
    Subtraction,
    Aggregation,
}

/// What can be said about a query's data.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Notice<'a> {
    InvalidQuantile(f64),
    InvalidRatio { got: f64, capped: f64 },
    BadBucketLabel { metric: &'a str, label: &'a str },
    MixedFloatsHistograms { metric: &'a str },
    MixedFloatsHistogramsAggregation,
    MixedClassicNative { metric: &'a str },
    NotCounter { metric: &'a str },
    NotGauge { metric: &'a str },
    MixedExponentialCustom { metric: &'a str },
    IncompatibleBuckets { operator: &'a str },
    ResetCollision(HistogramOperation),
    StartOverlap { metric: &'a str },
    PossibleNonCounter { metric: &'a str },
    PossibleNonCounterLabel { metric: &'a str, kind: &'a str },
    ForcedMonotonicity { metric: &'a str, detail: &'a str },
    IncompatibleTypes { left: &'a str, operator: &'a str, right: &'a str },
    HistogramIgnoredInAggregation(&'a str),
    HistogramIgnoredInMixedRange { metric: &'a str },
    QuantileNan { metric: &'a str },
    QuantileNanSkew { metric: &'a str },
    FractionNan { metric: &'a str },
    ReconciledBuckets(HistogramOperation),
}

/// The annotations of a query: each text and place once, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Annotations {
    said: BTreeMap<(Severity, String, usize), Span>,
    forced: BTreeMap<(String, usize), ForcedOver>,
}

/// Corrections of classic histograms, summed up over steps.
#[derive(Clone, Copy, Debug)]
struct ForcedOver {
    span: Span,
    worst: Forced,
    count: u64,
    from: i64,
    to: i64,
}

// === impl Annotation ===

impl Annotation {
    /// The text with its position in `query`, as Prometheus prints it.
    pub fn render(&self, query: &str) -> String {
        let (line, column) = self.span.line_column(query);
        format!("{} ({line}:{column})", self.message)
    }
}

// === impl Annotations ===

impl Annotations {
    /// Adds what `notice` says about the part of the query at `span`.
    pub(crate) fn add(&mut self, span: Span, notice: &Notice<'_>) {
        let (severity, text) = notice.describe();
        let prefix = match severity {
            Severity::Warning => "PromQL warning: ",
            Severity::Info => "PromQL info: ",
        };
        self.said.entry((severity, format!("{prefix}{text}"), span.start)).or_insert(span);
    }

    /// Notes that a classic histogram's buckets at time `t` had to be corrected.
    pub(crate) fn force_monotonicity(&mut self, span: Span, metric: &str, t: i64, forced: Forced) {
        let first = ForcedOver { span, worst: forced, count: 0, from: t, to: t };
        let over = self.forced.entry((metric.to_owned(), span.start)).or_insert(first);
        over.worst.min_bucket = over.worst.min_bucket.min(forced.min_bucket);
        over.worst.max_bucket = over.worst.max_bucket.max(forced.max_bucket);
        over.worst.max_diff = over.worst.max_diff.max(forced.max_diff);
        over.count += 1;
        over.from = over.from.min(t);
        over.to = over.to.max(t);
    }

    /// Warnings, then infos.
    pub(crate) fn into_lists(mut self) -> (Vec<Annotation>, Vec<Annotation>) {
        for ((metric, _), over) in std::mem::take(&mut self.forced) {
            let detail = format!(
                ", from buckets {} to {}, with a max diff of {}, over {} samples from {} to {}",
                format_g(over.worst.min_bucket),
                format_g(over.worst.max_bucket),
                two_digits(over.worst.max_diff),
                over.count,
                rfc3339(over.from),
                rfc3339(over.to),
            );
            self.add(over.span, &Notice::ForcedMonotonicity { metric: &metric, detail: &detail });
        }
        self.said
            .into_iter()
            .map(|((severity, message, _), span)| Annotation { severity, message, span })
            .partition(|a| a.severity == Severity::Warning)
    }
}

// === impl HistogramOperation ===

impl HistogramOperation {
    fn name(self) -> &'static str {
        match self {
            Self::Addition => "addition",
            Self::Subtraction => "subtraction",
            Self::Aggregation => "aggregation",
        }
    }
}

// === impl Notice ===

impl Notice<'_> {
    fn describe(&self) -> (Severity, String) {
        use Severity::{Info, Warning};
        match self {
            Self::InvalidQuantile(q) => {
                (Warning, format!("quantile value should be between 0 and 1, got {}", format_g(*q)))
            }
            Self::InvalidRatio { got, capped } => (
                Warning,
                format!(
                    "ratio value should be between -1 and 1, got {}, capping to {}",
                    format_g(*got),
                    format_g(*capped)
                ),
            ),
            Self::BadBucketLabel { metric, label } => {
                let text =
                    format!("bucket label \"le\" is missing or has a malformed value of {}", quote(label));
                (Warning, text + &for_metric(metric))
            }
            Self::MixedFloatsHistograms { metric } => (
                Warning,
                format!("encountered a mix of histograms and floats for metric name {}", quote(metric)),
            ),
            Self::MixedFloatsHistogramsAggregation => {
                (Warning, "encountered a mix of histograms and floats for aggregation".to_owned())
            }
            Self::MixedClassicNative { metric } => (
                Warning,
                "vector contains a mix of classic and native histograms".to_owned() + &for_metric(metric),
            ),
            Self::NotCounter { metric } => {
                (Warning, format!("this native histogram metric is not a counter: {}", quote(metric)))
            }
            Self::NotGauge { metric } => {
                (Warning, format!("this native histogram metric is not a gauge: {}", quote(metric)))
            }
            Self::MixedExponentialCustom { metric } => (
                Warning,
                format!(
                    "vector contains a mix of histograms with exponential and custom buckets schemas for metric name {}",
                    quote(metric)
                ),
            ),
            Self::IncompatibleBuckets { operator } => {
                (Warning, format!("incompatible bucket layout encountered for binary operator {operator}"))
            }
            Self::ResetCollision(operation) => {
                (Warning, format!("conflicting counter resets during histogram {}", operation.name()))
            }
            Self::StartOverlap { metric } => (
                Warning,
                format!(
                    "sample has start time that overlaps with previous sample timestamp for metric {}",
                    quote(metric)
                ),
            ),
            _ => (Info, self.describe_info()),
        }
    }

    fn describe_info(&self) -> String {
        match self {
            Self::PossibleNonCounter { metric } => format!(
                "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {}",
                quote(metric)
            ),
            Self::PossibleNonCounterLabel { metric, kind } => format!(
                "metric might not be a counter, __type__ label is not set to \"counter\" or \"histogram\", got {}: {}",
                quote(kind),
                quote(metric)
            ),
            Self::ForcedMonotonicity { metric, detail } => format!(
                "input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile){}{detail}",
                for_metric(metric)
            ),
            Self::IncompatibleTypes { left, operator, right } => format!(
                "incompatible sample types encountered for binary operator {}: {left} {operator} {right}",
                quote(operator)
            ),
            Self::HistogramIgnoredInAggregation(name) => format!("ignored histogram in {name} aggregation"),
            Self::HistogramIgnoredInMixedRange { metric } => format!(
                "ignored histograms in a range containing both floats and histograms for metric name {}",
                quote(metric)
            ),
            Self::QuantileNan { metric } => {
                "input to histogram_quantile has NaN observations, result is NaN".to_owned()
                    + &for_metric(metric)
            }
            Self::QuantileNanSkew { metric } => {
                "input to histogram_quantile has NaN observations, result is skewed higher".to_owned()
                    + &for_metric(metric)
            }
            Self::FractionNan { metric } => {
                "input to histogram_fraction has NaN observations, which are excluded from all fractions"
                    .to_owned()
                    + &for_metric(metric)
            }
            Self::ReconciledBuckets(operation) => {
                format!("mismatched custom buckets were reconciled during {}", operation.name())
            }
            _ => String::new(),
        }
    }
}

fn for_metric(metric: &str) -> String {
    if metric.is_empty() { String::new() } else { format!(" for metric name {}", quote(metric)) }
}

/// `v` to two significant digits.
fn two_digits(v: f64) -> String {
    let text = format!("{v:.1e}");
    format_g(text.parse().unwrap_or(v))
}
