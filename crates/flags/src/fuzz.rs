//! One entry for fuzzers: any bytes in, no panic; what is accepted can be evaluated, written and read again.

use kernel::{Metadata, Timestamp};
use serde_json::json;

use crate::spec::DEFAULT_FLAG_SET;
use crate::{
    Checks, Command, Context, Fact, FlagSpec, State, UsageByVariant, apply, debt, decide, due, flagd, rollout,
};

/// Reads `data` as a flagd file and as the spec of a flag, and does with either all that can be done with it. Answers
/// whether it was accepted as the one and as the other.
#[allow(clippy::panic, reason = "a fuzzer is told of a finding by a panic")]
pub fn fuzz_one(data: &[u8]) -> (bool, bool) {
    let Ok(text) = std::str::from_utf8(data) else { return (false, false) };
    let import = flagd::import(text).ok();
    if let Some(import) = &import {
        let flags = import.flags.iter().map(|(key, spec)| (key.as_str(), spec));
        let written = flagd::export(Some(&import.set), flags, None).to_string();
        match flagd::import(&written) {
            Ok(again) if (&again.set, &again.flags) == (&import.set, &import.flags) => {}
            other => panic!("the export {written} reads back as {other:?}"),
        }
        exercise(import.clone().into_command(&State::default(), DEFAULT_FLAG_SET));
    }
    let spec = serde_json::from_str::<FlagSpec>(text).ok();
    let defined = spec.map(|spec| {
        let metadata = Metadata { name: "fuzzed".to_owned(), ..Metadata::default() };
        Command::DefineFlag { metadata, spec: Box::new(spec), checks: Checks::Strict }
    });
    (import.is_some(), defined.is_some_and(exercise))
}

/// Carries out a command on nothing, and then does with the state all that can be done. `false`: it was refused.
#[allow(clippy::panic, reason = "a fuzzer is told of a finding by a panic")]
fn exercise(command: Command) -> bool {
    let now = Timestamp::from_secs(1_800_000_000);
    let mut state = State::default();
    let Ok(facts) = decide(&state, command.clone(), now) else { return false };
    for fact in &facts {
        match Fact::decode(fact.kind(), fact.version(), fact.payload()) {
            Ok(again) if again == *fact => apply(&mut state, &again, now),
            other => panic!("{fact:?} reads back as {other:?}"),
        }
    }
    match decide(&state, command, now) {
        Ok(facts) if facts.is_empty() => {}
        other => panic!("the same again is {other:?}"),
    }
    let context =
        Context::default().with("targetingKey", "u").with("l", json!([1, "a", {"k": [true]}, null]));
    for (_, evaluation) in state.evaluate_all(Some("prod"), &context, now) {
        if evaluation.value.is_some() != evaluation.variant.is_some() {
            panic!("a value without a variant: {evaluation:?}");
        }
    }
    for flag in state.flags() {
        rollout(&flag.spec, None);
    }
    debt(&state, &UsageByVariant::default(), None, now);
    for command in due(&state, now) {
        if decide(&state, command, now).is_err() {
            panic!("what is due is refused");
        }
    }
    true
}
