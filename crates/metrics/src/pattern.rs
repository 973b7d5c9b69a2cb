//! Regular expressions as Prometheus reads them: RE2's syntax, anchored at both ends, `.` matches newlines.
//!
//! The `regex` crate guarantees linear time as RE2 does, and reads nearly the same syntax. Where they differ, a pattern is
//! rewritten: `\d \w \s \b` are ASCII in RE2; `[` and doubled operators in a class are literal there, as are braces that
//! are no repetition and `\<`; `\Q…\E` quotes. Source: <https://github.com/google/re2/wiki/Syntax>.

use regex::{Error, Regex, RegexBuilder};

/// A compiled pattern may take this much memory, in bytes.
pub const MAX_COMPILED_BYTES: usize = 1 << 20;

/// Compiles `pattern`, anchored at both ends.
///
/// # Errors
/// The pattern is not valid, or compiles to more than [`MAX_COMPILED_BYTES`].
pub fn anchored(pattern: &str) -> Result<Regex, Error> {
    // Compiled alone first: `a)(b` must not be made valid by the brackets around it.
    let translated = translate(pattern);
    regex::RegexBuilder::new(&translated).size_limit(MAX_COMPILED_BYTES).build()?;
    RegexBuilder::new(&format!("^(?s:{translated})$")).size_limit(MAX_COMPILED_BYTES).build()
}

/// The pattern in the syntax of the `regex` crate.
fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern;
    let mut in_class = false;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        rest = match c {
            '\\' => escape(after, in_class, &mut out),
            '[' if in_class => match after.strip_prefix(':').and_then(|a| a.find(":]")) {
                // A named class such as [:alpha:].
                Some(end) => {
                    let length = end + 4;
                    out.push_str(rest.get(..length).unwrap_or_default());
                    rest.get(length..).unwrap_or_default()
                }
                None => {
                    out.push_str("\\[");
                    after
                }
            },
            '[' => {
                in_class = true;
                class_start(after, &mut out)
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
                after
            }
            '&' | '~' if in_class => {
                out.push('\\');
                out.push(c);
                after
            }
            '-' if in_class && after.starts_with('-') => {
                // A range that ends in `-`.
                out.push_str("-\\-");
                after.get(1..).unwrap_or_default()
            }
            '{' if !in_class && !is_repetition(after) => {
                out.push_str("\\{");
                after
            }
            _ => {
                out.push(c);
                after
            }
        };
    }
    out
}

/// The start of a class: `[`, `[^`, and a `]` or `-` that is literal because it comes first.
fn class_start<'p>(after: &'p str, out: &mut String) -> &'p str {
    out.push('[');
    let mut rest = after;
    if let Some(negated) = rest.strip_prefix('^') {
        out.push('^');
        rest = negated;
    }
    for (first, escaped) in [("]", "\\]"), ("-", "\\-")] {
        if let Some(literal) = rest.strip_prefix(first) {
            out.push_str(escaped);
            return literal;
        }
    }
    rest
}

/// What follows a backslash; returns what is left of the pattern.
fn escape<'p>(after: &'p str, in_class: bool, out: &mut String) -> &'p str {
    let Some(c) = after.chars().next() else {
        out.push('\\');
        return after;
    };
    let rest = after.get(c.len_utf8()..).unwrap_or_default();
    if c == 'Q' {
        let (quoted, rest) = rest.split_once("\\E").unwrap_or((rest, ""));
        out.push_str(&regex::escape(quoted));
        return rest;
    }
    let replacement = match (c, in_class) {
        ('d', _) => "[0-9]",
        ('D', _) => "[^0-9]",
        ('w', _) => "[0-9A-Za-z_]",
        ('W', _) => "[^0-9A-Za-z_]",
        ('s', _) => "[\\t\\n\\x0C\\r ]",
        ('S', _) => "[^\\t\\n\\x0C\\r ]",
        ('b', false) => "(?-u:\\b)",
        ('B', false) => "(?-u:\\B)",
        ('<', _) => "<",
        ('>', _) => ">",
        _ => {
            out.push('\\');
            out.push(c);
            return rest;
        }
    };
    out.push_str(replacement);
    rest
}

/// Whether what follows a `{` makes it a repetition: `3}`, `3,}`, `3,5}`.
fn is_repetition(after: &str) -> bool {
    let Some((inside, _)) = after.split_once('}') else { return false };
    let (least, most) = inside.split_once(',').unwrap_or((inside, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    !least.is_empty() && digits(least) && digits(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_re2() {
        for (pattern, yes, no) in [
            ("a.c", &["abc", "a\nc"][..], &["abcd", "xabc", ""][..]),
            ("a|b", &["a", "b"], &["ab"]),
            ("\\d+", &["12"], &["\u{661}", "x"]),
            ("\\w*", &["a_1", ""], &["é", "a-b"]),
            ("[\\w-]+", &["a-b"], &["é"]),
            ("[^\\d]", &["x", "é"], &["1"]),
            ("\\S\\s\\S", &["a b"], &["ab", "a\u{a0}b"]),
            ("[[]a]", &["[a]"], &["a"]),
            ("[a[]", &["a", "["], &["]"]),
            ("[]a]", &["]", "a"], &["["]),
            ("[^]a]", &["b"], &["]", "a"]),
            ("[[:alpha:]0]+", &["ab0"], &["1", ":"]),
            ("[a&&b]+", &["a&b"], &["c"]),
            ("[a~~b]", &["~"], &["c"]),
            ("[+--]", &["+", ",", "-"], &["."]),
            ("[--/]", &["-", ".", "/"], &[","]),
            ("[^-a]", &["b"], &["-", "a"]),
            ("a{2}", &["aa"], &["a{2}"]),
            ("a{", &["a{"], &["a"]),
            ("a{x}", &["a{x}"], &["ax"]),
            ("{\\d}", &["{1}"], &["1"]),
            ("\\Qa.b\\E+", &["a.b", "a.bb"], &["axb"]),
            ("\\Q*", &["*"], &[""]),
            ("\\<a\\>", &["<a>"], &["a"]),
            ("(?i)abc", &["ABC"], &["abd"]),
            ("\\bfoo\\b.*", &["foo bar", "fooé"], &["foobar"]),
            ("é+", &["éé"], &["e"]),
        ] {
            let regex = anchored(pattern).unwrap_or_else(|e| panic!("{pattern}: {e}"));
            for text in yes {
                assert!(regex.is_match(text), "{pattern} should match {text:?}");
            }
            for text in no {
                assert!(!regex.is_match(text), "{pattern} should not match {text:?}");
            }
        }
        for bad in ["(", "a)(b", "[a", "*", "\\", "a{1001}{1001}", "(?P<n", "[z-a]"] {
            assert!(anchored(bad).is_err(), "{bad}");
        }
    }
}
