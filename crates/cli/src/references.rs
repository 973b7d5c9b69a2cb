//! Where code mentions flags: every file of a folder is read and each flag's key counted where it stands as a word.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::{Exit, Failure};

/// Larger files are not read: they are not code that people write.
const MAX_FILE: u64 = 1 << 20;
/// Folders that hold what is made or fetched, not written.
const SKIPPED: [&str; 5] = ["node_modules", "target", "vendor", "dist", "__pycache__"];

/// How often each of `keys` is mentioned below `folder`. Keys that are not mentioned count 0.
pub(crate) fn count(folder: &Path, keys: &[String]) -> Result<BTreeMap<String, u64>, Failure> {
    let mut found: BTreeMap<String, u64> = keys.iter().map(|key| (key.clone(), 0)).collect();
    walk(folder, &mut found)
        .map_err(|e| Failure::new(Exit::Refused, format!("{} cannot be read: {e}", folder.display())))?;
    Ok(found)
}

fn walk(folder: &Path, found: &mut BTreeMap<String, u64>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let kind = entry.file_type()?;
        if name.starts_with('.') || (kind.is_dir() && SKIPPED.contains(&name.as_ref())) {
            continue;
        }
        if kind.is_dir() {
            walk(&entry.path(), found)?;
        } else if kind.is_file() && entry.metadata()?.len() <= MAX_FILE {
            // What is not text mentions no flags.
            if let Ok(text) = fs::read_to_string(entry.path()) {
                for (key, count) in found.iter_mut() {
                    *count += mentions(&text, key);
                }
            }
        }
    }
    Ok(())
}

/// Occurrences of `key` that are not part of a longer word.
fn mentions(text: &str, key: &str) -> u64 {
    let part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let whole = |at: usize| {
        let before = text.get(..at).and_then(|head| head.chars().next_back());
        let after = text.get(at + key.len()..).and_then(|tail| tail.chars().next());
        !before.is_some_and(part) && !after.is_some_and(part)
    };
    text.match_indices(key).filter(|(at, _)| whole(*at)).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_words_of_text_files_count() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.js"), "isOn('new-checkout'); isOn(\"new-checkout-2\")").unwrap();
        fs::create_dir(folder.path().join("node_modules")).unwrap();
        fs::write(folder.path().join("node_modules/b.js"), "new-checkout").unwrap();
        fs::write(folder.path().join("c.bin"), b"new-checkout\xff\xfe").unwrap();
        let keys = ["new-checkout".to_owned(), "old".to_owned()];
        let found = count(folder.path(), &keys).unwrap();
        assert_eq!(found.into_values().collect::<Vec<_>>(), [1, 0]);
    }
}
