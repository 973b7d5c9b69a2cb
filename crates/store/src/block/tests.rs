//! A block gives back what was written, and every changed bit is found.

use kernel::Labels;
use metrics::sample::Sample;
use proptest::prelude::*;

use super::index;
use super::reader::Block;
use super::writer::{BlockWriter, Identity};
use super::*;
use crate::matching::Postings;

const ID: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

fn series(number: usize) -> (Labels, Vec<Sample>) {
    let labels = Labels::new([
        ("__name__", format!("metric_{}", number / 50)),
        ("instance", format!("host-{:03}", number % 50)),
        ("job", "node".to_owned()),
    ])
    .unwrap();
    let samples = (0..40).map(|i| Sample { t: i * 15_000, v: (number as f64) + i as f64 / 4.0 }).collect();
    (labels, samples)
}

fn write(dir: &std::path::Path, count: usize) -> crate::catalogue::BlockMeta {
    let identity = Identity {
        id: ID.to_owned(),
        seq: 7,
        tenant: "default".to_owned(),
        level: 0,
        time: 0,
        flushed_lsn: 9,
    };
    let mut all: Vec<_> = (0..count).map(series).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    let mut writer =
        BlockWriter::create(&dir.join("metrics/default/1970-01-01").join(ID), &identity).unwrap();
    for (labels, samples) in &all {
        writer.add(labels, samples).unwrap();
    }
    writer.finish(ID, "1970-01-01").unwrap()
}

fn read(block: &Block) -> Result<Vec<(Labels, Vec<Sample>)>, crate::StoreError> {
    let mut reader = block.series_reader(4096);
    (0..block.meta.series as u32)
        .map(|number| {
            let (labels, chunks) = reader.series(number)?;
            let mut samples = Vec::new();
            for chunk in chunks {
                reader.samples(&chunk, &mut samples)?;
            }
            Ok((labels, samples))
        })
        .collect()
}

#[test]
fn a_block_gives_back_what_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let meta = write(dir.path(), 500);
    assert_eq!((meta.series, meta.samples, meta.min_time, meta.max_time), (500, 20_000, 0, 585_000));
    let block = Block::open(dir.path(), meta).unwrap();
    block.verify().unwrap();
    let mut wanted: Vec<_> = (0..500).map(series).collect();
    wanted.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(read(&block).unwrap(), wanted);
    let with = |name: &str, value: &str| block.equal(name, value).unwrap();
    assert_eq!((with("job", "node").len(), with("instance", "host-007").len()), (500, 10));
    assert_eq!(
        (with("instance", "host-"), with("instance", "zzz"), with("nothing", "x")),
        (vec![], vec![], vec![])
    );
    let tens = block.having("instance", &|value| value.ends_with('0')).unwrap();
    assert_eq!(tens.len(), 50);
    assert!(tens.is_sorted());
}

#[test]
fn a_changed_bit_is_found_and_never_served() {
    let dir = tempfile::tempdir().unwrap();
    let meta = write(dir.path(), 70);
    let right = read(&Block::open(dir.path(), meta.clone()).unwrap()).unwrap();
    for file in [INDEX_FILE, CHUNKS_FILE] {
        let path = dir.path().join(meta.path()).join(file);
        let bytes = std::fs::read(&path).unwrap();
        // A prime step, so that every kind of unit is hit, at every place in a byte.
        for bit in (0..bytes.len() * 8).step_by(61) {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, &changed).unwrap();
            let Ok(block) = Block::open(dir.path(), meta.clone()) else { continue };
            let error = block.verify().expect_err("a changed bit was not found");
            assert!(error.to_string().contains(file), "{error}");
            if let Ok(served) = read(&block) {
                assert_eq!(served, right, "bit {bit} of {file} changed what is served");
            }
        }
        std::fs::write(&path, &bytes).unwrap();
    }
}

proptest! {
    #[test]
    fn garbage_never_panics(data in prop::collection::vec(any::<u8>(), 0..300)) {
        index::fuzz_one(&data);
    }

    #[test]
    fn postings_come_back(numbers in prop::collection::btree_set(0_u32..10_000, 0..200)) {
        let numbers: Vec<u32> = numbers.into_iter().collect();
        let mut bytes = Vec::new();
        index::put_postings(&numbers, &mut bytes);
        let mut back = Vec::new();
        index::take_postings(&bytes, 10_000, &mut back).unwrap();
        prop_assert_eq!(back, numbers);
    }
}
