//! A fleet of hosts whose metrics behave as those of a node exporter: what changes, how, and how much of it does not change
//! at all. Made from a seed, so that every run sees the same numbers.
//!
//! It is *like* the real thing in the mix that matters for storage: idle devices, counters of bytes, seconds with two or
//! nine decimals, memory in pages, load averages, durations of random length. It is not a model of any host.

use kernel::Labels;

/// How a series goes on from scrape to scrape.
#[derive(Clone, Copy, Debug)]
enum Law {
    /// Always the same.
    Constant(f64),
    /// Rises by an integer around the given mean; now and then not at all.
    Counter(f64),
    /// Rises by so many hundredths, give or take.
    Centiseconds(f64),
    /// Rises by so many seconds, with nine decimals.
    Nanoseconds(f64),
    /// Walks up and down in pages of 4,096 bytes, by up to so many.
    Pages(f64),
    /// Walks up and down in integers, by up to so many, not below zero.
    Level(f64),
    /// Walks in hundredths.
    Hundredths(f64),
    /// Random, with nine decimals, around this.
    Duration(f64),
    /// The time, in seconds with nine decimals.
    Clock,
}

/// One series of a host.
struct Line {
    law: Law,
    value: f64,
    /// Integer state behind a decimal value, so that no error piles up.
    units: f64,
}

/// One host.
struct Host {
    lines: Vec<Line>,
    labels: Vec<Labels>,
    offset: i64,
}

/// The fleet.
pub struct Fleet {
    hosts: Vec<Host>,
    random: Random,
}

/// A small generator of random numbers (PCG, O'Neill 2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(2).wrapping_add(1))
    }

    /// The next 32 bits.
    pub fn bits(&mut self) -> u32 {
        let old = self.0;
        self.0 = old.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let shifted = (((old >> 18) ^ old) >> 27) as u32;
        shifted.rotate_right((old >> 59) as u32)
    }

    /// Between 0 and 1.
    pub fn unit(&mut self) -> f64 {
        f64::from(self.bits()) / f64::from(u32::MAX)
    }
}

impl Fleet {
    /// `hosts` hosts of about 500 series each.
    pub fn new(hosts: usize, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let hosts = (0..hosts).map(|number| Host::new(number, &mut random)).collect();
        Self { hosts, random }
    }

    /// How many hosts there are.
    pub fn hosts(&self) -> usize {
        self.hosts.len()
    }

    /// How many series there are.
    pub fn series(&self) -> usize {
        self.hosts.iter().map(|host| host.lines.len()).sum()
    }

    /// The labels of a host's series, in the order of [`Fleet::scrape`].
    pub fn labels(&self, host: usize) -> &[Labels] {
        self.hosts.get(host).map_or(&[], |host| &host.labels)
    }

    /// The host's values for the scrape that is due at `t` milliseconds, and the time it happened: hosts are spread over the
    /// interval, and a scrape is up to 3 ms late.
    pub fn scrape(&mut self, host: usize, t: i64) -> (i64, Vec<f64>) {
        let Some(host) = self.hosts.get_mut(host) else { return (t, Vec::new()) };
        let late = if self.random.bits().is_multiple_of(4) { i64::from(self.random.bits() % 4) } else { 0 };
        let at = t + host.offset + late;
        let values = host.lines.iter_mut().map(|line| line.step(at, &mut self.random)).collect();
        (at, values)
    }
}

impl Line {
    fn step(&mut self, at: i64, random: &mut Random) -> f64 {
        let mut add = |by: f64| {
            self.units += by;
            self.units
        };
        self.value = match self.law {
            Law::Constant(value) => value,
            Law::Counter(mean) => {
                let by = if mean < 1.0 {
                    f64::from(random.unit() < mean)
                } else {
                    (mean * 2.0 * random.unit()).round()
                };
                add(by)
            }
            Law::Centiseconds(mean) => {
                let by = if mean < 1.0 {
                    f64::from(random.unit() < mean)
                } else {
                    (mean * (0.9 + 0.2 * random.unit())).round()
                };
                add(by) / 100.0
            }
            Law::Nanoseconds(mean) => add((mean * 1e9 * 2.0 * random.unit()).round()) / 1e9,
            Law::Pages(most) => {
                let by = if random.unit() < 0.3 { 0.0 } else { (most * (random.unit() * 2.0 - 1.0)).round() };
                self.units = (self.units + by).max(0.0);
                self.units * 4096.0
            }
            Law::Level(most) => {
                let by = if random.unit() < 0.5 { 0.0 } else { (most * (random.unit() * 2.0 - 1.0)).round() };
                self.units = (self.units + by).max(0.0);
                self.units
            }
            Law::Hundredths(most) => {
                self.units = (self.units + (most * (random.unit() * 2.0 - 1.0)).round()).max(0.0);
                self.units / 100.0
            }
            Law::Duration(around) => (around * (0.5 + random.unit()) * 1e9).round() / 1e9,
            Law::Clock => (at as f64 * 1e6 + f64::from(random.bits() % 1_000_000)).round() / 1e9,
        };
        self.value
    }
}

impl Host {
    fn new(number: usize, random: &mut Random) -> Self {
        let mut host =
            Self { lines: Vec::new(), labels: Vec::new(), offset: i64::from(random.bits() % 15_000) };
        let instance = format!("host-{number:04}.example:9100");
        let mut add = |name: &str, labels: &[(&str, String)], law: Law| {
            let mut all = vec![
                ("__name__".to_owned(), name.to_owned()),
                ("instance".to_owned(), instance.clone()),
                ("job".to_owned(), "node".to_owned()),
            ];
            all.extend(labels.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
            host.labels.extend(Labels::new(all));
            let units = f64::from(random.bits() % 4_000_000);
            host.lines.push(Line { law, value: 0.0, units });
        };
        processors(&mut add);
        memory(&mut add);
        disks(&mut add);
        network(&mut add);
        system(&mut add);
        host
    }
}

/// Takes a name, labels and a law.
type Add<'a> = &'a mut dyn FnMut(&str, &[(&str, String)], Law);

fn processors(add: Add<'_>) {
    for cpu in 0..8 {
        let cpu = ("cpu", cpu.to_string());
        for (mode, law) in [
            ("idle", Law::Centiseconds(1300.0)),
            ("user", Law::Centiseconds(120.0)),
            ("system", Law::Centiseconds(50.0)),
            ("iowait", Law::Centiseconds(2.0)),
            ("softirq", Law::Centiseconds(0.7)),
            ("irq", Law::Constant(0.0)),
            ("nice", Law::Constant(0.0)),
            ("steal", Law::Constant(0.0)),
        ] {
            add("node_cpu_seconds_total", &[cpu.clone(), ("mode", mode.to_owned())], law);
        }
        add("node_schedstat_running_seconds_total", std::slice::from_ref(&cpu), Law::Nanoseconds(2.0));
        add("node_schedstat_waiting_seconds_total", std::slice::from_ref(&cpu), Law::Nanoseconds(0.2));
        add("node_schedstat_timeslices_total", std::slice::from_ref(&cpu), Law::Counter(9000.0));
        add("node_cpu_scaling_frequency_hertz", &[cpu], Law::Level(300_000.0));
    }
    for (name, law) in [("node_load1", 12.0), ("node_load5", 4.0), ("node_load15", 1.0)] {
        add(name, &[], Law::Hundredths(law));
    }
}

fn memory(add: Add<'_>) {
    for number in 0..50 {
        let law = match number % 10 {
            0..=4 => Law::Pages(3000.0),
            5 => Law::Pages(20.0),
            _ => Law::Constant(f64::from(number) * 4096.0),
        };
        add(&format!("node_memory_field_{number:02}_bytes"), &[], law);
    }
    for number in 0..7 {
        add(&format!("node_vmstat_field_{number}"), &[], Law::Counter(4000.0));
    }
}

fn disks(add: Add<'_>) {
    for (device, busy) in [("nvme0n1", true), ("sda", true), ("sdb", false), ("dm-0", false)] {
        for number in 0..17 {
            let law = match (busy, number) {
                (false, _) => Law::Constant(f64::from(number)),
                (true, 0..=3) => Law::Counter(300.0),
                (true, 4..=6) => Law::Counter(2_000_000.0),
                (true, 7..=10) => Law::Centiseconds(20.0),
                (true, 11) => Law::Level(3.0),
                _ => Law::Constant(0.0),
            };
            add(&format!("node_disk_field_{number:02}_total"), &[("device", device.to_owned())], law);
        }
    }
    for mount in 0..8 {
        let labels = [("mountpoint", format!("/data/{mount}")), ("fstype", "ext4".to_owned())];
        for number in 0..7 {
            let law = match (mount, number) {
                (0..=2, 0 | 1) => Law::Pages(200.0),
                (0..=2, 2) => Law::Level(20.0),
                _ => Law::Constant(1e9),
            };
            add(&format!("node_filesystem_field_{number}"), &labels, law);
        }
    }
}

fn network(add: Add<'_>) {
    for (device, busy) in [("eth0", true), ("lo", true), ("eth1", false), ("docker0", false)] {
        for number in 0..22 {
            let law = match (busy, number) {
                (true, 0 | 1) => Law::Counter(8_000_000.0),
                (true, 2 | 3) => Law::Counter(9000.0),
                _ => Law::Constant(0.0),
            };
            add(&format!("node_network_field_{number:02}_total"), &[("device", device.to_owned())], law);
        }
    }
    for number in 0..40 {
        let law = if number % 3 == 0 { Law::Counter(150.0) } else { Law::Constant(0.0) };
        add(&format!("node_netstat_field_{number:02}"), &[], law);
    }
    for number in 0..15 {
        add(&format!("node_sockstat_field_{number:02}"), &[], Law::Level(4.0));
    }
}

fn system(add: Add<'_>) {
    for collector in 0..40 {
        let labels = [("collector", format!("collector_{collector:02}"))];
        add("node_scrape_collector_duration_seconds", &labels, Law::Duration(0.002));
        add("node_scrape_collector_success", &labels, Law::Constant(1.0));
    }
    add("node_time_seconds", &[], Law::Clock);
    add("node_timex_offset_seconds", &[], Law::Duration(0.000_02));
    add("node_context_switches_total", &[], Law::Counter(60_000.0));
    add("node_intr_total", &[], Law::Counter(40_000.0));
    add("node_forks_total", &[], Law::Counter(90.0));
    for number in 0..30 {
        let law = match number % 6 {
            0 => Law::Counter(20_000.0),
            1 => Law::Level(50_000.0),
            2 => Law::Pages(30.0),
            _ => Law::Constant(f64::from(number)),
        };
        add(&format!("go_field_{number:02}"), &[], law);
    }
    for number in 0..5 {
        add(&format!("node_hwmon_temp_celsius_{number}"), &[], Law::Level(1.0));
    }
    add("process_cpu_seconds_total", &[], Law::Centiseconds(3.0));
    add(
        "node_uname_info",
        &[("release", "6.1.0".to_owned()), ("machine", "x86_64".to_owned())],
        Law::Constant(1.0),
    );
    add("up", &[], Law::Constant(1.0));
}
