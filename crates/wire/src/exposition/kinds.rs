//! What a family's type says about the names of its samples, in each format.

use metrics::sample::MetricType;

use super::Format;

/// The word after `# TYPE name`.
pub(super) fn word(kind: MetricType, format: Format) -> &'static str {
    match (kind, format) {
        (MetricType::Counter, _) => "counter",
        (MetricType::Gauge, _) => "gauge",
        (MetricType::Histogram, _) => "histogram",
        (MetricType::Summary, _) => "summary",
        (MetricType::Unknown, Format::Text) => "untyped",
        (MetricType::Unknown, Format::OpenMetrics) => "unknown",
        (MetricType::GaugeHistogram, Format::OpenMetrics) => "gaugehistogram",
        (MetricType::Info, Format::OpenMetrics) => "info",
        (MetricType::StateSet, Format::OpenMetrics) => "stateset",
        // The text format has no word for these. Buckets keep their sense as a histogram's.
        (MetricType::GaugeHistogram, Format::Text) => "histogram",
        (MetricType::Info | MetricType::StateSet, Format::Text) => "gauge",
    }
}

/// The type a word names; each format has its own words, as Prometheus holds them apart.
pub(super) fn of_word(word: &str, format: Format) -> Option<MetricType> {
    Some(match (word, format) {
        ("counter", _) => MetricType::Counter,
        ("gauge", _) => MetricType::Gauge,
        ("histogram", _) => MetricType::Histogram,
        ("summary", _) => MetricType::Summary,
        ("untyped", Format::Text) | ("unknown", Format::OpenMetrics) => MetricType::Unknown,
        ("gaugehistogram", Format::OpenMetrics) => MetricType::GaugeHistogram,
        ("info", Format::OpenMetrics) => MetricType::Info,
        ("stateset", Format::OpenMetrics) => MetricType::StateSet,
        _ => return None,
    })
}

/// What may follow the family's name in the name of a sample. The family's name is the text format's.
pub(super) fn suffixes(kind: MetricType) -> &'static [&'static str] {
    match kind {
        MetricType::Histogram => &["_bucket", "_sum", "_count", "_created"],
        MetricType::GaugeHistogram => &["_bucket", "_gsum", "_gcount"],
        MetricType::Summary => &["", "_sum", "_count", "_created"],
        _ => &[""],
    }
}

/// The suffix OpenMetrics leaves out of the family's name though its samples carry it.
pub(super) fn hidden_suffix(kind: MetricType) -> Option<&'static str> {
    match kind {
        MetricType::Counter => Some("_total"),
        MetricType::Info => Some("_info"),
        _ => None,
    }
}

/// True when a sample called `sample` belongs to the family called `family` (as the text format calls it).
pub(super) fn belongs(sample: &str, family: &str, kind: MetricType) -> bool {
    if let Some(suffix) = sample.strip_prefix(family)
        && suffixes(kind).contains(&suffix)
    {
        return true;
    }
    // A counter's creation time replaces `_total`.
    kind == MetricType::Counter
        && family.strip_suffix("_total").and_then(|stem| sample.strip_prefix(stem)) == Some("_created")
}

/// `[a-zA-Z_:][a-zA-Z0-9_:]*`: what may stand unquoted.
pub(super) fn is_legacy_metric_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b':')
}

/// `[a-zA-Z_][a-zA-Z0-9_]*`
pub(super) fn is_legacy_label_name(name: &str) -> bool {
    is_legacy_metric_name(name) && !name.contains(':')
}
