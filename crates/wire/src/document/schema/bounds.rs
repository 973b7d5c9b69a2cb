//! The keywords that bound a value: sizes, ranges, patterns.

use kernel::Problem;
use serde_json::{Map, Value};

use super::{Document, found_literal};

/// Largest compiled pattern, in bytes.
const MAX_PATTERN: usize = 1 << 20;

pub(super) fn bounds(
    document: &Document,
    schema: &Map<String, Value>,
    value: &Value,
    pointer: &str,
    out: &mut Vec<Problem>,
) {
    let mut say = |message: String| out.push(document.problem(pointer, message, None));
    match value {
        Value::Number(number) => {
            if let Some(number) = number.as_f64() {
                range(schema, number, &mut say);
            }
        }
        Value::String(text) => {
            let length = text.chars().count();
            size(schema, ("minLength", "maxLength"), length, "characters", &mut say);
            let pattern = schema.get("pattern").and_then(Value::as_str);
            if let Some(pattern) = pattern.filter(|pattern| !pattern_matches(pattern, text)) {
                say(format!("{} does not match the pattern `{pattern}`", found_literal(value)));
            }
        }
        Value::Array(items) => size(schema, ("minItems", "maxItems"), items.len(), "items", &mut say),
        Value::Object(map) => {
            size(schema, ("minProperties", "maxProperties"), map.len(), "entries", &mut say)
        }
        _ => {}
    }
}

/// True as well for a pattern that does not compile: the schema is at fault then, not the text.
pub(super) fn pattern_matches(pattern: &str, text: &str) -> bool {
    let compiled = regex::RegexBuilder::new(pattern).size_limit(MAX_PATTERN).build();
    compiled.map_or(true, |pattern| pattern.is_match(text))
}

fn range(schema: &Map<String, Value>, number: f64, say: &mut impl FnMut(String)) {
    let limit = |keyword: &str| schema.get(keyword).and_then(Value::as_f64);
    if let Some(least) = limit("minimum").filter(|least| number < *least) {
        say(format!("{number} is less than {least}, the least allowed"));
    }
    if let Some(most) = limit("maximum").filter(|most| number > *most) {
        say(format!("{number} is more than {most}, the most allowed"));
    }
    if let Some(least) = limit("exclusiveMinimum").filter(|least| number <= *least) {
        say(format!("{number} is not more than {least}"));
    }
    if let Some(most) = limit("exclusiveMaximum").filter(|most| number >= *most) {
        say(format!("{number} is not less than {most}"));
    }
    let step = limit("multipleOf").filter(|step| *step > 0.0);
    if let Some(step) = step.filter(|step| (number / step).fract() != 0.0) {
        say(format!("{number} is not a multiple of {step}"));
    }
}

fn size(
    schema: &Map<String, Value>,
    (least, most): (&str, &str),
    size: usize,
    unit: &str,
    say: &mut impl FnMut(String),
) {
    let limit =
        |keyword: &str| schema.get(keyword).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
    if let Some(least) = limit(least).filter(|least| size < *least) {
        say(format!("{size} {unit} are too few; at least {least} are needed"));
    }
    if let Some(most) = limit(most).filter(|most| size > *most) {
        say(format!("{size} {unit} are too many; at most {most} are allowed"));
    }
}
