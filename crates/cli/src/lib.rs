//! The command line. Every subcommand but `serve` and the offline ledger ones speaks to a running Mainstay through
//! its HTTP API, over the unix socket of the data folder or a URL.

mod access;
mod arguments;
mod chart;
mod client;
mod exit;
mod explain;
mod files;
mod flags;
mod generate;
mod ledger;
mod print;
mod query;
mod references;
mod resources;
mod serve;
mod status;

pub use arguments::{Cli, Command, GlobalArgs, LedgerCommand, Output};
pub use exit::{Exit, Failure};
pub use serve::ServeArgs;

use client::Client;

/// Runs a command that asks a running Mainstay, or one that needs nobody (completions, man pages).
///
/// # Errors
/// What went wrong, with the exit code it means.
pub fn run(cli: Cli) -> Result<(), Failure> {
    let output = cli.global.output;
    match &cli.command {
        Command::Completions { shell } => return generate::completions(*shell),
        Command::Man { dir } => return generate::man(dir.as_deref()),
        _ => {}
    }
    let client = Client::new(&cli.global)?;
    match cli.command {
        Command::Status => status::run(&client, output),
        Command::Query(args) => query::run(&client, output, &args),
        Command::Apply(args) => resources::apply(&client, output, &args),
        Command::Validate(args) => resources::validate(&client, output, &args),
        Command::Diff(args) => resources::diff(&client, output, &args),
        Command::Get(args) => resources::get(&client, output, &args),
        Command::Describe(args) => resources::describe(&client, output, &args),
        Command::Delete(args) => resources::delete(&client, output, &args),
        Command::History(args) => resources::history(&client, output, &args.kind, &args.name),
        Command::Explain(args) => explain::run(&client, output, &args),
        Command::Flag(command) => flags::run(&client, output, command),
        Command::Ledger(command) => ledger::run(&client, output, command),
        Command::Token(command) => access::token(&client, output, command),
        Command::User(command) => access::user(&client, output, command),
        Command::Serve(_) | Command::Completions { .. } | Command::Man { .. } => {
            Err(Failure::new(Exit::Bug, "this command is not for the client"))
        }
    }
}
