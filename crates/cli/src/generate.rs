//! Completions and man pages, made from the definition of the command line.

use std::path::Path;

use clap::CommandFactory as _;

use crate::{Cli, Exit, Failure, print};

/// Prints the completions of a shell.
pub(crate) fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "mainstay", &mut text);
    print::say(&String::from_utf8_lossy(&text))
}

/// Writes a man page per command into `dir`, or prints the main one.
pub(crate) fn man(dir: Option<&Path>) -> Result<(), Failure> {
    let failed =
        |e: std::io::Error| Failure::new(Exit::Disk, format!("the man pages cannot be written: {e}"));
    match dir {
        Some(dir) => {
            std::fs::create_dir_all(dir).map_err(failed)?;
            clap_mangen::generate_to(Cli::command(), dir).map_err(failed)
        }
        None => {
            let mut text = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut text).map_err(failed)?;
            print::say(&String::from_utf8_lossy(&text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }
}
