//! The ledger on SQLite does what every ledger must, and plays `tests/cases/ledger`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests say what is wrong by failing"
)]

use ledger::{Ledger, LedgerOptions, SqliteLedger};
use simulation::ledger_suite::{self, LedgerStage, Subject};
use simulation::scenario;

struct OnSqlite {
    folder: tempfile::TempDir,
    ledger: Option<SqliteLedger>,
}

impl OnSqlite {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = SqliteLedger::open(folder.path(), &LedgerOptions::default()).unwrap();
        Self { folder, ledger: Some(ledger) }
    }

    fn reopen(&mut self, options: &LedgerOptions) {
        self.ledger = None;
        self.ledger = Some(SqliteLedger::open(self.folder.path(), options).unwrap());
    }
}

impl Subject for OnSqlite {
    fn ledger(&self) -> &dyn Ledger {
        self.ledger.as_ref().unwrap()
    }
    fn restart(&mut self) {
        self.reopen(&LedgerOptions::default());
    }
    /// By the limit of the database's size, which SQLite answers as it does a full disk; `full_disk.rs` fills a real one.
    fn fill_disk(&mut self) {
        let bytes = self.ledger().stats().unwrap().bytes + 500_000;
        self.reopen(&LedgerOptions { max_bytes: Some(bytes) });
    }
    /// What a killed process leaves: the files as they are, the log not folded into the database.
    fn crash(&mut self) {
        let left = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(self.folder.path()).unwrap() {
            let entry = entry.unwrap();
            // The index of the log is in memory that the processes share; nothing of it is needed.
            if !entry.file_name().to_string_lossy().ends_with("-shm") {
                std::fs::copy(entry.path(), left.path().join(entry.file_name())).unwrap();
            }
        }
        self.ledger = None;
        self.folder = left;
        self.restart();
    }
    fn free_disk(&mut self) {
        self.reopen(&LedgerOptions::default());
    }
}

#[test]
fn the_suite_holds() {
    ledger_suite::run(|| Box::new(OnSqlite::new()));
}

#[test]
fn the_scenarios_come_true() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases/ledger");
    let played = scenario::play_folder(folder.as_ref(), || LedgerStage::new(Box::new(OnSqlite::new())));
    assert!(played.unwrap() >= 4);
}
