//! Every limit, from both sides.

use kernel::{Actor, ChangeId, FactSeq};
use ledger::limits::{
    MAX_ACTOR_BYTES, MAX_CHANGE_BYTES, MAX_EFFECTS, MAX_ERROR_BYTES, MAX_FACTS, MAX_KEY_BYTES,
    MAX_NAME_BYTES, MAX_PAYLOAD_BYTES, MAX_PAYLOAD_DEPTH, MAX_REASON_BYTES, MAX_SUBJECT_BYTES,
};
use ledger::{LedgerError, NewEffect, NewFact, Settled, Snapshot};
use serde_json::{Value, json};

use super::{Subject, append_each, at, new_effect, new_fact};

type Sized = fn(usize) -> (Vec<NewFact>, Vec<NewEffect>);

/// What is limited: how an error names it, the limit, and an append of a given size.
const LIMITS: [(&str, usize, Sized); 12] = [
    ("bytes in its payload", MAX_PAYLOAD_BYTES, |n| fact(|f| f.payload = json!(x(n - 2)))),
    ("levels of nesting in its payload", MAX_PAYLOAD_DEPTH, |n| fact(|f| f.payload = nested(n))),
    ("bytes in its reason", MAX_REASON_BYTES, |n| fact(|f| f.reason = x(n))),
    ("bytes in its subject", MAX_SUBJECT_BYTES, |n| fact(|f| f.subject = x(n))),
    ("bytes in its kind", MAX_NAME_BYTES, |n| fact(|f| f.kind = x(n))),
    ("bytes in its chapter's name", MAX_NAME_BYTES, |n| fact(|f| f.chapter = x(n))),
    ("bytes in its actor's name", MAX_ACTOR_BYTES, |n| fact(|f| f.actor = Actor::system(&x(n)))),
    ("bytes in its change", MAX_CHANGE_BYTES, |n| fact(|f| f.change = Some(ChangeId(x(n))))),
    ("facts", MAX_FACTS, |n| (vec![new_fact(1); n], Vec::new())),
    ("effects", MAX_EFFECTS, |n| (Vec::new(), (0..n).map(|n| new_effect(&n.to_string())).collect())),
    ("bytes in its key", MAX_KEY_BYTES, |n| (Vec::new(), vec![new_effect(&x(n))])),
    ("bytes in its payload", MAX_PAYLOAD_BYTES, |n| {
        (Vec::new(), vec![NewEffect { payload: json!(x(n - 2)), ..new_effect("k") }])
    }),
];

pub(super) fn refused(subject: &mut dyn Subject) {
    let ledger = subject.ledger();
    for (what, limit, sized) in LIMITS {
        let (facts, effects) = sized(limit + 1);
        let refused = ledger.append(facts, effects, None).unwrap_err();
        let LedgerError::TooLarge(said) = &refused else { panic!("{what}: {refused:?}") };
        assert!(said.ends_with(&format!("has {} {what}; the limit is {limit}", limit + 1)), "{said}");
    }
    // One that is too large takes the others of its append with it.
    let (mut facts, _) = (LIMITS[2].2)(MAX_REASON_BYTES + 1);
    facts.insert(0, new_fact(1));
    let refused = ledger.append(facts, Vec::new(), None).unwrap_err();
    assert!(refused.to_string().starts_with("fact 2 has 4097 bytes in its reason"), "{refused}");
    assert_eq!((ledger.head(), ledger.outbox().unwrap().pending), (FactSeq(0), 0));
    let name = x(MAX_NAME_BYTES + 1);
    let snapshot = Snapshot { chapter: name, version: 1, seq: FactSeq(0), state: Vec::new() };
    assert!(matches!(ledger.save_snapshot(&snapshot), Err(LedgerError::TooLarge(_))));
}

pub(super) fn taken(subject: &mut dyn Subject) {
    let ledger = subject.ledger();
    let mut expected = 0;
    for (what, limit, sized) in LIMITS {
        let (facts, effects) = sized(limit);
        expected += facts.len() as u64;
        ledger.append(facts, effects, None).unwrap_or_else(|error| panic!("{what}: {error}"));
    }
    assert_eq!(ledger.head(), FactSeq(expected));
    assert!(ledger.verify().unwrap().is_sound());
    // A delivery's error is cut, not refused, and never within a character.
    append_each(ledger, 1..=1);
    let leased = ledger.lease("webhook", 1, at(0), at(1)).unwrap();
    let error = format!("x{}", "é".repeat(MAX_ERROR_BYTES));
    assert!(ledger.settle(&leased[0], Settled::Dead { error }).unwrap());
    assert_eq!(ledger.dead_letters(1).unwrap()[0].error.len(), MAX_ERROR_BYTES - 1);
}

fn fact(change: impl FnOnce(&mut NewFact)) -> (Vec<NewFact>, Vec<NewEffect>) {
    let mut fact = new_fact(1);
    change(&mut fact);
    (vec![fact], Vec::new())
}

fn x(len: usize) -> String {
    "x".repeat(len)
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!(1), |inner, _| json!([inner]))
}
