//! Durations of selectors and subqueries, calculated when the query's times are known.

use super::super::ast::{BinaryOp, DurationExpr, DurationKind};
use super::super::error::QueryError;
use super::grid::Bounds;

/// The largest magnitude, in milliseconds: what Go's 64-bit nanoseconds hold.
const MAX_MS: f64 = 9.2e15;

/// Milliseconds of a window or a step, which must be above zero.
pub(super) fn positive(duration: &DurationExpr, bounds: &Bounds) -> Result<i64, QueryError> {
    let ms = signed(duration, bounds)?;
    if ms > 0 {
        return Ok(ms);
    }
    Err(QueryError::execution("duration must be greater than 0").at(duration.span))
}

/// Milliseconds of an offset.
#[allow(clippy::cast_possible_truncation, reason = "bounded just before")]
pub(super) fn signed(duration: &DurationExpr, bounds: &Bounds) -> Result<i64, QueryError> {
    let ms = seconds(duration, bounds)? * 1000.0;
    if ms.abs() < MAX_MS {
        // Literals such as 0.3 must not lose a millisecond to their binary form.
        return Ok(if (ms - ms.round()).abs() < 1e-6 { ms.round() } else { ms.trunc() } as i64);
    }
    Err(QueryError::execution("duration is out of range").at(duration.span))
}

#[allow(clippy::cast_precision_loss, reason = "query times are below 2^53 ms")]
fn seconds(duration: &DurationExpr, bounds: &Bounds) -> Result<f64, QueryError> {
    Ok(match &duration.kind {
        DurationKind::Literal(number) => number.value,
        DurationKind::Step => bounds.step as f64 / 1000.0,
        DurationKind::Range => bounds.end.saturating_sub(bounds.start) as f64 / 1000.0,
        DurationKind::Negate(inner) => -seconds(inner, bounds)?,
        DurationKind::Paren(inner) => seconds(inner, bounds)?,
        DurationKind::Min(a, b) => seconds(a, bounds)?.min(seconds(b, bounds)?),
        DurationKind::Max(a, b) => seconds(a, bounds)?.max(seconds(b, bounds)?),
        DurationKind::Binary(op, a, b) => {
            let (left, right) = (seconds(a, bounds)?, seconds(b, bounds)?);
            let zero = |what| Err(QueryError::execution(what).at(duration.span));
            match op {
                BinaryOp::Add => left + right,
                BinaryOp::Sub => left - right,
                BinaryOp::Mul => left * right,
                BinaryOp::Div if right == 0.0 => return zero("division by zero"),
                BinaryOp::Div => left / right,
                BinaryOp::Mod if right == 0.0 => return zero("modulo by zero"),
                BinaryOp::Mod => left % right,
                _ => left.powf(right),
            }
        }
    })
}
