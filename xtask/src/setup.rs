//! Gets the real parts that the end-to-end tests use: a browser, promtool, and clients from npm and PyPI.
//!
//! Debian's packages come through apt-get where we are root on a Debian and they are missing; the clients go to
//! `target/clients`, pinned by the lists in `tests/clients/`. What cannot be had is said and counted, never fatal.

use std::path::Path;
use std::process::Command;

use crate::process::{self, present};
use crate::stage::Tally;
use crate::workspace::{root, target};

/// A Debian package and the program by which we know that it is there.
const DEBIAN: &[(&str, &str)] = &[
    ("chromium", "chromium"),
    ("chromium-driver", "chromedriver"),
    ("prometheus", "promtool"),
    ("prometheus-node-exporter", "prometheus-node-exporter"),
];

/// Debian's hook that is asked before a package starts its services; 101 forbids it.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// The stage.
pub fn run() -> Tally {
    let mut tally = Tally::default();
    for part in [debian(), node(), python()] {
        match part {
            Ok(()) => tally.passed += 1,
            Err(reason) => {
                tally.skipped += 1;
                tally.reasons.push(reason);
            }
        }
    }
    tally
}

fn debian() -> Result<(), String> {
    let missing = || DEBIAN.iter().filter(|(_, program)| !present(program)).collect::<Vec<_>>();
    let wanted: Vec<&str> = missing().iter().map(|(package, _)| *package).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    if !present("apt-get") || !is_root() {
        return Err(format!(
            "{} missing, and this is not root on a Debian; install them by hand",
            wanted.join(", ")
        ));
    }
    let policy = Policy::forbid_services()?;
    let apt = |arguments: &[&str]| {
        process::must(Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive"))
    };
    let installed = apt(&["update", "-q"]).and_then(|_| {
        apt(&[&["install", "-q", "-y", "--no-install-recommends"], wanted.as_slice()].concat())
    });
    drop(policy);
    installed.map(|_| ()).map_err(|error| format!("{} missing: {error}", wanted.join(", ")))?;
    match missing().as_slice() {
        [] => Ok(()),
        still => Err(format!("{still:?} still missing after their packages were installed")),
    }
}

fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().any(|line| line.starts_with("Uid:") && line.split_whitespace().nth(2) == Some("0"))
}

/// Forbids packages to start services while it lives.
struct Policy {
    ours: bool,
}

impl Policy {
    fn forbid_services() -> Result<Self, String> {
        let path = Path::new(POLICY);
        if path.exists() {
            return Ok(Self { ours: false });
        }
        std::fs::write(path, "#!/bin/sh\nexit 101\n").map_err(|error| format!("{POLICY}: {error}"))?;
        let policy = Self { ours: true };
        process::must(Command::new("chmod").args(["755", POLICY]))?;
        Ok(policy)
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if self.ours {
            // Nothing sensible can be done when removal fails, and the next installation finds the file harmless.
            let _ = std::fs::remove_file(POLICY);
        }
    }
}

/// npm's clients, by tests/clients/node/package.json.
fn node() -> Result<(), String> {
    if !present("npm") || !present("node") {
        return Err("Node is missing: no npm client, no type check of the console".to_owned());
    }
    let lists = ["package.json", "package-lock.json"];
    in_folder("node", &lists, |folder| {
        let mut npm = Command::new("npm");
        npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(folder);
        process::must(&mut npm).map(|_| ())
    })
}

/// PyPI's clients, by tests/clients/python/requirements.txt.
fn python() -> Result<(), String> {
    if !present("python3") {
        return Err("Python is missing: no PyPI client, no schemathesis".to_owned());
    }
    in_folder("python", &["requirements.txt"], |folder| {
        process::must(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
        let mut pip = Command::new(folder.join("bin/pip"));
        pip.args(["install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt"])
            .current_dir(folder);
        process::must(&mut pip).map(|_| ())
    })
}

/// Fills `target/clients/NAME` from the lists in `tests/clients/NAME`, unless it was filled from the same lists before.
fn in_folder(
    name: &str,
    lists: &[&str],
    fill: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<(), String> {
    let from = root().join("tests/clients").join(name);
    let folder = target().join("clients").join(name);
    let stamp = folder.join(".filled-from");
    let mut text = String::new();
    for list in lists {
        text += &crate::workspace::read(&format!("tests/clients/{name}/{list}"))?;
    }
    if std::fs::read_to_string(&stamp).is_ok_and(|before| before == text) {
        return Ok(());
    }
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    std::fs::create_dir_all(&folder).map_err(failed)?;
    for list in lists {
        std::fs::copy(from.join(list), folder.join(list)).map_err(failed)?;
    }
    fill(&folder).map_err(|error| format!("clients of {name}: {error}"))?;
    std::fs::write(&stamp, text).map_err(failed)
}
