//! What must hold for any input: the entry for fuzzers and property tests.

use super::{Family, Format, encode, parse};

/// Reads `input` in both formats. Whatever it is, nothing panics; a mistake has a place; what is accepted is written
/// and read back as the same families.
///
/// # Panics
/// One of these does not hold.
pub fn fuzz_one(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    for format in [Format::Text, Format::OpenMetrics] {
        match parse(text, format) {
            Ok(families) => reads_back(&families, format),
            Err(problem) => {
                let at = problem.at.as_ref();
                assert!(at.is_some_and(|at| at.line >= 1 && at.column >= 1), "no place: {problem:?}");
            }
        }
    }
}

/// Once written, an exposition is in normal form; from then on writing and reading change nothing.
fn reads_back(families: &[Family], format: Format) {
    let written = encode(families, format);
    let again = parse(&written, format);
    assert!(again.is_ok(), "refused what was written: {again:?}\n{written}");
    let settled = encode(&again.unwrap_or_default(), format);
    assert!(settled == written, "written twice, not the same:\n{written}\n{settled}");
}
