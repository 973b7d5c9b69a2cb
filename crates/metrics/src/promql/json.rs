//! The syntax tree as JSON, in the shape of Prometheus' `/api/v1/parse_query`.

use serde_json::{Value, json};

use super::ast::{
    At, Cardinality, DurationExpr, DurationKind, Expr, ExprKind, Extension, Matching, Selector,
};
use super::print::{duration_text, match_symbol};
use crate::number::format_value;

/// The tree. Durations are milliseconds; a calculated one is 0 and its text is in `rangeExpr`, `stepExpr` or `offsetExpr`.
pub fn ast_json(expr: &Expr) -> Value {
    match &expr.kind {
        ExprKind::Number(number) => json!({"type": "numberLiteral", "val": format_value(number.value)}),
        ExprKind::String(literal) => json!({"type": "stringLiteral", "val": literal.value}),
        ExprKind::Selector(selector) => selector_json("vectorSelector", selector),
        ExprKind::Range(range) => {
            let mut node = selector_json("matrixSelector", &range.selector);
            put_duration(&mut node, "range", "rangeExpr", Some(&range.range));
            node
        }
        ExprKind::Subquery(subquery) => {
            let mut node = json!({"type": "subquery", "expr": ast_json(&subquery.expr)});
            put_duration(&mut node, "range", "rangeExpr", Some(&subquery.range));
            put_duration(&mut node, "offset", "offsetExpr", subquery.offset.as_ref());
            put_duration(&mut node, "step", "stepExpr", subquery.step.as_ref());
            put_at(&mut node, subquery.at);
            node
        }
        ExprKind::Unary(unary) => {
            json!({"type": "unaryExpr", "op": if unary.negative { "-" } else { "+" }, "expr": ast_json(&unary.expr)})
        }
        ExprKind::Paren(inner) => json!({"type": "parenExpr", "expr": ast_json(inner)}),
        ExprKind::Binary(binary) => json!({
            "type": "binaryExpr",
            "op": binary.op.symbol(),
            "lhs": ast_json(&binary.left),
            "rhs": ast_json(&binary.right),
            "matching": binary.matching.as_ref().map(matching_json),
            "bool": binary.returns_bool,
        }),
        ExprKind::Aggregate(aggregate) => json!({
            "type": "aggregation",
            "op": aggregate.op.name(),
            "expr": ast_json(&aggregate.expr),
            "param": aggregate.parameter.as_ref().map(ast_json),
            "grouping": aggregate.grouping,
            "without": aggregate.without,
        }),
        ExprKind::Call(call) => {
            let signature = call.function;
            let variadic = match signature.optional {
                None => -1,
                Some(count) => i64::try_from(count).unwrap_or(0),
            };
            json!({
                "type": "call",
                "func": {
                    "name": signature.name,
                    "argTypes": signature.args.iter().map(|a| a.name()).collect::<Vec<_>>(),
                    "variadic": variadic,
                    "returnType": signature.returns.name(),
                },
                "args": call.args.iter().map(ast_json).collect::<Vec<_>>(),
            })
        }
    }
}

fn selector_json(kind: &str, selector: &Selector) -> Value {
    let matchers: Vec<_> = selector
        .matchers
        .iter()
        .map(|m| json!({"name": m.name, "value": m.value, "type": match_symbol(m.op)}))
        .collect();
    let mut node = json!({
        "type": kind,
        "name": selector.name.clone().unwrap_or_default(),
        "matchers": matchers,
        "anchored": selector.extension == Some(Extension::Anchored),
        "smoothed": selector.extension == Some(Extension::Smoothed),
    });
    put_duration(&mut node, "offset", "offsetExpr", selector.offset.as_ref());
    put_at(&mut node, selector.at);
    node
}

fn put(node: &mut Value, key: &str, value: Value) {
    if let Value::Object(map) = node {
        map.insert(key.to_owned(), value);
    }
}

#[allow(clippy::cast_possible_truncation, reason = "the parser bounds literals to what Go's durations hold")]
fn put_duration(node: &mut Value, key: &str, text_key: &str, duration: Option<&DurationExpr>) {
    let ms = match duration.map(|d| &d.kind) {
        Some(DurationKind::Literal(number)) => (number.value * 1000.0).round() as i64,
        Some(_) => {
            put(node, text_key, duration.map(duration_text).into());
            0
        }
        None => 0,
    };
    put(node, key, ms.into());
}

fn put_at(node: &mut Value, at: Option<At>) {
    let (time, edge) = match at {
        None => (Value::Null, Value::Null),
        Some(At::Time(ms)) => (ms.into(), Value::Null),
        Some(At::Start) => (Value::Null, "start".into()),
        Some(At::End) => (Value::Null, "end".into()),
    };
    put(node, "timestamp", time);
    put(node, "startOrEnd", edge);
}

fn matching_json(matching: &Matching) -> Value {
    let cardinality = match matching.cardinality {
        Cardinality::OneToOne => "one-to-one",
        Cardinality::ManyToOne => "many-to-one",
        Cardinality::OneToMany => "one-to-many",
        Cardinality::ManyToMany => "many-to-many",
    };
    let fill = |value: Option<f64>| value.map(format_value);
    json!({
        "card": cardinality,
        "labels": matching.labels,
        "on": matching.on,
        "include": matching.include,
        "fillValues": {"lhs": fill(matching.fill_left), "rhs": fill(matching.fill_right)},
    })
}
