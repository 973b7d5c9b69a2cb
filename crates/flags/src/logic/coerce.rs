//! Values while a rule runs, and JavaScript's conversions between them, which JsonLogic is defined by.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::rc::Rc;

use serde_json::{Map, Value};

/// A value in flight. Everything that comes from the context or from the rule is borrowed.
#[derive(Clone, Debug)]
pub(crate) enum Val<'a> {
    /// null; also what JavaScript calls undefined.
    Null,
    /// true or false.
    Bool(bool),
    /// Every number is a double, as in JavaScript.
    Number(f64),
    /// A text.
    Text(Cow<'a, str>),
    /// A list of the context or the rule.
    Borrowed(&'a [Value]),
    /// A computed list.
    Owned(Computed<'a>),
    /// An object of the context or the rule.
    Object(&'a Map<String, Value>),
}

/// A list that was computed, and how large it is: a rule must not build what takes for ever to walk or to drop.
#[derive(Clone, Debug)]
pub(crate) struct Computed<'a> {
    items: Rc<[Val<'a>]>,
    /// Elements in all, those of computed lists within included.
    weight: u64,
    depth: u32,
}

// === impl Computed ===

impl<'a> Computed<'a> {
    pub(crate) fn new(items: Vec<Val<'a>>) -> Self {
        let (mut weight, mut depth) = (1_u64, 0);
        for item in &items {
            let (w, d) = match item {
                Val::Owned(list) => (list.weight, list.depth),
                _ => (1, 0),
            };
            weight = weight.saturating_add(w);
            depth = depth.max(d);
        }
        Self { items: items.into(), weight, depth: depth + 1 }
    }

    pub(crate) fn items(&self) -> &[Val<'a>] {
        &self.items
    }

    pub(crate) const fn weight(&self) -> u64 {
        self.weight
    }

    pub(crate) const fn depth(&self) -> u32 {
        self.depth
    }
}

// === impl Val ===

impl<'a> From<&'a Value> for Val<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(b) => Self::Bool(*b),
            Value::Number(n) => Self::Number(n.as_f64().unwrap_or(f64::NAN)),
            Value::String(s) => Self::text(s),
            Value::Array(list) => Self::Borrowed(list),
            Value::Object(map) => Self::Object(map),
        }
    }
}

impl<'a> Val<'a> {
    /// A borrowed text.
    pub(crate) const fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// The elements, if it is a list.
    pub(crate) fn elements(&self) -> Option<Vec<Self>> {
        match self {
            Self::Borrowed(list) => Some(list.iter().map(Self::from).collect()),
            Self::Owned(list) => Some(list.items.to_vec()),
            _ => None,
        }
    }

    /// How much walking over it costs, roughly: bytes of a text, elements of a list.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::Borrowed(list) => list.len() as u64,
            Self::Owned(list) => list.weight,
            Self::Object(map) => map.len() as u64,
            Self::Null | Self::Bool(_) | Self::Number(_) => 1,
        }
    }

    /// The text, if it is one.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// JsonLogic's truth: as in JavaScript, but an empty list is false.
    pub(crate) fn is_truthy(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(b) => *b,
            Self::Number(n) => *n != 0.0 && !n.is_nan(),
            Self::Text(text) => !text.is_empty(),
            Self::Borrowed(list) => !list.is_empty(),
            Self::Owned(list) => !list.items.is_empty(),
            Self::Object(_) => true,
        }
    }

    /// JavaScript's `Number(x)`; not a number is NaN.
    pub(crate) fn to_number(&self) -> f64 {
        match self {
            Self::Null => 0.0,
            Self::Bool(b) => f64::from(u8::from(*b)),
            Self::Number(n) => *n,
            Self::Text(text) => text_to_number(text),
            Self::Borrowed(_) | Self::Owned(_) => text_to_number(&self.to_text()),
            Self::Object(_) => f64::NAN,
        }
    }

    /// JavaScript's `parseFloat(x)`: the longest number a text starts with.
    pub(crate) fn parse_float(&self) -> f64 {
        match self {
            Self::Number(n) => *n,
            Self::Text(text) => leading_number(text),
            Self::Borrowed(_) | Self::Owned(_) => leading_number(&self.to_text()),
            Self::Null | Self::Bool(_) | Self::Object(_) => f64::NAN,
        }
    }

    /// As a piece of a text: null is empty, lists are joined by commas.
    pub(crate) fn to_text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Null => Cow::Borrowed(""),
            Self::Bool(true) => Cow::Borrowed("true"),
            Self::Bool(false) => Cow::Borrowed("false"),
            Self::Number(n) => Cow::Owned(number_to_text(*n)),
            Self::Object(_) => Cow::Borrowed("[object Object]"),
            Self::Borrowed(list) => Cow::Owned(join(list.iter().map(Val::from))),
            Self::Owned(list) => Cow::Owned(join(list.items.iter().cloned())),
        }
    }

    /// JavaScript's `===`, but lists and objects are equal when their content is.
    pub(crate) fn strictly_equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Object(a), Self::Object(b)) => a == b,
            (Self::Borrowed(a), Self::Borrowed(b)) => a == b,
            (Self::Borrowed(a), Self::Owned(b)) | (Self::Owned(b), Self::Borrowed(a)) => {
                a.len() == b.items.len()
                    && a.iter().zip(b.items.iter()).all(|(a, b)| Val::from(a).strictly_equals(b))
            }
            (Self::Owned(a), Self::Owned(b)) => {
                a.items.len() == b.items.len()
                    && a.items.iter().zip(b.items.iter()).all(|(a, b)| a.strictly_equals(b))
            }
            _ => false,
        }
    }

    /// JavaScript's `==`.
    pub(crate) fn loosely_equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, _) | (_, Self::Null) => matches!((self, other), (Self::Null, Self::Null)),
            (Self::Bool(_), Self::Number(_) | Self::Text(_))
            | (Self::Number(_), Self::Bool(_) | Self::Text(_))
            | (Self::Text(_), Self::Bool(_) | Self::Number(_)) => self.to_number() == other.to_number(),
            (Self::Borrowed(_) | Self::Owned(_), Self::Text(text))
            | (Self::Text(text), Self::Borrowed(_) | Self::Owned(_)) => {
                let list = if matches!(self, Self::Text(_)) { other } else { self };
                list.to_text() == text.as_ref()
            }
            (Self::Borrowed(_) | Self::Owned(_), Self::Bool(_) | Self::Number(_))
            | (Self::Bool(_) | Self::Number(_), Self::Borrowed(_) | Self::Owned(_)) => {
                self.to_number() == other.to_number()
            }
            _ => self.strictly_equals(other),
        }
    }
}

/// How JavaScript writes a number.
pub(crate) fn number_to_text(n: f64) -> String {
    if n.is_nan() {
        return "NaN".to_owned();
    }
    if n.is_infinite() {
        return if n > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if n == 0.0 {
        return "0".to_owned();
    }
    let size = n.abs();
    if (1e-6..1e21).contains(&size) {
        return n.to_string();
    }
    let written = format!("{n:e}");
    if size >= 1e21 { written.replacen('e', "e+", 1) } else { written }
}

fn join<'a>(items: impl Iterator<Item = Val<'a>>) -> String {
    let mut text = String::new();
    for (i, item) in items.enumerate() {
        let comma = if i > 0 { "," } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(text, "{comma}{}", item.to_text());
    }
    text
}

fn text_to_number(text: &str) -> f64 {
    let text = text.trim();
    match text {
        "" => 0.0,
        "Infinity" | "+Infinity" => f64::INFINITY,
        "-Infinity" => f64::NEG_INFINITY,
        _ => {
            for (prefix, radix) in [("0x", 16), ("0X", 16), ("0o", 8), ("0O", 8), ("0b", 2), ("0B", 2)] {
                if let Some(digits) = text.strip_prefix(prefix) {
                    return u64::from_str_radix(digits, radix).map_or(f64::NAN, |n| n as f64);
                }
            }
            // Rust also reads words such as "inf" and "nan", which JavaScript does not.
            let numeric =
                text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
            if numeric { text.parse().unwrap_or(f64::NAN) } else { f64::NAN }
        }
    }
}

fn leading_number(text: &str) -> f64 {
    let text = text.trim_start();
    let bytes = text.as_bytes();
    let digits = |mut at: usize| {
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        at
    };
    let start = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    if text.get(start..).is_some_and(|rest| rest.starts_with("Infinity")) {
        return if bytes.first() == Some(&b'-') { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    let mut end = digits(start);
    let whole = end > start;
    let mut fraction = false;
    if bytes.get(end) == Some(&b'.') {
        let after = digits(end + 1);
        fraction = after > end + 1;
        if whole || fraction {
            end = after;
        }
    }
    if !whole && !fraction {
        return f64::NAN;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let after = digits(end + 1 + sign);
        if after > end + 1 + sign {
            end = after;
        }
    }
    text.get(..end).and_then(|number| number.parse().ok()).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn loose_equality_converts_as_javascript_does() {
        for (a, b, equal) in [
            (json!(1), json!("1"), true),
            (json!(0), json!(""), true),
            (json!(1), json!(true), true),
            (json!("1"), json!(true), true),
            (json!(null), json!(0), false),
            (json!(null), json!(null), true),
            (json!(null), json!(false), false),
            (json!("a"), json!(0), false),
            (json!([1, 2]), json!("1,2"), true),
            (json!([2]), json!(2), true),
            (json!([]), json!(0), true),
            (json!([1]), json!([1]), true),
            (json!({"a": 1}), json!({"a": 1}), true),
            (json!({}), json!("[object Object]"), false),
        ] {
            assert_eq!(Val::from(&a).loosely_equals(&Val::from(&b)), equal, "{a} == {b}");
            assert_eq!(Val::from(&b).loosely_equals(&Val::from(&a)), equal, "{b} == {a}");
        }
    }

    #[test]
    fn numbers_are_written_and_read_as_javascript_does() {
        for (n, text) in [
            (1.0, "1"),
            (0.5, "0.5"),
            (-0.0, "0"),
            (1e21, "1e+21"),
            (1.5e-7, "1.5e-7"),
            (123_456_789_012.0, "123456789012"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(number_to_text(n), text);
        }
        for (text, n) in [("", 0.0), (" 12 ", 12.0), ("0x10", 16.0), ("1e3", 1000.0), ("-.5", -0.5)] {
            assert_eq!(text_to_number(text), n, "{text}");
        }
        for text in ["inf", "nan", "1a", "--1", "infinity"] {
            assert!(text_to_number(text).is_nan(), "{text}");
        }
        for (text, n) in
            [("12abc", 12.0), ("3.5.1", 3.5), ("  -2e2x", -200.0), ("1e", 1.0), (".5", 0.5), ("5.", 5.0)]
        {
            assert_eq!(leading_number(text), n, "{text}");
        }
        assert!(
            leading_number("abc").is_nan() && leading_number(".").is_nan() && leading_number("-").is_nan()
        );
    }
}
