//! The simulated ledger does what every ledger must, and keeps its word whenever the power goes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests say what is wrong by failing"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use kernel::FactSeq;
use ledger::{Ledger, LedgerError, Settled};
use parking_lot::Mutex;
use simulation::ledger_suite::{self, LedgerStage, Subject, at, new_effect, new_fact};
use simulation::{Random, SimDisk, SimLedger, for_seeds, scenario};

struct OnSimDisk {
    disk: Arc<Mutex<SimDisk>>,
    ledger: SimLedger,
}

impl OnSimDisk {
    fn new() -> Self {
        let disk = Arc::new(Mutex::new(SimDisk::new(Random::new(0))));
        Self { ledger: SimLedger::open(Arc::clone(&disk)).unwrap(), disk }
    }
}

impl Subject for OnSimDisk {
    fn ledger(&self) -> &dyn Ledger {
        &self.ledger
    }
    fn restart(&mut self) {
        self.ledger = SimLedger::open(Arc::clone(&self.disk)).unwrap();
    }
    fn fill_disk(&mut self) {
        let mut disk = self.disk.lock();
        let used = disk.used();
        disk.set_capacity(used + 100_000);
    }
    fn crash(&mut self) {
        self.disk.lock().crash();
        self.disk.lock().restart();
        self.restart();
    }
    fn free_disk(&mut self) {
        self.disk.lock().set_capacity(usize::MAX);
    }
}

#[test]
fn the_suite_holds() {
    ledger_suite::run(|| Box::new(OnSimDisk::new()));
}

#[test]
fn the_scenarios_come_true() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases/ledger");
    let played = scenario::play_folder(folder.as_ref(), || LedgerStage::new(Box::new(OnSimDisk::new())));
    assert!(played.unwrap() >= 4);
}

/// One history, cut off at every operation of the disk in turn: whatever was acknowledged is there afterwards, and what
/// was not is there wholly or not at all.
#[test]
fn power_may_go_at_every_single_operation() {
    let whole = history(u64::MAX, 0);
    assert!(whole > 60, "{whole}");
    for_seeds("power", 6, |seed| {
        for cut in 0..whole {
            history(cut, seed);
        }
    });
}

/// Appends, leases and settles until the power goes after `cut` operations, restarts, and checks. Returns how many
/// operations there were.
fn history(cut: u64, seed: u64) -> u64 {
    let disk = Arc::new(Mutex::new(SimDisk::new(Random::new(seed))));
    disk.lock().crash_after(cut);
    let mut acknowledged = BTreeMap::new();
    let mut delivered = 0;
    let ended = live(&disk, &mut acknowledged, &mut delivered);
    let operations = disk.lock().operations();
    assert_eq!(ended.is_err(), disk.lock().is_crashed(), "only a crash ends a history: {ended:?}");
    disk.lock().restart();
    let ledger = SimLedger::open(Arc::clone(&disk)).unwrap();
    assert!(ledger.verify().unwrap().is_sound());
    let facts = ledger.read(FactSeq(0), 1_000, None).unwrap();
    for (seq, n) in &acknowledged {
        let fact = facts.get(usize::try_from(seq.0).unwrap() - 1);
        assert_eq!(fact.map(|fact| fact.payload["n"].clone()), Some((*n).into()), "acknowledged {seq}");
    }
    // Facts come in twos.
    assert!(facts.len().is_multiple_of(2) && facts.len() <= acknowledged.len() + 2, "{}", facts.len());
    let pending = ledger.outbox().unwrap().pending;
    let promised = facts.len() as u64 / 2;
    // A settlement that was under way when the power went may or may not have been kept.
    let open = promised - delivered;
    assert!(
        (open.saturating_sub(1)..=open).contains(&pending),
        "{pending} of {promised}, {delivered} delivered"
    );
    operations
}

fn live(
    disk: &Arc<Mutex<SimDisk>>,
    acknowledged: &mut BTreeMap<FactSeq, u64>,
    delivered: &mut u64,
) -> Result<(), LedgerError> {
    let ledger = SimLedger::open(Arc::clone(disk))?;
    for n in (1..60).step_by(2) {
        let effect = new_effect(&format!("k{n}"));
        let appended = ledger.append(vec![new_fact(n), new_fact(n + 1)], vec![effect], None)?;
        acknowledged
            .extend(appended.facts.iter().map(|fact| (fact.seq, fact.payload["n"].as_u64().unwrap())));
        if n % 3 == 0 {
            for effect in ledger.lease("webhook", 1, at(n), at(100))? {
                assert!(ledger.settle(&effect, Settled::Delivered)?);
                *delivered += 1;
            }
        }
    }
    Ok(())
}
