//! How large a fact, an effect and a batch may be. Every adapter refuses what is larger, before anything is written.

use serde_json::Value;

use crate::{LedgerError, NewEffect, NewFact, canonical};

/// Most bytes of a fact's payload, as canonical JSON.
pub const MAX_PAYLOAD_BYTES: usize = 1 << 20;
/// Deepest nesting of a payload; readers of JSON commonly stop at 128.
pub const MAX_PAYLOAD_DEPTH: usize = 100;
/// Most bytes of a reason.
pub const MAX_REASON_BYTES: usize = 4_096;
/// Most bytes of a chapter's or kind's name.
pub const MAX_NAME_BYTES: usize = 128;
/// Most bytes of a subject.
pub const MAX_SUBJECT_BYTES: usize = 1_024;
/// Most bytes of an actor's name.
pub const MAX_ACTOR_BYTES: usize = 512;
/// Most bytes of a change's id.
pub const MAX_CHANGE_BYTES: usize = 128;
/// Most facts in one append.
pub const MAX_FACTS: usize = 10_000;
/// Most effects in one append.
pub const MAX_EFFECTS: usize = 10_000;
/// Most bytes of an effect's idempotency key.
pub const MAX_KEY_BYTES: usize = 512;
/// Most bytes kept of a delivery's error; the rest is cut.
pub const MAX_ERROR_BYTES: usize = 4_096;
/// Most bytes of a snapshot's state.
pub const MAX_SNAPSHOT_BYTES: usize = 256 << 20;

/// A fact within the limits, with its payload as it is hashed and stored.
#[derive(Clone, Debug)]
pub struct CheckedFact {
    /// The fact.
    pub fact: NewFact,
    /// Its payload as canonical JSON.
    pub payload: String,
}

/// An effect within the limits, with its payload as it is stored.
#[derive(Clone, Debug)]
pub struct CheckedEffect {
    /// The effect.
    pub effect: NewEffect,
    /// Its payload as canonical JSON.
    pub payload: String,
}

/// Holds the facts of one append against the limits.
///
/// # Errors
/// [`LedgerError::TooLarge`] names the fact (from 1 within the append), the limit and the size.
pub fn check_facts(facts: Vec<NewFact>) -> Result<Vec<CheckedFact>, LedgerError> {
    within("an append", "facts", facts.len(), MAX_FACTS)?;
    facts
        .into_iter()
        .enumerate()
        .map(|(index, fact)| check_fact(&format!("fact {}", index + 1), fact))
        .collect()
}

/// Holds one fact against the limits; `what` names it in the error.
///
/// # Errors
/// [`LedgerError::TooLarge`].
pub fn check_fact(what: &str, fact: NewFact) -> Result<CheckedFact, LedgerError> {
    within(what, "bytes in its chapter's name", fact.chapter.len(), MAX_NAME_BYTES)?;
    within(what, "bytes in its kind", fact.kind.len(), MAX_NAME_BYTES)?;
    within(what, "bytes in its subject", fact.subject.len(), MAX_SUBJECT_BYTES)?;
    within(what, "bytes in its reason", fact.reason.len(), MAX_REASON_BYTES)?;
    within(what, "bytes in its actor's name", fact.actor.name.len(), MAX_ACTOR_BYTES)?;
    within(what, "bytes in its change", fact.change.as_ref().map_or(0, |c| c.0.len()), MAX_CHANGE_BYTES)?;
    let payload = check_payload(what, &fact.payload)?;
    Ok(CheckedFact { fact, payload })
}

/// Holds the effects of one append against the limits.
///
/// # Errors
/// [`LedgerError::TooLarge`] names the effect, the limit and the size.
pub fn check_effects(effects: Vec<NewEffect>) -> Result<Vec<CheckedEffect>, LedgerError> {
    within("an append", "effects", effects.len(), MAX_EFFECTS)?;
    let check = |(index, effect): (usize, NewEffect)| {
        let what = format!("effect {}", index + 1);
        within(&what, "bytes in its key", effect.key.len(), MAX_KEY_BYTES)?;
        within(&what, "bytes in its kind", effect.kind.len(), MAX_NAME_BYTES)?;
        let payload = check_payload(&what, &effect.payload)?;
        Ok(CheckedEffect { effect, payload })
    };
    effects.into_iter().enumerate().map(check).collect()
}

/// `text` cut to [`MAX_ERROR_BYTES`] at a character's end.
pub fn cut_error(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_ERROR_BYTES));
    text
}

/// Holds `size` against `limit`.
///
/// # Errors
/// [`LedgerError::TooLarge`]: "fact 3 has 5000 bytes in its reason; the limit is 4096".
pub fn within(what: &str, of: &str, size: usize, limit: usize) -> Result<(), LedgerError> {
    if size <= limit {
        return Ok(());
    }
    Err(LedgerError::TooLarge(format!("{what} has {size} {of}; the limit is {limit}")))
}

fn check_payload(what: &str, payload: &Value) -> Result<String, LedgerError> {
    within(what, "levels of nesting in its payload", canonical::depth(payload), MAX_PAYLOAD_DEPTH)?;
    let text = canonical::json(payload);
    within(what, "bytes in its payload", text.len(), MAX_PAYLOAD_BYTES)?;
    Ok(text)
}
