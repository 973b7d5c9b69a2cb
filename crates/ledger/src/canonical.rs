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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn canonical_json_is_one_text_for_one_value() {
        for (text, expected) in [
            (r#" { "b" : 1 , "a" : [ true , null ] } "#, r#"{"a":[true,null],"b":1}"#),
            (r#"{"é":1,"z":2,"":3}"#, r#"{"":3,"z":2,"é":1}"#),
            (r#""\u00e9\u001f\/\n""#, "\"é\\u001f/\\n\""),
            ("[1.0, 1, -0.0, 1E2, 0.10, 1e300]", "[1.0,1,-0.0,100.0,0.1,1e+300]"),
            ("18446744073709551615", "18446744073709551615"),
            ("18446744073709551616", "1.8446744073709552e+19"),
        ] {
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(json(&value), expected, "{text}");
        }
    }

    #[test]
    fn depth_counts_levels_and_survives_any() {
        assert_eq!((depth(&json!(1)), depth(&json!([])), depth(&json!({ "a": [1] }))), (0, 1, 2));
        let deep = (0..5_000).fold(json!(1), |inner, _| Value::Array(vec![inner]));
        assert!(depth(&deep) > 900);
        // Dropping it must not overflow either: taken apart from outside.
        let mut rest = deep;
        while let Value::Array(mut items) = rest {
            rest = items.pop().unwrap_or_default();
        }
    }

    #[test]
    fn every_field_counts_and_none_runs_into_the_next() {
        let (ada, bob) = (Actor::system("ada"), Actor { role: None, ..Actor::system("ada") });
        let change = ChangeId("c".to_owned());
        let fact = Envelope {
            seq: FactSeq(1),
            time: Timestamp::from_nanos(5),
            actor: &ada,
            reason: "ab",
            change: None,
            chapter: "c",
            kind: "k",
            version: 1,
            subject: "s",
            payload: "{}",
        };
        let variants = [
            fact,
            Envelope { seq: FactSeq(2), ..fact },
            Envelope { time: Timestamp::from_nanos(-5), ..fact },
            Envelope { actor: &bob, ..fact },
            Envelope { reason: "a", chapter: "bc", ..fact },
            Envelope { reason: "abc", chapter: "", ..fact },
            Envelope { change: Some(&change), ..fact },
            Envelope { kind: "", subject: "ks", ..fact },
            Envelope { version: 2, ..fact },
            Envelope { payload: "[]", ..fact },
        ];
        let mut hashes: Vec<Hash> = variants.iter().map(|fact| fact.hash(&NO_FACT)).collect();
        hashes.push(fact.hash(&[1; 32]));
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), variants.len() + 1);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::vec((any::<String>(), inner), 0..6)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    /// The same value with the fields of every object the other way round.
    fn reversed(value: &Value) -> Value {
        match value {
            Value::Array(items) => items.iter().map(reversed).collect(),
            Value::Object(fields) => Value::Object(
                fields.iter().rev().map(|(key, inner)| (key.clone(), reversed(inner))).collect(),
            ),
            scalar => scalar.clone(),
        }
    }

    proptest! {
        #[test]
        fn it_reads_back_to_the_same_value_and_text(value in any_json()) {
            let text = json(&value);
            let back: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(json(&back), text);
            prop_assert_eq!(back, value);
        }

        #[test]
        fn the_order_of_fields_does_not_matter(value in any_json()) {
            prop_assert_eq!(json(&reversed(&value)), json(&value));
        }
    }
}
