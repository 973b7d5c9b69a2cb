//! What every ledger must do, whatever keeps it. Each adapter of the port runs the whole suite.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a suite of tests: it asserts, and is never part of the program"
)]

mod facts;
mod limits;
mod outbox;
mod stage;
mod transfer;

pub use self::stage::LedgerStage;

use kernel::{Actor, ChangeId, Timestamp};
use ledger::{Ledger, NewEffect, NewFact};
use serde_json::json;

/// A ledger under test, with the hands to shake it.
pub trait Subject {
    /// The ledger as it is open now.
    fn ledger(&self) -> &dyn Ledger;
    /// Closes it and opens it again.
    fn restart(&mut self);
    /// Ends it as a kill or a loss of power does, and opens what is left.
    fn crash(&mut self);
    /// Takes away the space for more than a few facts of [`new_fact`]'s size.
    fn fill_disk(&mut self);
    /// Gives the space back.
    fn free_disk(&mut self);
}

/// One thing a ledger must do.
pub type Case = fn(&mut dyn Subject);

/// Every case by name.
pub const CASES: [(&str, Case); 18] = [
    ("facts are numbered, chained and read back", facts::numbered_chained_and_read_back),
    ("everything is there after a restart", facts::everything_is_there_after_a_restart),
    ("an append at a position that has moved on writes nothing", facts::moved_on),
    ("facts appended from many threads are all there, in order", facts::many_threads),
    ("a search finds what a plain look at every fact finds", facts::searches_agree_with_a_plain_look),
    ("watchers wake", facts::watchers_wake),
    ("snapshots are kept and replaced", facts::snapshots),
    ("a sound ledger verifies", facts::verifies),
    ("figures count what was done", facts::figures),
    ("a full disk is said, changes nothing, and passes", facts::full_disk),
    ("what exceeds a limit is refused and writes nothing", limits::refused),
    ("what is exactly at a limit is taken", limits::taken),
    ("an effect is leased, and again when its lease ran out", outbox::leases),
    ("an effect ends delivered, retried or dead", outbox::outcomes),
    ("a stale lease changes nothing", outbox::fencing),
    ("an idempotency key is used once", outbox::keys_once),
    ("an export imports to the same ledger", transfer::round_trip),
    ("an import that is wrong anywhere leaves the ledger empty", transfer::refused),
];

/// Runs every case on a new subject from `make`, naming it before it runs.
pub fn run(mut make: impl FnMut() -> Box<dyn Subject>) {
    for (name, case) in CASES {
        println!("{name}");
        case(&mut *make());
    }
}

/// The fact number `n` of a made-up history; all its fields follow from `n`.
pub fn new_fact(n: u64) -> NewFact {
    let chapters = ["flags", "security", "alerting"];
    NewFact {
        time: at(n / 2),
        actor: if n.is_multiple_of(4) {
            Actor::system("reconciler/flags")
        } else {
            Actor { kind: kernel::ActorKind::User, name: format!("ada:{}", n % 3), role: None }
        },
        reason: if n.is_multiple_of(3) { format!("Ticket #{n}: 100 % \"sure\"") } else { String::new() },
        change: n.is_multiple_of(5).then(|| ChangeId(format!("chg-{}", n / 10))),
        chapter: chapters[usize::try_from(n % 3).unwrap()].to_owned(),
        kind: if n.is_multiple_of(2) { "set" } else { "deleted" }.to_owned(),
        version: u16::try_from(n % 3).unwrap(),
        subject: if n.is_multiple_of(7) { String::new() } else { format!("Flag/f_{}", n % 5) },
        payload: json!({ "n": n, "z": 0.1, "a": ["é\u{1f6a6}", null, true], "m": { "y": -1, "b": 1e300 } }),
    }
}

/// An effect with the key `key`.
pub fn new_effect(key: &str) -> NewEffect {
    NewEffect { key: key.to_owned(), kind: "webhook".to_owned(), payload: json!({ "about": key }) }
}

/// Second `n` of the made-up history.
pub fn at(n: u64) -> Timestamp {
    Timestamp::from_secs(i64::try_from(n).unwrap())
}

/// Appends the facts `numbers` of the made-up history, one append each.
pub fn append_each(ledger: &dyn Ledger, numbers: std::ops::RangeInclusive<u64>) {
    for n in numbers {
        ledger.append(vec![new_fact(n)], Vec::new(), None).unwrap();
    }
}
