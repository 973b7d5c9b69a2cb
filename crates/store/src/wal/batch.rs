//! The payload of a record of floats: new series with their labels, then samples as columns. See docs/formats/wal.md.

use kernel::Labels;
use metrics::sample::Sample;

use crate::cursor::{Cursor, Malformed, put_signed, put_text, put_varint};

/// Collects what one append adds.
pub(crate) struct BatchWriter {
    tenant: &'static str,
    definitions: Vec<u8>,
    defined: u64,
    series: u64,
    ids: Vec<u8>,
    last_id: i64,
    counts: Vec<u8>,
    times: Vec<u8>,
    last_time: i64,
    values: Vec<u8>,
}

/// One entry of a batch as read.
pub(crate) enum Entry<'a> {
    /// From here on `id` means these labels.
    Define(u64, Labels),
    /// Samples of the series `id`.
    Samples(u64, &'a [Sample]),
}

impl BatchWriter {
    pub(crate) fn new(tenant: &'static str) -> Self {
        Self {
            tenant,
            definitions: Vec::new(),
            defined: 0,
            series: 0,
            ids: Vec::new(),
            last_id: 0,
            counts: Vec::new(),
            times: Vec::new(),
            last_time: 0,
            values: Vec::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.series == 0
    }

    /// Says what `id` means.
    pub(crate) fn define(&mut self, id: u64, labels: &Labels) {
        self.defined += 1;
        put_varint(&mut self.definitions, id);
        put_varint(&mut self.definitions, labels.len() as u64);
        for (name, value) in labels.iter() {
            put_text(&mut self.definitions, name);
            put_text(&mut self.definitions, value);
        }
    }

    /// Begins a series whose `count` samples follow.
    pub(crate) fn begin(&mut self, id: u64, count: usize) {
        self.series += 1;
        let id = id.cast_signed();
        put_signed(&mut self.ids, id.wrapping_sub(self.last_id));
        self.last_id = id;
        put_varint(&mut self.counts, count as u64);
    }

    /// Adds one sample to the series begun last.
    pub(crate) fn sample(&mut self, sample: Sample) {
        put_signed(&mut self.times, sample.t.wrapping_sub(self.last_time));
        self.last_time = sample.t;
        self.values.extend_from_slice(&sample.v.to_bits().to_le_bytes());
    }

    /// The payload.
    pub(crate) fn finish(self) -> Vec<u8> {
        let columns = [&self.ids, &self.counts, &self.times, &self.values];
        let size: usize = columns.iter().map(|column| column.len()).sum();
        let mut out = Vec::with_capacity(size + self.definitions.len() + 64);
        put_text(&mut out, self.tenant);
        put_varint(&mut out, self.defined);
        out.extend_from_slice(&self.definitions);
        put_varint(&mut out, self.series);
        for column in columns {
            put_varint(&mut out, column.len() as u64);
            out.extend_from_slice(column);
        }
        out
    }
}

/// Reads a payload, giving each entry to `each` in order: all definitions first.
pub(crate) fn read(payload: &[u8], mut each: impl FnMut(Entry<'_>)) -> Result<(), Malformed> {
    let mut cursor = Cursor(payload);
    cursor.text()?;
    for _ in 0..cursor.count()? {
        let id = cursor.varint()?;
        let pairs = (0..cursor.count()?)
            .map(|_| Ok((cursor.text()?, cursor.text()?)))
            .collect::<Result<Vec<_>, Malformed>>()?;
        each(Entry::Define(id, Labels::new(pairs).map_err(|_| Malformed)?));
    }
    let series = cursor.varint()?;
    let mut column = || {
        let length = cursor.count()?;
        cursor.bytes(length).map(Cursor)
    };
    let (mut ids, mut counts, mut times, mut values) = (column()?, column()?, column()?, column()?);
    let (mut id, mut t) = (0_i64, 0_i64);
    let mut samples = Vec::new();
    for _ in 0..series {
        id = id.wrapping_add(ids.signed()?);
        let count = counts.varint()?;
        if count > values.0.len() as u64 / 8 {
            return Err(Malformed);
        }
        samples.clear();
        for _ in 0..count {
            t = t.wrapping_add(times.signed()?);
            samples.push(Sample { t, v: f64::from_bits(values.u64()?) });
        }
        each(Entry::Samples(id.cast_unsigned(), &samples));
    }
    if cursor.is_empty() { Ok(()) } else { Err(Malformed) }
}

/// For fuzzers: reads `data` as a payload.
pub(crate) fn fuzz_one(data: &[u8]) {
    let _ = read(data, |_| {});
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn batches_come_back(
            series in prop::collection::vec((any::<u64>(), prop::collection::vec((any::<i64>(), any::<u64>()), 0..9)), 0..9),
        ) {
            let labels = |id: u64| Labels::new([("__name__", "up".to_owned()), ("id", id.to_string())]).unwrap();
            let mut writer = BatchWriter::new("default");
            for (id, samples) in &series {
                writer.define(*id, &labels(*id));
                writer.begin(*id, samples.len());
                samples.iter().for_each(|(t, v)| writer.sample(Sample { t: *t, v: f64::from_bits(*v) }));
            }
            let mut back = Vec::new();
            read(&writer.finish(), |entry| match entry {
                Entry::Define(id, l) => assert_eq!(l, labels(id)),
                Entry::Samples(id, samples) => {
                    back.push((id, samples.iter().map(|s| (s.t, s.v.to_bits())).collect::<Vec<_>>()));
                }
            }).unwrap();
            prop_assert_eq!(back, series);
        }

        #[test]
        fn garbage_never_panics(data in prop::collection::vec(any::<u8>(), 0..300)) {
            fuzz_one(&data);
        }
    }
}
