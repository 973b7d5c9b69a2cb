//! This machine, measured: the collector's families go to the store like every other metric, its snapshot to whoever
//! watches.

use std::sync::Arc;

use kernel::{Fault, Labels, Span};
use metrics::sample::{Family, FamilyMetadata, Sample, SeriesBatch};
use outside::host::{CollectorRun, HostCollector, HostSnapshot};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{Action, Asked, Noun, Operations, Verb};

/// The job label of this machine's metrics.
pub const HOST_JOB: &str = "host";
/// The job label of Mainstay's own metrics.
pub const OWN_JOB: &str = "mainstay";

/// The newest measurement.
pub(crate) struct Latest {
    snapshot: watch::Sender<Option<Arc<HostSnapshot>>>,
    runs: Mutex<Vec<CollectorRun>>,
    /// What `/metrics` shows of the host: the families as collected.
    families: Mutex<Arc<Vec<Family>>>,
    /// What has been told to the store about families; told again only when it changes.
    described: Mutex<Vec<FamilyMetadata>>,
    /// The last error of appending, so that a full disk is reported once and not every five seconds.
    complaint: Mutex<Option<String>>,
}

impl Default for Latest {
    fn default() -> Self {
        Self {
            snapshot: watch::Sender::new(None),
            runs: Mutex::default(),
            families: Mutex::default(),
            described: Mutex::default(),
            complaint: Mutex::default(),
        }
    }
}

impl Operations {
    /// One measurement of the machine and of Mainstay itself, stored and published. Errors are kept for the status
    /// page and said once: the next turn tries again.
    pub fn collect(&self, collector: &mut HostCollector) {
        let now = self.now();
        let collected = collector.collect(now);
        let hostname = collected.snapshot.hostname.clone();
        let mut own = self.own_families();
        own.extend(outside::host::self_process::collect(now));
        let mut batch = Vec::new();
        batches(&collected.families, HOST_JOB, &hostname, now.as_millis(), &mut batch);
        batches(&own, OWN_JOB, &hostname, now.as_millis(), &mut batch);
        self.describe(collected.families.iter().chain(&own));
        let appended = self.store.append(&batch, now);
        self.complain(appended.err().map(|error| format!("this machine's metrics were not stored: {error}")));
        *self.host.runs.lock() = collected.runs;
        *self.host.families.lock() = Arc::new(collected.families);
        self.host.snapshot.send_replace(Some(Arc::new(collected.snapshot)));
    }

    /// The machine as last measured.
    ///
    /// # Errors
    /// Denied, or nothing has been measured yet.
    pub fn host(&self, asked: &Asked) -> Result<Arc<HostSnapshot>, Fault> {
        let watch = self.watch_host(asked)?;
        let latest = watch.borrow().clone();
        latest.ok_or_else(|| Fault::unavailable("this machine has not been measured yet", Span::from_secs(1)))
    }

    /// Wakes at every measurement.
    ///
    /// # Errors
    /// Denied.
    pub fn watch_host(&self, asked: &Asked) -> Result<watch::Receiver<Option<Arc<HostSnapshot>>>, Fault> {
        self.authorise(asked, &Action::new(Verb::Read, Noun::Host))?;
        Ok(self.host.snapshot.subscribe())
    }

    /// What `/metrics` exposes: the host as last measured and Mainstay itself now.
    ///
    /// # Errors
    /// Denied.
    pub fn exposed(&self, asked: &Asked) -> Result<Vec<Family>, Fault> {
        self.authorise(asked, &Action::new(Verb::Read, Noun::Exposition))?;
        let mut families = self.host.families.lock().as_ref().clone();
        families.extend(self.own_families());
        families.extend(outside::host::self_process::collect(self.now()));
        Ok(families)
    }

    /// How the sub-collectors fared at the last measurement.
    pub(crate) fn collector_runs(&self) -> Vec<CollectorRun> {
        self.host.runs.lock().clone()
    }

    /// Tells the store what the families are, when that has changed.
    fn describe<'a>(&self, families: impl Iterator<Item = &'a Family>) {
        let mut now: Vec<FamilyMetadata> = families.map(|family| family.metadata.clone()).collect();
        now.sort_by(|a, b| a.name.cmp(&b.name));
        now.dedup_by(|a, b| a.name == b.name);
        let mut described = self.host.described.lock();
        if *described != now && self.store.set_metadata(&now).is_ok() {
            *described = now;
        }
    }

    /// Says a complaint when it begins, and that it is over when it is.
    fn complain(&self, complaint: Option<String>) {
        let mut last = self.host.complaint.lock();
        // Every try names another file, so that the words are no sign of something new.
        match (&complaint, last.as_ref()) {
            (Some(new), None) => eprintln!("mainstay: {new}"),
            (None, Some(_)) => eprintln!("mainstay: metrics are stored again"),
            (Some(_), Some(_)) | (None, None) => {}
        }
        *last = complaint;
    }
}

/// The families' samples as series of `job` on `instance`, all at `t` milliseconds.
fn batches(families: &[Family], job: &str, instance: &str, t: i64, batch: &mut Vec<SeriesBatch>) {
    for family in families {
        for sample in &family.samples {
            let labels = target(&sample.labels, job, instance);
            batch.push(SeriesBatch { labels, samples: vec![Sample { t, v: sample.value }] });
        }
    }
}

/// Adds what says where a series comes from.
fn target(labels: &Labels, job: &str, instance: &str) -> Labels {
    let mut builder = labels.to_builder();
    builder.set("job", job).set("instance", instance);
    builder.build()
}
