//! Streams of server-sent events: they end with the right to listen, and following outlives a restart.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use futures::StreamExt as _;
use serde_json::{Value, json};
use tests::{Http, Mainstay, Ran, binary};

/// A heartbeat of five seconds, and room for a busy machine.
const AT_THE_LATEST: Duration = Duration::from_secs(20);
const STOP: Duration = Duration::from_secs(5);

/// Every stream there is, with what it needs to be asked.
const STREAMS: [&str; 5] = [
    "/api/mainstay/v1/facts/watch?after=0",
    "/api/mainstay/v1/resources/watch",
    "/api/mainstay/v1/host/watch",
    "/api/mainstay/v1/metrics/watch?query=up&interval=1h",
    "/ofrep/v1/events",
];

async fn apply(http: &Http, name: &str) {
    let text = format!(
        "apiVersion: mainstay/v1\nkind: Flag\nmetadata: {{name: {name}}}\nspec:\n  state: ENABLED\n  variants: \
         {{on: true, off: false}}\n  defaultVariant: off\n"
    );
    let body = json!({"documents": [{"file": "f.yaml", "text": text}], "reason": "a fact"});
    http.post("/api/mainstay/v1/resources/apply", &body).await.ok();
}

#[tokio::test]
async fn every_stream_of_the_description_is_known_here() {
    let server = Mainstay::start(&[]);
    let description = server.http().get("/openapi.json").await.ok();
    let paths = description["paths"].as_object().unwrap();
    let streams = paths.iter().filter(|(_, methods)| {
        methods["get"]["responses"]["200"]["content"]["text/event-stream"].is_object()
    });
    let mut streams: Vec<&str> = streams.map(|(path, _)| path.as_str()).collect();
    streams.sort_unstable();
    let mut known: Vec<&str> = STREAMS.iter().map(|path| path.split('?').next().unwrap()).collect();
    known.sort_unstable();
    assert_eq!(streams, known);
}

#[tokio::test]
async fn a_revoked_token_ends_every_stream_it_opened_and_no_other() {
    let server = Mainstay::start(&[]);
    let viewer = server.http_as("viewer").await;
    let other = server.http_as("admin").await;
    let mut open = Vec::new();
    for path in STREAMS {
        open.push((path, viewer.events(path).await));
    }
    let mut stays = other.events("/api/mainstay/v1/facts/watch").await;
    let tokens = server.local().get("/api/mainstay/v1/tokens").await.ok();
    let items = tokens["items"].as_array().unwrap();
    let id = items.iter().find(|token| token["name"] == "e2e-viewer").unwrap()["id"].as_str().unwrap();
    server.local().delete(&format!("/api/mainstay/v1/tokens/{id}")).await;
    for (path, stream) in &mut open {
        let rest = async { while stream.next().await.is_some() {} };
        let ended = tokio::time::timeout(AT_THE_LATEST, rest).await;
        assert!(ended.is_ok(), "{path} goes on though its token is revoked");
    }
    apply(&other, "heard").await;
    let heard = async { while stays.next().await.unwrap().event != "fact" {} };
    tokio::time::timeout(AT_THE_LATEST, heard).await.unwrap();
}

/// `mainstay ledger tail --follow`, killed at the end of the test.
struct Tail {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Tail {
    fn start(server: &Mainstay, arguments: &[&str]) -> Self {
        let mut command = Command::new(binary());
        command.args(["ledger", "tail", "--follow", "-o", "json", "--data-dir"]).arg(server.data());
        command.args(arguments).env_remove("MAINSTAY_URL").env_remove("MAINSTAY_TOKEN");
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self { child, lines }
    }

    /// Every subject that is printed up to and with `last`.
    fn subjects(&self, last: &str) -> Vec<String> {
        let mut subjects = Vec::new();
        while subjects.last().is_none_or(|subject| subject != last) {
            let line = self
                .lines
                .recv_timeout(AT_THE_LATEST)
                .unwrap_or_else(|_| panic!("{last} is lost: {subjects:?}"));
            let fact: Value = serde_json::from_str(&line).unwrap();
            subjects.push(fact["subject"].as_str().unwrap().to_owned());
        }
        subjects
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn whoever_reads_only_the_beginning_is_no_failure() {
    let server = Mainstay::start(&[]);
    let flag = |n: usize| {
        format!(
            "apiVersion: mainstay/v1\nkind: Flag\nmetadata: {{name: f{n}}}\nspec: {{state: ENABLED, variants: {{on: true}}, defaultVariant: on}}\n"
        )
    };
    // More than a pipe holds.
    let text: Vec<String> = (0..400).map(flag).collect();
    let body = json!({"documents": [{"file": "f.yaml", "text": text.join("---\n")}], "reason": "many"});
    server.local().post("/api/mainstay/v1/resources/apply", &body).await.ok();
    for command in
        ["ledger export", "flag list -o json", "get flags -o yaml", "query -o json {__name__=~\"node_.*\"}"]
    {
        let script = "\"$0\" --data-dir \"$1\" $2 2>&1 >&3 | cat >&2; exit 0";
        let counted = format!("({script}) 3>&1 | head -n 1");
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(counted).arg(binary()).arg(server.data()).arg(command);
        let ran = Ran::of(&mut shell);
        assert_eq!((ran.stdout.lines().count(), ran.stderr.as_str()), (1, ""), "{command}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn following_the_ledger_outlives_a_restart_and_loses_and_repeats_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("mainstay-data");
    let server = Mainstay::start_in(&data, &[]).unwrap();
    apply(&server.local(), "ä-first").await;
    let tail = Tail::start(&server, &["--chapter", "flags", "--lines", "1"]);
    assert_eq!(tail.subjects("Flag/ä-first"), ["Flag/ä-first"]);
    apply(&server.local(), "second").await;
    assert_eq!(tail.subjects("Flag/second"), ["Flag/second"]);
    server.stop(STOP);
    let server = Mainstay::start_in(&data, &[]).unwrap();
    apply(&server.local(), "third").await;
    server.kill();
    let server = Mainstay::start_in(&data, &[]).unwrap();
    apply(&server.local(), "fourth").await;
    assert_eq!(tail.subjects("Flag/fourth"), ["Flag/third", "Flag/fourth"]);
}
