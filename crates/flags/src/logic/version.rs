//! `sem_ver`: semantic versions as flagd compares them. A leading `v` or `V` is dropped, `1` and `1.2` stand for `1.0.0`
//! and `1.2.0`, build metadata is ignored, numbers are taken as texts.

use std::cmp::Ordering;

use semver::Version;

use super::coerce::Val;

/// Whether `left operator right` holds; `None` when either is no version or the operator is not known, which flagd
/// answers with null.
pub(crate) fn compare(left: &Val<'_>, operator: &Val<'_>, right: &Val<'_>) -> Option<bool> {
    let operator = operator.as_text()?;
    let (left, right) = (parse(left)?, parse(right)?);
    let order = left.cmp_precedence(&right);
    Some(match operator {
        "=" => order == Ordering::Equal,
        "!=" => order != Ordering::Equal,
        "<" => order == Ordering::Less,
        "<=" => order != Ordering::Greater,
        ">" => order == Ordering::Greater,
        ">=" => order != Ordering::Less,
        "^" => left.major == right.major,
        "~" => (left.major, left.minor) == (right.major, right.minor),
        _ => return None,
    })
}

/// The operators, for messages.
pub(crate) const OPERATORS: [&str; 8] = ["=", "!=", "<", "<=", ">", ">=", "^", "~"];

/// True for a text that [`compare`] takes as a version.
pub(crate) fn is_version(text: &str) -> bool {
    parse(&Val::text(text)).is_some()
}

fn parse(value: &Val<'_>) -> Option<Version> {
    let text = match value {
        Val::Text(_) | Val::Number(_) => value.to_text(),
        _ => return None,
    };
    let text = text.strip_prefix(['v', 'V']).unwrap_or(&text);
    // A shortened version has numbers only: `1.2-beta` is none.
    let dots = text.bytes().filter(|b| *b == b'.').count();
    match dots {
        0 | 1 if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') => {
            let zeros = if dots == 0 { ".0.0" } else { ".0" };
            Version::parse(&format!("{text}{zeros}")).ok()
        }
        _ => Version::parse(text).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn check(left: Value, operator: &str, right: Value, expected: Option<bool>) {
        let found = compare(&Val::from(&left), &Val::text(operator), &Val::from(&right));
        assert_eq!(found, expected, "{left} {operator} {right}");
    }

    #[test]
    fn versions_compare_as_flagd_does() {
        check(json!("2.0.0"), "=", json!("v2.0.0+build"), Some(true));
        check(json!("2.0.0-alpha"), "<", json!("2.0.0"), Some(true));
        check(json!("2.0.0-alpha.2"), "<", json!("2.0.0-alpha.10"), Some(true));
        check(json!("1.10.0"), ">", json!("1.9.0"), Some(true));
        check(json!("V1"), "!=", json!("1.0"), Some(false));
        check(json!("3.1.0"), "^", json!("3.0.0"), Some(true));
        check(json!("3.1.0"), "~", json!("3.0.0"), Some(false));
        check(json!(1.2), ">=", json!("1.2.0"), Some(true));
        check(json!(2), "<=", json!("1.9"), Some(false));
    }

    #[test]
    fn what_is_no_version_has_no_answer() {
        check(json!("2.0.0.0"), "=", json!("2.0.0"), None);
        check(json!("1.2-beta"), "=", json!("1.2.0"), None);
        check(json!(""), "=", json!("1.0.0"), None);
        check(json!("1..0"), "=", json!("1.0.0"), None);
        check(json!(null), "=", json!("1.0.0"), None);
        check(json!("1.0.0"), "===", json!("1.0.0"), None);
        check(json!("01.0.0"), "=", json!("1.0.0"), None);
    }
}
