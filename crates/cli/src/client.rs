//! Asking a running Mainstay: over the unix socket of the data folder, or at a URL.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::StreamExt as _;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;

use crate::print::field;
use crate::{Exit, Failure, GlobalArgs};

/// Where Mainstay's own API begins.
const BASE: &str = "/api/mainstay/v1";

/// A stream of events on which nothing comes for this long, not even one of the heartbeats of every five seconds, is
/// dead.
const SILENCE: Duration = Duration::from_secs(20);
/// Longest event of a stream, in bytes.
const MAX_EVENT: usize = 16 << 20;

/// A connection to one server.
pub(crate) struct Client {
    runtime: tokio::runtime::Runtime,
    http: reqwest::Client,
    base: String,
    token: Option<String>,
    place: String,
}

/// One call, built step by step.
pub(crate) struct Call<'a> {
    client: &'a Client,
    request: RequestBuilder,
}

// === impl Client ===

impl Client {
    /// Connects as the global arguments say.
    pub(crate) fn new(global: &GlobalArgs) -> Result<Self, Failure> {
        // Only one provider is compiled in; a second installation is refused and harmless.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| Failure::new(Exit::Bug, format!("the runtime cannot be started: {e}")))?;
        let mut builder =
            reqwest::Client::builder().user_agent(concat!("mainstay/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = &global.ca_cert {
            builder = builder.tls_certs_merge([certificate(path)?]);
        }
        let (base, place) = match &global.server {
            Some(url) => {
                let url = url.trim_end_matches('/').to_owned();
                if !url.starts_with("http://") && !url.starts_with("https://") {
                    return Err(Failure::new(
                        Exit::Usage,
                        format!("--server {url}: write http://… or https://…"),
                    ));
                }
                (url.clone(), url)
            }
            None => {
                let socket: PathBuf = global.data_dir.join("mainstay.sock");
                builder = builder.unix_socket(socket.clone());
                ("http://localhost".to_owned(), socket.display().to_string())
            }
        };
        let http = builder
            .build()
            .map_err(|e| Failure::new(Exit::Bug, format!("the client cannot be made: {e}")))?;
        Ok(Self { runtime, http, base, token: global.token.clone(), place })
    }

    /// A call of Mainstay's own API; `segments` are percent-encoded.
    pub(crate) fn call(&self, method: Method, segments: &[&str]) -> Call<'_> {
        let path: String = segments.iter().map(|segment| format!("/{}", encode(segment))).collect();
        let mut request = self.http.request(method, format!("{}{BASE}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        Call { client: self, request }
    }

    /// GET.
    pub(crate) fn get(&self, segments: &[&str]) -> Call<'_> {
        self.call(Method::GET, segments)
    }

    /// POST with a JSON body.
    pub(crate) fn post(&self, segments: &[&str], body: &Value) -> Call<'_> {
        let call = self.call(Method::POST, segments);
        Call { request: call.request.json(body), ..call }
    }

    /// Every item of a paged list.
    pub(crate) fn list(&self, segments: &[&str], query: &[(&str, String)]) -> Result<Vec<Value>, Failure> {
        let mut items = Vec::new();
        let mut page: Option<String> = None;
        loop {
            let mut call = self.get(segments);
            for (name, value) in query {
                call = call.query(name, value);
            }
            if let Some(page) = &page {
                call = call.query("page", page);
            }
            let mut body = call.json()?;
            if let Some(Value::Array(found)) = body.get_mut("items").map(Value::take) {
                items.extend(found);
            }
            match body.get("nextPage").and_then(Value::as_str) {
                Some(next) => page = Some(next.to_owned()),
                None => return Ok(items),
            }
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let mut text = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(inner) = source {
            text = format!("{text}: {inner}");
            source = inner.source();
        }
        if text.contains("certificate") {
            return Failure::new(
                Exit::Unreachable,
                format!(
                    "the certificate of {} is not trusted: {text}\n  give the certificate of its authority with --ca-cert; \
                     for a self-signed trial that is tls/self-signed.pem in the server's data folder",
                    self.place
                ),
            );
        }
        if !error.is_connect() && !error.is_timeout() {
            return Failure::new(Exit::Unreachable, format!("asking {} failed: {text}", self.place));
        }
        Failure::new(
            Exit::Unreachable,
            format!(
                "Mainstay does not answer at {}\n  start it with `mainstay serve`, or say where it is with --data-dir or \
                 --server",
                self.place
            ),
        )
    }
}

// === impl Call ===

impl Call<'_> {
    /// Adds a query parameter.
    pub(crate) fn query(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.query(&[(name, value)]);
        self
    }

    /// Adds a query parameter that may be absent.
    pub(crate) fn query_opt(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    fn send(self) -> Result<Response, Failure> {
        let Self { client, request } = self;
        let response = client.runtime.block_on(request.send()).map_err(|error| client.unreachable(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body = client.runtime.block_on(response.text()).unwrap_or_default();
        Err(refusal(status, &body))
    }

    /// The answer as JSON; null when there is none.
    pub(crate) fn json(self) -> Result<Value, Failure> {
        let text = self.text()?;
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text)
            .map_err(|e| Failure::new(Exit::Bug, format!("the answer is not JSON, is this Mainstay? {e}")))
    }

    /// The answer as text.
    pub(crate) fn text(self) -> Result<String, Failure> {
        let client = self.client;
        let response = self.send()?;
        client.runtime.block_on(response.text()).map_err(|error| client.unreachable(&error))
    }

    /// Hands the answer on piece by piece.
    pub(crate) fn stream(self, take: impl FnMut(&[u8]) -> Result<(), Failure>) -> Result<(), Failure> {
        self.pieces(None, take)
    }

    /// As [`Call::stream`]; fails when nothing comes for `silence`.
    fn pieces(
        self,
        silence: Option<Duration>,
        mut take: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let client = self.client;
        let response = self.send()?;
        client.runtime.block_on(async {
            let mut pieces = response.bytes_stream();
            loop {
                let piece = match silence {
                    Some(silence) => tokio::time::timeout(silence, pieces.next()).await.map_err(|_| {
                        let seconds = silence.as_secs();
                        Failure::new(
                            Exit::Unreachable,
                            format!("nothing came from {} for {seconds} s", client.place),
                        )
                    })?,
                    None => pieces.next().await,
                };
                match piece {
                    Some(piece) => take(&piece.map_err(|error| client.unreachable(&error))?)?,
                    None => return Ok(()),
                }
            }
        })
    }

    /// Hands on the data of each server-sent event of the given name, until the server ends the stream.
    pub(crate) fn events(
        self,
        name: &str,
        mut take: impl FnMut(Value) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut buffer: Vec<u8> = Vec::new();
        self.pieces(Some(SILENCE), |piece| {
            // A piece may end within a character, so only whole events are read as text.
            let mut seen = buffer.len().saturating_sub(1);
            buffer.extend_from_slice(piece);
            while let Some(found) =
                buffer.get(seen..).and_then(|new| new.windows(2).position(|w| w == b"\n\n"))
            {
                let bytes: Vec<u8> = buffer.drain(..seen + found + 2).collect();
                seen = 0;
                let event = String::from_utf8_lossy(&bytes);
                let field = |wanted: &str| {
                    event
                        .lines()
                        .find_map(|line| line.strip_prefix(wanted))
                        .map(|rest| rest.trim_start().to_owned())
                };
                if field("event:").as_deref() == Some(name) {
                    let data = field("data:").unwrap_or_default();
                    if let Ok(value) = serde_json::from_str(&data) {
                        take(value)?;
                    }
                }
            }
            if buffer.len() > MAX_EVENT {
                return Err(Failure::new(
                    Exit::Bug,
                    "an event of the stream does not end, is this Mainstay?",
                ));
            }
            Ok(())
        })
    }
}

fn certificate(path: &Path) -> Result<reqwest::Certificate, Failure> {
    let pem = std::fs::read(path)
        .map_err(|e| Failure::new(Exit::Configuration, format!("{} cannot be read: {e}", path.display())))?;
    reqwest::Certificate::from_pem(&pem).map_err(|e| {
        Failure::new(Exit::Configuration, format!("{} is not a certificate: {e}", path.display()))
    })
}

/// What the API said when it refused.
fn refusal(status: StatusCode, body: &str) -> Failure {
    let exit = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Exit::Denied,
        StatusCode::INTERNAL_SERVER_ERROR => Exit::Bug,
        _ => Exit::Refused,
    };
    let parsed: Value = serde_json::from_str(body).unwrap_or_default();
    // Mainstay's own shape, then Prometheus'.
    let error = field(&parsed, "/error");
    let message = field(error, "/message").as_str().or_else(|| error.as_str());
    let Some(message) = message else {
        return Failure::new(exit, format!("refused with status {status}: {}", body.trim()));
    };
    let mut text = message.to_owned();
    for problem in field(error, "/problems").as_array().into_iter().flatten() {
        let at = field(problem, "/at");
        let place = field(at, "/line").as_u64().map(|line| {
            let file =
                field(at, "/file").as_str().filter(|file| !file.is_empty()).map(|file| format!("{file}:"));
            format!("{}{line}:{}: ", file.unwrap_or_default(), field(at, "/column").as_u64().unwrap_or(1))
        });
        let hint = field(problem, "/hint").as_str().map(|hint| format!(" ({hint})")).unwrap_or_default();
        let what = field(problem, "/message").as_str().unwrap_or_default();
        text.push_str(&format!("\n  {}{what}{hint}", place.unwrap_or_default()));
    }
    if let Some(hint) = field(&parsed, "/hint").as_str() {
        text.push_str(&format!("\n  {hint}"));
    }
    Failure::new(exit, text)
}

/// Percent-encodes a path segment.
fn encode(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_shows_every_finding_with_its_place_and_hint() {
        let body = r#"{"error":{"kind":"invalid","message":"the resource is refused","problems":[
            {"message":"unknown field \"stat\"","at":{"file":"f.yaml","line":3,"column":5},"hint":"did you mean \"state\"?"}]}}"#;
        let failure = refusal(StatusCode::BAD_REQUEST, body);
        assert_eq!(
            failure.message,
            "the resource is refused\n  f.yaml:3:5: unknown field \"stat\" (did you mean \"state\"?)"
        );
        assert_eq!(failure.exit, Exit::Refused);
        assert_eq!(refusal(StatusCode::FORBIDDEN, "{}").exit, Exit::Denied);
    }

    #[test]
    fn path_segments_are_encoded() {
        assert_eq!(encode("Flag/new checkout?"), "Flag%2Fnew%20checkout%3F");
    }
}
