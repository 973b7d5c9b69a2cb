//! From text to declared resources, with every finding placed in its file.

use std::collections::BTreeMap;

use ::flags::{Checks, Command as FlagCommand, FlagSetSpec, FlagSpec};
use ::hooks::{Command as HookCommand, WebhookSpec};
use kernel::{API_VERSION, Fault, Metadata, Position, Problem, Resource, ResourceKey, did_you_mean};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use wire::document::{self, Document};

use super::chapters::ChapterCommand;
use super::kinds::{KINDS, Kind};
use super::{APPLIED, MANAGED_BY};

/// Most documents of one request.
pub const MAX_DOCUMENTS: usize = 10_000;

/// A file's text as the caller sent it.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name, for messages.
    pub file: String,
    /// What it holds: YAML documents, or JSON.
    pub text: String,
}

/// A resource that was read and fits its kind's shape.
pub(crate) struct Declared {
    pub(crate) metadata: Metadata,
    /// Of the declared value, hex; says whether the text changed since it was applied.
    pub(crate) digest: String,
    document: Document,
    body: Body,
}

enum Body {
    Flag(Box<FlagSpec>),
    FlagSet(Box<FlagSetSpec>),
    Webhook(Box<WebhookSpec>),
}

/// Where each declared resource stands, for refusals of the chapters.
#[derive(Default)]
pub(crate) struct Places(BTreeMap<ResourceKey, Document>);

/// Reads every document of every source.
///
/// # Errors
/// Everything that is wrong, in the order of the sources.
pub(crate) fn read(sources: &[Source]) -> Result<Vec<Declared>, Fault> {
    let mut problems = Vec::new();
    let mut declared: Vec<Declared> = Vec::new();
    let mut seen: BTreeMap<ResourceKey, Position> = BTreeMap::new();
    for source in sources {
        match document::parse(&source.file, &source.text) {
            Ok(documents) => {
                for document in documents.into_iter().filter(|document| !document.value().is_null()) {
                    match one(document) {
                        Ok(one) => {
                            let at = one.document.position("/metadata/name");
                            if let Some(first) = seen.insert(one.key(), at.clone()) {
                                let message = format!("{} is declared twice; first at {first}", one.key());
                                problems.push(Problem::new(message).at(at).hint("keep one of them"));
                            }
                            declared.push(one);
                        }
                        Err(found) => problems.extend(found),
                    }
                }
            }
            Err(found) => problems.extend(found),
        }
    }
    if declared.len() > MAX_DOCUMENTS {
        return Err(Fault::invalid(format!("{} resources at once; at most {MAX_DOCUMENTS}", declared.len())));
    }
    if problems.is_empty() { Ok(declared) } else { Err(invalid(problems)) }
}

fn one(document: Document) -> Result<Declared, Vec<Problem>> {
    let kind = kind_of(&document)?;
    document.checked(kind.schema())?;
    let metadata: Metadata = document.decode_at("/metadata")?;
    if let Err(why) = ResourceKey::new(kind.name, &metadata.name) {
        return Err(vec![document.problem("/metadata/name", why.to_string(), None)]);
    }
    let body = match kind.name {
        ::flags::FLAG_KIND => Body::Flag(Box::new(document.decode_at("/spec")?)),
        ::flags::FLAG_SET_KIND => Body::FlagSet(Box::new(document.decode_at("/spec")?)),
        ::hooks::WEBHOOK_KIND => Body::Webhook(Box::new(document.decode_at("/spec")?)),
        // A test holds every kind against this list.
        other => {
            return Err(vec![document.problem("/kind", format!("{other} cannot be declared yet"), None)]);
        }
    };
    let digest = digest(document.value());
    Ok(Declared { metadata, digest, document, body })
}

/// The kind a document names. Said first, because every other finding depends on it.
fn kind_of(document: &Document) -> Result<&'static Kind, Vec<Problem>> {
    let refuse = |pointer: &str, message: String, hint: Option<String>| {
        Err(vec![document.problem(pointer, message, hint)])
    };
    if !document.value().is_object() {
        return refuse(
            "",
            "a resource is a mapping with apiVersion, kind, metadata and spec".to_owned(),
            None,
        );
    }
    match document.get("/apiVersion").map(Value::as_str) {
        Some(Some(API_VERSION)) => {}
        Some(other) => {
            let found = other.unwrap_or("something that is not text");
            return refuse(
                "/apiVersion",
                format!("apiVersion {found} is not known"),
                Some(format!("write {API_VERSION}")),
            );
        }
        None => {
            return refuse(
                "",
                "apiVersion is missing".to_owned(),
                Some(format!("add `apiVersion: {API_VERSION}`")),
            );
        }
    }
    let Some(name) = document.get("/kind").and_then(Value::as_str) else {
        return refuse(
            "/kind",
            "kind is missing or not text".to_owned(),
            Some(format!("such as {}", KINDS[0].name)),
        );
    };
    match Kind::named(name) {
        Ok(kind) if kind.name == name => Ok(kind),
        Ok(kind) => {
            refuse("/kind", format!("there is no kind {name:?}"), Some(format!("write {:?}", kind.name)))
        }
        Err(_) => {
            let near = did_you_mean(name, KINDS.iter().map(|kind| kind.name));
            let hint = near.map(|near| format!("did you mean {near:?}?"));
            refuse("/kind", format!("there is no kind {name:?}"), hint)
        }
    }
}

/// SHA-256 of the value with its keys in the order written, hex; 16 bytes of it are enough to notice a change.
fn digest(value: &Value) -> String {
    let hash = Sha256::digest(value.to_string());
    hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn invalid(problems: Vec<Problem>) -> Fault {
    let message = match problems.len() {
        1 => "the resource is refused".to_owned(),
        n => format!("the resources are refused for {n} reasons"),
    };
    Fault::invalid(message).with_problems(problems)
}

// === impl Declared ===

impl Declared {
    /// What names it.
    pub(crate) fn key(&self) -> ResourceKey {
        let kind = match self.body {
            Body::Flag(_) => ::flags::FLAG_KIND,
            Body::FlagSet(_) => ::flags::FLAG_SET_KIND,
            Body::Webhook(_) => ::hooks::WEBHOOK_KIND,
        };
        ResourceKey { kind: kind.to_owned(), name: self.metadata.name.clone() }
    }

    /// The YAML to compare with what is, as `manager` would have applied it.
    pub(crate) fn resource_yaml(&self, manager: &str) -> String {
        let mut metadata = self.metadata.clone();
        metadata.annotations.insert(MANAGED_BY.to_owned(), manager.to_owned());
        let spec = match &self.body {
            Body::Flag(spec) => serde_json::to_value(spec),
            Body::FlagSet(spec) => serde_json::to_value(spec),
            Body::Webhook(spec) => serde_json::to_value(spec),
        };
        super::yaml_of(&Resource {
            api_version: API_VERSION.to_owned(),
            kind: self.key().kind,
            metadata,
            spec: spec.unwrap_or_default(),
        })
    }

    /// The chapter's command that makes it so.
    pub(crate) fn into_command(self, managed_by: Option<&str>) -> ChapterCommand {
        let mut metadata = self.metadata;
        if let Some(manager) = managed_by {
            metadata.annotations.insert(MANAGED_BY.to_owned(), manager.to_owned());
            metadata.annotations.insert(APPLIED.to_owned(), self.digest);
        }
        let checks = Checks::Strict;
        match self.body {
            Body::Flag(spec) => ChapterCommand::Flags(FlagCommand::DefineFlag { metadata, spec, checks }),
            Body::FlagSet(spec) => {
                ChapterCommand::Flags(FlagCommand::DefineFlagSet { metadata, spec, checks })
            }
            Body::Webhook(spec) => ChapterCommand::Hooks(HookCommand::Define { metadata, spec }),
        }
    }

    /// What works and should be known all the same, with its place.
    pub(crate) fn warnings(&self) -> Vec<Problem> {
        let Body::Webhook(spec) = &self.body else { return Vec::new() };
        let findings = ::hooks::examine(spec).into_iter().filter(|finding| !finding.fatal);
        let place = |finding: ::hooks::Finding| {
            self.document.problem(&format!("/spec{}", finding.pointer), finding.message, finding.hint)
        };
        findings.map(place).collect()
    }
}

// === impl Places ===

impl Places {
    /// The places of `declared`.
    pub(crate) fn of(declared: &[Declared]) -> Self {
        Self(declared.iter().map(|one| (one.key(), one.document.clone())).collect())
    }

    /// A chapter's refusal about a resource, with its findings placed in the file that declares it.
    pub(crate) fn place(&self, about: Option<&ResourceKey>, mut fault: Fault) -> Fault {
        let Some(document) = about.and_then(|key| self.0.get(key)) else { return fault };
        if fault.problems.is_empty() {
            fault.problems.push(Problem::new(fault.message.clone()).at(document.position("/metadata/name")));
        }
        for problem in &mut fault.problems {
            let (pointer, message) = split_place(&problem.message);
            problem.at.get_or_insert_with(|| document.position(&format!("/spec{pointer}")));
            problem.message = message.to_owned();
        }
        fault
    }
}

/// The chapter names a place in a spec by a JSON pointer at the start of its message: `/targeting/if/0: …`.
fn split_place(message: &str) -> (&str, &str) {
    match message.split_once(": ") {
        Some((pointer, rest)) if pointer.starts_with('/') => (pointer, rest),
        _ => ("", message),
    }
}
