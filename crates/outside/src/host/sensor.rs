//! Temperatures, fans, voltages, currents and power: `/sys/class/hwmon` and `/sys/class/thermal`.
//!
//! Source: Linux documentation, hwmon/sysfs-interface.

use super::families::Families;
use super::files::{Files, Trouble};

/// Most chips, and most sensors of one chip, that are read.
pub const MAX_SENSORS: usize = 256;

/// One number of one sensor.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reading {
    chip: String,
    sensor: String,
    family: String,
    value: f64,
}

/// Everything about the sensors of a machine.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sensors {
    readings: Vec<Reading>,
    /// Chip and its name.
    names: Vec<(String, String)>,
    /// Chip, sensor, label.
    labels: Vec<(String, String, String)>,
}

/// What a sensor measures: start of the file's name, scale, unit.
const KINDS: [(&str, f64, &str); 5] = [
    ("temp", 1e-3, "celsius"),
    ("fan", 1.0, "rpm"),
    ("in", 1e-3, "volts"),
    ("curr", 1e-3, "amps"),
    ("power", 1e-6, "watt"),
];

pub(super) fn read(files: &Files) -> Result<Sensors, Trouble> {
    let mut sensors = Sensors::default();
    for entry in files.list("sys/class/hwmon")?.into_iter().take(MAX_SENSORS) {
        let folder = format!("sys/class/hwmon/{entry}");
        let chip = chip_name(files, &folder, &entry);
        if let Some(name) = files.word(&format!("{folder}/name")) {
            sensors.names.push((chip.clone(), clean(&name)));
        }
        for file in files.list(&folder)?.into_iter().take(MAX_SENSORS) {
            read_one(files, &folder, &chip, &file, &mut sensors);
        }
    }
    Ok(sensors)
}

fn read_one(files: &Files, folder: &str, chip: &str, file: &str, sensors: &mut Sensors) {
    let Some((kind, sensor, property)) = split(file) else { return };
    if property == "label" {
        let label = files.word(&format!("{folder}/{file}")).unwrap_or_default();
        sensors.labels.push((chip.to_owned(), sensor.to_owned(), label));
        return;
    }
    let Some((_, scale, unit)) = KINDS.into_iter().find(|(name, ..)| *name == kind) else { return };
    // Sensors that are not connected answer with an error.
    let Some(value) = files.number(&format!("{folder}/{file}")) else { return };
    let family = match property {
        "input" => format!("node_hwmon_{kind}_{unit}"),
        "max" | "min" | "crit" | "average" => format!("node_hwmon_{kind}_{property}_{unit}"),
        _ => return,
    };
    let (chip, sensor) = (chip.to_owned(), sensor.to_owned());
    sensors.readings.push(Reading { chip, sensor, family, value: value * scale });
}

/// `temp1_input` is of kind `temp`, sensor `temp1`, property `input`.
fn split(file: &str) -> Option<(&str, &str, &str)> {
    let (sensor, property) = file.split_once('_')?;
    let kind = sensor.trim_end_matches(|c: char| c.is_ascii_digit());
    (kind.len() < sensor.len()).then_some((kind, sensor, property))
}

/// A name that stays over reboots: the device's bus and name, else the driver's name, else the entry's.
fn chip_name(files: &Files, folder: &str, entry: &str) -> String {
    let device = std::fs::canonicalize(files.at(&format!("{folder}/device"))).ok();
    let part = |path: Option<&std::path::Path>| {
        path.and_then(|p| p.file_name()?.to_str()).map(clean).unwrap_or_default()
    };
    let name = part(device.as_deref());
    let bus = part(device.as_deref().and_then(|path| path.parent()));
    match (bus.is_empty(), name.is_empty()) {
        (false, false) => format!("{bus}_{name}"),
        (true, false) => name,
        _ => files
            .word(&format!("{folder}/name"))
            .filter(|n| !n.is_empty())
            .map_or_else(|| clean(entry), |n| clean(&n)),
    }
}

/// Lower case, and anything but letters, digits, `:` and `_` as `_`.
fn clean(text: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() || c == ':' { c.to_ascii_lowercase() } else { '_' };
    text.trim().chars().map(keep).collect::<String>().trim_matches('_').to_owned()
}

pub(super) fn families(sensors: &Sensors, out: &mut Families) {
    let mut names: Vec<&str> = sensors.readings.iter().map(|reading| reading.family.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let mut adding = out.gauge(name, "Hardware monitor: a sensor's value or limit.");
        for reading in sensors.readings.iter().filter(|reading| reading.family == name) {
            adding.add(&[("chip", &reading.chip), ("sensor", &reading.sensor)], reading.value);
        }
    }
    let mut labels = out.gauge("node_hwmon_sensor_label", "Hardware monitor: what a sensor is called.");
    for (chip, sensor, label) in &sensors.labels {
        labels.add(&[("chip", chip), ("label", label), ("sensor", sensor)], 1.0);
    }
    let mut names = out.gauge("node_hwmon_chip_names", "Hardware monitor: what a chip is called.");
    for (chip, name) in &sensors.names {
        names.add(&[("chip", chip), ("chip_name", name)], 1.0);
    }
}

/// Zones and their temperatures in degrees Celsius; coolers and their states.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Thermal {
    /// Zone, type, degrees.
    zones: Vec<(String, String, f64)>,
    /// Name, type, current state, most.
    coolers: Vec<(String, String, f64, f64)>,
}

pub(super) fn read_thermal(files: &Files) -> Result<Thermal, Trouble> {
    let mut thermal = Thermal::default();
    for entry in files.list("sys/class/thermal")?.into_iter().take(MAX_SENSORS) {
        let folder = format!("sys/class/thermal/{entry}");
        let kind = files.word(&format!("{folder}/type")).unwrap_or_default();
        let number = |name: &str| files.number(&format!("{folder}/{name}"));
        if let Some(zone) = entry.strip_prefix("thermal_zone") {
            thermal.zones.extend(number("temp").map(|milli| (zone.to_owned(), kind, milli / 1000.0)));
        } else if let Some(name) = entry.strip_prefix("cooling_device")
            && let (Some(now), Some(most)) = (number("cur_state"), number("max_state"))
        {
            thermal.coolers.push((name.to_owned(), kind, now, most));
        }
    }
    Ok(thermal)
}

pub(super) fn thermal_families(thermal: &Thermal, out: &mut Families) {
    let mut zones = out.gauge("node_thermal_zone_temp", "Temperature of a thermal zone, in degrees Celsius.");
    for (zone, kind, degrees) in &thermal.zones {
        zones.add(&[("type", kind), ("zone", zone)], *degrees);
    }
    let mut now = out.gauge("node_cooling_device_cur_state", "How hard a cooling device works.");
    for (name, kind, state, _) in &thermal.coolers {
        now.add(&[("name", name), ("type", kind)], *state);
    }
    let mut most = out.gauge("node_cooling_device_max_state", "How hard a cooling device can work.");
    for (name, kind, _, state) in &thermal.coolers {
        most.add(&[("name", name), ("type", kind)], *state);
    }
}
