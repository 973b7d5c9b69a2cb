//! The vendored modules are the ones the manifest names, byte for byte, each with a licence.

#![allow(clippy::unwrap_used, reason = "what these tests share is test code too")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

const LICENCES: [&str; 3] = ["MIT", "BSD-3-Clause", "Apache-2.0"];

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { walk(&path, found) } else { found.push(path) }
    }
}

#[test]
fn vendored_modules_match_their_manifest() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("web/vendor/manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&text).unwrap();
    let mut expected = BTreeMap::new();
    for package in manifest["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        assert!(LICENCES.contains(&package["licence"].as_str().unwrap()), "{name}: {}", package["licence"]);
        assert!(package["integrity"].as_str().unwrap().starts_with("sha512-"), "{name}");
        for file in package["files"].as_array().unwrap() {
            expected.insert(file["path"].as_str().unwrap(), file["sha256"].as_str().unwrap());
        }
    }
    assert!(expected.contains_key("web/vendor/lit/index.js"), "{expected:?}");
    let mut found = Vec::new();
    walk(&root.join("web/vendor"), &mut found);
    for path in found {
        let name = path.strip_prefix(root).unwrap().to_str().unwrap();
        if name == "web/vendor/manifest.json" {
            continue;
        }
        let digest = hex::encode(Sha256::digest(std::fs::read(&path).unwrap()));
        assert_eq!(expected.remove(name), Some(digest.as_str()), "{name}: run `cargo xtask vendor`");
    }
    assert!(expected.is_empty(), "missing; run `cargo xtask vendor`: {expected:?}");
}
