//! Holds a document against a JSON Schema and reports everything that does not fit, in the order of the schema's
//! keywords from the outside in. Understands what schema generators write for data types; `format` and `title` and the
//! like say nothing here, and `oneOf` accepts a value that fits several branches.
//!
//! Source: JSON Schema 2020-12, core and validation vocabularies.

use std::collections::BTreeSet;

use kernel::{Problem, did_you_mean};
use serde_json::{Map, Value};

use super::{Document, MAX_PROBLEMS, pointer_token};

mod bounds;
mod branch;

/// Most schema and value pairs looked at in one check; beyond it the check ends with what it has found.
pub const MAX_CHECK_STEPS: usize = 2_000_000;

/// Longest chain of `$ref` followed at one value.
const MAX_REFERENCES: usize = 32;

/// Everything in `document` that `schema` does not allow, at most [`MAX_PROBLEMS`]; empty when it fits. References
/// (`$ref`) reach within the schema only.
pub fn check(document: &Document, schema: &Value) -> Vec<Problem> {
    let mut checker = Checker { document, root: schema, steps: 0 };
    let mut problems = Vec::new();
    checker.visit(schema, document.value(), "", &mut problems);
    problems.truncate(MAX_PROBLEMS);
    problems
}

struct Checker<'a> {
    document: &'a Document,
    root: &'a Value,
    steps: usize,
}

impl<'a> Checker<'a> {
    fn visit(&mut self, schema: &'a Value, value: &Value, pointer: &str, out: &mut Vec<Problem>) {
        self.steps += 1;
        if self.steps > MAX_CHECK_STEPS || out.len() >= MAX_PROBLEMS {
            return;
        }
        let schema = match self.resolve(schema) {
            Value::Bool(false) => {
                out.push(self.document.key_problem(pointer, "nothing is allowed here", None));
                return;
            }
            Value::Object(schema) => schema,
            _ => return,
        };
        if let Some(problem) = self.mistyped(schema, value, pointer) {
            out.push(problem);
            return;
        }
        self.enumerated(schema, value, pointer, out);
        for part in list(schema, "allOf") {
            self.visit(part, value, pointer, out);
        }
        // Beside `$ref`, draft 2020-12 allows other keywords; resolve() kept this object, so follow the reference too.
        if let Some(target) = schema.get("$ref").and_then(|r| self.target(r)) {
            self.visit(target, value, pointer, out);
        }
        for keyword in ["oneOf", "anyOf"] {
            if let Some(Value::Array(branches)) = schema.get(keyword) {
                self.branches(branches, value, pointer, out);
            }
        }
        match value {
            Value::Object(map) => self.object(schema, map, pointer, out),
            Value::Array(items) => self.array(schema, items, pointer, out),
            _ => {}
        }
        bounds::bounds(self.document, schema, value, pointer, out);
    }

    /// Follows `$ref` while it is the only keyword that matters.
    fn resolve(&self, schema: &'a Value) -> &'a Value {
        let mut at = schema;
        for _ in 0..MAX_REFERENCES {
            let Some(map) = at.as_object() else { return at };
            let alone =
                map.keys().all(|k| matches!(k.as_str(), "$ref" | "description" | "title" | "default"));
            match map.get("$ref").filter(|_| alone).and_then(|r| self.target(r)) {
                Some(next) => at = next,
                None => return at,
            }
        }
        at
    }

    fn target(&self, reference: &Value) -> Option<&'a Value> {
        self.root.pointer(reference.as_str()?.strip_prefix('#')?)
    }

    fn mistyped(&self, schema: &Map<String, Value>, value: &Value, pointer: &str) -> Option<Problem> {
        let wanted = types(schema);
        if wanted.is_empty() || wanted.iter().any(|name| is_type(name, value)) {
            return None;
        }
        let message = format!("expected {}, found {}", either(&wanted), found(value));
        Some(self.document.problem(pointer, message, type_hint(&wanted, value)))
    }

    fn enumerated(&self, schema: &Map<String, Value>, value: &Value, pointer: &str, out: &mut Vec<Problem>) {
        let constant = schema.get("const").map(std::slice::from_ref);
        let Some(allowed) = schema.get("enum").and_then(Value::as_array).map(Vec::as_slice).or(constant)
        else {
            return;
        };
        if !allowed.iter().any(|one| same(one, value)) {
            out.push(self.not_among(&allowed.iter().collect::<Vec<_>>(), value, pointer));
        }
    }

    fn not_among(&self, allowed: &[&Value], value: &Value, pointer: &str) -> Problem {
        let words: Vec<&str> = allowed.iter().filter_map(|v| v.as_str()).collect();
        let hint = match value {
            Value::String(word) => {
                did_you_mean(word, words.iter().copied()).map(|word| format!("did you mean `{word}`?"))
            }
            other => type_hint(&["string"], other).filter(|_| !words.is_empty()),
        };
        let message = format!("{} is not one of {}", found_literal(value), listed(allowed));
        self.document.problem(pointer, message, hint)
    }

    fn object(
        &mut self,
        schema: &'a Map<String, Value>,
        map: &Map<String, Value>,
        pointer: &str,
        out: &mut Vec<Problem>,
    ) {
        for name in list(schema, "required").filter_map(Value::as_str) {
            if !map.contains_key(name) {
                out.push(self.document.problem(pointer, format!("the field `{name}` is missing"), None));
            }
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        let patterns = schema.get("patternProperties").and_then(Value::as_object);
        for (key, entry) in map {
            let inner = format!("{pointer}/{}", pointer_token(key));
            let mut known = false;
            if let Some(names) = schema.get("propertyNames") {
                self.name(names, key, &inner, out);
            }
            if let Some(property) = properties.and_then(|p| p.get(key)) {
                known = true;
                self.visit(property, entry, &inner, out);
            }
            for (pattern, property) in patterns.into_iter().flatten() {
                if bounds::pattern_matches(pattern, key) {
                    known = true;
                    self.visit(property, entry, &inner, out);
                }
            }
            match schema.get("additionalProperties") {
                Some(Value::Bool(false)) if !known => {
                    let names: Vec<&str> =
                        properties.into_iter().flatten().map(|(k, _)| k.as_str()).collect();
                    out.push(self.unknown_field(key, &names, &inner));
                }
                Some(rest) if !known => self.visit(rest, entry, &inner, out),
                _ => {}
            }
        }
        if schema.get("unevaluatedProperties") == Some(&Value::Bool(false)) {
            self.unevaluated(schema, map, pointer, out);
        }
    }

    /// A key held against `propertyNames`; the finding is placed at the key.
    fn name(&mut self, schema: &'a Value, key: &str, pointer: &str, out: &mut Vec<Problem>) {
        let mut found = Vec::new();
        self.visit(schema, &Value::String(key.to_owned()), pointer, &mut found);
        out.extend(found.into_iter().map(|p| self.document.key_problem(pointer, p.message, p.hint)));
    }

    fn unevaluated(
        &mut self,
        schema: &'a Map<String, Value>,
        map: &Map<String, Value>,
        pointer: &str,
        out: &mut Vec<Problem>,
    ) {
        let mut names = BTreeSet::new();
        if self.evaluated(schema, &mut names, MAX_REFERENCES) {
            return;
        }
        let names: Vec<&str> = names.into_iter().collect();
        for key in map.keys().filter(|key| !names.contains(&key.as_str())) {
            let inner = format!("{pointer}/{}", pointer_token(key));
            out.push(self.unknown_field(key, &names, &inner));
        }
    }

    /// The property names any applicable part of `schema` knows; true when some part admits every name.
    fn evaluated(&self, schema: &'a Map<String, Value>, names: &mut BTreeSet<&'a str>, depth: usize) -> bool {
        names.extend(
            schema
                .get("properties")
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
                .map(|(k, _)| k.as_str()),
        );
        let open = schema.get("additionalProperties").is_some_and(|rest| *rest != Value::Bool(false));
        if open || depth == 0 || schema.contains_key("patternProperties") {
            return true;
        }
        let parts = ["allOf", "oneOf", "anyOf"].into_iter().flat_map(|keyword| list(schema, keyword));
        let parts: Vec<&Value> =
            parts.chain(schema.get("$ref").and_then(|reference| self.target(reference))).collect();
        let mut open = false;
        for part in parts.into_iter().filter_map(|part| self.resolve(part).as_object()) {
            open |= self.evaluated(part, names, depth - 1);
        }
        open
    }

    fn unknown_field(&self, key: &str, names: &[&str], pointer: &str) -> Problem {
        let hint = match did_you_mean(key, names.iter().copied()) {
            Some(word) => Some(format!("did you mean `{word}`?")),
            None if names.is_empty() => None,
            None => Some(format!("the fields here are {}", names.join(", "))),
        };
        self.document.key_problem(pointer, format!("unknown field `{key}`"), hint)
    }

    fn array(
        &mut self,
        schema: &'a Map<String, Value>,
        items: &[Value],
        pointer: &str,
        out: &mut Vec<Problem>,
    ) {
        let prefix: Vec<&Value> = list(schema, "prefixItems").collect();
        let mut unwanted = None;
        for (at, item) in items.iter().enumerate() {
            let inner = format!("{pointer}/{at}");
            match (prefix.get(at), schema.get("items")) {
                (Some(one), _) => self.visit(one, item, &inner, out),
                (None, Some(Value::Bool(false))) => unwanted = unwanted.or(Some(inner)),
                (None, Some(each)) => self.visit(each, item, &inner, out),
                (None, None) => {}
            }
        }
        if let Some(inner) = unwanted {
            out.push(self.document.problem(
                &inner,
                format!("at most {} items are allowed here", prefix.len()),
                None,
            ));
        }
        if schema.get("uniqueItems") == Some(&Value::Bool(true)) {
            let mut seen = BTreeSet::new();
            for (at, item) in items.iter().enumerate() {
                if !seen.insert(item.to_string()) {
                    let inner = format!("{pointer}/{at}");
                    let message = format!("{} is listed twice", found_literal(item));
                    out.push(self.document.problem(
                        &inner,
                        message,
                        Some("remove one of the two".to_owned()),
                    ));
                }
            }
        }
    }
}

fn list<'a>(schema: &'a Map<String, Value>, keyword: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    schema.get(keyword).and_then(Value::as_array).into_iter().flatten()
}

fn types(schema: &Map<String, Value>) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn is_type(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    }
}

/// Equal as JSON Schema means it: 1 and 1.0 are one number.
fn same(a: &Value, b: &Value) -> bool {
    a == b || matches!((a.as_f64(), b.as_f64()), (Some(a), Some(b)) if a == b)
}

/// `a string or null`
fn either(wanted: &[&str]) -> String {
    let name = |word: &&str| match *word {
        "null" => "null".to_owned(),
        "boolean" => "true or false".to_owned(),
        "integer" => "a whole number".to_owned(),
        "array" => "a list".to_owned(),
        "object" => "a mapping".to_owned(),
        other => format!("a {other}"),
    };
    wanted.iter().map(name).collect::<Vec<_>>().join(" or ")
}

fn found(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(b) => format!("the boolean {b}"),
        Value::Number(n) => format!("the number {n}"),
        Value::String(_) => format!("the text {}", found_literal(value)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
    }
}

/// Longest text shown in a message, in characters.
const SHOWN: usize = 60;

fn found_literal(value: &Value) -> String {
    match value {
        Value::String(text) if text.chars().count() > SHOWN => {
            format!("`{}…`", text.chars().take(SHOWN).collect::<String>())
        }
        Value::String(text) => format!("`{text}`"),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
        other => other.to_string(),
    }
}

fn listed(allowed: &[&Value]) -> String {
    allowed.iter().map(|v| found_literal(v)).collect::<Vec<_>>().join(", ")
}

/// Advice for the slips YAML invites: unquoted text that reads as something else, and quotes around a number.
fn type_hint(wanted: &[&str], value: &Value) -> Option<String> {
    let wants = |name: &str| wanted.contains(&name);
    match value {
        Value::String(text) if wants("boolean") => match text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "y" | "true" => {
                Some(format!("in YAML 1.2 `{text}` is text here; write true without quotes"))
            }
            "no" | "off" | "n" | "false" => {
                Some(format!("in YAML 1.2 `{text}` is text here; write false without quotes"))
            }
            _ => None,
        },
        Value::String(text) if wants("integer") || wants("number") => {
            let number = super::scalar::plain(text).is_ok_and(|v| v.is_number());
            number.then(|| format!("write {text} without quotes"))
        }
        Value::Bool(_) | Value::Number(_) if wants("string") => {
            Some(format!("put it in quotes: \"{value}\""))
        }
        Value::Null => Some("a value is missing after `:`, or its lines are not indented".to_owned()),
        Value::Object(_) | Value::String(_) if wants("array") => Some("start each item with `- `".to_owned()),
        _ => None,
    }
}
