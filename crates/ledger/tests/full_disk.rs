//! A file system without space: the ledger says so, keeps what it has, and goes on by itself once there is space.
//!
//! Needs the right to mount a small tmpfs; without it the test says loudly that it was skipped. The suite shows the same
//! through SQLite's own limit of a database's size, everywhere.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests say what is wrong by failing"
)]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use kernel::{Actor, FactSeq, Timestamp};
use ledger::{Ledger, LedgerError, LedgerOptions, NewEffect, NewFact, SqliteLedger};
use serde_json::json;

/// A mounted tmpfs of a few megabytes.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    /// Nothing when this process may not mount.
    fn mount(megabytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let options = format!("size={megabytes}m");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self { folder })
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, so that a failed test with an open ledger does not leave the mount behind.
        let _ = Command::new("umount").arg("--lazy").arg(self.folder.path()).status();
    }
}

#[test]
fn a_full_file_system_is_said_and_passes() {
    let Some(disk) = SmallDisk::mount(16) else {
        println!("SKIPPED: this process may not mount a tmpfs, so no file system was filled");
        return;
    };
    let folder = disk.folder.path().join("ledger");
    let ledger = SqliteLedger::open(&folder, &LedgerOptions::default()).unwrap();
    for round in 0..3 {
        let ballast = disk.folder.path().join("ballast");
        leave_room(&ballast, 1 << 20);
        let head = fill(&ledger, round);
        // What needs no room of its own may still be taken; what does is refused again and again.
        for _ in 0..5 {
            let refused = ledger.append(vec![fact(400_000)], Vec::new(), None).unwrap_err();
            assert!(matches!(refused, LedgerError::Full(_)), "{refused:?}");
        }
        assert_eq!(ledger.head(), head);
        std::fs::remove_file(&ballast).unwrap();
        let facts = ledger.append(vec![fact(400_000)], Vec::new(), Some(head)).unwrap().facts;
        assert_eq!(facts[0].seq.0, head.0 + 1, "it resumes by itself, without a gap");
        assert!(ledger.verify().unwrap().is_sound());
        if round == 1 {
            free(&ledger, &folder);
        }
    }
    let (tip, pending) = (ledger.tip(), ledger.outbox().unwrap().pending);
    drop(ledger);
    let ledger = SqliteLedger::open(&folder, &LedgerOptions::default()).unwrap();
    assert_eq!((ledger.tip(), ledger.outbox().unwrap().pending), (tip, pending));
}

/// Fills the file system with `ballast` up to about `room` bytes.
fn leave_room(ballast: &Path, room: u64) {
    let mut file = std::fs::File::create(ballast).unwrap();
    let mut written = 0;
    while file.write_all(&[0; 64 << 10]).is_ok() {
        written += 64 << 10;
    }
    file.set_len(written - room).unwrap();
}

/// Appends until there is no space; returns the head.
fn fill(ledger: &SqliteLedger, round: u32) -> FactSeq {
    for number in 0..10_000 {
        let head = ledger.head();
        let effect =
            NewEffect { key: format!("{round}-{number}"), kind: "webhook".to_owned(), payload: json!({}) };
        match ledger.append(vec![fact(30_000), fact(10)], vec![effect], None) {
            Ok(appended) => assert_eq!(appended.facts[0].seq.0, head.0 + 1),
            Err(error) => {
                assert!(
                    matches!(&error, LedgerError::Full(place) if place.ends_with("ledger.db")),
                    "{error:?}"
                );
                assert!(error.to_string().starts_with("no space left for the ledger at /"), "{error}");
                assert_eq!(ledger.head(), head, "nothing of it was written");
                let facts = ledger.read(FactSeq(0), usize::MAX, None).unwrap();
                assert_eq!(facts.len() as u64, head.0, "and reading goes on");
                return head;
            }
        }
    }
    panic!("the file system never filled");
}

/// A checkpoint folds the log away, as it does by itself from time to time.
fn free(ledger: &SqliteLedger, folder: &Path) {
    let before = ledger.stats().unwrap().bytes;
    let connection = rusqlite::Connection::open(folder.join(ledger::DATABASE_FILE)).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    assert!(ledger.stats().unwrap().bytes < before);
}

fn fact(padding: usize) -> NewFact {
    NewFact {
        time: Timestamp::from_secs(1),
        actor: Actor::system("full"),
        reason: String::new(),
        change: None,
        chapter: "full".to_owned(),
        kind: "happened".to_owned(),
        version: 1,
        subject: String::new(),
        payload: json!({ "padding": "x".repeat(padding) }),
    }
}
