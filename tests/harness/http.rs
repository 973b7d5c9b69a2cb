//! HTTP as a test wants it: a status and a body, whatever they are.

use std::path::Path;
use std::sync::Once;

use futures::StreamExt as _;
use reqwest::{Client, ClientBuilder, Method, RequestBuilder};
use serde_json::Value;

/// A client of one server.
#[derive(Clone, Debug)]
pub struct Http {
    base: String,
    client: Client,
    token: Option<String>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: reqwest::header::HeaderMap,
    /// The body.
    pub text: String,
}

// === impl Http ===

impl Http {
    /// A client without credentials, that follows no redirects.
    pub fn new(base: &str) -> Self {
        Self { base: base.to_owned(), client: builder().build().unwrap(), token: None }
    }

    /// A client that reaches a server through its unix socket.
    pub fn over_socket(socket: &Path) -> Self {
        let client = builder().unix_socket(socket).build().unwrap();
        Self { base: "http://localhost".to_owned(), client, token: None }
    }

    /// The same with a bearer token.
    pub fn with_token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// The token, where there is one.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// A request to a path, with the credentials on it.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    /// POST with a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(body)).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, path)).await
    }

    /// Opens a stream of server-sent events; each is its `event`, `id` and `data`.
    pub async fn events(&self, path: &str) -> impl futures::Stream<Item = Event> + Unpin + use<> {
        let response =
            self.request(Method::GET, path).header("accept", "text/event-stream").send().await.unwrap();
        assert_eq!(response.status().as_u16(), 200, "{path}");
        let bytes = response.bytes_stream();
        let events = futures::stream::unfold((bytes, String::new()), |(mut bytes, mut text)| async move {
            loop {
                if let Some((block, rest)) = text.split_once("\n\n") {
                    let event = Event::parse(block);
                    let rest = rest.to_owned();
                    return Some((event, (bytes, rest)));
                }
                let chunk = bytes.next().await?.ok()?;
                text += &String::from_utf8_lossy(&chunk).replace("\r\n", "\n");
            }
        });
        Box::pin(events)
    }
}

/// No redirects are followed, no proxy is asked, and any certificate is good: the server is our own.
fn builder() -> ClientBuilder {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Somebody else of this process may have chosen before; any provider will do here.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().danger_accept_invalid_certs(true)
}

/// One server-sent event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Its name; empty for a comment.
    pub event: String,
    /// Its id, to resume after.
    pub id: String,
    /// Its data.
    pub data: String,
}

impl Event {
    fn parse(block: &str) -> Self {
        let mut event = Self::default();
        for line in block.lines() {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => event.event = value.to_owned(),
                "id" => event.id = value.to_owned(),
                "data" => {
                    if !event.data.is_empty() {
                        event.data.push('\n');
                    }
                    event.data += value;
                }
                _ => {}
            }
        }
        event
    }
}

// === impl Answer ===

impl Answer {
    /// Sends a request and reads the whole answer.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, text: response.text().await.unwrap() }
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The body as JSON, when the request succeeded.
    ///
    /// # Panics
    /// When it did not.
    pub fn ok(&self) -> Value {
        assert!((200..300).contains(&self.status), "{self:?}");
        self.json()
    }

    /// A header's value; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }
}
