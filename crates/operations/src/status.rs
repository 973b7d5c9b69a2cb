//! What this process keeps and how it fares, for the status page, the terminal and the console.

use kernel::{Fault, Timestamp};
use outside::host::CollectorRun;
use serde::Serialize;

use crate::folder::FolderStatus;
use crate::{Action, Asked, Noun, Operations, Verb, ledger_fault};

/// What this process keeps and how it fares.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// The fact log.
    pub ledger: LedgerStatus,
    /// The telemetry store.
    pub store: StoreStatus,
    /// The sub-collectors at the last measurement.
    pub collectors: Vec<CollectorStatus>,
    /// The process itself.
    pub process: ProcessStatus,
    /// The resources folder.
    pub resources: FolderStatus,
}

/// How one sub-collector fared.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CollectorStatus {
    /// Such as `diskstats`.
    pub name: &'static str,
    /// How long it took.
    pub duration_seconds: f64,
    /// It found what it looks for.
    pub ok: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The fact log.
#[derive(Clone, Debug, Serialize)]
pub struct LedgerStatus {
    /// The number of the last fact.
    pub head: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// Effects on their way to the outside.
    pub pending: u64,
    /// Effects that were given up.
    pub dead: u64,
}

/// The telemetry store.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoreStatus {
    /// Active series.
    pub series: u64,
    /// Samples acknowledged since the start.
    pub samples: u64,
    /// Published blocks.
    pub blocks: u64,
    /// Bytes of blocks.
    pub bytes: u64,
    /// Bytes of the write-ahead log.
    pub wal_bytes: u64,
    /// Bytes of memory that heads hold.
    pub memory_bytes: u64,
    /// The oldest sample kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Timestamp>,
    /// The newest sample kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<Timestamp>,
}

/// The process itself.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessStatus {
    /// Resident memory.
    pub resident_bytes: f64,
    /// Processor time used since the start.
    pub cpu_seconds: f64,
    /// Open file descriptors.
    pub open_files: f64,
}

impl Operations {
    /// What this process keeps and how it fares.
    ///
    /// # Errors
    /// Denied, or the ledger cannot be read.
    pub fn status(&self, asked: &Asked) -> Result<Status, Fault> {
        self.authorise(asked, &Action::new(Verb::Read, Noun::Status))?;
        let ledger = self.ledger.stats().map_err(ledger_fault)?;
        let outbox = self.ledger.outbox().map_err(ledger_fault)?;
        let store = self.store.stats();
        Ok(Status {
            ledger: LedgerStatus {
                head: self.ledger.head().0,
                bytes: ledger.bytes,
                pending: outbox.pending,
                dead: outbox.dead,
            },
            store: StoreStatus {
                series: store.series,
                samples: store.samples_appended,
                blocks: store.blocks,
                bytes: store.block_bytes,
                wal_bytes: store.wal_bytes,
                memory_bytes: store.memory_bytes,
                oldest: store.oldest.map(Timestamp::from_millis),
                newest: store.newest.map(Timestamp::from_millis),
            },
            collectors: self.collector_runs().into_iter().map(CollectorStatus::from).collect(),
            process: self.process_status(),
            resources: self.folder_status(),
        })
    }

    fn process_status(&self) -> ProcessStatus {
        let families = outside::host::self_process::collect(self.now());
        let value = |name: &str| {
            let samples = families.iter().find(|f| f.metadata.name == name).map(|f| &f.samples);
            samples.and_then(|samples| samples.first()).map_or(0.0, |sample| sample.value)
        };
        ProcessStatus {
            resident_bytes: value("process_resident_memory_bytes"),
            cpu_seconds: value("process_cpu_seconds_total"),
            open_files: value("process_open_fds"),
        }
    }
}

impl From<CollectorRun> for CollectorStatus {
    fn from(run: CollectorRun) -> Self {
        Self { name: run.name, duration_seconds: run.seconds, ok: run.error.is_none(), error: run.error }
    }
}
