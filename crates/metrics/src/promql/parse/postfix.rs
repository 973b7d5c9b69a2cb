//! What may follow a selector or a subquery: `[…]`, `offset`, `@`, `anchored`, `smoothed`.

use super::super::ast::{
    At, DurationExpr, Expr, ExprKind, Extension, RangeSelector, Selector, Span, Subquery, ValueType,
};
use super::super::error::QueryError;
use super::super::lexer::TokenKind;
use super::Parser;

/// The parts of a selector or subquery that modifiers write to.
struct Modified<'a> {
    offset: &'a mut Option<DurationExpr>,
    at: &'a mut Option<At>,
}

// === impl Parser ===

impl Parser<'_> {
    /// A primary expression with everything that follows it.
    pub(super) fn postfix(&mut self) -> Result<Expr, QueryError> {
        let mut expr = self.primary()?;
        let mut levels = 0;
        loop {
            expr = match (self.peek(), self.word().as_deref()) {
                (TokenKind::LeftBracket, _) => {
                    levels += 1;
                    if self.depth + levels > super::MAX_DEPTH {
                        return Err(self.unexpected("deep nesting", "fewer subqueries"));
                    }
                    self.brackets(expr)?
                }
                (TokenKind::At, _) => self.at_modifier(expr)?,
                (_, Some("offset")) => self.offset_modifier(expr)?,
                (_, Some("anchored")) => self.extension(expr, Extension::Anchored)?,
                (_, Some("smoothed")) => self.extension(expr, Extension::Smoothed)?,
                _ => return Ok(expr),
            };
            expr.span.end = self.previous_end();
        }
    }

    fn brackets(&mut self, expr: Expr) -> Result<Expr, QueryError> {
        let open = self.take();
        let range = self.nested(Self::positive_duration)?;
        if self.accept(TokenKind::Colon) {
            let step = if self.peek() == TokenKind::RightBracket {
                None
            } else {
                Some(self.nested(Self::positive_duration)?)
            };
            self.expect(TokenKind::RightBracket, "subquery selector", "\"]\"")?;
            if expr.value_type() != ValueType::Vector {
                return Err(QueryError::bad_data(
                    expr.span,
                    format!(
                        "subquery is only allowed on instant vector, got {} instead",
                        expr.value_type().name()
                    ),
                ));
            }
            let span = expr.span;
            let subquery = Subquery { expr, range, step, offset: None, at: None };
            return Ok(Expr { span, kind: ExprKind::Subquery(Box::new(subquery)) });
        }
        let close = self.expect(TokenKind::RightBracket, "subquery or range", "\":\" or \"]\"")?;
        let window = open.span.to(close.span);
        let span = expr.span;
        let ExprKind::Selector(selector) = expr.kind else {
            return Err(QueryError::bad_data(window, "ranges only allowed for vector selectors")
                .hint("a window over an expression is a subquery: expr[1h:]"));
        };
        if selector.offset.is_some() {
            return Err(QueryError::bad_data(window, "no offset modifiers allowed before range")
                .hint("write the offset after the range: metric[5m] offset 1h"));
        }
        if selector.at.is_some() {
            return Err(QueryError::bad_data(window, "no @ modifiers allowed before range")
                .hint("write @ after the range: metric[5m] @ end()"));
        }
        let range = RangeSelector { selector: *selector, selector_span: span, range };
        Ok(Expr { span, kind: ExprKind::Range(Box::new(range)) })
    }

    fn offset_modifier(&mut self, mut expr: Expr) -> Result<Expr, QueryError> {
        let word = self.take();
        let offset = self.nested(Self::offset_duration)?;
        let span = expr.span;
        let Some(modified) = modified(&mut expr) else {
            return Err(QueryError::bad_data(
                span,
                "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery",
            ));
        };
        if modified.offset.is_some() {
            return Err(QueryError::bad_data(word.span, "offset may not be set multiple times"));
        }
        *modified.offset = Some(offset);
        Ok(expr)
    }

    fn at_modifier(&mut self, mut expr: Expr) -> Result<Expr, QueryError> {
        let sign = self.take();
        let at = match self.word().as_deref() {
            Some(word @ ("start" | "end")) if self.nth(1).kind == TokenKind::LeftParen => {
                let at = if word == "start" { At::Start } else { At::End };
                self.take();
                self.take();
                self.expect(TokenKind::RightParen, "@", "\")\"")?;
                at
            }
            _ => At::Time(self.timestamp(sign.span)?),
        };
        let span = expr.span;
        let Some(modified) = modified(&mut expr) else {
            return Err(QueryError::bad_data(
                span,
                "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery",
            ));
        };
        if modified.at.is_some() {
            return Err(QueryError::bad_data(sign.span, "@ <timestamp> may not be set multiple times"));
        }
        *modified.at = Some(at);
        Ok(expr)
    }

    #[allow(clippy::cast_possible_truncation, reason = "checked against the bounds of i64 before")]
    fn timestamp(&mut self, sign: Span) -> Result<i64, QueryError> {
        let seconds = self.signed_number("@")?;
        let ms = (seconds * 1000.0).round();
        // 2^53 keeps every sum of times, ranges and offsets well inside 64 bits.
        if ms.is_nan() || ms.abs() >= 9.0e15 {
            return Err(QueryError::bad_data(sign, "timestamp out of bounds for @ modifier"));
        }
        Ok(ms as i64)
    }

    fn extension(&mut self, mut expr: Expr, extension: Extension) -> Result<Expr, QueryError> {
        let word = self.take();
        if !self.syntax.extended_selectors {
            return Err(QueryError::bad_data(
                word.span,
                format!("{extension} modifier is experimental and not enabled"),
            )
            .hint("enable the feature promql-extended-range-selectors"));
        }
        let selector: &mut Selector = match &mut expr.kind {
            ExprKind::Selector(selector) => selector,
            ExprKind::Range(range) => &mut range.selector,
            _ => {
                return Err(QueryError::bad_data(
                    word.span,
                    format!(
                        "{extension} modifier must be preceded by an instant vector selector or range vector selector"
                    ),
                ));
            }
        };
        if selector.extension.is_some() {
            return Err(QueryError::bad_data(
                word.span,
                "anchored and smoothed modifiers cannot be used together or twice",
            ));
        }
        selector.extension = Some(extension);
        Ok(expr)
    }
}

fn modified(expr: &mut Expr) -> Option<Modified<'_>> {
    match &mut expr.kind {
        ExprKind::Selector(s) => Some(Modified { offset: &mut s.offset, at: &mut s.at }),
        ExprKind::Range(r) => Some(Modified { offset: &mut r.selector.offset, at: &mut r.selector.at }),
        ExprKind::Subquery(s) => Some(Modified { offset: &mut s.offset, at: &mut s.at }),
        _ => None,
    }
}
