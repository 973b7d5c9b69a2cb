//! Who a process belongs to.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::time::SystemTime;

use rustix::fs::{AtFlags, statat};

use super::super::files::Files;

/// User names by number, from `/etc/passwd`, read again when the file has changed.
#[derive(Debug, Default)]
pub(super) struct Owners {
    names: HashMap<u32, String>,
    modified: Option<SystemTime>,
}

impl Owners {
    /// Reads the names if they have changed.
    pub(super) fn refresh(&mut self, files: &Files) {
        let modified =
            std::fs::metadata(files.at("etc/passwd")).and_then(|metadata| metadata.modified()).ok();
        if modified.is_some() && modified == self.modified {
            return;
        }
        self.modified = modified;
        self.names = parse(&files.read("etc/passwd").unwrap_or_default());
    }

    /// The user a process runs as: its name, or its number where there is no name; empty when it has ended.
    pub(super) fn of(&self, proc: &OwnedFd, pid: u32) -> String {
        let Ok(stat) = statat(proc, pid.to_string(), AtFlags::empty()) else { return String::new() };
        self.names.get(&stat.st_uid).cloned().unwrap_or_else(|| stat.st_uid.to_string())
    }
}

/// `name:password:uid:…`; the first name of a number counts.
fn parse(text: &str) -> HashMap<u32, String> {
    let mut names = HashMap::new();
    for line in text.lines() {
        let mut fields = line.split(':');
        if let (Some(name), Some(Ok(uid))) = (fields.next(), fields.nth(1).map(str::parse)) {
            names.entry(uid).or_insert_with(|| name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn the_first_name_of_a_number_counts() {
        let names = parse(
            "root:x:0:0:root:/root:/bin/bash\ntoor:x:0:0::/:/bin/sh\n# comment\nada:x:1000:1000::/:\nbad:x\n",
        );
        assert_eq!((names[&0].as_str(), names[&1000].as_str(), names.len()), ("root", "ada", 2));
    }
}
