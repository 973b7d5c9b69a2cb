//! How a store is set up.

use std::path::PathBuf;

use kernel::Span;

/// The part of `Options::memory_limit` that new samples may take, in percent.
pub const INGEST_SHARE: u64 = 40;

/// When a batch counts as durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Once it is on the disk (`fdatasync`): survives power loss.
    #[default]
    Sync,
    /// Once the operating system has it: survives the process, not the power.
    Os,
}

/// What one store takes. Each limit is answered with a rejection that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Active series: those with samples in the head.
    pub series: u64,
    /// Labels of one series, the metric name included.
    pub labels_per_series: usize,
    /// Bytes of a label's name.
    pub name_bytes: usize,
    /// Bytes of a label's value.
    pub value_bytes: usize,
    /// How far ahead of now a sample may be.
    pub ahead: Span,
    /// Samples of one batch.
    pub batch_samples: usize,
}

/// How a store is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Its folder; created when absent.
    pub dir: PathBuf,
    /// Bytes of memory the store may use; new samples get [`INGEST_SHARE`] percent of it.
    pub memory_limit: u64,
    /// How long samples are kept; `None` keeps them for ever.
    pub retention: Option<Span>,
    /// How many bytes of blocks are kept, the oldest going first; `None` does not limit them.
    pub retention_bytes: Option<u64>,
    /// How much older than its series' newest sample a sample may be.
    pub out_of_order_window: Span,
    /// When a batch counts as durable.
    pub durability: Durability,
    /// What the store takes.
    pub limits: Limits,
    /// How often the head is written out as a block.
    pub flush_interval: Span,
    /// How long the files of a block that was merged or expired stay on disk.
    pub deletion_grace: Span,
}

// === impl Limits ===

impl Default for Limits {
    /// 2 M series, 64 labels, names to 1 KiB, values to 8 KiB, ten minutes ahead, 4 M samples a batch.
    fn default() -> Self {
        Self {
            series: 2_000_000,
            labels_per_series: 64,
            name_bytes: 1024,
            value_bytes: 8192,
            ahead: Span::from_mins(10),
            batch_samples: 4_000_000,
        }
    }
}

// === impl Options ===

impl Options {
    /// 1 GiB of memory, 30 days, an hour of disorder, synced, a flush each 15 minutes, five minutes of grace.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            memory_limit: 1 << 30,
            retention: Some(Span::from_days(30)),
            retention_bytes: None,
            out_of_order_window: Span::from_hours(1),
            durability: Durability::Sync,
            limits: Limits::default(),
            flush_interval: Span::from_mins(15),
            deletion_grace: Span::from_mins(5),
        }
    }
}
