//! Types: what each operator and function takes.

use super::super::ast::{
    Aggregate, Binary, BinaryOp, Call, Cardinality, Expr, ExprKind, Extension, Matching, Selector, Span,
    ValueType,
};
use super::super::error::QueryError;

/// Functions that may be given an `anchored` selector.
const ANCHORED_SAFE: [&str; 5] = ["changes", "delta", "increase", "rate", "resets"];
/// Functions that may be given a `smoothed` selector.
const SMOOTHED_SAFE: [&str; 3] = ["delta", "increase", "rate"];

/// A sign needs a scalar or an instant vector.
pub(super) fn unary(expr: &Expr) -> Result<(), QueryError> {
    match expr.value_type() {
        ValueType::Scalar | ValueType::Vector => Ok(()),
        other => Err(QueryError::bad_data(
            expr.span,
            format!(
                "unary expression only allowed on expressions of type scalar or instant vector, got {:?}",
                other.documented()
            ),
        )),
    }
}

/// Operand types, and modifiers that fit them. Drops the matching when a side is scalar.
pub(super) fn binary(mut binary: Binary, explicit: bool) -> Result<Binary, QueryError> {
    let (left, right) = (binary.left.value_type(), binary.right.value_type());
    let scalars = left == ValueType::Scalar && right == ValueType::Scalar;
    for (side, kind) in [(&binary.left, left), (&binary.right, right)] {
        if !matches!(kind, ValueType::Scalar | ValueType::Vector) {
            return Err(QueryError::bad_data(
                side.span,
                "binary expression must contain only scalar and instant vector types",
            ));
        }
    }
    if binary.op.is_comparison() && scalars && !binary.returns_bool {
        return Err(QueryError::bad_data(
            binary.op_span,
            "comparisons between scalars must use BOOL modifier",
        )
        .hint(format!("write {} bool", binary.op.symbol())));
    }
    if matches!(binary.op, BinaryOp::TrimUpper | BinaryOp::TrimLower) && left != ValueType::Vector {
        // Scalars have no buckets to trim; the evaluation says so for vectors.
        return Err(QueryError::bad_data(
            binary.left.span,
            format!("operator {:?} not allowed for Scalar operations", binary.op.symbol()),
        ));
    }
    let vectors = left == ValueType::Vector && right == ValueType::Vector;
    if vectors {
        return Ok(binary);
    }
    if binary.op.is_set() {
        return Err(QueryError::bad_data(
            binary.op_span,
            format!("set operator {:?} not allowed in binary scalar expression", binary.op.symbol()),
        ));
    }
    let modified = binary
        .matching
        .take()
        .is_some_and(|m: Matching| !m.labels.is_empty() || m.cardinality != Cardinality::OneToOne);
    if modified || (explicit && scalars) {
        return Err(QueryError::bad_data(
            binary.op_span,
            "vector matching only allowed between instant vectors",
        ));
    }
    Ok(binary)
}

/// The aggregated expression and the parameter.
pub(super) fn aggregate(aggregate: &Aggregate) -> Result<(), QueryError> {
    expect(ValueType::Vector, &aggregate.expr, "aggregation expression")?;
    match (aggregate.op.parameter(), &aggregate.parameter) {
        (Some(wanted), Some(parameter)) => expect(wanted, parameter, "aggregation parameter"),
        _ => Ok(()),
    }
}

/// The number and types of arguments, and the modifiers of selectors among them.
pub(super) fn call(call: &Call, span: Span) -> Result<(), QueryError> {
    let signature = call.function;
    let (name, most, given) = (signature.name, signature.args.len(), call.args.len());
    let count_error = |text: String| Err(QueryError::bad_data(span, text).hint(shape(call)));
    match signature.optional {
        Some(0) if given != most => {
            return count_error(format!("expected {most} argument(s) in call to {name:?}, got {given}"));
        }
        Some(optional) if given + optional < most => {
            let least = most - optional;
            return count_error(format!(
                "expected at least {least} argument(s) in call to {name:?}, got {given}"
            ));
        }
        Some(_) if given > most => {
            return count_error(format!(
                "expected at most {most} argument(s) in call to {name:?}, got {given}"
            ));
        }
        None if given + 1 < most => {
            let least = most - 1;
            return count_error(format!(
                "expected at least {least} argument(s) in call to {name:?}, got {given}"
            ));
        }
        _ => {}
    }
    let wanted = signature.args.iter().chain(std::iter::repeat_with(|| signature.args.last()).flatten());
    for (arg, wanted) in call.args.iter().zip(wanted) {
        expect(*wanted, arg, &format!("call to function {name:?}"))?;
        if let Some(selector) = range_selector(arg) {
            extension(selector, name, arg.span)?;
        }
    }
    if name == "info"
        && let Some(second) = call.args.get(1)
        && !matches!(second.unwrap_parens().kind, ExprKind::Selector(_))
    {
        return Err(QueryError::bad_data(second.span, "expected label selectors only"));
    }
    if name == "info"
        && let Some(ExprKind::Selector(selector)) = call.args.get(1).map(|a| &a.unwrap_parens().kind)
        && let Some(metric) = selector.name.as_ref()
    {
        return Err(QueryError::bad_data(
            span,
            format!("expected label selectors only, got vector selector instead: {metric}"),
        )
        .hint("select info metrics with {__name__=\"…\"}"));
    }
    Ok(())
}

fn range_selector(arg: &Expr) -> Option<&Selector> {
    match &arg.unwrap_parens().kind {
        ExprKind::Range(range) => Some(&range.selector),
        _ => None,
    }
}

fn extension(selector: &Selector, function: &str, span: Span) -> Result<(), QueryError> {
    let (extension, safe): (Extension, &[&str]) = match selector.extension {
        Some(Extension::Anchored) => (Extension::Anchored, &ANCHORED_SAFE),
        Some(Extension::Smoothed) => (Extension::Smoothed, &SMOOTHED_SAFE),
        None => return Ok(()),
    };
    if safe.contains(&function) {
        return Ok(());
    }
    Err(QueryError::bad_data(
        span,
        format!("{extension} modifier can only be used with: {} - not with {function}", safe.join(", ")),
    ))
}

fn expect(wanted: ValueType, expr: &Expr, context: &str) -> Result<(), QueryError> {
    let found = expr.value_type();
    if found == wanted {
        return Ok(());
    }
    let error = QueryError::bad_data(
        expr.span,
        format!("expected type {} in {context}, got {}", wanted.documented(), found.documented()),
    );
    Err(match (wanted, found) {
        (ValueType::Matrix, ValueType::Vector) => error.hint("give it a window, such as [5m]"),
        (ValueType::Vector, ValueType::Scalar) => error.hint("vector(…) makes an instant vector of a number"),
        (ValueType::Scalar, ValueType::Vector) => {
            error.hint("scalar(…) makes a number of a one-sample vector")
        }
        (ValueType::Vector, ValueType::Matrix) => error.hint("reduce the window first, such as with rate(…)"),
        _ => error,
    })
}

/// `rate(range vector)`, for hints.
fn shape(call: &Call) -> String {
    let args: Vec<_> = call.function.args.iter().map(|a| a.documented()).collect();
    let more = if call.function.optional.is_none() { ", …" } else { "" };
    format!("its arguments are {}({}{more})", call.function.name, args.join(", "))
}
