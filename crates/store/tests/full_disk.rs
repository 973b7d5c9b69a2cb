//! A full disk: nothing acknowledged is lost, the error says so, and service resumes by itself.
//!
//! The test starts itself again with a small file system of its own (a user namespace with a tmpfs), fills it, and makes room
//! again. Where the system does not allow that, it says so and passes.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says when it is skipped"
)]

mod world;

use std::fs;
use std::path::Path;
use std::process::Command;

use kernel::Span;
use store::{Options, Store, StoreError};
use world::{DAY, all, at, batch, labels, pairs};

const FOLDER: &str = "STORE_FULL_FOLDER";

fn options(dir: &Path) -> Options {
    Options { retention: None, deletion_grace: Span::ZERO, ..Options::new(dir.join("store")) }
}

/// Not a test of its own: what runs on the small file system.
#[test]
fn on_a_small_disk() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let folder = Path::new(&folder);
    let (store, _) = Store::open(options(folder), at(DAY)).unwrap();
    let append = |n: i64| {
        let t = DAY + n * 1000;
        let series: Vec<_> =
            (0..50).map(|id| batch(labels("m", id), &[(t, (n * 7919 % 1013) as f64 / 3.0)])).collect();
        store.append(&series, at(t)).map(|appended| appended.samples)
    };
    let mut acknowledged = Vec::new();
    for n in 0..20 {
        assert_eq!(append(n), Ok(50));
        acknowledged.push(n);
    }
    // Something else fills the disk to the last byte.
    let ballast = folder.join("ballast");
    let mut size = 1 << 20;
    let mut filler = fs::File::create(&ballast).unwrap();
    while size > 0 {
        if std::io::Write::write_all(&mut filler, &vec![1; size]).is_err() {
            size /= 2;
        }
    }
    let mut refused = 0;
    for n in 20..2000 {
        match append(n) {
            Ok(_) => acknowledged.push(n),
            Err(error) => {
                assert!(matches!(error, StoreError::Full(_)), "{error}");
                refused += 1;
            }
        }
        if refused == 30 {
            break;
        }
    }
    assert_eq!(refused, 30, "the disk was not full");
    let flushed = store.flush(at(DAY + 3_600_000));
    assert!(matches!(flushed, Err(StoreError::Full(_))), "{flushed:?}");
    // What was refused may be sent again, and what was acknowledged can be read all the while.
    let times =
        |store: &Store| pairs(&all(store, &[])[0]).iter().map(|(t, _)| (t - DAY) / 1000).collect::<Vec<_>>();
    assert!(acknowledged.iter().all(|n| times(&store).contains(n)));
    drop(filler);
    fs::remove_file(&ballast).unwrap();
    for n in 20..60 {
        assert_eq!(append(n), Ok(50), "after room was made, {n}");
        acknowledged.push(n);
    }
    drop(store);
    let (store, recovery) = Store::open(options(folder), at(DAY)).unwrap();
    assert_eq!((&recovery.damaged, recovery.unnamed_samples), (&vec![], 0));
    let served = times(&store);
    assert!(served.is_sorted_by(|a, b| a < b));
    assert!(acknowledged.iter().all(|n| served.contains(n)), "{served:?}");
    assert!(store.flush(at(DAY + 3_600_000)).unwrap() > 0);
    assert_eq!((times(&store), store.verify().unwrap()), (served, vec![]));
    eprintln!("passed on the small disk");
}

#[test]
fn a_full_disk_loses_nothing_and_passes() {
    let dir = tempfile::tempdir().unwrap();
    let program = std::env::current_exe().unwrap();
    let script = format!(
        "mount -t tmpfs -o size=6m tmpfs '{0}' && exec '{1}' --exact on_a_small_disk --nocapture",
        dir.path().display(),
        program.display()
    );
    let probe = Command::new("unshare").args(["-rm", "true"]).status();
    if !probe.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: this system allows no user namespace, so there is no small disk to fill");
        return;
    }
    let output =
        Command::new("unshare").args(["-rm", "sh", "-c", &script]).env(FOLDER, dir.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("passed on the small disk"), "{said}");
}
