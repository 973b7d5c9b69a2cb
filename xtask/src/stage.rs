//! What the stages of `cargo xtask test` count, and the table at the end.

use std::time::Duration;

use crate::process::Ran;

/// What one stage counted. A check without cases counts as one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// What held.
    pub passed: usize,
    /// What did not.
    pub failed: usize,
    /// What could not be tried or is known to be out of scope.
    pub skipped: usize,
    /// Why, where a real part is missing.
    pub reasons: Vec<String>,
}

/// One line of the closing table.
#[derive(Debug)]
pub struct Row {
    /// The stage.
    pub name: &'static str,
    /// How long it took.
    pub took: Duration,
    /// What it counted.
    pub tally: Tally,
}

// === impl Tally ===

impl Tally {
    /// One check that held.
    pub fn passed() -> Self {
        Self { passed: 1, ..Self::default() }
    }

    /// One check that did not.
    pub fn failed() -> Self {
        Self { failed: 1, ..Self::default() }
    }

    /// One check that could not be tried.
    pub fn skipped(reason: impl Into<String>) -> Self {
        Self { skipped: 1, reasons: vec![reason.into()], ..Self::default() }
    }

    /// One check, by its result; a refusal is shown.
    pub fn of(result: Result<(), String>) -> Self {
        match result {
            Ok(()) => Self::passed(),
            Err(message) => {
                eprintln!("{message}");
                Self::failed()
            }
        }
    }

    /// One program that is a check as a whole.
    pub fn of_program(ran: Result<Ran, String>) -> Self {
        Self::of(ran.and_then(|ran| if ran.succeeded { Ok(()) } else { Err("it failed".to_owned()) }))
    }

    /// What a test runner said: nextest's `Summary` line, cargo test's `test result:` lines, or our own closing line.
    /// A runner that failed without a count, as when nothing compiles, counts as one failure.
    pub fn of_runner(ran: Result<Ran, String>) -> Self {
        let ran = match ran {
            Ok(ran) => ran,
            Err(message) => return Self::of(Err(message)),
        };
        let mut tally = Self::default();
        let nextest = ran.lines.iter().rfind(|line| line.trim_start().starts_with("Summary ["));
        let ours = ran.lines.iter().rfind(|line| is_closing_line(line));
        let cargo = ran.lines.iter().filter(|line| line.starts_with("test result:"));
        if let Some(line) = nextest {
            let counts = line.split_once("run:").map_or("", |(_, counts)| counts);
            // What nextest calls skipped was only filtered out.
            (tally.passed, tally.failed) =
                (count(counts, "passed"), count(counts, "failed") + count(counts, "timed out"));
        } else if let Some(line) = ours {
            (tally.passed, tally.failed, tally.skipped) =
                (count(line, "passed"), count(line, "failed"), count(line, "skipped"));
        } else {
            for line in cargo {
                tally.passed += count(line, "passed");
                tally.failed += count(line, "failed");
            }
        }
        if !ran.succeeded && tally.failed == 0 {
            tally.failed = 1;
        }
        tally
    }
}

fn is_closing_line(line: &str) -> bool {
    let words: Vec<&str> = line.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    matches!(words.as_slice(), [_, "passed", _, "failed", _, "skipped"])
}

/// The number that stands before `word`; 0 where there is none.
fn count(text: &str, word: &str) -> usize {
    let Some((before, _)) = text.split_once(word) else { return 0 };
    let digits = before.trim_end().rsplit(|c: char| !c.is_ascii_digit()).next();
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// The closing table; its last line is `N passed, N failed, N skipped`.
pub fn table(rows: &[Row]) -> String {
    let mut text =
        format!("\n{:<14} {:>8} {:>8} {:>8} {:>8}\n", "stage", "seconds", "passed", "failed", "skipped");
    let mut total = Tally::default();
    let mut took = Duration::ZERO;
    for row in rows {
        let Tally { passed, failed, skipped, .. } = row.tally;
        let seconds = row.took.as_secs_f64();
        text += &format!("{:<14} {seconds:>8.1} {passed:>8} {failed:>8} {skipped:>8}\n", row.name);
        total.passed += passed;
        total.failed += failed;
        total.skipped += skipped;
        took += row.took;
    }
    text += &format!("{:<14} {:>8.1}\n", "all", took.as_secs_f64());
    let reasons = rows.iter().flat_map(|row| row.tally.reasons.iter().map(move |reason| (row.name, reason)));
    for (name, reason) in reasons {
        text += &format!("SKIPPED {name}: {reason}\n");
    }
    for row in rows.iter().filter(|row| row.tally.failed > 0) {
        text += &format!("FAILED {}\n", row.name);
    }
    text + &format!("{} passed, {} failed, {} skipped", total.passed, total.failed, total.skipped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(succeeded: bool, output: &str, expect: (usize, usize, usize)) {
        let lines = output.lines().map(str::to_owned).collect();
        let tally = Tally::of_runner(Ok(Ran { succeeded, lines }));
        assert_eq!((tally.passed, tally.failed, tally.skipped), expect, "{output}");
    }

    #[test]
    fn runners_are_understood() {
        check(true, "     Summary [   1.2s] 12 tests run: 12 passed (1 slow), 3 skipped", (12, 0, 0));
        check(
            false,
            "     Summary [   1.2s] 12 tests run: 9 passed, 2 failed, 1 timed out, 3 skipped",
            (9, 3, 0),
        );
        check(
            true,
            "test result: ok. 3 passed; 0 failed; 1 ignored\ntest result: ok. 4 passed; 0 failed;",
            (7, 0, 0),
        );
        check(false, "flags.feature 1 passed\n10 passed, 2 failed, 3 skipped", (10, 2, 3));
        check(false, "error[E0308]: mismatched types", (0, 1, 0));
    }

    #[test]
    fn the_last_line_is_plain() {
        let row = |tally| Row { name: "x", took: Duration::from_secs(1), tally };
        let text = table(&[row(Tally::passed()), row(Tally::failed()), row(Tally::skipped("no browser"))]);
        assert_eq!(text.lines().last(), Some("1 passed, 1 failed, 1 skipped"));
        assert!(text.contains("SKIPPED x: no browser") && text.contains("FAILED x"));
    }
}
