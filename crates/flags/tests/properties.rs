//! Properties: of flagd's files, and of decisions and folds under any sequence of commands.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and what it calls is part of it"
)]

use std::fs;
use std::path::Path;

use flags::{
    Checks, Command, Context, DefaultVariant, Environment, Fact, FlagPatch, FlagSetSpec, FlagSpec, FlagState,
    HashVersion, Prerequisite, State, apply, decide, due, flagd, fuzz_one, limits,
};
use kernel::{Metadata, Timestamp};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// A flagd file, mostly sound.
fn any_file() -> impl Strategy<Value = Value> {
    let rule = prop::sample::select(vec![
        json!({}),
        Value::Null,
        json!({"if": [{"==": [{"var": "a"}, 1]}, "on", "off"]}),
        json!({"fractional": [["on", 1], ["off", 3]]}),
        json!({"if": [{"$ref": "e"}, "on"]}),
        json!({"nonsense": 1}),
        json!({"var": "v"}),
    ]);
    let variants = prop_oneof![
        Just(json!({"on": true, "off": false})),
        Just(json!({"on": 1, "off": 2.5})),
        Just(json!({"on": "a", "off": ""})),
        Just(json!({"on": {"x": [1]}, "off": {}})),
        Just(json!({"on": true, "off": 1})),
    ];
    let metadata = prop::collection::hash_map(
        "[a-z]{1,4}",
        prop_oneof![any::<bool>().prop_map(Value::from), any::<i32>().prop_map(Value::from)],
        0..3,
    );
    let flag = (
        prop::sample::select(vec![Some("ENABLED"), Some("DISABLED"), None, Some("on")]),
        variants,
        prop::option::of(prop::sample::select(vec![json!("on"), json!("off"), json!(null), json!("gone")])),
        prop::option::of(rule.clone()),
        metadata,
    )
        .prop_map(|(state, variants, default, targeting, metadata)| {
            let mut flag = Map::new();
            flag.extend(state.map(|state| ("state".to_owned(), json!(state))));
            flag.insert("variants".to_owned(), variants);
            flag.extend(default.map(|default| ("defaultVariant".to_owned(), default)));
            flag.extend(targeting.map(|targeting| ("targeting".to_owned(), targeting)));
            if !metadata.is_empty() {
                flag.insert("metadata".to_owned(), json!(metadata));
            }
            Value::Object(flag)
        });
    (prop::collection::hash_map("[a-z/~\"é]{1,6}", flag, 0..5), any::<bool>()).prop_map(
        |(flags, evaluators)| {
            let mut file = json!({"flags": flags});
            if evaluators {
                file["$evaluators"] = json!({"e": {"var": "staff"}});
            }
            file
        },
    )
}

proptest! {
    #[test]
    fn a_flagd_file_comes_out_as_it_went_in(file in any_file(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&file).unwrap() } else { file.to_string() };
        match flagd::import(&text) {
            Ok(import) => {
                let flags = import.flags.iter().map(|(key, spec)| (key.as_str(), spec));
                let mut expected = file.clone();
                // What flagd takes as enabled is written as such.
                for flag in expected["flags"].as_object_mut().unwrap().values_mut() {
                    flag.as_object_mut().unwrap().entry("state").or_insert(json!("ENABLED"));
                }
                prop_assert_eq!(flagd::export(Some(&import.set), flags, None), expected);
            }
            Err(problems) => {
                prop_assert!(!problems.is_empty());
                for problem in problems {
                    let at = problem.at.unwrap();
                    let line = text.lines().nth(at.line as usize - 1).unwrap();
                    prop_assert!((1..=line.chars().count() + 1).contains(&(at.column as usize)), "{}", at);
                }
            }
        }
    }

    #[test]
    fn numbers_survive_to_the_last_bit(number in any::<f64>().prop_filter("JSON has no others", |n| n.is_finite())) {
        let text = json!({"flags": {"a": {"state": "ENABLED", "variants": {"on": number}, "defaultVariant": "on"}}}).to_string();
        let state = State::default();
        let command = flagd::import(&text).unwrap().into_command(&state, "default");
        let facts = decide(&state, command, Timestamp::EPOCH).unwrap();
        let payload = serde_json::from_str(&facts[0].payload().to_string()).unwrap();
        let mut state = State::default();
        apply(&mut state, &Fact::decode(facts[0].kind(), 1, payload).unwrap(), Timestamp::EPOCH);
        let value = state.evaluate("a", None, &Context::default(), Timestamp::EPOCH).value.unwrap();
        prop_assert_eq!(value.as_f64().unwrap().to_bits(), number.to_bits());
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,200}") {
        fuzz_one(text.as_bytes());
    }

    #[test]
    fn any_change_of_a_sound_file_is_read_or_refused(file in any_file(), cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let mut bytes = file.to_string().into_bytes();
        for (at, byte) in cuts {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        fuzz_one(&bytes);
    }

    #[test]
    fn facts_fold_to_the_state_they_were_decided_on(commands in prop::collection::vec(any_command(), 1..40)) {
        let (mut state, mut ledger) = (State::default(), Vec::new());
        for (second, command) in commands.into_iter().enumerate() {
            let now = Timestamp::from_secs(1_767_225_600 + 86_400 * i64::try_from(second).unwrap());
            take(&mut state, &mut ledger, command, now)?;
            for command in due(&state, now) {
                take(&mut state, &mut ledger, command, now)?;
            }
            prop_assert!(due(&state, now).is_empty(), "what was due has been done");
        }
        let mut folded = State::default();
        for (kind, version, payload, time) in ledger {
            apply(&mut folded, &Fact::decode(kind, version, payload).unwrap(), time);
        }
        prop_assert_eq!(&folded, &state);
        let thawed: State = serde_json::from_slice(&serde_json::to_vec(&state).unwrap()).unwrap();
        prop_assert_eq!(thawed, state);
    }

    #[test]
    fn any_facts_fold_without_a_panic(facts in prop::collection::vec(any_fact(), 0..30)) {
        let mut state = State::default();
        for fact in facts {
            apply(&mut state, &fact, Timestamp::EPOCH);
        }
        state.rebuild();
        let flags = state.flags().len();
        prop_assert!(flags <= 4);
    }
}

type Written = (&'static str, u16, Value, Timestamp);

/// Decides, and folds in what follows.
fn take(
    state: &mut State,
    ledger: &mut Vec<Written>,
    command: Command,
    now: Timestamp,
) -> Result<(), TestCaseError> {
    let before = state.clone();
    let Ok(facts) = decide(state, command, now) else { return Ok(()) };
    prop_assert_eq!(&before, &*state, "deciding changes nothing");
    for fact in facts {
        apply(state, &fact, now);
        ledger.push((fact.kind(), fact.version(), fact.payload(), now));
    }
    sound(state)
}

/// References hold, and every evaluation of what was checked strictly can be made.
fn sound(state: &State) -> Result<(), TestCaseError> {
    let context = Context::default().with("targetingKey", "u");
    for flag in state.flags() {
        prop_assert!(flag.spec.flag_set == "default" || state.flag_set(&flag.spec.flag_set).is_some());
        for prerequisite in &flag.spec.prerequisites {
            let other = state.flag(&prerequisite.flag);
            prop_assert!(other.is_some(), "{} requires nothing", flag.name);
        }
    }
    for (key, evaluation) in state.evaluate_all(Some("prod"), &context, Timestamp::EPOCH) {
        prop_assert!(evaluation.error_code.is_none(), "{}: {:?}", key, evaluation);
    }
    Ok(())
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "c", "d"]).prop_map(str::to_owned)
}

fn set_name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["default", "shop"]).prop_map(str::to_owned)
}

fn state() -> impl Strategy<Value = FlagState> {
    prop::sample::select(vec![FlagState::Enabled, FlagState::Disabled])
}

fn default() -> impl Strategy<Value = DefaultVariant> {
    prop::sample::select(vec![
        DefaultVariant::Unset,
        DefaultVariant::Code,
        "on".into(),
        "off".into(),
        "x".into(),
    ])
}

fn rule() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!({}),
        json!({"if": [{"$ref": "e"}, "on", "off"]}),
        json!({"fractional": [["on", 1], ["off", 3]]}),
        json!({"if": [{"var": "x"}, "x"]}),
        json!({"unknown": []}),
    ])
}

fn spec() -> impl Strategy<Value = FlagSpec> {
    let environment = (prop::option::of(state()), default(), prop::option::of(rule()))
        .prop_map(|(state, default_variant, targeting)| Environment { state, default_variant, targeting });
    let prerequisite = name().prop_map(|flag| Prerequisite { flag, variants: vec!["on".to_owned()] });
    (
        (set_name(), state(), default(), prop::option::of(rule())),
        prop::option::of(prop::sample::select(vec!["2026-01-03", "2026-01-10T12:00:00Z"])),
        prop::option::of(environment),
        prop::collection::vec(prerequisite, 0..2),
        0_u32..3,
        any::<bool>(),
    )
        .prop_map(
            |(
                (flag_set, state, default_variant, targeting),
                expires,
                environment,
                prerequisites,
                hash,
                three,
            )| {
                let mut variants = vec![("on", json!(true)), ("off", json!(false))];
                if three {
                    variants.push(("x", json!(true)));
                }
                FlagSpec {
                    flag_set,
                    state,
                    default_variant,
                    targeting,
                    expires: expires.map(|text| text.parse().unwrap()),
                    environments: environment.map(|there| ("prod".to_owned(), there)).into_iter().collect(),
                    prerequisites,
                    hash_version: HashVersion(hash),
                    ..FlagSpec::new(variants)
                }
            },
        )
}

fn set_spec() -> impl Strategy<Value = FlagSetSpec> {
    prop::sample::select(vec![
        json!({}),
        json!({"evaluators": {"e": {"var": "y"}}}),
        json!({"evaluators": {"e": {"$ref": "e"}}}),
    ])
    .prop_map(|spec| serde_json::from_value(spec).unwrap())
}

fn any_command() -> impl Strategy<Value = Command> {
    let version = prop::option::of(0_u64..4);
    let metadata = |name: String, version| Metadata { name, version, ..Metadata::default() };
    let patch = (prop::option::of(state()), prop::option::of(default()), prop::option::of(rule())).prop_map(
        |(state, default_variant, targeting)| FlagPatch { state, default_variant, targeting, variants: None },
    );
    let environment = prop::option::of(Just("prod".to_owned()));
    let one = prop_oneof![
        4 => (name(), version.clone(), spec()).prop_map(move |(name, version, spec)| Command::DefineFlag {
            metadata: metadata(name, version),
            spec: Box::new(spec),
            checks: Checks::Strict,
        }),
        2 => (set_name(), set_spec()).prop_map(move |(name, spec)| Command::DefineFlagSet {
            metadata: metadata(name, None),
            spec: Box::new(spec),
            checks: Checks::Strict,
        }),
        1 => (name(), version.clone()).prop_map(|(name, version)| Command::DeleteFlag { name, version }),
        1 => set_name().prop_map(|name| Command::DeleteFlagSet { name, version: None }),
        1 => (name(), state(), environment.clone()).prop_map(|(name, state, environment)| Command::SwitchFlag {
            name, state, environment, version: None,
        }),
        1 => (name(), patch, environment).prop_map(|(name, patch, environment)| Command::SetFlag {
            name, patch: Box::new(patch), environment, version: None,
        }),
        1 => name().prop_map(|name| Command::NoteExpiry { name }),
    ];
    prop_oneof![4 => one.clone(), 1 => prop::collection::vec(one, 0..4).prop_map(Command::Batch)]
}

fn any_fact() -> impl Strategy<Value = Fact> {
    let payload = (name(), 0_u64..5, spec(), state()).prop_map(|(name, version, spec, state)| {
        json!({"name": name, "version": version, "spec": spec, "state": state, "expires": "2026-01-03"})
    });
    (prop::sample::select(Fact::KINDS.to_vec()), payload).prop_map(|(kind, mut payload)| {
        if kind == "flag_set_defined" {
            payload["spec"] = json!({"evaluators": {"e": {"var": "y"}}});
        }
        Fact::decode(kind, 1, payload).unwrap()
    })
}

#[test]
fn flagds_own_file_comes_out_as_it_went_in() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/conformance/flags/evaluator/flags/testkit-flags.json");
    let Ok(text) = fs::read_to_string(&path) else {
        eprintln!("SKIPPED: {} is not there", path.display());
        return;
    };
    let import = flagd::import(&text).unwrap();
    let flags = import.flags.iter().map(|(key, spec)| (key.as_str(), spec));
    assert_eq!(flagd::export(Some(&import.set), flags, None), serde_json::from_str::<Value>(&text).unwrap());
    // And through the ledger.
    let mut state = State::default();
    for fact in decide(&state, import.into_command(&state, "default"), Timestamp::EPOCH).unwrap() {
        apply(&mut state, &fact, Timestamp::EPOCH);
    }
    let flags = state.flags().map(|flag| (&*flag.name, &flag.spec));
    let set = state.flag_set("default").map(|set| &set.spec);
    assert_eq!(flagd::export(set, flags, None), serde_json::from_str::<Value>(&text).unwrap());
}

#[test]
fn every_limit_of_a_file_is_refused_by_name() {
    let flag = json!({"state": "ENABLED", "variants": {"on": true}});
    let flags = |count: usize| (0..count).map(|i| (format!("f{i}"), flag.clone())).collect::<Map<_, _>>();
    let with = |field: &str, value: Value| {
        let mut flag = flag.clone();
        flag[field] = value;
        json!({"flags": {"f": flag}})
    };
    let many = |count: usize, value: Value| {
        (0..count).map(|i| (format!("v{i}"), value.clone())).collect::<Map<_, _>>()
    };
    let nested =
        |depth: usize| (0..depth).fold(json!({"a": 1, "b": 2}), |value, _| json!({"a": value, "b": 1}));
    let deep = (0..=limits::MAX_TARGETING_DEPTH).fold(json!(1), |rule, _| json!({"!": [rule]}));
    for (file, expected) in [
        (json!({"flags": flags(limits::MAX_FLAGS_PER_FILE + 1)}), "at most 10000 are read from a file"),
        (json!({"flags": {"k".repeat(limits::MAX_NAME_BYTES + 1): flag}}), "it is longer than 253 bytes"),
        (with("variants", json!(many(limits::MAX_VARIANTS + 1, json!(1)))), "1001 variants; at most 1000"),
        (
            with("variants", json!({"n".repeat(limits::MAX_NAME_BYTES + 1): 1})),
            "the variant's name is longer than 253",
        ),
        (with("variants", json!({"on": "x".repeat(limits::MAX_VALUE_BYTES)})), "larger than 262144 bytes"),
        (with("metadata", json!(many(limits::MAX_METADATA + 1, json!(1)))), "101 entries; at most 100"),
        (with("metadata", json!({"a": "x".repeat(limits::MAX_TEXT_BYTES + 1)})), "longer than 4096 bytes"),
        (with("targeting", deep), "nested deeper than 50"),
        (with("variants", json!({"on": nested(limits::MAX_VALUE_DEPTH)})), "nested deeper than 32"),
        (
            with("targeting", json!({"in": [1, nested(limits::MAX_TARGETING_JSON_DEPTH)]})),
            "nested deeper than 50",
        ),
        (
            with("targeting", json!({"+": vec![json!(1); limits::MAX_TARGETING_NODES]})),
            "more than 10000 nodes",
        ),
        (
            json!({"flags": {}, "$evaluators": many(limits::MAX_EVALUATORS + 1, json!({"var": "x"}))}),
            "1001 evaluators; at most 1000",
        ),
    ] {
        let problems = flagd::import(&file.to_string()).unwrap_err();
        let found = problems.iter().any(|problem| problem.to_string().contains(expected));
        assert!(found, "{expected}: {:?}", &problems[..problems.len().min(3)]);
    }
    let problems = flagd::import(&" ".repeat(limits::MAX_FILE_BYTES + 1)).unwrap_err();
    assert!(problems[0].to_string().contains("at most 8388608 are read"), "{problems:?}");
    for bomb in ["[".repeat(100_000), "{\"a\":".repeat(100_000)] {
        let problems = flagd::import(&bomb).unwrap_err();
        assert!(problems[0].to_string().contains("recursion limit"), "{problems:?}");
    }
}
