//! Limits that only a decision can reach: on the chapter as a whole, and on what flags ask of each other.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and what it calls is part of it"
)]

use flags::{
    Checks, Command, Context, FlagSetSpec, FlagSpec, Prerequisite, Reason, Refusal, State, apply, decide,
    limits,
};
use kernel::{Fault, FaultKind, Metadata, Timestamp};
use serde_json::{Value, json};

fn named(name: String) -> Metadata {
    Metadata { name, ..Metadata::default() }
}

fn flag(name: String, spec: FlagSpec) -> Command {
    Command::DefineFlag { metadata: named(name), spec: Box::new(spec), checks: Checks::Strict }
}

fn on() -> FlagSpec {
    FlagSpec { default_variant: "on".into(), ..FlagSpec::new([("on", Value::Bool(true))]) }
}

fn requiring(names: impl IntoIterator<Item = String>) -> FlagSpec {
    let of = |flag| Prerequisite { flag, variants: vec!["on".to_owned()] };
    FlagSpec { prerequisites: names.into_iter().map(of).collect(), ..on() }
}

fn take(state: &mut State, command: Command) -> Result<(), Refusal> {
    for fact in decide(state, command, Timestamp::EPOCH)? {
        apply(state, &fact, Timestamp::EPOCH);
    }
    Ok(())
}

fn check(command: Command, expected: &str) {
    let fault = Fault::from(take(&mut State::default(), command).unwrap_err());
    assert_eq!(fault.kind, FaultKind::Invalid);
    assert!(fault.to_string().contains(expected), "{fault}");
}

#[test]
fn the_chapter_holds_so_many_flags_and_sets() {
    let many = |count: usize| Command::Batch((0..count).map(|i| flag(format!("f{i}"), on())).collect());
    check(many(limits::MAX_FLAGS + 1), "there may be at most 100000 flags");
    let set = |i| Command::DefineFlagSet {
        metadata: named(format!("s{i}")),
        spec: Box::new(FlagSetSpec::default()),
        checks: Checks::Strict,
    };
    let sets = |count: usize| Command::Batch((0..count).map(set).collect());
    check(sets(limits::MAX_FLAG_SETS + 1), "there may be at most 1000 flag sets");
    assert_eq!(take(&mut State::default(), sets(limits::MAX_FLAG_SETS)), Ok(()));
}

#[test]
fn a_flag_may_say_so_much() {
    let environments = |count: usize| (0..count).map(|i| (format!("e{i}"), flags::Environment::default()));
    let spec = FlagSpec { environments: environments(limits::MAX_ENVIRONMENTS + 1).collect(), ..on() };
    check(flag("a".to_owned(), spec), "/environments: there are 51 environments; at most 50 are allowed");
    let text = Some("x".repeat(limits::MAX_TEXT_BYTES + 1));
    check(
        flag("a".to_owned(), FlagSpec { owner: text.clone(), ..on() }),
        "/owner: it is longer than 4096 bytes",
    );
    check(flag("a".to_owned(), FlagSpec { description: text, ..on() }), "/description: it is longer");
    let others = (0..=limits::MAX_PREREQUISITES).map(|i| format!("f{i}"));
    check(flag("a".to_owned(), requiring(others)), "/prerequisites: there are 21 prerequisites; at most 20");
    check(flag("x".repeat(limits::MAX_NAME_BYTES + 1), on()), "it is longer than 253 bytes");
    check(flag(String::new(), on()), "it is empty");
    let labels = (0..=limits::MAX_METADATA).map(|i| (format!("l{i}"), String::new())).collect();
    let metadata = Metadata { labels, ..named("a".to_owned()) };
    let command = Command::DefineFlag { metadata, spec: Box::new(on()), checks: Checks::Strict };
    check(command, "at most 100 labels");
}

#[test]
fn prerequisites_ask_for_so_many_evaluations() {
    // A chain: each flag requires the one before.
    let mut state = State::default();
    take(&mut state, flag("f0".to_owned(), on())).unwrap();
    for i in 1..=limits::MAX_PREREQUISITE_EVALUATIONS {
        take(&mut state, flag(format!("f{i}"), requiring([format!("f{}", i - 1)]))).unwrap();
    }
    let last = format!("f{}", limits::MAX_PREREQUISITE_EVALUATIONS);
    let found = state.evaluate(&last, None, &Context::default(), Timestamp::EPOCH);
    assert_eq!(found.reason, Reason::Static);
    let more = take(&mut state, flag("more".to_owned(), requiring([last]))).unwrap_err();
    assert!(Fault::from(more).to_string().contains("evaluate more than 100 other flags"));

    // A lattice: each flag requires both flags of the layer below, so evaluations double with every layer.
    let mut state = State::default();
    let layer = |i: usize| [format!("a{i}"), format!("b{i}")];
    for name in layer(0) {
        take(&mut state, flag(name, on())).unwrap();
    }
    let refused = (1..20).find(|i| {
        layer(*i).into_iter().any(|name| take(&mut state, flag(name, requiring(layer(i - 1)))).is_err())
    });
    // 2 + 4 + 8 + 16 + 32 = 62 evaluations are fine, and 64 more are not.
    assert_eq!(refused, Some(6));

    // Growing a flag below counts for the flags above.
    let lower = FlagSpec { prerequisites: requiring(layer(0)).prerequisites, ..on() };
    take(&mut state, flag("c".to_owned(), requiring(layer(5)))).unwrap_err();
    take(&mut state, flag("a1".to_owned(), lower)).unwrap();
    let grown = requiring(
        ["a0".to_owned(), "b0".to_owned(), "a0".to_owned(), "b0".to_owned()].into_iter().cycle().take(20),
    );
    let fault = Fault::from(take(&mut state, flag("a1".to_owned(), grown)).unwrap_err());
    assert!(fault.to_string().contains("evaluate more than 100 other flags"), "{fault}");
}

#[test]
fn an_evaluator_may_not_grow_beyond_what_its_flags_can_bear() {
    let set = |rule: Value| Command::DefineFlagSet {
        metadata: named("default".to_owned()),
        spec: Box::new(serde_json::from_value(json!({"evaluators": {"e": rule}})).unwrap()),
        checks: Checks::Strict,
    };
    let mut state = State::default();
    take(&mut state, set(json!({"var": "x"}))).unwrap();
    let targeting = Some(json!({"if": [{"and": [{"$ref": "e"}, {"$ref": "e"}]}, "on"]}));
    take(&mut state, flag("a".to_owned(), FlagSpec { targeting, ..on() })).unwrap();
    let half = vec![json!(1); limits::MAX_TARGETING_NODES / 2];
    let fault = Fault::from(take(&mut state, set(json!({"+": half}))).unwrap_err());
    assert!(fault.to_string().contains("Flag/a is refused"), "{fault}");
    assert!(fault.to_string().contains("more than 10000 nodes"), "{fault}");
}
