//! Holds the dependencies that this platform really uses against `deny.toml`: licences, bans, sources, double versions.
//!
//! The file is cargo-deny's, so that one may run that too; this reading of it needs nothing but cargo. Advisories need
//! a database from the network and are left to cargo-deny (the `advisories` stage of `cargo xtask test`).

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::finding::{Finding, conclude};
use crate::workspace::{Metadata, Package, read_toml};

/// What `cargo xtask deny --help` says.
pub const HELP: &str = "\
Reads deny.toml and refuses a dependency
  - whose licence expression the allow list does not satisfy, or that names no licence;
  - on the ban list, at any distance;
  - from anywhere but the registry.
Crates present in two versions are printed, not refused.";

#[derive(Debug, Deserialize)]
struct Deny {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Debug, Deserialize)]
struct Licenses {
    allow: Vec<String>,
    #[serde(default)]
    exceptions: Vec<Exception>,
}

/// A licence that one crate may have.
#[derive(Debug, Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    allow: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Bans {
    deny: Vec<Banned>,
}

#[derive(Debug, Deserialize)]
struct Banned {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

/// The command.
pub fn run(_: &[String]) -> Result<(), String> {
    let deny: Deny = read_toml("deny.toml")?;
    let metadata = Metadata::load()?;
    let used: BTreeSet<&str> =
        metadata.resolve.iter().flat_map(|resolve| &resolve.nodes).map(|node| node.id.as_str()).collect();
    let packages: Vec<&Package> =
        metadata.packages.iter().filter(|package| used.contains(package.id.as_str())).collect();
    for (name, versions) in doubles(&packages) {
        println!("note: {name} is built in {} versions: {}", versions.len(), versions.join(", "));
    }
    conclude(check(&deny, &packages), &format!("licences and bans of {} packages", packages.len()))
}

fn check(deny: &Deny, packages: &[&Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages.iter().filter(|package| package.source.is_some()) {
        let mut find = |what: String| {
            let name = format!("{} {}", package.name, package.version);
            findings.push(Finding::file("Cargo.lock", format!("{name}: {what}")));
        };
        match &package.license {
            None => find("names no licence".to_owned()),
            Some(license) if !allows(&deny.licenses.of(&package.name), license) => {
                find(format!("its licence `{license}` is not allowed by deny.toml"));
            }
            Some(_) => {}
        }
        if let Some(banned) = deny.bans.deny.iter().find(|banned| banned.name == package.name) {
            find(format!("is banned: {}; see `cargo tree -i {}`", banned.reason, package.name));
        }
        if !package
            .source
            .as_deref()
            .is_some_and(|source| source.starts_with("registry+") || source.starts_with("sparse+"))
        {
            find("comes from outside the registry".to_owned());
        }
    }
    findings
}

impl Licenses {
    /// What that crate may have.
    fn of(&self, name: &str) -> Vec<String> {
        let own = self.exceptions.iter().filter(|exception| exception.name == name);
        self.allow.iter().chain(own.flat_map(|exception| &exception.allow)).cloned().collect()
    }
}

fn doubles(packages: &[&Package]) -> BTreeMap<String, Vec<String>> {
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in packages {
        versions.entry(package.name.clone()).or_default().push(package.version.clone());
    }
    versions.retain(|_, versions| versions.len() > 1);
    versions
}

/// Whether an SPDX expression can be satisfied with allowed licences. `OR` binds weaker than `AND`, that weaker than
/// `WITH`; `/` is the registry's old way to write `OR`. Source: SPDX 2.3, annex D.
fn allows(allow: &[String], expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let allowed = any_of(allow, &words, &mut at);
    allowed && at == words.len()
}

fn any_of(allow: &[String], words: &[&str], at: &mut usize) -> bool {
    let mut allowed = all_of(allow, words, at);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        // Both sides are read in any case, so that the position stays right.
        allowed |= all_of(allow, words, at);
    }
    allowed
}

fn all_of(allow: &[String], words: &[&str], at: &mut usize) -> bool {
    let mut allowed = one(allow, words, at);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        allowed &= one(allow, words, at);
    }
    allowed
}

fn one(allow: &[String], words: &[&str], at: &mut usize) -> bool {
    let Some(word) = words.get(*at) else { return false };
    *at += 1;
    if *word == "(" {
        let allowed = any_of(allow, words, at);
        let closed = words.get(*at) == Some(&")");
        *at += 1;
        return allowed && closed;
    }
    let mut license = (*word).to_owned();
    if words.get(*at) == Some(&"WITH") {
        license = format!("{license} WITH {}", words.get(*at + 1).unwrap_or(&""));
        *at += 2;
    }
    allow.contains(&license)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions() {
        let allow: Vec<String> =
            ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).to_vec();
        let check = |expression: &str, expect: bool| {
            assert_eq!(allows(&allow, expression), expect, "{expression}");
        };
        check("MIT", true);
        check("GPL-3.0", false);
        check("GPL-3.0 OR MIT", true);
        check("GPL-3.0/MIT", true);
        check("GPL-3.0 AND MIT", false);
        check("MIT AND Apache-2.0", true);
        check("(GPL-3.0 OR MIT) AND Apache-2.0", true);
        check("GPL-3.0 OR MIT AND BSD-4-Clause", false);
        check("Apache-2.0 WITH LLVM-exception", true);
        check("MIT WITH LLVM-exception", false);
        check("(MIT", false);
        check("MIT)", false);
        check("", false);
    }

    #[test]
    fn banned_unlicensed_and_foreign_packages_are_refused() {
        let deny: Deny = toml::from_str(
            "[licenses]\nallow = [\"MIT\"]\nexceptions = [{ crate = \"excepted\", allow = [\"MPL-2.0\"] }]\n[bans]\ndeny = [{ crate = \"cmake\", reason = \"heavy\" }]",
        )
        .unwrap();
        let package = |name: &str, license: Option<&str>, source: Option<&str>| Package {
            id: name.to_owned(),
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            license: license.map(str::to_owned),
            source: source.map(str::to_owned),
            dependencies: Vec::new(),
            manifest_path: Default::default(),
        };
        let registry = Some("registry+https://example.org");
        let check = |package: Package, expect: usize| assert_eq!(check(&deny, &[&package]).len(), expect);
        check(package("good", Some("MIT"), registry), 0);
        check(package("ours", None, None), 0);
        check(package("cmake", Some("MIT"), registry), 1);
        check(package("bare", None, registry), 1);
        check(package("excepted", Some("MPL-2.0"), registry), 0);
        check(package("other", Some("MPL-2.0"), registry), 1);
        check(package("git", Some("MIT"), Some("git+https://example.org")), 1);
    }
}
