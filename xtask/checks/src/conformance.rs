//! Finds the files of a public suite and hands them to the chapter that runs them.
//!
//! The suites are data outside the project (`../shared/conformance`); a path given on the command line may lie anywhere.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use flags::conformance::Source;
use kernel::Timestamp;
use metrics::conformance::{Finding, Table, suite_options};

/// Where the suites are when no path is given.
const SUITES: &str = "../../../shared/conformance";

/// Runs `conformance SUITE [PATH…]`.
pub fn run(arguments: &[String]) -> Result<(), String> {
    let (suite, paths) = arguments.split_first().ok_or("give a suite: flags or promql")?;
    let given: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
    match suite.as_str() {
        "flags" => flags_suite(given),
        "promql" => promql_suite(given),
        other => Err(format!("there is no suite `{other}`; there are flags and promql")),
    }
}

fn suites() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(SUITES)
}

fn flags_suite(given: Vec<PathBuf>) -> Result<(), String> {
    let own = suites().join("flags");
    let features = sources(&or(given, &own), "feature")?;
    // A feature's flag files lie in a folder beside its own; a feature from elsewhere uses those of the suite.
    let beside: Vec<PathBuf> = features
        .iter()
        .filter_map(|(path, _)| path.parent()?.parent())
        .map(|folder| folder.join("flags"))
        .filter(|folder| folder.is_dir())
        .collect();
    let mut files = sources(&or(beside, &own), "json")?;
    files.dedup();
    let strip =
        |sources: Vec<(PathBuf, Source)>| sources.into_iter().map(|(_, source)| source).collect::<Vec<_>>();
    let report =
        flags::conformance::run(&strip(features), &strip(files), now()).map_err(|error| error.to_string())?;
    println!("{report}");
    if report.failed() == 0 { Ok(()) } else { Err(format!("{} scenarios failed", report.failed())) }
}

fn promql_suite(given: Vec<PathBuf>) -> Result<(), String> {
    let scripts = sources(&or(given, &suites().join("promql")), "test")?;
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for (_, script) in scripts {
        let report = metrics::conformance::run(&script.text, &mut Table::new(), &suite_options());
        let name = &script.name;
        println!(
            "{name}: {} passed, {} failed, {} skipped",
            report.passed,
            report.failed.len(),
            report.skipped.len()
        );
        for (word, findings) in [("FAILED", &report.failed), ("skipped", &report.skipped)] {
            for Finding { line, text, reason } in findings {
                println!("  {word} {name}:{line} {text}: {reason}");
            }
        }
        passed += report.passed;
        failed += report.failed.len();
        skipped += report.skipped.len();
    }
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    if failed == 0 { Ok(()) } else { Err(format!("{failed} evals failed")) }
}

fn or(given: Vec<PathBuf>, own: &Path) -> Vec<PathBuf> {
    if given.is_empty() { vec![own.to_owned()] } else { given }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The files of that ending, in order, each named by its last part.
fn sources(paths: &[PathBuf], ending: &str) -> Result<Vec<(PathBuf, Source)>, String> {
    let mut found = Vec::new();
    for path in paths {
        if !path.exists() {
            return Err(format!("{} is not there", path.display()));
        }
        gather(path, ending, &mut found).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    if found.is_empty() {
        return Err(format!("no file ending in .{ending} in {paths:?}"));
    }
    Ok(found)
}

fn gather(path: &Path, ending: &str, found: &mut Vec<(PathBuf, Source)>) -> std::io::Result<()> {
    if path.is_file() {
        if path.extension().is_some_and(|has| has == ending) {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            found.push((path.to_owned(), Source { name, text: std::fs::read_to_string(path)? }));
        }
        return Ok(());
    }
    let mut inside: Vec<PathBuf> =
        std::fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    inside.sort();
    inside.iter().try_for_each(|path| gather(path, ending, found))
}
