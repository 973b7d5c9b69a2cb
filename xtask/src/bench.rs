//! `cargo xtask bench`: runs the benchmarks of `benches/` and compares their figures with the recorded ones.
//!
//! A benchmark prints one line a figure, `NAME VALUE UNIT`, where the name may have spaces; every other line is talk. A
//! unit that counts per second is better when larger, any other when smaller. Figures of different machines are not
//! comparable: a record holds the machine's processor, and a comparison across processors says so.

use std::collections::BTreeMap;
use std::process::Command;

use serde::Deserialize;

use crate::process;
use crate::workspace::{cargo, read_toml, root};

/// What `cargo xtask bench --help` says.
pub const HELP: &str = "\
Runs `cargo bench -p benches --bench NAME` for each NAME, or for every one of benches/, and prints each figure beside
the one in benches/recorded/NAME.txt. Fails when a figure is worse than half of its record on the same processor.

  --record   write benches/recorded/NAME.txt instead of comparing";

/// Worse than the record by this factor fails: wide enough for a shared machine, narrow enough for a lost optimisation.
const TOLERANCE: f64 = 2.0;

/// A figure: its value and unit.
type Figures = BTreeMap<String, (f64, String)>;

/// The command.
pub fn run(arguments: &[String]) -> Result<(), String> {
    let record = arguments.iter().any(|argument| argument == "--record");
    let mut names: Vec<String> =
        arguments.iter().filter(|argument| !argument.starts_with("--")).cloned().collect();
    if names.is_empty() {
        names = all()?;
    }
    let mut worse = Vec::new();
    for name in &names {
        let mut bench = Command::new(cargo());
        bench.args(["bench", "--package", "benches", "--bench", name]).current_dir(root());
        let ran = process::must(&mut bench)?;
        let figures = parse(&ran.lines.join("\n"));
        if figures.is_empty() {
            return Err(format!("benchmark `{name}` printed no figure (a line `NAME VALUE UNIT`)"));
        }
        if record {
            write(name, &figures)?;
        } else {
            worse.extend(compare_with_record(name, &figures));
        }
    }
    if worse.is_empty() { Ok(()) } else { Err(worse.join("\n")) }
}

/// The manifest of the benchmarks, as far as it names them.
#[derive(Deserialize)]
struct Manifest {
    bench: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

fn all() -> Result<Vec<String>, String> {
    let manifest: Manifest = read_toml("benches/Cargo.toml")?;
    Ok(manifest.bench.into_iter().map(|bench| bench.name).collect())
}

fn parse(text: &str) -> Figures {
    let mut figures = Figures::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [name @ .., value, unit] = words.as_slice()
            && !name.is_empty()
            && let Ok(value) = value.replace(['_', ','], "").parse::<f64>()
        {
            figures.insert(name.join(" "), (value, (*unit).to_owned()));
        }
    }
    figures
}

fn record_path(name: &str) -> std::path::PathBuf {
    root().join("benches/recorded").join(format!("{name}.txt"))
}

fn write(name: &str, figures: &Figures) -> Result<(), String> {
    let path = record_path(name);
    let mut text = format!("# processor: {}\n", processor());
    for (figure, (value, unit)) in figures {
        text += &format!("{figure} {value} {unit}\n");
    }
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    std::fs::create_dir_all(root().join("benches/recorded")).map_err(failed)?;
    std::fs::write(&path, text).map_err(failed)
}

fn compare_with_record(name: &str, figures: &Figures) -> Vec<String> {
    let Ok(text) = std::fs::read_to_string(record_path(name)) else {
        println!("{name}: nothing recorded; `cargo xtask bench {name} --record` records these figures");
        return Vec::new();
    };
    let same = text.lines().next() == Some(format!("# processor: {}", processor()).as_str());
    if !same {
        println!("{name}: recorded on another processor; shown, not judged");
    }
    let worse = compare(name, figures, &parse(&text));
    if same { worse } else { Vec::new() }
}

/// Prints each figure beside its record; answers the ones that are worse.
fn compare(name: &str, figures: &Figures, recorded: &Figures) -> Vec<String> {
    let mut worse = Vec::new();
    for (figure, (value, unit)) in figures {
        let Some((before, _)) = recorded.get(figure) else {
            println!("{name} {figure}: {value} {unit}, new");
            continue;
        };
        let ratio = if unit.ends_with("/s") { before / value } else { value / before };
        println!(
            "{name} {figure}: {value} {unit}, recorded {before} ({:+.0} %)",
            (value / before - 1.0) * 100.0
        );
        if ratio > TOLERANCE {
            worse.push(format!(
                "{name} {figure}: {value} {unit} is far worse than the recorded {before} {unit}"
            ));
        }
    }
    for figure in recorded.keys().filter(|figure| !figures.contains_key(*figure)) {
        worse.push(format!(
            "{name} {figure}: recorded, and not measured any more; record anew if that is meant"
        ));
    }
    worse
}

fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name"));
    model.map_or("unknown", |model| model.trim_start_matches([' ', '\t', ':'])).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_lines_that_end_in_a_value_and_its_unit() {
        let figures = parse(
            "# processor: x\nevaluate 2_500_000 evaluations/s\nsome talk in between\nopen 1.5 s\n  opening, closed   12.5 ms\n",
        );
        assert_eq!(figures.len(), 3);
        assert_eq!(figures.get("opening, closed"), Some(&(12.5, "ms".to_owned())));
        assert_eq!(figures.get("evaluate"), Some(&(2_500_000.0, "evaluations/s".to_owned())));
    }

    #[test]
    fn rates_are_better_when_larger_and_times_when_smaller() {
        let check = |now: &str, before: &str, expect: usize| {
            assert_eq!(compare("b", &parse(now), &parse(before)).len(), expect, "{now} after {before}");
        };
        check("a 100 x/s", "a 150 x/s", 0);
        check("a 100 x/s", "a 250 x/s", 1);
        check("a 250 x/s", "a 100 x/s", 0);
        check("a 3 s", "a 1 s", 1);
        check("a 1 s", "a 3 s", 0);
        check("b 1 s", "a 1 s", 1);
    }
}
