//! The reader of exports against what is not an export: it never falls over, and never takes a history that differs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests say what is wrong by failing"
)]

use std::sync::LazyLock;

use ledger::limits::CheckedFact;
use ledger::{ExportLines, ImportError, LedgerOptions, MAX_LINE_BYTES, SqliteLedger, export};
use proptest::prelude::*;
use simulation::ledger_suite::append_each;

/// An export of twelve facts.
static EXPORT: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let ledger = SqliteLedger::open(folder.path(), &LedgerOptions::default()).unwrap();
    append_each(&ledger, 1..=12);
    let mut lines = Vec::new();
    export(&ledger, kernel::FactSeq(0), &mut lines).unwrap();
    lines
});

proptest! {
    #[test]
    fn no_bytes_make_it_fall_over(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes);
    }

    #[test]
    fn one_changed_byte_is_refused_at_its_line_or_changes_nothing(at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let mut changed = EXPORT.clone();
        let at = at.index(changed.len());
        changed[at] = to;
        let line = 1 + EXPORT[..at].iter().filter(|byte| **byte == b'\n').count() as u64;
        match read(&changed) {
            Ok(facts) => prop_assert_eq!(facts, read(&EXPORT).unwrap()),
            // A line break that was lost or found moves the count by one.
            Err(ImportError::Line { line: said, .. }) => prop_assert!(said == line || said == line + 1, "{} {}", said, line),
            Err(other) => prop_assert!(false, "{}", other),
        }
    }

    #[test]
    fn what_is_cut_off_is_refused_or_is_a_shorter_history(len in any::<prop::sample::Index>()) {
        let whole = read(&EXPORT).unwrap();
        if let Ok(facts) = read(&EXPORT[..len.index(EXPORT.len())]) {
            prop_assert_eq!(&facts[..], &whole[..facts.len()]);
        }
    }
}

#[test]
fn a_line_without_end_is_refused_before_it_fills_the_memory() {
    let mut endless = std::io::BufReader::new(std::io::Read::take(std::io::repeat(b'{'), 1 << 30));
    let refused = ExportLines::new(&mut endless).next().unwrap().unwrap_err();
    let expected = format!("line 1: it is longer than {MAX_LINE_BYTES} bytes");
    assert_eq!(refused.to_string(), expected);
}

fn read(mut bytes: &[u8]) -> Result<Vec<String>, ImportError> {
    let text = |checked: CheckedFact| format!("{checked:?}");
    ExportLines::new(&mut bytes).map(|fact| fact.map(text)).collect()
}
