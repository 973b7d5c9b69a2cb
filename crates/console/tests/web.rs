//! The console's files hold together: imports lead somewhere, nothing reaches outside or breaks the security policy,
//! files stay small, and what the modules decide from values is right (run by Node where it is present).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what these tests share is test code too")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Lines of a module of ours, at most.
const MAX_LINES: usize = 400;

fn web() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("web")
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// Every file below `web/` as its path from there and its text; our own, or the vendored too.
fn texts(vendored: bool) -> Vec<(String, String)> {
    let root = web();
    let mut found = Vec::new();
    files(&root, &mut found);
    let named = found.into_iter().map(|path| {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        (name, std::fs::read_to_string(path).unwrap())
    });
    named.filter(|(name, _)| vendored || !name.starts_with("vendor/")).collect()
}

/// The specifiers that a module imports, statically and dynamically.
fn imports(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut comment = false;
    for line in text.lines() {
        let start = line.trim_start();
        comment |= start.starts_with("/*");
        if !comment && !start.starts_with("//") {
            for lead in ["from \"", "from '", "import \"", "import '", "import(\"", "from\"", "import\""] {
                for (at, _) in line.match_indices(lead).filter(|(at, _)| !line[..*at].ends_with(['"', '\'']))
                {
                    let rest = &line[at + lead.len()..];
                    found.extend(rest.split(['"', '\'']).next());
                }
            }
        }
        comment &= !line.contains("*/");
    }
    found
}

#[test]
fn every_import_leads_to_a_file() {
    let mut checked = 0;
    for (name, text) in texts(true).iter().filter(|(name, _)| name.ends_with(".js")) {
        for import in imports(text).into_iter().filter(|import| !import.contains(' ')) {
            assert!(
                import.starts_with('.'),
                "{name} imports {import}: a browser follows only relative paths"
            );
            let target = web().join(name).parent().unwrap().join(import);
            assert!(target.is_file(), "{name} imports {import}, which is not there");
            checked += 1;
        }
    }
    assert!(checked > 150, "only {checked} imports were found");
}

#[test]
fn the_page_refers_only_to_what_is_there() {
    let page = std::fs::read_to_string(web().join("index.html")).unwrap();
    let mut checked = 0;
    for part in page.split(['"']).filter_map(|part| part.strip_prefix("/assets/")) {
        let path = part.split('#').next().unwrap();
        assert!(web().join(path).is_file(), "index.html refers to /assets/{path}");
        checked += 1;
    }
    assert!(checked > 15, "only {checked} references were found");
    for forbidden in ["<style", " style=", " onclick", " onload", "<script>"] {
        assert!(!page.contains(forbidden), "index.html has {forbidden}, which the security policy refuses");
    }
}

/// The server answers a console address with the page only if it knows it; the page shows it only if it does too.
#[test]
fn the_server_and_the_page_know_the_same_addresses() {
    let router = std::fs::read_to_string(web().join("shell/router.js")).unwrap();
    let routes = router.split("path: /^\\/").skip(1).filter_map(|rest| rest.split("$/").next());
    let mut shown: Vec<String> = routes
        .flat_map(|route| {
            let (first, rest) = route.split_at(route.find(['(', '\\']).unwrap_or(route.len()));
            let deep = if rest.is_empty() { None } else { Some(format!("/{first}/{{*rest}}")) };
            let alone = rest.is_empty() || rest.starts_with('(');
            [alone.then(|| format!("/{first}")), deep].into_iter().flatten()
        })
        .collect();
    shown.sort();
    let mut served: Vec<String> = console::PAGES.iter().map(|page| (*page).to_owned()).collect();
    served.sort();
    assert_eq!(shown, served);
}

#[test]
fn our_modules_are_small_and_reach_nothing_outside() {
    for (name, text) in texts(false) {
        assert!(text.lines().count() <= MAX_LINES, "{name} has more than {MAX_LINES} lines");
        let outside = text.replace("http://www.w3.org/2000/svg", "");
        assert!(!outside.contains("https://") && !outside.contains("http://"), "{name} names another server");
        assert!(!text.contains("eval(") && !text.contains("unsafeHTML"), "{name}");
        assert!(!text.contains(" style=\""), "{name}: a style attribute is refused by the security policy");
        if name.ends_with(".js") {
            assert!(text.starts_with("/**") || text.starts_with("//"), "{name} does not say what it is");
        }
    }
}

#[test]
fn what_the_modules_decide_is_right() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/modules");
    let mut cases = Vec::new();
    files(&tests, &mut cases);
    match Command::new("node").arg("--test").args(&cases).output() {
        Err(error) => {
            eprintln!("SKIPPED: the console's modules were not tested, Node cannot be run: {error}")
        }
        Ok(done) => {
            let report =
                String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
            assert!(done.status.success(), "{report}");
        }
    }
}
