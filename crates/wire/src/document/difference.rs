//! What changed between two texts, as people read it in a review.

use std::time::Duration;

use similar::TextDiff;

/// Lines of context around each change.
const CONTEXT: usize = 3;

/// Longest time spent on the smallest difference; after it, a larger but equally true one is given.
const PATIENCE: Duration = Duration::from_millis(500);

/// A unified diff from `old` to `new`, without file headers; empty when they are equal.
pub fn diff(old: &str, new: &str) -> String {
    if old == new {
        return String::new();
    }
    TextDiff::configure()
        .timeout(PATIENCE)
        .diff_lines(old, new)
        .unified_diff()
        .context_radius(CONTEXT)
        .to_string()
}
