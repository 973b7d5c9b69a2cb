//! A query's text from its tree. Printing and parsing again gives the same tree.

use std::fmt::Write;

use super::ast::{
    Aggregate, At, Binary, BinaryOp, Cardinality, DurationExpr, DurationKind, Expr, ExprKind, Matching,
    NumberLiteral, Selector, Subquery,
};
use super::duration::format_duration;
use super::error::QueryError;
use super::options::Syntax;
use super::quote::{quote, quote_bytes};
use crate::number::format_value;
use crate::source::{MatchOp, Matcher};

/// Lines longer than this many bytes are split by [`format_query`].
const MAX_LINE: usize = 100;

/// Words that would not read back as a metric's name.
const RESERVED: [&str; 13] = [
    "and",
    "or",
    "unless",
    "atan2",
    "on",
    "ignoring",
    "bool",
    "group_left",
    "group_right",
    "inf",
    "nan",
    "offset",
    "by",
];

/// The query on one line.
pub fn print(expr: &Expr) -> String {
    let mut out = String::new();
    write_expr(&mut out, expr);
    out
}

/// The query laid out for reading: parts that fit stay on one line, the others are broken and indented by two spaces.
///
/// # Errors
/// `text` is not a valid query.
pub fn format_query(text: &str, syntax: &Syntax) -> Result<String, QueryError> {
    let expr = super::parse(text, syntax)?;
    let mut out = String::new();
    layout(&mut out, &expr, 0);
    Ok(out)
}

// --- one line ---

fn write_expr(out: &mut String, expr: &Expr) {
    match &expr.kind {
        ExprKind::Number(number) => out.push_str(&number_text(*number)),
        ExprKind::String(literal) => {
            let bytes = literal.raw.as_deref().unwrap_or(literal.value.as_bytes());
            out.push_str(&quote_bytes(bytes));
        }
        ExprKind::Selector(selector) => write_selector(out, selector, None),
        ExprKind::Range(range) => write_selector(out, &range.selector, Some(&range.range)),
        ExprKind::Subquery(subquery) => {
            write_expr(out, &subquery.expr);
            out.push_str(&subquery_suffix(subquery));
        }
        ExprKind::Unary(unary) => {
            out.push(if unary.negative { '-' } else { '+' });
            write_expr(out, &unary.expr);
        }
        ExprKind::Paren(inner) => {
            out.push('(');
            write_expr(out, inner);
            out.push(')');
        }
        ExprKind::Binary(binary) => {
            write_expr(out, &binary.left);
            out.push(' ');
            out.push_str(&operator_text(binary));
            out.push(' ');
            write_expr(out, &binary.right);
        }
        ExprKind::Aggregate(aggregate) => {
            out.push_str(&aggregate_head(aggregate));
            out.push('(');
            write_list(out, aggregate.parameter.iter().chain([&aggregate.expr]));
            out.push(')');
        }
        ExprKind::Call(call) => {
            out.push_str(call.function.name);
            out.push('(');
            write_list(out, &call.args);
            out.push(')');
        }
    }
}

fn write_list<'a>(out: &mut String, items: impl IntoIterator<Item = &'a Expr>) {
    for (i, item) in items.into_iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        write_expr(out, item);
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "a literal's milliseconds; checked to round-trip before use"
)]
fn number_text(number: NumberLiteral) -> String {
    let ms = (number.value * 1000.0).round();
    if number.is_duration && ms > 0.0 && ms < 9.0e15 {
        return format_duration(ms as i64);
    }
    if number.is_duration && ms < 0.0 && ms > -9.0e15 {
        return format!("-{}", format_duration(-ms as i64));
    }
    if number.is_duration {
        return if number.value.is_sign_negative() { "-0s" } else { "0s" }.to_owned();
    }
    // A sign would bind to what follows: `+Inf ^ 2` is `+(Inf ^ 2)`.
    if number.value == f64::INFINITY { "Inf".to_owned() } else { format_value(number.value) }
}

fn operator_text(binary: &Binary) -> String {
    let mut text = binary.op.symbol().to_owned();
    if binary.returns_bool {
        text.push_str(" bool");
    }
    if let Some(matching) = &binary.matching {
        text.push_str(&matching_text(matching));
    }
    text
}

fn matching_text(matching: &Matching) -> String {
    let mut text = String::new();
    let grouped = matches!(matching.cardinality, Cardinality::ManyToOne | Cardinality::OneToMany);
    if matching.on || !matching.labels.is_empty() || grouped {
        let word = if matching.on { "on" } else { "ignoring" };
        let _ = write!(text, " {word} ({})", names(&matching.labels));
    }
    if grouped {
        let word = if matching.cardinality == Cardinality::ManyToOne { "group_left" } else { "group_right" };
        let _ = write!(text, " {word} ({})", names(&matching.include));
    }
    let same = |a: f64, b: f64| a.to_bits() == b.to_bits();
    match (matching.fill_left, matching.fill_right) {
        (Some(left), Some(right)) if same(left, right) => {
            let _ = write!(text, " fill ({})", format_value(left));
        }
        (left, right) => {
            for (word, value) in [("fill_left", left), ("fill_right", right)] {
                if let Some(value) = value {
                    let _ = write!(text, " {word} ({})", format_value(value));
                }
            }
        }
    }
    text
}

fn aggregate_head(aggregate: &Aggregate) -> String {
    let name = aggregate.op.name();
    if aggregate.without {
        format!("{name} without ({}) ", names(&aggregate.grouping))
    } else if aggregate.grouping.is_empty() {
        name.to_owned()
    } else {
        format!("{name} by ({}) ", names(&aggregate.grouping))
    }
}

fn names(labels: &[String]) -> String {
    labels.iter().map(|l| label_text(l)).collect::<Vec<_>>().join(", ")
}

fn label_text(name: &str) -> String {
    if is_plain(name, false) { name.to_owned() } else { quote(name) }
}

/// Whether a name can be written without quotes.
fn is_plain(name: &str, colons: bool) -> bool {
    let mut chars = name.chars();
    let first = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_' || (colons && c == ':'));
    first && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || (colons && c == ':'))
}

fn write_selector(out: &mut String, selector: &Selector, range: Option<&DurationExpr>) {
    let plain = |name: &str| is_plain(name, true) && !RESERVED.contains(&name.to_ascii_lowercase().as_str());
    let mut parts: Vec<String> = Vec::new();
    match &selector.name {
        Some(name) if plain(name) => out.push_str(name),
        Some(name) => parts.push(quote(name)),
        None => {}
    }
    // The matcher that the name stands for is the last one.
    let shown = selector.matchers.len() - usize::from(selector.name.is_some()).min(selector.matchers.len());
    parts.extend(selector.matchers.iter().take(shown).map(matcher_text));
    if !parts.is_empty() {
        let _ = write!(out, "{{{}}}", parts.join(","));
    }
    if let Some(range) = range {
        let _ = write!(out, "[{}]", duration_text(range));
    }
    if let Some(extension) = selector.extension {
        let _ = write!(out, " {extension}");
    }
    out.push_str(&modifier_suffix(selector.at, selector.offset.as_ref()));
}

/// `name="value"`
pub(super) fn matcher_text(matcher: &Matcher) -> String {
    format!("{}{}{}", label_text(&matcher.name), match_symbol(matcher.op), quote(&matcher.value))
}

/// As written.
pub(super) fn match_symbol(op: MatchOp) -> &'static str {
    match op {
        MatchOp::Equal => "=",
        MatchOp::NotEqual => "!=",
        MatchOp::Regex => "=~",
        MatchOp::NotRegex => "!~",
    }
}

fn subquery_suffix(subquery: &Subquery) -> String {
    let step = subquery.step.as_ref().map(duration_text).unwrap_or_default();
    let modifiers = modifier_suffix(subquery.at, subquery.offset.as_ref());
    format!("[{}:{step}]{modifiers}", duration_text(&subquery.range))
}

#[allow(clippy::cast_precision_loss, reason = "the parser keeps times below 2^53")]
fn modifier_suffix(at: Option<At>, offset: Option<&DurationExpr>) -> String {
    let mut text = match at {
        None => String::new(),
        Some(At::Start) => " @ start()".to_owned(),
        Some(At::End) => " @ end()".to_owned(),
        Some(At::Time(ms)) => format!(" @ {:.3}", ms as f64 / 1000.0),
    };
    if let Some(offset) = offset {
        let _ = write!(text, " offset {}", duration_text(offset));
    }
    text
}

/// A duration as written.
pub(super) fn duration_text(duration: &DurationExpr) -> String {
    match &duration.kind {
        DurationKind::Literal(number) => number_text(*number),
        DurationKind::Step => "step()".to_owned(),
        DurationKind::Range => "range()".to_owned(),
        DurationKind::Negate(inner) => format!("-{}", duration_text(inner)),
        DurationKind::Paren(inner) => format!("({})", duration_text(inner)),
        DurationKind::Min(a, b) => format!("min_of({}, {})", duration_text(a), duration_text(b)),
        DurationKind::Max(a, b) => format!("max_of({}, {})", duration_text(a), duration_text(b)),
        DurationKind::Binary(op, a, b) => {
            format!("{} {} {}", duration_text(a), BinaryOp::symbol(*op), duration_text(b))
        }
    }
}

// --- several lines ---

fn indent(out: &mut String, level: usize) {
    for _ in 0..level {
        out.push_str("  ");
    }
}

fn layout(out: &mut String, expr: &Expr, level: usize) {
    let line = print(expr);
    if line.len() + 2 * level <= MAX_LINE {
        indent(out, level);
        out.push_str(&line);
        return;
    }
    match &expr.kind {
        ExprKind::Binary(binary) => {
            layout(out, &binary.left, level + 1);
            out.push('\n');
            indent(out, level);
            out.push_str(&operator_text(binary));
            out.push('\n');
            layout(out, &binary.right, level + 1);
        }
        ExprKind::Aggregate(aggregate) => {
            let parts: Vec<_> = aggregate.parameter.iter().chain([&aggregate.expr]).collect();
            block(out, &aggregate_head(aggregate), &parts, "", level);
        }
        ExprKind::Call(call) if !call.args.is_empty() => {
            block(out, call.function.name, &call.args.iter().collect::<Vec<_>>(), "", level);
        }
        ExprKind::Paren(inner) => block(out, "", &[inner], "", level),
        ExprKind::Unary(unary) => {
            indent(out, level);
            out.push(if unary.negative { '-' } else { '+' });
            let mut inner = String::new();
            layout(&mut inner, &unary.expr, level);
            out.push_str(inner.trim_start());
        }
        ExprKind::Subquery(subquery) => {
            layout(out, &subquery.expr, level);
            out.push_str(&subquery_suffix(subquery));
        }
        _ => {
            indent(out, level);
            out.push_str(&line);
        }
    }
}

/// `head(` parts, one per line, `)tail`
fn block(out: &mut String, head: &str, parts: &[&Expr], tail: &str, level: usize) {
    indent(out, level);
    out.push_str(head);
    out.push_str("(\n");
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            out.push_str(",\n");
        }
        layout(out, part, level + 1);
    }
    out.push('\n');
    indent(out, level);
    out.push(')');
    out.push_str(tail);
}
