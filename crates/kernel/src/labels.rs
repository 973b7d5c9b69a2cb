//! A label set: what names a series, and later a stream. Sorted by name, no duplicates, no empty values.

use std::fmt;
use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// The label that holds the metric's name.
pub const METRIC_NAME: &str = "__name__";

/// An immutable, cheaply cloned label set. Order and equality are those of the sorted pairs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Arc<[(Arc<str>, Arc<str>)]>);

/// Collects labels; the last value given for a name wins and an empty value removes the label.
#[derive(Clone, Debug, Default)]
pub struct LabelsBuilder(Vec<(Arc<str>, Arc<str>)>);

/// Why a label was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLabel {
    /// The name is empty.
    #[error("a label name is empty")]
    EmptyName,
    /// The same name came twice.
    #[error("label {0:?} is given twice")]
    Duplicate(String),
}

// === impl Labels ===

impl Labels {
    /// No labels.
    pub fn empty() -> Self {
        Self(Arc::from([]))
    }

    /// From pairs in any order. Empty values are dropped, as Prometheus does.
    ///
    /// # Errors
    /// An empty name, or a name given twice.
    pub fn new<N, V>(pairs: impl IntoIterator<Item = (N, V)>) -> Result<Self, InvalidLabel>
    where
        N: Into<Arc<str>>,
        V: Into<Arc<str>>,
    {
        let mut pairs: Vec<(Arc<str>, Arc<str>)> =
            pairs.into_iter().map(|(n, v)| (n.into(), v.into())).collect();
        pairs.sort();
        let mut previous: Option<&str> = None;
        for (name, _) in &pairs {
            if name.is_empty() {
                return Err(InvalidLabel::EmptyName);
            }
            if previous == Some(name) {
                return Err(InvalidLabel::Duplicate(name.to_string()));
            }
            previous = Some(name);
        }
        pairs.retain(|(_, value)| !value.is_empty());
        Ok(Self(pairs.into()))
    }

    /// The value of `name`, if set.
    pub fn get(&self, name: &str) -> Option<&str> {
        let at = self.0.binary_search_by(|(n, _)| n.as_ref().cmp(name)).ok()?;
        self.0.get(at).map(|(_, value)| value.as_ref())
    }

    /// The metric name, if set.
    pub fn metric_name(&self) -> Option<&str> {
        self.get(METRIC_NAME)
    }

    /// Name and value pairs in order of name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> + DoubleEndedIterator {
        self.0.iter().map(|(n, v)| (n.as_ref(), v.as_ref()))
    }

    /// The pairs as they are held, for code that keeps the reference counts.
    pub fn pairs(&self) -> &[(Arc<str>, Arc<str>)] {
        &self.0
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A builder that starts from these labels.
    pub fn to_builder(&self) -> LabelsBuilder {
        LabelsBuilder(self.0.to_vec())
    }

    /// These labels with `name` set to `value` (removed when `value` is empty).
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut builder = self.to_builder();
        builder.set(name, value);
        builder.build()
    }
}

impl fmt::Display for Labels {
    /// `name{a="b"}`, escaped as PromQL writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = self.metric_name() {
            f.write_str(name)?;
        }
        let mut others = self.iter().filter(|(n, _)| *n != METRIC_NAME).peekable();
        if others.peek().is_none() && self.metric_name().is_some() {
            return Ok(());
        }
        f.write_str("{")?;
        for (i, (name, value)) in others.enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            write!(f, "{comma}{name}={value:?}")?;
        }
        f.write_str("}")
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (name, value) in self.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

// === impl LabelsBuilder ===

impl LabelsBuilder {
    /// An empty builder.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `name`; an empty `value` removes it.
    pub fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.remove(name);
        if !value.is_empty() && !name.is_empty() {
            self.0.push((name.into(), value.into()));
        }
        self
    }

    /// Removes `name` if it is there.
    pub fn remove(&mut self, name: &str) -> &mut Self {
        self.0.retain(|(n, _)| n.as_ref() != name);
        self
    }

    /// Keeps only the names for which `keep` holds.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) -> &mut Self {
        self.0.retain(|(n, _)| keep(n));
        self
    }

    /// The value of `name`, if set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n.as_ref() == name).map(|(_, v)| v.as_ref())
    }

    /// The finished set.
    pub fn build(mut self) -> Labels {
        self.0.sort();
        Labels(self.0.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_sort_look_up_and_print_as_promql() {
        let labels = Labels::new([("job", "node"), ("__name__", "up"), ("a", "q\"\n"), ("x", "")]).unwrap();
        assert_eq!(labels.to_string(), r#"up{a="q\"\n", job="node"}"#);
        assert_eq!((labels.get("job"), labels.get("x"), labels.len()), (Some("node"), None, 3));
        assert_eq!(labels.with("job", "").with("a", "1").to_string(), r#"up{a="1"}"#);
        assert_eq!(Labels::empty().to_string(), "{}");
    }

    #[test]
    fn a_name_given_twice_or_empty_is_refused() {
        assert_eq!(Labels::new([("a", "1"), ("a", "2")]), Err(InvalidLabel::Duplicate("a".to_owned())));
        assert_eq!(Labels::new([("", "1")]), Err(InvalidLabel::EmptyName));
    }
}
