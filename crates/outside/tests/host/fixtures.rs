//! A small machine as files: what is exposed for it, to the letter.

use std::path::{Path, PathBuf};

use kernel::{Span, Timestamp};
use outside::host::{Collection, HostCollector, Options};
use wire::exposition::{Format, encode};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn start() -> Timestamp {
    Timestamp::from_secs(1_700_001_000)
}

/// The exposition, without how long each collector took.
fn exposed(collection: &Collection) -> String {
    let mut families = collection.families.clone();
    families.retain(|family| family.metadata.name != "node_scrape_collector_duration_seconds");
    encode(&families, Format::Text)
}

/// Holds `found` against a file beside the fixture; `MAINSTAY_BLESS=1` writes the file instead.
fn check(name: &str, found: &str) {
    let path = fixture(name);
    if std::env::var_os("MAINSTAY_BLESS").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    let differing = found.lines().zip(expected.lines()).find(|(a, b)| a != b);
    assert!(found == expected, "{name} differs, first at (found, expected) {differing:?}\n{found}");
}

/// A copy of the fixture that a test may change.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_small_machine_is_exposed_to_the_letter() {
    let mut collector = HostCollector::new(Options { root: fixture("small") });
    check("small.metrics", &exposed(&collector.collect(start())));
}

#[test]
fn the_snapshot_shows_levels_and_rates() {
    let folder = tempfile::tempdir().unwrap();
    copy(&fixture("small"), folder.path());
    let write = |path: &str, text: &str| std::fs::write(folder.path().join(path), text).unwrap();
    let mut collector = HostCollector::new(Options { root: folder.path().to_owned() });
    let first = collector.collect(start());
    let shown = |collection: &Collection| {
        let mut value = serde_json::to_value(&collection.snapshot).unwrap();
        // Owners of the fixture's files are whoever checked them out.
        for process in value["processes"].as_array_mut().unwrap() {
            process.as_object_mut().unwrap().remove("user");
        }
        serde_json::to_string_pretty(&value).unwrap() + "\n"
    };
    check("small.first.json", &shown(&first));

    // Ten seconds later: both processors half busy; one disk and the network at work; one process gone, one new.
    write(
        "proc/stat",
        "cpu0 300 1 120 5500 130 0 2 1 10 0\ncpu2 500 2 140 4600 10 0 4 1 0 0\nbtime 1700000000\n",
    );
    write("proc/diskstats", "8 0 sda 200 5 22528 1500 100 3 8192 1000 1 5900 6300\n");
    write("proc/net/dev", "eth0: 15000000 4000 1 2 0 0 0 3 1600000 3000 14 0 0 0 0 0\n");
    write(
        "proc/200/stat",
        "200 (db) S 1 1 1 0 -1 4194304 5 0 1 0 1200 800 0 0 20 0 8 0 40000 209715200 5120 0\n",
    );
    std::fs::remove_dir_all(folder.path().join("proc/101")).unwrap();
    std::fs::create_dir(folder.path().join("proc/300")).unwrap();
    write("proc/300/stat", "300 (job) R 1 1 1 0 -1 4194304 0 0 0 0 150 50 0 0 20 0 1 0 100500 1000 10 0\n");
    let second = collector.collect(start() + Span::from_secs(10));
    check("small.second.json", &shown(&second));
    let groups: Vec<String> = exposed(&second)
        .lines()
        .filter(|line| line.starts_with("namedprocess_namegroup_cpu_seconds_total"))
        .map(str::to_owned)
        .collect();
    // What ended is not taken back; what is new counts from its start.
    assert_eq!(groups.iter().filter(|line| line.contains("\"job\"")).count(), 2, "{groups:?}");
    assert!(
        groups.contains(
            &"namedprocess_namegroup_cpu_seconds_total{groupname=\"db\",mode=\"user\"} 7".to_owned()
        ),
        "{groups:?}"
    );
    assert!(
        groups.contains(
            &"namedprocess_namegroup_cpu_seconds_total{groupname=\"job\",mode=\"user\"} 1.5".to_owned()
        ),
        "{groups:?}"
    );
}

#[test]
fn a_broken_file_fails_its_collector_alone() {
    let folder = tempfile::tempdir().unwrap();
    copy(&fixture("small"), folder.path());
    for (path, text, collector, error) in [
        ("proc/stat", "intr x\n", "cpu", "/proc/stat: `intr` has no number"),
        ("proc/stat", "ctxt 1\n", "cpu", "/proc/stat: there is no line of a processor"),
        (
            "proc/meminfo",
            "MemTotal: lots\n",
            "meminfo",
            "/proc/meminfo: `MemTotal: lots` is not `name: number [kB]`",
        ),
        (
            "proc/diskstats",
            "8 0 sda 1 2\n",
            "diskstats",
            "/proc/diskstats: `8 0 sda 1 2` is not a device and its numbers",
        ),
        (
            "proc/net/dev",
            "eth0: 1 2\n",
            "netdev",
            "/proc/net/dev: `eth0: 1 2` is not an interface and its numbers",
        ),
        (
            "proc/net/snmp",
            "Tcp: A\nUdp: 1\n",
            "netstat",
            "/proc/net/snmp: `Tcp: A` is not followed by its numbers",
        ),
        (
            "proc/net/sockstat",
            "TCP: inuse x\n",
            "sockstat",
            "/proc/net/sockstat: `TCP: inuse x` is not a protocol and its numbers",
        ),
        ("proc/pressure/io", "some avg10=x\n", "pressure", "/proc/pressure/io: `some` has no number `avg10`"),
        ("proc/loadavg", "\n", "loadavg", "/proc/loadavg: it does not start with three numbers"),
        ("proc/1/mounts", "x\n", "filesystem", "/proc/1/mounts: `x` is not a mount"),
        ("proc/vmstat", "pgfault x\n", "vmstat", "/proc/vmstat: `pgfault` has no number"),
        ("proc/sys/fs/file-nr", "1 2\n", "filefd", "/proc/sys/fs/file-nr: it does not hold three numbers"),
    ] {
        let before = std::fs::read(folder.path().join(path)).unwrap();
        std::fs::write(folder.path().join(path), text).unwrap();
        let collection = HostCollector::new(Options { root: folder.path().to_owned() }).collect(start());
        let failed: Vec<(&str, &str)> =
            collection.runs.iter().filter_map(|run| Some((run.name, run.error.as_deref()?))).collect();
        assert_eq!(failed, [(collector, error)], "{path}");
        let success = format!("node_scrape_collector_success{{collector=\"{collector}\"}} 0\n");
        assert!(exposed(&collection).contains(&success), "{path}");
        std::fs::write(folder.path().join(path), before).unwrap();
    }
}

#[test]
fn a_machine_without_anything_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("proc")).unwrap();
    let collection = HostCollector::new(Options { root: folder.path().to_owned() }).collect(start());
    assert!(collection.runs.iter().all(|run| run.error.is_none()), "{:?}", collection.runs);
    assert!(exposed(&collection).contains("node_time_seconds 1700001000\n"));
    assert_eq!((collection.snapshot.hostname.as_str(), collection.snapshot.cpus), ("", 0));
}

#[test]
fn processor_counters_never_run_backwards() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("proc")).unwrap();
    let mut collector = HostCollector::new(Options { root: folder.path().to_owned() });
    let mut seconds = |line: &str| {
        std::fs::write(folder.path().join("proc/stat"), line).unwrap();
        let text = exposed(&collector.collect(start()));
        let of = |mode: &str| {
            let name = format!("node_cpu_seconds_total{{cpu=\"0\",mode=\"{mode}\"}} ");
            text.lines().find_map(|line| line.strip_prefix(&name)?.parse::<f64>().ok()).unwrap()
        };
        (of("idle"), of("iowait"))
    };
    assert_eq!(seconds("cpu0 0 0 0 1000 500\n"), (10.0, 5.0));
    assert_eq!(seconds("cpu0 0 0 0 1100 480\n"), (11.0, 5.0), "I/O wait was taken back a little");
    assert_eq!(seconds("cpu0 0 0 0 1090 520\n"), (11.0, 5.2));
    assert_eq!(seconds("cpu0 0 0 0 10 5\n"), (0.1, 0.05), "the processor was taken out and put in again");
}
