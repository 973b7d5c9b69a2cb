//! Bad files, each of which the check must refuse, and good ones.

use super::*;

fn rules() -> Rules {
    read_toml("xtask/tidy.toml").unwrap()
}

fn source(path: &str, text: &str) -> Source {
    Source { path: path.to_owned(), text: text.to_owned() }
}

/// Checks one file alone; every expected text must be in the finding of its place.
fn check_file(path: &str, text: &str, expect: &[&str]) {
    let found: Vec<String> = check(&rules(), &[source(path, text)]).iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), expect.len(), "{path}: {found:?}");
    for (line, expect) in found.iter().zip(expect) {
        assert!(line.contains(expect), "{line} lacks {expect}");
    }
}

#[test]
fn names_that_say_nothing() {
    check_file("crates/api/src/utils.rs", "//! X.\n", &["`utils` as a name"]);
    check_file("crates/api/src/flag_helper.rs", "//! X.\n", &["`helper` as a name"]);
    check_file("crates/api/src/common/x.rs", "//! X.\n", &["`common` as a name"]);
    check_file("a.rs", "//! X.\nstruct FlagManager;\n", &["a.rs:2: `FlagManager`: `manager`"]);
    check_file("a.rs", "//! X.\nmod misc;\n", &["`misc`"]);
    check_file("a.rs", "//! X.\nstruct Scoreboard; enum Basement {} mod encore {}\n", &[]);
}

#[test]
fn bans_say_what_to_write_instead() {
    check_file("a.rs", "//! X.\nuse std::sync::{Arc, Mutex};\n", &["parking_lot::Mutex"]);
    check_file(
        "a.rs",
        "//! X.\n#[cfg(test)] mod t { fn f() { std::thread::sleep(d); } }\n",
        &["tests::until"],
    );
    check_file("a.rs", "//! X.\nuse tokio::sync::Mutex;\n", &[]);
}

#[test]
fn unsafe_and_exceptions_need_their_reason() {
    check_file("a.rs", "//! X.\nfn f() { unsafe { g() } }\n", &["does not list", "SAFETY"]);
    check_file("a.rs", "//! X.\n// SAFETY: g is pure.\nfn f() { unsafe { g() } }\n", &["does not list"]);
    check_file("a.rs", "//! X.\n#[allow(dead_code)]\nfn f() {}\n", &["without its reason"]);
    check_file("a.rs", "//! X.\n#[allow(dead_code, reason = \"read by the linker\")]\nfn f() {}\n", &[]);
    check_file("a.rs", "fn f() {}\n", &["does not begin with `//!`"]);
}

#[test]
fn texts_are_clean() {
    check_file("a.md", "x\ty\n", &["has a tab"]);
    check_file("a.toml", "x = 1 \n", &["blanks at its end"]);
    check_file("a.toml", "x = 1", &["newline"]);
    check_file("a.rs", "//! X.\n// TODO: later\n", &["holds `TODO`"]);
    check_file("a.md", "METHODTODOS\n", &[]);
}

#[test]
fn forgotten_scenarios_are_found() {
    let scenario = source("tests/cases/flags/simple.txt", "flag a\n");
    let runner =
        |text: &str| source("crates/flags/tests/cases.rs", &format!("//! X.\nconst F: &str = \"{text}\";\n"));
    assert_eq!(forgotten_scenarios(&[scenario.clone(), runner("../../tests/cases/flags")]), []);
    assert_eq!(forgotten_scenarios(&[scenario.clone(), runner("../../tests/cases/flagship")]).len(), 1);
    assert_eq!(forgotten_scenarios(&[scenario]).len(), 1);
    assert_eq!(forgotten_scenarios(&[source("tests/cases/loose.txt", "x\n")]).len(), 1);
}
