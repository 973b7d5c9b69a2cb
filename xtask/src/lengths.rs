//! The length ratchet: files and functions stay under a limit; what is over it is listed and may only shrink.

use std::collections::BTreeMap;

use crate::finding::Finding;
use crate::source::Source;
use crate::tokens;

/// Where the exceptions are.
pub const RATCHET: &str = "xtask/ratchet.txt";

/// Lines a file, and lines of code a function's body, may have.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Lines of a file.
    pub file: usize,
    /// Lines of a function's body without blank lines and comments.
    pub function: usize,
}

/// Everything longer than its limit: `file PATH` or `fn PATH NAME`, and the length.
pub type Long = BTreeMap<String, usize>;

/// Measures the sources.
pub fn measure(sources: &[Source], limits: Limits) -> Long {
    let mut long = Long::new();
    for source in sources.iter().filter(|source| is_measured(source)) {
        let lines = source.text.lines().count();
        if lines > limits.file {
            long.insert(format!("file {}", source.path), lines);
        }
        let Some(read) = source.is_rust().then(|| tokens::read(&source.text)).and_then(Result::ok) else {
            continue;
        };
        for function in read.functions {
            let inner = source
                .text
                .lines()
                .skip(function.opens)
                .take((function.closes - 1).saturating_sub(function.opens));
            let code =
                inner.map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count();
            if code > limits.function {
                long.insert(format!("fn {} {}", source.path, function.name), code);
            }
        }
    }
    long
}

fn is_measured(source: &Source) -> bool {
    let code = [".rs", ".js", ".css", ".html", ".py", ".sh"].iter().any(|end| source.path.ends_with(end));
    code && !source.is_vendored()
}

/// Reads the ratchet file.
pub fn parse(text: &str) -> Result<Long, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (what, lines) =
                line.rsplit_once(' ').ok_or_else(|| format!("{RATCHET}: `{line}` has no length"))?;
            let lines = lines.parse().map_err(|_| format!("{RATCHET}: `{lines}` is no number of lines"))?;
            Ok((what.to_owned(), lines))
        })
        .collect()
}

/// Holds what is long against what may be.
pub fn compare(long: &Long, allowed: &Long) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (what, lines) in long {
        let path = what.split(' ').nth(1).unwrap_or(RATCHET);
        match allowed.get(what) {
            Some(allowed) if lines <= allowed => {}
            Some(allowed) => {
                findings.push(Finding::file(
                    path,
                    format!("`{what}` grew from {allowed} to {lines} lines; split it"),
                ));
            }
            None => findings
                .push(Finding::file(path, format!("`{what}` has {lines} lines; split it by what it does"))),
        }
    }
    for what in allowed.keys().filter(|what| !long.contains_key(*what)) {
        findings.push(Finding::file(
            RATCHET,
            format!("`{what}` is short enough now; run `cargo xtask tidy --tighten`"),
        ));
    }
    findings
}

/// The ratchet file with each exception lowered to what it is now, keeping the comments.
pub fn tighten(text: &str, long: &Long) -> Result<String, String> {
    let mut kept: Vec<String> =
        text.lines().filter(|line| line.starts_with('#')).map(str::to_owned).collect();
    for (what, allowed) in parse(text)? {
        if let Some(lines) = long.get(&what) {
            kept.push(format!("{what} {}", allowed.min(*lines)));
        }
    }
    Ok(kept.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { file: 10, function: 3 };

    fn source(path: &str, text: String) -> Source {
        Source { path: path.to_owned(), text }
    }

    #[test]
    fn long_files_and_functions_are_measured_without_blanks_and_comments() {
        let body = "fn f() {\n    a();\n\n    // why\n    b();\n    c();\n}\n".to_owned();
        assert_eq!(measure(&[source("a.rs", body.clone())], LIMITS), Long::new());
        let longer = body.replace("c();", "c();\n    d();");
        let long = measure(&[source("a.rs", longer), source("b.js", "x\n".repeat(11))], LIMITS);
        let expect = [("file b.js".to_owned(), 11), ("fn a.rs f".to_owned(), 4)];
        assert_eq!(long, Long::from(expect));
        let vendored = source("web/vendor/b.js", "x\n".repeat(11));
        assert_eq!(measure(&[vendored], LIMITS), Long::new());
    }

    #[test]
    fn exceptions_may_shrink_and_never_grow() {
        let long = Long::from([("file a.rs".to_owned(), 700)]);
        let allow = |lines| Long::from([("file a.rs".to_owned(), lines)]);
        assert_eq!(compare(&long, &allow(700)), []);
        assert_eq!(compare(&long, &allow(800)), []);
        assert_eq!(compare(&long, &allow(699)).len(), 1);
        assert_eq!(compare(&long, &Long::new()).len(), 1);
        assert_eq!(compare(&Long::new(), &allow(700)).len(), 1);
    }

    #[test]
    fn tightening_keeps_comments_and_lowers() {
        let text = "# why\nfile a.rs 900\nfile b.rs 650\n";
        let long = Long::from([("file a.rs".to_owned(), 700)]);
        assert_eq!(tighten(text, &long).unwrap(), "# why\nfile a.rs 700\n");
    }
}
