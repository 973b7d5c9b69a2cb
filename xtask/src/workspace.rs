//! The workspace as cargo describes it: its root, its packages and what each depends on.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

/// What `cargo metadata` says, as far as the checks need it.
#[derive(Debug, Deserialize)]
pub struct Metadata {
    /// Every package of the resolved graph, ours and foreign.
    pub packages: Vec<Package>,
    /// Ids of our own packages.
    pub workspace_members: Vec<String>,
    /// Which packages are really used on this platform.
    pub resolve: Option<Resolve>,
}

/// One package.
#[derive(Debug, Deserialize)]
pub struct Package {
    /// Cargo's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SPDX expression, where given.
    pub license: Option<String>,
    /// Where it comes from; none for ours.
    pub source: Option<String>,
    /// What it asks for.
    pub dependencies: Vec<Dependency>,
    /// Its manifest.
    pub manifest_path: PathBuf,
}

/// One line of a `[dependencies]` table.
#[derive(Debug, Deserialize)]
pub struct Dependency {
    /// The package's name.
    pub name: String,
    /// None for normal, else "dev" or "build".
    pub kind: Option<String>,
}

/// The graph as resolved for this platform.
#[derive(Debug, Deserialize)]
pub struct Resolve {
    /// One node a package in use.
    pub nodes: Vec<Node>,
}

/// One package in use.
#[derive(Debug, Deserialize)]
pub struct Node {
    /// The package's id.
    pub id: String,
    /// What it uses, with the kinds of use.
    pub deps: Vec<NodeDep>,
}

/// One edge of the graph.
#[derive(Debug, Deserialize)]
pub struct NodeDep {
    /// The used package's id.
    pub pkg: String,
    /// How it is used.
    pub dep_kinds: Vec<DepKind>,
}

/// How an edge is used: none for normal, else "dev" or "build".
#[derive(Debug, Deserialize)]
pub struct DepKind {
    /// The kind.
    pub kind: Option<String>,
}

impl Metadata {
    /// Asks cargo, for the platform we run on.
    pub fn load() -> Result<Self, String> {
        let output = Command::new(cargo())
            .args(["metadata", "--format-version=1", "--locked", "--filter-platform", &host()?])
            .current_dir(root())
            .output()
            .map_err(|error| format!("cargo metadata cannot be started: {error}"))?;
        if !output.status.success() {
            return Err(format!("cargo metadata failed:\n{}", String::from_utf8_lossy(&output.stderr)));
        }
        serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("cargo metadata cannot be read: {error}"))
    }

    /// Our own packages.
    pub fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.workspace_members.contains(&package.id))
    }

    /// The package of an id.
    pub fn package(&self, id: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.id == id)
    }
}

/// The workspace's root: the folder above this package's.
pub fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Where cargo builds to.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// The cargo that started us, or the one of the path.
pub fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

/// Reads a file below the root.
pub fn read(path: &str) -> Result<String, String> {
    std::fs::read_to_string(root().join(path)).map_err(|error| format!("{path} cannot be read: {error}"))
}

/// Reads a TOML file below the root.
pub fn read_toml<T: for<'a> Deserialize<'a>>(path: &str) -> Result<T, String> {
    toml::from_str(&read(path)?).map_err(|error| format!("{path}: {error}"))
}

fn host() -> Result<String, String> {
    let output = Command::new("rustc")
        .arg("-vV")
        .output()
        .map_err(|error| format!("rustc cannot be started: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .ok_or_else(|| "rustc -vV names no host".to_owned())
}
