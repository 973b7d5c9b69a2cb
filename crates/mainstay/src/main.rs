//! The binary: reads the command line, and either serves or asks a running server.

mod config;
mod data;
mod offline;
mod serve;
mod timers;

use std::process::ExitCode;

use clap::Parser;
use cli::{Cli, Command, Failure};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Serve(args) => serve::run(&cli.global, *args),
        Command::Ledger(ref command) if command.is_offline() => offline::run(&cli.global, command),
        _ => cli::run(cli),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => end(&failure),
    }
}

/// Says what went wrong and ends with its code. Nothing is printed when the reader of our output has gone.
fn end(failure: &Failure) -> ExitCode {
    eprintln!("{failure}");
    failure.exit.into()
}
