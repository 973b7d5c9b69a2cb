//! Resource text: YAML 1.2 (several documents in a file) and JSON, read into values that remember where each key and
//! value was written, so that every later finding can name file, line and column.
//!
//! What it is not: a general YAML library. Only what JSON can hold is accepted; custom and binary tags, merge keys and
//! keys that are not text are refused with advice. Booleans are YAML 1.2's `true` and `false`: `no`, `off` and `on` are
//! text. JSON is read by the same parser, being a subset.
//!
//! Invariants: a value's place tree has the value's shape; nothing lossy is accepted silently (numbers that do not fit,
//! duplicate keys); reading costs at most the named limits, however aliases multiply.
//!
//! Sources: YAML 1.2.2, chapter 10.3 (core schema); JSON Schema 2020-12; RFC 6901 (JSON pointer).

mod compose;
mod decode;
mod difference;
mod emit;
mod fuzz;
mod scalar;
mod schema;
mod yaml;

use kernel::{Position, Problem};
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use difference::diff;
pub use emit::to_yaml;
pub use fuzz::fuzz_one;
pub use schema::check;

use compose::{Mark, Place};

/// Longest text read, in bytes.
pub const MAX_TEXT_BYTES: usize = 4 << 20;

/// Deepest nesting of sequences and mappings.
pub const MAX_DEPTH: usize = 64;

/// Most values in one text, counting what aliases repeat.
pub const MAX_NODES: usize = 200_000;

/// Most bytes of scalars and keys in one text, counting what aliases repeat.
pub const MAX_SCALAR_BYTES: usize = 16 << 20;

/// Most documents in one text.
pub const MAX_DOCUMENTS: usize = 10_000;

/// Most findings reported for one text; the rest are cut off.
pub const MAX_PROBLEMS: usize = 50;

/// One document of a text: its value, and where each part of it was written.
#[derive(Clone, Debug)]
pub struct Document {
    value: Value,
    file: String,
    place: Option<Place>,
}

/// Reads every document of `text`. Empty documents (nothing, or only comments, between two `---`) are left out, so the
/// answer may be empty. `file` is the name shown in positions; it may be empty.
///
/// # Errors
/// Everything found wrong, with its place: at most [`MAX_PROBLEMS`], none of them guesses after a syntax error.
pub fn parse(file: &str, text: &str) -> Result<Vec<Document>, Vec<Problem>> {
    let nodes = yaml::read(file, text)?;
    let document =
        |node: compose::Node| Document { value: node.value, file: file.to_owned(), place: Some(node.place) };
    Ok(nodes.into_iter().map(document).collect())
}

// === impl Document ===

impl Document {
    /// A document around a value that was not read from text (an API body, say): its positions are all unknown.
    pub fn unplaced(value: Value) -> Self {
        Self { value, file: String::new(), place: None }
    }

    /// The whole value.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The value without its places.
    pub fn into_value(self) -> Value {
        self.value
    }

    /// The file's name as given to [`parse`].
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The value at a JSON pointer (`/spec/variants/on`; the empty pointer is the whole).
    pub fn get(&self, pointer: &str) -> Option<&Value> {
        self.value.pointer(pointer)
    }

    /// Where the value at a JSON pointer starts. When nothing is there, the nearest value that encloses it; line and
    /// column 1 for a document without text.
    pub fn position(&self, pointer: &str) -> Position {
        self.at(self.find(pointer).map(|place| place.value))
    }

    /// Where the key that names the entry at a JSON pointer starts; for a sequence's item, the item itself. When nothing
    /// is there, as [`Document::position`].
    pub fn key_position(&self, pointer: &str) -> Position {
        self.at(self.find(pointer).map(|place| place.key.unwrap_or(place.value)))
    }

    /// A finding about the value at a JSON pointer; unplaced when the document was not read from text.
    pub fn problem(&self, pointer: &str, message: impl Into<String>, hint: Option<String>) -> Problem {
        let at = self.place.is_some().then(|| self.position(pointer));
        Problem { message: message.into(), at, hint }
    }

    /// As [`Document::problem`], placed at the key.
    pub fn key_problem(&self, pointer: &str, message: impl Into<String>, hint: Option<String>) -> Problem {
        let at = self.place.is_some().then(|| self.key_position(pointer));
        Problem { message: message.into(), at, hint }
    }

    /// The whole as a `T`.
    ///
    /// # Errors
    /// The first thing that does not fit, with its place and, for an unknown word, the nearest known one. Call
    /// [`check`] first to have every finding.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, Vec<Problem>> {
        self.decode_at("")
    }

    /// The value at a JSON pointer as a `T`.
    ///
    /// # Errors
    /// Nothing is there, or as [`Document::decode`].
    pub fn decode_at<T: DeserializeOwned>(&self, pointer: &str) -> Result<T, Vec<Problem>> {
        decode::decode(self, pointer)
    }

    /// As [`check`].
    ///
    /// # Errors
    /// What [`check`] found, if it found anything.
    pub fn checked(&self, schema: &Value) -> Result<(), Vec<Problem>> {
        let problems = check(self, schema);
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    fn at(&self, mark: Option<Mark>) -> Position {
        let Mark { line, column } = mark.unwrap_or(Mark { line: 1, column: 1 });
        Position { file: self.file.clone(), line, column }
    }

    /// The place at `pointer`, or the deepest one on the way there.
    fn find(&self, pointer: &str) -> Option<&Place> {
        let mut place = self.place.as_ref()?;
        let mut value = &self.value;
        for token in pointer.split('/').skip(1) {
            let next = match value {
                Value::Object(map) => {
                    let key = unescape(token);
                    let at = map.keys().position(|k| *k == key);
                    at.and_then(|at| Some((place.children.get(at)?, map.get(&key)?)))
                }
                Value::Array(items) => {
                    token.parse::<usize>().ok().and_then(|at| Some((place.children.get(at)?, items.get(at)?)))
                }
                _ => None,
            };
            match next {
                Some((p, v)) => (place, value) = (p, v),
                None => break,
            }
        }
        Some(place)
    }
}

/// One token of a JSON pointer, escaped (RFC 6901): `~` is `~0`, `/` is `~1`.
pub fn pointer_token(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn unescape(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests;
