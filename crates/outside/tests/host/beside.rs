//! Beside node_exporter on this machine: what both expose has the same labels, type, and about the same value.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kernel::Labels;
use metrics::sample::{Family, MetricType};
use outside::host::{HostCollector, Options};
use wire::exposition::{Format, parse};

use crate::live::now;

const EXPORTER: &str = "/usr/bin/prometheus-node-exporter";

/// Ends the exporter with the test.
struct Exporter(Child, u16);

impl Drop for Exporter {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Exporter {
    fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(EXPORTER)
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--collector.netdev.device-exclude=")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self(child, port)
    }

    fn scrape(&self) -> Vec<Family> {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.1)) {
                stream
                    .write_all(b"GET /metrics HTTP/1.0\r\nAccept: text/plain;version=0.0.4\r\n\r\n")
                    .unwrap();
                let mut answer = String::new();
                stream.read_to_string(&mut answer).unwrap();
                let (_, body) = answer.split_once("\r\n\r\n").unwrap();
                return parse(body, Format::Text).unwrap();
            }
            assert!(Instant::now() < deadline, "node_exporter does not listen");
            std::thread::yield_now();
        }
    }
}

fn series(families: &[Family]) -> BTreeMap<Labels, f64> {
    families.iter().flat_map(|f| &f.samples).map(|s| (s.labels.clone(), s.value)).collect()
}

/// What only says how this run went, or is another program's.
fn is_own(name: &str) -> bool {
    !name.starts_with("node_") || name.starts_with("node_scrape_") || name.starts_with("node_exporter_")
}

/// Levels that may be anything a moment later.
fn is_restless(name: &str) -> bool {
    [
        "node_procs_",
        "node_disk_io_now",
        "node_load",
        "node_sockstat",
        "node_filefd_allocated",
        "node_nf_conntrack_entries",
    ]
    .iter()
    .any(|start| name.starts_with(start))
        || name.starts_with("node_memory_")
        || name.ends_with("CurrEstab")
}

#[test]
fn series_are_those_of_node_exporter() {
    if !Path::new(EXPORTER).exists() {
        println!(
            "SKIPPED: {EXPORTER} is not installed (Debian: prometheus-node-exporter), nothing was compared"
        );
        return;
    }
    let exporter = Exporter::start();
    exporter.scrape();
    let before = exporter.scrape();
    let collection = HostCollector::new(Options::default()).collect(now());
    let after = series(&exporter.scrape());

    let ours: BTreeMap<&str, &Family> =
        collection.families.iter().map(|f| (f.metadata.name.as_str(), f)).collect();
    let (mut families, mut compared, mut missing) = (0, 0, Vec::new());
    for theirs in before.iter().filter(|f| !is_own(&f.metadata.name)) {
        let name = theirs.metadata.name.as_str();
        let Some(our) = ours.get(name) else {
            missing.push(name);
            continue;
        };
        families += 1;
        assert_eq!(our.metadata.kind, theirs.metadata.kind, "the type of {name}");
        let our_series: BTreeMap<Labels, f64> = series(std::slice::from_ref(our));
        for (labels, low) in series(std::slice::from_ref(theirs)) {
            let Some(high) = after.get(&labels) else { continue };
            let Some(value) = our_series.get(&labels) else {
                panic!("{labels} is not among ours: {our_series:?}")
            };
            compared += 1;
            // Ours was read between theirs; one tick of the clock either way.
            let slack = 0.02 + low.abs() * 1e-9;
            let within = *value >= low.min(*high) - slack && *value <= low.max(*high) + slack;
            let rises = theirs.metadata.kind == MetricType::Counter || name.starts_with("node_vmstat");
            let about = is_restless(name) || (!rises && (value - low).abs() <= low.abs() * 0.05);
            assert!(within || about, "{labels}: ours {value}, theirs {low} and then {high}");
        }
    }
    println!("{families} families, {compared} series compared; theirs alone: {missing:?}");
    assert!(families > 100 && compared > 200, "too little was compared");
    for start in [
        "node_cpu_",
        "node_disk_",
        "node_memory_",
        "node_filesystem_",
        "node_pressure_",
        "node_netstat_",
        "node_vmstat_",
        "node_sockstat_",
    ] {
        let lacking: Vec<_> = missing.iter().filter(|name| name.starts_with(start)).collect();
        assert!(lacking.is_empty(), "we lack {lacking:?}");
    }
}
