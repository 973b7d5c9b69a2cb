//! The Prometheus text format 0.0.4 (and its 1.0.0 with quoted UTF-8 names) and OpenMetrics 1.0: writing and reading.
//!
//! What it is not: the scrape. Nothing here knows targets, intervals or relabelling.
//!
//! Invariants: both formats give the same [`Family`] for the same data: a counter's family keeps `_total` in its name,
//! an info's `_info`. Reading never panics, costs at most the named limits, and says line and column of a mistake.
//! A repeated series is handed on as it stands: which of the two counts is for the receiver to say.
//!
//! Sources: Prometheus exposition formats, text format 0.0.4 and 1.0.0; OpenMetrics 1.0.0.

mod cursor;
mod encode;
mod fuzz;
mod kinds;
mod parse;

pub use encode::encode;
pub use fuzz::fuzz_one;
pub use metrics::sample::{Exemplar, Family, FamilyMetadata, FamilySample, MetricType};
pub use parse::{parse, parse_within};

/// Longest exposition read, in bytes.
pub const MAX_BYTES: usize = 64 << 20;

/// Most samples in one exposition.
pub const MAX_SAMPLES: usize = 1_000_000;

/// Most labels on one sample, its metric name not counted.
pub const MAX_LABELS: usize = 128;

/// Longest metric or label name, in bytes.
pub const MAX_NAME_BYTES: usize = 1024;

/// Longest label value or help text, in bytes.
pub const MAX_VALUE_BYTES: usize = 64 << 10;

/// Most characters in the names and values of one exemplar's labels (OpenMetrics 1.0).
pub const MAX_EXEMPLAR_CHARS: usize = 128;

/// Which of the two texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Prometheus text, 0.0.4 or 1.0.0.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

/// How much one exposition may hold. The default is the constants of this module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of text.
    pub bytes: usize,
    /// Samples.
    pub samples: usize,
    /// Labels on a sample.
    pub labels: usize,
    /// Bytes of a metric or label name.
    pub name_bytes: usize,
    /// Bytes of a label value or help text.
    pub value_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: MAX_BYTES,
            samples: MAX_SAMPLES,
            labels: MAX_LABELS,
            name_bytes: MAX_NAME_BYTES,
            value_bytes: MAX_VALUE_BYTES,
        }
    }
}

// === impl Format ===

impl Format {
    /// What to send as `Content-Type`.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8; escaping=allow-utf-8",
            Self::OpenMetrics => {
                "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8"
            }
        }
    }

    /// The format a `Content-Type` names; `None` for anything but these two. A missing or plain-text type is
    /// [`Format::Text`], as old exporters send it.
    pub fn of_content_type(header: &str) -> Option<Self> {
        let essence = header.split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case("application/openmetrics-text") {
            Some(Self::OpenMetrics)
        } else if essence.is_empty() || essence.eq_ignore_ascii_case("text/plain") {
            Some(Self::Text)
        } else {
            None
        }
    }

    /// The format an `Accept` header asks for most; [`Format::Text`] when it names neither.
    pub fn negotiate(accept: &str) -> Self {
        let mut best = (0.0, Self::Text);
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let essence = parts.next().unwrap_or_default();
            let quality = parts.find_map(|p| p.strip_prefix("q=")).map_or(1.0, |q| q.parse().unwrap_or(0.0));
            let format = match essence.to_ascii_lowercase().as_str() {
                "application/openmetrics-text" => Self::OpenMetrics,
                "text/plain" | "text/*" | "*/*" => Self::Text,
                _ => continue,
            };
            if quality > best.0 {
                best = (quality, format);
            }
        }
        best.1
    }
}

#[cfg(test)]
mod tests;
