//! Mainstay's own figures: counters that the servers raise, and what ledger, store and flags say of themselves, as
//! metric families. They go the way of every other metric.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kernel::{Labels, LabelsBuilder, METRIC_NAME};
use metrics::sample::{Family, FamilyMetadata, FamilySample, MetricType};
use parking_lot::Mutex;

use crate::Operations;

/// Upper bounds of the request duration histogram, in seconds.
const BUCKETS: [f64; 9] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];
/// Routes counted on their own; the table has fewer, so this bounds only what a mistake could add.
const MAX_ROUTES: usize = 1_000;

/// What the servers count.
#[derive(Default)]
pub struct Counters {
    http: Mutex<BTreeMap<(String, String), Route>>,
    signed_in: AtomicU64,
    sign_in_refused: AtomicU64,
}

/// One method and route.
#[derive(Default)]
struct Route {
    statuses: BTreeMap<u16, u64>,
    buckets: [u64; BUCKETS.len()],
    seconds: f64,
    count: u64,
}

// === impl Counters ===

impl Counters {
    /// Counts an answered request.
    pub fn http(&self, method: &str, route: &str, status: u16, took: Duration) {
        let mut routes = self.http.lock();
        let key = (method.to_owned(), route.to_owned());
        if routes.len() >= MAX_ROUTES && !routes.contains_key(&key) {
            return;
        }
        let entry = routes.entry(key).or_default();
        let seconds = took.as_secs_f64();
        *entry.statuses.entry(status).or_default() += 1;
        for (bound, count) in BUCKETS.iter().zip(&mut entry.buckets) {
            *count += u64::from(seconds <= *bound);
        }
        entry.seconds += seconds;
        entry.count += 1;
    }

    /// Counts a sign-in, or a refused one.
    pub(crate) fn sign_in(&self, accepted: bool) {
        let counter = if accepted { &self.signed_in } else { &self.sign_in_refused };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn families(&self) -> Vec<Family> {
        let routes = self.http.lock();
        let mut requests =
            family("mainstay_http_requests_total", MetricType::Counter, "Answered HTTP requests.");
        let mut seconds = family(
            "mainstay_http_request_duration_seconds",
            MetricType::Histogram,
            "Time to answer HTTP requests.",
        );
        for ((method, route), counted) in routes.iter() {
            let labels = [("method", method.as_str()), ("route", route.as_str())];
            for (status, count) in &counted.statuses {
                let status = status.to_string();
                let all = [labels.as_slice(), &[("status", status.as_str())]].concat();
                add(&mut requests, "", &all, *count as f64);
            }
            for (bound, count) in BUCKETS.iter().zip(counted.buckets) {
                let bound = bound.to_string();
                let all = [labels.as_slice(), &[("le", bound.as_str())]].concat();
                add(&mut seconds, "_bucket", &all, count as f64);
            }
            let all = [labels.as_slice(), &[("le", "+Inf")]].concat();
            add(&mut seconds, "_bucket", &all, counted.count as f64);
            add(&mut seconds, "_sum", &labels, counted.seconds);
            add(&mut seconds, "_count", &labels, counted.count as f64);
        }
        let mut sign_ins = family("mainstay_sign_ins_total", MetricType::Counter, "Sign-ins by outcome.");
        for (outcome, counter) in [("accepted", &self.signed_in), ("refused", &self.sign_in_refused)] {
            add(&mut sign_ins, "", &[("outcome", outcome)], counter.load(Ordering::Relaxed) as f64);
        }
        vec![requests, seconds, sign_ins]
    }
}

impl Operations {
    /// Everything Mainstay measures about itself, now.
    pub fn own_families(&self) -> Vec<Family> {
        let mut families = self.counters.families();
        let single = |name: &str, kind, help: &str, value: f64| {
            let mut one = family(name, kind, help);
            add(&mut one, "", &[], value);
            one
        };
        families.push(single(
            "mainstay_ledger_facts",
            MetricType::Gauge,
            "Facts in the ledger.",
            self.ledger.head().0 as f64,
        ));
        let store = self.store.stats();
        for (name, kind, help, value) in [
            ("mainstay_store_series", MetricType::Gauge, "Active series.", store.series as f64),
            (
                "mainstay_store_samples_appended_total",
                MetricType::Counter,
                "Samples acknowledged.",
                store.samples_appended as f64,
            ),
            ("mainstay_store_blocks", MetricType::Gauge, "Published blocks.", store.blocks as f64),
            (
                "mainstay_store_block_bytes",
                MetricType::Gauge,
                "Bytes of published blocks.",
                store.block_bytes as f64,
            ),
            (
                "mainstay_store_wal_bytes",
                MetricType::Gauge,
                "Bytes of the write-ahead log.",
                store.wal_bytes as f64,
            ),
            (
                "mainstay_store_memory_bytes",
                MetricType::Gauge,
                "Memory held by heads.",
                store.memory_bytes as f64,
            ),
        ] {
            families.push(single(name, kind, help, value));
        }
        let mut built = family("mainstay_build_info", MetricType::Gauge, "What this binary is; always 1.");
        add(&mut built, "", &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
        families.push(built);
        families.extend(self.queries.families());
        families.extend(self.usage.families());
        families.extend(self.deliveries.families(&*self.ledger));
        families
    }
}

/// An empty family.
pub(crate) fn family(name: &str, kind: MetricType, help: &str) -> Family {
    let unit = ["seconds", "bytes"].into_iter().find(|unit| {
        name.strip_suffix("_total").unwrap_or(name).strip_suffix(unit).is_some_and(|rest| rest.ends_with('_'))
    });
    Family {
        metadata: FamilyMetadata {
            name: name.to_owned(),
            kind,
            help: help.to_owned(),
            unit: unit.unwrap_or_default().to_owned(),
        },
        samples: Vec::new(),
    }
}

/// Adds a sample to a family; `suffix` is that of a histogram's parts.
pub(crate) fn add(family: &mut Family, suffix: &str, labels: &[(&str, &str)], value: f64) {
    let mut builder = LabelsBuilder::new();
    builder.set(METRIC_NAME, &format!("{}{suffix}", family.metadata.name));
    for (name, label) in labels {
        builder.set(name, label);
    }
    let labels: Labels = builder.build();
    family.samples.push(FamilySample::new(labels, value));
}
