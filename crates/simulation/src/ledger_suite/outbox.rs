//! The outbox: leases, outcomes, fencing, keys.

use kernel::{FactSeq, Timestamp};
use ledger::{Effect, Ledger, OutboxCounts, Settled};
use serde_json::json;

use super::{Subject, append_each, at, new_effect, new_fact};

pub(super) fn leases(subject: &mut dyn Subject) {
    let ledger = subject.ledger();
    let other = ledger::NewEffect { kind: "mail".to_owned(), ..new_effect("other") };
    ledger
        .append(vec![new_fact(1), new_fact(2)], vec![new_effect("a"), other, new_effect("b")], None)
        .unwrap();
    let first = lease(ledger, 1, 10, 20);
    assert_eq!(first.len(), 1);
    let expected = Effect {
        id: first[0].id,
        seq: FactSeq(2),
        key: "a".to_owned(),
        kind: "webhook".to_owned(),
        payload: json!({ "about": "a" }),
        attempts: 0,
        lease: first[0].lease,
    };
    assert_eq!(first[0], expected, "oldest first");
    assert_eq!(keys(&lease(ledger, 9, 10, 20)), ["b"], "what is leased is not leased twice");
    assert_eq!(keys(&lease(ledger, 9, 19, 30)), [""; 0]);
    subject.restart();
    let ledger = subject.ledger();
    let again = lease(ledger, 9, 20, 30);
    assert_eq!(keys(&again), ["a", "b"], "a lease that ran out is due again");
    assert!(again[0].lease > first[0].lease);
    assert_eq!(again[0].attempts, 1, "the first try counts although nobody settled it");
    assert_eq!(lease_kind(ledger, "mail").len(), 1);
    assert_eq!(lease_kind(ledger, "page").len(), 0);
}

pub(super) fn outcomes(subject: &mut dyn Subject) {
    let ledger = subject.ledger();
    ledger.append(vec![new_fact(1)], ["a", "b", "c"].map(new_effect).into(), None).unwrap();
    let effects = lease(ledger, 9, 1, 100);
    assert!(ledger.settle(&effects[0], Settled::Delivered).unwrap());
    assert!(ledger.settle(&effects[1], Settled::Retry { at: at(50), error: "503".to_owned() }).unwrap());
    assert!(ledger.settle(&effects[2], Settled::Dead { error: "410 Gone".to_owned() }).unwrap());
    assert_eq!(ledger.outbox().unwrap(), OutboxCounts { pending: 1, dead: 1 });
    assert_eq!(keys(&lease(ledger, 9, 49, 100)), [""; 0]);
    subject.restart();
    let ledger = subject.ledger();
    let retried = lease(ledger, 9, 50, 100);
    assert_eq!((keys(&retried), retried[0].attempts), (vec!["b"], 1));
    assert!(ledger.settle(&retried[0], Settled::Delivered).unwrap());
    let dead = ledger.dead_letters(10).unwrap();
    assert_eq!(dead.len(), 1);
    assert_eq!((dead[0].effect.key.as_str(), dead[0].error.as_str()), ("c", "410 Gone"));
    assert_eq!(dead[0].effect.payload, json!({ "about": "c" }), "a dead letter keeps what it was to say");
    assert!(!ledger.revive(effects[0].id, at(60)).unwrap(), "only a dead letter can be revived");
    assert!(ledger.revive(dead[0].effect.id, at(60)).unwrap());
    assert_eq!(keys(&lease(ledger, 9, 59, 100)), [""; 0]);
    let revived = lease(ledger, 9, 60, 100);
    assert_eq!((keys(&revived), revived[0].attempts), (vec!["c"], 0));
    assert!(ledger.settle(&revived[0], Settled::Delivered).unwrap());
    assert_eq!(ledger.outbox().unwrap(), OutboxCounts::default());
    assert_eq!(keys(&lease(ledger, 9, 1_000, 2_000)), [""; 0], "delivered is delivered");
}

pub(super) fn fencing(subject: &mut dyn Subject) {
    let ledger = subject.ledger();
    ledger.append(vec![new_fact(1)], vec![new_effect("a")], None).unwrap();
    let slow = lease(ledger, 1, 1, 10).remove(0);
    let quick = lease(ledger, 1, 10, 20).remove(0);
    assert!(!ledger.settle(&slow, Settled::Dead { error: "late".to_owned() }).unwrap());
    assert!(!ledger.settle(&slow, Settled::Delivered).unwrap());
    assert_eq!(ledger.outbox().unwrap(), OutboxCounts { pending: 1, dead: 0 });
    assert!(ledger.settle(&quick, Settled::Delivered).unwrap());
    assert!(!ledger.settle(&quick, Settled::Delivered).unwrap(), "an effect ends once");
    // Its number may be given again; its lease may not.
    assert_eq!(ledger.prune_outbox(ledger.head()).unwrap(), 1);
    ledger.append(vec![new_fact(2)], vec![new_effect("b")], None).unwrap();
    let other = lease(ledger, 1, 10, 20).remove(0);
    assert!(
        !ledger.settle(&Effect { id: other.id, lease: other.lease, ..slow }, Settled::Delivered).unwrap()
    );
    assert!(ledger.settle(&other, Settled::Delivered).unwrap());
}

fn keys(effects: &[Effect]) -> Vec<&str> {
    effects.iter().map(|effect| effect.key.as_str()).collect()
}

pub(super) fn keys_once(subject: &mut dyn Subject) {
    let ledger = subject.ledger();
    ledger.append(vec![new_fact(1)], vec![new_effect("a"), new_effect("a")], None).unwrap();
    ledger.append(vec![new_fact(2)], vec![new_effect("a"), new_effect("b")], None).unwrap();
    assert_eq!(ledger.head(), FactSeq(2), "only the effect is dropped, the facts stand");
    let effects = lease(ledger, 9, 1, 10);
    assert_eq!(keys(&effects), ["a", "b"]);
    for effect in &effects {
        ledger.settle(effect, Settled::Delivered).unwrap();
    }
    subject.restart();
    let ledger = subject.ledger();
    ledger.append(Vec::new(), vec![new_effect("a")], None).unwrap();
    assert_eq!(keys(&lease(ledger, 9, 100, 200)), [""; 0], "also after it was delivered");
    assert_eq!(ledger.prune_outbox(FactSeq(1)).unwrap(), 1, "a, of fact 1; b belongs to fact 2");
    append_each(ledger, 3..=3);
    ledger.append(Vec::new(), vec![new_effect("a"), new_effect("b")], None).unwrap();
    assert_eq!(keys(&lease(ledger, 9, 100, 200)), ["a"], "what is pruned is forgotten");
}

fn lease(ledger: &dyn Ledger, limit: usize, now: u64, until: u64) -> Vec<Effect> {
    ledger.lease("webhook", limit, at(now), at(until)).unwrap()
}

fn lease_kind(ledger: &dyn Ledger, kind: &str) -> Vec<Effect> {
    ledger.lease(kind, 9, Timestamp::EPOCH, Timestamp::MAX).unwrap()
}
