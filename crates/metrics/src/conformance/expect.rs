//! What an eval expects: values, annotations, a failure, an order.

use super::notation::{Line, Point, Values, line, time};
use crate::promql::{Annotation, Answer, QueryError, parse_number};

/// The expectations of one eval.
#[derive(Clone, Debug, Default)]
pub(super) struct Expected {
    pub ordered: bool,
    pub text: Option<String>,
    pub scalar: Option<f64>,
    pub lines: Vec<Line>,
    /// The times of an expected range vector: start, end, step.
    pub window: Option<(i64, i64, i64)>,
    fail: Vec<Wording>,
    warn: Vec<Wording>,
    info: Vec<Wording>,
    no_warn: bool,
    no_info: bool,
}

/// How a message must read.
#[derive(Clone, Debug)]
enum Wording {
    Any,
    Exactly(String),
    Matching(String),
}

// === impl Expected ===

impl Expected {
    /// From the kind (`fail`, `warn`, … of the old `eval_fail` forms) and the lines under the eval.
    pub fn parse(kind: &str, body: &[&str]) -> Result<Self, String> {
        let mut expected = Self::default();
        match kind {
            "" => {}
            "fail" => expected.fail.push(Wording::Any),
            "warn" => expected.warn.push(Wording::Any),
            "info" => expected.info.push(Wording::Any),
            "ordered" => expected.ordered = true,
            _ => return Err(format!("unknown command eval_{kind}")),
        }
        for text in body {
            if let Some(rest) = text.strip_prefix("expect ").or_else(|| text.strip_prefix("expect\t")) {
                expected.expect(rest.trim())?;
            } else if let Some(message) = text.strip_prefix("expected_fail_message") {
                expected.fail = vec![Wording::Exactly(message.trim().to_owned())];
            } else if let Some(pattern) = text.strip_prefix("expected_fail_regexp") {
                expected.fail = vec![Wording::Matching(pattern.trim().to_owned())];
            } else if let Some(number) = parse_number(text) {
                expected.scalar = Some(number);
            } else {
                expected.lines.push(line(text)?);
            }
        }
        Ok(expected)
    }

    fn expect(&mut self, rest: &str) -> Result<(), String> {
        let (word, detail) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        match word {
            "ordered" => self.ordered = true,
            "no_warn" => self.no_warn = true,
            "no_info" => self.no_info = true,
            "fail" => self.fail.push(wording(detail)?),
            "warn" => self.warn.push(wording(detail)?),
            "info" => self.info.push(wording(detail)?),
            "string" => self.text = Some(unquoted(detail.trim())?),
            "range" => self.window = Some(window(detail)?),
            _ => return Err(format!("unknown expectation {rest:?}")),
        }
        Ok(())
    }

    pub fn fails(&self) -> bool {
        !self.fail.is_empty()
    }

    /// Only values, whose order does not matter.
    pub fn is_plain(&self) -> bool {
        !self.ordered && self.text.is_none() && self.window.is_none()
    }

    pub fn check_failure(&self, error: &QueryError, query: &str) -> Result<(), String> {
        let texts = [error.message.clone(), error.render(query)];
        if self.fail.is_empty() {
            return Err(format!("failed: {}", error.render(query)));
        }
        match self.fail.iter().find(|w| !texts.iter().any(|t| w.accepts(t))) {
            None => Ok(()),
            Some(wanted) => Err(format!("expected failure {wanted:?}, got {:?}", error.message)),
        }
    }

    pub fn check_annotations(&self, answer: &Answer, query: &str) -> Result<(), String> {
        check_list("warning", &self.warn, self.no_warn, &answer.warnings, query)?;
        check_list("info", &self.info, self.no_info, &answer.infos, query)
    }

    /// The expected series with their points.
    pub fn points(&self) -> impl Iterator<Item = (&kernel::Labels, &[Point])> {
        self.lines.iter().filter_map(|l| match &l.values {
            Values::Points(points) => Some((&l.labels, points.as_slice())),
            Values::Starts(_) => None,
        })
    }
}

// === impl Wording ===

impl Wording {
    fn accepts(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(wanted) => wanted == text,
            Self::Matching(pattern) => regex::Regex::new(pattern).is_ok_and(|r| r.is_match(text)),
        }
    }
}

fn wording(detail: &str) -> Result<Wording, String> {
    let detail = detail.trim();
    if detail.is_empty() {
        return Ok(Wording::Any);
    }
    if let Some(text) = detail.strip_prefix("msg:") {
        return Ok(Wording::Exactly(text.trim().to_owned()));
    }
    match detail.strip_prefix("regex:") {
        Some(pattern) => Ok(Wording::Matching(pattern.trim().to_owned())),
        None => Err(format!("expected msg: or regex:, got {detail:?}")),
    }
}

/// `vector from 10s to 1m step 10s`
fn window(detail: &str) -> Result<(i64, i64, i64), String> {
    let words: Vec<&str> = detail.split_whitespace().collect();
    let ["vector", "from", start, "to", end, "step", step] = words.as_slice() else {
        return Err(format!("expected \"range vector from … to … step …\", got {detail:?}"));
    };
    Ok((time(start)?, time(end)?, time(step)?))
}

/// Every expectation must meet an annotation, and every annotation an expectation once there is any.
fn check_list(
    what: &str,
    wanted: &[Wording],
    none: bool,
    found: &[Annotation],
    query: &str,
) -> Result<(), String> {
    let texts: Vec<String> = found.iter().map(|a| a.render(query)).collect();
    if none && !texts.is_empty() {
        return Err(format!("unexpected {what}: {texts:?}"));
    }
    if wanted.is_empty() {
        return Ok(());
    }
    if let Some(missing) = wanted.iter().find(|w| !texts.iter().any(|t| w.accepts(t))) {
        return Err(format!("expected {what} {missing:?}, got {texts:?}"));
    }
    match texts.iter().find(|t| !wanted.iter().any(|w| w.accepts(t))) {
        Some(extra) => Err(format!("unexpected {what} {extra:?}")),
        None => Ok(()),
    }
}

/// The text of a PromQL string literal.
fn unquoted(literal: &str) -> Result<String, String> {
    let expr = crate::promql::parse(literal, &crate::promql::Syntax::default()).map_err(|e| e.to_string())?;
    match expr.kind {
        crate::promql::ExprKind::String(text) => Ok(text.value),
        _ => Err(format!("not a string: {literal}")),
    }
}
