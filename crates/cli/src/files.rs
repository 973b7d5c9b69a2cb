//! Resource files named on the command line, as the API takes them.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::{Exit, Failure};

/// Deepest folder below one that is named.
const MAX_DEPTH: usize = 16;

/// Reads files, folders and standard input into `[{file, text}]`.
pub(crate) fn documents(paths: &[PathBuf]) -> Result<Vec<Value>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        if path == Path::new("-") {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|e| Failure::new(Exit::Refused, format!("standard input cannot be read: {e}")))?;
            found.push(json!({"file": "-", "text": text}));
        } else {
            gather(path, 0, &mut found)?;
        }
    }
    if found.is_empty() {
        let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        return Err(Failure::new(
            Exit::Refused,
            format!("there is no YAML or JSON file in {}", names.join(", ")),
        ));
    }
    Ok(found)
}

fn gather(path: &Path, depth: usize, found: &mut Vec<Value>) -> Result<(), Failure> {
    let failed =
        |e: std::io::Error| Failure::new(Exit::Refused, format!("{} cannot be read: {e}", path.display()));
    if depth > MAX_DEPTH {
        return Err(Failure::new(
            Exit::Refused,
            format!("{}: folders nest deeper than {MAX_DEPTH}", path.display()),
        ));
    }
    if !path.is_dir() {
        let text = std::fs::read_to_string(path).map_err(failed)?;
        found.push(json!({"file": path.display().to_string(), "text": text}));
        return Ok(());
    }
    let mut entries: Vec<PathBuf> = std::fs::read_dir(path)
        .map_err(failed)?
        .map(|e| e.map(|e| e.path()))
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    entries.sort();
    for entry in entries {
        let hidden = entry.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let wanted = entry.extension().and_then(|e| e.to_str()).is_some_and(|extension| {
            ["yaml", "yml", "json"].iter().any(|known| extension.eq_ignore_ascii_case(known))
        });
        if !hidden && (entry.is_dir() || wanted) {
            gather(&entry, depth + 1, found)?;
        }
    }
    Ok(())
}
