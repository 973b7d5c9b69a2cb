//! Bad houses, each of which the check must refuse, and a good one.

use super::*;

const HOUSE: &str = r#"
    [[layer]]
    name = "L0"
    crates = ["kernel"]
    pure = true
    [[layer]]
    name = "L1"
    crates = ["flags", "metrics"]
    pure = true
    [[layer]]
    name = "L2"
    crates = ["store"]
    [[layer]]
    name = "L4"
    crates = ["cli"]
    [only]
    cli = ["kernel"]
    [beside]
    crates = ["simulation"]
    [[confined]]
    crates = ["rusqlite"]
    to = ["store"]
    why = "SQL stays where the disk is"
    [pure]
    dependencies = ["tokio"]
    [[pure.ban]]
    path = "std::fs"
    instead = "take the bytes"
    [[pure.ban]]
    path = "Instant"
    instead = "take the time"
    [[pure.ban]]
    path = "println!"
    instead = "return the text"
"#;

fn house() -> House {
    toml::from_str(HOUSE).unwrap()
}

fn room(name: &str, uses: &[&str], reaches: &[&str]) -> Room {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Room {
        name: name.to_owned(),
        manifest: format!("{name}/Cargo.toml"),
        uses: set(uses),
        reaches: set(reaches),
    }
}

/// A whole, sound house with one room replaced.
fn with(replacement: Room) -> Vec<Room> {
    let mut rooms = vec![
        room("kernel", &["serde"], &["serde"]),
        room("flags", &["kernel"], &["kernel", "serde"]),
        room("metrics", &["kernel"], &["kernel"]),
        room("store", &["metrics", "kernel", "rusqlite", "tokio"], &["tokio"]),
        room("cli", &["kernel"], &[]),
        room("simulation", &["kernel"], &[]),
    ];
    rooms.retain(|room| room.name != replacement.name);
    rooms.push(replacement);
    rooms
}

fn check_arrow(replacement: Room, expect: &str) {
    let found: Vec<String> = arrows(&house(), &with(replacement)).iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found.iter().all(|line| line.contains(expect)), "{found:?} lacks {expect}");
}

#[test]
fn a_sound_house_passes() {
    assert_eq!(arrows(&house(), &with(room("cli", &["kernel"], &[]))), []);
}

#[test]
fn bad_arrows_are_refused() {
    check_arrow(room("flags", &["kernel", "metrics"], &[]), "`flags` (L1) depends on `metrics` (L1)");
    check_arrow(room("kernel", &["store"], &[]), "`kernel` (L0) depends on `store` (L2)");
    check_arrow(room("cli", &["store"], &[]), "`cli` may use only `kernel`");
    check_arrow(room("store", &["simulation"], &[]), "beside the house");
    check_arrow(room("flags", &["rusqlite"], &[]), "SQL stays where the disk is");
    check_arrow(room("flags", &["kernel"], &["tokio"]), "is pure and reaches `tokio`");
    check_arrow(room("billing", &[], &[]), "has no layer");
}

#[test]
fn a_listed_crate_that_is_gone_is_refused() {
    let rooms: Vec<Room> =
        with(room("cli", &[], &[])).into_iter().filter(|room| room.name != "metrics").collect();
    let found: Vec<String> = arrows(&house(), &rooms).iter().map(ToString::to_string).collect();
    assert!(found.iter().any(|line| line.contains("lists `metrics`")), "{found:?}");
}

fn check_purity(path: &str, text: &str, expect: &[&str]) {
    let source = Source { path: path.to_owned(), text: text.to_owned() };
    let found: Vec<String> = purity(&house(), &[source]).iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), expect.len(), "{text}: {found:?}");
    for (line, expect) in found.iter().zip(expect) {
        assert!(line.contains(expect), "{line} lacks {expect}");
    }
}

#[test]
fn impure_sources_are_refused() {
    let lib = "crates/flags/src/lib.rs";
    check_purity(lib, "use std::fs;", &["crates/flags/src/lib.rs:1: names `std::fs`"]);
    check_purity(lib, "use std::{collections::HashMap,\n fs::File};", &["lib.rs:2: names `std::fs`"]);
    check_purity(lib, "fn f() { ::std::fs::read(\"x\"); }", &["names `std::fs`"]);
    check_purity(lib, "use std::time as t; fn f() { t::Instant::now(); }", &["names `Instant`"]);
    check_purity(lib, "fn f() { println!(\"x\") }", &["names `println!`"]);
    check_purity(lib, "static mut COUNT: u32 = 0;", &["`static COUNT`"]);
    check_purity(lib, "fn f( {", &["cannot be read as Rust"]);
}

#[test]
fn pure_sources_tests_and_other_layers_pass() {
    check_purity("crates/flags/src/lib.rs", "fn f(x: &'static str) -> usize { x.len() } // std::fs", &[]);
    check_purity("crates/flags/src/lib.rs", "#[cfg(test)] mod tests { use std::fs; }", &[]);
    check_purity("crates/flags/tests/x.rs", "use std::fs;", &[]);
    check_purity("crates/store/src/lib.rs", "use std::fs;", &[]);
}

#[test]
fn an_empty_crate_is_refused() {
    let house = house();
    let source =
        |name: &str, text: &str| Source { path: format!("crates/{name}/src/lib.rs"), text: text.to_owned() };
    let full = ["kernel", "flags", "metrics", "store"].map(|name| source(name, "pub struct X;"));
    let mut sources = full.to_vec();
    sources.push(source("cli", "//! Only words."));
    let found = empty(&house, &sources);
    assert_eq!(found.len(), 1);
    assert!(found.iter().all(|finding| finding.file == "crates/cli/src/lib.rs"));
}
