//! flagd's own files: <https://flagd.dev/reference/flag-definitions/>.
//!
//! Reading is as lenient as flagd where flagd loads a file and fails later (an unknown operator, a `$ref` to nothing, a
//! field it does not know): that becomes a warning. What can never be meant is refused, each problem with its line and
//! column: a broken structure, a state that is neither ENABLED nor DISABLED, a default variant that does not exist, a
//! rule beyond the limits, evaluators in a circle.
//!
//! Writing gives back what was read, but for `$schema`, unknown fields, duplicate keys, the order of keys, and a missing
//! `state` or an empty `defaultVariant`, which are written as what they mean.

mod position;

use std::collections::HashMap;

use indexmap::IndexMap;
use kernel::{Metadata, Problem, ResourceKey};
use serde_json::{Map, Value, json};

use crate::check::{self, Finding, pointer};
use crate::command::{Checks, Command};
use crate::limits::{MAX_FILE_BYTES, MAX_FLAGS_PER_FILE};
use crate::logic::{Evaluators, did_you_mean};
use crate::spec::{DEFAULT_FLAG_SET, DefaultVariant, FLAG_KIND, FlagSetSpec, FlagSpec, FlagState, Pairs};
use crate::state::State;

/// What a flagd file holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Import {
    /// The set's metadata and evaluators.
    pub set: FlagSetSpec,
    /// The flags by key, in the order of the file; all in the set `default`.
    pub flags: Vec<(String, FlagSpec)>,
    /// What flagd ignores or fails to evaluate, with places.
    pub warnings: Vec<Problem>,
}

const FILE_FIELDS: [&str; 4] = ["$schema", "flags", "$evaluators", "metadata"];
const FLAG_FIELDS: [&str; 5] = ["state", "variants", "defaultVariant", "targeting", "metadata"];

/// Reads a flagd file.
///
/// # Errors
/// Everything that is wrong with it, with line and column.
pub fn import(text: &str) -> Result<Import, Vec<Problem>> {
    if text.len() > MAX_FILE_BYTES {
        let message = format!("the file has {} bytes; at most {MAX_FILE_BYTES} are read", text.len());
        return Err(vec![Problem::new(message).hint("split it into several flag sets")]);
    }
    let root: Value = serde_json::from_str(text).map_err(|error| vec![position::of_syntax(text, &error)])?;
    let mut reader = Reader::default();
    let (set, flags) = reader.file(&root);
    let mut findings = reader.findings;
    findings.extend(check_all(&set, &flags, &reader.places));
    let (problems, mut warnings) = position::locate(text, findings);
    if !problems.is_empty() {
        return Err(problems);
    }
    warnings.dedup();
    Ok(Import { set, flags: flags.into_iter().collect(), warnings })
}

/// Writes a flagd file. With an environment, what holds there; without, what the flags themselves say. Fields that
/// flagd does not have are left out: [`beyond`] says which.
pub fn export<'a>(
    set: Option<&FlagSetSpec>,
    flags: impl IntoIterator<Item = (&'a str, &'a FlagSpec)>,
    environment: Option<&str>,
) -> Value {
    let flags: Map<String, Value> =
        flags.into_iter().map(|(key, spec)| (key.to_owned(), export_flag(spec, environment))).collect();
    let mut file = Map::from_iter([("flags".to_owned(), Value::Object(flags))]);
    if let Some(set) = set {
        if !set.evaluators.is_empty() {
            let evaluators = set.evaluators.iter().map(|(name, rule)| (name.clone(), rule.clone())).collect();
            file.insert("$evaluators".to_owned(), Value::Object(evaluators));
        }
        if !set.metadata.is_empty() {
            file.insert("metadata".to_owned(), Value::Object(set.metadata.clone()));
        }
    }
    Value::Object(file)
}

/// What of a flag decides here and cannot be said in a flagd file: there it would answer differently.
pub fn beyond(spec: &FlagSpec) -> Vec<&'static str> {
    [
        ("prerequisites", !spec.prerequisites.is_empty()),
        ("hashVersion", !spec.hash_version.is_flagd()),
        ("environments", !spec.environments.is_empty()),
    ]
    .into_iter()
    .filter_map(|(field, used)| used.then_some(field))
    .collect()
}

// === impl Import ===

impl Import {
    /// The command that brings the file into `flag_set`. What flagd's format cannot say about a flag or flag set that is
    /// already there (owner, expiry, environments, labels …) stays as it is; flags that the file lacks stay too.
    pub fn into_command(self, state: &State, flag_set: &str) -> Command {
        let mut commands = Vec::with_capacity(self.flags.len() + 1);
        let known = state.flag_set(flag_set);
        if known.is_some() || flag_set != DEFAULT_FLAG_SET || self.set != FlagSetSpec::default() {
            let description = known.and_then(|set| set.spec.description.clone());
            commands.push(Command::DefineFlagSet {
                metadata: keep(flag_set, known.map(|set| (&set.labels, &set.annotations))),
                spec: Box::new(FlagSetSpec { description, ..self.set }),
                checks: Checks::AsFlagd,
            });
        }
        for (key, mut spec) in self.flags {
            let known = state.flag(&key);
            if let Some(known) = known {
                let old = known.spec.clone();
                spec = FlagSpec {
                    state: spec.state,
                    variants: spec.variants,
                    default_variant: spec.default_variant,
                    targeting: spec.targeting,
                    metadata: spec.metadata,
                    ..old
                };
            }
            flag_set.clone_into(&mut spec.flag_set);
            commands.push(Command::DefineFlag {
                metadata: keep(&key, known.map(|flag| (&flag.labels, &flag.annotations))),
                spec: Box::new(spec),
                checks: Checks::AsFlagd,
            });
        }
        Command::Batch(commands)
    }
}

fn keep(name: &str, known: Option<(&Pairs, &Pairs)>) -> Metadata {
    let (labels, annotations) = known.map(|(l, a)| (l.clone(), a.clone())).unwrap_or_default();
    Metadata { name: name.to_owned(), labels, annotations, version: None }
}

fn export_flag(spec: &FlagSpec, environment: Option<&str>) -> Value {
    let variants = spec.variants.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let mut flag = Map::new();
    flag.insert("state".to_owned(), json!(spec.state_in(environment)));
    flag.insert("variants".to_owned(), Value::Object(variants));
    let there = environment.and_then(|name| spec.environments.get(name));
    let default = there.map(|there| &there.default_variant).filter(|default| !default.is_unset());
    let default = default.unwrap_or(&spec.default_variant);
    if !default.is_unset() {
        flag.insert("defaultVariant".to_owned(), json!(default));
    }
    let rule = there.and_then(|there| there.targeting.as_ref()).or(spec.targeting.as_ref());
    if let Some(rule) = rule {
        flag.insert("targeting".to_owned(), rule.clone());
    }
    if !spec.metadata.is_empty() {
        flag.insert("metadata".to_owned(), Value::Object(spec.metadata.clone()));
    }
    Value::Object(flag)
}

/// What the chapter's own checks find, placed in the file.
fn check_all(
    set: &FlagSetSpec,
    flags: &IndexMap<String, FlagSpec>,
    places: &HashMap<String, String>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for mut finding in check::flag_set(set) {
        if let Some(rest) = finding.pointer.strip_prefix("/evaluators") {
            finding.pointer = format!("/$evaluators{rest}");
        }
        findings.push(finding);
    }
    if findings.iter().any(|finding| finding.fatal) {
        return findings;
    }
    let evaluators = Evaluators::compile(&set.evaluators);
    for (key, spec) in flags {
        let place = places.get(key).map_or("", String::as_str);
        for mut finding in check::flag(spec, &evaluators) {
            finding.pointer.insert_str(0, place);
            findings.push(finding);
        }
    }
    findings
}

/// Takes the structure of a file apart.
#[derive(Default)]
struct Reader {
    findings: Vec<Finding>,
    /// The flags are a list with a `key` each.
    array: bool,
    /// How many findings are fatal.
    refused: usize,
    /// Where each flag stands, as a JSON pointer.
    places: HashMap<String, String>,
}

// === impl Reader ===

impl Reader {
    fn file(&mut self, root: &Value) -> (FlagSetSpec, IndexMap<String, FlagSpec>) {
        let mut set = FlagSetSpec::default();
        let mut flags = IndexMap::new();
        let Some(file) = self.object("", root, "a flagd file") else { return (set, flags) };
        self.known_fields("", file, &FILE_FIELDS);
        if let Some(metadata) = file.get("metadata") {
            set.metadata = self.object("/metadata", metadata, "metadata").cloned().unwrap_or_default();
        }
        if let Some(evaluators) = file.get("$evaluators") {
            let evaluators = self.object("/$evaluators", evaluators, "`$evaluators`");
            set.evaluators = evaluators.into_iter().flatten().map(|(n, r)| (n.clone(), r.clone())).collect();
        }
        match file.get("flags") {
            Some(Value::Array(list)) => {
                self.array = true;
                self.count(list.len());
                for (at, flag) in list.iter().enumerate().take(MAX_FLAGS_PER_FILE) {
                    let place = format!("/flags/{at}");
                    match flag.get("key").and_then(Value::as_str) {
                        Some(key) => self.flag(&place, key, flag, &mut flags),
                        None => self.fatal(&place, "a flag in a list has a `key`", None),
                    }
                }
            }
            Some(other) => {
                let map = self.object("/flags", other, "`flags`");
                self.count(map.map_or(0, Map::len));
                for (key, flag) in map.into_iter().flatten().take(MAX_FLAGS_PER_FILE) {
                    self.flag(&pointer(&["flags", key]), key, flag, &mut flags);
                }
            }
            None => {
                let near = kernel::did_you_mean("flags", file.keys().map(String::as_str));
                let empty = || "start with {\"flags\": {}}".to_owned();
                let hint = near.map_or_else(empty, |near| format!("rename `{near}` to `flags`"));
                self.fatal("", "a flagd file has `flags`", Some(hint));
            }
        }
        (set, flags)
    }

    fn flag(&mut self, place: &str, key: &str, flag: &Value, flags: &mut IndexMap<String, FlagSpec>) {
        if let Err(why) = ResourceKey::new(FLAG_KIND, key) {
            self.fatal(place, &why.to_string(), None);
        }
        let Some(map) = self.object(place, flag, "a flag") else { return };
        let before = self.refused;
        if self.array {
            let fields: Vec<&str> = FLAG_FIELDS.into_iter().chain(["key"]).collect();
            self.known_fields(place, map, &fields);
        } else {
            self.known_fields(place, map, &FLAG_FIELDS);
        }
        let mut spec = FlagSpec::new::<String>([]);
        if let Some(state) = map.get("state") {
            match serde_json::from_value::<FlagState>(state.clone()) {
                Ok(state) => spec.state = state,
                Err(_) => {
                    let hint = "write \"ENABLED\" or \"DISABLED\"".to_owned();
                    self.fatal(&format!("{place}/state"), &format!("{state} is not a state"), Some(hint));
                }
            }
        }
        match map.get("variants") {
            Some(variants) => {
                let variants = self.object(&format!("{place}/variants"), variants, "`variants`");
                spec.variants = variants.into_iter().flatten().map(|(n, v)| (n.clone(), v.clone())).collect();
            }
            None => self.fatal(place, "a flag has `variants`", None),
        }
        spec.default_variant = match map.get("defaultVariant") {
            None => DefaultVariant::Unset,
            Some(Value::Null) => DefaultVariant::Code,
            // flagd takes an empty name for none.
            Some(Value::String(name)) if name.is_empty() => DefaultVariant::Code,
            Some(Value::String(name)) => DefaultVariant::Named(name.clone()),
            Some(other) => {
                let hint = "write the name of a variant, or null".to_owned();
                let place = format!("{place}/defaultVariant");
                self.fatal(&place, &format!("{other} does not name a variant"), Some(hint));
                DefaultVariant::Unset
            }
        };
        spec.targeting = map.get("targeting").cloned();
        if let Some(metadata) = map.get("metadata") {
            let metadata = self.object(&format!("{place}/metadata"), metadata, "metadata");
            spec.metadata = metadata.cloned().unwrap_or_default();
        }
        // What could not be read is not checked any further: one problem is enough.
        if self.refused > before {
            return;
        }
        self.places.insert(key.to_owned(), place.to_owned());
        if flags.insert(key.to_owned(), spec).is_some() {
            self.fatal(place, &format!("the flag `{key}` is defined twice"), None);
        }
    }

    fn object<'v>(&mut self, place: &str, value: &'v Value, what: &str) -> Option<&'v Map<String, Value>> {
        let map = value.as_object();
        if map.is_none() {
            self.fatal(place, &format!("{what} is a JSON object"), None);
        }
        map
    }

    fn known_fields(&mut self, place: &str, map: &Map<String, Value>, known: &[&str]) {
        for field in map.keys().filter(|field| !known.contains(&field.as_str())) {
            let hint = did_you_mean(field, known.iter().copied());
            self.findings.push(Finding {
                pointer: format!("{place}{}", pointer(&[field])),
                message: format!("unknown field `{field}`, ignored as flagd does"),
                hint: Some(hint),
                fatal: false,
            });
        }
    }

    fn count(&mut self, flags: usize) {
        if flags > MAX_FLAGS_PER_FILE {
            let message =
                format!("there are {flags} flags; at most {MAX_FLAGS_PER_FILE} are read from a file");
            self.fatal("/flags", &message, Some("split it into several flag sets".to_owned()));
        }
    }

    fn fatal(&mut self, place: &str, message: &str, hint: Option<String>) {
        self.refused += 1;
        self.findings.push(Finding {
            pointer: place.to_owned(),
            message: message.to_owned(),
            hint,
            fatal: true,
        });
    }
}
