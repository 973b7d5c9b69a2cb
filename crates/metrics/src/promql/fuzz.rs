//! One entry for fuzzers: any bytes in, no panic, and printing keeps the tree.

use super::json::ast_json;
use super::options::Syntax;
use super::parse;
use super::print::print;

/// Parses `data` as a query with every feature on; when it parses, prints it and parses again. Returns whether it parsed
/// and whether the second tree is the same as the first (`true` when the first parse refused).
pub fn fuzz_one(data: &[u8]) -> (bool, bool) {
    let Ok(text) = std::str::from_utf8(data) else { return (false, true) };
    let syntax = Syntax::all();
    let Ok(first) = parse(text, &syntax) else { return (false, true) };
    let printed = print(&first);
    let same = parse(&printed, &syntax).is_ok_and(|second| ast_json(&second) == ast_json(&first));
    (true, same)
}
