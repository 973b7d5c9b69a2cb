//! Operators between expressions, with their modifiers.

use super::super::ast::{Binary, BinaryOp, Cardinality, Expr, ExprKind, Matching, Span};
use super::super::error::QueryError;
use super::super::lexer::TokenKind;
use super::{MAX_HEIGHT, Parser, check};

// === impl Parser ===

impl Parser<'_> {
    /// An expression whose operators all bind at least as tightly as `minimum`.
    pub(super) fn expression(&mut self, minimum: u8) -> Result<Expr, QueryError> {
        let mut left = self.unary()?;
        let mut chain = 0;
        while let Some(op) = self.operator() {
            if op.precedence() < minimum {
                break;
            }
            chain += 1;
            if self.depth + chain > MAX_HEIGHT {
                return Err(too_high(self.span()));
            }
            let op_token = self.take();
            let (returns_bool, matching, explicit) = self.modifiers(op)?;
            // `^` groups to the right, all others to the left.
            let next = if op == BinaryOp::Pow { op.precedence() } else { op.precedence() + 1 };
            let right = self.nested(|p| p.expression(next))?;
            let span = left.span.to(right.span);
            let binary =
                Binary { op, op_span: op_token.span, left, right, returns_bool, matching: Some(matching) };
            let binary = check::binary(binary, explicit)?;
            left = Expr { span, kind: ExprKind::Binary(Box::new(binary)) };
        }
        // What was built is as high as its longest chain; the next level up must know.
        if chain > 0 && self.depth + height(&left, MAX_HEIGHT + 1) > MAX_HEIGHT {
            return Err(too_high(left.span));
        }
        Ok(left)
    }

    fn operator(&self) -> Option<BinaryOp> {
        Some(match self.peek() {
            TokenKind::Add => BinaryOp::Add,
            TokenKind::Sub => BinaryOp::Sub,
            TokenKind::Mul => BinaryOp::Mul,
            TokenKind::Div => BinaryOp::Div,
            TokenKind::Mod => BinaryOp::Mod,
            TokenKind::Pow => BinaryOp::Pow,
            TokenKind::EqualEqual => BinaryOp::Equal,
            TokenKind::NotEqual => BinaryOp::NotEqual,
            TokenKind::Less => BinaryOp::Less,
            TokenKind::LessEqual => BinaryOp::LessEqual,
            TokenKind::Greater => BinaryOp::Greater,
            TokenKind::GreaterEqual => BinaryOp::GreaterEqual,
            TokenKind::TrimUpper => BinaryOp::TrimUpper,
            TokenKind::TrimLower => BinaryOp::TrimLower,
            TokenKind::Ident => match self.word()?.as_str() {
                "and" => BinaryOp::And,
                "or" => BinaryOp::Or,
                "unless" => BinaryOp::Unless,
                "atan2" => BinaryOp::Atan2,
                _ => return None,
            },
            _ => return None,
        })
    }

    /// `bool`, `on`/`ignoring`, `group_left`/`group_right` and fills; the last value tells whether any matching was written.
    fn modifiers(&mut self, op: BinaryOp) -> Result<(bool, Matching, bool), QueryError> {
        let returns_bool = self.accept_word("bool");
        if returns_bool && !op.is_comparison() {
            let span = self.tokens.get(self.at.saturating_sub(1)).map_or(self.span(), |t| t.span);
            return Err(QueryError::bad_data(span, "bool modifier can only be used on comparison operators"));
        }
        let mut matching = Matching::default();
        if op.is_set() {
            matching.cardinality = Cardinality::ManyToMany;
        }
        let mut explicit = false;
        let on = self.word().is_some_and(|w| w == "on");
        if on || self.word().is_some_and(|w| w == "ignoring") {
            self.take();
            explicit = true;
            matching.on = on;
            matching.labels = self.label_names("grouping opts")?;
            self.grouping(op, &mut matching)?;
        }
        self.fills(op, &mut matching)?;
        Ok((returns_bool, matching, explicit))
    }

    fn grouping(&mut self, op: BinaryOp, matching: &mut Matching) -> Result<(), QueryError> {
        let token = self.token();
        let left = self.word().is_some_and(|w| w == "group_left");
        if !left && self.word().is_none_or(|w| w != "group_right") {
            return Ok(());
        }
        self.take();
        if op.is_set() {
            return Err(QueryError::bad_data(
                token.span,
                format!("no grouping allowed for {:?} operation", op.symbol()),
            ));
        }
        matching.cardinality = if left { Cardinality::ManyToOne } else { Cardinality::OneToMany };
        if self.peek() == TokenKind::LeftParen {
            matching.include = self.label_names("grouping opts")?;
        }
        if matching.on
            && let Some(label) = matching.include.iter().find(|l| matching.labels.contains(l))
        {
            return Err(QueryError::bad_data(
                token.span,
                format!("label {label:?} must not occur in ON and GROUP clause at once"),
            ));
        }
        Ok(())
    }

    fn fills(&mut self, op: BinaryOp, matching: &mut Matching) -> Result<(), QueryError> {
        while self.nth(1).kind == TokenKind::LeftParen {
            let (left, right) = match self.word().as_deref() {
                Some("fill") => (true, true),
                Some("fill_left") => (true, false),
                Some("fill_right") => (false, true),
                _ => return Ok(()),
            };
            let token = self.take();
            if !self.syntax.fill_modifiers {
                return Err(QueryError::bad_data(
                    token.span,
                    "binop fill modifiers are experimental and not enabled",
                )
                .hint("enable the feature promql-binop-fill-modifiers"));
            }
            if op.is_set() {
                return Err(QueryError::bad_data(
                    token.span,
                    "filling in missing series not allowed for set operators",
                ));
            }
            self.expect(TokenKind::LeftParen, "fill modifier", "\"(\"")?;
            let value = self.signed_number("fill modifier")?;
            self.expect(TokenKind::RightParen, "fill modifier", "\")\"")?;
            if left {
                matching.fill_left = Some(value);
            }
            if right {
                matching.fill_right = Some(value);
            }
        }
        Ok(())
    }

    /// A number with any signs before it.
    pub(super) fn signed_number(&mut self, context: &str) -> Result<f64, QueryError> {
        let negative = match self.peek() {
            TokenKind::Sub => {
                self.take();
                true
            }
            TokenKind::Add => {
                self.take();
                false
            }
            _ => false,
        };
        let value = match self.peek() {
            TokenKind::Number(value) | TokenKind::Duration(value) => value,
            TokenKind::Ident => match self.word().as_deref() {
                Some("inf") => f64::INFINITY,
                Some("nan") => f64::NAN,
                _ => return Err(self.unexpected(context, "a number")),
            },
            _ => return Err(self.unexpected(context, "a number")),
        };
        self.take();
        Ok(if negative { -value } else { value })
    }
}

fn too_high(span: Span) -> QueryError {
    QueryError::bad_data(span, format!("the query has more than {MAX_HEIGHT} levels of operators and calls"))
        .hint("a chain of operators counts one level per operator; use parentheses to balance it")
}

/// The height of the tree, counted up to `limit`.
fn height(expr: &Expr, limit: usize) -> usize {
    if limit == 0 {
        return 0;
    }
    1 + expr.children().into_iter().map(|child| height(child, limit - 1)).max().unwrap_or(0)
}
