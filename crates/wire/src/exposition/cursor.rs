//! A place in one line, and the tokens both formats share.

use super::{Limits, kinds};

/// What is wrong, at which byte of the line.
#[derive(Debug)]
pub(super) struct Wrong {
    pub at: usize,
    pub message: String,
    pub hint: Option<&'static str>,
}

/// Reads one line from left to right.
pub(super) struct Cursor<'a> {
    line: &'a str,
    at: usize,
    limits: &'a Limits,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(line: &'a str, limits: &'a Limits) -> Self {
        Self { line, at: 0, limits }
    }

    /// What has not been read.
    pub(super) fn rest(&self) -> &'a str {
        self.line.get(self.at..).unwrap_or_default()
    }

    pub(super) fn place(&self) -> usize {
        self.at
    }

    pub(super) fn wrong<T>(&self, message: impl Into<String>) -> Result<T, Wrong> {
        Err(Wrong { at: self.at, message: message.into(), hint: None })
    }

    /// Passes spaces and tabs; true when there were any.
    pub(super) fn blanks(&mut self) -> bool {
        let rest = self.rest();
        let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        self.at += blanks;
        blanks > 0
    }

    /// Passes `token` if it is next.
    pub(super) fn take(&mut self, token: char) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len_utf8();
        }
        found
    }

    /// Everything up to the next space or tab.
    pub(super) fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest.find([' ', '\t']).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    /// Everything that is left.
    pub(super) fn remainder(&mut self) -> &'a str {
        let rest = self.rest();
        self.at = self.line.len();
        rest
    }

    /// A metric name, bare or quoted.
    pub(super) fn metric_name(&mut self) -> Result<String, Wrong> {
        if self.rest().starts_with('"') {
            return self.quoted_name();
        }
        self.bare(kinds::is_legacy_metric_name, "a metric name")
    }

    /// A label name, bare or quoted; the flag says which.
    pub(super) fn label_name(&mut self) -> Result<(String, bool), Wrong> {
        if self.rest().starts_with('"') {
            return self.quoted_name().map(|name| (name, true));
        }
        self.bare(kinds::is_legacy_label_name, "a label name").map(|name| (name, false))
    }

    fn bare(&mut self, legal: fn(&str) -> bool, what: &str) -> Result<String, Wrong> {
        let rest = self.rest();
        let end =
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')).unwrap_or(rest.len());
        let name = rest.get(..end).unwrap_or_default();
        if !legal(name) {
            let found =
                rest.chars().next().map_or_else(|| "the end of the line".to_owned(), |c| format!("{c:?}"));
            let hint =
                Some("names outside of [a-zA-Z_:][a-zA-Z0-9_:]* stand in quotes, inside of the braces");
            return Err(Wrong { at: self.at, message: format!("expected {what}, found {found}"), hint });
        }
        self.within(name.len(), self.limits.name_bytes, what)?;
        self.at += end;
        Ok(name.to_owned())
    }

    fn quoted_name(&mut self) -> Result<String, Wrong> {
        let start = self.at;
        let name = self.string(self.limits.name_bytes, "a name")?;
        if name.is_empty() {
            return Err(Wrong { at: start, message: "a name is empty".to_owned(), hint: None });
        }
        Ok(name)
    }

    /// A label's value, which is always quoted.
    pub(super) fn label_value(&mut self) -> Result<String, Wrong> {
        self.string(self.limits.value_bytes, "a label value")
    }

    /// A quoted string: `\\`, `\"` and `\n` are escapes, any other backslash stands for itself.
    fn string(&mut self, limit: usize, what: &str) -> Result<String, Wrong> {
        let start = self.at;
        if !self.take('"') {
            return self.wrong(format!("expected {what} in double quotes"));
        }
        let mut text = String::new();
        let mut chars = self.rest().char_indices();
        while let Some((i, c)) = chars.next() {
            match c {
                '"' => {
                    self.within(text.len(), limit, what)?;
                    self.at += i + 1;
                    return Ok(text);
                }
                '\\' => unescape(&mut text, chars.next().map(|(_, c)| c), true),
                c => text.push(c),
            }
        }
        Err(Wrong { at: start, message: format!("{what} is not closed by a quote"), hint: None })
    }

    pub(super) fn within(&self, length: usize, limit: usize, what: &str) -> Result<(), Wrong> {
        if length > limit {
            return self.wrong(format!("{what} is longer than {limit} bytes"));
        }
        Ok(())
    }

    /// A float as Go's `strconv.ParseFloat` of old reads it: no underscores, no hexadecimal.
    pub(super) fn number(&mut self, what: &str) -> Result<f64, Wrong> {
        let start = self.at;
        let word = self.word();
        let unsigned = word.strip_prefix(['+', '-']).unwrap_or(word);
        let signed_nan = unsigned.len() < word.len() && unsigned.eq_ignore_ascii_case("nan");
        match word.parse::<f64>() {
            Ok(_) if signed_nan => {}
            // One NaN: others mean something in the store (the end of a series).
            Ok(value) if value.is_nan() => return Ok(f64::NAN),
            Ok(value) if value.is_infinite() && !unsigned.starts_with(['i', 'I']) => {
                return Err(Wrong {
                    at: start,
                    message: format!("{what} `{word}` is too large"),
                    hint: None,
                });
            }
            Ok(value) => return Ok(value),
            Err(_) => {}
        }
        Err(Wrong { at: start, message: format!("expected {what}, found `{word}`"), hint: None })
    }

    /// The end of the line, or what stands there.
    pub(super) fn end(&self) -> Result<(), Wrong> {
        if self.rest().is_empty() {
            Ok(())
        } else {
            self.wrong(format!("unexpected `{}`", clip(self.rest())))
        }
    }
}

/// Adds what an escape stands for.
pub(super) fn unescape(text: &mut String, escaped: Option<char>, quotes: bool) {
    match escaped {
        Some('n') => text.push('\n'),
        Some('\\') => text.push('\\'),
        Some('"') if quotes => text.push('"'),
        other => {
            text.push('\\');
            text.extend(other);
        }
    }
}

/// The start of a text, for messages.
pub(super) fn clip(text: &str) -> String {
    text.chars().take(40).collect()
}
