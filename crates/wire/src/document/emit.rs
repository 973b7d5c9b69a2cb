//! Values as YAML that people like to read and review: one entry a line, two spaces, multi-line text as blocks.
//!
//! Invariants: equal values give equal text; reading the text back gives the value, here and in YAML 1.1 readers (words
//! such as `no` and `12:30` are therefore quoted).

use serde_json::Value;

use super::scalar;

/// `value` as one YAML document, ending in a newline. Mappings keep their order. Text nested deeper than
/// [`MAX_DEPTH`](super::MAX_DEPTH) is written but not read back.
pub fn to_yaml(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => block(&mut out, value, 0),
        Value::Array(items) if !items.is_empty() => block(&mut out, value, 0),
        other => flow(&mut out, other, 2),
    }
    out
}

/// A non-empty collection whose first line's indentation is already written.
fn block(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(map) => {
            for (i, (key, entry)) in map.iter().enumerate() {
                if i > 0 {
                    pad(out, indent);
                }
                text_line(out, key);
                out.push(':');
                if is_block(entry) {
                    out.push('\n');
                    pad(out, indent + 2);
                    block(out, entry, indent + 2);
                } else {
                    out.push(' ');
                    flow(out, entry, indent + 2);
                }
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    pad(out, indent);
                }
                out.push_str("- ");
                if is_block(item) {
                    block(out, item, indent + 2);
                } else {
                    flow(out, item, indent + 2);
                }
            }
        }
        other => flow(out, other, indent),
    }
}

fn is_block(value: &Value) -> bool {
    match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    }
}

/// Anything that starts on the line of its key, and its newline.
fn flow(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(n) => out.push_str(&n.to_string()),
        Value::Object(_) => out.push_str("{}"),
        Value::Array(_) => out.push_str("[]"),
        Value::String(text) if suits_literal(text) => return literal(out, text, indent),
        Value::String(text) => text_line(out, text),
    }
    out.push('\n');
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

/// Text on one line: plain where that is safe, else quoted.
fn text_line(out: &mut String, text: &str) {
    if is_plain(text) {
        out.push_str(text);
    } else if text.contains(['"', '\\']) && !text.chars().any(needs_escape) {
        out.push('\'');
        out.push_str(&text.replace('\'', "''"));
        out.push('\'');
    } else {
        quoted(out, text);
    }
}

fn quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if needs_escape(c) => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Characters that do not survive unescaped on one line, or cannot be seen. All lie in the basic plane.
fn needs_escape(c: char) -> bool {
    matches!(c, '\0'..='\u{1f}' | '\u{7f}'..='\u{a0}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

fn is_plain(text: &str) -> bool {
    let first = text.chars().next();
    let indicator = first.is_none_or(|c| "-?:,[]{}#&*!|>'\"%@`=<~ ".contains(c));
    if indicator || text.ends_with([' ', ':']) || text.contains(": ") || text.contains(" #") {
        return false;
    }
    if text.chars().any(needs_escape) || text.starts_with("...") {
        return false;
    }
    scalar::plain(text).is_ok_and(|value| value.is_string()) && !means_more_in_yaml_1_1(text)
}

/// Booleans, numbers with underscores or colons, and times of YAML 1.1.
fn means_more_in_yaml_1_1(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    if matches!(lower.as_str(), "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null") {
        return true;
    }
    let numeric = lower.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'));
    let prefixed = ["0x", "0b", "0o"].iter().any(|prefix| lower.starts_with(prefix));
    numeric && (prefixed || lower.chars().all(|c| c.is_ascii_digit() || "_.:+-tz e".contains(c)))
}

/// Multi-line text whose lines a literal block keeps exactly.
fn suits_literal(text: &str) -> bool {
    text.contains('\n')
        && !text.trim().is_empty()
        && !text.chars().any(|c| c != '\n' && c != '\t' && needs_escape(c))
        && text.split('\n').all(|line| !line.starts_with('\t') && !line.ends_with([' ', '\t']))
}

fn literal(out: &mut String, text: &str, indent: usize) {
    out.push('|');
    // Where the first line with content starts with a space, the indentation cannot be guessed from it.
    if text.trim_start_matches('\n').starts_with(' ') {
        out.push('2');
    }
    let body = text.strip_suffix('\n');
    match body {
        None => out.push('-'),
        Some(body) if body.ends_with('\n') => out.push('+'),
        Some(_) => {}
    }
    out.push('\n');
    for line in body.unwrap_or(text).split('\n') {
        if !line.is_empty() {
            pad(out, indent);
            out.push_str(line);
        }
        out.push('\n');
    }
}
