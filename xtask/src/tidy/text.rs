//! Rules for any text file.

use super::{Rules, TextBan};
use crate::finding::Finding;
use crate::source::Source;

/// Banned words, tabs, trailing blanks and the last newline.
pub fn check(rules: &Rules, source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let find = |line: usize, what: &str| Finding::at(source.path.clone(), line, what);
    // The lists of what is banned name it, and so do the tests of the checks.
    let names_bans = source.path.starts_with("xtask/");
    for (number, line) in (1..).zip(source.text.lines()) {
        if line.contains('\t') && tabs_matter(&source.path) {
            findings.push(find(number, "has a tab; indent with spaces"));
        }
        if line.ends_with([' ', '\t', '\r']) && !source.path.ends_with(".md") {
            findings.push(find(number, "has blanks at its end; take them out"));
        }
        if names_bans {
            continue;
        }
        for ban in rules.text.iter().filter(|ban| ban.hits(&source.path, line)) {
            findings.push(find(number, &format!("holds `{}`; {}", ban.pattern, ban.instead)));
        }
    }
    if !source.text.is_empty() && !source.text.ends_with('\n') {
        findings.push(find(0, "does not end with a newline; add one"));
    }
    findings
}

fn tabs_matter(path: &str) -> bool {
    // Exact output of other programs, and tab-separated recordings, may hold tabs.
    !(path.starts_with("tests/cases/") || path.contains("/testdata/") || path.contains("/fixtures/"))
}

impl TextBan {
    fn hits(&self, path: &str, line: &str) -> bool {
        if self.except.iter().any(|prefix| path.starts_with(prefix.as_str())) {
            return false;
        }
        line.match_indices(&self.pattern).any(|(at, found)| {
            let before = line.get(..at).and_then(|text| text.chars().next_back());
            let after = line.get(at + found.len()..).and_then(|text| text.chars().next());
            let joins = |next: Option<char>| next.is_some_and(|next| next.is_alphanumeric() || next == '_');
            !self.word || (!joins(before) && !joins(after))
        })
    }
}
