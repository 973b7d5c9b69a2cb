//! `oneOf` and `anyOf`: which branch was meant, so that the findings are about that one.

use kernel::Problem;
use serde_json::{Map, Value};

use super::{Checker, either, found, is_type, list, same, type_hint, types};

impl<'a> Checker<'a> {
    /// Reports nothing when a branch fits; else what is wrong with the branch most likely meant.
    pub(super) fn branches(
        &mut self,
        branches: &'a [Value],
        value: &Value,
        pointer: &str,
        out: &mut Vec<Problem>,
    ) {
        let resolved: Vec<&'a Value> = branches.iter().map(|branch| self.resolve(branch)).collect();
        if let Some(allowed) = constants(&resolved) {
            if !allowed.iter().any(|one| same(one, value)) {
                out.push(self.not_among(&allowed, value, pointer));
            }
            return;
        }
        let admitted = |schema: &Map<String, Value>| {
            let wanted = types(schema);
            wanted.is_empty() || wanted.iter().any(|name| is_type(name, value))
        };
        let typed: Vec<&'a Value> =
            resolved.iter().copied().filter(|branch| branch.as_object().is_none_or(admitted)).collect();
        if typed.is_empty() {
            let wanted: Vec<&str> = resolved.iter().filter_map(|b| b.as_object()).flat_map(types).collect();
            let message = format!("expected {}, found {}", either(&wanted), found(value));
            out.push(self.document.problem(pointer, message, type_hint(&wanted, value)));
            return;
        }
        if let Some(problem) = self.unknown_variant(&typed, value, pointer) {
            out.push(problem);
            return;
        }
        let mut best: Option<(bool, Vec<Problem>)> = None;
        for branch in typed {
            let mut problems = Vec::new();
            self.visit(branch, value, pointer, &mut problems);
            if problems.is_empty() {
                return;
            }
            let other = branch.as_object().is_some_and(|schema| names_another(schema, value));
            let better = best.as_ref().is_none_or(|(o, p)| (other, problems.len()) < (*o, p.len()));
            if better {
                best = Some((other, problems));
            }
        }
        out.extend(best.into_iter().flat_map(|(_, problems)| problems));
    }

    /// Where every branch is a mapping with one key that names the variant: a key that names none of them.
    fn unknown_variant(&self, branches: &[&'a Value], value: &Value, pointer: &str) -> Option<Problem> {
        let names: Option<Vec<&str>> = branches.iter().map(|branch| variant(branch)).collect();
        let names = names.filter(|names| names.len() > 1)?;
        let map = value.as_object()?;
        let key = map.keys().next().filter(|_| map.len() == 1)?;
        if names.contains(&key.as_str()) {
            return None;
        }
        let inner = format!("{pointer}/{}", super::pointer_token(key));
        Some(self.unknown_field(key, &names, &inner))
    }
}

/// The values of branches that each allow only listed ones.
fn constants<'a>(branches: &[&'a Value]) -> Option<Vec<&'a Value>> {
    let mut all = Vec::new();
    for branch in branches {
        let schema = branch.as_object()?;
        match (schema.get("const"), schema.get("enum")) {
            (Some(one), _) => all.push(one),
            (None, Some(Value::Array(several))) => all.extend(several),
            _ => return None,
        }
    }
    Some(all)
}

/// The only key of an externally tagged variant.
fn variant(branch: &Value) -> Option<&str> {
    let schema = branch.as_object()?;
    let properties = schema.get("properties")?.as_object()?;
    let required = list(schema, "required").next()?.as_str()?;
    let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
    (closed && properties.len() == 1 && properties.contains_key(required)).then_some(required)
}

/// True when a property that tells variants apart (`const`) says that this branch is not meant.
fn names_another(schema: &Map<String, Value>, value: &Value) -> bool {
    let properties = schema.get("properties").and_then(Value::as_object);
    let mut tags = properties.into_iter().flatten().filter_map(|(key, s)| Some((key, s.get("const")?)));
    tags.any(|(key, constant)| value.get(key).is_none_or(|given| !same(constant, given)))
        || variant(&Value::Object(schema.clone())).is_some_and(|key| value.get(key).is_none())
}
