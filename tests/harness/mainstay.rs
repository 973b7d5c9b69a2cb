//! The real binary: a server of its own data folder, and commands against it.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::parts::profile;
use crate::{Http, until};

/// How long a start may take before the test gives up. The promise (under a second) is a test of its own.
const START_LIMIT: Duration = Duration::from_secs(20);

/// The binary as `cargo build --workspace --bins` left it beside this test.
///
/// # Panics
/// When it is not there.
pub fn binary() -> PathBuf {
    let path = profile().join("mainstay");
    assert!(path.is_file(), "{} is missing: run `cargo build --workspace --bins` first", path.display());
    path
}

/// A running server.
#[derive(Debug)]
pub struct Mainstay {
    child: Child,
    data: PathBuf,
    /// A folder of our own, kept until the server is gone.
    folder: Option<TempDir>,
    printed: Arc<Printed>,
    base: String,
    took: Duration,
}

/// A server that ended instead of starting.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code.
    pub code: Option<i32>,
    /// Everything it printed.
    pub printed: String,
}

/// A command that ran to its end.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

// === impl Mainstay ===

impl Mainstay {
    /// Starts with a fresh data folder and `arguments` beside the usual ones.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("mainstay-data");
        let mut started =
            Self::start_in(&data, arguments).unwrap_or_else(|ended| panic!("it did not start: {ended:?}"));
        started.folder = Some(folder);
        started
    }

    /// Starts in a folder that the caller keeps.
    ///
    /// # Errors
    /// It ended before it listened.
    pub fn start_in(data: &Path, arguments: &[&str]) -> Result<Self, Ended> {
        let mut command = Command::new(binary());
        command.arg("serve").arg("--data-dir").arg(data);
        if !arguments.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        command.args(arguments).env_remove("MAINSTAY_URL").env_remove("MAINSTAY_TOKEN");
        let began = Instant::now();
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let printed = Arc::new(Printed::default());
        printed.read(child.stdout.take().unwrap());
        printed.read(child.stderr.take().unwrap());
        let Some(base) = printed.await_address(START_LIMIT) else {
            if child.try_wait().unwrap().is_none() && !printed.has_ended() {
                child.kill().unwrap();
            }
            let code = child.wait().unwrap().code();
            return Err(Ended { code, printed: printed.text() });
        };
        Ok(Self { child, data: data.to_owned(), folder: None, printed, base, took: began.elapsed() })
    }

    /// `http://127.0.0.1:PORT` as it printed it.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// How long it took from its start until it said where it listens.
    pub fn took(&self) -> Duration {
        self.took
    }

    /// Its data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has printed.
    pub fn printed(&self) -> String {
        self.printed.text()
    }

    /// The one-time sign-in link that a first start prints.
    ///
    /// # Panics
    /// When it prints none.
    pub fn link(&self) -> String {
        until("the sign-in link", START_LIMIT, || {
            let text = self.printed.text();
            text.split_whitespace().find(|word| word.contains("/sign-in?link=")).map(str::to_owned)
        })
    }

    /// An HTTP client without credentials.
    pub fn http(&self) -> Http {
        Http::new(&self.base)
    }

    /// An HTTP client over the unix socket, where the peer's user says who asks: the administrator.
    pub fn local(&self) -> Http {
        Http::over_socket(&self.data.join("mainstay.sock"))
    }

    /// An HTTP client with a fresh token of that role.
    ///
    /// # Panics
    /// When no token is given.
    pub async fn http_as(&self, role: &str) -> Http {
        let body = serde_json::json!({"name": format!("e2e-{role}"), "role": role, "ttl": "1h"});
        let made = self.local().post("/api/mainstay/v1/tokens", &body).await.ok();
        self.http().with_token(made["token"].as_str().unwrap_or_else(|| panic!("no token in {made}")))
    }

    /// Runs a command against this server, through its unix socket.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_in(self.data.parent().unwrap(), arguments)
    }

    /// As [`Mainstay::run`], in a folder.
    pub fn run_in(&self, folder: &Path, arguments: &[&str]) -> Ran {
        let mut command = Command::new(binary());
        command.args(arguments).arg("--data-dir").arg(&self.data).current_dir(folder);
        Ran::of(&mut command)
    }

    /// Asks it to end (SIGTERM) and waits; answers how it ended and how long that took.
    ///
    /// # Panics
    /// When it does not end within `limit`.
    pub fn stop(mut self, limit: Duration) -> (ExitStatus, Duration) {
        let began = Instant::now();
        let id = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(id, Signal::TERM).unwrap();
        let status = until("the end after SIGTERM", limit, || self.child.try_wait().unwrap());
        (status, began.elapsed())
    }

    /// Ends it at once (SIGKILL), as a power failure would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Mainstay {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the server printed:\n{}", self.printed.text());
        }
    }
}

// === impl Ran ===

impl Ran {
    /// Runs a command to its end, without our own settings in its environment.
    pub fn of(command: &mut Command) -> Self {
        let output = command
            .env_remove("MAINSTAY_URL")
            .env_remove("MAINSTAY_TOKEN")
            .env("NO_COLOR", "1")
            .env("COLUMNS", "120")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs the binary by itself, without a server.
    pub fn alone(arguments: &[&str]) -> Self {
        Self::of(Command::new(binary()).args(arguments))
    }

    /// Its standard output, when it ended well.
    ///
    /// # Panics
    /// When it did not.
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }
}

/// What a server prints, line by line.
#[derive(Debug, Default)]
struct Printed {
    state: Mutex<PrintedState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct PrintedState {
    text: String,
    open: usize,
}

impl Printed {
    fn read(self: &Arc<Self>, stream: impl Read + Send + 'static) {
        self.state.lock().open += 1;
        let printed = Arc::clone(self);
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                let mut state = printed.state.lock();
                state.text += &line;
                state.text.push('\n');
                printed.changed.notify_all();
            }
            printed.state.lock().open -= 1;
            printed.changed.notify_all();
        });
    }

    fn text(&self) -> String {
        self.state.lock().text.clone()
    }

    fn has_ended(&self) -> bool {
        self.state.lock().open == 0
    }

    /// The first `http(s)://ADDRESS` that is printed; none when the program ends or says nothing.
    fn await_address(&self, limit: Duration) -> Option<String> {
        let began = Instant::now();
        let mut state = self.state.lock();
        loop {
            if let Some(address) = address(&state.text) {
                return Some(address);
            }
            if state.open == 0 || began.elapsed() >= limit {
                return None;
            }
            self.changed.wait_for(&mut state, limit.saturating_sub(began.elapsed()));
        }
    }
}

fn address(text: &str) -> Option<String> {
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let at = whole.find("http://127.").or_else(|| whole.find("https://127."))?;
    let rest = &whole[at..];
    let host = rest.find("://")? + 3;
    let end = rest[host..].find(|c: char| c == '/' || c.is_whitespace()).map_or(rest.len(), |n| host + n);
    Some(rest[..end].to_owned())
}
