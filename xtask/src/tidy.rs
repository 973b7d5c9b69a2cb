//! House rules that neither the compiler nor clippy know: names, bans with replacements, lengths, forgotten files.

mod docs;
mod rust;
mod text;

use serde::Deserialize;

use crate::finding::{Finding, conclude};
use crate::layers::Ban;
use crate::lengths::{self, Limits, RATCHET};
use crate::source::{self, Source};
use crate::workspace::{read, read_toml, root};

/// What `cargo xtask tidy --help` says.
pub const HELP: &str = "\
Reads xtask/tidy.toml and xtask/ratchet.txt and refuses
  - names that say nothing, paths and words on the ban list (each finding says what to write instead);
  - files and functions over the limit, but for those in the ratchet, which may only shrink;
  - `unsafe` outside the listed files, an `allow` without a reason, a crate without its `//!` page;
  - scenario files under tests/cases that no test picks up, docs pages that nothing links to, dead links;
  - tabs, trailing blanks and a missing last newline.

  --tighten   lower the ratchet to the lengths of now";

/// xtask/tidy.toml.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    names: Names,
    lengths: Lengths,
    #[serde(rename = "unsafe")]
    unsafe_files: UnsafeFiles,
    ban: Vec<Ban>,
    text: Vec<TextBan>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Names {
    banned: Vec<String>,
    instead: String,
    except: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lengths {
    file: usize,
    function: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct UnsafeFiles {
    files: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TextBan {
    pattern: String,
    #[serde(default)]
    word: bool,
    instead: String,
    #[serde(default)]
    except: Vec<String>,
}

/// The command.
pub fn run(arguments: &[String]) -> Result<(), String> {
    let rules: Rules = read_toml("xtask/tidy.toml")?;
    let sources = source::all()?;
    let limits = Limits { file: rules.lengths.file, function: rules.lengths.function };
    let long = lengths::measure(&sources, limits);
    let ratchet = read(RATCHET)?;
    if arguments.iter().any(|argument| argument == "--tighten") {
        let tightened = lengths::tighten(&ratchet, &long)?;
        return std::fs::write(root().join(RATCHET), tightened)
            .map_err(|error| format!("{RATCHET}: {error}"));
    }
    let mut findings = lengths::compare(&long, &lengths::parse(&ratchet)?);
    findings.extend(check(&rules, &sources));
    conclude(findings, &format!("tidy of {} files", sources.len()))
}

/// Everything but the lengths.
fn check(rules: &Rules, sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| !source.is_vendored()) {
        findings.extend(names(rules, &source.path));
        findings.extend(text::check(rules, source));
        if source.is_rust() {
            findings.extend(rust::check(rules, source));
        }
    }
    findings.extend(forgotten_scenarios(sources));
    findings.extend(docs::check(sources));
    findings
}

/// The file's own name.
fn names(rules: &Rules, path: &str) -> Option<Finding> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.split('.').find(|part| !part.is_empty()).unwrap_or(name);
    let folder = path.rsplit('/').nth(1).unwrap_or_default();
    let word = rules.banned_word(stem).or_else(|| rules.banned_word(folder))?;
    Some(Finding::file(path, format!("`{word}` as a name says nothing; {}", rules.names.instead)))
}

impl Rules {
    /// The first word of a snake_case, kebab-case or CamelCase name that is banned.
    fn banned_word(&self, name: &str) -> Option<String> {
        if self.names.except.iter().any(|except| except == name) {
            return None;
        }
        words(name).into_iter().find(|word| self.names.banned.contains(word))
    }
}

fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![String::new()];
    let mut before_upper = true;
    for letter in name.chars() {
        let boundary = letter == '_' || letter == '-' || (letter.is_uppercase() && !before_upper);
        if boundary {
            words.push(String::new());
        }
        before_upper = letter.is_uppercase();
        if letter.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A scenario file counts as picked up when some Rust source names its folder under `tests/cases`.
fn forgotten_scenarios(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources {
        let Some(rest) = source.path.strip_prefix("tests/cases/") else { continue };
        let Some((chapter, _)) = rest.split_once('/') else {
            findings.push(Finding::file(source.path.clone(), "belongs in a folder named like its chapter"));
            continue;
        };
        let folder = format!("cases/{chapter}");
        let is_named = sources.iter().any(|other| other.is_rust() && names_folder(&other.text, &folder));
        if !is_named {
            let what = format!("no test names `{folder}`, so nothing runs it");
            findings.push(Finding::file(source.path.clone(), what));
        }
    }
    findings
}

fn names_folder(text: &str, folder: &str) -> bool {
    text.match_indices(folder).any(|(at, _)| {
        let next = text.get(at + folder.len()..).and_then(|rest| rest.chars().next());
        !next.is_some_and(|next| next.is_alphanumeric() || next == '_' || next == '-')
    })
}

#[cfg(test)]
mod tests;
