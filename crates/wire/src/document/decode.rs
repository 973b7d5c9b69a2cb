//! From a document to a Rust type, with the place of what does not fit.

use kernel::{Problem, did_you_mean};
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};

use super::{Document, pointer_token};

pub(super) fn decode<T: DeserializeOwned>(document: &Document, pointer: &str) -> Result<T, Vec<Problem>> {
    let Some(value) = document.get(pointer) else {
        let name = pointer.rsplit('/').next().unwrap_or_default();
        return Err(vec![document.problem(pointer, format!("`{name}` is missing"), None)]);
    };
    serde_path_to_error::deserialize(value).map_err(|error| {
        let at = format!("{pointer}{}", to_pointer(error.path()));
        vec![explain(document, &at, &error.into_inner().to_string())]
    })
}

fn to_pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path.iter() {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => pointer.push_str(&format!("/{}", pointer_token(key))),
            // An externally tagged enum writes its variant as a key.
            Segment::Enum { variant } => pointer.push_str(&format!("/{}", pointer_token(variant))),
            Segment::Unknown => break,
        }
    }
    pointer
}

/// Serde writes its findings as text only; the words in back quotes are the one found and the ones it knows.
fn explain(document: &Document, pointer: &str, message: &str) -> Problem {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = ["unknown field", "unknown variant"].iter().any(|start| message.starts_with(start));
    let hint = unknown
        .then(|| quoted.next().and_then(|word| did_you_mean(word, quoted)))
        .flatten()
        .map(|word| format!("did you mean `{word}`?"));
    if message.starts_with("unknown field") {
        return document.key_problem(pointer, message, hint);
    }
    document.problem(pointer, message, hint)
}
