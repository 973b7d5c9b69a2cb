//! `cargo xtask conformance` and `cargo xtask fuzz`: build `xtask/checks`, which knows our crates, and start it.

use std::process::Command;

use crate::process::{self, Ran};
use crate::workspace::{cargo, root, target};

/// What `cargo xtask conformance --help` says.
pub const CONFORMANCE_HELP: &str = "\
Runs the public suites of ../shared/conformance against the real code:
  flags    flag evaluation in gherkin (OpenFeature's flagd-testbed), with the flag files beside it
  promql   PromQL scripts (Prometheus' promqltest)
PATH is a file or folder of that suite; without one the whole suite runs. Prints passed, failed and skipped a file,
with the reason of each skip, and fails when a case fails.";

/// What `cargo xtask fuzz --help` says.
pub const FUZZ_HELP: &str = "\
Feeds mutated inputs to every parser's `fuzz_one` (or to those of TARGET…), starting from tests/cases and, where it
exists, ../shared/conformance. `cargo xtask fuzz --list` names the targets.

  --seconds N   how long each target runs (10)
  --seed N      repeat a run; the seed is printed";

/// The command.
pub fn conformance(arguments: &[String]) -> Result<(), String> {
    command("conformance", arguments)
}

/// The command.
pub fn fuzz(arguments: &[String]) -> Result<(), String> {
    command("fuzz", arguments)
}

fn command(name: &str, arguments: &[String]) -> Result<(), String> {
    build()?;
    let arguments: Vec<&str> = std::iter::once(name).chain(arguments.iter().map(String::as_str)).collect();
    if run(&arguments)?.succeeded { Ok(()) } else { Err("it failed".to_owned()) }
}

/// Builds the program. The whole workspace is named so that features are the same as in every other build, and nothing
/// is built twice.
pub fn build() -> Result<(), String> {
    build_program("checks")
}

/// Builds the binary, in the same way.
pub fn build_binary() -> Result<(), String> {
    build_program("mainstay")
}

fn build_program(name: &str) -> Result<(), String> {
    let mut build = Command::new(cargo());
    build.args(["build", "--quiet", "--workspace", "--bin", name]).current_dir(root());
    process::must(&mut build).map(|_| ())
}

/// Starts the program as it was built.
pub fn run(arguments: &[&str]) -> Result<Ran, String> {
    process::shown(Command::new(target().join("debug/checks")).args(arguments))
}
