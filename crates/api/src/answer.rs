//! Answers and refusals as JSON. The only place where a fault becomes an HTTP status.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kernel::{Fault, FaultKind, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Items on a page when the caller does not say.
pub(crate) const DEFAULT_PAGE: usize = 100;
/// Most items on a page.
pub(crate) const MAX_PAGE: usize = 1_000;

/// What a handler answers.
pub(crate) type Answer<T> = Result<T, Refused>;

/// A fault on its way out.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) Fault);

/// A page of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Page<T> {
    /// The items, in the list's order.
    pub(crate) items: Vec<T>,
    /// Give this back as `page` to go on; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_page: Option<String>,
    /// How many there are in all, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) total: Option<usize>,
}

/// The paging parameters.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Paging {
    limit: Option<usize>,
    page: Option<String>,
}

/// The body of every refusal.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ErrorBody {
    /// What went wrong.
    pub(crate) error: ErrorDetail,
}

/// What went wrong.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ErrorDetail {
    /// not_found, conflict, invalid, unauthenticated, denied, exhausted, unavailable, or bug.
    pub(crate) kind: String,
    /// What is wrong and what to do.
    pub(crate) message: String,
    /// The single findings, with their places: `{message, at: {file, line, column}, hint}`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) problems: Vec<Value>,
    /// How long to wait before trying again, where that may help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry_after: Option<String>,
}

// === impl Refused ===

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self(fault)
    }
}

/// The HTTP status of a class of fault.
pub(crate) fn status_of(kind: FaultKind) -> StatusCode {
    match kind {
        FaultKind::NotFound => StatusCode::NOT_FOUND,
        FaultKind::Conflict => StatusCode::CONFLICT,
        FaultKind::Invalid => StatusCode::BAD_REQUEST,
        FaultKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        FaultKind::Denied => StatusCode::FORBIDDEN,
        FaultKind::Exhausted => StatusCode::TOO_MANY_REQUESTS,
        FaultKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        FaultKind::Bug => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Writes what the operator should read to standard error, which is Mainstay's log.
pub(crate) fn report(fault: &Fault) {
    if let Some(internal) = &fault.internal {
        eprintln!("mainstay: {}: {internal}", fault.message);
    }
}

/// Headers that go with a fault whatever the body is.
pub(crate) fn with_fault_headers(fault: &Fault, mut response: Response) -> Response {
    if let Some(wait) = fault.retry_after {
        let seconds = wait.as_secs().max(1);
        if let Ok(value) = HeaderValue::from_str(&seconds.to_string()) {
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
    }
    if fault.kind == FaultKind::Unauthenticated {
        // Basic is named so that curl and Grafana know; browsers sign in through the page and never see this answer
        // on a page load.
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"mainstay\""));
    }
    response
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        report(&self.0);
        let fault = &self.0;
        let kind = serde_json::to_value(fault.kind).ok().and_then(|v| v.as_str().map(str::to_owned));
        let body = ErrorBody {
            error: ErrorDetail {
                kind: kind.unwrap_or_default(),
                message: fault.message.clone(),
                problems: fault.problems.iter().map(problem_json).collect(),
                retry_after: fault.retry_after.map(|wait| wait.to_string()),
            },
        };
        with_fault_headers(fault, (status_of(fault.kind), Json(body)).into_response())
    }
}

fn problem_json(problem: &Problem) -> Value {
    serde_json::to_value(problem).unwrap_or_else(|_| json!({"message": problem.message}))
}

// === impl Page ===

impl<T> Page<T> {
    /// Turns each item into something else.
    pub(crate) fn try_map<U>(self, f: impl FnMut(T) -> Result<U, Fault>) -> Result<Page<U>, Fault> {
        let items = self.items.into_iter().map(f).collect::<Result<_, _>>()?;
        Ok(Page { items, next_page: self.next_page, total: self.total })
    }
}

impl Paging {
    /// From parameters that were read with others.
    pub(crate) fn new(limit: Option<usize>, page: Option<String>) -> Self {
        Self { limit, page }
    }

    /// Items asked for, within bounds.
    pub(crate) fn limit(&self) -> Answer<usize> {
        match self.limit {
            None => Ok(DEFAULT_PAGE),
            Some(limit) if (1..=MAX_PAGE).contains(&limit) => Ok(limit),
            Some(limit) => Err(Fault::invalid(format!("limit={limit} is not within 1 to {MAX_PAGE}")).into()),
        }
    }

    /// The page token, if one was given.
    pub(crate) fn page(&self) -> Option<&str> {
        self.page.as_deref()
    }

    /// One page of a list that is at hand as a whole. The token is the place of the next item.
    pub(crate) fn cut<T>(&self, all: Vec<T>) -> Answer<Page<T>> {
        let limit = self.limit()?;
        let start = match self.page() {
            None => 0,
            Some(text) => text.parse::<usize>().map_err(|_| unknown_page(text))?,
        };
        let total = all.len();
        let items: Vec<T> = all.into_iter().skip(start).take(limit).collect();
        let end = start.saturating_add(items.len());
        let next_page = (end < total && !items.is_empty()).then(|| end.to_string());
        Ok(Page { items, next_page, total: Some(total) })
    }
}

/// A page token nobody gave out.
pub(crate) fn unknown_page(text: &str) -> Refused {
    Fault::invalid(format!(
        "page={text:?} is not a page: give back the nextPage of the page before, unchanged"
    ))
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_cover_a_list_once() {
        let all: Vec<u32> = (0..250).collect();
        let mut seen = Vec::new();
        let mut paging = Paging { limit: Some(100), page: None };
        loop {
            let page = paging.cut(all.clone()).unwrap();
            seen.extend(page.items);
            match page.next_page {
                Some(next) => paging.page = Some(next),
                None => break,
            }
        }
        assert_eq!(seen, all);
        assert!(Paging { limit: Some(0), page: None }.cut(all.clone()).is_err());
        assert!(Paging { limit: None, page: Some("x".into()) }.cut(all).is_err());
    }
}
