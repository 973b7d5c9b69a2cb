//! What is done to a ledger while no server runs: verifying it where it lies, and filling an empty one.

use std::fs::File;
use std::io::{BufRead, BufReader, stdin};
use std::path::Path;

use cli::{Exit, Failure, GlobalArgs, LedgerCommand};
use ledger::{Ledger as _, LedgerOptions, SqliteLedger};

use crate::data::{DataFolder, disk, ledger_failure};

/// Runs an offline command.
pub(crate) fn run(global: &GlobalArgs, command: &LedgerCommand) -> Result<(), Failure> {
    let folder = DataFolder::open(&global.data_dir)?;
    let place = folder.folder("ledger")?;
    match command {
        LedgerCommand::Import { file } => import(&place, file),
        _ => verify(&place),
    }
}

fn import(place: &Path, file: &Path) -> Result<(), Failure> {
    let ledger =
        SqliteLedger::open(place, &LedgerOptions::default()).map_err(|e| ledger_failure(place, &e))?;
    let mut lines: Box<dyn BufRead> = if file == Path::new("-") {
        Box::new(BufReader::new(stdin()))
    } else {
        Box::new(BufReader::new(File::open(file).map_err(|e| disk(file, "read", &e))?))
    };
    let tip = ledger
        .import(&mut lines)
        .map_err(|error| Failure::new(Exit::Refused, format!("{}: {error}", file.display())))?;
    println!("{} facts imported; the last is {}", tip.seq, tip.hash);
    Ok(())
}

/// Also reads a ledger that is too damaged to be opened.
fn verify(place: &Path) -> Result<(), Failure> {
    let found = SqliteLedger::verify_folder(place, &mut |_| {})
        .map_err(|error| Failure::new(Exit::Disk, format!("the ledger cannot be read: {error}")))?;
    if found.damage.is_empty() {
        println!("{} facts, whole; the last is {}", found.facts, found.tip.hash);
        return Ok(());
    }
    let findings: Vec<String> =
        found.damage.iter().map(|damage| format!("\n  {:?}: {}", damage.place, damage.what)).collect();
    Err(Failure::new(
        Exit::Damaged,
        format!(
            "the ledger is damaged; whole up to fact {}:{}\n  restore the data folder from a backup",
            found.tip.seq,
            findings.concat()
        ),
    ))
}
