//! Functions and aggregations.

use super::super::ast::{Aggregate, AggregateOp, Call, Expr, ExprKind};
use super::super::error::QueryError;
use super::super::lexer::TokenKind;
use super::super::signature::{Signature, function, functions};
use super::{Parser, check};

/// Functions whose names are keywords, and so may be written in any case.
const KEYWORD_FUNCTIONS: [&str; 6] = ["start", "end", "step", "range", "min_of", "max_of"];

/// Functions that were renamed, with their new names.
const RENAMED: [(&str, &str); 1] = [("holt_winters", "double_exponential_smoothing")];

// === impl Parser ===

impl Parser<'_> {
    /// The aggregation that `word` starts here; `sum` alone is a metric's name.
    pub(super) fn aggregate_here(&self, word: &str) -> Option<AggregateOp> {
        let (_, op) = AggregateOp::ALL.into_iter().find(|(name, _)| *name == word)?;
        let by = self
            .word_at(1)
            .is_some_and(|w| (w == "by" || w == "without") && self.nth(2).kind == TokenKind::LeftParen);
        (by || self.nth(1).kind == TokenKind::LeftParen).then_some(op)
    }

    pub(super) fn aggregate(&mut self, op: AggregateOp) -> Result<Expr, QueryError> {
        let name = self.take();
        if op.is_experimental() && !self.syntax.experimental_functions {
            return Err(QueryError::bad_data(
                name.span,
                format!(
                    "{}() is experimental and must be enabled with --enable-feature=promql-experimental-functions",
                    op.name()
                ),
            ));
        }
        let mut grouping = self.group_clause()?;
        let (mut args, close) = self.arguments("aggregation", false)?;
        if grouping.is_none() {
            grouping = self.group_clause()?;
        }
        let (without, grouping) = grouping.unwrap_or((false, Vec::new()));
        let expected = if op.parameter().is_some() { 2 } else { 1 };
        if args.len() != expected {
            let message = if args.is_empty() {
                "no arguments for aggregate expression provided".to_owned()
            } else {
                format!(
                    "wrong number of arguments for aggregate expression provided, expected {expected}, got {}",
                    args.len()
                )
            };
            return Err(QueryError::bad_data(name.span.to(close), message));
        }
        let Some(expr) = args.pop() else {
            return Err(QueryError::bad_data(name.span, "no arguments for aggregate expression provided"));
        };
        let aggregate = Aggregate { op, expr, parameter: args.pop(), grouping, without };
        check::aggregate(&aggregate)?;
        let mut span = name.span;
        span.end = self.previous_end();
        Ok(Expr { span, kind: ExprKind::Aggregate(Box::new(aggregate)) })
    }

    fn group_clause(&mut self) -> Result<Option<(bool, Vec<String>)>, QueryError> {
        let without = match self.word().as_deref() {
            Some("by") => false,
            Some("without") => true,
            _ => return Ok(None),
        };
        self.take();
        Ok(Some((without, self.label_names("grouping opts")?)))
    }

    pub(super) fn call(&mut self) -> Result<Expr, QueryError> {
        let name = self.take();
        let written = name.span.of(self.text);
        let lower = written.to_ascii_lowercase();
        let lookup = if KEYWORD_FUNCTIONS.contains(&lower.as_str()) { lower.as_str() } else { written };
        let Some(signature) = function(lookup) else {
            let error = QueryError::bad_data(name.span, format!("unknown function with name {written:?}"));
            return Err(match suggestion(written) {
                Some(near) => error.hint(format!("did you mean {near}?")),
                None => error,
            });
        };
        if signature.experimental && !self.syntax.experimental_functions {
            return Err(QueryError::bad_data(name.span, format!("function {written:?} is not enabled"))
                .hint("enable the feature promql-experimental-functions"));
        }
        let (args, close) = self.arguments("function call", signature.name == "info")?;
        let span = name.span.to(close);
        let call = Call { function: signature, name_span: name.span, args };
        check::call(&call, span)?;
        Ok(Expr { span, kind: ExprKind::Call(Box::new(call)) })
    }

    /// `(a, b)`, with a trailing comma allowed for functions, and where it ends.
    fn arguments(&mut self, context: &str, is_info: bool) -> Result<(Vec<Expr>, super::Span), QueryError> {
        self.expect(TokenKind::LeftParen, context, "\"(\"")?;
        let mut args = Vec::new();
        loop {
            if self.peek() == TokenKind::RightParen {
                return Ok((args, self.take().span));
            }
            let outer = std::mem::replace(&mut self.allow_empty, is_info && args.len() == 1);
            let arg = self.nested(|p| p.expression(0));
            self.allow_empty = outer;
            args.push(arg?);
            if !self.accept(TokenKind::Comma) {
                let close = self.expect(TokenKind::RightParen, context, "\",\" or \")\"")?;
                return Ok((args, close.span));
            }
        }
    }
}

fn suggestion(name: &str) -> Option<&'static str> {
    let renamed = RENAMED.iter().find(|(old, _)| *old == name).map(|(_, new)| *new);
    let aggregates = AggregateOp::ALL.iter().map(|(name, _)| *name);
    let all = functions().iter().map(|f: &'static Signature| f.name).chain(aggregates);
    renamed.or_else(|| kernel::did_you_mean(name, all))
}
