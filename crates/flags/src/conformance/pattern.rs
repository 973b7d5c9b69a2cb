//! Patterns of steps: literal text with holes. `{q}` is a quoted text, `{w}` a word, `{v}` a quoted text or bare word.

/// What stands in the holes, if `text` is of the pattern as a whole.
pub(super) fn capture<'t>(pattern: &str, text: &'t str) -> Option<Vec<&'t str>> {
    let mut found = Vec::new();
    fits(pattern, text, &mut found).then_some(found)
}

fn fits<'t>(pattern: &str, text: &'t str, found: &mut Vec<&'t str>) -> bool {
    let Some(hole) = pattern.find('{') else { return pattern == text };
    let (literal, rest) = pattern.split_at(hole);
    let Some(text) = text.strip_prefix(literal) else { return false };
    let (Some(kind), Some(after)) = (rest.get(1..2), rest.get(3..)) else { return false };
    if matches!(kind, "q" | "v")
        && let Some(quoted) = text.strip_prefix('"')
    {
        // A quoted text may hold quotes; the first end that lets the rest fit is the right one.
        for (end, _) in quoted.match_indices('"') {
            let (Some(inner), Some(tail)) = (quoted.get(..end), quoted.get(end + 1..)) else { continue };
            let before = found.len();
            found.push(inner);
            if fits(after, tail, found) {
                return true;
            }
            found.truncate(before);
        }
    }
    if matches!(kind, "w" | "v") {
        let end = text.find([' ', '-', ',']).filter(|end| *end > 0);
        // A negative number begins with the sign that otherwise ends a word.
        let end = if kind == "v" { text.find([' ', ',']) } else { end }.unwrap_or(text.len());
        let (Some(word), Some(tail)) = (text.get(..end), text.get(end..)) else { return false };
        if !word.is_empty() && !word.starts_with('"') {
            let before = found.len();
            found.push(word);
            if fits(after, tail, found) {
                return true;
            }
            found.truncate(before);
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::capture;

    #[test]
    fn holes_take_words_and_quoted_texts() {
        let flag = "a {w}-flag with key {q} and a {w} value {q}";
        for (pattern, text, expected) in [
            (
                flag,
                r#"a Boolean-flag with key "k-1" and a fallback value "false""#,
                Some(vec!["Boolean", "k-1", "fallback", "false"]),
            ),
            (
                flag,
                r#"a Object-flag with key "k" and a default value "{"a": 1, "b": "c"}""#,
                Some(vec!["Object", "k", "default", r#"{"a": 1, "b": "c"}"#]),
            ),
            (
                flag,
                r#"a String-flag with key "" and a default value """#,
                Some(vec!["String", "", "default", ""]),
            ),
            (flag, "an evaluator", None),
            ("the returned value should be {v}", "the returned value should be -1", Some(vec!["-1"])),
            ("the returned value should be {v}", r#"the returned value should be "a b""#, Some(vec!["a b"])),
            ("the reason should be {q}", r#"the reason should be "A" and more"#, None),
        ] {
            assert_eq!(capture(pattern, text), expected, "{text}");
        }
    }
}
