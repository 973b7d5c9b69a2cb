//! What was acknowledged is there after every kind of restart.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use store::{Durability, Options, Store};
use world::{DAY, all, at, batch, labels, named, pairs};

#[test]
fn what_was_appended_is_there_after_a_restart() {
    for durability in [Durability::Sync, Durability::Os] {
        for orderly in [true, false] {
            let dir = tempfile::tempdir().unwrap();
            let options = Options { durability, ..Options::new(dir.path()) };
            let now = at(DAY);
            let (store, recovery) = Store::open(options.clone(), now).unwrap();
            assert_eq!((recovery.records, recovery.clean), (0, true));
            for i in 0..50_i64 {
                let t = DAY + i * 15_000;
                let series: Vec<_> =
                    (0..20).map(|id| batch(labels("up", id), &[(t, i as f64 + id as f64)])).collect();
                let appended = store.append(&series, at(t)).unwrap();
                assert_eq!((appended.samples, appended.rejected.len()), (20, 0));
            }
            let before: Vec<_> = all(&store, &named("up")).iter().map(pairs).collect();
            assert_eq!((before.len(), before[0].len()), (20, 50));
            if orderly {
                store.close().unwrap();
            }
            drop(store);
            let (store, recovery) = Store::open(options, now).unwrap();
            assert_eq!((recovery.samples, recovery.series, recovery.clean), (1000, 20, orderly));
            assert_eq!((recovery.torn_bytes, recovery.damaged.len()), (0, 0));
            let after: Vec<_> = all(&store, &named("up")).iter().map(pairs).collect();
            assert_eq!(after, before);
        }
    }
}

#[test]
fn a_second_process_is_kept_out() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Store::open(Options::new(dir.path()), at(DAY));
    let (store, _) = open().unwrap();
    assert!(matches!(open(), Err(store::StoreError::Locked(_))));
    drop(store);
    assert!(open().is_ok());
}
