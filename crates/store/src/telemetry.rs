//! The store as the port.

use kernel::{Labels, Timestamp};
use metrics::sample::{FamilyMetadata, SeriesBatch};
use metrics::source::{Matcher, SourceError};

use crate::port::{Appended, Cardinality, Maintained, StoreError, StoreStats, Telemetry};
use crate::store::Store;

impl Telemetry for Store {
    fn append(&self, batch: &[SeriesBatch], now: Timestamp) -> Result<Appended, StoreError> {
        Self::append(self, batch, now)
    }

    fn label_names(
        &self,
        matchers: &[Matcher],
        start: i64,
        end: i64,
        limit: usize,
    ) -> Result<Vec<String>, SourceError> {
        Self::label_names(self, matchers, start, end, limit)
    }

    fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        start: i64,
        end: i64,
        limit: usize,
    ) -> Result<Vec<String>, SourceError> {
        Self::label_values(self, name, matchers, start, end, limit)
    }

    fn series(
        &self,
        matchers: &[Matcher],
        start: i64,
        end: i64,
        limit: usize,
    ) -> Result<Vec<Labels>, SourceError> {
        Self::series(self, matchers, start, end, limit)
    }

    fn set_metadata(&self, families: &[FamilyMetadata]) -> Result<(), StoreError> {
        Self::set_metadata(self, families)
    }

    fn metadata(&self) -> Vec<FamilyMetadata> {
        Self::metadata(self)
    }

    fn stats(&self) -> StoreStats {
        Self::stats(self)
    }

    fn cardinality(&self, limit: usize) -> Cardinality {
        Self::cardinality(self, limit)
    }

    fn maintain(&self, now: Timestamp) -> Result<Maintained, StoreError> {
        Self::maintain(self, now)
    }
}
