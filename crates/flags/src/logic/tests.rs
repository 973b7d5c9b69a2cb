//! One `check` for every operator; expectations follow json-logic-js and flagd's documentation.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::compile::Severity;
use super::*;
use kernel::Timestamp;

fn to_json(value: &Val<'_>) -> Value {
    match value {
        Val::Null => Value::Null,
        Val::Bool(truth) => json!(truth),
        Val::Number(n) if n.fract() == 0.0 && n.abs() < 1e15 => json!(*n as i64),
        Val::Number(n) => json!(n),
        Val::Text(text) => json!(text),
        Val::Borrowed(list) => json!(list),
        Val::Owned(list) => list.items().iter().map(to_json).collect(),
        Val::Object(map) => Value::Object((*map).clone()),
    }
}

fn run(rule: &Value, context: &Value, seed: u32) -> Result<Value, String> {
    let evaluators = Evaluators::compile(&indexmap::IndexMap::from([(
        "is_ada".to_owned(),
        json!({"==": [{"var": "name"}, "Ada"]}),
    )]));
    let attributes = context.as_object().cloned().unwrap_or_default();
    let compiled = compile(rule, &evaluators).rule?;
    let run = Run::new(&attributes, "the-flag", Timestamp::from_secs(1_700_000_000), seed);
    let answer = run.evaluate(&compiled).map_err(|exhausted| exhausted.to_string())?;
    Ok(to_json(&answer))
}

fn check(rule: Value, expected: Value) {
    let context = json!({
        "targetingKey": "user1", "name": "Ada", "age": 36, "tags": ["a", "b"], "empty": "", "nothing": null,
        "user": {"tier": "gold", "logins": [3, 5, 8]}, "people": [{"n": "x", "ok": true}, {"n": "y", "ok": false}]
    });
    assert_eq!(run(&rule, &context, 0), Ok(expected), "{rule}");
}

#[test]
fn data_access() {
    check(json!({"var": "name"}), json!("Ada"));
    check(json!({"var": ["name"]}), json!("Ada"));
    check(json!({"var": "user.tier"}), json!("gold"));
    check(json!({"var": "user.logins.1"}), json!(5));
    check(json!({"var": "user.logins.9"}), json!(null));
    check(json!({"var": ["gone", "else"]}), json!("else"));
    check(json!({"var": ["nothing", 7]}), json!(7));
    check(json!({"var": ["gone", {"var": "age"}]}), json!(36));
    check(json!({"var": {"cat": ["na", "me"]}}), json!("Ada"));
    check(json!({"var": "$flagd.flagKey"}), json!("the-flag"));
    check(json!({"var": {"cat": ["$flagd", ".timestamp"]}}), json!(1_700_000_000));
    check(json!({"missing": ["name", "gone", "empty"]}), json!(["gone", "empty"]));
    check(json!({"missing": {"merge": ["gone", ["age"]]}}), json!(["gone"]));
    check(json!({"missing_some": [1, ["name", "gone"]]}), json!([]));
    check(json!({"missing_some": [2, ["name", "gone", "empty"]]}), json!(["gone", "empty"]));
}

#[test]
fn decisions() {
    check(json!({"if": [false, "a", true, "b", "c"]}), json!("b"));
    check(json!({"if": [0, "a", "", "b", [], "c", "d"]}), json!("d"));
    check(json!({"if": [{"var": "gone"}, "a"]}), json!(null));
    check(json!({"if": []}), json!(null));
    check(json!({"if": ["only"]}), json!("only"));
    check(json!({"?:": [true, 1, 2]}), json!(1));
    check(json!({"and": [1, "x", 3]}), json!(3));
    check(json!({"and": [1, "", 3]}), json!(""));
    check(json!({"or": [0, null, "x"]}), json!("x"));
    check(json!({"or": [0, false]}), json!(false));
    check(json!({"!": "0"}), json!(false));
    check(json!({"!": [[]]}), json!(true));
    check(json!({"!!": ["0"]}), json!(true));
    check(json!({"$ref": "is_ada"}), json!(true));
    check(json!({"if": [{"$ref": "is_ada"}, "yes", "no"]}), json!("yes"));
}

#[test]
fn comparisons() {
    check(json!({"==": [1, "1"]}), json!(true));
    check(json!({"===": [1, "1"]}), json!(false));
    check(json!({"!=": [1, "1"]}), json!(false));
    check(json!({"!==": [1, "1"]}), json!(true));
    check(json!({"==": [{"var": "gone"}, null]}), json!(true));
    check(json!({"<": [1, 2]}), json!(true));
    check(json!({"<": [1, 2, 3]}), json!(true));
    check(json!({"<": [1, 3, 2]}), json!(false));
    check(json!({"<=": [1, {"var": "age"}, 36]}), json!(true));
    check(json!({">": ["b", "a"]}), json!(true));
    check(json!({">": ["10", 9]}), json!(true));
    check(json!({">=": [3, 3, 4]}), json!(false));
    check(json!({"<": [null, 1]}), json!(true));
    check(json!({"<": ["x", 1]}), json!(false));
}

#[test]
fn arithmetic() {
    check(json!({"+": [1, "2", 3.5]}), json!(6.5));
    check(json!({"+": "3.25"}), json!(3.25));
    check(json!({"-": [5, 3]}), json!(2));
    check(json!({"-": 2}), json!(-2));
    check(json!({"*": [2, 3, 4]}), json!(24));
    check(json!({"/": [9, 2]}), json!(4.5));
    check(json!({"%": [101, 2]}), json!(1));
    check(json!({"%": [-7, 3]}), json!(-1));
    check(json!({"max": [1, "7", 3]}), json!(7));
    check(json!({"min": [4, 2, 3]}), json!(2));
    check(json!({"max": []}), json!(null));
    check(json!({"-": []}), json!(null));
}

#[test]
fn lists() {
    check(json!({"map": [{"var": "user.logins"}, {"*": [{"var": ""}, 2]}]}), json!([6, 10, 16]));
    check(json!({"filter": [{"var": "user.logins"}, {">": [{"var": ""}, 4]}]}), json!([5, 8]));
    check(json!({"map": [{"filter": [{"var": "people"}, {"var": "ok"}]}, {"var": "n"}]}), json!(["x"]));
    let sum = json!({"+": [{"var": "current"}, {"var": "accumulator"}]});
    check(json!({"reduce": [{"var": "user.logins"}, sum.clone(), 0]}), json!(16));
    check(json!({"reduce": [{"var": "gone"}, sum, 7]}), json!(7));
    check(json!({"all": [[1, 2], {">": [{"var": ""}, 0]}]}), json!(true));
    check(json!({"all": [[], {">": [{"var": ""}, 0]}]}), json!(false));
    check(json!({"none": [[1, 2], {">": [{"var": ""}, 5]}]}), json!(true));
    check(json!({"some": [[1, 9], {">": [{"var": ""}, 5]}]}), json!(true));
    check(json!({"some": [{"var": "gone"}, true]}), json!(false));
    check(json!({"merge": [[1], 2, [[3]]]}), json!([1, 2, [3]]));
    check(json!({"in": ["da", {"var": "name"}]}), json!(true));
    check(json!({"in": ["b", {"var": "tags"}]}), json!(true));
    check(json!({"in": [1, ["1"]]}), json!(false));
    check(json!({"in": ["a", null]}), json!(false));
    check(json!([1, {"var": "age"}]), json!([1, 36]));
    // The elements are the whole scope: what is outside cannot be seen.
    check(json!({"map": [[1], {"var": "name"}]}), json!([null]));
    check(json!({"map": [[1], {"var": "$flagd.flagKey"}]}), json!([null]));
}

#[test]
fn texts() {
    check(json!({"cat": ["I am ", {"var": "age"}, {"var": "gone"}, true, [1, 2]]}), json!("I am 36true1,2"));
    check(json!({"cat": {"var": "name"}}), json!("Ada"));
    check(json!({"substr": ["jsonlogic", 4]}), json!("logic"));
    check(json!({"substr": ["jsonlogic", -5]}), json!("logic"));
    check(json!({"substr": ["jsonlogic", 1, 3]}), json!("son"));
    check(json!({"substr": ["jsonlogic", 4, -2]}), json!("log"));
    check(json!({"substr": ["äöü", 1, 1]}), json!("ö"));
    check(json!({"substr": ["abc", 9]}), json!(""));
    check(json!({"log": "x"}), json!("x"));
    check(json!({"starts_with": [{"var": "name"}, "A"]}), json!(true));
    check(json!({"ends_with": [{"var": "name"}, "A"]}), json!(false));
    check(json!({"starts_with": [{"var": "age"}, "3"]}), json!(null));
    check(json!({"lower": {"var": "name"}}), json!("ada"));
    check(json!({"upper": [{"var": "name"}]}), json!("ADA"));
    check(json!({"upper": ["äa"]}), json!("äA"));
    check(json!({"lower": [1]}), json!(null));
    check(json!({"lower": ["A", "B"]}), json!(null));
    check(json!({"sem_ver": ["1.2.3", "^", "v1"]}), json!(true));
}

#[test]
fn assignment_to_fractions() {
    // "the-flaguser1" and "user1" fall where they fall in flagd: its own suite puts user1 at 76 of 100.
    check(json!({"fractional": [{"var": "targetingKey"}, ["a", 76], ["b", 24]]}), json!("b"));
    check(json!({"fractional": [{"var": "targetingKey"}, ["a", 77], ["b", 23]]}), json!("a"));
    check(json!({"fractional": [{"cat": ["user", 1]}, ["a", 76], ["b", 24]]}), json!("b"));
    check(json!({"fractional": [{"var": "targetingKey"}, ["a", {"+": [70, 7]}], ["b", 23]]}), json!("a"));
    check(json!({"fractional": [{"var": "targetingKey"}, ["a", 76], {"merge": ["b", 24]}]}), json!("b"));
    check(json!({"fractional": [["only"]]}), json!("only"));
    check(json!({"fractional": [["only", null]]}), json!("only"));
    check(json!({"fractional": [null, ["only", 1]]}), json!("only"));
    check(json!({"fractional": [[true, 1]]}), json!(true));
    check(json!({"fractional": [["no", -1], ["yes", 1]]}), json!("yes"));
    for nothing in [
        json!([]),
        json!([7, ["a", 1]]),
        json!([["a", 0]]),
        json!([["a", 0.5]]),
        json!([["a", "1"]]),
        json!([["a", 2_147_483_648_u64]]),
        json!([["a", 2_147_483_647_u64], ["b", 1]]),
        json!([["a", {"/": [1, 2]}]]),
        json!([["a", 1], "b"]),
        json!([["a", 1], []]),
        json!([[{"var": "tags"}, 1]]),
        json!("a"),
    ] {
        check(json!({"fractional": nothing}), json!(null));
    }
    let nobody = json!({"name": "Ada"});
    assert_eq!(run(&json!({"fractional": [["a", 1]]}), &nobody, 0), Ok(json!(null)));
}

#[test]
fn fractions_are_as_large_as_they_are_written_and_a_seed_assigns_anew() {
    let rule = json!({"fractional": [["a", 10], ["b", 30], ["c", 60]]});
    let assign = |seed| -> Vec<String> {
        (0..20_000)
            .map(|i| run(&rule, &json!({"targetingKey": format!("user-{i}")}), seed).unwrap())
            .map(|answer| answer.as_str().unwrap().to_owned())
            .collect()
    };
    let (first, second) = (assign(0), assign(1));
    for assigned in [&first, &second] {
        for (name, share) in [("a", 0.1), ("b", 0.3), ("c", 0.6)] {
            let found = assigned.iter().filter(|variant| *variant == name).count() as f64 / 20_000.0;
            assert!((found - share).abs() < 0.01, "{name}: {found} instead of {share}");
        }
    }
    // Independent assignments agree by chance: 0.1² + 0.3² + 0.6² = 46 %.
    let same = first.iter().zip(&second).filter(|(a, b)| a == b).count() as f64 / 20_000.0;
    assert!((same - 0.46).abs() < 0.02, "{same}");
}

#[test]
fn a_rollout_moves_everybody_once_between_two_times() {
    let at = |now: i64, key: &str| {
        let rule = json!({"rollout": [1_000, 2_000, "old", "new"]});
        let compiled = compile(&rule, &Evaluators::default()).rule.unwrap();
        let attributes = json!({"targetingKey": key}).as_object().cloned().unwrap();
        let run = Run::new(&attributes, "f", Timestamp::from_secs(now), 0);
        to_json(&run.evaluate(&compiled).unwrap()) == json!("new")
    };
    let moved = |now| (0..1_000).filter(|i| at(now, &format!("user-{i}"))).count();
    assert_eq!((moved(999), moved(1_000), moved(2_000), moved(9_999)), (0, 0, 1_000, 1_000));
    assert!((200..300).contains(&moved(1_250)), "{}", moved(1_250));
    for i in 0..200 {
        let key = format!("user-{i}");
        let seen: Vec<bool> = (900..2_100).step_by(50).map(|now| at(now, &key)).collect();
        assert!(seen.is_sorted(), "{key} went back: {seen:?}");
    }
    check(json!({"rollout": [1, 2, "new"]}), json!("new"));
    check(json!({"rollout": [{"var": "name"}, 1, 2, "old", "new"]}), json!("new"));
    check(json!({"rollout": [2_000_000_000, 2_000_000_001, "new"]}), json!(null));
    check(json!({"rollout": [2, 1, "new"]}), json!(null));
    check(json!({"rollout": ["new"]}), json!(null));
}

fn complaint(rule: &Value, evaluators: &[(&str, Value)]) -> Option<(Severity, String)> {
    let sources = evaluators.iter().map(|(name, rule)| ((*name).to_owned(), rule.clone())).collect();
    let evaluators = Evaluators::compile(&sources);
    let worst = compile(rule, &evaluators).complaints.into_iter().max_by_key(|complaint| complaint.severity);
    worst.map(|complaint| (complaint.severity, format!("{} {}", complaint.path, complaint.message)))
}

#[test]
fn what_cannot_work_is_complained_about_with_its_place() {
    for (rule, severity, part) in [
        (
            json!({"if": [{"equals": [1, 1]}, "a"]}),
            Severity::Broken,
            "/if/0/equals `equals` is not an operator",
        ),
        (json!({"$ref": "gone"}), Severity::Broken, "/$ref there is no evaluator `gone`"),
        (json!({"$ref": 1}), Severity::Broken, "takes the name"),
        (
            json!({"sem_ver": [{"var": "v"}, "==", "1.0.0"]}),
            Severity::Doubtful,
            "is not an operator of `sem_ver`",
        ),
        (json!({"sem_ver": [{"var": "v"}, "=", "one"]}), Severity::Doubtful, "is not a semantic version"),
        (json!({"starts_with": ["a"]}), Severity::Doubtful, "takes 2 operands, here it has 1"),
        (json!({"fractional": [["a", 0.5]]}), Severity::Doubtful, "/fractional/0 0.5 is not a weight"),
        (json!({"fractional": [["a", 0], ["b"], ["c", 2_147_483_647_u64]]}), Severity::Doubtful, "add up to"),
    ] {
        let (found, message) = complaint(&rule, &[]).unwrap();
        assert_eq!(found, severity, "{rule}");
        assert!(message.contains(part), "{rule}: {message}");
    }
    assert_eq!(complaint(&json!({"fractional": [["a", 1], ["b", {"var": "w"}]]}), &[]), None);
}

#[test]
fn depth_nodes_and_circles_are_limited() {
    let nested = |depth: usize| (1..depth).fold(json!({"var": "x"}), |rule, _| json!({"!": [rule]}));
    assert_eq!(complaint(&nested(MAX_DEPTH - 1), &[]), None);
    let (severity, message) = complaint(&nested(MAX_DEPTH + 1), &[]).unwrap();
    assert!(severity == Severity::Limit && message.contains("nested deeper than 50"), "{message}");
    let wide: Vec<Value> = vec![json!(1); crate::limits::MAX_TARGETING_NODES];
    let (severity, message) = complaint(&json!({"+": wide}), &[]).unwrap();
    assert!(severity == Severity::Limit && message.contains("more than 10000 nodes"), "{message}");

    // Each evaluator uses the one before twice: 2²⁰ nodes in a few lines.
    let name = |i: usize| format!("e{i}");
    let doubling: Vec<(String, Value)> = (0..20)
        .map(|i| match i {
            0 => (name(0), json!({"var": "x"})),
            _ => (name(i), json!({"and": [{"$ref": name(i - 1)}, {"$ref": name(i - 1)}]})),
        })
        .collect();
    let doubling: Vec<(&str, Value)> =
        doubling.iter().map(|(name, rule)| (name.as_str(), rule.clone())).collect();
    let (severity, _) = complaint(&json!({"$ref": "e19"}), &doubling).unwrap();
    assert_eq!(severity, Severity::Limit);

    let circle = [("a", json!({"!": [{"$ref": "b"}]})), ("b", json!({"$ref": "a"}))];
    let (severity, message) = complaint(&json!({"$ref": "a"}), &circle).unwrap();
    assert!(severity == Severity::Limit && message.contains("circle"), "{message}");
    let (severity, _) = complaint(&json!({"$ref": "a"}), &[("a", json!({"$ref": "a"}))]).unwrap();
    assert_eq!(severity, Severity::Limit);
}

const MAX_DEPTH: usize = crate::limits::MAX_TARGETING_DEPTH;

#[test]
fn an_evaluation_ends() {
    let many: Vec<i32> = (0..5_000).collect();
    let context = json!({"l": many, "t": "x".repeat(10_000)});
    let all = json!({"var": "l"});
    let double_text = json!({"cat": [{"var": "accumulator"}, {"var": "accumulator"}]});
    let double_list = json!({"merge": [{"var": "accumulator"}, {"var": "accumulator"}]});
    for rule in [
        json!({"map": [all, {"map": [[1, 2, 3, 4, 5, 6, 7, 8, 9], {"map": [[1, 2, 3, 4, 5, 6, 7, 8, 9], 1]}]}]}),
        json!({"reduce": [all, double_text, "ab"]}),
        json!({"reduce": [all, double_list, [1, 2]]}),
        json!({"reduce": [all, [{"var": "accumulator"}, {"var": "accumulator"}], 1]}),
        json!({"reduce": [all, [{"var": "accumulator"}], 1]}),
        json!({"filter": [all, {"cat": [{"cat": ["x", "y"]}, {"reduce": [[1, 2, 3], double_text, "abcdefgh"]}]}]}),
        json!({"map": [{"merge": [all, all, all]}, {"merge": [[1, 2, 3], [{"var": ""}, 5, 6], [7, 8, 9, 10, 11, 12]]}]}),
    ] {
        let answer = run(&rule, &context, 0);
        assert!(answer.as_ref().is_err_and(|why| why.contains("steps")), "{rule}: {answer:?}");
    }
}

/// Any JSON, with the names of operators as likely keys.
fn any_rule() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-10_i64..10).prop_map(Value::from),
        "[a-z.$]{0,6}".prop_map(Value::from),
        prop::sample::select(vec!["targetingKey", "l", "current", "accumulator", "$flagd.flagKey", ""])
            .prop_map(|path| json!({"var": path})),
    ];
    let operator = prop::sample::select(operators::OPERATORS.to_vec());
    leaf.prop_recursive(6, 64, 5, move |inner| {
        prop_oneof![
            4 => (operator.clone(), prop::collection::vec(inner.clone(), 0..5))
                .prop_map(|(operator, operands)| json!({operator: operands})),
            1 => (operator.clone(), inner.clone()).prop_map(|(operator, operand)| json!({operator: operand})),
            1 => prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            1 => prop::collection::vec(("[a-z]{0,4}", inner), 0..3)
                .prop_map(|entries| Value::Object(entries.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_compiles_or_is_complained_about_and_ends(rule in any_rule(), list in prop::collection::vec(any_rule(), 0..4)) {
        let attributes = json!({"targetingKey": "u", "l": list}).as_object().cloned().unwrap();
        let compiled = compile(&rule, &Evaluators::default());
        match &compiled.rule {
            Ok(expr) => {
                let run = Run::new(&attributes, "f", Timestamp::EPOCH, 0);
                if let Ok(answer) = run.evaluate(expr) {
                    let _ = (answer.to_text(), to_json(&answer));
                    // The same caller gets the same answer.
                    let again = Run::new(&attributes, "f", Timestamp::EPOCH, 0);
                    let again = again.evaluate(expr).unwrap();
                    prop_assert_eq!(answer.to_text(), again.to_text());
                }
            }
            Err(why) => prop_assert!(!why.is_empty() && !compiled.complaints.is_empty()),
        }
    }

    #[test]
    fn deep_rules_are_refused_not_followed(depth in 65_usize..2_000, operator in prop::sample::select(operators::OPERATORS.to_vec())) {
        let mut rule = json!(1);
        for _ in 0..depth {
            // Moved, not copied: copying would be the test's own recursion.
            let operands = vec![Value::Array(vec![rule, json!(1)]), json!(1), json!(1)];
            rule = Value::Object(Map::from_iter([(operator.to_owned(), Value::Array(operands))]));
        }
        let compiled = compile(&rule, &Evaluators::default());
        // `$ref` takes a name, so nothing below it is looked at.
        let limited = compiled.complaints.iter().any(|complaint| complaint.severity >= Severity::Broken);
        prop_assert!(limited, "{} {:?}", operator, compiled.complaints);
        // Dropping is the test's own recursion: take it apart level by level.
        let mut open = vec![rule];
        while let Some(mut value) = open.pop() {
            match &mut value {
                Value::Array(items) => open.append(items),
                Value::Object(map) => open.extend(map.values_mut().map(Value::take)),
                _ => {}
            }
        }
    }
}
