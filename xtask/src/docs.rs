//! `cargo xtask docs`: keeps what docs/ says of the command line the same as what the command line says of itself.
//!
//! A page holds, in a fenced block that opens with "```text mainstay flag set -h", what that command prints; the text
//! around it is written by people. Every top-level command has a page of its name in docs/commands/. Man pages
//! and completions are made by the binary itself (`mainstay man`, `mainstay completions`) and not kept here.

use std::process::Command;

use crate::checks;
use crate::finding::{Finding, conclude};
use crate::process;
use crate::source;
use crate::workspace::{root, target};

/// What `cargo xtask docs --help` says.
pub const HELP: &str = "\
Asks the built `mainstay` for its help texts and writes them into the fenced blocks of the pages in docs/ that open with
\"```text mainstay COMMAND -h\"; begins docs/commands/COMMAND.md for each command that has no page.

  --check   write nothing; fail where a page is not current";

const OPENS: &str = "```text mainstay ";
const CLOSES: &str = "```";

/// The command.
pub fn run(arguments: &[String]) -> Result<(), String> {
    let check = arguments.iter().any(|argument| argument == "--check");
    if !check {
        checks::build_binary()?;
    }
    let commands = commands(&help(&[])?);
    if commands.is_empty() {
        return Err("`mainstay -h` lists no command".to_owned());
    }
    let mut pages: Vec<(String, String)> = source::all()?
        .into_iter()
        .filter(|source| source.path.starts_with("docs/") && source.path.ends_with(".md"))
        .map(|source| (source.path, source.text))
        .collect();
    let mut findings = Vec::new();
    for command in &commands {
        let path = format!("docs/commands/{command}.md");
        if pages.iter().any(|(page, _)| *page == path) {
            continue;
        }
        findings.push(Finding::file(
            path.clone(),
            "the command has no page; run `cargo xtask docs`, then write it",
        ));
        pages.push((path, beginning(command)?));
    }
    for (path, text) in &pages {
        let current = refresh(text, help).map_err(|error| format!("{path}: {error}"))?;
        if std::fs::read_to_string(root().join(path)).is_ok_and(|before| before == current) {
            continue;
        }
        findings.push(Finding::file(
            path.clone(),
            "says something else than the command line; run `cargo xtask docs`",
        ));
        if !check {
            write(path, &current)?;
        }
    }
    if check {
        return conclude(findings, &format!("help of {} commands in {} pages", commands.len(), pages.len()));
    }
    println!("{} pages, {} written", pages.len(), findings.len());
    Ok(())
}

fn write(path: &str, text: &str) -> Result<(), String> {
    let full = root().join(path);
    let failed = |error: std::io::Error| format!("{path}: {error}");
    if let Some(folder) = full.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(full, text).map_err(failed)
}

/// What `mainstay WORDS… --help` prints, at a fixed width and without this machine's settings.
fn help(words: &[&str]) -> Result<String, String> {
    let mut command = Command::new(target().join("debug/mainstay"));
    command.args(words).arg("-h").env_clear().env("COLUMNS", "100");
    let ran = process::quiet(&mut command)?;
    if !ran.succeeded {
        return Err(format!("`mainstay {} -h` failed: {}", words.join(" "), ran.lines.join(" ")));
    }
    Ok(ran.lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n"))
}

/// The first form of a command's page: its help, and that of each command below it.
fn beginning(command: &str) -> Result<String, String> {
    let mut page = format!("# mainstay {command}\n\n{OPENS}{command} -h\n{CLOSES}\n");
    for below in commands(&help(&[command])?) {
        page += &format!("\n## mainstay {command} {below}\n\n{OPENS}{command} {below} -h\n{CLOSES}\n");
    }
    Ok(page)
}

/// Names of the commands that a help text lists.
fn commands(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    lines
        .take_while(|line| line.starts_with("  ") || line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

/// The page with each marked block filled anew by `help`.
fn refresh(text: &str, help: impl Fn(&[&str]) -> Result<String, String>) -> Result<String, String> {
    let mut fresh = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        fresh += line;
        fresh.push('\n');
        let Some(command) = line.strip_prefix(OPENS).and_then(|rest| rest.strip_suffix("-h")) else {
            continue;
        };
        let words: Vec<&str> = command.split_whitespace().collect();
        fresh += &format!(
            "{}
{CLOSES}
",
            help(&words)?.trim_end()
        );
        if !lines.any(|line| line == CLOSES) {
            return Err(format!("`{line}` has no `{CLOSES}`"));
        }
    }
    Ok(fresh)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_filled_and_the_rest_stays() {
        let help = |words: &[&str]| Ok(format!("help of {}", words.join(" ")));
        let page = "# Flags\n```text mainstay flag set -h\nold\n```\nBy hand.\n";
        let fresh = refresh(page, help).unwrap();
        assert!(fresh.contains("```text mainstay flag set -h\nhelp of flag set\n```\n"), "{fresh}");
        assert!(
            fresh.starts_with("# Flags\n") && fresh.ends_with("By hand.\n") && !fresh.contains("old"),
            "{fresh}"
        );
        assert_eq!(refresh(&fresh, help).unwrap(), fresh);
        assert!(refresh("```text mainstay x -h\n", help).is_err());
    }

    #[test]
    fn commands_are_read_from_the_help() {
        let help = "Runs production.\n\nCommands:\n  serve   Watch this machine\n           and more\n  flag    Flags\n  help    Print\n\nOptions:\n  -h\n";
        assert_eq!(commands(help), ["serve", "flag"]);
    }
}
