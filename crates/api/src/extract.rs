//! Reading requests: paths, queries and JSON bodies whose errors are refusals like every other.

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use kernel::Fault;
use serde::de::DeserializeOwned;

use crate::answer::Refused;

/// The parameters of the path, percent-decoded, as a `T`.
pub(crate) struct Path<T>(pub(crate) T);

/// The query string as a `T`.
pub(crate) struct Query<T>(pub(crate) T);

/// The body, JSON, as a `T`.
pub(crate) struct Body<T>(pub(crate) T);

/// A refusal with the status that says which part of HTTP was wrong.
pub(crate) struct Unreadable(StatusCode, Fault);

impl IntoResponse for Unreadable {
    fn into_response(self) -> Response {
        let mut response = Refused(self.1).into_response();
        *response.status_mut() = self.0;
        response
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Unreadable;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Unreadable> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(rejection) => Err(unreadable_path(&rejection)),
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Unreadable;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Unreadable> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(unreadable_query(&rejection)),
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Unreadable;

    async fn from_request(request: Request, state: &S) -> Result<Self, Unreadable> {
        match axum::Json::<T>::from_request(request, state).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(rejection) => Err(unreadable_body(&rejection)),
        }
    }
}

fn unreadable_path(rejection: &PathRejection) -> Unreadable {
    let text = rejection.body_text();
    let why = text.strip_prefix("Invalid URL: ").unwrap_or(&text);
    Unreadable(rejection.status(), Fault::invalid(format!("the path cannot be read: {why}")))
}

fn unreadable_query(rejection: &QueryRejection) -> Unreadable {
    let text = rejection.body_text();
    let why = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
    Unreadable(StatusCode::BAD_REQUEST, Fault::invalid(format!("the query string cannot be read: {why}")))
}

fn unreadable_body(rejection: &JsonRejection) -> Unreadable {
    let text = rejection.body_text();
    let (_, why) = text.split_once(": ").unwrap_or(("", &text));
    let fault = match rejection.status() {
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            Fault::invalid("the body must be JSON: send it with the header `Content-Type: application/json`")
        }
        StatusCode::PAYLOAD_TOO_LARGE => {
            Fault::invalid(format!("the body is longer than {} bytes", crate::server::MAX_BODY))
        }
        _ => Fault::invalid(format!("the body cannot be read: {why}")),
    };
    Unreadable(rejection.status(), fault)
}
