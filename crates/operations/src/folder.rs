//! Keeping a folder of resources applied, such as a checkout of git.
//!
//! A reconciler without input: each turn compares what the files say, what was last applied from them, and what is.
//!
//! - A file changed since it was applied: it is applied.
//! - A resource was changed or removed by hand since: that is drift. It is reported and left alone, because at three in the
//!   morning a flag switched off by a person must stay off until the file is changed too.
//! - A file is gone: what was applied from it is removed.
//!
//! Files that cannot be read or are wrong change nothing at all; the error stands in the status until they are mended.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use kernel::{Actor, Fault, ResourceKey, Timestamp};
use ledger::{FactFilter, FactRecord};
use parking_lot::Mutex;
use serde::Serialize;

use crate::resources::{
    APPLIED, ApplyOptions, Declared, Keeps as _, MANAGED_BY, Source, read_declared, yaml_of,
};
use crate::{Asked, Operations, ledger_fault};

/// The manager's name in annotations.
pub const MANAGER: &str = "folder";
/// The component that applies, as facts name their actor.
const COMPONENT: &str = "reconciler/resources";
/// Facts of one resource that are looked through for the text it was last applied from. Beyond that the folder's text
/// counts as new.
const MAX_LOOKED_BACK: usize = 1_000;
/// Most files of a folder.
pub const MAX_FILES: usize = 10_000;
/// Deepest folder within the folder.
pub const MAX_FOLDER_DEPTH: usize = 16;

/// What the last turn found.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FolderStatus {
    /// The folder, when there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dir: Option<PathBuf>,
    /// Resources that are not as the folder says.
    pub drift: Vec<Drift>,
    /// When something was last applied from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_applied: Option<Timestamp>,
    /// Why the folder cannot be applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A resource that is not as the folder says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// `Flag/new-checkout`.
    pub key: String,
    /// How it differs: a unified diff from the file's to what is, or that it was removed by hand.
    pub what: String,
}

/// How a declared resource stands to what is.
enum Standing {
    /// Its text was not applied yet.
    New,
    /// It is not as it was applied; how.
    Drifted(String),
    /// It is as it was applied.
    AsApplied,
}

/// The last turn's findings, for who asks.
#[derive(Default)]
pub(crate) struct Report(Mutex<FolderStatus>);

impl Operations {
    /// One turn of the reconciler.
    pub fn reconcile_folder(&self, folder: &Path) {
        let turn = self.folder_turn(folder);
        let mut status = self.folder.0.lock();
        status.dir = Some(folder.to_path_buf());
        match turn {
            Ok((drift, applied)) => {
                if applied {
                    status.last_applied = Some(self.now());
                }
                if status.error.take().is_some() {
                    eprintln!("mainstay: the resources in {} are applied again", folder.display());
                }
                status.drift = drift;
            }
            Err(fault) => {
                let text = fault.to_string();
                if status.error.as_ref() != Some(&text) {
                    eprintln!("mainstay: the resources in {} are not applied: {text}", folder.display());
                }
                status.error = Some(text);
            }
        }
    }

    /// What the last turn found.
    pub(crate) fn folder_status(&self) -> FolderStatus {
        self.folder.0.lock().clone()
    }

    /// Compares and, where a file changed, applies. Answers the drift and whether anything was applied.
    fn folder_turn(&self, folder: &Path) -> Result<(Vec<Drift>, bool), Fault> {
        let declared = read_declared(&read_folder(folder)?)?;
        let keys: BTreeSet<ResourceKey> = declared.iter().map(Declared::key).collect();
        let mut drift = Vec::new();
        let mut apply = Vec::new();
        for one in declared {
            match self.standing(&one)? {
                Standing::New => apply.push(one),
                Standing::Drifted(what) => drift.push(Drift { key: one.key().to_string(), what }),
                Standing::AsApplied => {}
            }
        }
        if apply.is_empty() && !self.any_gone(&keys) {
            return Ok((drift, false));
        }
        // Resources that drifted keep what was done to them: only changed files are applied, but all are named, so
        // that pruning knows what is still declared.
        let keep = keys.into_iter().collect();
        let options = ApplyOptions {
            prune: true,
            managed_by: Some(MANAGER.to_owned()),
            keep,
            ..ApplyOptions::default()
        };
        let asked = Asked::by_system(COMPONENT, &format!("applied from {}", folder.display()));
        let report = self.apply_declared(&asked, apply, &options)?;
        Ok((drift, report.change.is_some()))
    }

    /// How a declared resource stands to what is.
    fn standing(&self, one: &Declared) -> Result<Standing, Fault> {
        let key = one.key();
        let live = self.find_resource(&key);
        let noted = live.as_ref().and_then(|live| live.metadata.annotations.get(APPLIED).cloned());
        // Without the note somebody removed the resource, or applied another text over it; the ledger remembers.
        let applied = match noted {
            Some(digest) => Some(digest),
            None => self.last_applied(&key)?,
        };
        if applied.is_none_or(|digest| digest != one.digest) {
            return Ok(Standing::New);
        }
        let Some(live) = live else {
            return Ok(Standing::Drifted(self.removal(&key)?));
        };
        let what = wire::document::diff(&one.resource_yaml(MANAGER), &yaml_of(&live));
        Ok(if what.is_empty() { Standing::AsApplied } else { Standing::Drifted(what) })
    }

    /// The digest of the text that this reconciler last made the resource of; `None` when it never did, or removed the
    /// resource itself since.
    fn last_applied(&self, key: &ResourceKey) -> Result<Option<String>, Fault> {
        let own = Actor::system(COMPONENT);
        for fact in self.latest_facts(key, MAX_LOOKED_BACK)? {
            if fact.actor == own && is_removal(&fact) {
                return Ok(None);
            }
            let note = fact.payload.get("annotations").and_then(|all| all.get(APPLIED)?.as_str());
            if let Some(digest) = note {
                return Ok(Some(digest.to_owned()));
            }
        }
        Ok(None)
    }

    /// Who removed a resource, and why.
    fn removal(&self, key: &ResourceKey) -> Result<String, Fault> {
        let last = self.latest_facts(key, 1)?.pop();
        let by = last.map(|fact| {
            let why = if fact.reason.is_empty() { String::new() } else { format!(": {}", fact.reason) };
            format!(" by {} at {}{why}", fact.actor, fact.time)
        });
        Ok(format!("removed{}", by.unwrap_or_default()))
    }

    fn latest_facts(&self, key: &ResourceKey, limit: usize) -> Result<Vec<FactRecord>, Fault> {
        let filter =
            FactFilter { subject: Some(key.to_string()), descending: true, limit, ..FactFilter::default() };
        self.ledger.query(&filter).map_err(ledger_fault)
    }

    /// True when something this folder applied is no longer declared in it.
    fn any_gone(&self, declared: &BTreeSet<ResourceKey>) -> bool {
        self.states().all().iter().any(|resource| {
            resource.metadata.annotations.get(MANAGED_BY).is_some_and(|by| by == MANAGER)
                && !declared.contains(&resource.key())
        })
    }
}

fn is_removal(fact: &FactRecord) -> bool {
    fact.kind.ends_with("_deleted")
}

/// Every YAML and JSON file below `folder`, in order of path. Hidden files and folders are left out: git's own among
/// them.
fn read_folder(folder: &Path) -> Result<Vec<Source>, Fault> {
    let mut found: BTreeMap<PathBuf, String> = BTreeMap::new();
    walk(folder, 0, &mut found)?;
    Ok(found
        .into_iter()
        .map(|(path, text)| {
            let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
            Source { file: name, text }
        })
        .collect())
}

fn walk(folder: &Path, depth: usize, found: &mut BTreeMap<PathBuf, String>) -> Result<(), Fault> {
    let unreadable =
        |path: &Path, error: std::io::Error| Fault::invalid(format!("{}: {error}", path.display()));
    if depth > MAX_FOLDER_DEPTH {
        return Err(Fault::invalid(format!(
            "{}: folders nest deeper than {MAX_FOLDER_DEPTH}",
            folder.display()
        )));
    }
    for entry in fs::read_dir(folder).map_err(|e| unreadable(folder, e))? {
        let entry = entry.map_err(|e| unreadable(folder, e))?;
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let kind = fs::metadata(&path).map_err(|e| unreadable(&path, e))?;
        let is_resource = path.extension().is_some_and(|e| {
            e.eq_ignore_ascii_case("yaml") || e.eq_ignore_ascii_case("yml") || e.eq_ignore_ascii_case("json")
        });
        if kind.is_dir() {
            walk(&path, depth + 1, found)?;
        } else if is_resource {
            if found.len() >= MAX_FILES {
                return Err(Fault::invalid(format!("{}: more than {MAX_FILES} files", folder.display())));
            }
            let text = fs::read_to_string(&path).map_err(|e| unreadable(&path, e))?;
            found.insert(path, text);
        }
    }
    Ok(())
}
