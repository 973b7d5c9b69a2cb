//! The query API as Prometheus' own clients see it, over this machine's real measurements.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tests::{Http, Mainstay, promtool, skip, until_async};

/// Within this the issue promises to show the machine live.
const LIVE: Duration = Duration::from_secs(15);

/// A server that measures every second, and has measured.
async fn measuring() -> (Mainstay, Http) {
    let server = Mainstay::start(&["--collect-interval", "1s"]);
    let viewer = server.http_as("viewer").await;
    until_async("two measurements of the CPU", LIVE, async || {
        let query = "/api/v1/query?query=min(count_over_time(node_cpu_seconds_total[1m]))";
        let answer = viewer.get(query).await.ok();
        let count = answer["data"]["result"][0]["value"][1].as_str()?.parse::<f64>().ok()?;
        (count >= 2.0).then_some(())
    })
    .await;
    (server, viewer)
}

#[tokio::test]
async fn this_machine_is_measured_within_fifteen_seconds() {
    let server = Mainstay::start(&[]);
    let viewer = server.http_as("viewer").await;
    for name in [
        "node_cpu_seconds_total",
        "node_load1",
        "node_memory_MemAvailable_bytes",
        "node_filesystem_avail_bytes",
        "node_network_receive_bytes_total",
        "process_resident_memory_bytes",
    ] {
        until_async(name, LIVE, async || {
            let answer = viewer.get(&format!("/api/v1/query?query={name}")).await.ok();
            assert_eq!(answer["status"], "success");
            (!answer["data"]["result"].as_array()?.is_empty()).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn the_measured_memory_is_this_machines() {
    let (_server, viewer) = measuring().await;
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap();
    let kibibytes: f64 = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap();
    let answer = viewer.get("/api/v1/query?query=node_memory_MemTotal_bytes").await.ok();
    let value: f64 = answer["data"]["result"][0]["value"][1].as_str().unwrap().parse().unwrap();
    assert_eq!(value, kibibytes * 1024.0);
}

#[tokio::test]
async fn answers_have_prometheus_shapes() {
    let (_server, viewer) = measuring().await;
    let check = async |path: &str, pointer: &str, expect: fn(&Value) -> bool| {
        let answer = viewer.get(path).await;
        let found = answer.json().pointer(pointer).cloned().unwrap_or(Value::Null);
        assert!(expect(&found), "{path}: {pointer} is {found} in {answer:?}");
    };
    check("/api/v1/query?query=1%2B1", "/data", |data| {
        data["resultType"] == "scalar" && data["result"][1] == "2"
    })
    .await;
    check("/api/v1/query?query=node_load1", "/data/resultType", |kind| kind == "vector").await;
    check("/api/v1/query?query=node_load1[1m]", "/data/resultType", |kind| kind == "matrix").await;
    check("/api/v1/query_range?query=vector(1)&start=0&end=60&step=15", "/data/result/0/values", |values| {
        values.as_array().is_some_and(|values| values.len() == 5)
    })
    .await;
    check("/api/v1/labels", "/data", |data| {
        data.as_array().is_some_and(|names| names.contains(&"mode".into()))
    })
    .await;
    check("/api/v1/label/mode/values", "/data", |data| {
        data.as_array().is_some_and(|names| names.contains(&"idle".into()))
    })
    .await;
    check("/api/v1/series?match[]=node_load1", "/data/0/__name__", |name| name == "node_load1").await;
    check("/api/v1/metadata?metric=node_load1", "/data/node_load1/0/type", |kind| kind == "gauge").await;
    check("/api/v1/query?query=sum(", "/errorType", |kind| kind == "bad_data").await;
    assert_eq!(viewer.get("/api/v1/query?query=sum(").await.status, 400);
    assert_eq!(viewer.get("/api/v1/query_range?query=1&start=0&end=1000000&step=1").await.status, 400);
}

#[tokio::test]
async fn promtool_queries() {
    let Some(promtool) = promtool() else { return skip("no promtool") };
    let (server, viewer) = measuring().await;
    // This promtool takes credentials in the URL alone: any user, with the token as the password.
    let base = server.base().replace("http://", &format!("http://promtool:{}@", viewer.token().unwrap()));
    let check = |arguments: &[&str], expect: &str| {
        let (kind, rest) = arguments.split_first().unwrap();
        let mut command = Command::new(&promtool);
        command.args(["query", kind]).args(rest);
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(text.contains(expect), "{arguments:?}: {text}");
    };
    let base = base.as_str();
    check(&["instant", base, "count(node_cpu_seconds_total{mode=\"idle\"})"], "=>");
    check(&["range", base, "node_load1"], "node_load1");
    check(&["labels", base, "mode"], "idle");
    check(&["series", base, "--match", "node_load1"], "node_load1");
}

#[tokio::test]
async fn promtool_finds_our_own_exposition_clean() {
    let Some(promtool) = promtool() else { return skip("no promtool") };
    let (server, _viewer) = measuring().await;
    let text = server.http().get("/metrics").await;
    assert_eq!(text.status, 200);
    let mut child = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    // 3 means that it was read and that names are not to the linter's taste; node_exporter's never were.
    assert!(matches!(output.status.code(), Some(0 | 3)), "{output:?}");
    let remarks = String::from_utf8_lossy(&output.stderr).into_owned();
    let ours: Vec<&str> = remarks.lines().filter(|line| line.starts_with("mainstay_")).collect();
    assert!(ours.is_empty(), "{ours:?}");
}
