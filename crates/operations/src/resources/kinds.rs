//! The kinds of resources there are: their names, shapes and examples.

use std::sync::LazyLock;

use kernel::{API_VERSION, Fault, ResourceKey, did_you_mean};
use serde_json::{Value, json};

/// A kind of resource.
pub struct Kind {
    /// As written in `kind`.
    pub name: &'static str,
    /// As the command line also takes it.
    pub plural: &'static str,
    /// Who decides about it.
    pub chapter: &'static str,
    /// One sentence.
    pub description: &'static str,
    /// A small resource that can be applied as it is.
    pub example: &'static str,
    spec: fn() -> schemars::Schema,
}

/// Every kind.
pub const KINDS: [Kind; 3] = [
    Kind {
        name: ::flags::FLAG_KIND,
        plural: "flags",
        chapter: ::flags::CHAPTER,
        description: "A feature flag: a named decision that is made again for every request.",
        example: include_str!("examples/flag.yaml"),
        spec: || schemars::schema_for!(::flags::FlagSpec),
    },
    Kind {
        name: ::flags::FLAG_SET_KIND,
        plural: "flagsets",
        chapter: ::flags::CHAPTER,
        description: "A set of flags that share metadata and targeting rules, as one flagd file does.",
        example: include_str!("examples/flagset.yaml"),
        spec: || schemars::schema_for!(::flags::FlagSetSpec),
    },
    Kind {
        name: ::hooks::WEBHOOK_KIND,
        plural: "webhooks",
        chapter: ::hooks::CHAPTER,
        description: "A receiver outside that is told of facts as they happen.",
        example: include_str!("examples/webhook.yaml"),
        spec: || schemars::schema_for!(::hooks::WebhookSpec),
    },
];

impl Kind {
    /// The kind of this name: as written in `kind`, in any case, or its plural.
    ///
    /// # Errors
    /// There is none; the nearest is named.
    pub fn named(name: &str) -> Result<&'static Self, Fault> {
        let same =
            |kind: &&Self| kind.name.eq_ignore_ascii_case(name) || kind.plural.eq_ignore_ascii_case(name);
        KINDS_STATIC.iter().find(same).ok_or_else(|| {
            let near = did_you_mean(name, KINDS_STATIC.iter().map(|kind| kind.name));
            let names: Vec<&str> = KINDS_STATIC.iter().map(|kind| kind.name).collect();
            let hint = near.map_or_else(
                || format!("the kinds are {}", names.join(", ")),
                |near| format!("did you mean {near:?}?"),
            );
            Fault::not_found(format!("there is no kind {name:?}; {hint}"))
        })
    }

    /// The key of a resource of this kind.
    pub fn key(&self, name: &str) -> ResourceKey {
        ResourceKey { kind: self.name.to_owned(), name: name.to_owned() }
    }

    /// The JSON Schema of the whole resource.
    pub fn schema(&'static self) -> &'static Value {
        static SCHEMAS: LazyLock<Vec<Value>> = LazyLock::new(|| KINDS_STATIC.iter().map(whole).collect());
        let at = KINDS_STATIC.iter().position(|kind| kind.name == self.name);
        at.and_then(|at| SCHEMAS.get(at)).unwrap_or(&Value::Null)
    }

    /// One JSON Schema for editors: a resource of any kind.
    pub fn schema_of_all() -> Value {
        let choices: Vec<&Value> = KINDS_STATIC.iter().map(Self::schema).collect();
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "A Mainstay resource",
            "oneOf": choices.into_iter().map(embedded).collect::<Vec<_>>(),
        })
    }
}

static KINDS_STATIC: [Kind; 3] = KINDS;

/// The schema of a whole resource around that of its spec.
fn whole(kind: &Kind) -> Value {
    let mut spec = (kind.spec)().to_value();
    let mut definitions = Value::Null;
    if let Some(fields) = spec.as_object_mut() {
        fields.remove("$schema");
        definitions = fields.remove("$defs").unwrap_or(Value::Null);
    }
    let pairs = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": kind.name,
        "description": kind.description,
        "type": "object",
        "additionalProperties": false,
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "properties": {
            "apiVersion": {"const": API_VERSION, "description": "Always mainstay/v1."},
            "kind": {"const": kind.name, "description": kind.description},
            "metadata": {
                "description": "Name, labels, annotations, and the version for optimistic concurrency.",
                "type": "object",
                "additionalProperties": false,
                "required": ["name"],
                "properties": {
                    "name": {"type": "string", "minLength": 1, "maxLength": 253,
                             "description": "Unique within the kind."},
                    "labels": {"description": "For selection.", "type": "object",
                               "additionalProperties": {"type": "string"}},
                    "annotations": pairs,
                    "version": {"type": "integer", "minimum": 0,
                                "description": "If given, it must be the current version."},
                },
            },
            "spec": spec,
        },
    });
    if let (Some(fields), false) = (schema.as_object_mut(), definitions.is_null()) {
        fields.insert("$defs".to_owned(), definitions);
    }
    schema
}

/// A whole schema as part of another: as a resource of its own, so that its `#/$defs` stay its own.
fn embedded(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Some(fields) = schema.as_object_mut() {
        fields.remove("$schema");
        let title = fields.get("title").and_then(Value::as_str).unwrap_or_default().to_lowercase();
        fields.insert("$id".to_owned(), json!(format!("mainstay:{title}")));
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_found_by_any_spelling_and_slips_are_named() {
        for name in ["Flag", "flag", "flags", "FLAGS"] {
            assert_eq!(Kind::named(name).map(|kind| kind.name).ok(), Some("Flag"), "{name}");
        }
        let fault = Kind::named("Flga").map(|kind| kind.name).unwrap_err();
        assert!(fault.message.contains("\"Flag\""), "{fault}");
    }

    #[test]
    fn every_example_fits_its_schema() {
        for kind in &KINDS_STATIC {
            let documents = wire::document::parse("example.yaml", kind.example).unwrap();
            assert_eq!(documents.len(), 1);
            for document in documents {
                document
                    .checked(kind.schema())
                    .unwrap_or_else(|problems| panic!("{}: {problems:?}", kind.name));
            }
        }
    }
}
