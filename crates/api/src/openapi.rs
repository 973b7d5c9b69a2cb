//! The OpenAPI 3.1 description, made from the same table as the router.

use std::sync::OnceLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::answer::ErrorBody;
use crate::endpoint::{Body, Endpoint, In, Needs, Parameter};

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/openapi.json", "getOpenApi", Needs::Public, get(serve))
            .about("api", "This description.")
            .gives_text(200, "application/json", "The OpenAPI description."),
    ]
}

async fn serve() -> Response {
    static TEXT: OnceLock<String> = OnceLock::new();
    let text = TEXT.get_or_init(|| describe(&crate::endpoints()).to_string());
    ([(header::CONTENT_TYPE, "application/json")], text.as_str()).into_response()
}

/// The description of `endpoints`.
pub(crate) fn describe(endpoints: &[Endpoint]) -> Value {
    let mut generator = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into())
        .into_generator();
    let error = generator.subschema_for::<ErrorBody>();
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in endpoints.iter().filter(|e| e.described) {
        let operation = operation(endpoint, &error, &mut generator);
        let path = paths.entry(template(endpoint.path)).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(endpoint.method.as_str().to_lowercase(), operation);
        }
    }
    let schemas: Map<String, Value> = generator.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Mainstay",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Everything the console and the command line do goes through this API.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"bearer": []}, {"basic": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic"},
                "session": {"type": "apiKey", "in": "cookie", "name": "mainstay_session"},
            },
        },
    })
}

/// axum's `{*rest}` is a plain `{rest}` in OpenAPI.
fn template(path: &str) -> String {
    path.replace("{*", "{")
}

fn operation(
    endpoint: &Endpoint,
    error: &schemars::Schema,
    generator: &mut schemars::SchemaGenerator,
) -> Value {
    let mut operation = json!({
        "operationId": endpoint.id,
        "summary": endpoint.summary,
        "tags": [endpoint.tag],
        "x-mainstay-role": needs_text(endpoint.needs),
        "parameters": endpoint.parameters.iter().map(parameter).collect::<Vec<_>>(),
        "responses": responses(endpoint, error, generator),
    });
    if let Some(fields) = operation.as_object_mut() {
        if let Some(body) = &endpoint.takes {
            // The fields of a form may also stand in the query string, or all be left out.
            let required = body.media == "application/json";
            let described = json!({"required": required, "content": content(body, generator)});
            fields.insert("requestBody".into(), described);
        }
        match endpoint.needs {
            Needs::Public => {
                fields.insert("security".into(), json!([]));
            }
            Needs::LocalOr(_) => {
                fields.insert("security".into(), json!([{}, {"bearer": []}, {"basic": []}, {"session": []}]));
            }
            Needs::SignedIn | Needs::Role(_) => {}
        }
    }
    operation
}

fn parameter(parameter: &Parameter) -> Value {
    let (place, required) = match parameter.place {
        In::Path => ("path", true),
        In::Query => ("query", false),
    };
    json!({
        "name": parameter.name,
        "in": place,
        "required": required,
        "description": parameter.text,
        "schema": parameter.schema,
    })
}

/// What the endpoint says it gives, and the refusals that any route may answer.
fn responses(
    endpoint: &Endpoint,
    error: &schemars::Schema,
    generator: &mut schemars::SchemaGenerator,
) -> Value {
    let mut responses = Map::new();
    for (status, text, body) in &endpoint.gives {
        let mut response = json!({"description": text});
        if let (Some(fields), Some(body)) = (response.as_object_mut(), body) {
            fields.insert("content".into(), content(body, generator));
        }
        responses.insert(status.to_string(), response);
    }
    let refusals: &[(u16, &str)] = &[
        (400, "The request is wrong as written."),
        (401, "Nobody has proved who they are."),
        (403, "The caller may not."),
        (404, "The thing named does not exist."),
        (409, "The caller's picture is out of date, or the thing is in use."),
        (413, "The body is too large."),
        (415, "The body is not of a media type this call takes."),
        (422, "The body does not have the shape this call takes."),
        (429, "A limit is reached."),
        (500, "A fault of Mainstay's own."),
        (503, "Something needed is away."),
    ];
    // What the guard refuses is in our own words, whatever the protocol.
    let schema = match endpoint.refuses {
        Some(foreign) => json!({"anyOf": [error, foreign(generator)]}),
        None => json!(error),
    };
    for (status, text) in refusals {
        let answer = json!({"description": text, "content": {"application/json": {"schema": schema}}});
        responses.entry(status.to_string()).or_insert(answer);
    }
    Value::Object(responses)
}

fn content(body: &Body, generator: &mut schemars::SchemaGenerator) -> Value {
    let schema = (body.schema)(generator);
    json!({body.media: {"schema": schema}})
}

/// How a route's need is written in `x-mainstay-role`.
fn needs_text(needs: Needs) -> String {
    match needs {
        Needs::Public => "public".to_owned(),
        Needs::SignedIn => "signed-in".to_owned(),
        Needs::LocalOr(role) => format!("local or {role}"),
        Needs::Role(role) => role.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use axum::http::Method;

    use super::*;

    #[test]
    fn every_described_route_says_what_it_is_and_has_a_name_of_its_own() {
        let endpoints = crate::endpoints();
        let mut names = BTreeSet::new();
        for endpoint in endpoints.iter().filter(|e| e.described) {
            assert!(names.insert(endpoint.id), "{} is used twice", endpoint.id);
            assert!(!endpoint.summary.is_empty() && !endpoint.tag.is_empty(), "{}", endpoint.id);
            assert!(!endpoint.gives.is_empty(), "{} does not say what it gives", endpoint.id);
            let braces = endpoint.path.matches('{').count();
            let named = endpoint.parameters.iter().filter(|p| p.place == In::Path).count();
            assert_eq!(braces, named, "{}: path parameters", endpoint.path);
            if endpoint.method == Method::GET {
                assert!(endpoint.takes.is_none(), "{}", endpoint.path);
            }
        }
    }

    #[test]
    fn references_in_the_description_resolve() {
        let description = describe(&crate::endpoints());
        let text = description.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(description.pointer(pointer).is_some(), "{pointer}");
        }
    }
}
