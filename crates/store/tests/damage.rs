//! Power loss and changed bits: found, located, never served.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and prints its seed"
)]

mod world;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use kernel::{Labels, Span};
use store::{Options, Recovery, Store, StoreError};
use world::{DAY, HOUR, all, at, batch, labels, pairs};

type Served = BTreeMap<Labels, Vec<(i64, u64)>>;

fn served(store: &Store) -> Served {
    all(store, &[]).iter().map(|series| (series.labels.clone(), pairs(series))).collect()
}

fn open(dir: &Path) -> Result<(Store, Recovery), StoreError> {
    Store::open(Options { retention: None, ..Options::new(dir) }, at(DAY))
}

fn append(store: &Store, from: i64, count: i64) {
    for n in from..from + count {
        let series: Vec<_> = (0..5).map(|id| batch(labels("m", id), &[(DAY + n * 1000, n as f64)])).collect();
        assert_eq!(store.append(&series, at(DAY + n * 1000)).unwrap().samples, 5);
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn files(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_str().unwrap().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

fn seeded() -> Random {
    let seed = std::env::var("STORE_DAMAGE_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
    eprintln!("STORE_DAMAGE_SEED={seed}");
    Random(seed | 1)
}

#[test]
fn power_loss_takes_nothing_that_was_acknowledged() {
    let mut random = seeded();
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path()).unwrap();
    append(&store, 0, 30);
    let wal = files(dir.path(), ".wal").pop().unwrap();
    // One thread writes: after the acknowledgement the file's length is the synced one.
    let synced = fs::metadata(&wal).unwrap().len() as usize;
    let acknowledged = served(&store);
    append(&store, 30, 20);
    let later = served(&store);
    let whole = fs::read(&wal).unwrap();
    for round in 0..120 {
        let crashed = tempfile::tempdir().unwrap();
        copy(dir.path(), crashed.path());
        let mut bytes = whole.clone();
        // What the disk keeps of what was not synced: up to some length, with sectors missing or filled with anything.
        bytes.truncate(synced + random.below(whole.len() - synced + 1));
        for sector in bytes[synced..].chunks_mut(512) {
            match random.below(4) {
                0 => sector.fill(0),
                1 => sector.iter_mut().for_each(|byte| *byte = random.below(256) as u8),
                _ => {}
            }
        }
        let name = wal.file_name().unwrap();
        fs::write(crashed.path().join("wal").join(name), &bytes).unwrap();
        let (store, _) = open(crashed.path()).unwrap();
        let back = served(&store);
        for (labels, samples) in &acknowledged {
            assert!(back[labels].starts_with(samples), "round {round}: {labels} lost acknowledged samples");
        }
        for (labels, samples) in &back {
            assert!(
                samples.iter().all(|sample| later[labels].contains(sample)),
                "round {round}: a sample nobody wrote"
            );
        }
        // It goes on: what is appended now survives the next start.
        append(&store, 100, 1);
        let now = served(&store);
        drop(store);
        assert_eq!(served(&open(crashed.path()).unwrap().0), now, "round {round}");
    }
}

#[test]
fn a_changed_bit_in_the_log_is_found_and_located() {
    let mut random = seeded();
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path()).unwrap();
    append(&store, 0, 40);
    store.close().unwrap();
    let right = served(&store);
    drop(store);
    let wal = files(dir.path(), ".wal").pop().unwrap();
    let name = wal.file_name().unwrap().to_str().unwrap().to_owned();
    let whole = fs::read(&wal).unwrap();
    for _ in 0..150 {
        let crashed = tempfile::tempdir().unwrap();
        copy(dir.path(), crashed.path());
        let bit = random.below(whole.len() * 8);
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(crashed.path().join("wal").join(&name), &bytes).unwrap();
        let (store, recovery) = open(crashed.path()).unwrap();
        for (labels, samples) in served(&store) {
            assert!(
                samples.iter().all(|sample| right[&labels].contains(sample)),
                "bit {bit}: served something else"
            );
        }
        // Only the mark at the very end, when it is what changed, cannot be told from a record being written.
        let last = bit / 8 >= whole.len() - 32;
        assert_eq!(last, recovery.torn_bytes > 0, "bit {bit} of {}", whole.len());
        if !last {
            let damage = recovery.damaged.first().unwrap_or_else(|| unreachable!("bit {bit} was not found"));
            let (from, to) = (damage.offset, damage.offset + damage.bytes);
            assert_eq!(damage.file, format!("wal/{name}"));
            assert!((from..to).contains(&(bit as u64 / 8)), "byte {} is not in {from}..{to}", bit / 8);
            assert!(damage.acknowledged || bit / 8 < 24, "bit {bit}: {damage:?}");
        }
    }
}

fn all_of(store: &Store) -> Result<Vec<metrics::source::Series>, metrics::source::SourceError> {
    world::select(store, &[], i64::MIN, i64::MAX)
}

/// A store with a flushed, merged block, some blocks of level 0, and a log.
fn furnished(dir: &Path) -> Served {
    let (store, _) = open(dir).unwrap();
    for hour in 0..5 {
        for quarter in 0..4 {
            append(&store, hour * 3600 + quarter * 900, 5);
            store.flush(at(DAY + hour * HOUR)).unwrap();
        }
    }
    store.maintain(at(DAY + 5 * HOUR + HOUR / 2)).unwrap();
    let family = metrics::sample::FamilyMetadata {
        name: "m".to_owned(),
        kind: metrics::sample::MetricType::Gauge,
        help: "A measure.".to_owned(),
        unit: String::new(),
    };
    store.set_metadata(&[family]).unwrap();
    append(&store, 5 * 3600, 5);
    served(&store)
}

#[test]
fn a_changed_bit_in_a_block_or_the_catalogue_is_found_or_harmless() {
    let mut random = seeded();
    let dir = tempfile::tempdir().unwrap();
    let right = furnished(dir.path());
    // Let go of the merged blocks: damage to them concerns nobody.
    open(dir.path()).unwrap().0.maintain(at(DAY + 5 * HOUR + HOUR / 2) + Span::from_mins(6)).unwrap();
    let (mut refused, mut found, mut harmless) = (0, 0, 0);
    let kinds =
        [files(dir.path(), "index.bin"), files(dir.path(), "chunks.bin"), files(dir.path(), "catalogue.db")];
    for round in 0..180 {
        let kind = &kinds[round % 3];
        let file = &kind[random.below(kind.len())];
        let crashed = tempfile::tempdir().unwrap();
        copy(dir.path(), crashed.path());
        let target = crashed.path().join(file.strip_prefix(dir.path()).unwrap());
        let mut bytes = fs::read(&target).unwrap();
        let bit = random.below(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(&target, &bytes).unwrap();
        let is_block = round % 3 < 2;
        let name = target.file_name().unwrap().to_str().unwrap();
        let (store, recovery) = match open(crashed.path()) {
            Ok(opened) => opened,
            Err(StoreError::Damaged { file, .. }) => {
                assert!(
                    !is_block && file.ends_with(name),
                    "{file}: a block must not keep the store from opening"
                );
                refused += 1;
                continue;
            }
            Err(other) => unreachable!("{}: bit {bit}: {other}", target.display()),
        };
        if let Some(damage) = recovery.damaged.first() {
            assert!(is_block && damage.file.ends_with(name), "{damage:?}");
            let kept_out = all_of(&store).err().unwrap();
            assert!(kept_out.to_string().contains(&damage.file), "{kept_out}");
            let n = 6 * 3600;
            append(&store, n, 1);
            assert_eq!(
                world::select(&store, &[], DAY + n * 1000, i64::MAX).unwrap().len(),
                5,
                "other times are served"
            );
            refused += 1;
            continue;
        }
        let damage = store.verify().unwrap();
        assert_eq!(is_block, !damage.is_empty(), "{}: bit {bit}: {damage:?}", target.display());
        found += usize::from(is_block);
        harmless += usize::from(!is_block);
        if let Ok(series) = all_of(&store) {
            let now: Served = series.iter().map(|series| (series.labels.clone(), pairs(series))).collect();
            assert_eq!(now, right, "{}: bit {bit} changed what is served", target.display());
        }
        assert_eq!(store.metadata().len(), 1);
    }
    eprintln!(
        "{refused} refused at opening, {found} found by verify, {harmless} in unused bytes of the catalogue"
    );
}

#[test]
fn orphans_and_a_missing_block_are_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let right = furnished(dir.path());
    let blocks = files(dir.path(), "index.bin");
    let orphan = blocks[0].parent().unwrap().with_file_name("01ZZZZZZZZZZZZZZZZZZZZZZZZ");
    copy(blocks[0].parent().unwrap(), &orphan);
    fs::create_dir_all(dir.path().join("tmp/01ZZZZZZZZZZZZZZZZZZZZZZZZ")).unwrap();
    let (store, recovery) = open(dir.path()).unwrap();
    assert_eq!((recovery.orphans, orphan.exists()), (2, false));
    assert_eq!(served(&store), right);
    let listed = store.stats().blocks as usize;
    // Merged blocks stay for the grace period.
    assert!(listed < blocks.len(), "{listed} of {}", blocks.len());
    store.maintain(at(DAY + 5 * HOUR + HOUR / 2) + Span::from_mins(6)).unwrap();
    assert_eq!(files(dir.path(), "index.bin").len(), store.stats().blocks as usize);
    drop(store);
    let gone = files(dir.path(), "chunks.bin").remove(0);
    fs::remove_file(&gone).unwrap();
    let (store, recovery) = open(dir.path()).unwrap();
    assert!(recovery.damaged[0].what.contains("missing"), "{:?}", recovery.damaged);
    assert!(all_of(&store).is_err() && !store.verify().unwrap().is_empty());
    // Retention lets go of it, and the rest is served again.
    drop(store);
    let options = Options { retention_bytes: Some(1), ..Options::new(dir.path()) };
    let (store, _) = Store::open(options, at(DAY)).unwrap();
    store.maintain(at(DAY + 6 * HOUR)).unwrap();
    assert!(all_of(&store).is_ok());
}
