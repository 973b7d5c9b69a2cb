//! Families to text. Names that need it are quoted, as 1.0.0 of the text format writes them.

use std::fmt::Write;

use kernel::{Labels, METRIC_NAME};
use metrics::sample::{Family, FamilySample, MetricType};

use super::{Format, kinds};

/// The exposition of `families`, in their order. Formats that lack a type get the nearest one: in text, an info or a
/// state set is a gauge, a gauge histogram is a histogram, and creation times are gauges of their own after their family; in OpenMetrics, a counter that
/// is not called `…_total` is of unknown type. Exemplars and units are written in OpenMetrics only. Families without
/// samples are left out.
pub fn encode(families: &[Family], format: Format) -> String {
    let mut out = String::with_capacity(families.iter().map(|f| 128 + f.samples.len() * 96).sum());
    for family in families.iter().filter(|family| !family.samples.is_empty()) {
        match format {
            Format::Text => text(&mut out, family),
            Format::OpenMetrics => open_metrics(&mut out, family),
        }
    }
    if format == Format::OpenMetrics {
        out.push_str("# EOF\n");
    }
    out
}

fn text(out: &mut String, family: &Family) {
    let meta = &family.metadata;
    let own = |sample: &&FamilySample| {
        let name = sample.labels.metric_name().unwrap_or_default();
        let extra = name != meta.name
            && (name.ends_with("_created") || name.ends_with("_gsum") || name.ends_with("_gcount"));
        !extra
    };
    let (own, extra): (Vec<_>, Vec<_>) = family.samples.iter().partition(own);
    if !own.is_empty() {
        header(out, &meta.name, meta.kind, &meta.help, Format::Text);
        own.iter().for_each(|sample| line(out, sample, Format::Text));
    }
    for suffix in ["_created", "_gsum", "_gcount"] {
        let is_one =
            |sample: &&&FamilySample| sample.labels.metric_name().is_some_and(|n| n.ends_with(suffix));
        let samples: Vec<_> = extra.iter().filter(is_one).collect();
        if let Some(name) = samples.first().and_then(|sample| sample.labels.metric_name()) {
            header(out, name, MetricType::Gauge, &meta.help, Format::Text);
            samples.iter().for_each(|sample| line(out, sample, Format::Text));
        }
    }
}

fn open_metrics(out: &mut String, family: &Family) {
    let meta = &family.metadata;
    let (name, kind) = match kinds::hidden_suffix(meta.kind) {
        None => (meta.name.as_str(), meta.kind),
        Some(suffix) => match meta.name.strip_suffix(suffix).filter(|stem| !stem.is_empty()) {
            Some(stem) => (stem, meta.kind),
            None => (meta.name.as_str(), MetricType::Unknown),
        },
    };
    header(out, name, kind, &meta.help, Format::OpenMetrics);
    if has_unit(name, &meta.unit) {
        let _ = write!(out, "# UNIT ");
        metric_name(out, name);
        let _ = writeln!(out, " {}", meta.unit);
    }
    family.samples.iter().for_each(|sample| line(out, sample, Format::OpenMetrics));
}

/// OpenMetrics wants the unit to end the name.
pub(super) fn has_unit(name: &str, unit: &str) -> bool {
    !unit.is_empty() && name.strip_suffix(unit).is_some_and(|stem| stem.ends_with('_'))
}

fn header(out: &mut String, name: &str, kind: MetricType, help: &str, format: Format) {
    if !help.is_empty() {
        out.push_str("# HELP ");
        metric_name(out, name);
        out.push(' ');
        // The text format leaves quotes in help texts alone; OpenMetrics escapes them.
        escape(out, help, format == Format::OpenMetrics);
        out.push('\n');
    }
    out.push_str("# TYPE ");
    metric_name(out, name);
    let _ = writeln!(out, " {}", kinds::word(kind, format));
}

fn metric_name(out: &mut String, name: &str) {
    if kinds::is_legacy_metric_name(name) {
        out.push_str(name);
    } else {
        quoted(out, name);
    }
}

fn line(out: &mut String, sample: &FamilySample, format: Format) {
    let name = sample.labels.metric_name().unwrap_or_default();
    let mut open = false;
    if kinds::is_legacy_metric_name(name) {
        out.push_str(name);
    } else {
        out.push('{');
        quoted(out, name);
        open = true;
    }
    labels(out, &sample.labels, open);
    out.push(' ');
    number(out, sample.value);
    if let Some(millis) = sample.timestamp {
        out.push(' ');
        timestamp(out, millis, format);
    }
    if let Some(exemplar) = sample.exemplar.as_ref().filter(|_| format == Format::OpenMetrics) {
        out.push_str(" # ");
        if exemplar.labels.is_empty() {
            out.push_str("{}");
        }
        labels(out, &exemplar.labels, false);
        out.push(' ');
        number(out, exemplar.value);
        if let Some(millis) = exemplar.timestamp {
            out.push(' ');
            timestamp(out, millis, format);
        }
    }
    out.push('\n');
}

/// `{a="b",c="d"}`, nothing when there are none. `open` when the brace is already there, after a quoted name.
fn labels(out: &mut String, labels: &Labels, mut open: bool) {
    let mut first = !open;
    for (name, value) in labels.iter().filter(|(name, _)| *name != METRIC_NAME) {
        out.push(if first { '{' } else { ',' });
        first = false;
        open = true;
        if kinds::is_legacy_label_name(name) {
            out.push_str(name);
        } else {
            quoted(out, name);
        }
        out.push('=');
        quoted(out, value);
    }
    if open {
        out.push('}');
    }
}

fn quoted(out: &mut String, text: &str) {
    out.push('"');
    escape(out, text, true);
    out.push('"');
}

fn escape(out: &mut String, text: &str, quotes: bool) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            c => out.push(c),
        }
    }
}

/// The shortest text that reads back as the same number.
fn number(out: &mut String, value: f64) {
    let magnitude = value.abs();
    let _ = if value.is_nan() {
        write!(out, "NaN")
    } else if value.is_infinite() {
        write!(out, "{}Inf", if value > 0.0 { '+' } else { '-' })
    } else if magnitude != 0.0 && !(1e-5..1e21).contains(&magnitude) {
        write!(out, "{value:e}")
    } else {
        write!(out, "{value}")
    };
}

/// Milliseconds in text; seconds with a fraction in OpenMetrics.
fn timestamp(out: &mut String, millis: i64, format: Format) {
    let _ = match format {
        Format::Text => write!(out, "{millis}"),
        Format::OpenMetrics => {
            let sign = if millis < 0 { "-" } else { "" };
            let millis = millis.unsigned_abs();
            write!(out, "{sign}{}.{:03}", millis / 1000, millis % 1000)
        }
    };
}
