//! Rules for Rust files: bans on paths, names of items, `unsafe`, reasons, the page at the top.

use super::Rules;
use crate::finding::Finding;
use crate::source::Source;
use crate::tokens::{self, Read};

/// Checks one Rust file.
pub fn check(rules: &Rules, source: &Source) -> Vec<Finding> {
    let read = match tokens::read(&source.text) {
        Ok(read) => read,
        Err(error) => return vec![Finding::file(source.path.clone(), error)],
    };
    let mut findings = bans(rules, source, &read);
    for item in &read.items {
        if let Some(word) = rules.banned_word(&item.name) {
            let what = format!("`{}`: `{word}` as a name says nothing; {}", item.name, rules.names.instead);
            findings.push(Finding::at(source.path.clone(), item.line, what));
        }
    }
    for (attribute, line) in &read.attributes {
        if (attribute.starts_with("allow") || attribute.starts_with("expect"))
            && !attribute.contains("reason")
        {
            let what = "an exception without its reason; add `reason = \"…\"`";
            findings.push(Finding::at(source.path.clone(), *line, what));
        }
    }
    findings.extend(unsafe_words(rules, source, &read));
    // A file of tests says what it tests in the names of its tests.
    if !source.text.starts_with("//!") && !source.path.ends_with("/tests.rs") {
        let what = "does not begin with `//!`: what it is, what it is not, what holds";
        findings.push(Finding::file(source.path.clone(), what));
    }
    findings
}

fn bans(rules: &Rules, source: &Source, read: &Read) -> Vec<Finding> {
    let mut findings = Vec::new();
    for ban in rules.ban.iter().filter(|ban| !ban.spares(&source.path)) {
        for named in read.paths.iter().chain(&read.test_paths).filter(|named| ban.matches(&named.words)) {
            let what = format!("names `{}`; {}", ban.path, ban.instead);
            findings.push(Finding::at(source.path.clone(), named.line, what));
        }
    }
    findings
}

fn unsafe_words(rules: &Rules, source: &Source, read: &Read) -> Vec<Finding> {
    let listed = rules.unsafe_files.files.contains(&source.path);
    let lines: Vec<&str> = source.text.lines().collect();
    let mut findings = Vec::new();
    let words = read.paths.iter().chain(&read.test_paths).filter(|named| named.words == ["unsafe"]);
    for named in words {
        if !listed {
            let what = "`unsafe` in a file that xtask/tidy.toml does not list; find a safe way";
            findings.push(Finding::at(source.path.clone(), named.line, what));
        }
        let above = lines.get(named.line.saturating_sub(6)..named.line).unwrap_or_default();
        if !above.iter().any(|line| line.contains("SAFETY:")) {
            let what = "`unsafe` without a `// SAFETY:` comment that proves it";
            findings.push(Finding::at(source.path.clone(), named.line, what));
        }
    }
    findings
}
