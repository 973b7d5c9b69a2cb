//! Keeping a folder of resources applied, such as a checkout of git.
//!
//! A reconciler without input: each turn compares what the files say, what was last applied from them, and what is.
//!
//! - A file changed since it was applied: it is applied.
//! - A resource was changed by hand since: that is drift. It is reported and left alone, because at three in the
//!   morning a flag switched off by a person must stay off until the file is changed too.
//! - A file is gone: what was applied from it is removed.
//!
//! Files that cannot be read or are wrong change nothing at all; the error stands in the status until they are mended.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use kernel::{Fault, Timestamp};
use parking_lot::Mutex;
use serde::Serialize;

use crate::resources::{APPLIED, ApplyOptions, MANAGED_BY, Source, read_declared, resource_of, yaml_of};
use crate::{Asked, Operations};

/// The manager's name in annotations.
pub const MANAGER: &str = "folder";
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
        let sources = read_folder(folder)?;
        let declared = read_declared(&sources)?;
        let mut drift = Vec::new();
        let mut changed = Vec::new();
        {
            let flags = self.flags.read();
            for one in declared {
                let live = resource_of(&flags.state, &one.key());
                let applied = live.as_ref().and_then(|r| r.metadata.annotations.get(APPLIED));
                match (&live, applied) {
                    (Some(live), Some(applied)) if *applied == one.digest => {
                        let wanted = one.resource_yaml(MANAGER);
                        let what = wire::document::diff(&wanted, &yaml_of(live));
                        if !what.is_empty() {
                            drift.push(Drift { key: one.key().to_string(), what });
                        }
                        changed.push((one, false));
                    }
                    _ => changed.push((one, true)),
                }
            }
        }
        let gone = self.gone(&changed.iter().map(|(one, _)| one.key().to_string()).collect::<Vec<_>>());
        if !gone && changed.iter().all(|(_, new)| !new) {
            return Ok((drift, false));
        }
        // Resources that drifted keep what was done to them: only changed files are applied, but all are named, so
        // that pruning knows what is still declared.
        let (apply, keep): (Vec<_>, Vec<_>) = changed.into_iter().partition(|(_, new)| *new);
        let keep = keep.into_iter().map(|(one, _)| one.key()).collect();
        let options = ApplyOptions {
            prune: true,
            managed_by: Some(MANAGER.to_owned()),
            keep,
            ..ApplyOptions::default()
        };
        let reason = format!("applied from {}", folder.display());
        let asked = Asked::by_system("reconciler/resources", &reason);
        let report =
            self.apply_declared(&asked, apply.into_iter().map(|(one, _)| one).collect(), &options)?;
        Ok((drift, report.change.is_some()))
    }

    /// True when something this folder applied is no longer declared in it.
    fn gone(&self, declared: &[String]) -> bool {
        let flags = self.flags.read();
        crate::resources::resources_of(&flags.state).iter().any(|resource| {
            resource.metadata.annotations.get(MANAGED_BY).is_some_and(|by| by == MANAGER)
                && !declared.contains(&resource.key().to_string())
        })
    }
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
