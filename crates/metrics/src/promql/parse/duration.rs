//! Durations in brackets and after `offset`.

use super::super::ast::{BinaryOp, DurationExpr, DurationKind, NumberLiteral, Span};
use super::super::error::QueryError;
use super::super::lexer::TokenKind;
use super::Parser;

/// What a duration must be, for messages.
const EXPECTED: &str = "number, duration, step(), or range()";

// === impl Parser ===

impl Parser<'_> {
    /// A duration in brackets: any arithmetic. A literal must be above zero.
    pub(super) fn positive_duration(&mut self) -> Result<DurationExpr, QueryError> {
        let duration = self.duration(0)?;
        if let DurationKind::Literal(number) = &duration.kind
            && (number.value <= 0.0 || number.value.is_nan())
        {
            return Err(QueryError::bad_data(duration.span, "duration must be greater than 0"));
        }
        if is_too_long(&duration) {
            return Err(QueryError::bad_data(duration.span, "duration out of range"));
        }
        Ok(duration)
    }

    /// A duration after `offset`: one term with a sign; arithmetic needs parentheses, so that `x offset 1m + y` is a sum.
    pub(super) fn offset_duration(&mut self) -> Result<DurationExpr, QueryError> {
        let start = self.span();
        let negative = match self.peek() {
            TokenKind::Sub => Some(true),
            TokenKind::Add => Some(false),
            _ => None,
        };
        if negative.is_some() {
            self.take();
        }
        let term = self.duration_term("offset")?;
        if is_too_long(&term) {
            return Err(QueryError::bad_data(term.span, "duration out of range"));
        }
        Ok(if negative == Some(true) { negate(start, term) } else { term })
    }

    fn duration(&mut self, minimum: u8) -> Result<DurationExpr, QueryError> {
        let start = self.span();
        let mut left = match self.peek() {
            TokenKind::Sub | TokenKind::Add => {
                let negative = self.take().kind == TokenKind::Sub;
                self.need_expressions(start)?;
                let inner = self.nested(|p| p.duration(BinaryOp::Pow.precedence()))?;
                if negative { negate(start, inner) } else { inner }
            }
            _ => self.duration_term("subquery or range")?,
        };
        let mut chain = 0;
        loop {
            let op = match self.peek() {
                TokenKind::Add => BinaryOp::Add,
                TokenKind::Sub => BinaryOp::Sub,
                TokenKind::Mul => BinaryOp::Mul,
                TokenKind::Div => BinaryOp::Div,
                TokenKind::Mod => BinaryOp::Mod,
                TokenKind::Pow => BinaryOp::Pow,
                _ => return Ok(left),
            };
            if op.precedence() < minimum {
                return Ok(left);
            }
            chain += 1;
            if self.depth + chain > super::MAX_DEPTH {
                return Err(self.unexpected("a long duration expression", "fewer operators"));
            }
            let token = self.take();
            self.need_expressions(token.span)?;
            let next = if op == BinaryOp::Pow { op.precedence() } else { op.precedence() + 1 };
            let right = self.nested(|p| p.duration(next))?;
            let span = left.span.to(right.span);
            left = DurationExpr { span, kind: DurationKind::Binary(op, Box::new(left), Box::new(right)) };
        }
    }

    fn duration_term(&mut self, context: &str) -> Result<DurationExpr, QueryError> {
        let token = self.token();
        match token.kind {
            TokenKind::Number(value) | TokenKind::Duration(value) => {
                self.take();
                let is_duration = matches!(token.kind, TokenKind::Duration(_));
                let kind = DurationKind::Literal(NumberLiteral { value, is_duration });
                Ok(DurationExpr { span: token.span, kind })
            }
            TokenKind::LeftParen => {
                self.take();
                self.need_expressions(token.span)?;
                let inner = self.nested(|p| p.duration(0))?;
                let close = self.expect(TokenKind::RightParen, context, "\")\"")?;
                Ok(DurationExpr {
                    span: token.span.to(close.span),
                    kind: DurationKind::Paren(Box::new(inner)),
                })
            }
            TokenKind::Ident => self.duration_call(context),
            _ => Err(self.unexpected(context, EXPECTED)),
        }
    }

    fn duration_call(&mut self, context: &str) -> Result<DurationExpr, QueryError> {
        let word = self.word().unwrap_or_default();
        if !matches!(word.as_str(), "step" | "range" | "min_of" | "max_of") {
            return Err(self.unexpected(context, EXPECTED));
        }
        let name = self.take();
        self.need_expressions(name.span)?;
        self.expect(TokenKind::LeftParen, context, "\"(\"")?;
        let kind = match word.as_str() {
            "step" => DurationKind::Step,
            "range" => DurationKind::Range,
            _ => {
                let first = Box::new(self.nested(|p| p.duration(0))?);
                self.expect(TokenKind::Comma, context, "\",\"")?;
                let second = Box::new(self.nested(|p| p.duration(0))?);
                if word == "min_of" {
                    DurationKind::Min(first, second)
                } else {
                    DurationKind::Max(first, second)
                }
            }
        };
        let close = self.expect(TokenKind::RightParen, context, "\")\"")?;
        Ok(DurationExpr { span: name.span.to(close.span), kind })
    }

    fn need_expressions(&self, span: Span) -> Result<(), QueryError> {
        if self.syntax.duration_expressions {
            return Ok(());
        }
        Err(QueryError::bad_data(span, "experimental duration expression is not enabled")
            .hint("enable the feature promql-duration-expr, or write a plain duration such as 5m"))
    }
}

/// Longest literal duration: what Go's 64-bit nanoseconds hold.
const MAX_SECONDS: f64 = 9_223_372_036.0;

fn is_too_long(duration: &DurationExpr) -> bool {
    match &duration.kind {
        DurationKind::Literal(number) => number.value.is_nan() || number.value.abs() >= MAX_SECONDS,
        _ => false,
    }
}

fn negate(start: Span, inner: DurationExpr) -> DurationExpr {
    let span = start.to(inner.span);
    match inner.kind {
        DurationKind::Literal(number) => {
            let kind = DurationKind::Literal(NumberLiteral { value: -number.value, ..number });
            DurationExpr { span, kind }
        }
        _ => DurationExpr { span, kind: DurationKind::Negate(Box::new(inner)) },
    }
}
