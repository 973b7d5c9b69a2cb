//! `mainstay explain`: what a kind of resource is, field by field, from its JSON Schema.

use serde_json::{Value, json};

use crate::arguments::ExplainArgs;
use crate::client::Client;
use crate::print::{field, say, show, table, text};
use crate::{Exit, Failure, Output};

/// Runs the command.
pub(crate) fn run(client: &Client, output: Output, args: &ExplainArgs) -> Result<(), Failure> {
    let Some(path) = &args.path else {
        if args.schema {
            let schema = client.get(&["schema"]).json()?;
            return say(&serde_json::to_string_pretty(&schema).unwrap_or_default());
        }
        let items = client.list(&["kinds"], &[])?;
        return show(output, &json!({ "items": items }), |_| kinds(&items));
    };
    let mut parts = path.split('.');
    let kind = client.get(&["kinds", parts.next().unwrap_or_default()]).json()?;
    if args.schema {
        return say(&serde_json::to_string_pretty(field(&kind, "/schema")).unwrap_or_default());
    }
    let fields: Vec<&str> = parts.collect();
    let found = walk(field(&kind, "/schema"), &fields)?;
    show(output, found, |found| {
        let example = if fields.is_empty() {
            format!("\nExample:\n\n{}", text(&kind, "/example"))
        } else {
            String::new()
        };
        describe(field(&kind, "/schema"), path, found) + &example
    })
}

fn kinds(items: &[Value]) -> String {
    let rows: Vec<Vec<String>> =
        items.iter().map(|k| vec![text(k, "/kind"), text(k, "/plural"), text(k, "/description")]).collect();
    table(&["kind", "plural", "what it is"], &rows, "no kinds")
}

/// The schema of a field, through `$ref`, arrays and maps.
fn walk<'a>(root: &'a Value, fields: &[&str]) -> Result<&'a Value, Failure> {
    let mut at = root;
    for name in fields {
        at = inside(root, at);
        let properties = field(at, "/properties");
        let next = properties.get(*name).unwrap_or(&Value::Null);
        at = if !next.is_null() {
            next
        } else if field(at, "/additionalProperties").is_object() {
            field(at, "/additionalProperties")
        } else {
            let names: Vec<&str> =
                properties.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
            let near = kernel::did_you_mean(name, names.iter().copied());
            let hint = near.map_or_else(|| names.join(", "), |near| format!("did you mean {near:?}?"));
            return Err(Failure::new(Exit::Refused, format!("there is no field {name:?} here: {hint}")));
        };
    }
    Ok(at)
}

/// What a schema is about, without `$ref`, "or null" and "list of".
fn inside<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let mut at = schema;
    // References lead nowhere twice in a schema of ours; the bound is for one that is not.
    for _ in 0..16 {
        if let Some(reference) = field(at, "/$ref").as_str().and_then(|r| r.strip_prefix('#')) {
            at = root.pointer(reference).unwrap_or(&Value::Null);
        } else if let Some(choices) = field(at, "/anyOf").as_array() {
            at = choices.iter().find(|choice| field(choice, "/type") != "null").unwrap_or(&Value::Null);
        } else if field(at, "/items").is_object() {
            at = field(at, "/items");
        } else {
            break;
        }
    }
    at
}

fn describe(root: &Value, path: &str, schema: &Value) -> String {
    let target = inside(root, schema);
    let mut out = format!("{path} <{}>\n", type_of(root, schema));
    for description in [field(schema, "/description"), field(target, "/description")] {
        if let Some(words) = description.as_str() {
            out.push_str(&format!("  {words}\n"));
            break;
        }
    }
    let required: Vec<&str> =
        field(target, "/required").as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut rows = Vec::new();
    for (name, one) in field(target, "/properties").as_object().into_iter().flatten() {
        let mark = if required.contains(&name.as_str()) { "required" } else { "" };
        let words =
            field(one, "/description").as_str().or_else(|| field(inside(root, one), "/description").as_str());
        rows.push(vec![
            name.clone(),
            type_of(root, one),
            mark.to_owned(),
            words.unwrap_or_default().to_owned(),
        ]);
    }
    if !rows.is_empty() {
        out.push('\n');
        out.push_str(&table(&["field", "type", "", "what it is"], &rows, ""));
    }
    out
}

fn type_of(root: &Value, schema: &Value) -> String {
    if field(schema, "/items").is_object() {
        return format!("list of {}", type_of(root, field(schema, "/items")));
    }
    let target = inside(root, schema);
    if let Some(fixed) = field(target, "/const").as_str() {
        return format!("{fixed:?}");
    }
    if let Some(choices) = field(target, "/enum").as_array() {
        let names: Vec<&str> = choices.iter().filter_map(Value::as_str).collect();
        return names.join(" | ");
    }
    if field(target, "/additionalProperties").is_object() && field(target, "/properties").is_null() {
        return format!("map of {}", type_of(root, field(target, "/additionalProperties")));
    }
    match field(target, "/type") {
        Value::String(name) => name.clone(),
        Value::Array(names) => names
            .iter()
            .filter_map(Value::as_str)
            .filter(|name| *name != "null")
            .collect::<Vec<_>>()
            .join(" or "),
        _ => "any".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_through_references_and_slips_are_named() {
        let root = json!({
            "properties": {"spec": {"$ref": "#/$defs/Spec"}},
            "$defs": {"Spec": {"type": "object", "description": "A spec.", "required": ["state"], "properties": {
                "state": {"enum": ["ON", "OFF"], "description": "Whether."},
                "rules": {"type": "array", "items": {"type": "string"}},
                "more": {"additionalProperties": {"type": "integer"}},
            }}},
        });
        let spec = walk(&root, &["spec"]).unwrap();
        let text = describe(&root, "x.spec", spec);
        assert!(text.contains("state  ON | OFF") && text.contains("required  Whether."), "{text}");
        assert!(text.contains("list of string") && text.contains("map of integer"), "{text}");
        let failure = walk(&root, &["spec", "stat"]).unwrap_err();
        assert!(failure.message.contains("\"state\""), "{}", failure.message);
    }
}
