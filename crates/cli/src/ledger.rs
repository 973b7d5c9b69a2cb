//! `mainstay ledger`, as far as it asks a running server.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::arguments::LedgerCommand;
use crate::client::Client;
use crate::print::{field, harmless, say, say_bytes, show, text, time};
use crate::{Exit, Failure, Output};

/// Between attempts to go on following a server that went away.
const RETRY: Duration = Duration::from_millis(500);

/// Runs the command.
pub(crate) fn run(client: &Client, output: Output, command: LedgerCommand) -> Result<(), Failure> {
    match command {
        LedgerCommand::Verify { .. } => verify(client, output),
        LedgerCommand::Tail { lines, follow, subject, chapter } => {
            let filter = [("subject", subject), ("chapter", chapter)];
            tail(client, output, lines, follow, &filter)
        }
        LedgerCommand::Export { to } => export(client, to.as_deref()),
        LedgerCommand::Import { .. } => Err(Failure::new(Exit::Bug, "an import is done without a server")),
    }
}

fn verify(client: &Client, output: Output) -> Result<(), Failure> {
    let found = client.post(&["ledger", "verify"], &json!({})).json()?;
    let whole = field(&found, "/ok") == true;
    show(output, &found, |found| {
        let mut out =
            format!("{} facts, {}\n", text(found, "/facts"), if whole { "whole" } else { "damaged" });
        for damage in field(found, "/damage").as_array().into_iter().flatten() {
            out.push_str(&format!("  {}: {}\n", text(damage, "/place"), text(damage, "/what")));
        }
        out
    })?;
    if whole {
        Ok(())
    } else {
        Err(Failure::new(Exit::Damaged, "the ledger is damaged; restore it from a backup"))
    }
}

fn tail(
    client: &Client,
    output: Output,
    lines: usize,
    follow: bool,
    filter: &[(&str, Option<String>); 2],
) -> Result<(), Failure> {
    // The last fact of all, not of those that fit: what is appended while the first ones are printed comes after it.
    let newest = client.get(&["facts"]).query("limit", "1").json()?;
    let mut last = field(&newest, "/items/0/seq").as_u64().unwrap_or(0);
    let mut call = client.get(&["facts"]).query("limit", &lines.clamp(1, 1_000).to_string());
    call = call.query("before", &last.saturating_add(1).to_string());
    for (name, value) in filter {
        call = call.query_opt(name, value.as_deref());
    }
    let answer = call.json()?;
    let mut facts: Vec<Value> = field(&answer, "/items").as_array().cloned().unwrap_or_default();
    facts.truncate(lines);
    facts.reverse();
    for fact in &facts {
        print_fact(output, fact)?;
    }
    if !follow {
        return Ok(());
    }
    // A server that restarts ends the stream; going on where it ended loses nothing and repeats nothing.
    let mut away = false;
    loop {
        let mut call = client.get(&["facts", "watch"]).query("after", &last.to_string());
        for (name, value) in filter {
            call = call.query_opt(name, value.as_deref());
        }
        let followed = call.events("fact", |fact| {
            last = field(&fact, "/seq").as_u64().unwrap_or(last);
            away = false;
            print_fact(output, &fact)
        });
        match followed {
            Ok(()) => {}
            Err(failure) if failure.exit == Exit::Unreachable => {
                if !away {
                    eprintln!("{failure}\nmainstay: waiting for it");
                }
                away = true;
            }
            Err(failure) => return Err(failure),
        }
        std::thread::sleep(RETRY);
    }
}

fn print_fact(output: Output, fact: &Value) -> Result<(), Failure> {
    match output {
        Output::Json => say(&fact.to_string()),
        Output::Yaml => say(&format!("---\n{}", wire::document::to_yaml(fact))),
        Output::Table => {
            let actor = field(fact, "/actor");
            let reason = text(fact, "/reason");
            let reason = if reason.is_empty() { reason } else { format!("  {reason}") };
            let line = format!(
                "{:>6}  {}  {:<22} {:<28} {}:{}{reason}",
                text(fact, "/seq"),
                time(&text(fact, "/time")),
                text(fact, "/kind"),
                text(fact, "/subject"),
                text(actor, "/kind"),
                text(actor, "/name"),
            );
            say(&harmless(&line).replace('\n', "\\n"))
        }
    }
}

fn export(client: &Client, to: Option<&Path>) -> Result<(), Failure> {
    let call = client.get(&["ledger", "export"]);
    let Some(path) = to else {
        return call.stream(say_bytes);
    };
    let failed =
        |e: std::io::Error| Failure::new(Exit::Disk, format!("{} cannot be written: {e}", path.display()));
    let mut file = File::create(path).map_err(failed)?;
    call.stream(|piece| file.write_all(piece).map_err(failed))?;
    file.sync_all().map_err(failed)
}
