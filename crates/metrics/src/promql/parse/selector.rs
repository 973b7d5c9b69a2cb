//! Metric names, label matchers, lists of label names.

use std::sync::Arc;

use kernel::{Labels, METRIC_NAME};

use super::super::ast::{Expr, ExprKind, Selector, Span};
use super::super::error::QueryError;
use super::super::lexer::TokenKind;
use super::Parser;
use crate::source::{MatchOp, Matcher};

// === impl Parser ===

impl Parser<'_> {
    pub(super) fn selector(&mut self) -> Result<Expr, QueryError> {
        let start = self.span();
        let mut selector = Selector::default();
        if self.peek() == TokenKind::Ident {
            let token = self.take();
            selector.name = Some(token.span.of(self.text).to_owned());
        }
        let mut end = start;
        if self.peek() == TokenKind::LeftBrace {
            end = self.matchers(&mut selector)?;
        }
        let span = start.to(end);
        if let Some(name) = &selector.name {
            let matcher = Matcher::new(METRIC_NAME, MatchOp::Equal, name)
                .map_err(|error| QueryError::bad_data(start, error.to_string()))?;
            selector.matchers.push(matcher);
        }
        if !self.allow_empty && selector.matchers.iter().all(|m| m.matches("")) {
            return Err(QueryError::bad_data(
                span,
                "vector selector must contain at least one non-empty matcher",
            )
            .hint("name a metric, or give a matcher that an empty value does not satisfy"));
        }
        Ok(Expr { span, kind: ExprKind::Selector(Box::new(selector)) })
    }

    /// `{a="b", "name"}`; where it ends.
    fn matchers(&mut self, selector: &mut Selector) -> Result<Span, QueryError> {
        self.take();
        loop {
            if self.peek() == TokenKind::RightBrace {
                return Ok(self.take().span);
            }
            self.matcher(selector)?;
            if !self.accept(TokenKind::Comma) {
                return Ok(self.expect(TokenKind::RightBrace, "label matching", "\",\" or \"}\"")?.span);
            }
        }
    }

    fn matcher(&mut self, selector: &mut Selector) -> Result<(), QueryError> {
        let token = self.token();
        let name = match token.kind {
            TokenKind::Ident => self.take().span.of(self.text).to_owned(),
            TokenKind::String => self.utf8_string()?,
            _ => return Err(self.unexpected("label matching", "identifier or \"}\"")),
        };
        let quoted = token.kind == TokenKind::String;
        let op = match self.peek() {
            TokenKind::Assign => MatchOp::Equal,
            TokenKind::NotEqual => MatchOp::NotEqual,
            TokenKind::Match => MatchOp::Regex,
            TokenKind::NotMatch => MatchOp::NotRegex,
            TokenKind::Comma | TokenKind::RightBrace if quoted => {
                return set_name(selector, name, token.span);
            }
            _ => return Err(self.unexpected("label matching", "label matching operator")),
        };
        self.take();
        if self.peek() != TokenKind::String {
            return Err(self.unexpected("label matching", "string").hint("put the value in quotes"));
        }
        let value_span = self.span();
        let value = self.utf8_string()?;
        if name == METRIC_NAME && selector.name.is_some() {
            return Err(twice(selector.name.as_deref().unwrap_or_default(), &value, token.span));
        }
        let matcher = Matcher::new(&name, op, &value)
            .map_err(|error| QueryError::bad_data(value_span, format!("error parsing regexp: {error}")))?;
        selector.matchers.push(matcher);
        Ok(())
    }

    fn utf8_string(&mut self) -> Result<String, QueryError> {
        let span = self.span();
        let literal = self.string_literal()?;
        match literal.raw {
            None => Ok(literal.value),
            Some(_) => Err(QueryError::bad_data(span, "the text is not valid UTF-8")),
        }
    }

    /// `(a, "b.c")`
    pub(super) fn label_names(&mut self, context: &str) -> Result<Vec<String>, QueryError> {
        self.expect(TokenKind::LeftParen, context, "\"(\"")?;
        let mut names = Vec::new();
        loop {
            match self.peek() {
                TokenKind::RightParen => {
                    self.take();
                    return Ok(names);
                }
                TokenKind::Ident => {
                    let token = self.take();
                    let name = token.span.of(self.text);
                    if name.contains(':') {
                        return Err(QueryError::bad_data(
                            token.span,
                            format!("unexpected identifier {name:?} in {context}, expected label"),
                        ));
                    }
                    names.push(name.to_owned());
                }
                TokenKind::String => {
                    let span = self.span();
                    let name = self.utf8_string()?;
                    if name.is_empty() {
                        return Err(QueryError::bad_data(span, "invalid label name \"\""));
                    }
                    names.push(name);
                }
                _ => return Err(self.unexpected(context, "label")),
            }
            if !self.accept(TokenKind::Comma) {
                self.expect(TokenKind::RightParen, context, "\",\" or \")\"")?;
                return Ok(names);
            }
        }
    }

    /// A series name: `up{job="x"}`, `{__name__="up"}` or `{"my.metric", a="b"}`.
    pub(super) fn metric(&mut self) -> Result<Labels, QueryError> {
        let start = self.span();
        let mut pairs: Vec<(Arc<str>, Arc<str>)> = Vec::new();
        let named = self.peek() == TokenKind::Ident;
        if named {
            let token = self.take();
            pairs.push((METRIC_NAME.into(), token.span.of(self.text).into()));
        }
        if !named && self.peek() != TokenKind::LeftBrace {
            return Err(self.unexpected("metric description", "a metric name or \"{\""));
        }
        if self.accept(TokenKind::LeftBrace) {
            while self.peek() != TokenKind::RightBrace {
                let quoted = self.peek() == TokenKind::String;
                let name = match self.peek() {
                    TokenKind::Ident => self.take().span.of(self.text).to_owned(),
                    TokenKind::String => self.utf8_string()?,
                    _ => return Err(self.unexpected("label set", "identifier or \"}\"")),
                };
                if self.accept(TokenKind::Assign) {
                    if self.peek() != TokenKind::String {
                        return Err(self.unexpected("label set", "string"));
                    }
                    let value = self.utf8_string()?;
                    pairs.push((name.into(), value.into()));
                } else if quoted {
                    pairs.push((METRIC_NAME.into(), name.into()));
                } else {
                    return Err(self.unexpected("label set", "\"=\""));
                }
                if !self.accept(TokenKind::Comma) {
                    break;
                }
            }
            self.expect(TokenKind::RightBrace, "label set", "\",\" or \"}\"")?;
        }
        Labels::new(pairs).map_err(|error| QueryError::bad_data(start, error.to_string()))
    }
}

fn set_name(selector: &mut Selector, name: String, span: Span) -> Result<(), QueryError> {
    if let Some(first) = &selector.name {
        return Err(twice(first, &name, span));
    }
    if let Some(first) = selector.matchers.iter().find(|m| m.name == METRIC_NAME) {
        return Err(twice(&first.value, &name, span));
    }
    selector.name = Some(name);
    Ok(())
}

fn twice(first: &str, second: &str, span: Span) -> QueryError {
    QueryError::bad_data(span, format!("metric name must not be set twice: {first:?} or {second:?}"))
}
