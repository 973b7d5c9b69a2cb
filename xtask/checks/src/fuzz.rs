//! Feeds mutated inputs to every parser's `fuzz_one`, in this process: no special compiler, no coverage, reproducible.
//!
//! What a parser promises for any input is asserted inside its `fuzz_one`; here a panic is caught, the input is kept in
//! `target/fuzz/TARGET/`, and the target counts as failed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::mutate::{Random, mutate};

/// A parser's entry, and the endings of the files that make its corpus.
struct Target {
    name: &'static str,
    entry: fn(&[u8]),
    endings: &'static [&'static str],
    seeds: &'static [&'static str],
}

const TARGETS: &[Target] = &[
    Target {
        name: "document",
        entry: wire::document::fuzz_one,
        endings: &["yaml", "yml", "json"],
        seeds: &[
            "apiVersion: mainstay/v1\nkind: Flag\nmetadata: {name: a}\nspec:\n  state: ENABLED\n",
            "[1, {\"a\": null}]",
        ],
    },
    Target {
        name: "exposition",
        entry: wire::exposition::fuzz_one,
        endings: &["prom", "om"],
        seeds: &[
            "# HELP a b\n# TYPE a counter\na_total{b=\"c\\n\"} 1 1000\n",
            "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 2 # {trace_id=\"x\"} 1 2\nh_sum 3\nh_count 2\n# EOF\n",
        ],
    },
    Target {
        name: "flags",
        entry: flags,
        endings: &["json"],
        seeds: &[concat!(
            r#"{"flags":{"a":{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","#,
            r#""targeting":{"if":[{"ends_with":[{"var":"email"},"@x.y"]},{"fractional":[["on",50],["off",50]]},null]}}}}"#,
        )],
    },
    Target {
        name: "promql",
        entry: promql,
        endings: &["test"],
        seeds: &[
            "sum by (job) (rate(http_requests_total{code=~\"5..\"}[5m] offset 1h)) / 2 ^ -1",
            "a and on(b) c or d",
        ],
    },
    Target {
        name: "store",
        entry: store::fuzz_one,
        endings: &["bin"],
        seeds: &["\u{0}\u{0}\u{0}\u{8}12345678"],
    },
    Target {
        name: "chunk",
        entry: metrics::chunk::fuzz_one,
        endings: &["bin"],
        seeds: &["\u{1}\u{0}\u{7f}0123456789"],
    },
];

/// A query is read without a panic, and its printed form is read as the same query.
fn promql(input: &[u8]) {
    let (_, same) = metrics::promql::fuzz_one(input);
    assert!(same, "the printed query is read as another one");
}

/// A flagd file or a flag's spec; what is accepted is evaluated, written and read again.
fn flags(input: &[u8]) {
    flags::fuzz_one(input);
}

/// Files larger than this are no good seeds: a mutation would hardly touch them.
const LARGEST_SEED: u64 = 64 * 1024;

/// Runs `fuzz [TARGET…] [--seconds N] [--seed N] [--list]`.
pub fn run(arguments: &[String]) -> Result<(), String> {
    let mut seconds = 10;
    let mut seed = None;
    let mut wanted = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--list" => {
                TARGETS.iter().for_each(|target| println!("{}", target.name));
                return Ok(());
            }
            "--seconds" => seconds = number(rest.next())?,
            "--seed" => seed = Some(number(rest.next())?),
            name if TARGETS.iter().any(|target| target.name == name) => wanted.push(name),
            other => {
                return Err(format!("there is no target `{other}`; `cargo xtask fuzz --list` names them"));
            }
        }
    }
    let seed = seed.unwrap_or_else(fresh_seed);
    let targets = TARGETS.iter().filter(|target| wanted.is_empty() || wanted.contains(&target.name));
    let (mut passed, mut failed) = (0, 0);
    for target in targets {
        match fuzz(target, Duration::from_secs(seconds), seed) {
            Ok(inputs) => {
                println!("{}: {inputs} inputs, seed {seed}", target.name);
                passed += 1;
            }
            Err(message) => {
                eprintln!("{}: {message}, seed {seed}", target.name);
                failed += 1;
            }
        }
    }
    println!("{passed} passed, {failed} failed, 0 skipped");
    if failed == 0 { Ok(()) } else { Err("an input broke a promise".to_owned()) }
}

fn number(argument: Option<&String>) -> Result<u64, String> {
    argument
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| "`--seconds` and `--seed` need a number".to_owned())
}

/// The time, as the one source that is at hand; it is printed, so that the run can be repeated.
fn fresh_seed() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(1, |since| u64::from(since.subsec_nanos()) ^ since.as_secs())
}

fn fuzz(target: &Target, time: Duration, seed: u64) -> Result<u64, String> {
    let corpus = corpus(target);
    let mut random = Random::new(seed);
    let began = Instant::now();
    let mut inputs = 0;
    while began.elapsed() < time {
        // The corpus itself first, as it is.
        let at = usize::try_from(inputs).unwrap_or(usize::MAX);
        let input = corpus.get(at).cloned().unwrap_or_else(|| mutate(&mut random, &corpus));
        let one = Instant::now();
        if catch_unwind(AssertUnwindSafe(|| (target.entry)(&input))).is_err() {
            return Err(format!("input {inputs} panicked; kept as {}", keep(target, &input)?));
        }
        if one.elapsed() > Duration::from_secs(5) {
            return Err(format!(
                "input {inputs} took {:?}; kept as {}",
                one.elapsed(),
                keep(target, &input)?
            ));
        }
        inputs += 1;
    }
    Ok(inputs)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn keep(target: &Target, input: &[u8]) -> Result<String, String> {
    let folder = root().join("target/fuzz").join(target.name);
    let path = folder.join(format!("{}-bytes", input.len()));
    std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::write(&path, input))
        .map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path.display().to_string())
}

/// The target's own seeds, and every file of fitting ending in tests/cases and the public suites.
fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let mut corpus: Vec<Vec<u8>> = target.seeds.iter().map(|seed| seed.as_bytes().to_vec()).collect();
    for folder in ["tests/cases", "../shared/conformance"] {
        gather(&root().join(folder), target.endings, &mut corpus);
    }
    corpus
}

fn gather(folder: &Path, endings: &[&str], corpus: &mut Vec<Vec<u8>>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    // The order of a folder is the file system's; sorted, a seed means the same run everywhere.
    paths.sort();
    for path in paths {
        let fits = path.extension().is_some_and(|ending| endings.iter().any(|fit| ending == *fit));
        if path.is_dir() {
            gather(&path, endings, corpus);
        } else if fits && path.metadata().is_ok_and(|meta| meta.len() <= LARGEST_SEED) {
            corpus.extend(std::fs::read(&path));
        }
    }
}
