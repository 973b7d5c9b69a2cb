//! Network interfaces: `/proc/net/dev` for what they carried, `/sys/class/net` for what they are.

use std::collections::HashMap;

use kernel::{Span, Timestamp};

use super::families::Families;
use super::files::{Files, Malformed, Trouble};

/// How often what hardly changes about an interface is read again.
pub const DETAILS_EVERY: Span = Span::from_secs(60);

/// Most interfaces whose details are read; a host of containers may have thousands.
pub const MAX_DETAILED: usize = 64;

/// One interface's counts since it appeared, as columns of the file: see [`COLUMNS`].
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Interface {
    pub device: String,
    columns: [f64; 16],
}

const COLUMNS: [(&str, &str); 16] = [
    ("node_network_receive_bytes_total", "Bytes received."),
    ("node_network_receive_packets_total", "Packets received."),
    ("node_network_receive_errs_total", "Packets received with errors."),
    ("node_network_receive_drop_total", "Packets received and dropped."),
    ("node_network_receive_fifo_total", "Overruns of the receive queue."),
    ("node_network_receive_frame_total", "Framing errors on receipt."),
    ("node_network_receive_compressed_total", "Compressed packets received."),
    ("node_network_receive_multicast_total", "Multicast packets received."),
    ("node_network_transmit_bytes_total", "Bytes sent."),
    ("node_network_transmit_packets_total", "Packets sent."),
    ("node_network_transmit_errs_total", "Packets that could not be sent."),
    ("node_network_transmit_drop_total", "Packets dropped before they were sent."),
    ("node_network_transmit_fifo_total", "Overruns of the transmit queue."),
    ("node_network_transmit_colls_total", "Collisions on sending."),
    ("node_network_transmit_carrier_total", "Losses of carrier on sending."),
    ("node_network_transmit_compressed_total", "Compressed packets sent."),
];

pub(super) fn read(files: &Files) -> Result<Vec<Interface>, Trouble> {
    files.parse("proc/net/dev", parse)
}

pub(super) fn parse(text: &str) -> Result<Vec<Interface>, Malformed> {
    let mut interfaces = Vec::new();
    // The first two lines are headings, with `|` where interfaces have `:`.
    for line in text.lines().filter(|line| !line.contains('|') && !line.trim().is_empty()) {
        let bad = || Malformed::new(format!("`{line}` is not an interface and its numbers"));
        // An alias has a colon in its name; numbers have none.
        let (device, numbers) = line.rsplit_once(':').ok_or_else(bad)?;
        let numbers: Option<Vec<f64>> =
            numbers.split_ascii_whitespace().map(|word| word.parse().ok()).collect();
        let columns = numbers.and_then(|numbers| <[f64; 16]>::try_from(numbers).ok()).ok_or_else(bad)?;
        interfaces.push(Interface { device: device.trim().to_owned(), columns });
    }
    Ok(interfaces)
}

impl Interface {
    pub(super) fn received(&self) -> f64 {
        self.column(0)
    }
    pub(super) fn sent(&self) -> f64 {
        self.column(8)
    }
    /// Both ways.
    pub(super) fn errors(&self) -> f64 {
        self.column(2) + self.column(10)
    }
    fn column(&self, at: usize) -> f64 {
        self.columns.get(at).copied().unwrap_or_default()
    }
}

pub(super) fn families(interfaces: &[Interface], out: &mut Families) {
    for (at, (name, help)) in COLUMNS.into_iter().enumerate() {
        let mut adding = out.counter(name, help);
        for interface in interfaces {
            adding.add(&[("device", &interface.device)], interface.column(at));
        }
    }
}

/// What an interface is: numbers that exist only for some kinds of interface are absent for the others.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Details {
    address: String,
    broadcast: String,
    duplex: String,
    alias: String,
    /// As [`NUMBERS`].
    numbers: [Option<f64>; 7],
}

const NUMBERS: [(&str, &str, f64, &str); 7] = [
    ("node_network_mtu_bytes", "mtu", 1.0, "Largest packet, in bytes."),
    // /sys says megabits a second; a negative speed is not known.
    ("node_network_speed_bytes", "speed", 125_000.0, "Speed of the link, in bytes a second."),
    ("node_network_flags", "flags", 1.0, "Flags of the interface (IFF_*)."),
    ("node_network_transmit_queue_length", "tx_queue_len", 1.0, "Longest transmit queue, in packets."),
    ("node_network_iface_id", "ifindex", 1.0, "Number of the interface."),
    ("node_network_iface_link", "iflink", 1.0, "Number of the interface this one is stacked on."),
    ("node_network_protocol_type", "type", 1.0, "Link protocol (ARPHRD_*)."),
];

/// The state that changes, and the details, of the interfaces of one collection.
#[derive(Debug, Default)]
pub(super) struct Class {
    known: HashMap<String, (Timestamp, Details)>,
    states: HashMap<String, State>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct State {
    operstate: String,
    carrier: Option<f64>,
    carrier_changes: Option<f64>,
}

impl Class {
    /// Reads the state of each interface, and the details that are older than [`DETAILS_EVERY`].
    pub(super) fn update(
        &mut self,
        files: &Files,
        interfaces: &[Interface],
        now: Timestamp,
    ) -> Result<(), Trouble> {
        files.list("sys/class/net")?;
        self.states.clear();
        for interface in interfaces.iter().take(MAX_DETAILED) {
            let folder = format!("sys/class/net/{}", interface.device);
            let state = State {
                operstate: files.word(&format!("{folder}/operstate")).unwrap_or_default(),
                carrier: files.number(&format!("{folder}/carrier")),
                carrier_changes: files.number(&format!("{folder}/carrier_changes")),
            };
            self.states.insert(interface.device.clone(), state);
            let fresh = self
                .known
                .get(&interface.device)
                .is_some_and(|(at, _)| now.since(*at) < DETAILS_EVERY && now >= *at);
            if !fresh {
                self.known.insert(interface.device.clone(), (now, details(files, &folder)));
            }
        }
        self.known.retain(|device, _| self.states.contains_key(device));
        Ok(())
    }

    /// True when the interface can carry traffic. Loopback and tunnels say `unknown` and can.
    pub(super) fn is_up(&self, device: &str) -> bool {
        let Some(state) = self.states.get(device) else { return false };
        state.operstate == "up" || (state.operstate == "unknown" && state.carrier != Some(0.0))
    }

    pub(super) fn families(&self, interfaces: &[Interface], out: &mut Families) {
        let all = || interfaces.iter().filter_map(|i| Some((i.device.as_str(), self.states.get(&i.device)?)));
        let mut up = out.gauge("node_network_up", "1 when the interface's state is up.");
        for (device, state) in all() {
            up.add(&[("device", device)], f64::from(u8::from(state.operstate == "up")));
        }
        let mut carrier = out.gauge("node_network_carrier", "1 when the interface has a carrier.");
        for (device, state) in all() {
            state.carrier.into_iter().for_each(|value| carrier.add(&[("device", device)], value));
        }
        let mut changes =
            out.counter("node_network_carrier_changes_total", "How often the carrier came or went.");
        for (device, state) in all() {
            state.carrier_changes.into_iter().for_each(|value| changes.add(&[("device", device)], value));
        }
        for (at, (name, _, _, help)) in NUMBERS.into_iter().enumerate() {
            let mut adding = out.gauge(name, help);
            for (device, (_, details)) in
                interfaces.iter().filter_map(|i| self.known.get_key_value(&i.device))
            {
                let value = details.numbers.get(at).copied().flatten();
                value.into_iter().for_each(|value| adding.add(&[("device", device)], value));
            }
        }
        let mut info = out.gauge("node_network_info", "What the interface is.");
        for (device, state) in all() {
            let Some((_, details)) = self.known.get(device) else { continue };
            info.add(
                &[
                    ("address", &details.address),
                    ("broadcast", &details.broadcast),
                    ("device", device),
                    ("duplex", &details.duplex),
                    ("ifalias", &details.alias),
                    ("operstate", &state.operstate),
                ],
                1.0,
            );
        }
    }
}

fn details(files: &Files, folder: &str) -> Details {
    let word = |name: &str| files.word(&format!("{folder}/{name}")).unwrap_or_default();
    let number = |name: &str, scale: f64| {
        let text = word(name);
        let value = match text.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16).ok().map(f64::from),
            None => text.parse().ok(),
        };
        value.map(|value: f64| value * scale)
    };
    Details {
        address: word("address"),
        broadcast: word("broadcast"),
        duplex: word("duplex"),
        alias: word("ifalias"),
        numbers: NUMBERS.map(|(_, file, scale, _)| number(file, scale)),
    }
}
