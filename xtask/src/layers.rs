//! Holds the house's table (`xtask/layers.toml`) against `cargo metadata` and against the sources.
//!
//! Two halves: who depends on whom (`[dependencies]` and `[build-dependencies]`; tests may reach further), and what a
//! pure crate names. Both are functions of values, so that their tests can show them bad houses.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::finding::{Finding, conclude};
use crate::source::{self, Source};
use crate::tokens;
use crate::workspace::{Metadata, read_toml};

/// What `cargo xtask layers --help` says.
pub const HELP: &str = "\
Reads xtask/layers.toml and refuses
  - a crate that is not in the table, and a crate in the table that is gone or empty;
  - a dependency on a crate of the same or a higher layer, or on one that stands beside the house;
  - a foreign crate outside the rooms it is confined to;
  - a pure crate (L0, L1) that reaches a runtime, a socket, a file, a clock or a random source, by dependency or by name.";

/// The table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct House {
    layer: Vec<Layer>,
    #[serde(default)]
    only: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    also: Vec<Also>,
    beside: Beside,
    #[serde(default)]
    confined: Vec<Confined>,
    pure: Pure,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Layer {
    name: String,
    crates: Vec<String>,
    #[serde(default)]
    pure: bool,
}

/// An arrow inside a layer that is meant.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Also {
    from: String,
    to: String,
    #[serde(rename = "why")]
    _why: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Beside {
    crates: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Confined {
    crates: Vec<String>,
    to: Vec<String>,
    why: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pure {
    dependencies: Vec<String>,
    ban: Vec<Ban>,
}

/// A path that may not be named, and what to write instead.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ban {
    /// Words joined by `::`; matches anywhere in a path.
    pub path: String,
    /// What to do instead.
    pub instead: String,
    /// Files or folders that may.
    #[serde(default)]
    pub except: Vec<String>,
}

/// One of our crates: its name, its manifest, and the names it depends on outside tests.
#[derive(Debug)]
pub struct Room {
    /// The crate's name.
    pub name: String,
    /// Path of its manifest from the root.
    pub manifest: String,
    /// Ours and foreign, `[dependencies]` and `[build-dependencies]`.
    pub uses: BTreeSet<String>,
    /// Everything it reaches through normal dependencies.
    pub reaches: BTreeSet<String>,
}

/// The command.
pub fn run(_: &[String]) -> Result<(), String> {
    let house: House = read_toml("xtask/layers.toml")?;
    let rooms = rooms(&Metadata::load()?);
    let sources = source::all()?;
    let mut findings = arrows(&house, &rooms);
    findings.extend(purity(&house, &sources));
    findings.extend(empty(&house, &sources));
    conclude(findings, &format!("layers of {} crates", rooms.len()))
}

// === impl House ===

impl House {
    fn level(&self, name: &str) -> Option<usize> {
        self.layer.iter().position(|layer| layer.crates.iter().any(|member| member == name))
    }

    fn is_beside(&self, name: &str) -> bool {
        self.beside.crates.iter().any(|member| member == name)
    }

    fn is_pure(&self, name: &str) -> bool {
        self.layer.iter().any(|layer| layer.pure && layer.crates.iter().any(|member| member == name))
    }

    fn layer_name(&self, level: usize) -> &str {
        self.layer.get(level).map_or("?", |layer| layer.name.as_str())
    }
}

// === impl Ban ===

impl Ban {
    /// Whether a path's words hold this ban's words, side by side.
    pub fn matches(&self, words: &[String]) -> bool {
        let banned: Vec<&str> = self.path.split("::").collect();
        words.windows(banned.len()).any(|window| window.iter().map(String::as_str).eq(banned.iter().copied()))
    }

    /// Whether a file is excepted.
    pub fn spares(&self, file: &str) -> bool {
        self.except.iter().any(|prefix| file.starts_with(prefix.as_str()))
    }
}

fn rooms(metadata: &Metadata) -> Vec<Room> {
    let root = crate::workspace::root();
    metadata
        .members()
        .map(|package| Room {
            name: package.name.clone(),
            manifest: package
                .manifest_path
                .strip_prefix(root)
                .unwrap_or(&package.manifest_path)
                .display()
                .to_string(),
            uses: package
                .dependencies
                .iter()
                .filter(|dependency| dependency.kind.as_deref() != Some("dev"))
                .map(|dependency| dependency.name.clone())
                .collect(),
            reaches: reaches(metadata, &package.id),
        })
        .collect()
}

/// Names of everything that a package reaches through normal dependencies on this platform.
fn reaches(metadata: &Metadata, id: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::from([id.to_owned()]);
    let mut waiting = vec![id.to_owned()];
    let nodes = metadata.resolve.as_ref().map(|resolve| resolve.nodes.as_slice()).unwrap_or_default();
    while let Some(next) = waiting.pop() {
        let deps = nodes.iter().filter(|node| node.id == next).flat_map(|node| &node.deps);
        for dep in deps.filter(|dep| dep.dep_kinds.iter().any(|kind| kind.kind.is_none())) {
            if seen.insert(dep.pkg.clone()) {
                waiting.push(dep.pkg.clone());
            }
        }
    }
    seen.iter().filter_map(|id| metadata.package(id)).map(|package| package.name.clone()).collect()
}

/// Who depends on whom.
fn arrows(house: &House, rooms: &[Room]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let ours: BTreeSet<&str> = rooms.iter().map(|room| room.name.as_str()).collect();
    let listed = house.layer.iter().flat_map(|layer| &layer.crates).chain(&house.beside.crates);
    for name in listed.filter(|name| !ours.contains(name.as_str())) {
        findings.push(Finding::file(
            "xtask/layers.toml",
            format!("lists `{name}`, which is no crate here; take it out"),
        ));
    }
    for room in rooms {
        let mut find = |what: String| findings.push(Finding::file(room.manifest.clone(), what));
        let Some(level) = house.level(&room.name) else {
            if !house.is_beside(&room.name) {
                find(format!("`{}` has no layer; give it one in xtask/layers.toml", room.name));
            }
            continue;
        };
        for used in room.uses.iter().filter(|used| ours.contains(used.as_str())) {
            if let Some(what) = wrong_arrow(house, &room.name, level, used) {
                find(what);
            }
        }
        for confined in house.confined.iter().filter(|confined| !confined.to.contains(&room.name)) {
            for used in confined.crates.iter().filter(|used| room.uses.contains(*used)) {
                find(format!("`{}` may not depend on `{used}`: {}", room.name, confined.why));
            }
        }
        if house.is_pure(&room.name) {
            for reached in house.pure.dependencies.iter().filter(|name| room.reaches.contains(*name)) {
                find(format!(
                    "`{}` is pure and reaches `{reached}`; see `cargo tree -p {} -i {reached}`",
                    room.name, room.name
                ));
            }
        }
    }
    findings
}

fn wrong_arrow(house: &House, name: &str, level: usize, used: &str) -> Option<String> {
    if house.is_beside(used) {
        return Some(format!(
            "`{name}` depends on `{used}`, which stands beside the house; only tests may use it"
        ));
    }
    if let Some(only) = house.only.get(name)
        && !only.iter().any(|allowed| allowed == used)
    {
        return Some(format!("`{name}` may use {} and depends on `{used}`", list(only)));
    }
    let other = house.level(used)?;
    let meant = house.also.iter().any(|also| also.from == name && also.to == used);
    (other >= level && !meant).then(|| {
        format!(
            "`{name}` ({}) depends on `{used}` ({}); a crate uses only lower layers: let `operations` pass the value in",
            house.layer_name(level),
            house.layer_name(other)
        )
    })
}

fn list(names: &[String]) -> String {
    match names {
        [] => "no crate of ours".to_owned(),
        names => {
            format!("only {}", names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))
        }
    }
}

/// What pure crates name.
fn purity(house: &House, sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let pure = sources.iter().filter(|source| {
        source.is_rust() && !source.is_test() && source.house_crate().is_some_and(|name| house.is_pure(name))
    });
    for source in pure {
        let read = match tokens::read(&source.text) {
            Ok(read) => read,
            Err(error) => {
                findings.push(Finding::file(source.path.clone(), error));
                continue;
            }
        };
        for ban in house.pure.ban.iter().filter(|ban| !ban.spares(&source.path)) {
            for named in read.paths.iter().filter(|named| ban.matches(&named.words)) {
                let what = format!("names `{}` in a pure crate; {}", ban.path, ban.instead);
                findings.push(Finding::at(source.path.clone(), named.line, what));
            }
        }
        for item in read.items.iter().filter(|item| item.kind == "static") {
            let what = format!(
                "`static {}` in a pure crate; use a constant, or a value that the caller holds",
                item.name
            );
            findings.push(Finding::at(source.path.clone(), item.line, what));
        }
    }
    findings
}

/// Crates of the house without content: a chapter exists when it has something to say.
fn empty(house: &House, sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in house.layer.iter().flat_map(|layer| &layer.crates) {
        let own = sources.iter().filter(|source| source.is_rust() && source.house_crate() == Some(name));
        let items: usize = own
            .map(|source| {
                tokens::read(&source.text).map_or(1, |read| read.items.len() + read.functions.len())
            })
            .sum();
        if items == 0 {
            let what = "an empty crate; it exists when it has content";
            findings.push(Finding::file(format!("crates/{name}/src/lib.rs"), what));
        }
    }
    findings
}

#[cfg(test)]
mod tests;
