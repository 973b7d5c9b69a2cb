//! Export and import.

use kernel::FactSeq;
use ledger::{ImportError, Ledger, LedgerOptions, SqliteLedger, export};

use super::{Subject, append_each, new_fact};

/// The export of a ledger of thirty facts.
fn exported() -> (Vec<u8>, ledger::Tip) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = SqliteLedger::open(folder.path(), &LedgerOptions::default()).unwrap();
    append_each(&ledger, 1..=30);
    let mut lines = Vec::new();
    assert_eq!(export(&ledger, FactSeq(0), &mut lines).unwrap(), 30);
    (lines, ledger.tip())
}

pub(super) fn round_trip(subject: &mut dyn Subject) {
    let (lines, tip) = exported();
    let ledger = subject.ledger();
    assert_eq!(ledger.import(&mut &lines[..]).unwrap(), tip);
    assert_eq!((ledger.tip(), ledger.head()), (tip, FactSeq(30)));
    let mut again = Vec::new();
    export(ledger, FactSeq(0), &mut again).unwrap();
    assert_eq!(again, lines, "to the byte");
    let mut part = Vec::new();
    assert_eq!(export(ledger, FactSeq(28), &mut part).unwrap(), 2);
    assert!(lines.ends_with(&part));
    assert_eq!(ledger.import(&mut &lines[..]), Err(ImportError::NotEmpty { head: FactSeq(30) }));
    subject.restart();
    let ledger = subject.ledger();
    ledger.append(vec![new_fact(31)], Vec::new(), Some(FactSeq(30))).unwrap();
    assert!(ledger.verify().unwrap().is_sound());
}

pub(super) fn refused(subject: &mut dyn Subject) {
    let (lines, tip) = exported();
    let text = String::from_utf8(lines).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let ledger = subject.ledger();
    let without = |skipped: usize| {
        let kept = lines.iter().enumerate().filter(|(index, _)| *index != skipped);
        kept.map(|(_, line)| *line).collect::<Vec<_>>().join("\n")
    };
    let swap = |line: usize, from: &str, to: &str| {
        let changed = lines[line].replacen(from, to, 1);
        assert_ne!(changed, lines[line]);
        text.replace(lines[line], &changed)
    };
    for (changed, at, what) in [
        (without(0), 1, "it is fact 2; fact 1 must come here"),
        (without(12), 13, "it is fact 14; fact 13 must come here"),
        (swap(4, "\"n\":5", "\"n\":6"), 5, "the hash of fact 5 does not match its content"),
        (swap(29, "\"set\"", "\"unset\""), 30, "the hash of fact 30"),
        (swap(7, "\"hash\":\"", "\"hash\":\"00"), 8, "the hash of fact 8 does not match"),
        (swap(7, "\"previous\":\"", "\"previous\":\"0"), 8, "fact 8 does not follow from the fact before it"),
        (swap(2, "{", "["), 3, "it is not a fact (column "),
        (text.replacen('\n', "\n\n", 1), 2, "it is not a fact"),
        (format!("{text}{}", lines[0]), 31, "it is fact 1; fact 31 must come here"),
    ] {
        match ledger.import(&mut changed.as_bytes()) {
            Err(ImportError::Line { line, what: said }) => {
                assert_eq!(line, at, "{said}");
                assert!(said.starts_with(what), "{said}");
            }
            other => panic!("line {at} ({what}): {other:?}"),
        }
        assert_eq!((ledger.head(), ledger.stats().unwrap().facts), (FactSeq(0), 0), "nothing was taken");
    }
    // Key order and white space are not part of what is hashed.
    let loose = text
        .replace("\"m\":{\"b\":1e+300,\"y\":-1}", "\"m\" : {\t\"y\":-1 , \"b\":10e299}")
        .replace(",\"kind\"", " , \"kind\"");
    assert_ne!(loose.len(), text.len());
    assert!(loose.contains("10e299"), "{}", lines[0]);
    assert_eq!(ledger.import(&mut loose.as_bytes()).unwrap(), tip);
}
