//! Printing: tables for people, JSON and YAML for programs. Times and sizes are shown the same way everywhere.

use std::io::{ErrorKind, Write as _, stdout};

use serde_json::Value;

use crate::{Exit, Failure, Output};

/// Prints text, and ends its last line where it does not.
pub(crate) fn say(text: &str) -> Result<(), Failure> {
    say_bytes(text.as_bytes())?;
    if text.ends_with('\n') || text.is_empty() { Ok(()) } else { say_bytes(b"\n") }
}

/// Prints bytes as they are. When the reader has gone (`| head`), there is nothing more to do and that is not a
/// failure.
pub(crate) fn say_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(Failure::new(Exit::Disk, format!("the answer cannot be written: {error}"))),
        Ok(()) => Ok(()),
    }
}

/// Prints a value as the output format says; `table` makes the text for people.
pub(crate) fn show(
    output: Output,
    value: &Value,
    table: impl FnOnce(&Value) -> String,
) -> Result<(), Failure> {
    match output {
        Output::Table => say(&harmless(&table(value))),
        Output::Json => say(&serde_json::to_string_pretty(value).unwrap_or_default()),
        Output::Yaml => say(&wire::document::to_yaml(value)),
    }
}

/// The same text without control characters beside line ends: what somebody wrote as a reason or a label must not move
/// the cursor, colour the terminal or retitle the window of who reads it.
pub(crate) fn harmless(text: &str) -> String {
    let shown =
        |c: char| if c.is_control() && c != '\n' { c.escape_default().collect() } else { c.to_string() };
    text.chars().map(shown).collect()
}

/// Columns of a terminal that a text takes: East Asian wide characters and emoji take two, combining marks none.
/// Source: Unicode Standard Annex 11, in the blocks that matter here.
pub(crate) fn columns(text: &str) -> usize {
    let wide = |c: char| match u32::from(c) {
        0x0300..=0x036f | 0x200b..=0x200f | 0x20d0..=0x20ff | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f | 0x2e80..=0x303e | 0x3041..=0x33ff | 0x3400..=0x4dbf | 0x4e00..=0x9fff => 2,
        0xa000..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe4f | 0xff00..=0xff60 => 2,
        0xffe0..=0xffe6 | 0x1f300..=0x1f64f | 0x1f900..=0x1f9ff | 0x20000..=0x3fffd => 2,
        _ => 1,
    };
    text.chars().map(wide).sum()
}

/// Columns under their headings, as wide as they need to be. No rows: `empty` instead.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>], empty: &str) -> String {
    if rows.is_empty() {
        return format!("{empty}\n");
    }
    // One row is one line, whatever is in it.
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| harmless(cell).replace('\n', "\\n")).collect()).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| columns(cell));
        cells.chain(headings.get(column).map(|heading| heading.chars().count())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let line = |cells: &[String]| {
        let pad = |(cell, width): (&String, &usize)| {
            cell.clone() + &" ".repeat(width.saturating_sub(columns(cell)))
        };
        let padded: Vec<String> = cells.iter().zip(&widths).map(pad).collect();
        format!("{}\n", padded.join("  ").trim_end())
    };
    let head: Vec<String> = headings.iter().map(|heading| heading.to_uppercase()).collect();
    let body: String = rows.iter().map(|row| line(row)).collect();
    line(&head) + &body
}

/// A string field, or nothing.
pub(crate) fn text(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// The value at a JSON pointer; null when nothing is there.
pub(crate) fn field<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

/// A number field, or zero.
pub(crate) fn number(value: &Value, pointer: &str) -> f64 {
    value.pointer(pointer).and_then(Value::as_f64).unwrap_or(0.0)
}

/// `2026-11-23 19:15:00Z`: an RFC 3339 time, to the second.
pub(crate) fn time(text: &str) -> String {
    match text.split_once('T') {
        Some((date, rest)) => {
            let clock = rest.split(['.', 'Z']).next().unwrap_or(rest);
            format!("{date} {clock}Z")
        }
        None => text.to_owned(),
    }
}

/// `1.5 GiB`
pub(crate) fn bytes(n: f64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = n;
    for unit in UNITS {
        if value.abs() < 1024.0 || unit == "TiB" {
            return if unit == "B" { format!("{value:.0} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1024.0;
    }
    String::new()
}

/// `12.3%` of a fraction.
pub(crate) fn percent(fraction: f64) -> String {
    format!("{:.1}%", fraction * 100.0)
}

/// `3d4h`, `5m12s`: elapsed seconds, in the two largest units.
pub(crate) fn elapsed(seconds: f64) -> String {
    let total = seconds.max(0.0) as u64;
    let units = [("d", total / 86_400), ("h", total / 3_600 % 24), ("m", total / 60 % 60), ("s", total % 60)];
    let shown: Vec<String> =
        units.iter().skip_while(|(_, n)| *n == 0).take(2).map(|(unit, n)| format!("{n}{unit}")).collect();
    if shown.is_empty() { "0s".to_owned() } else { shown.concat() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_written_by_others_steers_the_terminal() {
        for (text, shown) in [
            ("a\nb ü 日本", "a\nb ü 日本"),
            ("\u{1b}[2J\u{1b}]0;owned\u{7}", "\\u{1b}[2J\\u{1b}]0;owned\\u{7}"),
            ("over\rwritten\u{9b}31m", "over\\rwritten\\u{9b}31m"),
        ] {
            assert_eq!(harmless(text), shown);
        }
        let rows = vec![vec!["a\nb\u{1b}[31m".to_owned(), "1".to_owned()]];
        assert_eq!(table(&["x", "y"], &rows, ""), "X               Y\na\\nb\\u{1b}[31m  1\n");
    }

    #[test]
    fn columns_align_and_figures_read_well() {
        let rows = vec![vec!["a".to_owned(), "long value".to_owned()], vec!["bcd".to_owned(), String::new()]];
        assert_eq!(table(&["x", "y"], &rows, "none"), "X    Y\na    long value\nbcd\n");
        assert_eq!(table(&["x"], &[], "no flags"), "no flags\n");
        let wide =
            vec![vec!["日本".to_owned(), "1".to_owned()], vec!["e\u{301}tat".to_owned(), "2".to_owned()]];
        assert_eq!(table(&["x", "y"], &wide, ""), "X     Y\n日本  1\ne\u{301}tat  2\n");
        assert_eq!((bytes(1536.0).as_str(), bytes(12.0).as_str()), ("1.5 KiB", "12 B"));
        assert_eq!((elapsed(273_600.0).as_str(), elapsed(0.2).as_str()), ("3d4h", "0s"));
        assert_eq!(time("2026-11-23T19:15:00.25Z"), "2026-11-23 19:15:00Z");
    }
}
