//! Facts: appending, reading, searching, watching, snapshots, verification.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kernel::{ChangeId, FactSeq};
use ledger::{FactFilter, FactRecord, LedgerError, LedgerStats, NewFact, Snapshot, canonical};

use super::{Subject, append_each, at, new_effect, new_fact};
use crate::Random;

pub(super) fn numbered_chained_and_read_back(subject: &mut dyn Subject) {
    let ledger = subject.ledger();
    assert_eq!((ledger.head(), ledger.tip().hash), (FactSeq(0), "0".repeat(64)));
    assert_eq!(ledger.read(FactSeq(0), 10, None).unwrap(), []);
    let first = ledger.append((1..=3).map(new_fact).collect(), Vec::new(), None).unwrap().facts;
    let second = ledger.append(vec![new_fact(4)], Vec::new(), Some(FactSeq(3))).unwrap().facts;
    let all = [first, second].concat();
    assert_eq!(ledger.read(FactSeq(0), 10, None).unwrap(), all);
    assert_eq!(ledger.read(FactSeq(1), 2, None).unwrap(), all[1..3]);
    assert_eq!(ledger.read(FactSeq(4), 10, None).unwrap(), []);
    assert_eq!(ledger.read(FactSeq(0), 10, Some("security")).unwrap(), [all[0].clone(), all[3].clone()]);
    assert_eq!(ledger.fact(FactSeq(2)).unwrap().as_ref(), Some(&all[1]));
    assert_eq!(ledger.fact(FactSeq(5)).unwrap(), None);
    let mut previous = hex::encode(canonical::NO_FACT);
    for (index, fact) in all.iter().enumerate() {
        let n = index as u64 + 1;
        assert_eq!((fact.seq, &fact.previous), (FactSeq(n), &previous));
        same(fact, &new_fact(n));
        previous.clone_from(&fact.hash);
    }
    assert_eq!((ledger.head(), ledger.tip().hash), (FactSeq(4), previous));
    // Nothing to append is no fact, and fine.
    assert_eq!(ledger.append(Vec::new(), Vec::new(), None).unwrap().facts, []);
    assert_eq!(ledger.head(), FactSeq(4));
}

pub(super) fn everything_is_there_after_a_restart(subject: &mut dyn Subject) {
    let ledger = subject.ledger();
    ledger.append((1..=20).map(new_fact).collect(), vec![new_effect("a"), new_effect("b")], None).unwrap();
    let (facts, tip) = (ledger.read(FactSeq(0), 100, None).unwrap(), ledger.tip());
    subject.restart();
    let ledger = subject.ledger();
    assert_eq!((ledger.read(FactSeq(0), 100, None).unwrap(), ledger.tip()), (facts, tip));
    assert_eq!(ledger.outbox().unwrap().pending, 2);
    let next = ledger.append(vec![new_fact(21)], Vec::new(), Some(FactSeq(20))).unwrap().facts;
    assert_eq!(next[0].seq, FactSeq(21));
    assert!(ledger.verify().unwrap().is_sound());
}

pub(super) fn moved_on(subject: &mut dyn Subject) {
    let ledger = subject.ledger();
    append_each(ledger, 1..=2);
    for expected in [0, 1, 3] {
        let refused =
            ledger.append(vec![new_fact(3)], vec![new_effect("k")], Some(FactSeq(expected))).unwrap_err();
        assert_eq!(refused, LedgerError::Moved { expected: FactSeq(expected), actual: FactSeq(2) });
    }
    assert_eq!((ledger.head(), ledger.outbox().unwrap().pending), (FactSeq(2), 0));
}

pub(super) fn many_threads(subject: &mut dyn Subject) {
    const THREADS: u64 = 8;
    const EACH: u64 = 25;
    let ledger = subject.ledger();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || append_each(ledger, thread * EACH + 1..=(thread + 1) * EACH));
        }
        // Who reads meanwhile sees a ledger without gaps that only grows.
        scope.spawn(move || {
            let mut seen = Vec::new();
            while (seen.len() as u64) < THREADS * EACH {
                let after = FactSeq(seen.len() as u64);
                ledger.wait_beyond(after, Duration::from_secs(60));
                let more = ledger.read(after, 7, None).unwrap();
                assert!(more.iter().map(|fact| fact.seq.0).eq(after.0 + 1..=after.0 + more.len() as u64));
                seen.extend(more);
            }
        });
    });
    let facts = ledger.read(FactSeq(0), 1_000, None).unwrap();
    assert_eq!(facts.len() as u64, THREADS * EACH);
    for thread in 0..THREADS {
        let own =
            facts.iter().filter_map(|fact| fact.payload["n"].as_u64()).filter(|n| (n - 1) / EACH == thread);
        assert!(own.eq(thread * EACH + 1..=(thread + 1) * EACH), "each thread's facts stand in its order");
    }
    assert!(ledger.verify().unwrap().is_sound());
}

pub(super) fn searches_agree_with_a_plain_look(subject: &mut dyn Subject) {
    let ledger = subject.ledger();
    append_each(ledger, 1..=60);
    let all = ledger.read(FactSeq(0), 100, None).unwrap();
    let mut random = Random::new(11);
    let mut found = 0;
    for _ in 0..400 {
        let filter = random_filter(&mut random);
        let mut expected: Vec<&FactRecord> = all.iter().filter(|fact| wanted(&filter, fact)).collect();
        if filter.descending {
            expected.reverse();
        }
        expected.truncate(filter.limit);
        let actual = ledger.query(&filter).unwrap();
        assert_eq!(actual.iter().collect::<Vec<_>>(), expected, "{filter:?}");
        found += actual.len();
    }
    assert!(found > 500, "the searches were too narrow to mean anything: {found}");
}

fn random_filter(random: &mut Random) -> FactFilter {
    let texts = ["TICKET", "100 % \"", "%", "_", "é", "\"n\":7", "f_2", "no such thing", "\\"];
    let actors = ["user:ada:1", "ada:1", "system:reconciler/flags", "reconciler/flags", "user:nobody"];
    let mut filter = FactFilter { limit: random.index(70), ..FactFilter::default() };
    let mut one_in = |n: u64| random.below(n) == 0;
    let which: [bool; 10] = std::array::from_fn(|_| one_in(5));
    filter.descending = which[0];
    filter.after = FactSeq(if which[1] { random.below(60) } else { 0 });
    filter.before = which[2].then(|| FactSeq(random.below(70)));
    filter.since = which[3].then(|| at(random.below(30)));
    filter.until = which[4].then(|| at(random.below(35)));
    filter.chapter = which[5].then(|| random.pick(&["flags", "security", "none"]).unwrap().to_string());
    filter.kind = which[6].then(|| "set".to_owned());
    filter.subject = which[7].then(|| format!("Flag/f_{}", random.below(6)));
    filter.actor = which[8].then(|| random.pick(&actors).unwrap().to_string());
    filter.change = which[9].then(|| ChangeId(format!("chg-{}", random.below(7))));
    filter.text = random.chance(0.25).then(|| random.pick(&texts).unwrap().to_string());
    filter
}

fn wanted(filter: &FactFilter, fact: &FactRecord) -> bool {
    let is = |wanted: &Option<String>, actual: &str| wanted.as_ref().is_none_or(|wanted| wanted == actual);
    let texts = [fact.subject.clone(), fact.reason.clone(), canonical::json(&fact.payload)];
    let text = filter.text.as_ref().map(|text| text.to_lowercase());
    fact.seq > filter.after
        && filter.before.is_none_or(|before| fact.seq < before)
        && filter.since.is_none_or(|since| fact.time >= since)
        && filter.until.is_none_or(|until| fact.time < until)
        && is(&filter.chapter, &fact.chapter)
        && is(&filter.kind, &fact.kind)
        && is(&filter.subject, &fact.subject)
        && (is(&filter.actor, &fact.actor.to_string()) || is(&filter.actor, &fact.actor.name))
        && filter.change.as_ref().is_none_or(|change| fact.change.as_ref() == Some(change))
        && text.is_none_or(|text| texts.iter().any(|whole| whole.to_lowercase().contains(&text)))
}

pub(super) fn watchers_wake(subject: &mut dyn Subject) {
    let ledger = subject.ledger();
    let seen = Arc::new(AtomicU64::new(0));
    let watcher = Arc::clone(&seen);
    ledger.on_append(Box::new(move |seq| {
        let before = watcher.swap(seq.0, Ordering::SeqCst);
        assert!(before < seq.0, "watchers are told in order");
    }));
    assert_eq!(ledger.wait_beyond(FactSeq(0), Duration::ZERO), FactSeq(0), "nothing comes");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| ledger.wait_beyond(FactSeq(2), Duration::from_secs(60)));
        append_each(ledger, 1..=3);
        assert_eq!(waiting.join().unwrap(), FactSeq(3));
    });
    assert_eq!(
        ledger.wait_beyond(FactSeq(1), Duration::ZERO),
        FactSeq(3),
        "what is there already is no wait"
    );
    // The watcher is called after the caller is answered: the next append is behind it.
    append_each(ledger, 4..=4);
    append_each(ledger, 5..=5);
    assert!(seen.load(Ordering::SeqCst) >= 4);
}

pub(super) fn snapshots(subject: &mut dyn Subject) {
    let ledger = subject.ledger();
    append_each(ledger, 1..=9);
    assert_eq!(ledger.snapshot("flags").unwrap(), None);
    let snapshot = |seq, state: &[u8]| Snapshot {
        chapter: "flags".to_owned(),
        version: 2,
        seq: FactSeq(seq),
        state: state.to_owned(),
    };
    ledger.save_snapshot(&snapshot(4, b"four")).unwrap();
    ledger.save_snapshot(&snapshot(9, &[0; 100_000])).unwrap();
    let other = Snapshot { chapter: "security".to_owned(), ..snapshot(1, b"") };
    ledger.save_snapshot(&other).unwrap();
    subject.restart();
    let ledger = subject.ledger();
    assert_eq!(ledger.snapshot("flags").unwrap(), Some(snapshot(9, &[0; 100_000])));
    assert_eq!(ledger.snapshot("security").unwrap(), Some(other));
    ledger.save_snapshot(&snapshot(10, b"of a fact that is not there")).unwrap();
    assert_eq!(ledger.snapshot("flags").unwrap(), None, "a snapshot from beyond the head is no snapshot");
}

pub(super) fn verifies(subject: &mut dyn Subject) {
    let ledger = subject.ledger();
    let found = ledger.verify().unwrap();
    assert!(found.is_sound() && found.facts == 0 && found.tip == ledger.tip(), "{found:?}");
    append_each(ledger, 1..=30);
    let mut told = Vec::new();
    let found = ledger.verify_with(&mut |progress| told.push(progress.checked)).unwrap();
    assert!(found.is_sound() && found.facts == 30 && found.tip == ledger.tip(), "{found:?}");
    assert_eq!(told.last(), Some(&30));
}

pub(super) fn figures(subject: &mut dyn Subject) {
    let ledger = subject.ledger();
    ledger.append((1..=7).map(new_fact).collect(), vec![new_effect("k")], None).unwrap();
    append_each(ledger, 8..=8);
    ledger.append(vec![new_fact(9)], Vec::new(), Some(FactSeq(0))).unwrap_err();
    let stats: LedgerStats = ledger.stats().unwrap();
    assert_eq!((stats.head, stats.facts, stats.commits, stats.failures), (FactSeq(8), 8, 2, 1));
    assert_eq!(stats.batch_sizes, [1, 0, 0, 1, 0, 0, 0, 0, 0], "one batch of 1, one of up to 10");
    assert_eq!((stats.outbox.pending, stats.outbox.dead), (1, 0));
    assert!(stats.bytes > 1_000 && stats.commit_seconds > 0.0);
    assert!(stats.commit_seconds_max <= stats.commit_seconds);
}

pub(super) fn full_disk(subject: &mut dyn Subject) {
    append_each(subject.ledger(), 1..=5);
    subject.fill_disk();
    let ledger = subject.ledger();
    let big = |n| NewFact { payload: serde_json::json!({ "x": "y".repeat(200_000) }), ..new_fact(n) };
    let mut head = ledger.head();
    // A few may still fit; then it is full and says so.
    let refused = loop {
        match ledger.append(vec![big(6), new_fact(7)], vec![new_effect("k")], None) {
            Ok(appended) => head = appended.facts[1].seq,
            Err(error) => break error,
        }
        assert!(head < FactSeq(1_000), "the disk never fills");
    };
    assert!(matches!(refused, LedgerError::Full(_)), "{refused:?}");
    assert_eq!(ledger.head(), head, "nothing was written");
    assert_eq!(ledger.read(FactSeq(0), 2_000, None).unwrap().len() as u64, head.0, "and reading goes on");
    let again = ledger.append(vec![big(8)], Vec::new(), None).unwrap_err();
    assert!(matches!(again, LedgerError::Full(_)), "{again:?}");
    subject.free_disk();
    let ledger = subject.ledger();
    let appended = ledger.append(vec![big(9)], Vec::new(), Some(head)).unwrap();
    assert_eq!(appended.facts[0].seq.0, head.0 + 1, "it goes on by itself, without a gap");
    assert!(ledger.verify().unwrap().is_sound());
}

fn same(record: &FactRecord, fact: &NewFact) {
    let back = NewFact {
        time: record.time,
        actor: record.actor.clone(),
        reason: record.reason.clone(),
        change: record.change.clone(),
        chapter: record.chapter.clone(),
        kind: record.kind.clone(),
        version: record.version,
        subject: record.subject.clone(),
        payload: record.payload.clone(),
    };
    assert_eq!(&back, fact);
}
