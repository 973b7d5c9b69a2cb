//! Terminal sessions as plain text: what is typed, and what has to come out.
//!
//! ```text
//! # a comment
//! --- flag.yaml
//! the lines of a file
//! ---
//! $ mainstay apply -f flag.yaml --reason 'first'
//! Flag/new-checkout created (…)
//! $ mainstay get flag nothing
//! …there is no…
//! [exit 1]
//! ~ mainstay query 'node_load1 > bool 0'
//! …
//! ```
//!
//! `$` runs a line in `sh`, in a folder of the transcript's own; below it stands its standard output, then its
//! standard error. `…` stands for any text within a line, a line of `…` alone for any lines. A command must end with 0
//! unless `[exit N]` is the last line below it. `~` runs a line again until it comes out as said, for what a server
//! does in its own time.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::{Mainstay, Ran, binary};

/// How long a `~` may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What stands for any text.
const ANY: &str = "…";

/// A part of a transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A file to write.
    File {
        /// Its name in the transcript's folder.
        name: String,
        /// Its text.
        text: String,
    },
    /// A line to run.
    Run {
        /// Line of the transcript, from 1.
        line: usize,
        /// What `sh` gets.
        command: String,
        /// What has to come out, line by line.
        expect: Vec<String>,
        /// How it has to end.
        code: i32,
        /// Whether it is run until it comes out right.
        again: bool,
    },
}

/// Reads a transcript.
///
/// # Panics
/// When a line fits nowhere.
pub fn read_transcript(text: &str, first_line: usize) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut file: Option<(String, String)> = None;
    for (number, line) in (first_line..).zip(text.lines()) {
        if let Some((name, mut body)) = file.take() {
            if line == "---" {
                steps.push(Step::File { name, text: body });
            } else {
                body += line;
                body.push('\n');
                file = Some((name, body));
            }
        } else if let Some(name) = line.strip_prefix("--- ") {
            file = Some((name.trim().to_owned(), String::new()));
        } else if let Some(command) = line.strip_prefix("$ ").or_else(|| line.strip_prefix("~ ")) {
            let (command, again) = (command.to_owned(), line.starts_with('~'));
            steps.push(Step::Run { line: number, command, expect: Vec::new(), code: 0, again });
        } else if let Some(Step::Run { expect, code, command, .. }) = steps.last_mut() {
            if command.ends_with('\\') {
                command.pop();
                *command += line.trim_start();
            } else if let Some(exit) = line.strip_prefix("[exit ").and_then(|rest| rest.strip_suffix(']')) {
                *code = exit.parse().unwrap_or_else(|_| panic!("line {number}: `{line}` is no exit code"));
            } else if !line.starts_with("# ") {
                expect.push(line.to_owned());
            }
        } else {
            assert!(
                line.is_empty() || line.starts_with('#'),
                "line {number}: `{line}` belongs to no command"
            );
        }
    }
    assert!(file.is_none(), "a file of the transcript has no end (`---`)");
    for step in &mut steps {
        if let Step::Run { expect, .. } = step {
            while expect.last().is_some_and(String::is_empty) {
                expect.pop();
            }
        }
    }
    steps
}

/// Runs the steps against a server, whose data folder is `mainstay-data` there as it is for a user; answers what came
/// out otherwise than said.
pub fn play(server: &Mainstay, folder: &Path, steps: &[Step]) -> Vec<String> {
    let mut wrong = Vec::new();
    let data = folder.join("mainstay-data");
    if !data.exists() {
        std::os::unix::fs::symlink(server.data(), data).unwrap();
    }
    for step in steps {
        match step {
            Step::File { name, text } => {
                let path = folder.join(name);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            }
            Step::Run { line, command, expect, code, again } => {
                let began = Instant::now();
                let last = loop {
                    let found = once(server, folder, command, expect, *code);
                    if found.is_none() || !again || began.elapsed() > PATIENCE {
                        break found;
                    }
                };
                wrong.extend(last.map(|found| format!("line {line}: $ {command}\n{found}")));
            }
        }
    }
    wrong
}

fn once(server: &Mainstay, folder: &Path, command: &str, expect: &[String], code: i32) -> Option<String> {
    // Global options stand before the subcommand's own, so that a `--` in a line does not swallow them.
    let script =
        format!("mainstay() {{ \"$MAINSTAY_BINARY\" --data-dir \"$MAINSTAY_DATA\" \"$@\"; }}\n{command}");
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(script).current_dir(folder).env("TZ", "UTC");
    shell.env("MAINSTAY_BINARY", binary()).env("MAINSTAY_DATA", server.data());
    let ran = Ran::of(&mut shell);
    let out = format!("{}{}", ran.stdout, ran.stderr);
    let lines: Vec<&str> = out.lines().map(str::trim_end).collect();
    let lines = &lines[..lines.iter().rposition(|line| !line.is_empty()).map_or(0, |at| at + 1)];
    let expect: Vec<&str> = expect.iter().map(|line| line.trim_end()).collect();
    if ran.code == Some(code) && matches(&expect, lines) {
        return None;
    }
    Some(format!(
        "--- expected [exit {code}]\n{}\n--- came [exit {:?}]\n{}\n",
        expect.join("\n"),
        ran.code,
        out.trim_end()
    ))
}

/// Whether lines fit what is expected of them.
fn matches(expect: &[&str], lines: &[&str]) -> bool {
    match (expect.split_first(), lines.split_first()) {
        (None, None) => true,
        (Some((&ANY, rest)), _) => (0..=lines.len()).any(|skipped| matches(rest, &lines[skipped..])),
        (Some((expected, expect)), Some((line, lines))) => fits(expected, line) && matches(expect, lines),
        _ => false,
    }
}

fn fits(expected: &str, line: &str) -> bool {
    let Some((before, after)) = expected.split_once(ANY) else { return expected == line };
    let Some(rest) = line.strip_prefix(before) else { return false };
    if after.is_empty() {
        return true;
    }
    rest.char_indices().map(|(at, _)| at).chain([rest.len()]).any(|at| fits(after, &rest[at..]))
}

/// The transcripts of a page of documentation: its fenced blocks, `console` for commands and `yaml file=NAME` (or any
/// other language) for files, in order.
pub fn transcripts_of_page(text: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut lines = (1..).zip(text.lines());
    while let Some((number, line)) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let body: Vec<&str> =
            lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
        let body = body.join("\n") + "\n";
        if let Some(name) = info.split_whitespace().find_map(|word| word.strip_prefix("file=")) {
            steps.push(Step::File { name: name.to_owned(), text: body });
        } else if info.trim() == "console" {
            steps.extend(read_transcript(&body, number + 1));
        }
    }
    steps
}
