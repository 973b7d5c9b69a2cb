//! One route: what it is called, who may call it, what goes in and out, and who answers.

use axum::http::Method;
use axum::routing::MethodRouter;
use kernel::Role;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value;

use crate::server::Shared;

/// Who may call a route. The rule itself lives in `operations`; a test asks every route as every role and holds the
/// answers against this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Anyone, also anonymously.
    Public,
    /// Anonymous callers from this machine; from elsewhere the role.
    LocalOr(Role),
    /// Anyone who has proved who they are.
    SignedIn,
    /// This role or a higher one.
    Role(Role),
}

/// Where a parameter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum In {
    Path,
    Query,
}

/// A parameter of a route.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) place: In,
    pub(crate) text: &'static str,
    pub(crate) schema: Value,
}

/// A body: its media type and, for JSON, its shape.
#[derive(Clone)]
pub(crate) struct Body {
    pub(crate) media: &'static str,
    pub(crate) schema: fn(&mut SchemaGenerator) -> Schema,
}

/// One route of the table.
#[derive(Clone)]
pub struct Endpoint {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) id: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) tag: &'static str,
    pub(crate) needs: Needs,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) takes: Option<Body>,
    pub(crate) gives: Vec<(u16, &'static str, Option<Body>)>,
    /// The shape of a refusal in a foreign protocol's words, beside our own.
    pub(crate) refuses: Option<fn(&mut SchemaGenerator) -> Schema>,
    pub(crate) described: bool,
    pub(crate) handler: MethodRouter<Shared>,
}

impl Endpoint {
    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path, with its parameters in axum's notation.
    pub fn path(&self) -> &'static str {
        self.path
    }

    /// Who may call it.
    pub fn needs(&self) -> Needs {
        self.needs
    }

    /// True for a page of the console: who is not signed in is led to the sign-in page instead of refused.
    pub fn is_page(&self) -> bool {
        console::PAGES.contains(&self.path)
    }

    /// A GET route; `id` is the operation's name in the OpenAPI description.
    pub(crate) fn get(
        path: &'static str,
        id: &'static str,
        needs: Needs,
        handler: MethodRouter<Shared>,
    ) -> Self {
        Self::new(Method::GET, path, id, needs, handler)
    }

    /// A POST route.
    pub(crate) fn post(
        path: &'static str,
        id: &'static str,
        needs: Needs,
        handler: MethodRouter<Shared>,
    ) -> Self {
        Self::new(Method::POST, path, id, needs, handler)
    }

    /// A DELETE route.
    pub(crate) fn delete(
        path: &'static str,
        id: &'static str,
        needs: Needs,
        handler: MethodRouter<Shared>,
    ) -> Self {
        Self::new(Method::DELETE, path, id, needs, handler)
    }

    fn new(
        method: Method,
        path: &'static str,
        id: &'static str,
        needs: Needs,
        handler: MethodRouter<Shared>,
    ) -> Self {
        Self {
            method,
            path,
            id,
            summary: "",
            tag: "",
            needs,
            parameters: Vec::new(),
            takes: None,
            gives: Vec::new(),
            refuses: None,
            described: true,
            handler,
        }
    }

    /// One sentence, and the section it is listed in.
    pub(crate) fn about(mut self, tag: &'static str, summary: &'static str) -> Self {
        self.tag = tag;
        self.summary = summary;
        self
    }

    /// A path parameter.
    pub(crate) fn path_parameter(self, name: &'static str, text: &'static str) -> Self {
        self.parameter(name, In::Path, text, serde_json::json!({"type": "string", "minLength": 1}))
    }

    /// An optional query parameter of the given JSON Schema.
    pub(crate) fn query(self, name: &'static str, text: &'static str, schema: Value) -> Self {
        self.parameter(name, In::Query, text, schema)
    }

    /// An optional query parameter that is text.
    pub(crate) fn query_text(self, name: &'static str, text: &'static str) -> Self {
        self.query(name, text, serde_json::json!({"type": "string"}))
    }

    fn parameter(mut self, name: &'static str, place: In, text: &'static str, schema: Value) -> Self {
        self.parameters.push(Parameter { name, place, text, schema });
        self
    }

    /// The paging parameters of every list.
    pub(crate) fn paged(self) -> Self {
        self.query(
            "limit",
            "At most this many items.",
            serde_json::json!({"type": "integer", "minimum": 1, "maximum": crate::answer::MAX_PAGE}),
        )
        .query_text("page", "Where to go on: the `nextPage` of the page before.")
    }

    /// A JSON body.
    pub(crate) fn takes<T: JsonSchema>(mut self) -> Self {
        self.takes = Some(Body { media: "application/json", schema: |g| g.subschema_for::<T>() });
        self
    }

    /// A form whose fields are those of the same call's query string.
    pub(crate) fn takes_form(mut self) -> Self {
        let schema = |_: &mut SchemaGenerator| schemars::json_schema!({"type": "object", "additionalProperties": {"type": "string"}});
        self.takes = Some(Body { media: "application/x-www-form-urlencoded", schema });
        self
    }

    /// Refuses in a foreign protocol's words.
    pub(crate) fn refuses(mut self, schema: fn(&mut SchemaGenerator) -> Schema) -> Self {
        self.refuses = Some(schema);
        self
    }

    /// A JSON answer.
    pub(crate) fn gives<T: JsonSchema>(mut self, status: u16, text: &'static str) -> Self {
        let body = Body { media: "application/json", schema: |g| g.subschema_for::<T>() };
        self.gives.push((status, text, Some(body)));
        self
    }

    /// An answer that is text of some media type.
    pub(crate) fn gives_text(mut self, status: u16, media: &'static str, text: &'static str) -> Self {
        let body = Body { media, schema: |_| schemars::json_schema!({"type": "string"}) };
        self.gives.push((status, text, Some(body)));
        self
    }

    /// An answer without a body.
    pub(crate) fn gives_nothing(mut self, status: u16, text: &'static str) -> Self {
        self.gives.push((status, text, None));
        self
    }

    /// Leaves the route out of the OpenAPI description: pages for people, aliases.
    pub(crate) fn undescribed(mut self) -> Self {
        self.described = false;
        self
    }
}
