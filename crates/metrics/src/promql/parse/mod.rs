//! From tokens to the syntax tree: recursive descent, one function per rule, precedence climbing for operators.
//!
//! Invariants: never panics, never recurses deeper than [`MAX_DEPTH`]; a tree it returns has been type-checked and is no
//! higher than [`MAX_DEPTH`]. Source of the grammar: Prometheus' `generated_parser.y`.

mod binary;
mod call;
mod check;
mod duration;
mod postfix;
mod selector;

use kernel::Labels;

use super::ast::{Expr, ExprKind, NumberLiteral, Span, StringLiteral, Unary};
use super::error::QueryError;
use super::lexer::{Token, TokenKind, tokens};
use super::options::Syntax;
use super::quote::unquote;

/// How deep parentheses, calls, brackets and signs may nest. Chosen so that parsing and evaluating fit a stack of 2 MiB
/// even without optimisation.
pub const MAX_DEPTH: usize = 80;

/// The highest syntax tree, in nodes from the root to a leaf. A chain of operators is as high as it has operators.
pub const MAX_HEIGHT: usize = 250;

/// The longest query text, in bytes.
pub const MAX_QUERY_BYTES: usize = 256 * 1024;

/// Parses and type-checks a query.
///
/// # Errors
/// What is wrong, where, and often what to do. A feature that `syntax` leaves off is refused by name.
pub fn parse(text: &str, syntax: &Syntax) -> Result<Expr, QueryError> {
    let mut parser = Parser::new(text, syntax)?;
    if parser.peek() == TokenKind::End {
        return Err(QueryError::bad_data(parser.span(), "no expression found in input"));
    }
    let expr = parser.expression(0)?;
    parser.expect_end()?;
    Ok(expr)
}

/// Parses a series name such as `up{job="x"}` into its labels, as test scripts and rule tests write it.
///
/// # Errors
/// The text is not a metric name, a label set, or both.
pub fn parse_metric(text: &str) -> Result<Labels, QueryError> {
    let syntax = Syntax::default();
    let mut parser = Parser::new(text, &syntax)?;
    let labels = parser.metric()?;
    parser.expect_end()?;
    Ok(labels)
}

/// The state of a parse.
pub(super) struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    syntax: &'a Syntax,
    /// Inside the label selector of `info()`, which need not select by itself.
    allow_empty: bool,
}

// === impl Parser ===

impl<'a> Parser<'a> {
    fn new(text: &'a str, syntax: &'a Syntax) -> Result<Self, QueryError> {
        if text.len() > MAX_QUERY_BYTES {
            let span = Span::new(MAX_QUERY_BYTES, text.len());
            return Err(QueryError::bad_data(
                span,
                format!("the query is longer than {MAX_QUERY_BYTES} bytes"),
            ));
        }
        Ok(Self { text, tokens: tokens(text)?, at: 0, depth: 0, syntax, allow_empty: false })
    }

    fn token(&self) -> Token {
        self.nth(0)
    }

    fn nth(&self, ahead: usize) -> Token {
        let end = Span::new(self.text.len(), self.text.len());
        let last = || self.tokens.last().copied().unwrap_or(Token { span: end, kind: TokenKind::End });
        self.tokens.get(self.at + ahead).copied().unwrap_or_else(last)
    }

    fn peek(&self) -> TokenKind {
        self.token().kind
    }

    fn span(&self) -> Span {
        self.token().span
    }

    /// The end of the token before this one.
    fn previous_end(&self) -> usize {
        self.at.checked_sub(1).and_then(|i| self.tokens.get(i)).map_or(0, |t| t.span.end)
    }

    fn take(&mut self) -> Token {
        let token = self.token();
        if token.kind != TokenKind::End {
            self.at += 1;
        }
        token
    }

    fn accept(&mut self, kind: TokenKind) -> bool {
        let found = self.peek() == kind;
        if found {
            self.take();
        }
        found
    }

    /// The lower-cased word under the cursor, if it is one.
    fn word(&self) -> Option<String> {
        self.word_at(0)
    }

    fn word_at(&self, ahead: usize) -> Option<String> {
        let token = self.nth(ahead);
        (token.kind == TokenKind::Ident).then(|| token.span.of(self.text).to_ascii_lowercase())
    }

    fn accept_word(&mut self, word: &str) -> bool {
        let found = self.word().is_some_and(|w| w == word);
        if found {
            self.take();
        }
        found
    }

    fn expect(&mut self, kind: TokenKind, context: &str, expected: &str) -> Result<Token, QueryError> {
        if self.peek() == kind { Ok(self.take()) } else { Err(self.unexpected(context, expected)) }
    }

    fn expect_end(&self) -> Result<(), QueryError> {
        if self.peek() == TokenKind::End {
            Ok(())
        } else {
            Err(self.unexpected("", "an operator or the end"))
        }
    }

    /// "unexpected X in Y, expected Z" at the cursor.
    fn unexpected(&self, context: &str, expected: &str) -> QueryError {
        let token = self.token();
        let found = match token.kind {
            TokenKind::End => "end of input".to_owned(),
            kind => format!("{} {:?}", kind.describe(), token.span.of(self.text)),
        };
        let context = if context.is_empty() { String::new() } else { format!(" in {context}") };
        let expected = if expected.is_empty() { String::new() } else { format!(", expected {expected}") };
        QueryError::bad_data(token.span, format!("unexpected {found}{context}{expected}"))
    }

    /// Runs `rule` one level deeper.
    fn nested<T>(&mut self, rule: impl FnOnce(&mut Self) -> Result<T, QueryError>) -> Result<T, QueryError> {
        if self.depth >= MAX_DEPTH {
            return Err(QueryError::bad_data(
                self.span(),
                format!("the query nests deeper than {MAX_DEPTH} levels"),
            ));
        }
        self.depth += 1;
        let result = rule(self);
        self.depth -= 1;
        result
    }

    fn unary(&mut self) -> Result<Expr, QueryError> {
        let start = self.span();
        let negative = match self.peek() {
            TokenKind::Sub => true,
            TokenKind::Add => false,
            _ => return self.postfix(),
        };
        self.take();
        // A sign binds looser than `^` and tighter than `*`.
        let expr = self.nested(|p| p.expression(super::ast::BinaryOp::Pow.precedence()))?;
        let span = start.to(expr.span);
        if let ExprKind::Number(number) = &expr.kind {
            let value = if negative { -number.value } else { number.value };
            return Ok(Expr { span, kind: ExprKind::Number(NumberLiteral { value, ..*number }) });
        }
        check::unary(&expr)?;
        Ok(Expr { span, kind: ExprKind::Unary(Box::new(Unary { negative, expr })) })
    }

    fn primary(&mut self) -> Result<Expr, QueryError> {
        let token = self.token();
        match token.kind {
            TokenKind::Number(value) => {
                self.take();
                let kind = ExprKind::Number(NumberLiteral { value, is_duration: false });
                Ok(Expr { span: token.span, kind })
            }
            TokenKind::Duration(value) => {
                self.take();
                let kind = ExprKind::Number(NumberLiteral { value, is_duration: true });
                Ok(Expr { span: token.span, kind })
            }
            TokenKind::String => {
                let literal = self.string_literal()?;
                Ok(Expr { span: token.span, kind: ExprKind::String(literal) })
            }
            TokenKind::LeftParen => {
                self.take();
                let inner = self.nested(|p| p.expression(0))?;
                let close = self.expect(TokenKind::RightParen, "parenthesized expression", "\")\"")?;
                let span = token.span.to(close.span);
                Ok(Expr { span, kind: ExprKind::Paren(Box::new(inner)) })
            }
            TokenKind::LeftBrace => self.selector(),
            TokenKind::Ident => self.word_expression(),
            _ => Err(self.unexpected("", "an expression")),
        }
    }

    fn word_expression(&mut self) -> Result<Expr, QueryError> {
        let token = self.token();
        let word = self.word().unwrap_or_default();
        if let Some(value) =
            crate::number::parse_number(&word).filter(|_| matches!(word.as_str(), "inf" | "nan"))
        {
            self.take();
            let kind = ExprKind::Number(NumberLiteral { value, is_duration: false });
            return Ok(Expr { span: token.span, kind });
        }
        if let Some(op) = self.aggregate_here(&word) {
            return self.aggregate(op);
        }
        if self.nth(1).kind == TokenKind::LeftParen {
            return self.call();
        }
        if matches!(word.as_str(), "on" | "ignoring" | "bool" | "group_left" | "group_right" | "atan2") {
            return Err(self.unexpected("", "an expression"));
        }
        self.selector()
    }

    fn string_literal(&mut self) -> Result<StringLiteral, QueryError> {
        let token = self.take();
        let bytes = unquote(token.span.of(self.text)).map_err(|(offset, problem)| {
            let at = token.span.start + offset;
            QueryError::bad_data(Span::new(at, token.span.end), format!("{problem} in string"))
                .hint("write a backslash as \\\\, or use back quotes for raw text")
        })?;
        Ok(match String::from_utf8(bytes) {
            Ok(value) => StringLiteral { value, raw: None },
            Err(error) => {
                let raw = error.into_bytes();
                StringLiteral { value: String::from_utf8_lossy(&raw).into_owned(), raw: Some(raw) }
            }
        })
    }
}

#[cfg(test)]
mod tests;
