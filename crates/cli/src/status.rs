//! `mainstay status`: this machine and what Mainstay keeps, as the console's overview shows it.

use serde_json::{Value, json};

use crate::client::Client;
use crate::print::{bytes, elapsed, field, number, percent, show, table, text};
use crate::{Failure, Output};

/// Runs the command.
pub(crate) fn run(client: &Client, output: Output) -> Result<(), Failure> {
    let status = client.get(&["status"]).json()?;
    // Just after the start the machine has not been measured yet; everything else can be shown.
    let host = client.get(&["host"]).json().unwrap_or(Value::Null);
    show(output, &json!({"status": status, "host": host}), |_| machine(&host) + &mainstay(&status))
}

fn machine(host: &Value) -> String {
    if host.is_null() {
        return "This machine has not been measured yet.\n\n".to_owned();
    }
    let mut out = format!(
        "{} · {} · {} cpus · up {}\n\n",
        text(host, "/hostname"),
        text(host, "/kernel"),
        text(host, "/cpus"),
        uptime(host)
    );
    let modes = host.pointer("/cpu/modes").and_then(Value::as_object);
    let busy: Vec<String> = modes
        .into_iter()
        .flatten()
        .filter_map(|(mode, share)| {
            share.as_f64().filter(|s| *s >= 0.0005).map(|s| format!("{mode} {}", percent(s)))
        })
        .collect();
    out.push_str(&line("CPU", &busy.join("  ")));
    let load: Vec<String> = field(host, "/load")
        .as_array()
        .into_iter()
        .flatten()
        .map(|v| format!("{:.2}", v.as_f64().unwrap_or(0.0)))
        .collect();
    out.push_str(&line("Load", &load.join("  ")));
    let pressure = |name: &str| format!("{name} {:.1}%", number(host, &format!("/pressure/{name}/some")));
    if field(host, "/pressure").is_object() {
        out.push_str(&line("Pressure", &["cpu", "memory", "io"].map(pressure).join("  ")));
    }
    let (total, available) = (number(host, "/memory/totalBytes"), number(host, "/memory/availableBytes"));
    out.push_str(&line("Memory", &format!("{} of {} used", bytes(total - available), bytes(total))));
    out.push('\n');
    out + &disks(host) + &networks(host) + &processes(host)
}

fn uptime(host: &Value) -> String {
    let seconds = |pointer: &str| {
        host.pointer(pointer).and_then(Value::as_str).and_then(|t| t.parse::<kernel::Timestamp>().ok())
    };
    match (seconds("/time"), seconds("/bootTime")) {
        (Some(now), Some(boot)) => elapsed(now.since(boot).as_secs() as f64),
        _ => "?".to_owned(),
    }
}

fn line(name: &str, value: &str) -> String {
    format!("  {name:<10}{value}\n")
}

fn rows(host: &Value, list: &str, row: impl Fn(&Value) -> Vec<String>) -> Vec<Vec<String>> {
    host[list].as_array().into_iter().flatten().map(row).collect()
}

fn disks(host: &Value) -> String {
    let spaces = rows(host, "filesystems", |f| {
        let (size, free) = (number(f, "/sizeBytes"), number(f, "/availableBytes"));
        let used = if size > 0.0 { percent(1.0 - free / size) } else { String::new() };
        vec![text(f, "/mountpoint"), text(f, "/device"), bytes(size), bytes(free), used]
    });
    let flows = rows(host, "disks", |d| {
        vec![
            text(d, "/device"),
            format!("{}/s", bytes(number(d, "/readBytesPerSecond"))),
            format!("{}/s", bytes(number(d, "/writeBytesPerSecond"))),
            percent(number(d, "/busyFraction")),
            format!("{:.1} ms", number(d, "/readLatencySeconds") * 1_000.0),
            format!("{:.1} ms", number(d, "/writeLatencySeconds") * 1_000.0),
        ]
    });
    table(&["mount", "device", "size", "free", "used"], &spaces, "no file systems")
        + "\n"
        + &table(&["disk", "read", "write", "busy", "read latency", "write latency"], &flows, "no disks")
        + "\n"
}

fn networks(host: &Value) -> String {
    let flows = rows(host, "networks", |n| {
        vec![
            text(n, "/interface"),
            format!("{}/s", bytes(number(n, "/receiveBytesPerSecond"))),
            format!("{}/s", bytes(number(n, "/transmitBytesPerSecond"))),
            format!("{:.1}/s", number(n, "/errorsPerSecond")),
        ]
    });
    table(&["interface", "receive", "transmit", "errors"], &flows, "no networks") + "\n"
}

fn processes(host: &Value) -> String {
    let mut top = rows(host, "processes", |p| {
        vec![
            text(p, "/pid"),
            text(p, "/name"),
            text(p, "/user"),
            percent(number(p, "/cpuFraction")),
            bytes(number(p, "/residentBytes")),
        ]
    });
    top.truncate(8);
    table(&["pid", "process", "user", "cpu", "memory"], &top, "no processes") + "\n"
}

fn mainstay(status: &Value) -> String {
    let mut out = format!(
        "Mainstay {} · up {} · {} resident · {}\n",
        text(status, "/version"),
        elapsed(number(status, "/uptimeSeconds")),
        bytes(number(status, "/process/residentBytes")),
        text(status, "/dataDir")
    );
    out.push_str(&line(
        "Ledger",
        &format!("{} facts, {}", text(status, "/ledger/head"), bytes(number(status, "/ledger/bytes"))),
    ));
    let dead = number(status, "/ledger/dead");
    if dead > 0.0 {
        out.push_str(&line("Given up", &format!("{dead} deliveries; see GET /api/mainstay/v1/outbox/dead")));
    }
    out.push_str(&line(
        "Store",
        &format!(
            "{} series, {} samples since the start, {} blocks, {}",
            text(status, "/store/series"),
            text(status, "/store/samples"),
            text(status, "/store/blocks"),
            bytes(number(status, "/store/bytes") + number(status, "/store/walBytes"))
        ),
    ));
    for run in field(status, "/collectors").as_array().into_iter().flatten() {
        if let Some(error) = field(run, "/error").as_str() {
            out.push_str(&line("Failing", &format!("{}: {error}", text(run, "/name"))));
        }
    }
    if let Some(error) = status.pointer("/resources/error").and_then(Value::as_str) {
        out.push_str(&line("Resources", error));
    }
    for drift in status.pointer("/resources/drift").and_then(Value::as_array).into_iter().flatten() {
        out.push_str(&line("Drift", &text(drift, "/key")));
    }
    out
}
