//! Starting, stopping, and what is said when it cannot.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use tests::{Ended, Http, Mainstay, Ran, binary, skip};

/// The promise of the first page of the documentation.
const START: Duration = Duration::from_secs(1);
/// The promise for SIGTERM.
const STOP: Duration = Duration::from_secs(5);
/// How often the server is killed under load.
const KILLS: usize = 20;

#[test]
fn it_starts_within_a_second_the_first_time_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("mainstay-data");
    // Other tests run beside this one; the promise is about the program, so the best of three counts.
    let mut took = Vec::new();
    for _ in 0..3 {
        let server = Mainstay::start_in(&data, &[]).unwrap();
        took.push(server.took());
        server.stop(STOP);
    }
    assert!(took.iter().min().unwrap() < &START, "{took:?}");
}

#[tokio::test]
async fn a_link_is_given_until_somebody_has_signed_in() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("mainstay-data");
    let first = Mainstay::start_in(&data, &[]).unwrap();
    assert!(first.link().starts_with(first.base()), "{}", first.printed());
    first.stop(STOP);
    let second = Mainstay::start_in(&data, &[]).unwrap();
    let link = second.link();
    let body = json!({"link": link.split("link=").nth(1).unwrap()});
    second.http().post("/api/mainstay/v1/session", &body).await.ok();
    second.stop(STOP);
    let third = Mainstay::start_in(&data, &[]).unwrap();
    assert!(third.printed().contains(third.base()));
    assert!(!third.printed().contains("link="), "{}", third.printed());
}

#[tokio::test]
async fn sigterm_drains_and_ends_within_five_seconds_though_somebody_listens() {
    let server = Mainstay::start(&[]);
    let admin = server.http_as("admin").await;
    let _facts = admin.events("/api/mainstay/v1/facts/watch").await;
    let _host = admin.events("/api/mainstay/v1/host/watch").await;
    let (status, took) = server.stop(STOP);
    assert_eq!(status.code(), Some(0));
    assert!(took < STOP, "{took:?}");
}

/// Starts, and expects an end with that code and a message that holds each of the texts.
fn check_refusal(data: &Path, arguments: &[&str], code: i32, texts: &[&str]) {
    let Err(Ended { code: ended, printed }) = Mainstay::start_in(data, arguments) else {
        panic!("{arguments:?}: it started");
    };
    assert_eq!(ended, Some(code), "{arguments:?}: {printed}");
    for text in texts {
        assert!(printed.contains(text), "{arguments:?}: {printed} lacks {text}");
    }
}

#[test]
fn a_port_in_use_is_said_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    check_refusal(&folder.path().join("data"), &["--listen", &address], 11, &[&address, "--listen"]);
}

#[test]
fn a_locked_data_folder_is_said_with_who_holds_it() {
    let server = Mainstay::start(&[]);
    check_refusal(server.data(), &[], 12, &[&server.id().to_string(), "--data-dir"]);
}

#[test]
fn a_data_folder_that_cannot_be_made_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "in the way").unwrap();
    check_refusal(&file.join("data"), &[], 13, &["file/data", "--data-dir"]);
}

/// A disk without room, in a mount that only this one process sees.
#[test]
fn a_full_disk_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=64k none \"$1\" || exit 99; exec \"$2\" serve --listen 127.0.0.1:0 --data-dir \"$1/data\"";
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "sh", "-c", script, "sh"]).arg(folder.path()).arg(binary());
    let ran = Ran::of(&mut unshare);
    if matches!(ran.code, Some(1 | 99)) {
        return skip("a mount of one's own needs root: no full disk");
    }
    assert_eq!(ran.code, Some(13), "{ran:?}");
    for text in ["space", "--data-dir"] {
        assert!(ran.stderr.contains(text), "{ran:?} lacks {text}");
    }
}

#[test]
fn a_wrong_configuration_is_said_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let config = folder.path().join("mainstay.yaml");
    let config_path = config.to_str().unwrap();
    check_refusal(&data, &["--config", config_path], 10, &["mainstay.yaml", "--config"]);
    std::fs::write(&config, "collectInterval: 5s\nretension: 3d\n").unwrap();
    check_refusal(&data, &["--config", config_path], 10, &["mainstay.yaml:2:1", "retention"]);
    assert!(!data.join("ledger").exists(), "a wrong configuration leaves nothing behind");
}

#[test]
fn listening_beyond_loopback_needs_tls_or_a_plain_word() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    check_refusal(&data, &["--listen", "0.0.0.0:0"], 10, &["--tls", "--insecure-http"]);
}

#[test]
fn a_wrong_command_line_is_said_with_what_was_meant() {
    let ran = Ran::alone(&["serve", "--lisen", "127.0.0.1:0"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("--listen"), "{ran:?}");
}

#[test]
fn a_command_without_a_server_says_how_to_start_one() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("nowhere");
    let ran = Ran::alone(&["status", "--data-dir", data.to_str().unwrap()]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.stderr.contains("mainstay serve"), "{ran:?}");
}

/// Applies flags one after the other until the server is gone; answers the names that were acknowledged.
async fn write_until_killed(http: Http, round: usize) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for number in 0.. {
        let name = format!("k{round}-{number}");
        let text = format!(
            "apiVersion: mainstay/v1\nkind: Flag\nmetadata: {{name: {name}}}\nspec:\n  state: ENABLED\n  \
             variants: {{on: true, off: false}}\n  defaultVariant: off\n"
        );
        let body = json!({"documents": [{"file": "k.yaml", "text": text}], "reason": "kill test"});
        let request = http.request(reqwest::Method::POST, "/api/mainstay/v1/resources/apply").json(&body);
        match request.send().await {
            Ok(answer) if answer.status().is_success() => acknowledged.push(name),
            Ok(answer) => panic!("{name}: {answer:?}"),
            Err(_) => break,
        }
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigkill_under_load_loses_nothing_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("mainstay-data");
    let mut server = Mainstay::start_in(&data, &[]).unwrap();
    let token = server.http_as("operator").await.token().unwrap().to_owned();
    let mut acknowledged = Vec::new();
    for round in 0..KILLS {
        let writer = tokio::spawn(write_until_killed(server.http().with_token(&token), round));
        // Not for luck: where the kill falls is meant to differ from round to round.
        tokio::time::sleep(Duration::from_millis(5 + 13 * u64::try_from(round).unwrap())).await;
        server.kill();
        acknowledged.extend(writer.await.unwrap());
        server = Mainstay::start_in(&data, &[]).unwrap();
    }
    assert!(acknowledged.len() > KILLS, "only {} writes were acknowledged", acknowledged.len());
    let http = server.http().with_token(&token);
    for name in &acknowledged {
        let answer = http.get(&format!("/api/mainstay/v1/resources/Flag/{name}")).await;
        assert_eq!(answer.status, 200, "{name} was acknowledged and is gone: {answer:?}");
    }
    let verified = http.post("/api/mainstay/v1/ledger/verify", &json!({})).await.ok();
    assert_eq!(verified["ok"], true, "{verified}");
    std::io::stderr()
        .write_all(format!("{} writes, {KILLS} kills\n", acknowledged.len()).as_bytes())
        .unwrap();
}
