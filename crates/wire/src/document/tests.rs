use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;

/// One line per finding: `line:column message [hint]`.
fn lines(problems: &[Problem]) -> String {
    let one = |p: &Problem| {
        let at = p.at.as_ref().map_or_else(|| "-".to_owned(), |at| format!("{}:{}", at.line, at.column));
        let hint = p.hint.as_ref().map_or_else(String::new, |hint| format!(" [{hint}]"));
        format!("{at} {}{hint}", p.message)
    };
    problems.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn read(text: &str) -> Result<Vec<Value>, String> {
    parse("f.yaml", text)
        .map(|documents| documents.into_iter().map(Document::into_value).collect())
        .map_err(|problems| lines(&problems))
}

fn one(text: &str) -> Document {
    parse("f.yaml", text).unwrap().remove(0)
}

#[test]
fn documents_are_read_as_json_would_hold_them() {
    for (text, expected) in [
        ("", vec![]),
        ("# only a comment\n", vec![]),
        ("---\n---\n# nothing\n---\na: 1\n", vec![json!({"a": 1})]),
        ("a: 1\n---\nb: 2\n...\n", vec![json!({"a": 1}), json!({"b": 2})]),
        ("\u{feff}a: 1\n", vec![json!({"a": 1})]),
        ("on: true\noff: no\n'1': ~\n2: x\n", vec![json!({"on": true, "off": "no", "1": null, "2": "x"})]),
        ("a: &x [1, 2]\nb: *x\n", vec![json!({"a": [1, 2], "b": [1, 2]})]),
        ("- !!str 5\n- !!float 5\n- ! 7\n- !!int '8'\n", vec![json!(["5", 5.0, "7", 8])]),
        ("t: |\n  a\n   b\nf: >-\n  c\n  d\n", vec![json!({"t": "a\n b\n", "f": "c d"})]),
        ("null\n", vec![Value::Null]),
        (
            "{\"a\":\"\\ud83d\\ude00\\/\",\n\t\"b\":[1E2,-0.5]}\n",
            vec![json!({"a": "😀/", "b": [100.0, -0.5]})],
        ),
        ("a:\r\n  b: 1\r\n", vec![json!({"a": {"b": 1}})]),
    ] {
        assert_eq!(read(text), Ok(expected), "{text}");
    }
}

#[test]
fn what_json_cannot_hold_is_refused_with_its_place() {
    for (text, expected) in [
        (
            "a: 1\nb: 2\na: 3\n",
            "3:1 the key `a` is given twice; first at line 1, column 1 [keep one of the two]",
        ),
        (
            "é: {x: 1, \"x\": 2}\n",
            "1:11 the key `x` is given twice; first at line 1, column 5 [keep one of the two]",
        ),
        (
            "a: !!binary aGk=\n",
            "1:4 the tag `!!binary` is not understood here [write it as text, in base64 if the field asks for it]",
        ),
        ("a: !thing\n  b: 1\n", "1:4 the tag `!thing` is not understood here [remove the tag]"),
        (
            "<<: {a: 1}\n",
            "1:1 merge keys (`<<`) are not part of YAML 1.2 [write the fields out, or quote the key if it is meant as text]",
        ),
        (
            "a: 99999999999999999999\n",
            "1:4 the integer 99999999999999999999 does not fit in 64 bits [quote it if it is an identifier; write it with an exponent (1e20) if it is a measure]",
        ),
        ("a: .inf\n", "1:4 `.inf` is infinite or too large, which JSON cannot hold [quote it if it is text]"),
        (
            "a: 1e999\nb: .nan\n",
            "1:4 `1e999` is infinite or too large, which JSON cannot hold [quote it if it is text]\n2:4 `.nan` is not a number, which JSON cannot hold [quote it if it is text]",
        ),
        ("? [a, b]\n: 1\n", "1:3 a key is a sequence or mapping; keys are text"),
        (": 1\n", "1:1 a key is missing before `:`"),
        (
            "a: &x\n  - *x\n",
            "2:5 an alias stands inside of the value it repeats, which would never end [write the value out]",
        ),
        ("a: *nowhere\n", "1:4 while parsing node, found unknown anchor"),
        ("a: !!int x\n", "1:10 `x` is not a `!!int` that JSON can hold"),
        (
            "a: \u{1}\n",
            "1:4 the text holds a control character, which YAML and JSON do not allow [escape it in a double-quoted string: \"\\u0001\"]",
        ),
    ] {
        assert_eq!(read(text), Err(expected.to_owned()), "{text}");
    }
}

#[test]
fn syntax_slips_name_place_and_cure() {
    for (text, place, hint) in [
        ("a:\n\tb: 1\n", "2:", "[indent with spaces]"),
        ("a: b: c\n", "1:5", "[quote a value that contains `: `, or check its indentation]"),
        ("a: [1, 2\nb: 3\n", "2:", ""),
        ("a: \"x\n", "", ""),
    ] {
        let found = read(text).unwrap_err();
        assert!(found.starts_with(place) && found.ends_with(hint), "{text}: {found}");
    }
}

#[test]
fn each_limit_is_named_when_it_is_reached() {
    let bomb: String = (0..9).fold("a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, i| {
        let alias = vec![format!("*a{i}"); 9].join(",");
        format!("{text}a{}: &a{} [{alias}]\n", i + 1, i + 1)
    });
    let long = "x".repeat(MAX_SCALAR_BYTES / 8);
    let repeated = format!("a: &x {long}\nb: [{}]\n", ["*x"; 9].join(","));
    for (text, expected) in [
        (bomb, "more than 200000 values"),
        (repeated, "more than 16 MiB of values"),
        (
            format!("{}1{}", "[".repeat(MAX_DEPTH + 1), "]".repeat(MAX_DEPTH + 1)),
            "nested deeper than 64 levels",
        ),
        ("- ".repeat(MAX_DEPTH + 1), "nested deeper than 64 levels"),
        (
            format!("a: &x {}1{}\nb: {}*x{}", "[".repeat(40), "]".repeat(40), "[".repeat(40), "]".repeat(40)),
            "nested deeper than 64",
        ),
        ("x".repeat(MAX_TEXT_BYTES + 1), "at most 4194304 are read"),
        ("---\n".repeat(MAX_DOCUMENTS + 1), "more than 10000 documents"),
    ] {
        let found = read(&text).unwrap_err();
        assert!(found.contains(expected), "{expected}: {}", found.chars().take(200).collect::<String>());
    }
    let at_the_limit = format!("{}1{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
    assert!(read(&at_the_limit).is_ok());
    let many: String = (0..MAX_PROBLEMS + 5).map(|i| format!("k{i}: .nan\n")).collect();
    assert_eq!(parse("f", &many).unwrap_err().len(), MAX_PROBLEMS);
}

#[test]
fn every_key_and_value_has_a_place() {
    let document =
        one("# top\nkind: Flag\nspec:\n  variants:\n    on: true\n    \"a/b\": [1,\n      é, {x: 2}]\n");
    for (pointer, value, key) in [
        ("", (2, 1), (2, 1)),
        ("/kind", (2, 7), (2, 1)),
        ("/spec", (4, 3), (3, 1)),
        ("/spec/variants/on", (5, 9), (5, 5)),
        ("/spec/variants/a~1b", (6, 12), (6, 5)),
        ("/spec/variants/a~1b/1", (7, 7), (7, 7)),
        ("/spec/variants/a~1b/2/x", (7, 14), (7, 11)),
        ("/spec/variants/missing/deeper", (5, 5), (4, 3)),
    ] {
        let place = |p: kernel::Position| (p.line, p.column);
        assert_eq!(
            (place(document.position(pointer)), place(document.key_position(pointer))),
            (value, key),
            "{pointer}"
        );
    }
    assert_eq!(document.position("/kind").file, "f.yaml");
}

/// Texts that invite a parser to look at everything twice: quadratic work on 128 KiB would take a quarter of a minute.
#[test]
fn long_texts_do_not_take_quadratic_time() {
    let units = [
        "a ",
        "a,",
        "[a,",
        "'x':",
        "- a\n",
        "? a\n",
        "&a a\n",
        "#\n",
        "\"\\u0041\" ",
        "a: |\n x\n",
        "---\n",
        "%A\n",
    ];
    for unit in units {
        for prefix in ["", "{", "[", "\"", "a: >\n "] {
            let text = format!("{prefix}{}", unit.repeat((1 << 17) / unit.len()));
            let start = std::time::Instant::now();
            fuzz_one(text.as_bytes());
            let took = start.elapsed();
            assert!(took.as_secs() < 8, "{prefix:?} {unit:?}: {took:?}");
        }
    }
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Spec {
    state: State,
    #[serde(default)]
    default_variant: String,
    #[serde(default)]
    weights: Vec<u8>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "UPPERCASE")]
enum State {
    Enabled,
    Disabled,
}

#[test]
fn decoding_places_what_does_not_fit() {
    for (text, expected) in [
        (
            "spec:\n  state: ENABLED\n  defaultVarient: on\n",
            "3:3 unknown field `defaultVarient`, expected one of `state`, `defaultVariant`, `weights` [did you mean `defaultVariant`?]",
        ),
        (
            "spec:\n  state: ENABLD\n",
            "2:10 unknown variant `ENABLD`, expected `ENABLED` or `DISABLED` [did you mean `ENABLED`?]",
        ),
        (
            "spec:\n  state: ENABLED\n  weights: [1,\n    300]\n",
            "4:5 invalid value: integer `300`, expected u8",
        ),
        ("spec:\n  defaultVariant: x\n", "2:3 missing field `state`"),
        ("other: 1\n", "1:1 `spec` is missing"),
    ] {
        assert_eq!(lines(&one(text).decode_at::<Spec>("/spec").unwrap_err()), expected, "{text}");
    }
    let spec: Spec = one("spec: {state: DISABLED, weights: [1]}").decode_at("/spec").unwrap();
    assert_eq!(spec, Spec { state: State::Disabled, default_variant: String::new(), weights: vec![1] });
}

fn flag_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "state": {"enum": ["ENABLED", "DISABLED"]},
            "owner": {"type": "string", "maxLength": 5, "pattern": "^[a-z]+$"},
            "on": {"type": "boolean"},
            "weight": {"type": "integer", "minimum": 0, "maximum": 100},
            "next": {"$ref": "#/$defs/Next"},
            "rule": {"oneOf": [
                {"type": "object", "properties": {"kind": {"const": "static"}, "variant": {"type": "string"}}, "required": ["kind", "variant"], "additionalProperties": false},
                {"type": "object", "properties": {"kind": {"const": "split"}, "parts": {"type": "array", "items": {"type": "integer"}, "uniqueItems": true, "minItems": 1}}, "required": ["kind", "parts"], "additionalProperties": false}
            ]},
            "mode": {"oneOf": [{"const": "fast", "description": "x"}, {"const": "slow"}]},
            "variants": {"type": "object", "additionalProperties": {"type": ["string", "null"]}, "propertyNames": {"maxLength": 3}},
            "maybe": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        },
        "required": ["state"],
        "additionalProperties": false,
        "$defs": {"Next": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Next"}}, "additionalProperties": false}}
    })
}

#[test]
fn checking_reports_everything_that_does_not_fit() {
    for (text, expected) in [
        (
            "{state: ENABLED, next: {next: {next: {}}}, maybe: ~, rule: {kind: split, parts: [1]}, mode: slow}",
            "",
        ),
        (
            "stat: ENABLED\ncolour: red\n",
            "1:1 the field `state` is missing\n1:1 unknown field `stat` [did you mean `state`?]\n2:1 unknown field `colour` [the fields here are state, owner, on, weight, next, rule, mode, variants, maybe]",
        ),
        (
            "state: enabled\non: yes\n",
            "1:8 `enabled` is not one of `ENABLED`, `DISABLED` [did you mean `ENABLED`?]\n2:5 expected true or false, found the text `yes` [in YAML 1.2 `yes` is text here; write true without quotes]",
        ),
        (
            "state: ENABLED\nowner: 5\nweight: \"5\"\n",
            "2:8 expected a string, found the number 5 [put it in quotes: \"5\"]\n3:9 expected a whole number, found the text `5` [write 5 without quotes]",
        ),
        (
            "state: ENABLED\nowner: ABCDEF\nweight: 101\n",
            "2:8 6 characters are too many; at most 5 are allowed\n2:8 `ABCDEF` does not match the pattern `^[a-z]+$`\n3:9 101 is more than 100, the most allowed",
        ),
        ("state: ENABLED\nnext:\n  next:\n    nxt: {}\n", "4:5 unknown field `nxt` [did you mean `next`?]"),
        (
            "state: ENABLED\nrule:\n  kind: split\n  parts: [1, x, 1]\n",
            "4:14 expected a whole number, found the text `x`\n4:17 1 is listed twice [remove one of the two]",
        ),
        ("state: ENABLED\nmode: fats\n", "2:7 `fats` is not one of `fast`, `slow` [did you mean `fast`?]"),
        (
            "state: ENABLED\nvariants: {long: 1}\n",
            "2:12 4 characters are too many; at most 3 are allowed\n2:18 expected a string or null, found the number 1 [put it in quotes: \"1\"]",
        ),
        ("state: ENABLED\nmaybe: x\n", "2:8 expected a whole number or null, found the text `x`"),
        ("- 1\n", "1:1 expected a mapping, found a list"),
    ] {
        assert_eq!(lines(&check(&one(text), &flag_schema())), expected, "{text}");
    }
}

#[allow(dead_code, reason = "only its shape is tested")]
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rollout {
    mode: Mode,
    action: Option<Action>,
    step: Step,
    #[serde(default)]
    limits: std::collections::BTreeMap<String, u8>,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Mode {
    /// Documented variants are generated as `oneOf` with `const`.
    Canary,
    BlueGreen,
}

#[allow(dead_code, reason = "only its shape is tested")]
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum Action {
    Notify { channel: String },
    Halt { after: u32 },
}

#[allow(dead_code, reason = "only its shape is tested")]
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(tag = "type", rename_all = "camelCase", deny_unknown_fields)]
enum Step {
    Wait { seconds: u32 },
    Weight { percent: f64 },
}

#[test]
fn schemas_generated_from_types_are_understood() {
    let schema = schemars::schema_for!(Rollout).to_value();
    for (text, expected) in [
        ("{mode: blueGreen, action: {halt: {after: 1}}, step: {type: wait, seconds: 5}, limits: {a: 1}}", ""),
        ("{mode: canary, step: {type: weight, percent: 5}}", ""),
        (
            "{mode: cannary, step: {type: wait, seconds: 5}}",
            "1:8 `cannary` is not one of `blueGreen`, `canary` [did you mean `canary`?]",
        ),
        (
            "{mode: canary, action: {hald: {after: 1}}, step: {type: wait, seconds: 5}}",
            "1:25 unknown field `hald` [did you mean `halt`?]",
        ),
        (
            "{mode: canary, action: {notify: {chanel: x}}, step: {type: wait, seconds: 5}}",
            "1:33 the field `channel` is missing\n1:34 unknown field `chanel` [did you mean `channel`?]",
        ),
        (
            "{mode: canary, step: {type: wait, secs: 5}}",
            "1:22 the field `seconds` is missing\n1:35 unknown field `secs` [the fields here are type, seconds]",
        ),
        (
            "{mode: canary, step: {type: wait, seconds: 5}, limits: {a: 300}}",
            "1:60 300 is more than 255, the most allowed",
        ),
    ] {
        let document = one(text);
        assert_eq!(lines(&check(&document, &schema)), expected, "{text}");
        // The schema and the type agree on what is good.
        assert_eq!(document.decode::<Rollout>().is_ok(), expected.is_empty(), "{text}");
    }
}

#[test]
fn yaml_is_written_for_people() {
    let value = json!({
        "kind": "Flag", "empty": {}, "none": null, "no": "no", "port": "12:30", "date": "2026-11-23",
        "list": [1, [2, 3], {"a": 1, "b": [true]}, []],
        "script": "line one\n  line two\n", "tail": "x\n\n\n", "lead": "  a\nb", "odd": "a: b # c",
        "quoted": "\"it\" said", "control": "\u{7}", "long": {"deep": {"er": 0.5}},
    });
    let expected = "\
kind: Flag
empty: {}
none: null
\"no\": \"no\"
port: \"12:30\"
date: \"2026-11-23\"
list:
  - 1
  - - 2
    - 3
  - a: 1
    b:
      - true
  - []
script: |
  line one
    line two
tail: |+
  x


lead: |2-
    a
  b
odd: \"a: b # c\"
quoted: '\"it\" said'
control: \"\\u0007\"
long:
  deep:
    er: 0.5
";
    assert_eq!(to_yaml(&value), expected);
    assert_eq!(one(expected).into_value(), value);
}

#[test]
fn differences_read_as_unified_diffs() {
    assert_eq!(diff("a\nb\nc\n", "a\nB\nc\n"), "@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n");
    assert_eq!(diff("a\n", "a\n"), "");
    assert_eq!(diff("", "a\n"), "@@ -0,0 +1 @@\n+a\n");
}

fn any_value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        any::<String>(),
        "[ -~\n]{0,20}",
        "[-0-9a-fx_.:e+ ]{0,8}",
        prop::sample::select(vec![
            "yes", "~", "null", "<<", "---", "...", "- a", "a\n", "\n", " ", "|", "é\u{85}"
        ])
        .prop_map(str::to_owned),
    ];
    let number =
        any::<f64>().prop_filter_map("finite", |n| serde_json::Number::from_f64(n).map(Value::Number));
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        number,
        text.clone().prop_map(Value::String),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        let entries = prop::collection::vec((text.clone(), inner.clone()), 0..6);
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(Value::Array),
            entries.prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(value in any_value()) {
        let text = to_yaml(&value);
        prop_assert_eq!(read(&text), Ok(vec![value]), "{}", text);
    }

    #[test]
    fn json_is_read_as_json(value in any_value()) {
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap(), tabbed(&value)] {
            prop_assert_eq!(read(&text), Ok(vec![value.clone()]), "{}", text);
        }
    }

    #[test]
    fn any_text_is_survived(text in "(?s)([-a-c0-9:,&*!|>?#'\"{}\\[\\] \n\t\r~%@.\u{1}é]{0,60}|.{0,40})") {
        fuzz_one(text.as_bytes());
    }

    #[test]
    fn damaged_documents_are_survived(value in any_value(), cut in any::<prop::sample::Index>(), with in "[-:\\[{&*\n \t\"']{0,3}") {
        let text = to_yaml(&value);
        let at = (0..=cut.index(text.len() + 1)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        fuzz_one(format!("{}{with}{}", &text[..at], &text[at..]).as_bytes());
    }
}

fn tabbed(value: &Value) -> String {
    let mut out = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"\t");
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
    serde::Serialize::serialize(value, &mut serializer).unwrap();
    String::from_utf8(out).unwrap()
}
