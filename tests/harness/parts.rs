//! The real parts that tests use beside the binary, and what to do where one is missing.

use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The workspace's root.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Where cargo builds to: the running test lies in `target/PROFILE/deps/`.
pub fn target() -> PathBuf {
    profile().parent().unwrap().to_owned()
}

/// `target/PROFILE`.
pub(crate) fn profile() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().to_owned()
}

/// Where `cargo xtask test` keeps the clients of npm (`node`) and PyPI (`python`).
pub fn clients(name: &str) -> PathBuf {
    target().join("clients").join(name)
}

/// Node, where it and the clients of tests/clients/node are there.
pub fn node() -> Option<PathBuf> {
    clients("node").join("node_modules/@openfeature").is_dir().then(|| program("node")).flatten()
}

/// Python with the clients of tests/clients/python, where it is there.
pub fn python() -> Option<PathBuf> {
    let python = clients("python").join("bin/python");
    python.is_file().then_some(python)
}

/// promtool, where it is there.
pub fn promtool() -> Option<PathBuf> {
    program("promtool")
}

/// A folder of ../shared/conformance, where it is there.
pub fn shared(name: &str) -> Option<PathBuf> {
    let folder = workspace().join("../shared/conformance").join(name);
    folder.exists().then_some(folder)
}

/// A program of the path.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|candidate| candidate.is_file())
}

/// Notes that a test could not try something because a real part is missing. Printed, and counted by
/// `cargo xtask test` as skipped instead of passed. One call a test.
pub fn skip(reason: &str) {
    eprintln!("SKIPPED: {reason}");
    if let Some(path) = std::env::var_os("MAINSTAY_TEST_SKIPS") {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        writeln!(file, "{reason}").unwrap();
    }
}
