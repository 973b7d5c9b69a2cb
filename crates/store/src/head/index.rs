//! Label → series for the active series of one shard, in memory.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use kernel::Labels;
use smallvec::SmallVec;

use crate::matching::{Numbers, Postings, union};

/// Most values belong to one series or two, for which no list is allocated.
type List = SmallVec<[u32; 4]>;

/// Bytes a value takes in a map beside its text: key, list, the table's share.
const VALUE_BYTES: usize = 64;

/// Postings of one shard.
#[derive(Debug, Default)]
pub(super) struct Index {
    all: Vec<u32>,
    by_name: HashMap<Arc<str>, HashMap<Arc<str>, List>>,
    texts: HashSet<Arc<str>>,
}

impl Index {
    /// `labels` with every text shared with other series; gives the bytes that are new, too.
    pub(super) fn intern(&mut self, labels: &Labels) -> (Labels, usize) {
        let mut bytes = 16 + labels.len() * 32;
        let mut share = |text: &Arc<str>| match self.texts.get(text) {
            Some(shared) => Arc::clone(shared),
            None => {
                // A copy of its own: the caller's may be part of something large.
                let own: Arc<str> = Arc::from(text.as_ref());
                bytes += own.len() + 32;
                self.texts.insert(Arc::clone(&own));
                own
            }
        };
        let pairs: Vec<_> = labels.pairs().iter().map(|(name, value)| (share(name), share(value))).collect();
        // The pairs come from a label set, so they are one.
        (Labels::new(pairs).unwrap_or_else(|_| labels.clone()), bytes)
    }

    /// Adds a series whose number is above all others; gives the bytes taken.
    pub(super) fn add(&mut self, number: u32, labels: &Labels) -> usize {
        self.all.push(number);
        let mut bytes = 8;
        for (name, value) in labels.pairs() {
            let values = self.by_name.entry(Arc::clone(name)).or_default();
            let list = values.entry(Arc::clone(value)).or_insert_with(|| {
                bytes += VALUE_BYTES;
                List::new()
            });
            list.push(number);
            bytes += 4;
        }
        bytes
    }

    /// Removes the series in `dead` (number and labels each).
    pub(super) fn remove(&mut self, dead: &HashMap<u32, Labels>) {
        self.all.retain(|number| !dead.contains_key(number));
        let pairs: HashSet<&(Arc<str>, Arc<str>)> = dead.values().flat_map(|labels| labels.pairs()).collect();
        for (name, value) in pairs {
            let Some(values) = self.by_name.get_mut(name) else { continue };
            if let Some(list) = values.get_mut(value) {
                list.retain(|number| !dead.contains_key(number));
                if list.is_empty() {
                    values.remove(value);
                }
            }
            if values.is_empty() {
                self.by_name.remove(name);
            }
        }
    }

    /// Forgets texts that nothing uses any more; gives their bytes. Called after the series that used them are dropped.
    pub(super) fn sweep(&mut self) -> usize {
        let mut bytes = 0;
        self.texts.retain(|text| {
            let used = Arc::strong_count(text) > 1;
            if !used {
                bytes += text.len() + 32;
            }
            used
        });
        bytes
    }

    /// Calls `each` with every value of `name`.
    pub(super) fn visit_values(&self, name: &str, each: impl FnMut(&str)) {
        let values = self.by_name.get(name).into_iter().flat_map(HashMap::keys);
        values.map(AsRef::as_ref).for_each(each);
    }

    /// Calls `each` with every name, value and number of series.
    pub(super) fn visit(&self, mut each: impl FnMut(&str, &str, usize)) {
        for (name, values) in &self.by_name {
            for (value, list) in values {
                each(name, value, list.len());
            }
        }
    }
}

impl Postings for Index {
    type Error = std::convert::Infallible;

    fn all(&self) -> Result<Numbers, Self::Error> {
        Ok(self.all.clone())
    }

    fn equal(&self, name: &str, value: &str) -> Result<Numbers, Self::Error> {
        let list = self.by_name.get(name).and_then(|values| values.get(value));
        Ok(list.map(|list| list.to_vec()).unwrap_or_default())
    }

    fn having(&self, name: &str, keep: &dyn Fn(&str) -> bool) -> Result<Numbers, Self::Error> {
        let values = self.by_name.get(name).into_iter().flatten();
        union(values.filter(|(value, _)| keep(value)).map(|(_, list)| Ok(list.to_vec())))
    }
}
