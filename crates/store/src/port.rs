//! The `Telemetry` port: what the house asks of the store of metrics, whatever keeps it.
//!
//! Two adapters hold the same suite (`tests/telemetry_port.rs`): [`crate::Store`] on disk, and
//! `simulation::SimTelemetry` in memory. Which sample wins when two have the same series and time: the
//! one that was accepted first, always.

use kernel::{Labels, Timestamp};
use metrics::sample::{FamilyMetadata, SeriesBatch};
use metrics::source::{Matcher, SeriesSource, SourceError};

/// What an append did. Samples that are not in `rejected` are durable and readable.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Appended {
    /// Samples taken, repeats of an identical sample included.
    pub samples: u64,
    /// What was not taken, one entry per series and reason.
    pub rejected: Vec<Rejected>,
}

/// Samples of one series that were not taken, for one reason.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejected {
    /// The series.
    pub labels: Labels,
    /// How many of its samples.
    pub samples: u64,
    /// Why.
    pub reason: Rejection,
}

/// Why a sample was not taken. Sending it again will not help, except after [`Rejection::TooManySeries`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// It is older than the series' newest sample by more than the out-of-order window.
    #[error("sample at {t} ms is out of order by more than {window_ms} ms: the newest is at {newest} ms")]
    TooOld {
        /// The sample's time in milliseconds.
        t: i64,
        /// The series' newest sample.
        newest: i64,
        /// `Options::out_of_order_window`.
        window_ms: u64,
    },
    /// It is older than what is retained.
    #[error("sample at {t} ms is older than the retention allows: the oldest kept is {oldest} ms")]
    BeyondRetention {
        /// The sample's time in milliseconds.
        t: i64,
        /// The oldest time that is kept.
        oldest: i64,
    },
    /// It lies in the future; check the clock of its source.
    #[error("sample at {t} ms is in the future by more than {allowed_ms} ms; check the clock of its source")]
    TooFarAhead {
        /// The sample's time in milliseconds.
        t: i64,
        /// `Limits::ahead`.
        allowed_ms: u64,
    },
    /// The series has another value at that time; the first one stays.
    #[error("sample at {t} ms has another value than the one already kept")]
    Duplicate {
        /// The sample's time in milliseconds.
        t: i64,
    },
    /// The store holds as many active series as it may.
    #[error(
        "the limit of {limit} active series is reached; drop labels that never repeat, or raise the limit"
    )]
    TooManySeries {
        /// `Limits::series`.
        limit: u64,
    },
    /// The series has too many labels.
    #[error("{labels} labels; the limit is {limit}")]
    TooManyLabels {
        /// How many it has.
        labels: usize,
        /// `Limits::labels_per_series`.
        limit: usize,
    },
    /// A label's name is too long.
    #[error("the label name {name:?}… has {bytes} bytes; the limit is {limit}")]
    NameTooLong {
        /// Its beginning.
        name: String,
        /// Its length in bytes.
        bytes: usize,
        /// `Limits::name_bytes`.
        limit: usize,
    },
    /// A label's value is too long.
    #[error("the value of label {name:?} has {bytes} bytes; the limit is {limit}")]
    ValueTooLong {
        /// The label.
        name: String,
        /// Its value's length in bytes.
        bytes: usize,
        /// `Limits::value_bytes`.
        limit: usize,
    },
    /// The series has no labels at all.
    #[error("the series has no labels")]
    NoLabels,
}

/// Why the store refused or failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The disk is full: nothing of the batch is acknowledged; a later try may succeed.
    #[error("no space left for the telemetry store at {0}; free some, or shorten its retention")]
    Full(String),
    /// The memory budget is used up: nothing of the batch was taken; a later try may succeed.
    #[error("the telemetry store uses {used} bytes of its {budget} for new samples; retry in some seconds")]
    OverMemory {
        /// Bytes in use.
        used: u64,
        /// The budget: [`crate::INGEST_SHARE`] percent of `Options::memory_limit`.
        budget: u64,
    },
    /// The batch exceeds a named limit: nothing of it was taken.
    #[error("{0}")]
    TooLarge(String),
    /// Another process has the store open.
    #[error("{0}")]
    Locked(String),
    /// Something stored cannot be read.
    #[error("{file} is damaged at byte {offset}: {what}")]
    Damaged {
        /// The file, relative to the store's folder.
        file: String,
        /// Where in it, as near as can be told.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// The store has been closed.
    #[error("the telemetry store is closed")]
    Closed,
    /// Reading or writing failed.
    #[error("{0}")]
    Io(String),
}

/// Figures about a store, as of now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Series with recent samples, those of the head.
    pub series: u64,
    /// Samples taken since the process started.
    pub samples_appended: u64,
    /// Samples refused since the process started.
    pub samples_rejected: u64,
    /// Samples in the head.
    pub head_samples: u64,
    /// Published blocks.
    pub blocks: u64,
    /// Samples in them.
    pub block_samples: u64,
    /// Their bytes on disk.
    pub block_bytes: u64,
    /// Bytes of write-ahead log on disk.
    pub wal_bytes: u64,
    /// The oldest sample's time in milliseconds, if there is any.
    pub oldest: Option<i64>,
    /// The newest sample's time in milliseconds, if there is any.
    pub newest: Option<i64>,
    /// Bytes of memory held for the head, the log's buffers and the blocks' directories.
    pub memory_bytes: u64,
    /// Syncs of the write-ahead log since the process started.
    pub syncs: u64,
    /// Flushes, compactions and deletions of blocks since the process started.
    pub flushes: u64,
    /// Compactions since the process started.
    pub compactions: u64,
    /// Blocks removed by retention since the process started.
    pub expired: u64,
}

/// Where series come from, as Prometheus' `/api/v1/status/tsdb` tells it. Lists descend and are cut at the limit asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cardinality {
    /// Active series.
    pub series: u64,
    /// Distinct pairs of label and value.
    pub label_pairs: u64,
    /// Series per metric name.
    pub series_by_metric: Vec<(String, u64)>,
    /// Distinct values per label.
    pub values_by_label: Vec<(String, u64)>,
    /// Bytes of values per label, each value counted once.
    pub bytes_by_label: Vec<(String, u64)>,
    /// Series per `name=value` pair.
    pub series_by_pair: Vec<(String, u64)>,
}

/// What one round of housekeeping did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maintained {
    /// Blocks written from the head.
    pub flushed: u64,
    /// Blocks merged away into larger ones.
    pub compacted: u64,
    /// Blocks that retention removed.
    pub expired: u64,
    /// Folders of blocks deleted from disk.
    pub deleted: u64,
    /// Series dropped from the head because they got no samples.
    pub forgotten: u64,
}

/// A store of metrics. Calls block until they are done; they may be made from many threads at once.
///
/// Times are milliseconds since the epoch, ranges include both ends, lists are sorted and hold at most `limit` entries.
pub trait Telemetry: SeriesSource {
    /// Takes `batch` and returns once it is durable. `now` judges samples ahead of time or beyond retention.
    ///
    /// # Errors
    /// See [`StoreError`]; on every error nothing of the batch is acknowledged, and sending it again is safe.
    fn append(&self, batch: &[SeriesBatch], now: Timestamp) -> Result<Appended, StoreError>;

    /// Names of labels on the series that satisfy `matchers` and may have samples in the range.
    ///
    /// # Errors
    /// Data cannot be read.
    fn label_names(
        &self,
        matchers: &[Matcher],
        start: i64,
        end: i64,
        limit: usize,
    ) -> Result<Vec<String>, SourceError>;

    /// Values of the label `name` on the series that satisfy `matchers` and may have samples in the range.
    ///
    /// # Errors
    /// Data cannot be read.
    fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        start: i64,
        end: i64,
        limit: usize,
    ) -> Result<Vec<String>, SourceError>;

    /// The series that satisfy `matchers` and may have samples in the range.
    ///
    /// # Errors
    /// Data cannot be read.
    fn series(
        &self,
        matchers: &[Matcher],
        start: i64,
        end: i64,
        limit: usize,
    ) -> Result<Vec<Labels>, SourceError>;

    /// Adds or replaces what is known of metric families, durably.
    ///
    /// # Errors
    /// It cannot be written.
    fn set_metadata(&self, families: &[FamilyMetadata]) -> Result<(), StoreError>;

    /// What is known of metric families, sorted by name.
    fn metadata(&self) -> Vec<FamilyMetadata>;

    /// Figures, as of now.
    fn stats(&self) -> StoreStats;

    /// Where series come from; each list holds at most `limit` entries.
    fn cardinality(&self, limit: usize) -> Cardinality;

    /// Does what time asks for: flushes, compacts, expires, deletes. Cheap when nothing is due; call it each few seconds.
    ///
    /// # Errors
    /// Something could not be written or read; the next call tries again.
    fn maintain(&self, now: Timestamp) -> Result<Maintained, StoreError>;
}
