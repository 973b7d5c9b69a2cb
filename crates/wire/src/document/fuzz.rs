//! What must hold for any input: the entry for fuzzers and property tests.

use super::{Document, parse, to_yaml};

/// Reads `input` as a text. Whatever it is, nothing panics; findings name a place inside of the text; what is accepted
/// is written and read back as the same value.
///
/// # Panics
/// One of these does not hold.
pub fn fuzz_one(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let lines = text.split('\n').count() + text.matches('\r').count();
    match parse("fuzz", text) {
        Ok(documents) => documents.iter().for_each(reads_back),
        Err(problems) => {
            assert!(!problems.is_empty(), "refused without saying why");
            for at in problems.iter().filter_map(|problem| problem.at.as_ref()) {
                assert!(at.line >= 1 && at.column >= 1, "positions count from 1: {at:?}");
                assert!(
                    usize::try_from(at.line).is_ok_and(|line| line <= lines + 1),
                    "beyond the text: {at:?}"
                );
            }
        }
    }
}

fn reads_back(document: &Document) {
    let written = to_yaml(document.value());
    let again = parse("written", &written);
    let value = again.ok().and_then(|documents| documents.into_iter().next()).map(Document::into_value);
    // An empty text is what `null` alone would be read as.
    assert_eq!(value.as_ref(), Some(document.value()), "written as:\n{written}");
}
