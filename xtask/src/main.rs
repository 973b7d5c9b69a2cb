//! Every chore of the project, as `cargo xtask COMMAND`.
//!
//! Not here: anything that needs our own crates. The conformance suites and the fuzz loops do, so they are a program
//! of their own (`xtask/checks`) that the commands of those names build and start; this one builds in seconds.

mod bench;
mod checks;
mod deny;
mod docs;
mod finding;
mod layers;
mod lengths;
mod process;
mod setup;
mod source;
mod stage;
mod test;
mod tidy;
mod tokens;
mod vendor;
mod workspace;

use std::process::ExitCode;

/// One command: its name, what it takes, one line on what it does, and the function.
struct Command {
    name: &'static str,
    takes: &'static str,
    about: &'static str,
    help: &'static str,
    run: fn(&[String]) -> Result<(), String>,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "test",
        takes: "[--fast] [--only STAGE] [--list]",
        about: "run every check and test, installing what it may",
        help: test::HELP,
        run: test::run,
    },
    Command {
        name: "layers",
        takes: "",
        about: "hold the crates against xtask/layers.toml: who may use whom, what is pure",
        help: layers::HELP,
        run: layers::run,
    },
    Command {
        name: "tidy",
        takes: "[--tighten]",
        about: "hold the files against xtask/tidy.toml and the length ratchet",
        help: tidy::HELP,
        run: tidy::run,
    },
    Command {
        name: "deny",
        takes: "",
        about: "hold the dependencies against deny.toml: licences, bans, versions, advisories",
        help: deny::HELP,
        run: deny::run,
    },
    Command {
        name: "bench",
        takes: "[NAME…] [--record]",
        about: "run benchmarks and compare them with their recorded figures",
        help: bench::HELP,
        run: bench::run,
    },
    Command {
        name: "docs",
        takes: "[--check]",
        about: "write the pages that come from the command line's definition",
        help: docs::HELP,
        run: docs::run,
    },
    Command {
        name: "vendor",
        takes: "",
        about: "fetch the console's third-party modules from npm",
        help: "Writes crates/console/web/vendor/ and its manifest anew from the pinned versions in xtask/src/vendor.rs.",
        run: vendor::run,
    },
    Command {
        name: "conformance",
        takes: "flags|promql [PATH…]",
        about: "run a public conformance suite against the real code",
        help: checks::CONFORMANCE_HELP,
        run: checks::conformance,
    },
    Command {
        name: "fuzz",
        takes: "[TARGET…] [--seconds N] [--seed N]",
        about: "feed mutated inputs to the parsers",
        help: checks::FUZZ_HELP,
        run: checks::fuzz,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (name, rest) = match arguments.split_first() {
        None => return usage(ExitCode::from(2)),
        Some((name, _)) if matches!(name.as_str(), "help" | "--help" | "-h") => {
            return usage(ExitCode::SUCCESS);
        }
        Some((name, rest)) => (name, rest),
    };
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        eprintln!("xtask: there is no command `{name}`; `cargo xtask help` lists them");
        return ExitCode::from(2);
    };
    if rest.iter().any(|argument| argument == "--help" || argument == "-h") {
        println!("cargo xtask {} {}\n\n{}", command.name, command.takes, command.help);
        return ExitCode::SUCCESS;
    }
    match (command.run)(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // A command that has shown everything itself leaves nothing to say.
            if !message.is_empty() {
                eprintln!("xtask {name}: {message}");
            }
            ExitCode::FAILURE
        }
    }
}

fn usage(code: ExitCode) -> ExitCode {
    println!("cargo xtask COMMAND\n");
    for command in COMMANDS {
        println!("  {:<40} {}", format!("{} {}", command.name, command.takes), command.about);
    }
    println!("\n`cargo xtask COMMAND --help` says more.");
    code
}
