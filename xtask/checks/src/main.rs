//! The chores that need our own crates: public conformance suites and fuzz loops. `cargo xtask conformance` and
//! `cargo xtask fuzz` build and start it; the last line of each is `N passed, N failed, N skipped`.

mod conformance;
mod fuzz;
mod mutate;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.split_first() {
        Some((name, rest)) if name == "fuzz" => fuzz::run(rest),
        Some((name, rest)) if name == "conformance" => conformance::run(rest),
        _ => Err("give `conformance` or `fuzz`".to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
