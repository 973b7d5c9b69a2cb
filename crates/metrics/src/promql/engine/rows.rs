//! Rows with equal labels, and results from rows.

use std::collections::HashMap;

use kernel::Labels;

use super::super::error::QueryError;
use super::grid::{Cell, Grid, Row, without_metadata};
use super::{InstantSample, RangeSeries, SampleValue};
use crate::histogram::HistogramSample;
use crate::sample::Sample;

/// Drops the name from rows marked for it.
pub(super) fn drop_names(rows: &mut [Row]) {
    for row in rows.iter_mut().filter(|r| r.drop_name) {
        row.labels = without_metadata(&row.labels);
        row.drop_name = false;
    }
}

/// Merges rows with equal labels. Those that differ in whether their name is to be dropped stay apart: they will not be
/// equal in the end.
///
/// # Errors
/// Two of them have a value at the same step.
pub(super) fn merge_equal(rows: Vec<Row>) -> Result<Vec<Row>, QueryError> {
    let mut seen: HashMap<(Labels, bool), usize> = HashMap::with_capacity(rows.len());
    let mut merged: Vec<Row> = Vec::with_capacity(rows.len());
    for row in rows {
        let next = merged.len();
        let at = *seen.entry((row.labels.clone(), row.drop_name)).or_insert(next);
        let Some(first) = merged.get_mut(at) else {
            merged.push(row);
            continue;
        };
        for (mine, other) in first.cells.iter_mut().zip(row.cells) {
            if other.is_empty() {
                continue;
            }
            if !mine.is_empty() {
                return Err(QueryError::execution("vector cannot contain metrics with the same labelset")
                    .hint("drop fewer labels, or aggregate the series that become equal"));
            }
            *mine = other;
        }
    }
    Ok(merged)
}

/// The samples of a one-step grid, in order of rows.
pub(super) fn instant_samples(rows: Vec<Row>, t: i64) -> Vec<InstantSample> {
    rows.into_iter()
        .filter_map(|row| {
            let value = match row.cells.into_iter().next()? {
                Cell::Empty => return None,
                Cell::Float(v) => SampleValue::Float(v),
                Cell::Histogram(h) => SampleValue::Histogram(h),
            };
            Some(InstantSample { labels: row.labels, t, value })
        })
        .collect()
}

/// Series over the grid, sorted by labels; rows without values are left out.
pub(super) fn range_series(rows: Vec<Row>, grid: &Grid) -> Vec<RangeSeries> {
    let mut series: Vec<_> = rows
        .into_iter()
        .map(|row| {
            let mut made = RangeSeries { labels: row.labels, floats: Vec::new(), histograms: Vec::new() };
            for (t, cell) in grid.times().zip(row.cells) {
                match cell {
                    Cell::Empty => {}
                    Cell::Float(v) => made.floats.push(Sample { t, v }),
                    Cell::Histogram(h) => made.histograms.push(HistogramSample { t, h }),
                }
            }
            made
        })
        .filter(|s| !(s.floats.is_empty() && s.histograms.is_empty()))
        .collect();
    series.sort_by(|a, b| a.labels.cmp(&b.labels));
    series
}
