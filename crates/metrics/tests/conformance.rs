//! The public PromQL suite against the engine over a table in memory. Fewer passes than recorded in `conformance.txt`
//! fail; more should be recorded. The scripts are not part of this repository.

#![allow(clippy::unwrap_used, reason = "a test's own files")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use metrics::conformance::{Report, Table, run, suite_options};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/promql")
}

/// Passes per file that must not be lost.
fn recorded() -> BTreeMap<String, usize> {
    let text = include_str!("conformance.txt");
    text.lines()
        .filter(|l| !l.starts_with('#') && !l.trim().is_empty())
        .map(|l| {
            let (name, passed) = l.split_once(char::is_whitespace).unwrap();
            (name.to_owned(), passed.trim().parse().unwrap())
        })
        .collect()
}

fn scripts() -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder()) else { return Vec::new() };
    let mut found: Vec<_> =
        entries.map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "test")).collect();
    found.sort();
    found
}

fn print(name: &str, report: &Report) {
    println!(
        "{name}: {} passed, {} failed, {} skipped",
        report.passed,
        report.failed.len(),
        report.skipped.len()
    );
    for (what, list) in [("FAIL", &report.failed), ("SKIP", &report.skipped)] {
        for finding in list {
            println!("  {what} {name}:{} {}\n       {}", finding.line, finding.text, finding.reason);
        }
    }
}

#[test]
fn the_public_suite_passes_as_far_as_recorded() {
    let scripts = scripts();
    if scripts.is_empty() {
        println!("SKIPPED: no PromQL scripts in {}", folder().display());
        return;
    }
    let recorded = recorded();
    let mut lost = Vec::new();
    let (mut passed, mut total) = (0, 0);
    for path in scripts {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let report = run(&std::fs::read_to_string(&path).unwrap(), &mut Table::new(), &suite_options());
        print(&name, &report);
        passed += report.passed;
        total += report.passed + report.failed.len() + report.skipped.len();
        let least = recorded.get(&name).copied().unwrap_or(0);
        if report.passed < least {
            lost.push(format!("{name}: {} passed, {least} recorded", report.passed));
        }
    }
    println!("{passed} of {total} evals passed");
    assert!(lost.is_empty(), "{lost:#?}");
}

/// The project's own scripts pass in full, with names dropped late and at once.
#[test]
fn our_own_scripts_pass() {
    let mut failed = Vec::new();
    for (name, script) in [
        ("at_and_offset", include_str!("cases/at_and_offset.txt")),
        ("subqueries", include_str!("cases/subqueries.txt")),
        ("names", include_str!("cases/names.txt")),
        ("selectors", include_str!("cases/selectors.txt")),
    ] {
        let report = run(script, &mut Table::new(), &suite_options());
        print(name, &report);
        assert!(report.passed > 0, "{name} ran");
        failed.extend(
            report
                .failed
                .into_iter()
                .chain(report.skipped)
                .map(|f| format!("{name}:{} {}: {}", f.line, f.text, f.reason)),
        );
    }
    assert!(failed.is_empty(), "{failed:#?}");
}
