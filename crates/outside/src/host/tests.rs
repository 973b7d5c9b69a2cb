//! No text makes a parser panic, and a damaged file is either read or refused.

use proptest::prelude::*;

use super::files::Malformed;
use super::{cgroup, cpu, disk, filesystem, memory, network, pressure, protocol, system};

/// A file of the fixture, and the parser it is for; true when it was read.
type Case = (&'static str, fn(&str) -> bool);

fn read<T>(answer: Result<T, Malformed>) -> bool {
    answer.is_ok()
}

const CASES: [Case; 14] = [
    ("proc/stat", |t| read(cpu::parse(t))),
    ("proc/loadavg", |t| read(pressure::parse_load(t))),
    ("proc/pressure/io", |t| read(pressure::parse(t))),
    ("proc/meminfo", |t| read(memory::parse(t))),
    ("proc/vmstat", |t| read(memory::parse_vmstat(t))),
    ("proc/diskstats", |t| read(disk::parse(t))),
    ("proc/1/mounts", |t| read(filesystem::parse(t))),
    ("proc/net/dev", |t| read(network::parse(t))),
    ("proc/net/netstat", |t| read(protocol::parse(t))),
    ("proc/net/snmp6", |t| read(protocol::parse_v6(t))),
    ("proc/net/sockstat", |t| read(protocol::parse_sockets(t))),
    ("proc/sys/fs/file-nr", |t| read(system::parse_handles(t))),
    ("etc/os-release", |t| read(system::parse_release(t))),
    ("proc/self/cgroup", |t| read(cgroup::parse_path(t))),
];

fn fixture(path: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/small");
    std::fs::read_to_string(format!("{folder}/{path}")).unwrap()
}

#[test]
fn the_fixture_is_read() {
    for (path, parse) in CASES {
        assert!(parse(&fixture(path)), "{path}");
    }
}

proptest! {
    #[test]
    fn any_text_is_survived(text in "[a-zA-Z0-9 :._=\\\\\"\n\t|%é-]{0,120}") {
        for (_, parse) in CASES {
            parse(&text);
        }
        disk::parse_udev(&text);
        cgroup::parse_cpu_max(&text);
    }

    #[test]
    fn damaged_files_are_survived(at in any::<prop::sample::Index>(), cut in 0_usize..20, with in "[ \n:x9-]{0,3}") {
        for (path, parse) in CASES {
            let text = fixture(path);
            let start = at.index(text.len());
            let end = (start + cut).min(text.len());
            parse(&format!("{}{with}{}", &text[..start], &text[end..]));
        }
    }
}
