//! `cargo xtask test`: every check and test, one stage after the other, and a table at the end.
//!
//! There is one build: `cargo build --workspace --bins --tests`. The test runner, the end-to-end tests' binary and the
//! conformance program are all of it, so nothing is built twice. Clippy alone keeps its own artefacts.

use std::process::Command;
use std::time::Instant;

use crate::process::{self, present};
use crate::stage::{Row, Tally, table};
use crate::workspace::{cargo, root, target};
use crate::{checks, deny, docs, layers, setup, source, tidy};

/// What `cargo xtask test --help` says.
pub const HELP: &str = "\
Runs every stage in order, goes on after a failure, and ends with a table whose last line is
`N passed, N failed, N skipped`. What cannot be tried here (no browser, no Node, no ../shared/conformance) is skipped,
said and counted.

  --fast         no set-up, no end-to-end and browser tests
  --only STAGE   one stage (give it again for more); `build` is added where the stage needs it
  --list         name the stages";

/// Where tests note what they could not try; see `tests::skip`.
const SKIPS: &str = "skips.txt";

/// Seconds that each fuzz target runs here, always from the same seed, so that this command says the same twice;
/// `cargo xtask fuzz` runs longer and from a fresh one.
const FUZZ_SECONDS: &str = "2";

struct Stage {
    name: &'static str,
    about: &'static str,
    /// Part of `--fast`.
    fast: bool,
    /// Uses what `build` built.
    built: bool,
    run: fn() -> Tally,
}

const STAGES: &[Stage] = &[
    Stage {
        name: "setup",
        about: "browser, promtool, npm and PyPI clients",
        fast: false,
        built: false,
        run: setup::run,
    },
    Stage { name: "format", about: "rustfmt", fast: true, built: false, run: format },
    Stage {
        name: "layers",
        about: "who may use whom",
        fast: true,
        built: false,
        run: || Tally::of(layers::run(&[])),
    },
    Stage {
        name: "tidy",
        about: "names, bans, lengths",
        fast: true,
        built: false,
        run: || Tally::of(tidy::run(&[])),
    },
    Stage {
        name: "deny",
        about: "licences and bans",
        fast: true,
        built: false,
        run: || Tally::of(deny::run(&[])),
    },
    Stage {
        name: "advisories",
        about: "known holes, by cargo-deny",
        fast: true,
        built: false,
        run: advisories,
    },
    Stage { name: "types", about: "the console's JavaScript, by tsc", fast: true, built: false, run: types },
    Stage { name: "clippy", about: "no warning", fast: true, built: false, run: clippy },
    Stage { name: "build", about: "everything, once", fast: true, built: false, run: build },
    Stage { name: "unit", about: "unit, property and scenario tests", fast: true, built: true, run: unit },
    Stage { name: "doctests", about: "examples in doc comments", fast: true, built: true, run: doctests },
    Stage {
        name: "docs",
        about: "generated pages are current",
        fast: true,
        built: true,
        run: generated_docs,
    },
    Stage { name: "conformance", about: "public suites", fast: true, built: true, run: conformance },
    Stage { name: "fuzz", about: "a short run of every target", fast: true, built: true, run: fuzz },
    Stage { name: "e2e", about: "the real binary and real clients", fast: false, built: true, run: e2e },
    Stage { name: "browser", about: "the console in Chromium", fast: false, built: true, run: browser },
];

/// The command.
pub fn run(arguments: &[String]) -> Result<(), String> {
    if arguments.iter().any(|argument| argument == "--list") {
        for stage in STAGES {
            println!("{:<14} {}", stage.name, stage.about);
        }
        return Ok(());
    }
    let stages = chosen(arguments)?;
    let mut rows: Vec<Row> = Vec::new();
    for stage in stages {
        println!("\n=== {}: {}", stage.name, stage.about);
        let unbuilt = rows.iter().any(|row| row.name == "build" && row.tally.failed > 0);
        let began = Instant::now();
        let tally = if stage.built && unbuilt { Tally::skipped("the build failed") } else { (stage.run)() };
        rows.push(Row { name: stage.name, took: began.elapsed(), tally });
    }
    println!("{}", table(&rows));
    if rows.iter().any(|row| row.tally.failed > 0) {
        // The table has said it all; a further line would no longer leave its counts last.
        return Err(String::new());
    }
    Ok(())
}

fn chosen(arguments: &[String]) -> Result<Vec<&'static Stage>, String> {
    let mut only = Vec::new();
    let mut fast = false;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--fast" => fast = true,
            "--only" => only.push(rest.next().ok_or("`--only` needs a stage")?.as_str()),
            other => return Err(format!("`{other}` is no option; see `cargo xtask test --help`")),
        }
    }
    if let Some(unknown) = only.iter().find(|name| !STAGES.iter().any(|stage| stage.name == **name)) {
        return Err(format!("there is no stage `{unknown}`; see `cargo xtask test --list`"));
    }
    let needs_build = STAGES.iter().any(|stage| stage.built && only.contains(&stage.name));
    let wanted = |stage: &&Stage| {
        let named = only.is_empty() || only.contains(&stage.name) || (stage.name == "build" && needs_build);
        named && (!fast || stage.fast)
    };
    Ok(STAGES.iter().filter(wanted).collect())
}

fn cargo_command(arguments: &[&str]) -> Command {
    let mut command = Command::new(cargo());
    command.args(arguments).current_dir(root());
    command
}

fn format() -> Tally {
    Tally::of_program(process::shown(&mut cargo_command(&["fmt", "--all", "--check"])))
}

fn clippy() -> Tally {
    let arguments = ["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"];
    Tally::of_program(process::shown(&mut cargo_command(&arguments)))
}

fn advisories() -> Tally {
    if !present("cargo-deny") {
        return Tally::skipped(
            "cargo-deny is not installed; `cargo install cargo-deny` for known holes in dependencies",
        );
    }
    let ran = process::shown(&mut cargo_command(&["deny", "check", "advisories"]));
    match ran {
        Ok(ran)
            if !ran.succeeded
                && ran.lines.iter().any(|line| line.contains("failed to fetch advisory database")) =>
        {
            Tally::skipped("the advisory database cannot be fetched here")
        }
        ran => Tally::of_program(ran),
    }
}

fn types() -> Tally {
    let config = root().join("crates/console/web/jsconfig.json");
    let tsc = target().join("clients/node/node_modules/.bin/tsc");
    if !tsc.is_file() {
        return Tally::skipped("tsc is not there; the set-up stage installs it where Node is");
    }
    Tally::of_program(process::shown(Command::new(tsc).arg("--noEmit").arg("-p").arg(config)))
}

fn build() -> Tally {
    Tally::of_program(process::shown(&mut cargo_command(&[
        "build",
        "--quiet",
        "--workspace",
        "--bins",
        "--tests",
    ])))
}

fn unit() -> Tally {
    if present("cargo-nextest") {
        let arguments = ["nextest", "run", "--workspace", "--no-fail-fast", "-E", "not package(tests)"];
        return run_tests(&mut cargo_command(&arguments));
    }
    let arguments =
        ["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast", "--exclude", "tests"];
    run_tests(&mut cargo_command(&arguments))
}

/// Examples in doc comments; most crates have none, and rustdoc asks its price for each.
fn doctests() -> Tally {
    let with_examples = source::all().map(|sources| {
        let has = |text: &str| {
            text.lines().any(|line| line.trim_start().starts_with("/// ```") || line.starts_with("//! ```"))
        };
        sources.iter().any(|source| source.house_crate().is_some() && source.is_rust() && has(&source.text))
    });
    match with_examples {
        Err(message) => Tally::of(Err(message)),
        Ok(false) => Tally::default(),
        Ok(true) => {
            run_tests(&mut cargo_command(&["test", "--workspace", "--doc", "--no-fail-fast", "--quiet"]))
        }
    }
}

fn generated_docs() -> Tally {
    Tally::of(docs::run(&["--check".to_owned()]))
}

fn conformance() -> Tally {
    let mut tally = Tally::default();
    for suite in ["flags", "promql"] {
        if !root().join("../shared/conformance").join(suite).is_dir() {
            tally.skipped += 1;
            tally.reasons.push(format!("../shared/conformance/{suite} is not there"));
            continue;
        }
        add(&mut tally, Tally::of_runner(checks::run(&["conformance", suite])));
    }
    tally
}

fn fuzz() -> Tally {
    Tally::of_runner(checks::run(&["fuzz", "--seconds", FUZZ_SECONDS, "--seed", "1"]))
}

fn e2e() -> Tally {
    end_to_end("not test(/^browser::/)", &["--skip", "browser::"])
}

fn browser() -> Tally {
    end_to_end("test(/^browser::/)", &["browser::"])
}

fn end_to_end(filter: &str, libtest: &[&str]) -> Tally {
    if present("cargo-nextest") {
        let filter = format!("package(tests) and {filter}");
        return run_tests(&mut cargo_command(&[
            "nextest",
            "run",
            "--workspace",
            "--no-fail-fast",
            "-E",
            &filter,
        ]));
    }
    let arguments =
        [&["test", "--workspace", "--test", "e2e", "--no-fail-fast", "--quiet", "--"], libtest].concat();
    run_tests(&mut cargo_command(&arguments))
}

/// Runs tests and collects what they note as skipped.
fn run_tests(command: &mut Command) -> Tally {
    let skips = target().join(SKIPS);
    // Left over from an earlier run, or not there.
    let _ = std::fs::remove_file(&skips);
    let mut tally = Tally::of_runner(process::shown(command.env("MAINSTAY_TEST_SKIPS", &skips)));
    for reason in std::fs::read_to_string(&skips).unwrap_or_default().lines() {
        tally.passed = tally.passed.saturating_sub(1);
        tally.skipped += 1;
        tally.reasons.push(reason.to_owned());
    }
    tally
}

fn add(tally: &mut Tally, other: Tally) {
    tally.passed += other.passed;
    tally.failed += other.failed;
    tally.skipped += other.skipped;
    tally.reasons.extend(other.reasons);
}
