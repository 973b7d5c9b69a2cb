//! `/proc/meminfo` and `/proc/vmstat`.

use metrics::sample::MetricType;

use super::families::Families;
use super::files::{Files, Malformed, Trouble};

/// Each field of `/proc/meminfo`, in the file's order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Meminfo(Vec<Field>);

#[derive(Clone, Debug, PartialEq)]
struct Field {
    key: String,
    /// Bytes, where the file says kB.
    value: f64,
    bytes: bool,
}

pub(super) fn read(files: &Files) -> Result<Meminfo, Trouble> {
    files.parse("proc/meminfo", parse)
}

pub(super) fn parse(text: &str) -> Result<Meminfo, Malformed> {
    let mut fields = Vec::with_capacity(64);
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let bad = || Malformed::new(format!("`{line}` is not `name: number [kB]`"));
        let (key, rest) = line.split_once(':').ok_or_else(bad)?;
        let mut words = rest.split_ascii_whitespace();
        let value: f64 = words.next().and_then(|word| word.parse().ok()).ok_or_else(bad)?;
        let bytes = words.next() == Some("kB");
        fields.push(Field { key: key.to_owned(), value: if bytes { value * 1024.0 } else { value }, bytes });
    }
    Ok(Meminfo(fields))
}

impl Meminfo {
    /// A field in bytes, by the file's own name.
    pub(super) fn bytes(&self, key: &str) -> Option<u64> {
        let field = self.0.iter().find(|field| field.key == key)?;
        // From a whole number of kB below 2^53.
        Some(field.value as u64)
    }
}

pub(super) fn families(meminfo: &Meminfo, out: &mut Families) {
    for field in &meminfo.0 {
        // `Active(anon)` is called Active_anon.
        let key: String = field.key.replace('(', "_").chars().filter(|c| *c != ')').collect();
        let unit = if field.bytes { "_bytes" } else { "" };
        let help = format!("Memory: the field {} of /proc/meminfo.", field.key);
        out.value(&format!("node_memory_{key}{unit}"), &help, field.value);
    }
}

/// The fields of `/proc/vmstat` that are exposed: paging, swapping, faults, and processes killed for memory.
pub(super) fn read_vmstat(files: &Files) -> Result<Vec<(String, f64)>, Trouble> {
    files.parse("proc/vmstat", parse_vmstat)
}

pub(super) fn parse_vmstat(text: &str) -> Result<Vec<(String, f64)>, Malformed> {
    let wanted = |key: &str| {
        ["oom_kill", "pgpg", "pswp"].iter().any(|start| key.starts_with(start))
            || (key.starts_with("pg") && key.contains("fault"))
    };
    let lines = text.lines().filter_map(|line| line.split_once(' ')).filter(|(key, _)| wanted(key));
    let parsed = lines.map(|(key, value)| {
        let value = value.trim().parse().map_err(|_| Malformed::new(format!("`{key}` has no number")))?;
        Ok((key.to_owned(), value))
    });
    parsed.collect()
}

pub(super) fn vmstat_families(fields: &[(String, f64)], out: &mut Families) {
    for (key, value) in fields {
        let help = format!("Virtual memory: the field {key} of /proc/vmstat.");
        out.start(&format!("node_vmstat_{key}"), MetricType::Unknown, &help).add(&[], *value);
    }
}
