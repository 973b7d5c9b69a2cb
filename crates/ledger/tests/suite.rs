//! The ledger on SQLite does what every ledger must.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests say what is wrong by failing"
)]

use ledger::{Ledger, LedgerOptions, SqliteLedger};
use simulation::ledger_suite::{self, Subject};

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
        self.reopen(&LedgerOptions { max_bytes: Some(bytes), ..LedgerOptions::default() });
    }
    fn free_disk(&mut self) {
        self.reopen(&LedgerOptions::default());
    }
}

#[test]
fn the_suite_holds() {
    ledger_suite::run(|| Box::new(OnSqlite::new()));
}
