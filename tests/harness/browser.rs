//! A real Chromium, driven through chromedriver.
//!
//! Both are started for one test, with a profile of their own, and end with it. Whatever the browser complains about
//! (script errors, refused or failed requests, policy violations) is collected and fails the test in
//! [`Browser::close`].

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;

pub use fantoccini::Locator;

use crate::parts::{program, target};
use crate::until_async;

/// How long a page may take to show what a test waits for.
const PATIENCE: Duration = Duration::from_secs(20);

/// What keeps Chromium from talking to anybody but the server under test, and from needing a screen.
const FLAGS: &[&str] = &[
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-dev-shm-usage",
    "--disable-default-apps",
    "--no-default-browser-check",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
];

/// How a page is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Width of the window in CSS pixels.
    pub width: u32,
    /// Height of the window in CSS pixels.
    pub height: u32,
    /// Whether dark colours are preferred.
    pub dark: bool,
}

/// A browser with one window.
#[derive(Debug)]
pub struct Browser {
    client: Client,
    chrome: reqwest::Client,
    session: String,
    complaints: Vec<String>,
    _driver: Driver,
}

/// A chromedriver of our own.
#[derive(Debug)]
struct Driver {
    child: Child,
    address: String,
    /// The browser's profile; kept until the driver is gone.
    profile: TempDir,
}

// === impl Browser ===

impl Browser {
    /// Starts one; none where Chromium or chromedriver is missing.
    ///
    /// # Panics
    /// When they are there and do not start.
    pub async fn start() -> Option<Self> {
        let chromium = program("chromium").or_else(|| program("google-chrome"))?;
        let driver = Driver::start(program("chromedriver")?).await;
        let mut flags: Vec<String> = FLAGS.iter().map(|flag| (*flag).to_owned()).collect();
        flags.push(format!("--user-data-dir={}", driver.profile.path().display()));
        let capabilities = json!({
            "browserName": "chrome",
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"binary": chromium, "args": flags},
        });
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities.as_object().unwrap().clone().into_iter().collect())
            .connect(&driver.address)
            .await
            .unwrap();
        let session = client.session_id().await.unwrap().unwrap();
        let chrome = reqwest::Client::builder().no_proxy().build().unwrap();
        let browser = Self { client, chrome, session, complaints: Vec::new(), _driver: driver };
        browser.look(Look { width: 1440, height: 900, dark: false }).await;
        Some(browser)
    }

    /// Everything that WebDriver knows.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Goes to a URL.
    pub async fn goto(&mut self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// Sets the window's size and the preferred colours.
    pub async fn look(&self, look: Look) {
        let size =
            json!({"width": look.width, "height": look.height, "deviceScaleFactor": 1, "mobile": false});
        self.chrome_command("Emulation.setDeviceMetricsOverride", size).await;
        let scheme = if look.dark { "dark" } else { "light" };
        let media = json!({"features": [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]});
        self.chrome_command("Emulation.setEmulatedMedia", media).await;
    }

    /// Runs a script in the page and gives its `return` back.
    pub async fn script(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// Waits until a script's `return` is true-like, and gives it back.
    ///
    /// # Panics
    /// When that does not happen; says what the page shows then.
    pub async fn wait(&self, what: &str, script: &str) -> Value {
        self.wait_within(PATIENCE, what, script).await
    }

    /// As [`Browser::wait`], with another patience.
    pub async fn wait_within(&self, limit: Duration, what: &str, script: &str) -> Value {
        let mut last = Value::Null;
        let found = tokio::time::timeout(
            limit,
            until_async(what, limit * 2, async || {
                // While a page is being replaced there is nothing to ask; the next page answers.
                last = self.client.execute(script, Vec::new()).await.ok()?;
                let empty = matches!(&last, Value::Null | Value::Bool(false))
                    || last == json!("")
                    || last == json!(0);
                (!empty).then(|| last.clone())
            }),
        );
        match found.await {
            Ok(value) => value,
            Err(_) => panic!("{what}: not within {limit:?}; the page shows:\n{}", self.text().await),
        }
    }

    /// What the page shows, as text.
    pub async fn text(&self) -> String {
        let text =
            self.client.execute("return document.body ? document.body.innerText : ''", Vec::new()).await;
        text.ok().and_then(|text| text.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// The path and query of where the browser is.
    pub async fn path(&self) -> String {
        let url = self.client.current_url().await.unwrap();
        url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
    }

    /// Writes a picture of the window to `target/screens/NAME.png`.
    pub async fn screenshot(&self, name: &str) -> PathBuf {
        let picture = self.client.screenshot().await.unwrap();
        let folder = target().join("screens");
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("{name}.png"));
        std::fs::write(&path, picture).unwrap();
        path
    }

    /// Takes what the browser has complained about since last time, and keeps it for [`Browser::close`] unless the
    /// test expects it.
    pub async fn complaints(&mut self) -> Vec<String> {
        let url = format!("{}/session/{}/se/log", self._driver.address, self.session);
        let answer = self.chrome.post(url).json(&json!({"type": "browser"})).send().await.unwrap();
        let entries: Value = answer.json().await.unwrap();
        let entries = entries["value"].as_array().cloned().unwrap_or_default();
        entries
            .iter()
            .filter(|entry| entry["level"] == "SEVERE" || entry["level"] == "WARNING")
            .map(|entry| {
                format!(
                    "{} {}",
                    entry["level"].as_str().unwrap_or(""),
                    entry["message"].as_str().unwrap_or("")
                )
            })
            .collect()
    }

    /// Keeps the complaints so far, saying where they arose.
    pub async fn note_complaints(&mut self, place: &str) {
        let fresh = self.complaints().await;
        self.complaints.extend(fresh.into_iter().map(|complaint| format!("{place}: {complaint}")));
    }

    /// Ends the browser.
    ///
    /// # Panics
    /// When it complained about anything.
    pub async fn close(mut self) {
        self.note_complaints("at the end").await;
        self.client.clone().close().await.unwrap();
        assert!(self.complaints.is_empty(), "the browser complains:\n{}", self.complaints.join("\n"));
    }

    /// Sends a command of Chromium's own protocol.
    pub async fn chrome_command(&self, command: &str, parameters: Value) -> Value {
        let url = format!("{}/session/{}/goog/cdp/execute", self._driver.address, self.session);
        let body = json!({"cmd": command, "params": parameters});
        let answer = self.chrome.post(url).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{command}: {answer:?}");
        answer.json::<Value>().await.unwrap()["value"].clone()
    }
}

// === impl Driver ===

impl Driver {
    async fn start(program: PathBuf) -> Self {
        // The port is free now and chromedriver takes it at once; a test that loses that race fails loudly.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let profile = tempfile::tempdir().unwrap();
        let child = Command::new(program)
            .arg(format!("--port={port}"))
            .env("HOME", profile.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let driver = Self { child, address: format!("http://127.0.0.1:{port}"), profile };
        crate::Http::new(&driver.address);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        until_async("chromedriver", PATIENCE, async || {
            let answer = client.get(format!("{}/status", driver.address)).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
        driver
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // A driver told to shut down closes its browser; one that is killed would leave it behind.
        let _ = shut_down(&self.address);
        let gone = (0..100).any(|_| {
            std::thread::park_timeout(Duration::from_millis(20));
            matches!(self.child.try_wait(), Ok(Some(_)))
        });
        if !gone {
            // Nothing is left to do when it cannot be killed.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// `GET /shutdown`, by hand: a destructor can await nothing.
fn shut_down(address: &str) -> std::io::Result<()> {
    use std::io::{Read as _, Write as _};
    let host = address.trim_start_matches("http://");
    let mut stream = std::net::TcpStream::connect(host)?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    write!(stream, "GET /shutdown HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    stream.read_to_end(&mut Vec::new()).map(|_| ())
}
