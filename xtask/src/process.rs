//! Starts programs, shows what they print as they print it, and keeps it.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc;

/// What a program did.
#[derive(Debug)]
pub struct Ran {
    /// Whether it ended with status 0.
    pub succeeded: bool,
    /// Its output, both streams, line by line as they came.
    pub lines: Vec<String>,
}

/// Runs a program with its output shown.
pub fn shown(command: &mut Command) -> Result<Ran, String> {
    run(command, true)
}

/// Runs a program with its output kept only.
pub fn quiet(command: &mut Command) -> Result<Ran, String> {
    run(command, false)
}

/// Runs a program with its output shown, and fails unless it ends well.
pub fn must(command: &mut Command) -> Result<Ran, String> {
    let ran = shown(command)?;
    if ran.succeeded { Ok(ran) } else { Err(format!("`{}` failed", line(command))) }
}

/// Whether the path holds a program of that name.
pub fn present(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn run(command: &mut Command, show: bool) -> Result<Ran, String> {
    let name = line(command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("`{name}` cannot be started: {error}"))?;
    let (sender, receiver) = mpsc::channel();
    let mut readers = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        readers.push(reader(stdout, sender.clone()));
    }
    if let Some(stderr) = child.stderr.take() {
        readers.push(reader(stderr, sender.clone()));
    }
    drop(sender);
    let mut lines = Vec::new();
    for line in receiver {
        if show {
            println!("{line}");
        }
        lines.push(line);
    }
    for reader in readers {
        // A reader ends with its stream; its failure is the stream's end.
        let _ = reader.join();
    }
    let status = child.wait().map_err(|error| format!("`{name}` was lost: {error}"))?;
    Ok(Ran { succeeded: status.success(), lines })
}

fn reader(stream: impl Read + Send + 'static, sender: mpsc::Sender<String>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut bytes = Vec::new();
        while reader.read_until(b'\n', &mut bytes).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned();
            bytes.clear();
            if sender.send(text).is_err() {
                break;
            }
        }
    })
}

/// The command as one would type it.
fn line(command: &Command) -> String {
    let program = command.get_program().to_string_lossy().into_owned();
    let name = program.rsplit('/').next().unwrap_or(&program).to_owned();
    std::iter::once(name)
        .chain(command.get_args().map(|argument| argument.to_string_lossy().into_owned()))
        .collect::<Vec<_>>()
        .join(" ")
}
