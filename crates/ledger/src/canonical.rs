//! The bytes that are hashed: canonical JSON for payloads, and the envelope of a fact. `docs/formats/ledger.md` is the
//! same in prose; a change here is a new envelope version, never an edit.
//!
//! Canonical JSON has no white space, object keys in ascending order of their UTF-8 bytes, and strings and numbers as
//! `serde_json` writes them. It reads back to an equal value, so it is its own canonical form.

use kernel::{Actor, ActorKind, ChangeId, FactSeq, Timestamp};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A SHA-256.
pub type Hash = [u8; 32];

/// What the first fact has for its previous hash.
pub const NO_FACT: Hash = [0; 32];

/// Begins the hashed bytes of every fact of envelope version 1.
const FACT_TAG: &[u8] = b"mainstay fact 1\n";

/// Everything about a fact that is hashed beside the hash before it.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// Its number.
    pub seq: FactSeq,
    /// When.
    pub time: Timestamp,
    /// Who.
    pub actor: &'a Actor,
    /// Why.
    pub reason: &'a str,
    /// The alteration it belongs to.
    pub change: Option<&'a ChangeId>,
    /// The chapter.
    pub chapter: &'a str,
    /// Its kind.
    pub kind: &'a str,
    /// The payload's version.
    pub version: u16,
    /// What it is about.
    pub subject: &'a str,
    /// The payload as canonical JSON.
    pub payload: &'a str,
}

/// SHA-256 over a tag and fields, each prefixed with its length, so that no two field lists give the same bytes.
pub struct FieldHasher(Sha256);

// === impl Envelope ===

impl Envelope<'_> {
    /// The fact's place in the chain after `previous`.
    pub fn hash(&self, previous: &Hash) -> Hash {
        let mut fields = FieldHasher::new(FACT_TAG);
        fields
            .bytes(previous)
            .integer(self.seq.0)
            .integer(self.time.as_nanos().cast_unsigned())
            .text(actor_kind(self.actor.kind))
            .text(&self.actor.name)
            .optional(self.actor.role.map(kernel::Role::as_str))
            .text(self.reason)
            .optional(self.change.map(|change| change.0.as_str()))
            .text(self.chapter)
            .text(self.kind)
            .integer(u64::from(self.version))
            .text(self.subject)
            .text(self.payload);
        fields.finish()
    }
}

// === impl FieldHasher ===

impl FieldHasher {
    /// Begins with `tag`, which names the format.
    pub fn new(tag: &[u8]) -> Self {
        Self(Sha256::new_with_prefix(tag))
    }

    /// Adds bytes: their number as 8 bytes, big-endian, then they themselves.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
        self
    }

    /// Adds text as its UTF-8 bytes.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    /// Adds an integer as 8 bytes, big-endian, two's complement.
    pub fn integer(&mut self, integer: u64) -> &mut Self {
        self.0.update(integer.to_be_bytes());
        self
    }

    /// Adds one byte, 0 for nothing and 1 for something, and then the text.
    pub fn optional(&mut self, text: Option<&str>) -> &mut Self {
        self.0.update([u8::from(text.is_some())]);
        match text {
            Some(text) => self.text(text),
            None => self,
        }
    }

    /// The hash.
    pub fn finish(self) -> Hash {
        self.0.finalize().into()
    }
}

/// Canonical JSON of `value`.
pub fn json(value: &Value) -> String {
    let mut text = String::new();
    write_value(&mut text, value);
    text
}

/// How deeply arrays and objects are nested in `value`: 0 for a scalar. Looks no deeper than is needed to know that a
/// limit of a hundred or so is passed, so that it cannot overflow the stack itself.
pub fn depth(value: &Value) -> usize {
    fn within(value: &Value, level: usize) -> usize {
        const DEEPEST: usize = 1_000;
        let deeper = |inner: &Value| if level >= DEEPEST { level } else { within(inner, level + 1) };
        match value {
            Value::Array(items) => items.iter().map(deeper).max().unwrap_or(0).max(level + 1),
            Value::Object(fields) => fields.values().map(deeper).max().unwrap_or(0).max(level + 1),
            _ => level,
        }
    }
    within(value, 0)
}

/// An actor kind as it is hashed and stored.
pub const fn actor_kind(kind: ActorKind) -> &'static str {
    match kind {
        ActorKind::User => "user",
        ActorKind::Token => "token",
        ActorKind::Local => "local",
        ActorKind::System => "system",
        ActorKind::Anonymous => "anonymous",
    }
}

/// The reverse of [`actor_kind`].
pub fn parse_actor_kind(text: &str) -> Option<ActorKind> {
    [ActorKind::User, ActorKind::Token, ActorKind::Local, ActorKind::System, ActorKind::Anonymous]
        .into_iter()
        .find(|kind| actor_kind(*kind) == text)
}

/// A hash from 64 hex digits.
pub fn parse_hash(text: &str) -> Option<Hash> {
    let mut hash = NO_FACT;
    hex::decode_to_slice(text, &mut hash).ok().map(|()| hash)
}

fn write_value(text: &mut String, value: &Value) {
    match value {
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_value(text, item);
            }
            text.push(']');
        }
        Value::Object(fields) => {
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_unstable_by(|a, b| a.0.cmp(b.0));
            text.push('{');
            for (index, (key, inner)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_scalar(text, &Value::String(key.clone()));
                text.push(':');
                write_value(text, inner);
            }
            text.push('}');
        }
        scalar => write_scalar(text, scalar),
    }
}

fn write_scalar(text: &mut String, scalar: &Value) {
    use std::fmt::Write as _;
    // Writing into a String cannot fail.
    let _ = write!(text, "{scalar}");
}
