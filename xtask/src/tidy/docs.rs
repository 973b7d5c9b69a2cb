//! Rules for Markdown: every page of docs/ can be reached by links, and no link is dead.

use std::collections::BTreeSet;

use crate::finding::Finding;
use crate::source::Source;
use crate::workspace::root;

/// Pages from which a reader starts.
const ENTRANCES: [&str; 4] = ["README.md", "ARCHITECTURE.md", "docs/README.md", "docs/index.md"];

/// Unreachable pages and dead links.
pub fn check(sources: &[Source]) -> Vec<Finding> {
    let paths: BTreeSet<&str> = sources.iter().map(|source| source.path.as_str()).collect();
    let pages: Vec<&Source> = sources.iter().filter(|source| source.path.ends_with(".md")).collect();
    let mut findings = Vec::new();
    let mut reached: BTreeSet<String> = ENTRANCES.iter().map(|page| (*page).to_owned()).collect();
    let mut waiting: Vec<String> = reached.iter().cloned().collect();
    while let Some(path) = waiting.pop() {
        let Some(page) = pages.iter().find(|page| page.path == path) else { continue };
        for (line, link) in links(&page.text) {
            let Some(there) = resolve(&path, &link) else { continue };
            let is_folder = paths.iter().any(|path| path.starts_with(&format!("{there}/")));
            // Pictures are no text, so they are not among the sources.
            if !paths.contains(there.as_str()) && !is_folder && !root().join(&there).is_file() {
                findings.push(Finding::at(
                    path.clone(),
                    line,
                    format!("links to `{link}`, which is not there"),
                ));
            } else if reached.insert(there.clone()) {
                waiting.push(there);
            }
        }
    }
    for page in pages.iter().filter(|page| page.path.starts_with("docs/") && !reached.contains(&page.path)) {
        let what = "no page links to it; link it from docs/README.md or the page of its chapter";
        findings.push(Finding::file(page.path.clone(), what));
    }
    findings
}

/// Targets of inline links and images, with their lines; fenced blocks are no prose.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        for (at, _) in line.match_indices("](") {
            let rest = line.get(at + 2..).unwrap_or_default();
            if let Some(end) = rest.find(')') {
                found.push((number, rest.get(..end).unwrap_or_default().to_owned()));
            }
        }
    }
    found
}

/// The path from the root that a relative link of `from` means; none for links out of the project and into the page.
fn resolve(from: &str, link: &str) -> Option<String> {
    let path = link.split(['#', ' ']).next().unwrap_or_default();
    if path.is_empty() || path.contains("://") || path.starts_with("mailto:") || path.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn orphans_and_dead_links_are_found() {
        let sources = [
            page("README.md", "See [docs](docs/README.md) and [the web](https://example.org/x)."),
            page(
                "docs/README.md",
                "[flags](flags.md) [why](adr/0001.md#context) [gone](gone.md)\n```\n[no](no.md)\n```\n",
            ),
            page("docs/flags.md", "[up](../README.md)"),
            page("docs/adr/0001.md", "# Why"),
            page("docs/orphan.md", "# Nobody"),
        ];
        let found: Vec<String> = check(&sources).iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().any(|line| line.contains("docs/README.md:1: links to `gone.md`")), "{found:?}");
        assert!(found.iter().any(|line| line.starts_with("docs/orphan.md")), "{found:?}");
    }
}
