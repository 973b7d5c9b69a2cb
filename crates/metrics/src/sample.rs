//! What a series is made of.

use kernel::Labels;
use serde::{Deserialize, Serialize};

/// A float observation. `t` is milliseconds since the epoch, as in Prometheus.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Milliseconds since the epoch.
    pub t: i64,
    /// The value; [`STALE_NAN`] marks the end of a series.
    pub v: f64,
}

/// The bit pattern of the NaN that says "this series ended here" (Prometheus `value.StaleNaN`).
pub const STALE_NAN_BITS: u64 = 0x7ff0_0000_0000_0002;

/// The NaN that says "this series ended here".
pub const STALE_NAN: f64 = f64::from_bits(STALE_NAN_BITS);

/// True for the stale marker alone; ordinary NaN is a value.
pub fn is_stale(v: f64) -> bool {
    v.to_bits() == STALE_NAN_BITS
}

/// One series and new samples for it, in ascending time.
#[derive(Clone, Debug)]
pub struct SeriesBatch {
    /// The full label set, metric name included.
    pub labels: Labels,
    /// New samples, ascending in `t`.
    pub samples: Vec<Sample>,
}

/// What kind of metric a family is, as the exposition formats name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MetricType {
    /// Only rises, or resets to zero.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Buckets, sum and count.
    Histogram,
    /// A gauge-like histogram.
    GaugeHistogram,
    /// Quantiles, sum and count.
    Summary,
    /// Labels about something, value 1.
    Info,
    /// One of several states is 1.
    StateSet,
    /// Not said.
    Unknown,
}

/// What is known about a metric family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FamilyMetadata {
    /// The family's name.
    pub name: String,
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: MetricType,
    /// A sentence for people.
    pub help: String,
    /// Such as `seconds`; may be empty.
    pub unit: String,
}

/// A metric family as it stands at one moment: what is exposed to a scrape, and what a collector hands on.
///
/// Names follow the text format: a counter's family is called as its samples are (`http_requests_total`), an info's
/// `build_info`; the samples of a histogram or summary carry the family's name and a suffix.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// Name, type, help and unit.
    pub metadata: FamilyMetadata,
    /// In the order they are shown.
    pub samples: Vec<FamilySample>,
}

/// One line of an exposition.
#[derive(Clone, Debug, PartialEq)]
pub struct FamilySample {
    /// The full label set, metric name included.
    pub labels: Labels,
    /// The value.
    pub value: f64,
    /// Milliseconds since the epoch, where the exposer states it; usually the scrape's own time counts.
    pub timestamp: Option<i64>,
    /// An observation that stands for the value, such as one trace.
    pub exemplar: Option<Exemplar>,
}

/// A single observation, with labels that lead to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar {
    /// Such as `trace_id`.
    pub labels: Labels,
    /// The observed value.
    pub value: f64,
    /// Milliseconds since the epoch, if stated.
    pub timestamp: Option<i64>,
}

impl FamilySample {
    /// A sample without time or exemplar.
    pub fn new(labels: Labels, value: f64) -> Self {
        Self { labels, value, timestamp: None, exemplar: None }
    }
}
