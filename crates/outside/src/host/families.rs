//! Collects samples into families.

use std::sync::Arc;

use kernel::{Labels, METRIC_NAME};
use metrics::sample::{Family, FamilyMetadata, FamilySample, MetricType};

/// A family of a table: its name, its help, and how to get its value from what was read.
pub(super) type Row<T> = (&'static str, &'static str, fn(&T) -> u64);

/// Families under construction.
#[derive(Debug)]
pub(super) struct Families {
    all: Vec<Family>,
    name_label: Arc<str>,
}

/// Adds samples to the family started last.
pub(super) struct Adding<'a> {
    families: &'a mut Families,
    name: Arc<str>,
}

impl Families {
    pub(super) fn new() -> Self {
        Self { all: Vec::with_capacity(256), name_label: METRIC_NAME.into() }
    }

    pub(super) fn counter(&mut self, name: &str, help: &str) -> Adding<'_> {
        self.start(name, MetricType::Counter, help)
    }

    pub(super) fn gauge(&mut self, name: &str, help: &str) -> Adding<'_> {
        self.start(name, MetricType::Gauge, help)
    }

    /// A gauge of one sample without labels.
    pub(super) fn value(&mut self, name: &str, help: &str, value: f64) {
        self.gauge(name, help).add(&[], value);
    }

    pub(super) fn start(&mut self, name: &str, kind: MetricType, help: &str) -> Adding<'_> {
        let metadata =
            FamilyMetadata { name: name.to_owned(), kind, help: help.to_owned(), unit: String::new() };
        self.all.push(Family { metadata, samples: Vec::new() });
        Adding { families: self, name: name.into() }
    }

    /// The families that have samples.
    pub(super) fn finish(mut self) -> Vec<Family> {
        self.all.retain(|family| !family.samples.is_empty());
        self.all
    }
}

impl Adding<'_> {
    /// One sample. An empty value leaves its label out.
    pub(super) fn add(&mut self, labels: &[(&str, &str)], value: f64) {
        let name = (self.families.name_label.clone(), self.name.clone());
        let others = labels.iter().map(|(name, value)| (Arc::from(*name), Arc::from(*value)));
        // Collectors name each label once; were it otherwise, the sample would be ambiguous and is dropped.
        let labels = Labels::new(std::iter::once(name).chain(others));
        if let (Ok(labels), Some(family)) = (labels, self.families.all.last_mut()) {
            family.samples.push(FamilySample::new(labels, value));
        }
    }
}
