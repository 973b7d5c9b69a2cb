//! Counters of the network protocols: `/proc/net/{netstat,snmp,snmp6,sockstat,sockstat6}`, and connection tracking.

use metrics::sample::MetricType;

use super::families::Families;
use super::files::{Files, Malformed, Trouble};

/// Names and values, such as `Tcp_RetransSegs`.
type Fields = Vec<(String, f64)>;

/// The counters of `netstat`, `snmp` and `snmp6` that say how well the network does; those of hundreds.
pub(super) fn read(files: &Files) -> Result<Fields, Trouble> {
    let mut fields = files.parse("proc/net/netstat", parse)?;
    fields.extend(files.parse("proc/net/snmp", parse)?);
    match files.parse("proc/net/snmp6", parse_v6) {
        Ok(more) => fields.extend(more),
        // A kernel without IPv6.
        Err(trouble) if trouble.is_absence() => {}
        Err(trouble) => return Err(trouble),
    }
    Ok(fields)
}

/// Pairs of lines: `Tcp: ActiveOpens …`, then `Tcp: 329 …`.
pub(super) fn parse(text: &str) -> Result<Fields, Malformed> {
    let mut fields = Vec::new();
    let mut lines = text.lines();
    while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
        let bad = || Malformed::new(format!("`{names}` is not followed by its numbers"));
        let (protocol, names) = names.split_once(':').ok_or_else(bad)?;
        let (second, values) = values.split_once(':').ok_or_else(bad)?;
        let (names, values) = (names.split_ascii_whitespace(), values.split_ascii_whitespace());
        if protocol != second || names.clone().count() != values.clone().count() {
            return Err(bad());
        }
        // Hundreds of counters are passed over; only those that are kept cost anything.
        for (name, value) in names.zip(values).filter(|(name, _)| is_wanted(protocol, name)) {
            fields.push((format!("{protocol}_{name}"), value.parse().map_err(|_| bad())?));
        }
    }
    Ok(fields)
}

/// A name and a number on each line: `Ip6InOctets 76`.
pub(super) fn parse_v6(text: &str) -> Result<Fields, Malformed> {
    let mut fields = Vec::new();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let (Some(name), Some(value)) = (words.next(), words.next()) else { continue };
        let split = ["Icmp6", "Ip6", "UdpLite6", "Udp6"]
            .iter()
            .find_map(|protocol| Some((protocol, name.strip_prefix(protocol)?)));
        let Some((protocol, field)) = split.filter(|(protocol, field)| is_wanted(protocol, field)) else {
            continue;
        };
        let value = value.parse().map_err(|_| Malformed::new(format!("`{name}` has no number")))?;
        fields.push((format!("{protocol}_{field}"), value));
    }
    Ok(fields)
}

/// node_exporter's default choice.
fn is_wanted(protocol: &str, field: &str) -> bool {
    let one_of = |words: &[&str]| words.contains(&field);
    one_of(&["InErrors", "InErrs"])
        || match protocol {
            "Ip" => one_of(&["Forwarding"]),
            "Ip6" | "IpExt" => one_of(&["InOctets", "OutOctets"]),
            "Icmp" | "Icmp6" => one_of(&["InMsgs", "OutMsgs"]),
            "TcpExt" => {
                field.starts_with("Listen")
                    || field.starts_with("Syncookies")
                    || one_of(&["TCPSynRetrans", "TCPTimeouts", "TCPOFOQueue", "TCPRcvQDrop"])
            }
            "Tcp" => one_of(&[
                "ActiveOpens",
                "InSegs",
                "OutSegs",
                "OutRsts",
                "PassiveOpens",
                "RetransSegs",
                "CurrEstab",
            ]),
            "Udp" | "Udp6" => {
                one_of(&["InDatagrams", "OutDatagrams", "NoPorts", "RcvbufErrors", "SndbufErrors"])
            }
            _ => false,
        }
}

pub(super) fn families(fields: &Fields, out: &mut Families) {
    for (name, value) in fields {
        let help = format!("Network: the statistic {}.", name.replacen('_', " ", 1));
        out.start(&format!("node_netstat_{name}"), MetricType::Unknown, &help).add(&[], *value);
    }
}

/// Sockets in use: `TCP_inuse`, `sockets_used`.
pub(super) fn read_sockets(files: &Files) -> Result<Fields, Trouble> {
    let mut fields = files.parse("proc/net/sockstat", parse_sockets)?;
    match files.parse("proc/net/sockstat6", parse_sockets) {
        Ok(more) => fields.extend(more),
        Err(trouble) if trouble.is_absence() => {}
        Err(trouble) => return Err(trouble),
    }
    Ok(fields)
}

/// `TCP: inuse 2 orphan 0 …`
pub(super) fn parse_sockets(text: &str) -> Result<Fields, Malformed> {
    // "mem" counts pages.
    let page = rustix::param::page_size() as f64;
    let mut fields = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let bad = || Malformed::new(format!("`{line}` is not a protocol and its numbers"));
        let (protocol, rest) = line.split_once(':').ok_or_else(bad)?;
        let mut words = rest.split_ascii_whitespace();
        while let (Some(name), Some(value)) = (words.next(), words.next()) {
            let value: f64 = value.parse().map_err(|_| bad())?;
            fields.push((format!("{protocol}_{name}"), value));
            if name == "mem" {
                fields.push((format!("{protocol}_mem_bytes"), value * page));
            }
        }
    }
    Ok(fields)
}

pub(super) fn socket_families(fields: &Fields, out: &mut Families) {
    for (name, value) in fields {
        let help = format!("Sockets: {}.", name.replacen('_', " ", 1));
        out.value(&format!("node_sockstat_{name}"), &help, *value);
    }
}

/// Connections tracked, and how many may be.
pub(super) fn read_conntrack(files: &Files) -> Result<(f64, f64), Trouble> {
    let number = |text: &str| text.trim().parse().map_err(|_| Malformed::new("it is not a number"));
    let count = files.parse("proc/sys/net/netfilter/nf_conntrack_count", number)?;
    Ok((count, files.parse("proc/sys/net/netfilter/nf_conntrack_max", number)?))
}

pub(super) fn conntrack_families((entries, limit): &(f64, f64), out: &mut Families) {
    out.value("node_nf_conntrack_entries", "Connections tracked.", *entries);
    out.value("node_nf_conntrack_entries_limit", "Most connections that may be tracked.", *limit);
}
