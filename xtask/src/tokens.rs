//! Rust sources as tokens: the paths they name, the functions they hold, without comments, strings and tests.
//!
//! Not a parser: it knows `use` trees, `#[cfg(test)]` and where braces close, which is all that the bans need.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// A path such as `std::fs::read`, or a single word, and its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The path's words; a macro's last word ends in `!`.
    pub words: Vec<String>,
    /// Line, from 1.
    pub line: usize,
}

/// A function and the span of its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Line of `fn`, from 1.
    pub line: usize,
    /// First line of the body.
    pub opens: usize,
    /// Last line of the body.
    pub closes: usize,
}

/// An item that introduces a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// `struct`, `enum`, `trait`, `mod`, `type` or `static`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Line, from 1.
    pub line: usize,
}

/// Everything that the checks ask of a Rust file.
#[derive(Debug, Default)]
pub struct Read {
    /// Paths named outside tests.
    pub paths: Vec<Named>,
    /// Paths named inside `#[cfg(test)]`.
    pub test_paths: Vec<Named>,
    /// Functions, tests included.
    pub functions: Vec<Function>,
    /// Named items, tests included.
    pub items: Vec<Item>,
    /// Attributes as text without spaces, such as `allow(dead_code)`.
    pub attributes: Vec<(String, usize)>,
}

/// Reads a file's tokens.
pub fn read(text: &str) -> Result<Read, String> {
    let stream: TokenStream = text.parse().map_err(|error| format!("cannot be read as Rust: {error}"))?;
    let mut read = Read::default();
    walk(stream, false, &mut read);
    Ok(read)
}

fn walk(stream: TokenStream, in_test: bool, read: &mut Read) {
    let trees: Vec<TokenTree> = stream.into_iter().collect();
    let mut at = 0;
    // After `#[cfg(test)]`, up to the end of the item it stands before.
    let mut test_item = false;
    while let Some(tree) = trees.get(at) {
        let inside = in_test || test_item;
        match tree {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                at += attribute(&trees, at, read, &mut test_item);
                continue;
            }
            // A lifetime: its word is no name.
            TokenTree::Punct(punct) if punct.as_char() == '\'' => at += 1,
            TokenTree::Punct(punct) if punct.as_char() == ';' => test_item = false,
            TokenTree::Group(group) => {
                walk(group.stream(), inside, read);
                if group.delimiter() == Delimiter::Brace {
                    test_item = false;
                }
            }
            TokenTree::Ident(word) if word == "use" => {
                let end = trees.iter().skip(at).position(is_semicolon).map_or(trees.len(), |n| at + n);
                let tree = trees.get(at + 1..end).unwrap_or_default();
                let found = if inside { &mut read.test_paths } else { &mut read.paths };
                use_tree(tree, &mut Vec::new(), found);
                at = end;
                continue;
            }
            TokenTree::Ident(_) => {
                item(&trees, at, read);
                let (words, line, used) = path(&trees, at);
                let found = if inside { &mut read.test_paths } else { &mut read.paths };
                found.push(Named { words, line });
                at += used;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
}

/// Reads `#[…]` or `#![…]` at `at`; answers how many trees it took.
fn attribute(trees: &[TokenTree], at: usize, read: &mut Read, test_item: &mut bool) -> usize {
    let (group, used) = match (trees.get(at + 1), trees.get(at + 2)) {
        (Some(TokenTree::Group(group)), _) => (group, 2),
        (Some(TokenTree::Punct(bang)), Some(TokenTree::Group(group))) if bang.as_char() == '!' => (group, 3),
        _ => return 1,
    };
    let text: String = group.stream().to_string().split_whitespace().collect();
    if text.starts_with("cfg(") && has_word(&text, "test") && !text.contains("not(test)") {
        *test_item = true;
    }
    if text == "test" || text.ends_with("::test") {
        *test_item = true;
    }
    read.attributes.push((group.stream().to_string(), group.span_open().start().line));
    used
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|part| part == word)
}

fn is_semicolon(tree: &TokenTree) -> bool {
    matches!(tree, TokenTree::Punct(punct) if punct.as_char() == ';')
}

/// Notes the item or function that the word at `at` begins, if it begins one.
fn item(trees: &[TokenTree], at: usize, read: &mut Read) {
    let (Some(TokenTree::Ident(word)), Some(TokenTree::Ident(next))) = (trees.get(at), trees.get(at + 1))
    else {
        return;
    };
    let line = word.span().start().line;
    let kind = word.to_string();
    match kind.as_str() {
        "fn" => {
            let body =
                trees.iter().skip(at).take_while(|tree| !is_semicolon(tree)).find_map(|tree| match tree {
                    TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Some(group),
                    _ => None,
                });
            if let Some(body) = body {
                let (opens, closes) = (body.span_open().start().line, body.span_close().end().line);
                read.functions.push(Function { name: next.to_string(), line, opens, closes });
            }
        }
        "struct" | "enum" | "trait" | "mod" | "type" => {
            read.items.push(Item { kind, name: next.to_string(), line });
        }
        "static" => {
            let name = match trees.get(at + 2) {
                Some(TokenTree::Ident(name)) if next == "mut" => name.to_string(),
                _ => next.to_string(),
            };
            read.items.push(Item { kind, name, line });
        }
        _ => {}
    }
}

/// Reads `a::b::c` (and a macro's `!`) at `at`: the words, the line, and how many trees they took.
fn path(trees: &[TokenTree], at: usize) -> (Vec<String>, usize, usize) {
    let mut words = Vec::new();
    let mut line = 0;
    let mut end = at;
    while let Some(TokenTree::Ident(word)) = trees.get(end) {
        words.push(word.to_string());
        if line == 0 {
            line = word.span().start().line;
        }
        end += 1;
        if colons(trees, end) {
            end += 2;
        } else {
            break;
        }
    }
    if let Some(TokenTree::Punct(bang)) = trees.get(end)
        && bang.as_char() == '!'
        && matches!(trees.get(end + 1), Some(TokenTree::Group(_)))
        && let Some(last) = words.last_mut()
    {
        last.push('!');
        end += 1;
    }
    (words, line, end - at)
}

fn colons(trees: &[TokenTree], at: usize) -> bool {
    matches!((trees.get(at), trees.get(at + 1)), (Some(TokenTree::Punct(a)), Some(TokenTree::Punct(b)))
        if a.as_char() == ':' && a.spacing() == Spacing::Joint && b.as_char() == ':')
}

/// Expands `a::{b, c::d}` into one path a leaf.
fn use_tree(trees: &[TokenTree], prefix: &mut Vec<String>, found: &mut Vec<Named>) {
    let depth = prefix.len();
    let mut at = 0;
    let mut line = 0;
    let mut open = false;
    while let Some(tree) = trees.get(at) {
        match tree {
            // The new name of `a as b` is no part of the path.
            TokenTree::Ident(word) if word == "as" => at += 1,
            TokenTree::Ident(word) => {
                prefix.push(word.to_string());
                line = word.span().start().line;
                open = true;
            }
            TokenTree::Group(group) => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                use_tree(&inner, prefix, found);
                open = false;
            }
            TokenTree::Punct(punct) if punct.as_char() == ',' => {
                if open {
                    found.push(Named { words: prefix.clone(), line });
                }
                prefix.truncate(depth);
                open = false;
            }
            _ => {}
        }
        at += 1;
    }
    if open {
        found.push(Named { words: prefix.clone(), line });
    }
    prefix.truncate(depth);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        read(text).unwrap().paths.iter().map(|named| named.words.join("::")).collect()
    }

    #[test]
    fn use_trees_are_expanded() {
        let text = "use std::{fs, net::{self, TcpStream}, collections::HashMap as Map};";
        assert_eq!(
            paths(text),
            ["std::fs", "std::net::self", "std::net::TcpStream", "std::collections::HashMap"]
        );
    }

    #[test]
    fn strings_comments_lifetimes_and_tests_name_nothing() {
        let text = r#"
            //! std::fs in a comment
            struct S<'static_>(&'static str);
            const A: &str = "std::fs::read";
            #[cfg(test)] mod tests { fn f() { std::fs::read("x"); } }
            #[cfg(all(test, unix))] use std::env;
            #[test] fn t() { std::net::lookup(); }
            fn g() { std::io::empty(); }
        "#;
        let named = paths(text);
        assert!(named.contains(&"std::io::empty".to_owned()), "{named:?}");
        for absent in ["std::fs::read", "std::env", "std::net::lookup", "static"] {
            assert!(!named.contains(&absent.to_owned()), "{absent} in {named:?}");
        }
    }

    #[test]
    fn functions_have_their_bodies_lines() {
        let text = "fn a();\nfn b(x: [u8; 3]) -> u8 {\n    1\n}\nimpl X { fn c() {} }";
        let names: Vec<_> = read(text)
            .unwrap()
            .functions
            .into_iter()
            .map(|function| (function.name, function.opens, function.closes))
            .collect();
        assert_eq!(names, [("b".to_owned(), 2, 4), ("c".to_owned(), 5, 5)]);
    }

    #[test]
    fn macros_and_statics_are_seen() {
        let read = read("static mut N: u8 = 0; fn f() { println!(\"x\"); if a != (b) {} }").unwrap();
        assert!(read.paths.iter().any(|named| named.words == ["println!"]));
        assert!(read.paths.iter().all(|named| named.words != ["a!"]));
        assert_eq!(read.items.first().map(|item| item.name.as_str()), Some("N"));
    }
}
